"""How a partition's files leave: once, whole, and found again after a crash. What is in them is not known here.

Per file: `sealed` is written when the sealed form lies on our disk, `sending` before the upload, `uploaded` after the
temporary file was read back, a note `renaming` before the rename, `sent` after it. So after a crash the ledger and the
server together say what happened, and nothing is sent twice. Where they cannot, because the server took the temporary file
away, the file is `unconfirmed`: it is not sent again until a person says whether the Union has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from cryptography import x509

from interfaces.messages import RenkeiError, message
from pipelines.exchange.fetching import NOT_THERE
from pipelines.exchange.ledger.entry import Entry, OutboundFacts
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import (
    CLOSED_OUTBOUND_STATES,
    DELIVERY,
    SENT_STATES,
    SETTLED_AT_UNION,
    UNSENT_STATES,
    EntryState,
    LedgerEvent,
)
from pipelines.exchange.operator_input import required_reason
from pipelines.exchange.transport import SWEPT, PermanentTransportError, Retry, Transport, temporary_name
from pipelines.storage.archive import Safe
from pipelines.storage.cms import SUFFIX, sealed
from pipelines.storage.files import write_durably
from pipelines.storage.locks import exclusive

ONCE: Final = Retry()


@dataclass(frozen=True)
class OutboundFile:
    """A file ready to leave: checked, and not to change any more.

    `path`: its copy in the safe. `sha256`, `size` (bytes) and `records` (data records) are those of the content.
    """

    interface: str
    file_name: str
    path: Path
    sha256: str
    size: int
    records: int


@dataclass(frozen=True)
class SendOutcome:
    """What became of a partition. `message` says why nothing was sent (KR-6113), else it is empty.

    nothing_to_send: a quiet day on which the specification wants no file. awaiting_approval: KR-6131, a second person
    must approve first.
    """

    kind: Literal["sent", "already_sent", "superseded", "nothing_to_send", "awaiting_approval"]
    entries: tuple[Entry, ...]
    message: str = ""


def _nothing(*_: object) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True)
class Leaving:
    """What the caller wants done around the leaving of files: before the first one leaves, and for each that has left."""

    before: Callable[[Transport], None] = _nothing
    after: Callable[[Entry], None] = _nothing


@dataclass(frozen=True)
class _Sending:
    """One call of `send_partition`, or of `mark_sent` (without a transport). `contents`: of each interface's file."""

    recorder: Recorder
    safe: Safe
    _transport: Transport | None
    partition: date
    files: tuple[OutboundFile, ...]
    baseline: date | None
    snapshot_sha256: str | None
    carried_by_later: bool = True
    needs_approval: bool = False
    recipient: x509.Certificate | None = None
    leaving: Leaving = Leaving()
    contents: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def transport(self) -> Transport:
        assert self._transport is not None  # noqa: S101  mark_sent asks no server
        return self._transport

    @property
    def interfaces(self) -> set[str]:
        return {file.interface for file in self.files}

    def facts(self, file: OutboundFile) -> OutboundFacts:
        return OutboundFacts(
            interface=file.interface,
            partition=self.partition,
            file_name=file.file_name,
            sha256=file.sha256,
            size=file.size,
            records=file.records,
            baseline=self.baseline,
            snapshot_sha256=self.snapshot_sha256,
        )

    def advance(self, entry: Entry, to_state: EntryState, **detail: Any) -> Entry:
        return self.recorder.advance(entry, to_state, expected=entry.state, **detail)

    def sent(self, entry: Entry, **detail: Any) -> Entry:
        """The file is out: told to the caller first, so that a crash in between leaves an entry that is found again."""
        self.leaving.after(entry)
        return self.advance(entry, EntryState.SENT, **detail)

    def note(self, action: LedgerEvent, entry: Entry, **detail: Any) -> None:
        self.recorder.note(action, entry_id=entry.id, **detail)


