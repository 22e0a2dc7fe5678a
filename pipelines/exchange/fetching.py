"""Whether what was fetched is still what the server holds, and copies of deliveries of which that is not sure.

A copy is thrown away only when everything in it lies in the archive: a server may have given it once and for all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final

from interfaces.messages import RenkeiError
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.exchange.transport import RemoteFile, Source
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.cms import SUFFIX, plain_name
from pipelines.storage.files import erase_file, erasing

NOT_THERE: Final = "KR-6204"


class Found(Enum):
    """What the server holds under a name whose content we have."""

    same = "same"
    gone = "gone"
    changed = "changed"
    unknown = "unknown"


def found_again(source: Source, file: RemoteFile, sha256: str) -> Found:
    """What lies there now, compared with `file` as it was listed and the content that was fetched. Transport errors come through.

    Where size and time say nothing, or only the time differs (some servers change it by reading), the content decides.
    """
    there = source.stat(file.name)
    if there is None:
        return Found.gone
    if there == file and (file.size is not None or file.modified is not None):
        return Found.same
    if there.size != file.size:
        return Found.changed
    try:
        return Found.same if source.read_sha256(file.name) == sha256 else Found.changed
    except RenkeiError as error:
        if error.code == NOT_THERE:
            return Found.gone
        raise


def found_after_fetching(source: Source, file: RemoteFile, sha256: str) -> Found:
    """As `found_again`; a server that does not answer leaves it unknown."""
    try:
        return found_again(source, file, sha256)
    except RenkeiError:
        return Found.unknown


def quarantine_folder(data_folder: Path, entry_id: int) -> Path:
    """Where the copies and the reports of a quarantined entry lie."""
    return data_folder / "quarantine" / str(entry_id)


@dataclass(frozen=True)
class Copy:
    """What a fetch gave, and the size that the server had told (None: none)."""

    data: bytes
    listed_size: int | None

    @cached_property
    def sha256(self) -> str:
        """Of the data."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def is_whole(self) -> bool:
        """Whether the copy has the size that the server told."""
        return self.listed_size is None or self.listed_size == len(self.data)


@dataclass(frozen=True)
class Copies:
    """Deliveries as they were fetched, kept closed in the quarantine folder of their entry, each with a note in the ledger."""

    recorder: Recorder
    file_store: EncryptedFileStore

    def keep(self, entry: Entry, copy: Copy) -> bool:
        """Keep a copy. True when the same content was kept before: fetched twice alike, it is what the server has."""
        if copy.sha256 in self._noted(entry):
            return True
        self.file_store.put(self._path(entry, copy.sha256), copy.data)
        self.recorder.append_event(
            LedgerEvent.KEPT_COPY,
            entry_id=entry.id,
            sha256=copy.sha256,
            size=len(copy.data),
            listed_size=copy.listed_size,
        )
        return False

    def newest(self, entry: Entry) -> Copy | None:
        """The copy kept last; None when there is none."""
        noted = self._noted(entry)
        if not noted:
            return None
        sha256, listed_size = list(noted.items())[-1]
        return Copy(self.file_store.read(self._path(entry, sha256)), listed_size)

    def drop(self, entry: Entry, archived: bytes) -> None:
        """Erase every copy that is the archived content or its beginning."""
        for sha256 in self._noted(entry):
            path = self._path(entry, sha256)
            if path.is_file() and archived.startswith(self.file_store.read(path)):
                with erasing("隔離のフォルダ", path.name):
                    erase_file(path)
                    if not any(path.parent.iterdir()):
                        path.parent.rmdir()

    def _noted(self, entry: Entry) -> dict[str, int | None]:
        """SHA-256 and the size that the server had told, oldest first."""
        events = self.recorder.events(entry.id)
        kept = (event.detail for event in events if event.action == LedgerEvent.KEPT_COPY)
        return {str(detail["sha256"]): detail["listed_size"] for detail in kept}

    def _path(self, entry: Entry, sha256: str) -> Path:
        name = f"copy_{sha256[:12]}_{plain_name(entry.file_name)}{SUFFIX}"
        return quarantine_folder(self.file_store.data_folder, entry.id) / name
