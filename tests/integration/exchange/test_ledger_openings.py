"""A ledger opened often, by several and across a fork: opening or closing one never disturbs another."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa

from pipelines.continuity import decisions
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.upgrading import planned
from pipelines.exchange.left_behind import left_behind
from pipelines.linkage import state
from tests.support.exchange import MONDAY, action, noon
from tests.support.servers import wait_until

ME = "試験"
# SQLite's shared lock covers 510 bytes from here on (https://sqlite.org/fileformat2.html, the lock-byte page).
LOCK_BYTES, LOCKED_BYTES = 0x40000002, 510


def is_in_use(path: Path) -> bool:
    """Whether a process has SQLite's lock on the file, asked in a process without any."""
    program = (
        "import fcntl, os, struct, sys\n"
        "asked = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, int(sys.argv[2]), int(sys.argv[3]), 0)\n"
        "handle = os.open(sys.argv[1], os.O_RDWR)\n"
        "print(struct.unpack('hhqqi4x', fcntl.fcntl(handle, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK)\n"
    )
    asked = [sys.executable, "-c", program, str(path), str(LOCK_BYTES), str(LOCKED_BYTES)]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip() == "True"


def file_of(url: str) -> Path:
    return Path(str(sa.make_url(url).database))


def test_opening_again_keeps_the_lock_that_says_that_the_ledger_is_in_use(sqlite_url: str) -> None:
    first = Ledger(sqlite_url, noon)
    first.recorder(ME).append_event(action("begun"))
    assert is_in_use(file_of(sqlite_url))
    second = Ledger(sqlite_url, noon)
    assert is_in_use(file_of(sqlite_url))
    # The same file under another spelling is another engine, and disturbs nothing either.
    third = Ledger(sqlite_url.replace("/data/", "/data/./"), noon)
    assert is_in_use(file_of(sqlite_url))
    third.close()
    assert is_in_use(file_of(sqlite_url))
    del second, third
    gc.collect()
    assert is_in_use(file_of(sqlite_url))
    first.close()
    assert not is_in_use(file_of(sqlite_url))


def test_ledgers_of_one_process_share_their_connections_and_one_that_closes_harms_none(any_url: str) -> None:
    ledgers = [Ledger(any_url, noon) for _ in range(30)]
    with ledgers[0].recorder(ME).transaction() as work:
        work.append_event(action("first"))
        ledgers[1].close()
    for ledger in ledgers:
        ledger.recorder(ME).append_event(action("counted"))
        ledger.close()
    assert [event.action for event in ledgers[0].events()] == ["first", *["counted"] * 30]
    ledgers[0].close()


def test_the_last_ledger_that_goes_leaves_everything_in_the_one_file(sqlite_url: str) -> None:
    first, second = Ledger(sqlite_url, noon), Ledger(sqlite_url, noon)
    first.recorder(ME).append_event(action("counted"))
    second.recorder(ME).append_event(action("counted"))
    del first
    gc.collect()
    assert len(second.events()) == 2
    del second
    gc.collect()
    assert [path.name for path in file_of(sqlite_url).parent.iterdir()] == ["ledger.sqlite"]


def test_a_forked_process_has_connections_of_its_own(any_url: str) -> None:
    ledger = Ledger(any_url, noon)
    ledger.recorder(ME).append_event(action("parent"))
    child = os.fork()
    if child == 0:
        try:
            for _ in range(20):
                ledger.recorder(ME).append_event(action("child"))
            Ledger(any_url, noon).recorder(ME).append_event(action("child"))
            ledger.close()
        finally:
            os._exit(0)
    for _ in range(20):
        ledger.recorder(ME).append_event(action("parent"))
    assert os.waitpid(child, 0)[1] == 0
    actions = [event.action for event in ledger.events()]
    assert (actions.count("parent"), actions.count("child")) == (21, 21)
    assert ledger.verify_chain() == []
    ledger.close()


def test_a_reader_does_not_wait_for_a_writer(any_url: str, tmp_path: Path) -> None:
    Ledger(any_url, noon).close()
    program = (
        "import sys, pathlib, time\n"
        "from pipelines.exchange.ledger.ledger import Ledger\n"
        "with Ledger(sys.argv[1]).recorder('writer').transaction():\n"
        "    pathlib.Path(sys.argv[2]).touch()\n"
        "    time.sleep(3600)\n"
    )
    begun = tmp_path / "begun"
    writer = subprocess.Popen([sys.executable, "-c", program, any_url, begun])
    try:
        wait_until(begun.exists, "the writer")
        before = time.monotonic()
        reader = Ledger(any_url, noon)
        assert reader.events() == []
        assert (left_behind(reader), reader.verify_chain()) == ([], [])
        with reader.viewing() as view:
            assert state.linkage(view).is_empty()
            assert state.discrepancies_of(view, MONDAY).is_empty()
            assert decisions.current(view, MONDAY).is_empty()
        assert planned(any_url).steps == {}
        # A writer is waited for 30 s on SQLite, for ever on PostgreSQL.
        assert time.monotonic() - before < 20
        reader.close()
    finally:
        writer.kill()
        writer.wait()
