"""An electronic medium (電子記録媒体) as a folder: recognised, written, read, erased with a proof. Knows no ledger."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interfaces.messages import RenkeiError
from pipelines.exchange.files import copy_durably, erase_file, sha256_of, sync_folder
from pipelines.exchange.transport import LocalFolderTransport, RemoteFile

# The file on a medium that holds its 管理番号 and nothing else.
MARKER: Final = "媒体管理番号.txt"


@dataclass(frozen=True)
class Erased:
    """What was on a medium and is not any more."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Medium:
    """A medium that may be used. `number`: its 管理番号."""

    number: str
    folder: Path

    @classmethod
    def at(cls, folder: Path, allowed: tuple[str, ...]) -> Medium:
        """The medium in a folder. KR-6602 it has no number, KR-6601 its number is not on the allow-list."""
        try:
            number = (folder / MARKER).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise RenkeiError("KR-6602", folder=folder.absolute().name, marker=MARKER) from error
        if number not in allowed:
            raise RenkeiError("KR-6601", medium=number[:40])
        return cls(number, folder)

    def files(self) -> list[Path]:
        """Everything on it but its number, folders and hidden files too."""
        return sorted(path for path in self.folder.iterdir() if path.name != MARKER)

    def require_empty(self) -> None:
        """KR-6603 when something of an earlier job is still there."""
        if self.files():
            raise RenkeiError("KR-6603", medium=self.number, count=len(self.files()))

    def write(self, source: Path, name: str, sha256: str) -> None:
        """A verified copy; KR-6604 when it reads back otherwise."""
        copy_durably(source, self.folder / name)
        if sha256_of(self.folder / name) != sha256:
            raise RenkeiError("KR-6604", medium=self.number, name=name)

    def erase(self) -> list[Erased]:
        """Overwrite and remove everything but the number, and look again; KR-6606 when something is left.

        What a flash chip keeps beyond the reach of its file system only its destruction removes: that is for people.
        """
        erased: list[Erased] = []
        for path in self.files():
            for file in sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]:
                if file.is_file() and not file.is_symlink():
                    erased.append(Erased(str(file.relative_to(self.folder)), file.stat().st_size, sha256_of(file)))
                    erase_file(file)
            if path.is_symlink():
                path.unlink()
            elif path.is_dir():
                shutil.rmtree(path)
        sync_folder(self.folder)
        left = self.files()
        if left:
            raise RenkeiError("KR-6606", medium=self.number, name=left[0].name)
        return erased


class MediumTransport(LocalFolderTransport):
    """A medium as the place from which files arrive; what was taken in is overwritten before it is removed."""

    def list(self) -> list[RemoteFile]:
        """Everything but the medium's number."""
        return [file for file in super().list() if file.name != MARKER]

    def remove(self, name: str) -> None:
        """Overwrite, then remove."""
        if (self.folder / name).is_file():
            erase_file(self.folder / name)
        super().remove(name)
