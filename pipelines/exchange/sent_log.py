"""What has left, a line of JSON for each file, kept outside the data folder: a data folder that comes from a backup does
not know of it, this file does. Names and hashes only; decides nothing."""

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
class Left:
    """A file that left: the day or month that it is for (ISO 8601), its name, the SHA-256 of its content."""

    partition: str
    file_name: str
    sha256: str


@dataclass(frozen=True)
class SentLog:
    """The file with the lines, owner only. It is only ever added to."""

    path: Path

    def require_writable(self) -> None:
        """KR-6146 when no line could be added: to be asked before a file leaves."""
        try:
            private_folder(self.path.parent)
            os.close(self._opened())
        except OSError as error:
            raise RenkeiError("KR-6146", path=str(self.path), reason=reason_of(error)) from error

    def add(self, entry: Entry) -> None:
        """Tell that a file has left; on the disk when this returns."""
        line = json.dumps(asdict(Left(str(entry.partition), entry.file_name, str(entry.sha256))), ensure_ascii=False)
        handle = self._opened()
        try:
            # A line that a crash cut off stays a line of its own.
            os.write(handle, f"\n{line}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(self.path.parent)

    def lines(self) -> list[Left]:
        """Every file that left, oldest first; what a crash cut off is no line."""
        if not self.path.is_file():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(Left(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def _opened(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
