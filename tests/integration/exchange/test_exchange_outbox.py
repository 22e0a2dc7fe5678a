"""Sending a partition: once, whole, resumed after a crash at any step; on a folder and by a real OpenSSH server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from interfaces.messages import RenkeiError
from pipelines.configuration.settings import SftpSettings
from pipelines.exchange.batch import Batch, OutboundFile, SendOutcome
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import Direction
from pipelines.exchange.outbox import ONCE, Outbox
from pipelines.exchange.sealing import sealed_path
from pipelines.exchange.transport import (
    LocalFolderTransport,
    Retry,
    SftpTransport,
    TransientTransportError,
    Transport,
    temporary_name,
)
from pipelines.storage.cms import decrypt_and_verify
from pipelines.storage.locks import exclusive_lock
from tests.support.entries import moved
from tests.support.exchange import (
    HOUSEHOLD,
    INDIVIDUAL,
    MONDAY,
    TUESDAY,
    Crash,
    Fuse,
    FusedLedger,
    FusedTransport,
    SweepingTransport,
    names_in,
    noon,
    outbound,
)
from tests.support.rings import file_store, ring
from tests.support.servers import OpenSshServer

PAIR = ["eligibility_household.csv", "eligibility_individual.csv"]


@pytest.fixture
def union(tmp_path: Path) -> Path:
    folder = tmp_path / "to_union"
    folder.mkdir()
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> list[OutboundFile]:
    """Given in the wrong order on purpose."""
    return [
        outbound(tmp_path / "out", INDIVIDUAL, b"synthetic individual\n"),
        outbound(tmp_path / "out", HOUSEHOLD, b"synthetic household\n"),
    ]


def send(
    ledger: Ledger,
    transport: Transport,
    files: list[OutboundFile],
    tmp_path: Path,
    *,
    partition: date = TUESDAY,
    baseline: date | None = None,
    retry: Retry = ONCE,
    recipient: x509.Certificate | None = None,
) -> SendOutcome:
    outbox = Outbox(ledger.recorder("test-operator", "run-1"), file_store(tmp_path / "data"), lambda: recipient)
    return outbox.send(Batch(partition, tuple(files), baseline, "5a" * 32), transport, retry)


def states(ledger: Ledger, partition: date = TUESDAY) -> list[tuple[str | None, str]]:
    return [
        (entry.interface, entry.state) for entry in ledger.entries(direction=Direction.OUTBOUND, partition=partition)
    ]


def code_of(action: Any) -> str:
    with pytest.raises(RenkeiError) as caught:
        action()
    return caught.value.code


BOTH_SENT = [(HOUSEHOLD, "sent"), (INDIVIDUAL, "sent")]


def test_a_pair_is_sent_in_a_fixed_order(ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path) -> None:
    outcome = send(ledger, LocalFolderTransport(union), pair, tmp_path, baseline=MONDAY)
    assert (outcome.kind, outcome.message) == ("sent", "")
    assert names_in(union) == PAIR
    assert (union / PAIR[1]).read_bytes() == b"synthetic individual\n"
    assert states(ledger) == BOTH_SENT
    assert [(entry.interface, entry.records, entry.baseline) for entry in outcome.entries] == [
        (HOUSEHOLD, 1, MONDAY),
        (INDIVIDUAL, 1, MONDAY),
    ]
    way = ["sending", "uploaded", "renaming", "sent"]
    assert [event.action for event in ledger.events()] == ["written", "written", *way, *way]


def test_the_same_bytes_again_are_a_recorded_no_op(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    send(ledger, LocalFolderTransport(union), pair, tmp_path)
    for name in PAIR:
        (union / name).unlink()
    outcome = send(ledger, LocalFolderTransport(union), pair, tmp_path)
    assert outcome.kind == "already_sent"
    assert names_in(union) == []
    assert states(ledger) == BOTH_SENT
    assert [event.action for event in ledger.events()][-2:] == ["already_sent", "already_sent"]
    for entry in outcome.entries:
        moved(ledger, entry, "accepted")
    assert send(ledger, LocalFolderTransport(union), pair, tmp_path).kind == "already_sent"


def test_other_bytes_after_sending_need_a_correction(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    send(ledger, LocalFolderTransport(union), pair, tmp_path)
    other = [pair[0], outbound(tmp_path / "again", HOUSEHOLD, b"synthetic household, changed\n")]
    assert code_of(lambda: send(ledger, LocalFolderTransport(union), other, tmp_path)) == "KR-6111"
    assert (union / PAIR[0]).read_bytes() == b"synthetic household\n"
    assert states(ledger) == BOTH_SENT


def test_a_day_is_superseded_by_a_later_one(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    send(ledger, LocalFolderTransport(union), pair, tmp_path)
    monday = [
        outbound(tmp_path / "monday", interface, b"synthetic monday\n", f"monday_{interface}.csv")
        for interface in (HOUSEHOLD, INDIVIDUAL)
    ]
    outcome = send(ledger, LocalFolderTransport(union), monday, tmp_path, partition=MONDAY)
    assert outcome.kind == "superseded"
    assert outcome.message.startswith("KR-6113 処理日 2026-04-06 は、後の処理日 2026-04-07 が送信済み")
    assert names_in(union) == PAIR
    superseded = [(HOUSEHOLD, "superseded"), (INDIVIDUAL, "superseded")]
    assert states(ledger, MONDAY) == superseded
    assert send(ledger, LocalFolderTransport(union), monday, tmp_path, partition=MONDAY).kind == "superseded"
    assert states(ledger, MONDAY) == superseded


def test_a_sent_day_run_again_after_a_later_one_stays_sent(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = LocalFolderTransport(union)
    send(ledger, transport, pair, tmp_path, partition=MONDAY)
    tuesday = [
        outbound(tmp_path / "tuesday", interface, b"synthetic tuesday\n", f"tuesday_{interface}.csv")
        for interface in (HOUSEHOLD, INDIVIDUAL)
    ]
    send(ledger, transport, tuesday, tmp_path, baseline=MONDAY)
    changed = [outbound(tmp_path / "again", file.interface, b"changed\n", file.file_name) for file in pair]
    assert send(ledger, transport, changed, tmp_path, partition=MONDAY).kind == "superseded"
    assert states(ledger, MONDAY) == BOTH_SENT
    assert ledger.effective_baseline() == TUESDAY


def test_files_not_yet_uploaded_are_replaced_by_other_bytes(
    sqlite_url: str, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = LocalFolderTransport(union)
    with pytest.raises(Crash):
        # The second burn comes after the first upload.
        send(Ledger(sqlite_url, noon), FusedTransport(transport, Fuse.after("put_temporary")), pair, tmp_path)
    assert names_in(union) == [temporary_name(PAIR[0], pair[1].sha256)]
    ledger = Ledger(sqlite_url, noon)
    changed = [outbound(tmp_path / "again", HOUSEHOLD, b"synthetic household, changed\n"), pair[0]]
    assert send(ledger, transport, changed, tmp_path).kind == "sent"
    assert names_in(union) == PAIR
    assert (union / PAIR[0]).read_bytes() == b"synthetic household, changed\n"
    assert states(ledger) == [(HOUSEHOLD, "withdrawn"), (INDIVIDUAL, "sent"), (HOUSEHOLD, "sent")]
    assert ledger.effective_baseline() == TUESDAY
    assert ledger.verify_chain() == []


def test_once_half_of_a_pair_is_out_the_other_half_is_fixed(
    sqlite_url: str, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = LocalFolderTransport(union)
    with pytest.raises(Crash):
        # put, rename of the first file burn four times; the fifth is before the upload of the second.
        send(Ledger(sqlite_url, noon), FusedTransport(transport, Fuse.before("put_temporary", 2)), pair, tmp_path)
    ledger = Ledger(sqlite_url, noon)
    assert states(ledger) == [(HOUSEHOLD, "sent"), (INDIVIDUAL, "sending")]
    assert ledger.effective_baseline() is None
    changed = [pair[1], outbound(tmp_path / "again", INDIVIDUAL, b"synthetic individual, changed\n")]
    assert code_of(lambda: send(ledger, transport, changed, tmp_path)) == "KR-6111"
    assert send(ledger, transport, pair, tmp_path).kind == "sent"
    assert states(ledger) == BOTH_SENT
    assert ledger.effective_baseline() == TUESDAY


def test_a_rejected_file_is_not_sent_again_but_a_corrected_one_is(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = SweepingTransport(union)
    for entry in send(ledger, transport, pair, tmp_path).entries:
        moved(ledger, entry, "rejected")
    assert code_of(lambda: send(ledger, transport, pair, tmp_path)) == "KR-6112"
    corrected = [outbound(tmp_path / "again", file.interface, b"corrected\n", file.file_name) for file in pair]
    assert send(ledger, transport, corrected, tmp_path).kind == "sent"
    assert [name for name, _ in transport.swept] == PAIR * 2
    assert ledger.effective_baseline() == TUESDAY


def crash_everywhere(
    sqlite_url: str, transport: SweepingTransport | LocalFolderTransport, pair: list[OutboundFile], tmp_path: Path
) -> int:
    """Crash at every step in turn, each time for a fresh partition, and run again. Gives the number of steps."""
    for step in count(1):
        partition = date(2026, 1, 1).replace(month=1 + step // 28, day=1 + step % 28)
        files = [replace(file, file_name=f"{step}_{file.file_name}") for file in pair]
        fuse = Fuse.at_step(step)
        crashing = FusedLedger(sqlite_url, fuse)
        try:
            send(crashing, FusedTransport(transport, fuse), files, tmp_path, partition=partition)
            crashed = False
        except Crash:
            crashed = True
        crashing.close()
        ledger = Ledger(sqlite_url, noon)
        outcome = send(ledger, transport, files, tmp_path, partition=partition)
        assert outcome.kind in ("sent", "already_sent")
        assert states(ledger, partition) == BOTH_SENT
        assert ledger.effective_baseline() == partition
        assert ledger.verify_chain() == []
        ledger.close()
        if not crashed:
            return step - 1
    raise AssertionError


def test_after_a_crash_at_any_step_everything_is_sent_once(
    sqlite_url: str, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    steps = crash_everywhere(sqlite_url, LocalFolderTransport(union), pair, tmp_path)
    assert steps == 2 * 2 * (3 + 1 + 2)  # before and after, two files: three moves, a note, upload and rename
    assert names_in(union) == sorted(f"{step}_{name}" for step in range(1, steps + 2) for name in PAIR)


def test_after_a_crash_nothing_is_sent_twice_to_a_union_that_takes_files_at_once(
    sqlite_url: str, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = SweepingTransport(union)
    steps = crash_everywhere(sqlite_url, transport, pair, tmp_path)
    assert names_in(union) == []
    assert sorted(name for name, _ in transport.swept) == sorted(
        f"{step}_{name}" for step in range(1, steps + 2) for name in PAIR
    )
    assert {data for _, data in transport.swept} == {b"synthetic household\n", b"synthetic individual\n"}


def test_a_temporary_file_that_vanished_before_the_rename_is_not_sent_again_before_a_person_asked(
    sqlite_url: str, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = LocalFolderTransport(union)
    ledger = Ledger(sqlite_url, noon)
    with pytest.raises(Crash):
        fuse = Fuse.after("transition", 2)  # the move to uploaded is recorded
        crashing = FusedLedger(sqlite_url, fuse)
        send(crashing, transport, pair, tmp_path)
    assert states(ledger)[0] == (HOUSEHOLD, "uploaded")
    transport.remove(temporary_name(PAIR[0], pair[1].sha256))
    for _ in range(2):
        assert code_of(lambda: send(ledger, transport, pair, tmp_path)) == "KR-6222"
        assert names_in(union) == PAIR[1:], "the other file of the pair is on its way once"
    Outbox(ledger.recorder("試験"), file_store(tmp_path / "data")).confirm(1, "電話で確認", arrived=False)
    assert send(ledger, transport, pair, tmp_path).kind == "sent"
    assert names_in(union) == PAIR


def test_a_discarded_temporary_file_is_not_mistaken_for_a_renamed_one(
    sqlite_url: str, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    """Crash before the rename, then with other bytes crash after the temporary file was removed, then run again."""
    transport = LocalFolderTransport(union)
    with pytest.raises(Crash):
        send(Ledger(sqlite_url, noon), FusedTransport(transport, Fuse.before("rename")), pair, tmp_path)
    changed = [outbound(tmp_path / "again", HOUSEHOLD, b"synthetic household, changed\n"), pair[0]]
    with pytest.raises(Crash):
        send(Ledger(sqlite_url, noon), FusedTransport(transport, Fuse.after("remove")), changed, tmp_path)
    assert names_in(union) == []
    ledger = Ledger(sqlite_url, noon)
    assert send(ledger, transport, changed, tmp_path).kind == "sent"
    assert (union / PAIR[0]).read_bytes() == b"synthetic household, changed\n"


def test_a_file_that_is_already_there_with_the_same_content_is_found(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    (union / PAIR[0]).write_bytes(b"synthetic household\n")
    assert send(ledger, LocalFolderTransport(union), pair, tmp_path).kind == "sent"
    assert names_in(union) == PAIR
    details = [event.detail for event in ledger.events() if event.action == "uploaded"]
    assert [detail.get("found_at_destination", False) for detail in details] == [True, False]


def test_a_foreign_file_under_our_name_stops_the_sending(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    (union / PAIR[0]).write_bytes(b"theirs")
    assert code_of(lambda: send(ledger, LocalFolderTransport(union), pair, tmp_path)) == "KR-6116"
    assert names_in(union) == [PAIR[0]]
    assert (union / PAIR[0]).read_bytes() == b"theirs"
    assert ledger.effective_baseline() is None


def test_a_second_run_is_turned_away_at_once(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    with exclusive_lock(tmp_path / "data", "outbox"):
        assert code_of(lambda: send(ledger, LocalFolderTransport(union), pair, tmp_path)) == "KR-6114"
    assert ledger.entries() == []
    assert send(ledger, LocalFolderTransport(union), pair, tmp_path).kind == "sent"


def test_a_day_is_not_recalled_while_another_is_being_sent(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    def take_back() -> tuple[Entry, ...]:
        outbox = Outbox(ledger.recorder("o"), file_store(tmp_path / "data"))
        return outbox.recall(TUESDAY, (HOUSEHOLD, INDIVIDUAL), "打合せ済み")

    send(ledger, LocalFolderTransport(union), pair, tmp_path)
    with exclusive_lock(tmp_path / "data", "outbox"):
        assert code_of(take_back) == "KR-6114"
    assert {entry.state for entry in ledger.entries()} == {"sent"}
    assert {entry.state for entry in take_back()} == {"recalled"}


def test_a_file_that_changed_since_it_was_checked_is_not_sent(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    pair[0].path.write_bytes(b"synthetic INDIVIDUAL\n")
    assert code_of(lambda: send(ledger, LocalFolderTransport(union), pair, tmp_path)) == "KR-6115"
    assert (names_in(union), ledger.entries()) == ([], [])


class DroppingTransport(LocalFolderTransport):
    """A server whose connection drops after each upload and each rename, once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.dropped: set[str] = set()

    def drop(self, what: str) -> None:
        if what not in self.dropped:
            self.dropped.add(what)
            raise TransientTransportError("KR-6205", host="h", reason="dropped")

    def put_temporary(self, data: bytes, name: str, sha256: str) -> str:
        temporary = super().put_temporary(data, name, sha256)
        self.drop(f"put {name}")
        return temporary

    def rename(self, temporary: str, name: str) -> None:
        super().rename(temporary, name)
        self.drop(f"rename {name}")


