"""Receives every file of a folder: claimed, fetched, archived, validated, and only then removed from the Union's server.

Every step is in the ledger before the next begins, so the next `receive` continues after a crash. Other modules apply the
verified files. On our disk a file is encrypted; its plaintext exists only in the memory of this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography import x509

from interfaces.messages import RenkeiError, message
from pipelines.exchange.archived import InboundArchive
from pipelines.exchange.error_redaction import is_disk_fault
from pipelines.exchange.fetching import NOT_THERE, Copy, ServerContent, compare_after_fetch, compare_with_server
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import FETCHING_STATES, Direction, EntryState, LedgerEvent
from pipelines.exchange.left_behind import UNION, Folder, not_receivable, remember
from pipelines.exchange.received_file import NOT_REMOVED, REFUSED, WAITING, ReceivedFile, Validator
from pipelines.exchange.transport import RemoteFile, Retry, Source, TransientTransportError, TransportError
from pipelines.exchange.validation import FileValidation
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.locks import exclusive_lock

ONCE: Final = Retry()
# A folder without rules: files count as finished, and no name is known from a specification.
ANY_NAMES: Final = Folder(UNION, 0.0, lambda name: False)
NOT_SETTLED: Final = frozenset({"KR-6331", "KR-6332", "KR-6333"})
REMOVAL_EVENTS: Final = frozenset({LedgerEvent.REMOVED_FROM_SERVER, LedgerEvent.GONE_FROM_SERVER})


@dataclass(frozen=True)
class Inbox:
    """The inbox of a deployment. `recorder`: who receives. `file_store`: where the archive is.

    `validator(content, name without .p7m)` recognises and validates. With `partners` (the Union's certificates) a file must
    be encrypted for us and signed by one of them, else it is quarantined (KR-6321 to KR-6323, KR-6325).
    """

    recorder: Recorder
    file_store: EncryptedFileStore
    validator: Validator
    partners: Sequence[x509.Certificate] = ()

    def receive(self, source: Source, folder: Folder = ANY_NAMES, retry: Retry = ONCE) -> list[ReceivedFile]:
        """Receive every file of a folder; an invalid file never stops the others. Returns one ReceivedFile per name, sorted.

        Verified files then wait to be applied. A file that is not finished by the rule of `folder` (see `left_behind`)
        stays for the next time, WAITING with the reason.
        Errors: KR-6114 another run has locked the data folder; a transport error when the folder cannot be listed.
        """
        validation = FileValidation(self.recorder, self.file_store, self.validator)
        archive = InboundArchive(self.recorder, self.file_store, self.partners)
        with exclusive_lock(self.file_store.data_folder, "inbox"):
            work = _ReceiveRun(self.recorder, archive, validation, source, folder)
            resumed = {
                entry.file_name: work.resume(entry) for entry in self.recorder.entries(states={EntryState.RECEIVED})
            }
            try:
                retry.run(work.receive_all)
            except TransientTransportError:
                if not work.failures:
                    raise
            done = {**work.failures, **work.received}
            left = {folder.shown(name): str(file.code) for name, file in done.items() if file.is_left}
            remember(self.recorder, folder, work.listed.values(), left)
        found = {**resumed, **done}
        return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class _Archived:
    """An entry that is in the archive, and the SHA-256 that its file had on the server."""

    entry: Entry
    sha256: str


@dataclass(frozen=True)
class _ReceiveRun:
    """One call of `receive`, with the outcome of each name so far."""

    recorder: Recorder
    archive: InboundArchive
    validation: FileValidation
    source: Source
    folder: Folder
    listed: dict[str, RemoteFile] = field(default_factory=dict)
    received: dict[str, ReceivedFile] = field(default_factory=dict)
    failures: dict[str, ReceivedFile] = field(default_factory=dict)

    def resume(self, entry: Entry) -> ReceivedFile:
        """Validate a file that an earlier run archived but did not validate."""
        try:
            return self.validation.validated(entry)
        except RenkeiError as error:
            return self._not_received(entry.file_name, error)

    def receive_all(self) -> None:
        """Go once through the names that are not done. A transient failure is raised after all the others are processed."""
        self.failures.clear()
        self.listed.clear()
        self.listed.update({file.name: file for file in self.source.list()})
        for entry in self.recorder.entries(direction=Direction.INBOUND, states=FETCHING_STATES):
            if entry.file_name not in self.listed and self._is_here(entry):
                self.received[entry.file_name] = self._after_removal(entry)
        reasons = not_receivable(self.recorder, self.folder, self.listed.values())
        failure: TransientTransportError | None = None
        for name in sorted(self.listed.keys() - self.received.keys()):
            try:
                self.received[name] = (
                    self._not_received(name, reasons[name]) if name in reasons else self._receive_one(name)
                )
            except TransientTransportError as error:
                failure = error
                self.failures.setdefault(name, self._not_received(name, error))
            except RenkeiError as error:
                self.received[name] = self._not_received(name, error)
            except Exception as error:  # whatever a library raises, the other files are still received
                if is_disk_fault(error):
                    raise
                crashed = RenkeiError("KR-6336", name=name, reason=type(error).__name__)
                self.received[name] = self._not_received(name, crashed)
        if failure is not None:
            raise failure

    def _is_here(self, entry: Entry) -> bool:
        """Whether an entry was detected in this folder."""
        return (entry.place or UNION) == self.folder.place

    def _not_received(self, name: str, error: RenkeiError) -> ReceivedFile:
        state = WAITING if error.code in NOT_SETTLED else REFUSED
        return ReceivedFile(self.folder.shown(name), state, code=error.code, message=str(error), is_left=True)

    def _receive_one(self, name: str) -> ReceivedFile:
        """Receive one name of the folder, continuing from its present state."""
        file = self.listed[name]
        fetched = self._fetch(file)
        if isinstance(fetched, ReceivedFile):
            return fetched
        return self._remove_from_server(file, fetched, self.validation.validated(fetched.entry))

    def _fetch(self, file: RemoteFile) -> _Archived | ReceivedFile:
        """Fetch one file into the archive; or the outcome if that is not possible. Its bytes are not kept in memory."""
        last = self._latest_entry(file.name)
        is_there_still = last is not None and last.state not in FETCHING_STATES and not self._was_removed(last)
        entry = None if is_there_still else self._claim(file, last)
        try:
            copy = Copy(self.source.get(file.name), file.size)
        except TransportError as error:
            return self._after_failed_fetch(file, entry or last, error)
        if last is not None and is_there_still and copy.sha256 == (last.sealed_sha256 or last.sha256):
            return _Archived(last, copy.sha256)
        return self._archive_or_keep_copy(entry or self._claim(file, None), file, copy)

    def _latest_entry(self, name: str) -> Entry | None:
        """The newest entry under this name in this folder."""
        deliveries = self.recorder.entries(direction=Direction.INBOUND, file_name=name)
        return next((entry for entry in reversed(deliveries) if self._is_here(entry)), None)

    def _was_removed(self, entry: Entry) -> bool:
        actions = {event.action for event in self.recorder.events(entry.id)}
        return entry.state == EntryState.VANISHED or bool(actions & REMOVAL_EVENTS)

    def _claim(self, file: RemoteFile, last: Entry | None) -> Entry:
        """The claimed entry of a fetch: one that an earlier run left unfinished, or a new one."""
        entry = last if last is not None and last.state in FETCHING_STATES else None
        if entry is None:
            place = None if self.folder.place == UNION else self.folder.place
            entry = self.recorder.create_inbound_entry(file.name, place)
        if entry.state != EntryState.DETECTED:
            return entry
        return self.recorder.transition(entry, EntryState.CLAIMED, expected=entry.state, size_on_server=file.size)

    def _after_failed_fetch(self, file: RemoteFile, entry: Entry | None, error: TransportError) -> ReceivedFile:
        """After a failed fetch: a partial result is kept, because the server may not provide it again."""
        is_fetching = entry is not None and entry.state in FETCHING_STATES
        if error.received:
            entry = entry if entry is not None and is_fetching else self._claim(file, None)
            self.archive.copies.keep(entry, Copy(error.received, file.size))
        elif entry is not None and not is_fetching and error.code == NOT_THERE:
            self.recorder.append_event(LedgerEvent.GONE_FROM_SERVER, entry_id=entry.id)
            return self.validation.received_file(entry)
        if entry is not None and error.code == NOT_THERE:
            return self._after_removal(entry)
        raise error

    def _after_removal(self, entry: Entry) -> ReceivedFile:
        """After a file was removed before its fetch was confirmed: the kept copy is validated, else the entry vanished."""
        archived = self.archive.put_newest_copy(entry)
        if archived is not None:
            return self.validation.validated(archived)
        vanished = self.recorder.transition(entry, EntryState.VANISHED, expected=entry.state)
        return self.validation.received_file(vanished, "KR-6305")

    def _archive_or_keep_copy(self, entry: Entry, file: RemoteFile, copy: Copy) -> _Archived | ReceivedFile:
        """Archive a fetched file of the listed length that is unchanged; else keep a copy until the same is fetched again."""
        found = compare_after_fetch(self.source, file, copy.sha256)
        if (copy.is_whole and found is not ServerContent.changed) or self.archive.copies.keep(entry, copy):
            return _Archived(self.archive.put(entry, copy), copy.sha256)
        if found is ServerContent.gone:
            return self._after_removal(entry)
        return replace(self.validation.received_file(entry, "KR-6303", state=WAITING), is_left=True)

    def _remove_from_server(self, file: RemoteFile, archived: _Archived, received_file: ReceivedFile) -> ReceivedFile:
        """Remove an archived file from the folder. A file that replaced it meanwhile is received the next time."""
        try:
            found = compare_with_server(self.source, file, archived.sha256)
            if found is ServerContent.same:
                self.source.remove(file.name)
                self.recorder.append_event(LedgerEvent.REMOVED_FROM_SERVER, entry_id=archived.entry.id)
            elif found is ServerContent.gone:
                self.recorder.append_event(LedgerEvent.GONE_FROM_SERVER, entry_id=archived.entry.id)
            return received_file
        except RenkeiError as error:
            left = _not_removed(received_file, error)
            if not isinstance(error, TransientTransportError):
                return left
            self.failures[file.name] = left
            raise


def _not_removed(received_file: ReceivedFile, error: RenkeiError) -> ReceivedFile:
    """A file that was received but could not be removed: the message says both, and the removal is tried again."""
    text = f"{NOT_REMOVED} {message(NOT_REMOVED).render(name=received_file.name, reason=error.code)}"
    both = f"{received_file.message} {text}".lstrip()
    return replace(received_file, code=NOT_REMOVED, message=both, is_left=True)
