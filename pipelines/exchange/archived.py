"""Received files in the archive: stored once, read again and verified against the ledger. Does not know their content."""

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

# Faults of a file's signature or encryption, not of our keys: the file is quarantined.
BROKEN_SEALS: Final = frozenset({"KR-6321", "KR-6322", "KR-6323"})


def archive_of(file_store: EncryptedFileStore, entry: Entry) -> Path | None:
    """The path of an entry's file in the archive; None before it is received, and for a duplicate."""
    return None if entry.archive_path is None else file_store.data_folder / entry.archive_path


def archived_content(file_store: EncryptedFileStore, entry: Entry) -> bytes:
    """The archived content of a received entry, verified against the ledger; KR-6313 when it is missing or changed."""
    archive = archive_of(file_store, entry)
    content = file_store.read_intact(archive, str(entry.sha256)) if archive else None
    if content is None:
        raise RenkeiError("KR-6313", entry_id=entry.id)
    return content


@dataclass(frozen=True)
class InboundArchive:
    """Stores fetched files in the archive. `partners`: the Union's certificates; empty if files are not encrypted."""

    recorder: Recorder
    file_store: EncryptedFileStore
    partners: Sequence[x509.Certificate]

    @property
    def copies(self) -> Copies:
        """Fetched copies that may differ from what the server has."""
        return Copies(self.recorder, self.file_store)

    def put(self, entry: Entry, copy: Copy, **more_facts: Any) -> Entry:
        """Store a fetched file in the archive (`received`); the same content again is not stored (`duplicate`)."""
        data, facts = self._content(entry, copy)
        sha256 = copy.sha256 if data is copy.data else hashlib.sha256(data).hexdigest()
        facts |= {"sha256": sha256, "size": len(data), **more_facts}
        delivered = self.recorder.entries(direction=Direction.INBOUND, sha256=sha256, states=DEDUPLICATED_STATES)
        # A file with a seal fault has no proven sender: the same content with a valid seal is not its duplicate.
        earlier = [delivered_entry for delivered_entry in delivered if delivered_entry.seal_fault is None]
        if earlier:
            with self.recorder.transaction() as work:
                received = work.transition(entry, EntryState.RECEIVED, expected=entry.state, **facts)
                archived = work.transition(
                    received, EntryState.DUPLICATE, expected=received.state, duplicate_of=earlier[0].id
                )
        else:
            day = self.recorder.now().date().isoformat()
            archive = Path("archive", "from_union", day, f"{sha256[:12]}_{plain_name(entry.file_name)}{SUFFIX}")
            self.file_store.put(self.file_store.data_folder / archive, data)
            facts["archive"] = archive.as_posix()
            archived = self.recorder.transition(entry, EntryState.RECEIVED, expected=entry.state, **facts)
        self.copies.drop(entry, copy.data)
        return archived

    def put_newest_copy(self, entry: Entry) -> Entry | None:
        """Store the copy that was kept last; None when there is none."""
        copy = self.copies.newest(entry)
        return None if copy is None else self.put(entry, copy, **({} if copy.is_whole else {"incomplete": True}))

    def _content(self, entry: Entry, copy: Copy) -> tuple[bytes, dict[str, Any]]:
        """The content of a fetched file, and the facts about its seal. A file that cannot be decrypted stays as it is."""
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
