"""How a file arrives: claimed, fetched, archived, judged, and only then removed from the Union's server.

Every step is in the ledger before the next begins, so the next `collect` goes on where a crash left off. What
makes a file right is told by the caller's `judge`; what is done with a verified file is the business of
`linkage`. On our disk a file lies in the safe; its plain form exists in this process's memory only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from interfaces.messages import RenkeiError, message
from interfaces.private import OWNER_FILE, private_folder
from pipelines.exchange.error_redaction import is_disk_fault
from pipelines.exchange.fetching import (
    NOT_THERE,
    Copies,
    Copy,
    Found,
    found_after_fetching,
    found_again,
    quarantine_folder,
)
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import (
    FETCHING_STATES,
    KNOWN_STATES,
    NAMED_STATES,
    Direction,
    EntryState,
    LedgerEvent,
)
from pipelines.exchange.left_behind import UNION, Folder, not_yet, remember
from pipelines.exchange.transport import (
    RemoteFile,
    Retry,
    Source,
    TransientTransportError,
    TransportError,
)
from pipelines.storage.archive import Safe
from pipelines.storage.cms import SUFFIX, plain_name, unsealed
from pipelines.storage.files import copy_durably, write_durably
from pipelines.storage.locks import exclusive

ONCE: Final = Retry()
# A folder of which nothing is told: files count as finished, no name as a specification's.
ANY_NAMES: Final = Folder(UNION, 0.0, lambda name: False)
# What is wrong with a file's seal, and not with our keys: the file is kept apart.
BROKEN_SEALS: Final = frozenset({"KR-6321", "KR-6322", "KR-6323"})
NOT_REMOVED: Final = "KR-6335"
SETTLING: Final = frozenset({"KR-6331", "KR-6332", "KR-6333"})
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


Judge = Callable[[bytes, str], Judgement]


@dataclass(frozen=True)
class Arrival:
    """What became of one name in the Union's folder.

    `state`: the entry's state (verified, quarantined, duplicate, vanished), `waiting` (may still be being written), or
    `refused` (left alone: a bad name, not a file, or a failing transfer). `path`: the archived copy. `code` and
    `message`: what a person should know. `is_left`: whether it still lies in the folder.
    """

    name: str
    state: str
    entry: Entry | None = None
    path: Path | None = None
    code: str | None = None
    message: str = ""
    is_left: bool = False


@dataclass(frozen=True)
class _Receiving:
    """One call of `collect`, with what became of each name so far."""

    recorder: Recorder
    ledger: Ledger
    source: Source
    safe: Safe
    judge: Judge
    partners: Sequence[x509.Certificate]
    folder: Folder
    listed: dict[str, RemoteFile] = field(default_factory=dict)
    arrivals: dict[str, Arrival] = field(default_factory=dict)
    failures: dict[str, Arrival] = field(default_factory=dict)

    def advance(self, entry: Entry, to_state: EntryState, **detail: Any) -> Entry:
        return self.recorder.advance(entry, to_state, expected=entry.state, **detail)

    @property
    def copies(self) -> Copies:
        return Copies(self.recorder, self.safe)

    def note(self, action: LedgerEvent, entry: Entry) -> None:
        self.recorder.note(action, entry_id=entry.id)

    def arrival(self, entry: Entry, code: str | None = None, *, state: str | None = None, **values: object) -> Arrival:
        text = f"{code} {message(code).render(name=entry.file_name, **values)}" if code else ""
        archive = _archive(self.ledger, entry.id)
        path = self.safe.data_folder / archive if archive else None
        return Arrival(entry.file_name, state or entry.state, entry, path, code, text)


def archived_content(ledger: Reader, safe: Safe, entry_id: int) -> bytes:
    """What the archive holds of a received entry, proved against the ledger; KR-6313 when it is gone or changed."""
    archive = _archive(ledger, entry_id)
    content = safe.read(safe.data_folder / archive, str(ledger.entry(entry_id).sha256)) if archive else None
    if content is None:
        raise RenkeiError("KR-6313", entry_id=entry_id)
    return content


def collect(
    ledger: Ledger,
    source: Source,
    safe: Safe,
    judge: Judge,
    operator: str,
    run_id: str | None,
    *,
    folder: Folder = ANY_NAMES,
    partners: Sequence[x509.Certificate] = (),
    retry: Retry = ONCE,
) -> list[Arrival]:
    """Take in every file of a folder; a bad file never stops the others. Gives one Arrival per name, sorted.

    `judge(content, name without .p7m)` recognises and validates. With `partners` (the
    Union's certificates) a file must be sealed for us and signed by one of them, else it is kept apart (KR-6321 to
    KR-6323, KR-6325). Verified files wait in the ledger for `linkage`.
    What is not finished by the rule of `folder` (see `left_behind`) stays for the next time, `waiting` with the reason.
    Errors: KR-6114 another run holds the folder; a transport error when the folder itself cannot be listed.
    """
    with exclusive(safe.data_folder, "inbox"):
        work = _Receiving(ledger.recorder(operator, run_id), ledger, source, safe, judge, partners, folder)
        resumed = {entry.file_name: _resumed(work, entry) for entry in ledger.entries(states={EntryState.RECEIVED})}
        try:
            retry.run(lambda: _pass(work))
        except TransientTransportError:
            if not work.failures:
                raise
        done = {**work.failures, **work.arrivals}
        left = {folder.shown(name): str(one.code) for name, one in done.items() if one.is_left}
        remember(ledger, folder, work.listed.values(), left)
    found = {**resumed, **done}
    return [found[name] for name in sorted(found)]


def _resumed(work: _Receiving, entry: Entry) -> Arrival:
    """A file that an earlier run archived but did not judge."""
    try:
        return _judged(work, entry)
    except RenkeiError as error:
        return _refusal(work, entry.file_name, error)


def _pass(work: _Receiving) -> None:
    """Go once through the names that are not done. A transient failure is raised when the others are through."""
    work.failures.clear()
    work.listed.clear()
    work.listed.update({file.name: file for file in work.source.list()})
    for entry in work.ledger.entries(direction=Direction.INBOUND, states=FETCHING_STATES):
        if entry.file_name not in work.listed and _place(work, entry) == work.folder.place:
            work.arrivals[entry.file_name] = _after_it_went(work, entry)
    reasons = not_yet(work.ledger, work.folder, work.listed.values())
    failure: TransientTransportError | None = None
    for name in sorted(work.listed.keys() - work.arrivals.keys()):
        try:
            work.arrivals[name] = _refusal(work, name, reasons[name]) if name in reasons else _received(work, name)
        except TransientTransportError as error:
            failure = error
            work.failures.setdefault(name, _refusal(work, name, error))
        except RenkeiError as error:
            work.arrivals[name] = _refusal(work, name, error)
        except Exception as error:  # whatever a library raises, the others go on
            if is_disk_fault(error):
                raise
            crashed = RenkeiError("KR-6336", name=name, reason=type(error).__name__)
            work.arrivals[name] = _refusal(work, name, crashed)
    if failure is not None:
        raise failure


def _place(work: _Receiving, entry: Entry) -> str:
    """The folder in which an entry was detected."""
    return str(work.ledger.events(entry.id)[0].detail.get("place", UNION))


def _refusal(work: _Receiving, name: str, error: RenkeiError) -> Arrival:
    state = "waiting" if error.code in SETTLING else "refused"
    return Arrival(work.folder.shown(name), state, code=error.code, message=str(error), is_left=True)


def _received(work: _Receiving, name: str) -> Arrival:
    """One name of the folder, from wherever it stands to the end of its way."""
    file = work.listed[name]
    fetched = _fetched(work, file)
    return (
        fetched if isinstance(fetched, Arrival) else _cleared(work, file, _judged(work, fetched.entry), fetched.sha256)
    )


@dataclass(frozen=True)
class _Archived:
    """A delivery that the archive holds, and the SHA-256 that it had on the server."""

    entry: Entry
    sha256: str


def _fetched(work: _Receiving, file: RemoteFile) -> _Archived | Arrival:
    """One file of the folder, fetched and in the archive; or what became of it instead. Its bytes are let go of here."""
    last = _last(work, file.name)
    is_there_still = last is not None and last.state not in FETCHING_STATES and not _was_removed(work, last)
    entry = None if is_there_still else _claimed(work, file, last)
    try:
        copy = Copy(work.source.get(file.name), file.size)
    except TransportError as error:
        return _not_fetched(work, file, entry or last, error)
    if last is not None and is_there_still and copy.sha256 == _fetched_hash(work, last):
        return _Archived(last, copy.sha256)
    return _kept_or_taken(work, entry or _claimed(work, file, None), file, copy)


def _last(work: _Receiving, name: str) -> Entry | None:
    """The newest delivery under this name in this folder."""
    earlier = [
        one
        for one in work.ledger.entries(direction=Direction.INBOUND, file_name=name)
        if _place(work, one) == work.folder.place
    ]
    return earlier[-1] if earlier else None


def _was_removed(work: _Receiving, entry: Entry) -> bool:
    actions = {event.action for event in work.ledger.events(entry.id)}
    return entry.state == EntryState.VANISHED or bool(
        actions & {LedgerEvent.REMOVED_FROM_SERVER, LedgerEvent.GONE_FROM_SERVER}
    )


def _claimed(work: _Receiving, file: RemoteFile, last: Entry | None) -> Entry:
    """The entry that a fetch belongs to, claimed: one that an earlier run left unfinished, or a new one."""
    entry = last if last is not None and last.state in FETCHING_STATES else None
    if entry is None:
        place: dict[str, Any] = {} if work.folder.place == UNION else {"place": work.folder.place}
        entry = work.recorder.enter_inbound(file.name, **place)
    if entry.state != EntryState.DETECTED:
        return entry
    return work.advance(entry, EntryState.CLAIMED, size_on_server=file.size)


def _fetched_hash(work: _Receiving, entry: Entry) -> str | None:
    """The SHA-256 that the delivery had on the server: of the sealed form, when it came sealed."""
    return _received_facts(work.ledger, entry.id).get("sealed_sha256", entry.sha256)


def _not_fetched(work: _Receiving, file: RemoteFile, entry: Entry | None, error: TransportError) -> Arrival:
    """A fetch that failed: what came of it is kept, for the server may not give it again."""
    is_fetching = entry is not None and entry.state in FETCHING_STATES
    if error.received:
        entry = entry if entry is not None and is_fetching else _claimed(work, file, None)
        work.copies.keep(entry, Copy(error.received, file.size))
    elif entry is not None and not is_fetching and error.code == NOT_THERE:
        work.note(LedgerEvent.GONE_FROM_SERVER, entry)
        return work.arrival(entry)
    if entry is not None and error.code == NOT_THERE:
        return _after_it_went(work, entry)
    raise error


def _after_it_went(work: _Receiving, entry: Entry) -> Arrival:
    """A name that is not there any more before its fetch was confirmed: what was kept of it is judged, or kept apart."""
    archived = _newest_taken(work, entry)
    return (
        work.arrival(work.advance(entry, EntryState.VANISHED), "KR-6305")
        if archived is None
        else _judged(work, archived)
    )


def _newest_taken(work: _Receiving, entry: Entry) -> Entry | None:
    """The copy kept last, in the archive; None when there is none."""
    copy = work.copies.newest(entry)
    return None if copy is None else _taken(work, entry, copy, **({} if copy.is_whole else {"incomplete": True}))


def _kept_or_taken(work: _Receiving, entry: Entry, file: RemoteFile, copy: Copy) -> _Archived | Arrival:
    """What was fetched, of the listed length and unchanged, is taken; anything else is kept, until it is fetched alike again."""
    found = found_after_fetching(work.source, file, copy.sha256)
    if (copy.is_whole and found is not Found.changed) or work.copies.keep(entry, copy):
        return _Archived(_taken(work, entry, copy), copy.sha256)
    if found is Found.gone:
        return _after_it_went(work, entry)
    return replace(work.arrival(entry, "KR-6303", state="waiting"), is_left=True)


def _cleared(work: _Receiving, file: RemoteFile, arrival: Arrival, sha256: str) -> Arrival:
    """Removed from the folder, now that the archive holds it. Whoever replaced it meanwhile has it judged the next time."""
    assert arrival.entry is not None  # noqa: S101  what was taken has an entry
    try:
        found = found_again(work.source, file, sha256)
        if found is Found.same:
            work.source.remove(file.name)
            work.note(LedgerEvent.REMOVED_FROM_SERVER, arrival.entry)
        elif found is Found.gone:
            work.note(LedgerEvent.GONE_FROM_SERVER, arrival.entry)
        return arrival
    except RenkeiError as error:
        left = _not_removed(arrival, error)
        if not isinstance(error, TransientTransportError):
            return left
        work.failures[file.name] = left
        raise


def _not_removed(arrival: Arrival, error: RenkeiError) -> Arrival:
    """What was taken and could not be removed: both are told, and the removal is tried again."""
    text = f"{NOT_REMOVED} {_text(NOT_REMOVED, arrival.name, reason=error.code)}"
    said = f"{arrival.message} {text}".lstrip()
    return replace(arrival, code=NOT_REMOVED, message=said, is_left=True)


def _taken(work: _Receiving, entry: Entry, copy: Copy, **told: Any) -> Entry:
    """Put what was fetched into the archive, `received`; the same content again is not kept, `duplicate`."""
    data, facts = _content(work, entry, copy)
    sha256 = copy.sha256 if data is copy.data else hashlib.sha256(data).hexdigest()
    facts |= {"sha256": sha256, "size": len(data), **told}
    delivered = work.ledger.entries(direction=Direction.INBOUND, sha256=sha256, states=KNOWN_STATES)
    # What came without a sound seal is nobody's word: the same content under a sound one is not its duplicate.
    known = [one for one in delivered if "seal" not in _received_facts(work.ledger, one.id)]
    if known:
        with work.recorder.transaction() as unit:
            received = unit.advance(entry, EntryState.RECEIVED, expected=entry.state, **facts)
            taken = unit.advance(received, EntryState.DUPLICATE, duplicate_of=known[0].id)
    else:
        day = work.ledger.now().date().isoformat()
        archive = Path("archive", "from_union", day, f"{sha256[:12]}_{plain_name(entry.file_name)}{SUFFIX}")
        work.safe.keep(work.safe.data_folder / archive, data)
        taken = work.advance(entry, EntryState.RECEIVED, archive=archive.as_posix(), **facts)
    work.copies.drop(entry, copy.data)
    return taken


def _content(work: _Receiving, entry: Entry, copy: Copy) -> tuple[bytes, dict[str, Any]]:
    """What a delivery holds, and what the ledger should know of its seal. One that cannot be opened stays as it came."""
    if not work.partners:
        return copy.data, {}
    if not entry.file_name.endswith(SUFFIX):
        return copy.data, {"seal": "KR-6325"}
    facts = {"sealed_sha256": copy.sha256}
    try:
        return unsealed(copy.data, work.safe.ring, work.partners, work.ledger.now()), facts
    except RenkeiError as error:
        if error.code not in BROKEN_SEALS:
            raise
        return copy.data, facts | {"seal": error.code}


def _archive(ledger: Reader, entry_id: int) -> str | None:
    """Where the archive holds an entry, from the data folder; None before it is received, and for a duplicate."""
    return _received_facts(ledger, entry_id).get("archive")


def _received_facts(ledger: Reader, entry_id: int) -> dict[str, Any]:
    """What the ledger knows of a reception: archive, and sealed_sha256 and seal (what is wrong with it) where it has them."""
    return next((event.detail for event in ledger.events(entry_id) if event.action == EntryState.RECEIVED), {})


def _judged(work: _Receiving, entry: Entry) -> Arrival:
    """A received entry to `verified` or `quarantined`, by what the archive holds of it. Any other is only told."""
    if entry.state != EntryState.RECEIVED:
        return work.arrival(entry)
    content = archived_content(work.ledger, work.safe, entry.id)
    namesakes = work.ledger.entries(direction=Direction.INBOUND, file_name=entry.file_name, states=NAMED_STATES)
    code, text = None, ""
    received = _received_facts(work.ledger, entry.id)
    try:
        if "seal" in received:
            judgement, code = Judgement(accepted=False), str(received["seal"])
            text = _text(code, entry.file_name)
        else:
            judgement = work.judge(content, plain_name(entry.file_name))
        if "incomplete" in received:
            judgement, code = replace(judgement, accepted=False, releasable=False), "KR-6334"
            text = _text(code, entry.file_name)
    except Exception as error:  # whatever the checks stumble over, the file is kept and the others go on
        judgement = Judgement(accepted=False)
        reason = error.code if isinstance(error, RenkeiError) else type(error).__name__
        code, text = "KR-6304", _text("KR-6304", entry.file_name, reason=reason)
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
        return work.arrival(work.advance(entry, EntryState.VERIFIED, **facts))
    archive = work.safe.data_folder / str(received["archive"])
    _keep_apart(work.safe.data_folder, entry, archive, judgement, code, text)
    quarantined = work.advance(entry, EntryState.QUARANTINED, code=code, releasable=judgement.releasable, **facts)
    return Arrival(entry.file_name, EntryState.QUARANTINED, quarantined, archive, code, f"{code} {text}")


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
            workbook.chmod(OWNER_FILE)
        except Exception as error:  # the file itself must be kept apart even when its report cannot be drawn
            report["workbook_failed"] = type(error).__name__
    data = json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True, default=str)
    write_durably(folder / REPORT_NAME, data.encode())