def send_partition(
    ledger: Ledger,
    transport: Transport,
    partition: date,
    files: Sequence[OutboundFile],
    baseline: date | None,
    snapshot_sha256: str | None,
    operator: str,
    run_id: str | None,
    *,
    safe: Safe,
    retry: Retry = ONCE,
    carried_by_later: bool = True,
    needs_approval: bool = False,
    recipient: x509.Certificate | None = None,
    leaving: Leaving = Leaving(),
) -> SendOutcome:
    """Send all files of a partition, one for each interface, in the order of their ids, and say what became of it.

    A later partition already out: nothing is sent, `superseded`, because its files hold the difference; unless
    `carried_by_later` is False: then every partition stands for itself. The same bytes already sent: `already_sent`,
    with a note in the ledger. Else `leaving.before` may refuse. With `needs_approval`, files that nobody approved yet
    wait: `awaiting_approval`. Else the files are sent, sealed for `recipient` when there is one, from wherever an
    earlier run was cut off. Safe to repeat at any point.

    Errors: KR-6111 other bytes than those already sent, KR-6112 the bytes that the Union rejected, KR-6114
    another run holds the data folder, KR-6115 a file is not what `files` says, KR-6116 another file has the name,
    KR-6222 the server took a file away before it was confirmed, KR-62xx from the transport.
    """
    ordered = tuple(sorted(files, key=lambda file: file.interface))
    work = _Sending(
        ledger.recorder(operator, run_id), safe, transport, partition, ordered, baseline, snapshot_sha256,
        carried_by_later, needs_approval, recipient, leaving,
    )  # fmt: skip
    with exclusive(safe.data_folder, "outbox"):
        work.contents.update({file.interface: _content(safe, file) for file in ordered})
        return retry.run(lambda: _send(work))


def mark_sent(
    ledger: Ledger,
    partition: date,
    files: Sequence[OutboundFile],
    baseline: date | None,
    snapshot_sha256: str | None,
    by: str,
    reason: str,
    *,
    safe: Safe,
    needs_approval: bool = False,
    leaving: Leaving = Leaving(),
) -> tuple[Entry, ...]:
    """Record that a person brought a partition's files to the Union by other means (a medium, another terminal).

    All files or none, with the name and the reason; the next day is then compared with them as with any sent day.
    Errors: KR-6115 a file is not what `files` says, KR-6118 one was sent, rejected or given up already, KR-6119 a later
    partition is out, KR-6114 another run holds the data folder, KR-6131 a second person must approve first.
    """
    one = _Sending(ledger.recorder(by), safe, None, partition, tuple(files), baseline, snapshot_sha256)
    with exclusive(safe.data_folder, "outbox"), one.recorder.transaction() as work:
        for file in files:
            _content(safe, file)
        later = work.later_sent(partition, one.interfaces)
        if later is not None:
            raise RenkeiError("KR-6119", partition=partition, later=later)
        known = work.standing(partition, one.interfaces)
        done = []
        for file in files:
            entry = known.get(file.interface) or work.enter_outbound(one.facts(file))
            if entry.state not in UNSENT_STATES | {EntryState.SENDING} or entry.sha256 != file.sha256:
                raise RenkeiError("KR-6118", partition=partition, interface=file.interface, state=entry.state)
            if needs_approval and entry.state == EntryState.WRITTEN:
                raise RenkeiError("KR-6131", partition=partition)
            for state in DELIVERY:
                if entry.state != state:
                    entry = work.advance(entry, state, expected=entry.state, other_means=True, reason=reason)
            done.append(entry)
        for entry in done:
            leaving.after(entry)
    return tuple(done)


def recall(
    ledger: Ledger, partition: date, interfaces: Collection[str], by: str, reason: str, *, data_folder: Path
) -> tuple[Entry, ...]:
    """Take a sent partition back for its corrected resending (訂正再送), as agreed with the Union; all files or none.

    The partition is then as if it had not been sent; made again it gets the next file number.
    Errors: KR-6135 a file is not `sent` (the Union accepted or rejected it, or it never left), KR-6136 a later partition
    is out, which was compared with this one; KR-6114 another run holds the data folder: it may be sending just that.
    """
    with exclusive(data_folder, "outbox"), ledger.recorder(by).transaction() as work:
        standing = work.standing(partition, interfaces)
        states = sorted({entry.state for entry in standing.values()})
        if states != [EntryState.SENT]:
            raise RenkeiError("KR-6135", partition=partition, state="・".join(states) or "なし")
        later = work.later_sent(partition, interfaces)
        if later is not None:
            raise RenkeiError("KR-6136", partition=partition, later=later)
        return tuple(
            work.advance(one, EntryState.RECALLED, expected=EntryState.SENT, reason=reason) for one in standing.values()
        )


@dataclass(frozen=True)
class SealedFile:
    """A file as it lies sealed on our disk: what a medium carries, byte for byte what SFTP would."""

    entry: Entry
    name: str
    data: bytes = field(repr=False)
    sha256: str


