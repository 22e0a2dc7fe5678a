"""How a file arrives: claimed, fetched, archived, judged, and only then removed from the Union's server.

Every step is in the ledger before the next begins, so the next `collect` goes on where a crash left off. What
makes a file right is told by the caller's `judge`; what is done with a verified file is the business of
`linkage`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError, message
from pipelines.exchange.files import copy_durably, move_durably, private_folder, sha256_of, write_durably
from pipelines.exchange.ledger import Entry, Ledger
from pipelines.exchange.lock import exclusive
from pipelines.exchange.transport import (
    PermanentTransportError,
    RemoteFile,
    Retry,
    TransientTransportError,
    Transport,
    check_name,
    shown_name,
)

ONCE: Final = Retry()
# States in which a content is known: the same bytes again are a duplicate. A rejected content may come again.
KNOWN_STATES: Final = frozenset({"received", "verified", "applied", "quarantined", "released", "stale"})
# States in which a name is taken: other bytes under it must be looked at by a person.
NAMED_STATES: Final = frozenset({"verified", "applied", "released", "stale"})
FETCHING_STATES: Final = frozenset({"detected", "claimed"})
REMOVED: Final = "removed_from_server"
KINDS: Final = {"folder": "フォルダ", "link": "リンク", "other": "特殊なファイル"}
REPORT_NAME: Final = "report.json"
WORKBOOK_NAME: Final = "report.xlsx"


@dataclass(frozen=True)
class Judgement:
    """What the caller's `judge` found out about a file.

    `report`: findings as JSON values, masked. `write_workbook` writes report.xlsx to the path that it is given.
    `interface` and `partition` are None when the file could not be recognised.
    """

    accepted: bool
    interface: str | None = None
    partition: date | None = None
    records: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    write_workbook: Callable[[Path], None] | None = None


Judge = Callable[[Path, str], Judgement]


@dataclass(frozen=True)
class Arrival:
    """What became of one name in the Union's folder.

    `state`: the entry's state (verified, quarantined, duplicate, vanished), `waiting` (still being written), or
    `refused` (left alone: a bad name, not a file, or a failing transfer). `path`: the archived copy. `code` and
    `message`: what a person should know.
    """

    name: str
    state: str
    entry: Entry | None = None
    path: Path | None = None
    code: str | None = None
    message: str = ""


@dataclass(frozen=True)
class _Receiving:
    """One call of `collect`, with what became of each name so far."""

    ledger: Ledger
    transport: Transport
    data_folder: Path
    judge: Judge
    operator: str
    run_id: str | None
    settle_seconds: float
    arrivals: dict[str, Arrival] = field(default_factory=dict)
    failures: dict[str, Arrival] = field(default_factory=dict)

    def advance(self, entry: Entry, to_state: str, connection: Connection | None = None, **detail: Any) -> Entry:
        return self.ledger.advance(
            entry.id,
            to_state,
            operator=self.operator,
            run_id=self.run_id,
            expected=entry.state,
            connection=connection,
            **detail,
        )

    def arrival(self, entry: Entry, code: str | None = None, *, state: str | None = None, **values: object) -> Arrival:
        text = f"{code} {message(code).render(name=entry.file_name, **values)}" if code else ""
        archive = _archive(self.ledger, entry.id)
        path = self.data_folder / archive if archive else None
        return Arrival(entry.file_name, state or entry.state, entry, path, code, text)


def archived_copy(ledger: Ledger, data_folder: Path, entry_id: int) -> Path:
    """The archived copy of a received entry, proved against the ledger; KR-6313 when it is gone or changed."""
    archive = _archive(ledger, entry_id)
    if archive is not None:
        path = data_folder / archive
        if path.is_file() and sha256_of(path) == ledger.entry(entry_id).sha256:
            return path
    raise RenkeiError("KR-6313", entry_id=entry_id)


def quarantine_folder(data_folder: Path, entry_id: int) -> Path:
    """Where the copy and the reports of a quarantined entry lie."""
    return data_folder / "quarantine" / str(entry_id)


def collect(
    ledger: Ledger,
    transport: Transport,
    data_folder: Path,
    judge: Judge,
    operator: str,
    run_id: str | None,
    *,
    settle_seconds: float = 0.0,
    retry: Retry = ONCE,
) -> list[Arrival]:
    """Take in every file of the Union's folder; a bad file never stops the others. Gives one Arrival per name, sorted.

    `judge(archived copy, original name)` recognises and validates. Verified files wait in the ledger for `linkage`.
    Files younger than `settle_seconds` are left for the next time, without an Arrival.
    Errors: KR-6114 another run holds the folder; a transport error when the folder itself cannot be listed.
    """
    work = _Receiving(ledger, transport, data_folder, judge, operator, run_id, settle_seconds)
    with exclusive(data_folder, "inbox"):
        resumed = {entry.file_name: _resumed(work, entry) for entry in ledger.entries(states={"received"})}
        try:
            retry.run(lambda: _pass(work))
        except TransientTransportError:
            if not work.failures:
                raise
    found = {**resumed, **work.failures, **work.arrivals}
    return [found[name] for name in sorted(found)]


def _resumed(work: _Receiving, entry: Entry) -> Arrival:
    """A file that an earlier run archived but did not judge."""
    try:
        return _judged(work, entry)
    except RenkeiError as error:
        return _refusal(entry.file_name, error)


def _pass(work: _Receiving) -> None:
    """Go once through the names that are not done. A transient failure is raised when the others are through."""
    work.failures.clear()
    listed = {file.name: file for file in work.transport.list()}
    for entry in work.ledger.entries(direction="inbound", states=FETCHING_STATES):
        if entry.file_name not in listed:
            work.arrivals[entry.file_name] = work.arrival(work.advance(entry, "vanished"), "KR-6305")
    failure: TransientTransportError | None = None
    for name in sorted(listed.keys() - work.arrivals.keys()):
        try:
            arrival = _received(work, listed[name])
            if arrival is not None:
                work.arrivals[name] = arrival
        except TransientTransportError as error:
            failure = error
            work.failures[name] = _refusal(name, error)
        except RenkeiError as error:
            work.arrivals[name] = _refusal(name, error)
    if failure is not None:
        raise failure


def _refusal(name: str, error: RenkeiError) -> Arrival:
    return Arrival(shown_name(name), "refused", code=error.code, message=str(error))


def _received(work: _Receiving, file: RemoteFile) -> Arrival | None:
    """One name of the folder, from wherever it stands to the end of its way; None when it is too young."""
    check_name(file.name)
    if file.kind != "file":
        raise PermanentTransportError("KR-6302", name=file.name, kind=KINDS[file.kind])
    if work.settle_seconds and work.ledger.now().timestamp() - file.modified < work.settle_seconds:
        return None
    entry = _delivery(work, file)
    if entry.state == "detected":
        entry = work.advance(entry, "claimed", size_on_server=file.size)
    if entry.state == "claimed":
        fetched = _fetched(work, entry, file)
        if fetched is None:
            return work.arrival(entry, "KR-6303", state="waiting")
        entry = _archived(work, entry, fetched)
    arrival = _judged(work, entry) if entry.state == "received" else work.arrival(entry)
    # The archive holds it now. Whoever replaced the file meanwhile has it judged the next time.
    if work.transport.stat(file.name) == file:
        work.transport.remove(file.name)
        work.ledger.note(REMOVED, entry_id=entry.id, operator=work.operator, run_id=work.run_id)
    return arrival


def _delivery(work: _Receiving, file: RemoteFile) -> Entry:
    """The entry that this file on the server belongs to: one that an earlier run left unfinished, or a new one."""
    earlier = work.ledger.entries(direction="inbound", file_name=file.name)
    if earlier:
        last = earlier[-1]
        removed = last.state == "vanished" or any(event.action == REMOVED for event in work.ledger.events(last.id))
        if last.state in FETCHING_STATES or (not removed and work.transport.read_sha256(file.name) == last.sha256):
            return last
    return work.ledger.enter_inbound(file_name=file.name, operator=work.operator, run_id=work.run_id)


def _fetched(work: _Receiving, entry: Entry, file: RemoteFile) -> Path | None:
    """The file in work/<entry id>/; None when it changed on the server meanwhile, so that it is still being written."""
    local = private_folder(work.data_folder / "work" / str(entry.id)) / file.name
    work.transport.get(file.name, local)
    if work.transport.stat(file.name) == file and local.stat().st_size == file.size:
        return local
    local.unlink()
    return None


def _archived(work: _Receiving, entry: Entry, fetched: Path) -> Entry:
    """Move the fetched file into the archive, `received`; the same content again is not kept, `duplicate`."""
    sha256, size = sha256_of(fetched), fetched.stat().st_size
    known = work.ledger.entries(direction="inbound", sha256=sha256, states=KNOWN_STATES)
    if known:
        with work.ledger.transaction() as connection:
            received = work.advance(entry, "received", connection, sha256=sha256, size=size)
            entry = work.advance(received, "duplicate", connection, duplicate_of=known[0].id)
        fetched.unlink()
    else:
        day = work.ledger.now().date().isoformat()
        archive = Path("archive", "from_union", day, f"{sha256[:12]}_{entry.file_name}")
        move_durably(fetched, work.data_folder / archive)
        entry = work.advance(entry, "received", sha256=sha256, size=size, archive=archive.as_posix())
    fetched.parent.rmdir()
    return entry


def _archive(ledger: Ledger, entry_id: int) -> str | None:
    """Where the archive holds an entry, from the data folder; None before it is received, and for a duplicate."""
    return next((e.detail.get("archive") for e in ledger.events(entry_id) if e.action == "received"), None)


def _judged(work: _Receiving, entry: Entry) -> Arrival:
    """A received entry to `verified` or `quarantined`."""
    path = archived_copy(work.ledger, work.data_folder, entry.id)
    namesakes = work.ledger.entries(direction="inbound", file_name=entry.file_name, states=NAMED_STATES)
    code, text = None, ""
    try:
        judgement = work.judge(path, entry.file_name)
    except Exception as error:  # whatever the checks stumble over, the file is kept and the others go on
        judgement = Judgement(accepted=False)
        code, text = "KR-6304", _text("KR-6304", entry.file_name, reason=type(error).__name__)
    if namesakes:
        code, text = "KR-6301", _text("KR-6301", entry.file_name, entry_id=namesakes[-1].id)
    elif code is None and not judgement.accepted:
        code, text = "KR-6306", _text("KR-6306", entry.file_name)
    facts: dict[str, Any] = {
        "interface": judgement.interface,
        "partition": judgement.partition,
        "records": judgement.records,
    }
    if code is None:
        return work.arrival(work.advance(entry, "verified", **facts))
    _keep_apart(work.data_folder, entry, path, judgement, code, text)
    quarantined = work.advance(entry, "quarantined", code=code, **facts)
    return Arrival(entry.file_name, "quarantined", quarantined, path, code, f"{code} {text}")


def _text(code: str, name: str, **values: object) -> str:
    return message(code).render(name=name, **values)


def _keep_apart(data_folder: Path, entry: Entry, path: Path, judgement: Judgement, code: str, text: str) -> None:
    """The quarantined copy with its reports. Written before the ledger says so, and written anew after a crash."""
    folder = private_folder(quarantine_folder(data_folder, entry.id))
    copy_durably(path, folder / entry.file_name)
    report = {
        "entry": entry.id,
        "file_name": entry.file_name,
        "code": code,
        "message": text,
        "report": judgement.report,
    }
    if judgement.write_workbook is not None:
        workbook = folder / WORKBOOK_NAME
        try:
            judgement.write_workbook(workbook)
            workbook.chmod(0o600)
        except Exception as error:  # the file itself must be kept apart even when its report cannot be drawn
            report["workbook_failed"] = type(error).__name__
    data = json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True, default=str)
    write_durably(folder / REPORT_NAME, data.encode())
