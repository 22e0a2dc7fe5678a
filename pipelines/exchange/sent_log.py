"""The log of sent files, one line of JSON each, outside the data folder: it survives when the data folder is restored from an
older backup. Names and hashes only; decides nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from interfaces.messages import RenkeiError, reason_of
from interfaces.private import private_folder
from pipelines.exchange.ledger.entry import Entry
from pipelines.storage.files import sync_folder


@dataclass(frozen=True)
class SentFile:
    """A file that was sent: the day or month that it is for (ISO 8601), its name, the SHA-256 of its content."""

    partition: str
    file_name: str
    sha256: str


@dataclass(frozen=True)
class SentLog:
    """The log file, readable by its owner alone and append-only."""

    path: Path

    def require_writable(self) -> None:
        """KR-6146 when no line could be appended: to be checked before a file is sent."""
        try:
            private_folder(self.path.parent)
            os.close(self._open())
        except OSError as error:
            raise RenkeiError("KR-6146", path=str(self.path), reason=reason_of(error)) from error

    def add(self, entry: Entry) -> None:
        """Append a sent file; on the disk when this returns."""
        line = json.dumps(
            asdict(SentFile(str(entry.partition), entry.file_name, str(entry.sha256))), ensure_ascii=False
        )
        handle = self._open()
        try:
            # The leading newline separates it from a line that a crash cut off.
            os.write(handle, f"\n{line}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(self.path.parent)

    def lines(self) -> list[SentFile]:
        """Every sent file, oldest first; lines that a crash cut off are skipped."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(SentFile(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