def seal_partition(
    ledger: Ledger,
    partition: date,
    files: Sequence[OutboundFile],
    baseline: date | None,
    snapshot_sha256: str | None,
    by: str,
    *,
    safe: Safe,
    recipient: x509.Certificate,
    needs_approval: bool = False,
) -> list[SealedFile]:
    """Seal a partition's files without sending them, for a medium. All of them, or none; safe to repeat.

    Errors: KR-6115 a file is not what `files` says, KR-6118 one is on its way or was sent already, KR-6131 a second person
    must approve first, KR-6114 another run holds the data folder.
    """
    work = _Sending(
        ledger.recorder(by), safe, None, partition, tuple(files), baseline, snapshot_sha256, recipient=recipient
    )
    with exclusive(safe.data_folder, "outbox"):
        work.contents.update({file.interface: _content(safe, file) for file in files})
        known = ledger.standing(partition, work.interfaces)
        for file in files:
            entry = known.get(file.interface)
            if entry is not None and (entry.state not in UNSENT_STATES or entry.sha256 != file.sha256):
                raise RenkeiError("KR-6118", partition=partition, interface=file.interface, state=entry.state)
        with work.recorder.transaction() as unit:
            entries = {one.interface: known.get(one.interface) or unit.enter_outbound(work.facts(one)) for one in files}
        if needs_approval and any(entry.state == EntryState.WRITTEN for entry in entries.values()):
            raise RenkeiError("KR-6131", partition=partition)
        return [_sealed_file(work, entries[file.interface], file, recipient) for file in files]


def _sealed_file(work: _Sending, entry: Entry, file: OutboundFile, recipient: x509.Certificate) -> SealedFile:
    data = None
    if entry.state in (EntryState.WRITTEN, EntryState.APPROVED):
        data, facts = _seal(work, file, recipient)
        entry = work.advance(entry, EntryState.SEALED, **facts)
    else:
        data = _sealed_form(file, _parcel(work, entry).sha256)
    if data is None:
        data, facts = _seal(work, file, recipient)
        work.note(LedgerEvent.RESEALED, entry, **facts)
    parcel = _parcel(work, entry)
    return SealedFile(entry, parcel.name, data, parcel.sha256)


def _content(safe: Safe, file: OutboundFile) -> bytes:
    """What is to leave, opened once; KR-6115 when it is not what the caller says."""
    content = safe.read(file.path, file.sha256)
    if content is None:
        raise RenkeiError("KR-6115", file_name=file.file_name)
    return content


def _send(work: _Sending) -> SendOutcome:
    known = work.recorder.standing(work.partition, work.interfaces)
    standing = {interface: _settled(work, entry) for interface, entry in known.items()}
    later = work.recorder.later_sent(work.partition, work.interfaces)
    if work.carried_by_later and later is not None:
        return _superseded(work, standing, later)
    if all(_is_sent(known.get(file.interface), file) for file in work.files):
        for entry in standing.values():
            work.note(LedgerEvent.ALREADY_SENT, entry, sha256=entry.sha256)
        return SendOutcome("already_sent", tuple(standing.values()))
    work.leaving.before(work.transport)
    entries = _entered(work, standing)
    if work.needs_approval and any(entry.state == EntryState.WRITTEN for entry in entries.values()):
        text = f"KR-6131 {message('KR-6131').render(partition=work.partition)}"
        return SendOutcome("awaiting_approval", tuple(entries.values()), text)
    delivered = tuple(_delivered(work, entries[file.interface], file) for file in work.files)
    for entry in delivered:
        if entry.state == EntryState.UNCONFIRMED:
            raise PermanentTransportError(SWEPT, name=entry.file_name)
    return SendOutcome("sent", delivered)


def _is_sent(entry: Entry | None, file: OutboundFile) -> bool:
    return entry is not None and entry.state in SENT_STATES and entry.sha256 == file.sha256


