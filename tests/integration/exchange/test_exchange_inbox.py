"""Receiving files: one entry per delivery, archived before removal, resumed after a crash; quarantine."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from fixtures.defects import FOLDER
from interfaces.messages import RenkeiError
from pipelines.configuration.settings import SftpSettings
from pipelines.exchange import quarantine
from pipelines.exchange.archived import archived_content
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.left_behind import Folder
from pipelines.exchange.received_file import ReceivedFile, ValidationOutcome, Validator
from pipelines.exchange.transport import (
    LocalFolderTransport,
    PermanentTransportError,
    Retry,
    SftpTransport,
    TransientTransportError,
    Transport,
)
from pipelines.storage.locks import exclusive_lock
from tests.support.exchange import (
    WEDNESDAY,
    ChangingTransport,
    Crash,
    Fuse,
    FusedLedger,
    FusedTransport,
    UnreadableFileTransport,
    accept,
    names_in,
    noon,
    only,
    refuse,
)
from tests.support.rings import file_store
from tests.support.servers import OpenSshServer

LINES = b"synthetic 1\nsynthetic 2\n"
SETTLING = Folder("union", 60, lambda name: False)
IDS = FOLDER / "sound_municipal_ids" / "KRSID_999997_20260401_000001.csv"


@pytest.fixture
def union(tmp_path: Path) -> Path:
    folder = tmp_path / "from_union"
    folder.mkdir()
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def receive(
    ledger: Ledger, transport: Transport, data: Path, validator: Validator = accept, **more: Any
) -> list[ReceivedFile]:
    return Inbox(ledger.recorder("test-operator", "run-1"), file_store(data), validator).receive(transport, **more)


def code_of(action: Any) -> str:
    with pytest.raises(RenkeiError) as caught:
        action()
    return caught.value.code


def archived(ledger: Ledger, data: Path, entry_id: int) -> bytes:
    return archived_content(file_store(data), ledger.entry(entry_id))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


ARCHIVED = "archive/from_union/2026-04-08/179109f29e0b_a.csv.p7m"


def test_a_file_is_archived_judged_and_removed(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    seen: list[tuple[bytes, str]] = []

    def validator(content: bytes, name: str) -> ValidationOutcome:
        seen.append((content, name))
        assert (union / "a.csv").exists()
        return accept(content, name)

    received = only(receive(ledger, LocalFolderTransport(union), data, validator))
    assert (received.name, received.state, received.code, received.path) == ("a.csv", "verified", None, data / ARCHIVED)
    assert only(seen) == (LINES, "a.csv")
    entry = only(ledger.entries())
    assert entry == received.entry
    assert (entry.state, entry.interface, entry.partition, entry.records, entry.size) == (
        "verified",
        "acquisition_loss_linkage",
        WEDNESDAY,
        2,
        len(LINES),
    )
    assert names_in(union) == []
    assert archived(ledger, data, entry.id) == LINES
    assert stat.S_IMODE((data / ARCHIVED).stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "archive").stat().st_mode) == 0o700
    assert [name for name in files_below(data) if not name.startswith("ledger")] == [".inbox.lock", ARCHIVED]
    assert [event.action for event in ledger.events()] == [
        "detected",
        "claimed",
        "received",
        "verified",
        "removed_from_server",
    ]
    assert receive(ledger, LocalFolderTransport(union), data) == []


def test_the_same_content_again_is_a_duplicate_under_any_name(ledger: Ledger, union: Path, data: Path) -> None:
    for name in ("a.csv", "a.csv", "b.csv"):
        (union / name).write_bytes(LINES)
        received = only(receive(ledger, LocalFolderTransport(union), data))
    assert received.state == "duplicate"
    assert [(entry.file_name, entry.state) for entry in ledger.entries()] == [
        ("a.csv", "verified"),
        ("a.csv", "duplicate"),
        ("b.csv", "duplicate"),
    ]
    assert names_in(union) == []
    assert files_below(data / "archive") == ["from_union/2026-04-08/179109f29e0b_a.csv.p7m"]
    assert [e.detail["duplicate_of"] for e in ledger.events() if e.action == "duplicate"] == [1, 1]


def test_two_copies_in_one_go_are_applied_once(ledger: Ledger, union: Path, data: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (union / name).write_bytes(LINES)
    assert sorted(received.state for received in receive(ledger, LocalFolderTransport(union), data)) == [
        "duplicate",
        "verified",
    ]


def test_a_known_name_with_other_content_is_quarantined_whole(ledger: Ledger, union: Path, data: Path) -> None:
    shutil.copy(IDS, union)
    assert only(receive(ledger, LocalFolderTransport(union), data)).state == "verified"
    other = FOLDER / "same_name_with_other_content" / IDS.name
    shutil.copy(other, union)
    received = only(receive(ledger, LocalFolderTransport(union), data))
    assert (received.state, received.code) == ("quarantined", "KR-6301")
    assert "台帳の 1 番と同じ名前" in received.message
    assert files_below(data / "quarantine") == [f"2/{IDS.name}.p7m", "2/report.json"]
    assert archived(ledger, data, 1) == IDS.read_bytes(), "what was verified stays what it was"
    assert archived(ledger, data, 2) == other.read_bytes()
    assert received.entry is not None and received.entry.interface == "acquisition_loss_linkage"
    assert names_in(union) == []


def test_a_corrected_file_under_the_name_of_a_quarantined_one_is_verified(
    ledger: Ledger, union: Path, data: Path
) -> None:
    (union / "a.csv").write_bytes(LINES)
    receive(ledger, LocalFolderTransport(union), data, refuse)
    (union / "a.csv").write_bytes(LINES + b"synthetic 3\n")
    assert only(receive(ledger, LocalFolderTransport(union), data)).state == "verified"


def test_a_refused_file_is_quarantined_with_its_reports(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    received = only(receive(ledger, LocalFolderTransport(union), data, refuse))
    assert (received.state, received.code) == ("quarantined", "KR-6306")
    folder = data / "quarantine" / "1"
    assert names_in(folder) == ["a.csv.p7m", "report.json", "report.xlsx"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert file_store(data).read(folder / "a.csv.p7m") == LINES
    shown = quarantine.show(ledger, data, 1)
    assert shown.report == json.loads((folder / "report.json").read_text())
    assert shown.report["report"] == {"findings": [{"code": "KR-1004", "line": 3}]}
    assert [entry.id for entry in quarantine.quarantined(ledger)] == [1]
    (union / "again.csv").write_bytes(LINES)
    assert only(receive(ledger, LocalFolderTransport(union), data)).state == "duplicate"


def test_a_judge_that_crashes_does_not_stop_the_others(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    (union / "b.csv").write_bytes(LINES + b"synthetic 3\n")

    def validator(content: bytes, name: str) -> ValidationOutcome:
        if name == "a.csv":
            raise ValueError("氏名 合成太郎")
        return accept(content, name)

    first, second = receive(ledger, LocalFolderTransport(union), data, validator)
    assert (first.state, first.code, second.state) == ("quarantined", "KR-6304", "verified")
    written = (data / "quarantine" / "1" / "report.json").read_text() + first.message + str(ledger.events())
    assert "ValueError" in written
    assert "合成太郎" not in written


def test_a_report_that_cannot_be_drawn_does_not_lose_the_file(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)

    def draw(path: Path) -> None:
        raise OSError("disk")

    validator: Validator = lambda content, name: ValidationOutcome(False, write_workbook=draw)  # noqa: E731
    assert only(receive(ledger, LocalFolderTransport(union), data, validator)).state == "quarantined"
    assert quarantine.show(ledger, data, 1).report["workbook_failed"] == "OSError"


def test_what_is_no_file_is_reported_and_left_alone(ledger: Ledger, union: Path, data: Path) -> None:
    shutil.copytree(FOLDER / "a_directory_in_the_inbox", union, dirs_exist_ok=True)
    (union / "link.csv").symlink_to(union / "a.csv")
    (union / ".hidden.csv").write_bytes(b"1")
    (union / "new\nline.csv").write_bytes(b"2")
    Path(os.fsdecode(os.fsencode(union) + b"/" + "資格.csv".encode("cp932"))).write_bytes(b"3")
    (union / "a.csv").write_bytes(LINES)
    before = names_in(union)
    found = {
        received.name: (received.state, received.code)
        for received in receive(ledger, LocalFolderTransport(union), data)
    }
    assert found == {
        IDS.name: ("refused", "KR-6302"),
        "link.csv": ("refused", "KR-6302"),
        ".hidden.csv": ("refused", "KR-6207"),
        "new\\nline.csv": ("refused", "KR-6207"),
        "\\udc8e\\udc91\\udc8ai.csv": ("refused", "KR-6207"),
        "a.csv": ("verified", None),
    }
    assert names_in(union) == [name for name in before if name != "a.csv"]
    assert names_in(union / IDS.name) == [IDS.name], "nothing is fetched from a directory"
    assert len(ledger.entries()) == 1


def test_a_name_with_a_path_never_becomes_a_local_path(ledger: Ledger, union: Path, data: Path) -> None:
    from pipelines.exchange.transport import RemoteFile

    class Hostile(LocalFolderTransport):
        def list(self) -> list[RemoteFile]:
            return [RemoteFile(name, 1, 0.0, "file") for name in ("../../loot", "a\\b", "/etc/loot")]

    shutil.copy(IDS, union / f"..\\..\\{IDS.name}")
    before = files_below(union.parent)
    found = receive(ledger, LocalFolderTransport(union), data) + receive(ledger, Hostile(union), data)
    assert [received.code for received in found] == ["KR-6207"] * 4
    assert ledger.entries() == []
    assert [name for name in files_below(union.parent) if name not in before] == [
        "data/.inbox.lock",
    ]


def test_a_file_that_is_still_being_written_waits(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    received = only(receive(ledger, ChangingTransport(union), data))
    assert (received.state, received.code) == ("waiting", "KR-6303")
    assert names_in(union) == ["a.csv"]
    assert only(receive(ledger, LocalFolderTransport(union), data)).state == "verified"
    assert only(ledger.entries()).state == "verified"
    assert archived(ledger, data, 1) == LINES + b"more"


def test_a_file_younger_than_the_settling_time_is_left(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    written = noon().timestamp() - 59
    os.utime(union / "a.csv", (written, written))
    left = only(receive(ledger, LocalFolderTransport(union), data, folder=SETTLING))
    assert (left.state, left.code, left.is_left) == ("waiting", "KR-6331", True)
    assert ledger.entries() == []
    os.utime(union / "a.csv", (written - 1, written - 1))
    assert only(receive(ledger, LocalFolderTransport(union), data, folder=SETTLING)).state == "verified"


def test_a_file_that_vanishes_before_it_is_fetched_is_reported_once(sqlite_url: str, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    transport = LocalFolderTransport(union)
    with pytest.raises(Crash):
        receive(Ledger(sqlite_url, noon), FusedTransport(transport, Fuse.before("get")), data)
    (union / "a.csv").unlink()
    ledger = Ledger(sqlite_url, noon)
    received = only(receive(ledger, transport, data))
    assert (received.state, received.code) == ("vanished", "KR-6305")
    assert receive(ledger, transport, data) == []
    (union / "a.csv").write_bytes(LINES)
    assert only(receive(ledger, transport, data)).state == "verified"


def test_an_archived_file_is_judged_even_when_the_union_removed_it(sqlite_url: str, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    transport = LocalFolderTransport(union)

    def crash(content: bytes, name: str) -> ValidationOutcome:
        raise Crash

    with pytest.raises(Crash):
        receive(Ledger(sqlite_url, noon), transport, data, crash)
    (union / "a.csv").unlink()
    ledger = Ledger(sqlite_url, noon)
    assert only(ledger.entries()).state == "received"
    received = only(receive(ledger, transport, data))
    assert (received.state, received.path) == ("verified", data / ARCHIVED)
    assert only(ledger.entries()).state == "verified"


def test_a_file_replaced_while_it_was_judged_stays_for_the_next_time(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)

    def validator(content: bytes, name: str) -> ValidationOutcome:
        (union / "a.csv").write_bytes(LINES + b"synthetic 3\n")
        return accept(content, name)

    assert only(receive(ledger, LocalFolderTransport(union), data, validator)).state == "verified"
    assert names_in(union) == ["a.csv"]
    assert only(receive(ledger, LocalFolderTransport(union), data)).code == "KR-6301"


@pytest.mark.parametrize("validator", [accept, refuse])
def test_after_a_crash_at_any_step_a_file_is_received_once(
    sqlite_url: str, union: Path, data: Path, validator: Validator
) -> None:
    transport = LocalFolderTransport(union)
    end = "verified" if validator is accept else "quarantined"
    for step in count(1):
        name, content = f"{step}.csv", LINES + f"synthetic step {step}\n".encode()
        (union / name).write_bytes(content)
        fuse = Fuse.at_step(step)
        crashing = FusedLedger(sqlite_url, fuse)
        try:
            receive(crashing, FusedTransport(transport, fuse), data, validator)
            crashed = False
        except Crash:
            crashed = True
        crashing.close()
        ledger = Ledger(sqlite_url, noon)
        received = [entry for entry in ledger.entries(file_name=name) if entry.sha256 is not None]
        assert (union / name).exists() or archived(ledger, data, only(received).id) == content
        receive(ledger, transport, data, validator)
        entry = only(ledger.entries(file_name=name))
        assert entry.state == end
        assert archived(ledger, data, entry.id) == content
        assert names_in(union) == []
        assert ledger.verify_chain() == []
        ledger.close()
        if not crashed:
            break
    assert step == 1 + 2 * (3 + 1 + 2)  # before and after: three moves, a note, fetch and removal


def test_a_second_run_is_turned_away_at_once(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "a.csv").write_bytes(LINES)
    with exclusive_lock(data, "inbox"):
        assert code_of(lambda: receive(ledger, LocalFolderTransport(union), data)) == "KR-6114"
    assert ledger.entries() == []


def test_one_file_that_cannot_be_fetched_does_not_stop_the_others(ledger: Ledger, union: Path, data: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        (union / name).write_bytes(LINES + name.encode())
    patient = Retry(attempts=3, pause=lambda seconds: None)
    transport = UnreadableFileTransport(union, "b.csv", TransientTransportError("KR-6205", host="h", reason="r"))
    found = {received.name: received.code for received in receive(ledger, transport, data, retry=patient)}
    assert (found, transport.tries) == ({"a.csv": None, "b.csv": "KR-6205", "c.csv": None}, 3)
    assert names_in(union) == ["b.csv"]
    transport = UnreadableFileTransport(union, "b.csv", PermanentTransportError("KR-6203", name="b.csv"))
    assert only(receive(ledger, transport, data, retry=patient)).code == "KR-6203"
    assert transport.tries == 1
    assert only(receive(ledger, LocalFolderTransport(union), data)).state == "verified"
    assert len(ledger.entries()) == 3


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_an_empty_day(
    ledger: Ledger, union: Path, data: Path
) -> None:
    class Down(LocalFolderTransport):
        def list(self) -> Any:
            raise TransientTransportError("KR-6205", host="h", reason="r")

    with pytest.raises(TransientTransportError):
        receive(ledger, Down(union), data, retry=Retry(attempts=2, pause=lambda seconds: None))
    assert code_of(lambda: receive(ledger, LocalFolderTransport(union / "missing"), data)) == "KR-6204"


def test_a_name_with_what_seems_an_individual_number_reaches_no_ledger(ledger: Ledger, union: Path, data: Path) -> None:
    (union / "合成　太郎 123456789012.txt").write_bytes(LINES)
    arrived = only(receive(ledger, LocalFolderTransport(union), data, refuse))
    assert (arrived.state, arrived.code) == ("refused", "KR-6207")
    assert "123456789012" not in arrived.name + arrived.message
    assert ledger.entries() == []
    assert len(list(union.iterdir())) == 1


def quarantined_file(ledger: Ledger, union: Path, data: Path) -> int:
    (union / "a.csv").write_bytes(LINES)
    entry = only(receive(ledger, LocalFolderTransport(union), data, refuse)).entry
    assert entry is not None
    return int(entry.id)


def test_release_needs_a_name_and_a_reason_and_both_are_in_the_ledger(ledger: Ledger, union: Path, data: Path) -> None:
    entry_id = quarantined_file(ledger, union, data)
    for reason in ("", " 　"):
        assert (
            code_of(lambda r=reason: quarantine.release(ledger.recorder("o"), file_store(data), entry_id, r))
            == "KR-6312"
        )
    assert (
        code_of(lambda: quarantine.release(ledger.recorder(" "), file_store(data), entry_id, "確認済み")) == "KR-6104"
    )
    for last, code in (("8", "KR-6314"), ("2", "KR-7121")):
        for number in ("12345678901", "１２３４５６７８９０１", "1234-5678-901", "1234 5678 901"):
            reason = f"番号 {number}{last} の人"
            assert code_of(lambda r=reason: quarantine.reject(ledger.recorder("o"), entry_id, r)) == code, reason
    assert ledger.entry(entry_id).state == "quarantined"
    released = quarantine.release(ledger.recorder("test-clerk"), file_store(data), entry_id, " 連合会に電話で確認 ")
    assert released.state == "released"
    event = ledger.events(entry_id)[-1]
    assert (event.operator, event.detail) == ("test-clerk", {"reason": "連合会に電話で確認"})
    assert code_of(lambda: quarantine.release(ledger.recorder("o"), file_store(data), entry_id, "r")) == "KR-6311"
    assert code_of(lambda: quarantine.show(ledger, data, entry_id)) == "KR-6311"
    assert quarantine.quarantined(ledger) == []


def test_a_rejected_content_may_come_again(ledger: Ledger, union: Path, data: Path) -> None:
    entry_id = quarantined_file(ledger, union, data)
    assert quarantine.reject(ledger.recorder("test-clerk"), entry_id, "誤送").state == "rejected"
    (union / "a.csv").write_bytes(LINES)
    assert only(receive(ledger, LocalFolderTransport(union), data)).state == "verified"


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(b"other"), lambda path: path.unlink()])
def test_a_copy_that_changed_in_the_archive_is_not_released(ledger: Ledger, union: Path, data: Path, harm: Any) -> None:
    entry_id = quarantined_file(ledger, union, data)
    harm(data / ARCHIVED)
    assert (
        code_of(lambda: quarantine.release(ledger.recorder("o"), file_store(data), entry_id, "確認済み")) == "KR-6313"
    )
    assert ledger.entry(entry_id).state == "quarantined"


def test_the_day_of_the_archive_is_the_day_in_tokyo(sqlite_url: str, union: Path, data: Path) -> None:
    ledger = Ledger(sqlite_url, lambda: datetime(2026, 3, 31, 15, 30, tzinfo=UTC))
    (union / "a.csv").write_bytes(LINES)
    receive(ledger, LocalFolderTransport(union), data)
    assert (data / "archive" / "from_union" / date(2026, 4, 1).isoformat()).is_dir()
    assert ledger.events()[0].at == "2026-04-01T00:30:00+09:00"
    ledger.close()


def test_from_a_real_server(ledger: Ledger, openssh_server: OpenSshServer, data: Path) -> None:
    settings = SftpSettings(
        host=openssh_server.host,
        port=openssh_server.port,
        user=openssh_server.user,
        private_key=openssh_server.private_key,
        host_key=openssh_server.host_key,
        to_union_folder="/",
        from_union_folder=str(openssh_server.root / "from_union"),
    )
    folder = openssh_server.root / "from_union"
    (folder / "a.csv").write_bytes(LINES * 100_000)
    (folder / "資格取得喪失.csv").write_bytes(LINES)
    (folder / "old").mkdir()
    transport = SftpTransport(settings, settings.from_union_folder)
    with pytest.raises(Crash):
        receive(ledger, FusedTransport(transport, Fuse.before("remove")), data)
    transport.close()
    found = {received.name: received.state for received in receive(ledger, transport, data)}
    transport.close()
    assert found == {"a.csv": "verified", "資格取得喪失.csv": "verified", "old": "refused"}
    assert names_in(folder) == ["old"]
    assert {entry.state for entry in ledger.entries()} == {"verified"}
    assert len(ledger.entries()) == 2
    assert [len(archived(ledger, data, entry.id)) for entry in sorted(ledger.entries(), key=lambda e: e.file_name)] == [
        len(LINES) * 100_000,
        len(LINES),
    ]
