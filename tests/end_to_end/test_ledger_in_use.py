"""The ledger while several processes have it open: a reader beside a sending disturbs nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fixtures.torture.town import Town, town
from tests.support.processes import renkei

# The server takes the files in seconds; the minutes are for a machine that is busy with other things.
PATIENCE_SECONDS = 240.0
RENKEI = [sys.executable, "-c", "from pipelines.cli import main; main()"]
OPENINGS = """
import sys
from pipelines.exchange.ledger.ledger import Ledger
kept = [Ledger(sys.argv[1])]
for number in range(40):
    kept.append(Ledger(sys.argv[1]))
    kept[-1].recorder("試験").append_event("counted", number=number)
    if number % 3 == 0:
        kept.pop(0)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path / "town", persons=300, sealed=False) as made:
        yield made


@contextmanager
def readers(place: Town) -> Iterator[None]:
    """Somebody reads the ledger again and again, each time by a command in a process of its own."""
    stopped = threading.Event()
    failed: list[str] = []

    def read() -> None:
        while not stopped.is_set():
            done = renkei(("ledger", "list"), place.environment)
            failed.extend([done.stderr] if done.returncode else [])

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert failed == []


def at_the_union(place: Town) -> list[str]:
    return sorted(path.name for path in place.to_union.iterdir() if not path.name.startswith("."))


def sound(ledger: Path) -> str:
    with closing(sqlite3.connect(ledger)) as database:
        return str(database.execute("PRAGMA integrity_check").fetchone()[0])


def test_what_was_sent_before_a_kill_is_known_though_others_read(place: Town) -> None:
    place.live(0)
    place.world.live(place.days[1])
    with readers(place):
        sending = subprocess.Popen(
            [*RENKEI, *place.day_out(1)],
            env=place.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE_SECONDS
        while not at_the_union(place):
            assert sending.poll() is None, "ended before it sent anything"
            assert time.monotonic() < end
            time.sleep(0.001)
        sending.send_signal(signal.SIGKILL)
        assert sending.wait() == -signal.SIGKILL
        # Readers that begin after the kill close the ledger as its last users.
        time.sleep(1.0)
    known = place.must("ledger", "list")
    assert f"送付  {place.days[1]}" in known
    first = {name: (place.to_union / name).read_bytes() for name in at_the_union(place)}
    # The Union takes what is there: a second sending of it would not be stopped by its name.
    for name in first:
        (place.to_union / name).unlink()
    place.must(*place.day_out(1))
    assert first.keys().isdisjoint(at_the_union(place))
    assert len(place.recorded_as_sent(1)) == 2
    assert "不一致 0件" in place.must("audit", "verify")
    assert sound(place.data / "ledger.sqlite") == "ok"


def test_many_openings_in_one_process_beside_two_commands_leave_the_ledger_sound(place: Town) -> None:
    place.live(0)
    url = f"sqlite:///{place.data / 'ledger.sqlite'}"
    with readers(place):
        openers = [subprocess.Popen([sys.executable, "-c", OPENINGS, url], env=os.environ) for _ in range(3)]
        assert [opener.wait() for opener in openers] == [0, 0, 0]
    assert sound(place.data / "ledger.sqlite") == "ok"
    counted = place.must("audit", "verify")
    assert "不一致 0件" in counted
    with closing(sqlite3.connect(place.data / "ledger.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM events WHERE action = 'counted'").fetchone() == (120,)