def test_a_dropped_connection_is_resumed_by_the_retry(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    patient = Retry(attempts=5, pause=lambda seconds: None)
    assert send(ledger, DroppingTransport(union), pair, tmp_path, retry=patient).kind == "sent"
    assert names_in(union) == PAIR
    assert states(ledger) == BOTH_SENT


def test_too_few_attempts_are_a_failure_and_the_next_run_resumes(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path
) -> None:
    transport = DroppingTransport(union)
    impatient = Retry(attempts=2, pause=lambda seconds: None)
    with pytest.raises(TransientTransportError):
        send(ledger, transport, pair, tmp_path, retry=impatient)
    assert ledger.effective_baseline() is None
    assert send(ledger, transport, pair, tmp_path, retry=Retry(attempts=9, pause=lambda seconds: None)).kind == "sent"
    assert names_in(union) == PAIR


def test_through_a_real_server_with_a_crash_on_the_way(
    sqlite_url: str, openssh_server: OpenSshServer, pair: list[OutboundFile], tmp_path: Path
) -> None:
    settings = SftpSettings(
        host=openssh_server.host,
        port=openssh_server.port,
        user=openssh_server.user,
        private_key=openssh_server.private_key,
        host_key=openssh_server.host_key,
        to_union_folder=str(openssh_server.root / "to_union"),
        from_union_folder=str(openssh_server.root / "from_union"),
    )
    folder = openssh_server.root / "to_union"
    for fuse in (
        Fuse.after("put_temporary"),
        Fuse.after("rename"),
        Fuse.before("put_temporary", 2),
        Fuse.before("rename", 2),
    ):
        transport = SftpTransport(settings, settings.to_union_folder)
        with pytest.raises(Crash):
            send(Ledger(sqlite_url, noon), FusedTransport(transport, fuse), pair, tmp_path)
        transport.close()
        ledger = Ledger(sqlite_url, noon)
        transport = SftpTransport(settings, settings.to_union_folder)
        assert send(ledger, transport, pair, tmp_path).kind == "sent"
        transport.close()
        assert names_in(folder) == PAIR
        assert [(folder / name).read_bytes() for name in PAIR] == [b"synthetic household\n", b"synthetic individual\n"]
        assert ledger.verify_chain() == []
        ledger.close()
        for path in folder.iterdir():
            path.unlink()
        for path in (tmp_path / "data").glob("ledger.sqlite*"):
            path.unlink()


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"half")], ids=["lost", "damaged"]
)
def test_a_sealed_form_that_is_lost_or_damaged_is_sealed_again(
    ledger: Ledger, union: Path, pair: list[OutboundFile], tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    recipient = ring().current("transfer").certificate
    # The process ends when the first is sealed, before it is on the server.
    with pytest.raises(Crash):
        send(
            ledger,
            FusedTransport(LocalFolderTransport(union), Fuse.before("put_temporary")),
            pair,
            tmp_path,
            recipient=recipient,
        )
    assert states(ledger)[0] == (HOUSEHOLD, "sending")
    damage(sealed_path(pair[1]))
    assert send(ledger, LocalFolderTransport(union), pair, tmp_path, recipient=recipient).kind == "sent"
    assert names_in(union) == [f"{name}.p7m" for name in PAIR]
    for file in pair:
        arrived = (union / f"{file.file_name}.p7m").read_bytes()
        assert decrypt_and_verify(arrived, ring(), [recipient], recipient.not_valid_before_utc) == file_store(
            tmp_path / "data"
        ).read(file.path)
    assert states(ledger) == BOTH_SENT
    assert "resealed" in {event.action for entry in ledger.entries() for event in ledger.events(entry.id)}