def _settled(work: _Sending, entry: Entry) -> Entry:
    """The entry as it truly is: one left `uploaded` is `sent` when its rename had been carried out, or `unconfirmed`."""
    if entry.state != EntryState.UPLOADED:
        return entry
    if _at_destination(work, entry):
        work.transport.remove(_temporary(work, entry))
        return work.sent(entry, found_after_crash="final_name")
    if work.transport.stat(_temporary(work, entry)) is not None:
        return entry
    last = work.recorder.events(entry.id)[-1].action
    if last == LedgerEvent.RENAMING:
        # Renamed, and already taken from there by the Union.
        return work.sent(entry, found_after_crash="temporary_name_gone")
    state = EntryState.SENDING if last == LedgerEvent.DISCARDING else EntryState.UNCONFIRMED
    return work.advance(entry, state, temporary_file="vanished")


@dataclass(frozen=True)
class _Parcel:
    """A file as the server sees it: plain, or sealed as the ledger last says."""

    name: str
    sha256: str
    is_sealed: bool


def _parcel(work: _Sending, entry: Entry) -> _Parcel:
    for event in reversed(work.recorder.events(entry.id)):
        if "sealed_sha256" in event.detail:
            return _Parcel(entry.file_name + SUFFIX, str(event.detail["sealed_sha256"]), True)
    return _Parcel(entry.file_name, str(entry.sha256), False)


def _temporary(work: _Sending, entry: Entry) -> str:
    parcel = _parcel(work, entry)
    return temporary_name(parcel.name, parcel.sha256)


def _discard_temporary(work: _Sending, entry: Entry) -> None:
    """Remove what was uploaded but not renamed. The note keeps a later run from taking its absence for a rename."""
    work.note(LedgerEvent.DISCARDING, entry)
    work.transport.remove(_temporary(work, entry))


def _at_destination(work: _Sending, entry: Entry) -> bool:
    """Whether the final name holds this content; KR-6116 when it holds another."""
    parcel = _parcel(work, entry)
    if work.transport.stat(parcel.name) is None:
        return False
    if work.transport.read_sha256(parcel.name) != parcel.sha256:
        raise PermanentTransportError("KR-6116", file_name=parcel.name)
    return True


def sealed_path(file: OutboundFile) -> Path:
    """Where the form sealed for the Union lies, beside our own copy: what was sent, byte for byte."""
    return file.path.with_name(file.path.name.removesuffix(SUFFIX) + f".to_union{SUFFIX}")


def _sealed_form(file: OutboundFile, sha256: str) -> bytes | None:
    """What lies sealed on our disk; None when it is lost or damaged."""
    path = sealed_path(file)
    data = path.read_bytes() if path.is_file() else b""
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _seal(work: _Sending, file: OutboundFile, recipient: x509.Certificate) -> tuple[bytes, dict[str, object]]:
    """Write the sealed form; gives it, and what the ledger should know of it."""
    data = sealed(work.contents[file.interface], work.safe.ring, recipient)
    write_durably(sealed_path(file), data)
    return data, {
        "sealed_sha256": hashlib.sha256(data).hexdigest(),
        "sealed_size": len(data),
        "sealed_for": format(recipient.serial_number, "x"),
        "signed_by": work.safe.ring.current("transfer").name,
    }


def _at_hand(work: _Sending, entry: Entry, file: OutboundFile) -> bytes:
    """What is to be uploaded. A sealed form that is lost or damaged is sealed anew, and noted."""
    parcel = _parcel(work, entry)
    data = _sealed_form(file, parcel.sha256) if parcel.is_sealed else work.contents[file.interface]
    if data is None:
        if work.recipient is None:
            raise RenkeiError("KR-6115", file_name=entry.file_name)
        _discard_temporary(work, entry)
        data, facts = _seal(work, file, work.recipient)
        work.note(LedgerEvent.RESEALED, entry, **facts)
    return data


def _entered(work: _Sending, standing: dict[str, Entry]) -> dict[str, Entry]:
    """An entry for each file, entered together; what an unsent entry said before is withdrawn."""
    begun = any(entry.state in SETTLED_AT_UNION for entry in standing.values())
    replaced = {
        file.interface: standing[file.interface]
        for file in work.files
        if file.interface in standing and _is_replaced(work, standing[file.interface], file, begun)
    }
    for unsent in replaced.values():
        _discard_temporary(work, unsent)
    with work.recorder.transaction() as unit:
        entries: dict[str, Entry] = {}
        for file in work.files:
            entry = standing.get(file.interface)
            if file.interface in replaced:
                unsent = replaced[file.interface]
                unit.advance(unsent, EntryState.WITHDRAWN, expected=unsent.state)
            elif entry is not None and entry.state not in CLOSED_OUTBOUND_STATES:
                entries[file.interface] = entry
                continue
            entries[file.interface] = unit.enter_outbound(work.facts(file))
    return entries


