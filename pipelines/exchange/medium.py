"""An electronic medium (電子記録媒体) as a folder: recognised, written, read, erased with verification. Knows no ledger."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from interfaces.messages import RenkeiError, reason_of
from pipelines.exchange.transport import LocalFolderTransport, RemoteFile
from pipelines.storage.files import erase_file, erasing, part_of, sha256_of, sync_folder, write_durably

# The file on a medium that contains its 管理番号 and nothing else.
MARKER: Final = "媒体管理番号.txt"


@dataclass(frozen=True)
class SystemNames:
    """Patterns of names that operating systems put on media (`media/system_names.csv`), case-insensitive.

    `left_alone`: to be ignored. `bins`: folders with deleted files of a person, whose content counts.
    """

    left_alone: tuple[str, ...] = ()
    bins: tuple[str, ...] = ()

    def are_left_alone(self, name: str) -> bool:
        """Whether a name is to be ignored."""
        return _matches(name, self.left_alone)

    def are_bins(self, name: str) -> bool:
        """Whether a name is that of a folder for deleted files."""
        return _matches(name, self.bins)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


@dataclass(frozen=True)
class Erased:
    """A file that was erased from a medium."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Medium:
    """A medium that may be used. `number`: its 管理番号. `system`: the names of files that are not ours."""

    number: str
    folder: Path
    system: SystemNames

    @classmethod
    def at(cls, folder: Path, allowed: tuple[str, ...], system: SystemNames) -> Medium:
        """The medium in a folder. KR-6602 it has no number, KR-6601 its number is not on the allow-list."""
        try:
            number = _text((folder / MARKER).read_bytes()).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise RenkeiError("KR-6602", folder=folder.absolute().name, marker=MARKER) from error
        if number not in allowed:
            raise RenkeiError("KR-6601", medium=number[:40])
        return cls(number, folder, system)

    def files(self) -> list[Path]:
        """Everything on it but its number and system files; including folders, hidden files and the content of bins."""
        return sorted(self._files())

    def _files(self) -> Iterator[Path]:
        for path in self.folder.iterdir():
            if path.name == MARKER or self.system.are_left_alone(path.name):
                continue
            if self.system.are_bins(path.name) and path.is_dir() and not path.is_symlink():
                yield from (
                    content for content in path.rglob("*") if not content.is_dir() and not self._is_systems(content)
                )
            else:
                yield path

    def _is_systems(self, path: Path) -> bool:
        return self.system.are_left_alone(path.name)

    def require_empty(self) -> None:
        """KR-6603 when files of an earlier job are still there."""
        if self.files():
            raise RenkeiError("KR-6603", medium=self.number, count=len(self.files()))

    def write(self, data: bytes, name: str, sha256: str) -> None:
        """Write and verify a copy; KR-6604 when it cannot be written or reads back differently: then no part of it stays."""
        reason = "読み返した内容が元と違います"
        try:
            write_durably(self.folder / name, data)
            if sha256_of(self.folder / name) == sha256:
                return
        except OSError as error:
            reason = reason_of(error)
        with suppress(OSError):
            part_of(self.folder / name).unlink(missing_ok=True)
        raise RenkeiError("KR-6604", medium=self.number, name=name, reason=reason)

    def erase(self, on_erased: Callable[[Erased], None]) -> list[Erased]:
        """Overwrite and remove everything but the number, and list again; KR-6606 when something is left.

        `on_erased` is called for each erased file, so it is recorded even if erasing the next one fails. Data that a flash
        chip keeps out of reach of the file system is only removed by destroying the medium: people have to do that.
        """
        erased: list[Erased] = []
        for path in self.files():
            for file in sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]:
                if file.is_file() and not file.is_symlink():
                    with erasing(self.shown, file.name):
                        gone = Erased(str(file.relative_to(self.folder)), file.stat().st_size, sha256_of(file))
                        erase_file(file)
                    erased.append(gone)
                    on_erased(gone)
            with erasing(self.shown, path.name):
                if path.is_symlink():
                    path.unlink()
                elif path.is_dir():
                    shutil.rmtree(path)
        sync_folder(self.folder)
        left = self.files()
        if left:
            raise RenkeiError("KR-6606", place=self.shown, name=left[0].name, reason="まだ残っています")
        return erased

    @property
    def shown(self) -> str:
        """The medium's name in messages."""
        return f"媒体 {self.number}"


def _text(data: bytes) -> str:
    """Decode what an editor saved: UTF-16 or UTF-8 with BOM, UTF-8, or CP932. UnicodeDecodeError when it is none of them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp932")


class MediumTransport(LocalFolderTransport):
    """A medium as a source of files; a received file is overwritten before it is removed."""

    def __init__(self, medium: Medium) -> None:
        super().__init__(medium.folder)
        self._medium = medium

    def list(self) -> list[RemoteFile]:
        """Everything but the medium's number and system files."""
        return [file for file in super().list() if file.name != MARKER and not self._is_systems(file.name)]

    def _is_systems(self, name: str) -> bool:
        return self._medium.system.are_left_alone(name) or self._medium.system.are_bins(name)

    def remove(self, name: str) -> None:
        """Overwrite, then remove; KR-6606 when the medium does not allow it."""
        with erasing(self._medium.shown, name):
            if (self.folder / name).is_file():
                erase_file(self.folder / name)
        super().remove(name)
