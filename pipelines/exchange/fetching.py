"""Compares fetched content with what the server has, and keeps copies of fetches where they may differ.

A copy is erased only when the archive has all of its content: the server may never provide it again.
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


class ServerContent(Enum):
    """What the server has under a name whose content we have fetched."""

    same = "same"
    gone = "gone"
    changed = "changed"
    unknown = "unknown"


def compare_with_server(source: Source, file: RemoteFile, sha256: str) -> ServerContent:
    """What the server has now, compared with the listed `file` and the fetched content. Raises transport errors.

    If there is no size and time, or only the time differs (some servers change it on reading), the content is compared.
    """
    current = source.stat(file.name)
    if current is None:
        return ServerContent.gone
    if current == file and (file.size is not None or file.modified is not None):
        return ServerContent.same
    if current.size != file.size:
        return ServerContent.changed
    try:
        return ServerContent.same if source.read_sha256(file.name) == sha256 else ServerContent.changed
    except RenkeiError as error:
        if error.code == NOT_THERE:
            return ServerContent.gone
        raise


def compare_after_fetch(source: Source, file: RemoteFile, sha256: str) -> ServerContent:
    """Like `compare_with_server`; `unknown` if the server does not answer."""
    try:
        return compare_with_server(source, file, sha256)
    except RenkeiError:
        return ServerContent.unknown


def quarantine_folder(data_folder: Path, entry_id: int) -> Path:
    """The folder with the copies and reports of a quarantined entry."""
    return data_folder / "quarantine" / str(entry_id)


@dataclass(frozen=True)
class Copy:
    """The result of a fetch, and the size that the server had listed (None: no size)."""

    data: bytes
    listed_size: int | None

    @cached_property
    def sha256(self) -> str:
        """Of the data."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def is_whole(self) -> bool:
        """Whether the copy has the listed size."""
        return self.listed_size is None or self.listed_size == len(self.data)


@dataclass(frozen=True)
class Copies:
    """Fetched copies, encrypted in the quarantine folder of their entry, each with an event in the ledger."""

    recorder: Recorder
    file_store: EncryptedFileStore

    def keep(self, entry: Entry, copy: Copy) -> bool:
        """Keep a copy. True if the same content was kept before: two equal fetches prove that it is what the server has."""
        if copy.sha256 in self._kept_copies(entry):
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
        kept = self._kept_copies(entry)
        if not kept:
            return None
        sha256, listed_size = list(kept.items())[-1]
        return Copy(self.file_store.read(self._path(entry, sha256)), listed_size)

    def drop(self, entry: Entry, archived: bytes) -> None:
        """Erase every copy that is the archived content or its beginning."""
        for sha256 in self._kept_copies(entry):
            path = self._path(entry, sha256)
            if path.is_file() and archived.startswith(self.file_store.read(path)):
                with erasing("隔離のフォルダ", path.name):
                    erase_file(path)
                    if not any(path.parent.iterdir()):
                        path.parent.rmdir()

    def _kept_copies(self, entry: Entry) -> dict[str, int | None]:
        """SHA-256 and listed size of the kept copies, oldest first."""
        events = self.recorder.events(entry.id)
        kept = (event.detail for event in events if event.action == LedgerEvent.KEPT_COPY)
        return {str(detail["sha256"]): detail["listed_size"] for detail in kept}

    def _path(self, entry: Entry, sha256: str) -> Path:
        name = f"copy_{sha256[:12]}_{plain_name(entry.file_name)}{SUFFIX}"
        return quarantine_folder(self.file_store.data_folder, entry.id) / name
