"""How a file arrives: claimed, fetched, archived, judged, and only then removed from the Union's server.

Every step is in the ledger before the next begins, so the next `collect` goes on where a crash left off. What
makes a file right is told by the caller's `judge`; what is done with a verified file is the business of
`linkage`. On our disk a file lies in the safe; its plain form exists in memory and in a draft folder only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError, message
from pipelines.exchange.files import copy_durably, private_folder, write_durably
from pipelines.exchange.ledger import Entry, Ledger
from pipelines.exchange.lock import drafts, exclusive
from pipelines.exchange.safe import Safe
from pipelines.exchange.seal import SUFFIX, plain_name, unsealed
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
# What is wrong with a file's seal, and not with our keys: the file is kept apart.
BROKEN_SEALS: Final = frozenset({"KR-6321", "KR-6322", "KR-6323"})
REMOVED: Final = "removed_from_server"
KINDS: Final = {"folder": "フォルダ", "link": "リンク", "other": "特殊なファイル"}
REPORT_NAME: Final = "report.json"
WORKBOOK_NAME: Final = "report.xlsx"


@dataclass(frozen=True)
class Judgement:
    """What the caller's `judge` found out about a file.

    `report`: findings as JSON values, masked. `write_workbook` writes report.xlsx to the path that it is given.
    `interface` and `partition` are None when the file could not be recognised. `releasable`: whether a person may have a
    file applied that is not accepted.
    """

    accepted: bool
    interface: str | None = None
    partition: date | None = None
    records: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    write_workbook: Callable[[Path], None] | None = None
    releasable: bool = True


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
    safe: Safe
    scratch: Path
    judge: Judge
    operator: str
    run_id: str | None
    settle_seconds: float
    partners: Sequence[x509.Certificate]
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
        path = self.safe.data_folder / archive if archive else None
        return Arrival(entry.file_name, state or entry.state, entry, path, code, text)


def archived_copy(ledger: Ledger, safe: Safe, entry_id: int) -> Path:
    """The archived copy of a received entry, proved against the ledger; KR-6313 when it is gone or changed."""
    archive = _archive(ledger, entry_id)
    if archive is not None:
        path = safe.data_folder / archive
        if safe.holds(path, str(ledger.entry(entry_id).sha256)):
            return path
    raise RenkeiError("KR-6313", entry_id=entry_id)


def quarantine_folder(data_folder: Path, entry_id: int) -> Path:
    """Where the copy and the reports of a quarantined entry lie."""
    return data_folder / "quarantine" / str(entry_id)


def collect(
    ledger: Ledger,
    transport: Transport,
    safe: Safe,
    judge: Judge,
    operator: str,
    run_id: str | None,
    *,
    settle_seconds: float = 0.0,
    partners: Sequence[x509.Certificate] = (),
    retry: Retry = ONCE,
) -> list[Arrival]:
    """Take in every file of the Union's folder; a bad file never stops the others. Gives one Arrival per name, sorted.

    `judge(plain copy, name without .p7m)` recognises and validates. With `partners` (the
    Union's certificates) a file must be sealed for us and signed by one of them, else it is kept apart (KR-6321 to
    KR-6323, KR-6325). Verified files wait in the ledger for `linkage`.
    Files younger than `settle_seconds` are left for the next time, without an Arrival.
    Errors: KR-6114 another run holds the folder; a transport error when the folder itself cannot be listed.
    """
    with exclusive(safe.data_folder, "inbox"), drafts(safe.data_folder) as scratch:
        work = _Receiving(ledger, transport, safe, scratch, judge, operator, run_id, settle_seconds, partners)
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
        if last.state in FETCHING_STATES or (
            not removed and work.transport.read_sha256(file.name) == _fetched_hash(work, last)
        ):
            return last
    return work.ledger.enter_inbound(file_name=file.name, operator=work.operator, run_id=work.run_id)


def _fetched_hash(work: _Receiving, entry: Entry) -> str | None:
    """The SHA-256 that the delivery had on the server: of the sealed form, when it came sealed."""
    return _received_facts(work.ledger, entry.id).get("sealed_sha256", entry.sha256)


def _fetched(work: _Receiving, entry: Entry, file: RemoteFile) -> Path | None:
    """The file in a draft folder; None when it changed on the server meanwhile, so that it is still being written."""
    local = private_folder(work.scratch / str(entry.id)) / file.name
    work.transport.get(file.name, local)
    if work.transport.stat(file.name) == file and local.stat().st_size == file.size:
        return local
    local.unlink()
    return None


def _archived(work: _Receiving, entry: Entry, fetched: Path) -> Entry:
    """Put what was fetched into the archive, `received`; the same content again is not kept, `duplicate`."""
    data, facts = _content(work, entry, fetched.read_bytes())
    fetched.unlink()
    sha256, size = hashlib.sha256(data).hexdigest(), len(data)
    delivered = work.ledger.entries(direction="inbound", sha256=sha256, states=KNOWN_STATES)
    # What came without a sound seal is nobody's word: the same content under a sound one is not its duplicate.
    known = [one for one in delivered if "seal" not in _received_facts(work.ledger, one.id)]
    if known:
        with work.ledger.transaction() as connection:
            received = work.advance(entry, "received", connection, sha256=sha256, size=size, **facts)
            return work.advance(received, "duplicate", connection, duplicate_of=known[0].id)
    day = work.ledger.now().date().isoformat()
    archive = Path("archive", "from_union", day, f"{sha256[:12]}_{plain_name(entry.file_name)}{SUFFIX}")
    work.safe.keep(work.safe.data_folder / archive, data)
    return work.advance(entry, "received", sha256=sha256, size=size, archive=archive.as_posix(), **facts)


def _content(work: _Receiving, entry: Entry, data: bytes) -> tuple[bytes, dict[str, Any]]:
    """What a delivery holds, and what the ledger should know of its seal. One that cannot be opened stays as it came."""
    if not work.partners:
        return data, {}
    if not entry.file_name.endswith(SUFFIX):
        return data, {"seal": "KR-6325"}
    facts = {"sealed_sha256": hashlib.sha256(data).hexdigest()}
    try:
        return unsealed(data, work.safe.ring, work.partners, work.ledger.now()), facts
    except RenkeiError as error:
        if error.code not in BROKEN_SEALS:
            raise
        return data, facts | {"seal": error.code}


def _archive(ledger: Ledger, entry_id: int) -> str | None:
    """Where the archive holds an entry, from the data folder; None before it is received, and for a duplicate."""
    return _received_facts(ledger, entry_id).get("archive")


def _received_facts(ledger: Ledger, entry_id: int) -> dict[str, Any]:
    """What the ledger knows of a reception: archive, and sealed_sha256 and seal (what is wrong with it) where it has them."""
    return next((event.detail for event in ledger.events(entry_id) if event.action == "received"), {})


def _judged(work: _Receiving, entry: Entry) -> Arrival:
    """A received entry to `verified` or `quarantined`."""
    archive = archived_copy(work.ledger, work.safe, entry.id)
    with work.safe.readable(archive) as path:
        return _judged_copy(work, entry, archive, path)


def _judged_copy(work: _Receiving, entry: Entry, archive: Path, path: Path) -> Arrival:
    namesakes = work.ledger.entries(direction="inbound", file_name=entry.file_name, states=NAMED_STATES)
    code, text = None, ""
    received = _received_facts(work.ledger, entry.id)
    try:
        if "seal" in received:
            judgement, code = Judgement(accepted=False), str(received["seal"])
            text = _text(code, entry.file_name)
        else:
            judgement = work.judge(path, plain_name(entry.file_name))
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
    _keep_apart(work.safe.data_folder, entry, archive, judgement, code, text)
    quarantined = work.advance(entry, "quarantined", code=code, releasable=judgement.releasable, **facts)
    return Arrival(entry.file_name, "quarantined", quarantined, archive, code, f"{code} {text}")


def _text(code: str, name: str, **values: object) -> str:
    return message(code).render(name=name, **values)


def _keep_apart(data_folder: Path, entry: Entry, archive: Path, judgement: Judgement, code: str, text: str) -> None:
    """The quarantined copy, still closed, with its reports. Written before the ledger says so, and written anew after a crash."""
    folder = private_folder(quarantine_folder(data_folder, entry.id))
    copy_durably(archive, folder / (plain_name(entry.file_name) + SUFFIX))
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