def _is_replaced(work: _Sending, entry: Entry, file: OutboundFile, begun: bool) -> bool:
    """Whether an unsent entry gives way to this file. Once a file of the pair is out, the pair is fixed: KR-6111."""
    same_bytes = entry.sha256 == file.sha256
    if entry.state == EntryState.REJECTED and same_bytes:
        raise RenkeiError("KR-6112", partition=work.partition, interface=file.interface, entry_id=entry.id)
    if entry.state in CLOSED_OUTBOUND_STATES:
        return False
    if begun and not same_bytes:
        raise RenkeiError("KR-6111", partition=work.partition, interface=file.interface, entry_id=entry.id)
    made_from = (entry.file_name, entry.sha256, entry.baseline, entry.snapshot_sha256)
    return not begun and made_from != (file.file_name, file.sha256, work.baseline, work.snapshot_sha256)


def _delivered(work: _Sending, entry: Entry, file: OutboundFile) -> Entry:
    """Take one file from wherever it stands to `sent`, or to `unconfirmed` when the server takes it away before."""
    if entry.state in SETTLED_AT_UNION:
        return entry
    data = None
    if work.recipient is not None and entry.state in (EntryState.WRITTEN, EntryState.APPROVED):
        data, facts = _seal(work, file, work.recipient)
        entry = work.advance(entry, EntryState.SEALED, **facts)
    if entry.state not in (EntryState.SENDING, EntryState.UPLOADED):
        entry = work.advance(entry, EntryState.SENDING)
    if entry.state == EntryState.SENDING:
        if _at_destination(work, entry):
            return _settled(work, work.advance(entry, EntryState.UPLOADED, found_at_destination=True))
        data = data or _at_hand(work, entry, file)
        parcel = _parcel(work, entry)
        try:
            work.transport.put_temporary(data, parcel.name, parcel.sha256)
        except PermanentTransportError as error:
            return _swept(work, entry, error, SWEPT)
        entry = work.advance(entry, EntryState.UPLOADED)
    work.note(LedgerEvent.RENAMING, entry)
    try:
        work.transport.rename(_temporary(work, entry), _parcel(work, entry).name)
    except PermanentTransportError as error:
        return _swept(work, entry, error, NOT_THERE)
    return work.sent(entry)


def _swept(work: _Sending, entry: Entry, error: PermanentTransportError, code: str) -> Entry:
    """`unconfirmed`, when the error says that the temporary file is gone; any other error comes through."""
    if error.code != code:
        raise error
    return work.advance(entry, EntryState.UNCONFIRMED, temporary_file="vanished")


def confirm(
    ledger: Ledger, entry_id: int, by: str, reason: str, *, arrived: bool, data_folder: Path, leaving: Leaving
) -> Entry:
    """Record what the Union says of an `unconfirmed` file: it has it (`sent`), or it does not, and it may be sent again.

    Errors: KR-6223 the entry is not unconfirmed, KR-6103, KR-6312, KR-6314, KR-6114 another run holds the data folder.
    """
    with exclusive(data_folder, "outbox"):
        entry = ledger.entry(entry_id)
        if entry.state != EntryState.UNCONFIRMED:
            raise RenkeiError("KR-6223", entry_id=entry_id, state=entry.state)
        if arrived:
            leaving.after(entry)
        state = EntryState.SENT if arrived else EntryState.WITHDRAWN
        return ledger.recorder(by).advance(entry, state, expected=entry.state, reason=required_reason(reason))


def _superseded(work: _Sending, standing: dict[str, Entry], later: date) -> SendOutcome:
    """Nothing is sent: the later day's files hold this day's differences (design.md 4.4)."""
    entries: list[Entry] = []
    for file in work.files:
        entry = standing.get(file.interface) or work.recorder.enter_outbound(work.facts(file))
        if entry.state in SETTLED_AT_UNION | CLOSED_OUTBOUND_STATES:
            work.note(LedgerEvent.SUPERSEDED, entry, later=later)
        else:
            _discard_temporary(work, entry)
            entry = work.advance(entry, EntryState.SUPERSEDED, later=later)
        entries.append(entry)
    text = message("KR-6113").render(partition=work.partition, later=later)
    return SendOutcome("superseded", tuple(entries), f"KR-6113 {text}")
