"""Delivers a batch to the Union's server: exactly once, complete, and recoverable after a crash. Does not know the content.

Per file: `sealed` is recorded when the sealed form is on our disk, `sending` before the upload, `uploaded` after the
temporary file was read back, an event `renaming` before the rename, `sent` after it. So after a crash the ledger and the
server together show what happened, and nothing is sent twice. If they cannot, because the server removed the temporary
file, the file is `unconfirmed`: it is not sent again until a person says whether the Union has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from interfaces.messages import RenkeiError, message
from pipelines.exchange.batch import Batch, OutboundFile, SendHooks, SendOutcome
from pipelines.exchange.fetching import NOT_THERE
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import (
    SENT_STATES,
    SETTLED_AT_UNION,
    TERMINAL_OUTBOUND_STATES,
    UNSEALED_STATES,
    EntryState,
    LedgerEvent,
)
from pipelines.exchange.sealing import Sealer, read_sealed_form, transmitted_form
from pipelines.exchange.transport import REMOVED_BY_SERVER, PermanentTransportError, Transport, temporary_name


@dataclass(frozen=True)
class Delivery:
    """A batch and the server that it is sent to. `contents`: by interface. `sealer`: None if files are sent in plaintext."""

    recorder: Recorder
    transport: Transport
    batch: Batch
    contents: Mapping[str, bytes] = field(repr=False)
    sealer: Sealer | None
    hooks: SendHooks

    def attempt(self) -> SendOutcome:
        """Bring every file from its present state to `sent`, or say why not (see `Outbox.send`). Safe to repeat."""
        found = self.recorder.current_entries(self.batch.partition, self.batch.interfaces)
        current_entries = {interface: self._recover(entry) for interface, entry in found.items()}
        later = self.recorder.later_sent(self.batch.partition, self.batch.interfaces)
        if self.batch.carried_by_later and later is not None:
            return self._superseded(current_entries, later)
        if all(_is_sent(found.get(file.interface), file) for file in self.batch.files):
            for entry in current_entries.values():
                self._append_event(LedgerEvent.ALREADY_SENT, entry, sha256=entry.sha256)
            return SendOutcome("already_sent", tuple(current_entries.values()))
        self.hooks.before(self.transport)
        entries = self._create_entries(current_entries)
        if self.batch.awaits_approval(entries.values()):
            text = f"KR-6131 {message('KR-6131').render(partition=self.batch.partition)}"
            return SendOutcome("awaiting_approval", tuple(entries.values()), text)
        delivered = tuple(self._deliver(entries[file.interface], file) for file in self.batch.files)
        for entry in delivered:
            if entry.state == EntryState.UNCONFIRMED:
                raise PermanentTransportError(REMOVED_BY_SERVER, name=entry.file_name, entry=entry.id)
        return SendOutcome("sent", delivered)

    def _recover(self, entry: Entry) -> Entry:
        """Recover an entry after a crash: an `uploaded` one is `sent` if its rename was carried out, or `unconfirmed`."""
        if entry.state != EntryState.UPLOADED:
            return entry
        if self._is_at_destination(entry):
            self.transport.remove(self._temporary(entry))
            return self._mark_sent(entry, found_after_crash="final_name")
        if self.transport.stat(self._temporary(entry)) is not None:
            return entry
        last = self.recorder.events(entry.id)[-1].action
        if last == LedgerEvent.RENAMING:
            # Renamed, and already removed by the Union.
            return self._mark_sent(entry, found_after_crash="temporary_name_gone")
        state = EntryState.SENDING if last == LedgerEvent.DISCARDING else EntryState.UNCONFIRMED
        return self._transition(entry, state, temporary_file="vanished")

    def _superseded(self, current_entries: Mapping[str, Entry], later: date) -> SendOutcome:
        """Nothing is sent: the later day's files contain this day's differences (D-007)."""
        entries: list[Entry] = []
        for file in self.batch.files:
            entry = current_entries.get(file.interface) or self.recorder.create_outbound_entry(self.batch.facts(file))
            if entry.state in SETTLED_AT_UNION | TERMINAL_OUTBOUND_STATES:
                self._append_event(LedgerEvent.SUPERSEDED, entry, later=later)
            else:
                self._discard_temporary(entry)
                entry = self._transition(entry, EntryState.SUPERSEDED, later=later)
            entries.append(entry)
        text = message("KR-6113").render(partition=self.batch.partition, later=later)
        return SendOutcome("superseded", tuple(entries), f"KR-6113 {text}")

    def _create_entries(self, current_entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """An entry for each file, created in one transaction; unsent entries with other content are withdrawn."""
        begun = any(entry.state in SETTLED_AT_UNION for entry in current_entries.values())
        replaced = {
            file.interface: current_entries[file.interface]
            for file in self.batch.files
            if file.interface in current_entries and self._is_replaced(current_entries[file.interface], file, begun)
        }
        for unsent in replaced.values():
            self._discard_temporary(unsent)
        with self.recorder.transaction() as work:
            entries: dict[str, Entry] = {}
            for file in self.batch.files:
                entry = current_entries.get(file.interface)
                if file.interface in replaced:
                    unsent = replaced[file.interface]
                    work.transition(unsent, EntryState.WITHDRAWN, expected=unsent.state)
                elif entry is not None and entry.state not in TERMINAL_OUTBOUND_STATES:
                    entries[file.interface] = entry
                    continue
                entries[file.interface] = work.create_outbound_entry(self.batch.facts(file))
        return entries

    def _is_replaced(self, entry: Entry, file: OutboundFile, begun: bool) -> bool:
        """Whether this file replaces an unsent entry. Once a file of the pair is out, the pair is fixed: KR-6111."""
        batch = self.batch
        same_bytes = entry.sha256 == file.sha256
        if entry.state == EntryState.REJECTED and same_bytes:
            raise RenkeiError("KR-6112", partition=batch.partition, interface=file.interface, entry_id=entry.id)
        if entry.state in TERMINAL_OUTBOUND_STATES:
            return False
        if begun and not same_bytes:
            raise RenkeiError("KR-6111", partition=batch.partition, interface=file.interface, entry_id=entry.id)
        made_from = (entry.file_name, entry.sha256, entry.baseline, entry.snapshot_sha256)
        return not begun and made_from != (file.file_name, file.sha256, batch.baseline, batch.snapshot_sha256)

    def _deliver(self, entry: Entry, file: OutboundFile) -> Entry:
        """Bring one file from its present state to `sent`, or to `unconfirmed` if the server removes it before."""
        if entry.state in SETTLED_AT_UNION:
            return entry
        data = None
        if self.sealer is not None and entry.state in UNSEALED_STATES:
            entry, data = self.sealer.seal(entry, file, self.contents[file.interface])
        if entry.state not in (EntryState.SENDING, EntryState.UPLOADED):
            entry = self._transition(entry, EntryState.SENDING)
        if entry.state == EntryState.SENDING:
            if self._is_at_destination(entry):
                return self._recover(self._transition(entry, EntryState.UPLOADED, found_at_destination=True))
            if data is None:
                entry, data = self._payload(entry, file)
            form = transmitted_form(entry)
            try:
                self.transport.put_temporary(data, form.name, form.sha256)
            except PermanentTransportError as error:
                return self._unconfirmed_if_removed(entry, error, REMOVED_BY_SERVER)
            entry = self._transition(entry, EntryState.UPLOADED)
        self._append_event(LedgerEvent.RENAMING, entry)
        try:
            self.transport.rename(self._temporary(entry), transmitted_form(entry).name)
        except PermanentTransportError as error:
            return self._unconfirmed_if_removed(entry, error, NOT_THERE)
        return self._mark_sent(entry)

    def _payload(self, entry: Entry, file: OutboundFile) -> tuple[Entry, bytes]:
        """The entry, and the bytes to upload. A sealed form that is lost or damaged is made again, with an event."""
        form = transmitted_form(entry)
        data = read_sealed_form(file, form.sha256) if form.is_sealed else self.contents[file.interface]
        if data is None:
            if self.sealer is None:
                raise RenkeiError("KR-6115", file_name=entry.file_name)
            self._discard_temporary(entry)
            return self.sealer.seal_again(entry, file, self.contents[file.interface])
        return entry, data

    def _is_at_destination(self, entry: Entry) -> bool:
        """Whether the final name has this content; KR-6116 when it has another."""
        form = transmitted_form(entry)
        if self.transport.stat(form.name) is None:
            return False
        if self.transport.read_sha256(form.name) != form.sha256:
            raise PermanentTransportError("KR-6116", file_name=form.name)
        return True

    def _temporary(self, entry: Entry) -> str:
        form = transmitted_form(entry)
        return temporary_name(form.name, form.sha256)

    def _discard_temporary(self, entry: Entry) -> None:
        """Remove what was uploaded but not renamed. The event keeps a later run from mistaking its absence for a rename."""
        self._append_event(LedgerEvent.DISCARDING, entry)
        self.transport.remove(self._temporary(entry))

    def _unconfirmed_if_removed(self, entry: Entry, error: PermanentTransportError, code: str) -> Entry:
        """`unconfirmed` if the error says that the temporary file is gone; any other error is raised again."""
        if error.code != code:
            raise error
        return self._transition(entry, EntryState.UNCONFIRMED, temporary_file="vanished")

    def _mark_sent(self, entry: Entry, **detail: Any) -> Entry:
        """Mark a file as sent. The hook comes first, so a crash in between leaves an entry that is recovered later."""
        self.hooks.after(entry)
        return self._transition(entry, EntryState.SENT, **detail)

    def _transition(self, entry: Entry, to_state: EntryState, **detail: Any) -> Entry:
        return self.recorder.transition(entry, to_state, expected=entry.state, **detail)

    def _append_event(self, action: LedgerEvent, entry: Entry, **detail: Any) -> None:
        self.recorder.append_event(action, entry_id=entry.id, **detail)


def _is_sent(entry: Entry | None, file: OutboundFile) -> bool:
    return entry is not None and entry.state in SENT_STATES and entry.sha256 == file.sha256
