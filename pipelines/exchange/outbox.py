"""Everything that can be done with a batch: send it, seal it for a medium, record a manual delivery, recall or confirm it.

One operation at a time per data folder. `delivery` uploads the files, `sealing` signs and encrypts them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from cryptography import x509

from interfaces.messages import RenkeiError
from interfaces.words import state_in_words
from pipelines.exchange.batch import NO_HOOKS, Batch, OutboundFile, SendHooks, SendOutcome
from pipelines.exchange.delivery import Delivery
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import DELIVERY, UNSENT_STATES, EntryState
from pipelines.exchange.operator_input import required_reason
from pipelines.exchange.sealing import SealedFile, Sealer
from pipelines.exchange.transport import Retry, Transport
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.locks import exclusive_lock

ONCE: Final = Retry()


def no_recipient() -> None:
    """Files are sent in plaintext."""


@dataclass(frozen=True)
class Outbox:
    """The outbox of a deployment. `recorder`: who sends. `file_store`: where the copies of the files are.

    `recipient`: returns the Union's certificate to encrypt for, or None; it may raise.
    Every method: KR-6114 when another run has locked the data folder.
    """

    recorder: Recorder
    file_store: EncryptedFileStore
    recipient: Callable[[], x509.Certificate | None] = no_recipient
    hooks: SendHooks = NO_HOOKS

    def send(self, batch: Batch, transport: Transport, retry: Retry = ONCE) -> SendOutcome:
        """Send all files of a batch, in the order of their interfaces' ids, and return the outcome.

        A later partition is already out: nothing is sent, `superseded`, because its files contain the difference; unless
        the batch is not carried by later ones. The same bytes were sent: `already_sent`, with an event in the ledger. Else
        `hooks.before` may refuse. Files that need an approval and have none wait: `awaiting_approval`. Else the files are
        sent, sealed if there is a recipient, from wherever an earlier run was interrupted. Safe to repeat at any point.

        Errors: KR-6111 other bytes than those already sent, KR-6112 the bytes that the Union rejected, KR-6115 a file is
        not what the batch says, KR-6116 another file has the name, KR-6222 the server removed a file before it was
        confirmed, KR-62xx from the transport.
        """
        ordered = replace(batch, files=tuple(sorted(batch.files, key=lambda file: file.interface)))
        recipient = self.recipient()
        sealer = None if recipient is None else self._sealer(recipient)
        with self._exclusive_lock():
            contents = self._contents(ordered)
            delivery = Delivery(self.recorder, transport, ordered, contents, sealer, self.hooks)
            return retry.run(delivery.attempt)

    def required_recipient(self) -> x509.Certificate:
        """The certificate to encrypt for; KR-6605 when there is none."""
        recipient = self.recipient()
        if recipient is None:
            raise RenkeiError("KR-6605")
        return recipient

    def seal(self, batch: Batch) -> list[SealedFile]:
        """Sign and encrypt a batch's files for a medium, without sending them. All or none; safe to repeat.

        Errors: KR-6115 a file is not what the batch says, KR-6118 one is being sent or was sent already, KR-6131 a second
        person must approve first, KR-6605 there is no certificate to encrypt for.
        """
        sealer = self._sealer(self.required_recipient())
        with self._exclusive_lock():
            contents = self._contents(batch)
            current_entries = self.recorder.current_entries(batch.partition, batch.interfaces)
            for file in batch.files:
                if file.interface in current_entries:
                    _require_same(current_entries[file.interface], file, UNSENT_STATES)
            with self.recorder.transaction() as work:
                entries = {
                    file.interface: current_entries.get(file.interface) or work.create_outbound_entry(batch.facts(file))
                    for file in batch.files
                }
            if batch.awaits_approval(entries.values()):
                raise RenkeiError("KR-6131", partition=batch.partition)
            return [sealer.sealed_file(entries[file.interface], file, contents[file.interface]) for file in batch.files]

    def record_manual_delivery(self, batch: Batch, reason: str) -> tuple[Entry, ...]:
        """Record that a person delivered a batch to the Union by other means (a medium, another terminal).

        All files or none, with operator and reason; the next day is then compared with them like with any sent day.
        Errors: KR-6115 a file is not what the batch says, KR-6118 one was sent, rejected or withdrawn already, KR-6119 a
        later partition is out, KR-6131 a second person must approve first.
        """
        with self._exclusive_lock(), self.recorder.transaction() as work:
            self._contents(batch)
            later = work.later_sent(batch.partition, batch.interfaces)
            if later is not None:
                raise RenkeiError("KR-6119", partition=batch.partition, later=later)
            current_entries = work.current_entries(batch.partition, batch.interfaces)
            done = []
            for file in batch.files:
                entry = current_entries.get(file.interface) or work.create_outbound_entry(batch.facts(file))
                _require_same(entry, file, UNSENT_STATES | {EntryState.SENDING})
                if batch.awaits_approval([entry]):
                    raise RenkeiError("KR-6131", partition=batch.partition)
                for state in DELIVERY:
                    if entry.state != state:
                        entry = work.transition(entry, state, expected=entry.state, other_means=True, reason=reason)
                done.append(entry)
            for entry in done:
                self.hooks.after(entry)
        return tuple(done)

    def recall(self, partition: date, interfaces: Collection[str], reason: str) -> tuple[Entry, ...]:
        """Recall a sent partition in order to send it corrected (訂正再送), as agreed with the Union; all files or none.

        The partition then counts as not sent; when it is made again it gets the next file number.
        Errors: KR-6135 a file is not `sent` (the Union accepted or rejected it, or it was never sent), KR-6136 a later
        partition is out, which was compared with this one.
        """
        with self._exclusive_lock(), self.recorder.transaction() as work:
            current_entries = work.current_entries(partition, interfaces)
            states = sorted({entry.state for entry in current_entries.values()})
            if states != [EntryState.SENT]:
                found = "・".join(map(state_in_words, states)) or "なし"
                raise RenkeiError("KR-6135", partition=partition, state=found)
            later = work.later_sent(partition, interfaces)
            if later is not None:
                raise RenkeiError("KR-6136", partition=partition, later=later)
            return tuple(
                work.transition(entry, EntryState.RECALLED, expected=entry.state, reason=reason)
                for entry in current_entries.values()
            )

    def confirm(self, entry_id: int, reason: str, *, arrived: bool) -> Entry:
        """Record the Union's answer about an `unconfirmed` file: it has it (`sent`), or not, and it may be sent again.

        Errors: KR-6223 the entry is not unconfirmed, KR-6103, KR-6312, KR-6314.
        """
        with self._exclusive_lock():
            entry = self.recorder.entry(entry_id)
            if entry.state != EntryState.UNCONFIRMED:
                raise RenkeiError("KR-6223", entry_id=entry_id, state=state_in_words(entry.state))
            if arrived:
                self.hooks.after(entry)
            state = EntryState.SENT if arrived else EntryState.WITHDRAWN
            return self.recorder.transition(entry, state, expected=entry.state, reason=required_reason(reason))

    def _exclusive_lock(self) -> AbstractContextManager[None]:
        return exclusive_lock(self.file_store.data_folder, "outbox")

    def _sealer(self, recipient: x509.Certificate) -> Sealer:
        return Sealer(self.recorder, self.file_store.ring, recipient)

    def _contents(self, batch: Batch) -> dict[str, bytes]:
        """The contents to send, by interface; KR-6115 when one is not what the batch says."""
        return {file.interface: self._content(file) for file in batch.files}

    def _content(self, file: OutboundFile) -> bytes:
        content = self.file_store.read_intact(file.path, file.sha256)
        if content is None:
            raise RenkeiError("KR-6115", file_name=file.file_name)
        return content


def _require_same(entry: Entry, file: OutboundFile, states: Collection[EntryState]) -> None:
    """KR-6118 when the entry is in none of the states, or has other content."""
    if entry.state not in states or entry.sha256 != file.sha256:
        raise RenkeiError(
            "KR-6118", partition=entry.partition, interface=file.interface, state=state_in_words(entry.state)
        )
