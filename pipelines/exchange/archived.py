"""Deliveries in the archive: put there once, opened again and proved against the ledger. What they say is not known here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from interfaces.messages import RenkeiError
from pipelines.exchange.fetching import Copies, Copy
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import DEDUPLICATED_STATES, Direction, EntryState
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.cms import SUFFIX, decrypt_and_verify, plain_name

# What is wrong with a file's seal, and not with our keys: the file is kept apart.
BROKEN_SEALS: Final = frozenset({"KR-6321", "KR-6322", "KR-6323"})


def archive_of(file_store: EncryptedFileStore, entry: Entry) -> Path | None:
    """Where the archive holds an entry; None before it is received, and for a duplicate."""
    return None if entry.archive_path is None else file_store.data_folder / entry.archive_path


def archived_content(file_store: EncryptedFileStore, entry: Entry) -> bytes:
    """What the archive holds of a received entry, proved against the ledger; KR-6313 when it is gone or changed."""
    archive = archive_of(file_store, entry)
    content = file_store.read_intact(archive, str(entry.sha256)) if archive else None
    if content is None:
        raise RenkeiError("KR-6313", entry_id=entry.id)
    return content


@dataclass(frozen=True)
class Archive:
    """Takes what was fetched into the archive. `partners`: the Union's certificates; empty where files come unsealed."""

    recorder: Recorder
    file_store: EncryptedFileStore
    partners: Sequence[x509.Certificate]

    @property
    def copies(self) -> Copies:
        """Deliveries of which it is not sure that they are what the server holds."""
        return Copies(self.recorder, self.file_store)

    def take(self, entry: Entry, copy: Copy, **told: Any) -> Entry:
        """Put what was fetched into the archive, `received`; the same content again is not kept, `duplicate`."""
        data, facts = self._content(entry, copy)
        sha256 = copy.sha256 if data is copy.data else hashlib.sha256(data).hexdigest()
        facts |= {"sha256": sha256, "size": len(data), **told}
        delivered = self.recorder.entries(direction=Direction.INBOUND, sha256=sha256, states=DEDUPLICATED_STATES)
        # What came without a sound seal is nobody's word: the same content under a sound one is not its duplicate.
        known = [one for one in delivered if one.seal_fault is None]
        if known:
            with self.recorder.transaction() as work:
                received = work.transition(entry, EntryState.RECEIVED, expected=entry.state, **facts)
                taken = work.transition(
                    received, EntryState.DUPLICATE, expected=received.state, duplicate_of=known[0].id
                )
        else:
            day = self.recorder.now().date().isoformat()
            archive = Path("archive", "from_union", day, f"{sha256[:12]}_{plain_name(entry.file_name)}{SUFFIX}")
            self.file_store.put(self.file_store.data_folder / archive, data)
            facts["archive"] = archive.as_posix()
            taken = self.recorder.transition(entry, EntryState.RECEIVED, expected=entry.state, **facts)
        self.copies.drop(entry, copy.data)
        return taken

    def take_newest(self, entry: Entry) -> Entry | None:
        """Take the copy that was kept last; None when there is none."""
        copy = self.copies.newest(entry)
        return None if copy is None else self.take(entry, copy, **({} if copy.is_whole else {"incomplete": True}))

    def _content(self, entry: Entry, copy: Copy) -> tuple[bytes, dict[str, Any]]:
        """What a delivery holds, and what the ledger should know of its seal. One that cannot be opened stays as it came."""
        if not self.partners:
            return copy.data, {}
        if not entry.file_name.endswith(SUFFIX):
            return copy.data, {"seal": "KR-6325"}
        facts = {"sealed_sha256": copy.sha256}
        try:
            return decrypt_and_verify(copy.data, self.file_store.ring, self.partners, self.recorder.now()), facts
        except RenkeiError as error:
            if error.code not in BROKEN_SEALS:
                raise
            return copy.data, facts | {"seal": error.code}
