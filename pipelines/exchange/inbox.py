"""The one way in: every file of a folder claimed, fetched, archived, judged, and only then removed from the Union's server.

Every step is in the ledger before the next begins, so the next `collect` goes on where a crash left off. What is done with
a verified file is no business of this module. On our disk a file lies in the safe; its plain form exists in this
process's memory only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography import x509

from interfaces.messages import RenkeiError, message
from pipelines.exchange.archived import Archive
from pipelines.exchange.arrival import NOT_REMOVED, REFUSED, WAITING, Arrival, Judge
from pipelines.exchange.error_redaction import is_disk_fault
from pipelines.exchange.fetching import NOT_THERE, Copy, Found, found_after_fetching, found_again
from pipelines.exchange.judging import Judging
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import FETCHING_STATES, Direction, EntryState, LedgerEvent
from pipelines.exchange.left_behind import UNION, Folder, not_yet, remember
from pipelines.exchange.transport import RemoteFile, Retry, Source, TransientTransportError, TransportError
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.locks import exclusive_lock

ONCE: Final = Retry()
# A folder of which nothing is told: files count as finished, no name as a specification's.
ANY_NAMES: Final = Folder(UNION, 0.0, lambda name: False)
SETTLING: Final = frozenset({"KR-6331", "KR-6332", "KR-6333"})
TAKEN_AWAY: Final = frozenset({LedgerEvent.REMOVED_FROM_SERVER, LedgerEvent.GONE_FROM_SERVER})


@dataclass(frozen=True)
class Inbox:
    """Where files arrive in a deployment. `recorder`: who receives. `file_store`: where the archive lies.

    `judge(content, name without .p7m)` recognises and validates. With `partners` (the Union's certificates) a file must be
    sealed for us and signed by one of them, else it is kept apart (KR-6321 to KR-6323, KR-6325).
    """

    recorder: Recorder
    file_store: EncryptedFileStore
    judge: Judge
    partners: Sequence[x509.Certificate] = ()

    def collect(self, source: Source, folder: Folder = ANY_NAMES, retry: Retry = ONCE) -> list[Arrival]:
        """Take in every file of a folder; a bad file never stops the others. Gives one Arrival per name, sorted.

        Verified files then wait in the ledger. What is not finished by the rule of `folder` (see `left_behind`) stays for
        the next time, WAITING with the reason.
        Errors: KR-6114 another run holds the data folder; a transport error when the folder itself cannot be listed.
        """
        judging = Judging(self.recorder, self.file_store, self.judge)
        archive = Archive(self.recorder, self.file_store, self.partners)
        with exclusive_lock(self.file_store.data_folder, "inbox"):
            work = _Collection(self.recorder, archive, judging, source, folder)
            resumed = {
                entry.file_name: work.resumed(entry) for entry in self.recorder.entries(states={EntryState.RECEIVED})
            }
            try:
                retry.run(work.go_through)
            except TransientTransportError:
                if not work.failures:
                    raise
            done = {**work.failures, **work.arrivals}
            left = {folder.shown(name): str(one.code) for name, one in done.items() if one.is_left}
            remember(self.recorder, folder, work.listed.values(), left)
        found = {**resumed, **done}
        return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class _Archived:
    """A delivery that the archive holds, and the SHA-256 that it had on the server."""

    entry: Entry
    sha256: str


@dataclass(frozen=True)
class _Collection:
    """One call of `collect`, with what became of each name so far."""

    recorder: Recorder
    archive: Archive
    judging: Judging
    source: Source
    folder: Folder
    listed: dict[str, RemoteFile] = field(default_factory=dict)
    arrivals: dict[str, Arrival] = field(default_factory=dict)
    failures: dict[str, Arrival] = field(default_factory=dict)

    def resumed(self, entry: Entry) -> Arrival:
        """A file that an earlier run archived but did not judge."""
        try:
            return self.judging.judged(entry)
        except RenkeiError as error:
            return self._refusal(entry.file_name, error)

    def go_through(self) -> None:
        """Go once through the names that are not done. A transient failure is raised when the others are through."""
        self.failures.clear()
        self.listed.clear()
        self.listed.update({file.name: file for file in self.source.list()})
        for entry in self.recorder.entries(direction=Direction.INBOUND, states=FETCHING_STATES):
            if entry.file_name not in self.listed and self._is_here(entry):
                self.arrivals[entry.file_name] = self._after_it_went(entry)
        reasons = not_yet(self.recorder, self.folder, self.listed.values())
        failure: TransientTransportError | None = None
        for name in sorted(self.listed.keys() - self.arrivals.keys()):
            try:
                self.arrivals[name] = self._refusal(name, reasons[name]) if name in reasons else self._received(name)
            except TransientTransportError as error:
                failure = error
                self.failures.setdefault(name, self._refusal(name, error))
            except RenkeiError as error:
                self.arrivals[name] = self._refusal(name, error)
            except Exception as error:  # whatever a library raises, the others go on
                if is_disk_fault(error):
                    raise
                crashed = RenkeiError("KR-6336", name=name, reason=type(error).__name__)
                self.arrivals[name] = self._refusal(name, crashed)
        if failure is not None:
            raise failure

    def _is_here(self, entry: Entry) -> bool:
        """Whether an entry was detected in this folder."""
        return (entry.place or UNION) == self.folder.place

    def _refusal(self, name: str, error: RenkeiError) -> Arrival:
        state = WAITING if error.code in SETTLING else REFUSED
        return Arrival(self.folder.shown(name), state, code=error.code, message=str(error), is_left=True)

    def _received(self, name: str) -> Arrival:
        """One name of the folder, from wherever it stands to the end of its way."""
        file = self.listed[name]
        fetched = self._fetched(file)
        if isinstance(fetched, Arrival):
            return fetched
        return self._cleared(file, fetched, self.judging.judged(fetched.entry))

    def _fetched(self, file: RemoteFile) -> _Archived | Arrival:
        """One file of the folder, fetched and in the archive; or what became of it instead. Its bytes are let go of here."""
        last = self._last(file.name)
        is_there_still = last is not None and last.state not in FETCHING_STATES and not self._was_removed(last)
        entry = None if is_there_still else self._claimed(file, last)
        try:
            copy = Copy(self.source.get(file.name), file.size)
        except TransportError as error:
            return self._not_fetched(file, entry or last, error)
        if last is not None and is_there_still and copy.sha256 == (last.sealed_sha256 or last.sha256):
            return _Archived(last, copy.sha256)
        return self._kept_or_taken(entry or self._claimed(file, None), file, copy)

    def _last(self, name: str) -> Entry | None:
        """The newest delivery under this name in this folder."""
        deliveries = self.recorder.entries(direction=Direction.INBOUND, file_name=name)
        return next((entry for entry in reversed(deliveries) if self._is_here(entry)), None)

    def _was_removed(self, entry: Entry) -> bool:
        actions = {event.action for event in self.recorder.events(entry.id)}
        return entry.state == EntryState.VANISHED or bool(actions & TAKEN_AWAY)

    def _claimed(self, file: RemoteFile, last: Entry | None) -> Entry:
        """The entry that a fetch belongs to, claimed: one that an earlier run left unfinished, or a new one."""
        entry = last if last is not None and last.state in FETCHING_STATES else None
        if entry is None:
            place = None if self.folder.place == UNION else self.folder.place
            entry = self.recorder.create_inbound_entry(file.name, place)
        if entry.state != EntryState.DETECTED:
            return entry
        return self.recorder.transition(entry, EntryState.CLAIMED, expected=entry.state, size_on_server=file.size)

    def _not_fetched(self, file: RemoteFile, entry: Entry | None, error: TransportError) -> Arrival:
        """A fetch that failed: what came of it is kept, for the server may not give it again."""
        is_fetching = entry is not None and entry.state in FETCHING_STATES
        if error.received:
            entry = entry if entry is not None and is_fetching else self._claimed(file, None)
            self.archive.copies.keep(entry, Copy(error.received, file.size))
        elif entry is not None and not is_fetching and error.code == NOT_THERE:
            self.recorder.append_event(LedgerEvent.GONE_FROM_SERVER, entry_id=entry.id)
            return self.judging.arrival(entry)
        if entry is not None and error.code == NOT_THERE:
            return self._after_it_went(entry)
        raise error

    def _after_it_went(self, entry: Entry) -> Arrival:
        """A name that is not there any more before its fetch was confirmed: what was kept of it is judged, or kept apart."""
        archived = self.archive.take_newest(entry)
        if archived is not None:
            return self.judging.judged(archived)
        vanished = self.recorder.transition(entry, EntryState.VANISHED, expected=entry.state)
        return self.judging.arrival(vanished, "KR-6305")

    def _kept_or_taken(self, entry: Entry, file: RemoteFile, copy: Copy) -> _Archived | Arrival:
        """What was fetched, of the listed length and unchanged, is taken; anything else is kept, until it is fetched alike again."""
        found = found_after_fetching(self.source, file, copy.sha256)
        if (copy.is_whole and found is not Found.changed) or self.archive.copies.keep(entry, copy):
            return _Archived(self.archive.take(entry, copy), copy.sha256)
        if found is Found.gone:
            return self._after_it_went(entry)
        return replace(self.judging.arrival(entry, "KR-6303", state=WAITING), is_left=True)

    def _cleared(self, file: RemoteFile, archived: _Archived, arrival: Arrival) -> Arrival:
        """Removed from the folder, now that the archive holds it. Whoever replaced it meanwhile has it judged the next time."""
        try:
            found = found_again(self.source, file, archived.sha256)
            if found is Found.same:
                self.source.remove(file.name)
                self.recorder.append_event(LedgerEvent.REMOVED_FROM_SERVER, entry_id=archived.entry.id)
            elif found is Found.gone:
                self.recorder.append_event(LedgerEvent.GONE_FROM_SERVER, entry_id=archived.entry.id)
            return arrival
        except RenkeiError as error:
            left = _not_removed(arrival, error)
            if not isinstance(error, TransientTransportError):
                return left
            self.failures[file.name] = left
            raise


def _not_removed(arrival: Arrival, error: RenkeiError) -> Arrival:
    """What was taken and could not be removed: both are told, and the removal is tried again."""
    text = f"{NOT_REMOVED} {message(NOT_REMOVED).render(name=arrival.name, reason=error.code)}"
    said = f"{arrival.message} {text}".lstrip()
    return replace(arrival, code=NOT_REMOVED, message=said, is_left=True)
