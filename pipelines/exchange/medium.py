"""An electronic medium (電子記録媒体) as a folder: recognised, written, read, erased with a proof. Knows no ledger."""

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

# The file on a medium that holds its 管理番号 and nothing else.
MARKER: Final = "媒体管理番号.txt"


@dataclass(frozen=True)
class SystemNames:
    """Names that operating systems put on media, as patterns (`media/system_names.csv`); upper and lower case are one.

    `left_alone`: nobody's files. `bins`: what a person threw away lies in them, so their content is looked at.
    """

    left_alone: tuple[str, ...] = ()
    bins: tuple[str, ...] = ()

    def are_left_alone(self, name: str) -> bool:
        """Whether it is nothing of ours."""
        return _matches(name, self.left_alone)

    def are_bins(self, name: str) -> bool:
        """Whether it is a folder for what was thrown away."""
        return _matches(name, self.bins)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


@dataclass(frozen=True)
class Erased:
    """What was on a medium and is not any more."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Medium:
    """A medium that may be used. `number`: its 管理番号. `system`: what on it is not ours."""

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
        """Everything on it but its number and what systems make; folders, hidden files and what lies in a bin too."""
        return sorted(self._files())

    def _files(self) -> Iterator[Path]:
        for path in self.folder.iterdir():
            if path.name == MARKER or self.system.are_left_alone(path.name):
                continue
            if self.system.are_bins(path.name) and path.is_dir() and not path.is_symlink():
                yield from (one for one in path.rglob("*") if not one.is_dir() and not self._is_systems(one))
            else:
                yield path

    def _is_systems(self, path: Path) -> bool:
        return self.system.are_left_alone(path.name)

    def require_empty(self) -> None:
        """KR-6603 when something of an earlier job is still there."""
        if self.files():
            raise RenkeiError("KR-6603", medium=self.number, count=len(self.files()))

    def write(self, data: bytes, name: str, sha256: str) -> None:
        """A verified copy; KR-6604 when it cannot be written or reads back otherwise: then no part of it is left there."""
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

    def erase(self, tell: Callable[[Erased], None]) -> list[Erased]:
        """Overwrite and remove everything but the number, and look again; KR-6606 when something is left.

        `tell` is told of each file when it is gone, so that what was erased is known also when the next one stays.
        What a flash chip keeps beyond the reach of its file system only its destruction removes: that is for people.
        """
        erased: list[Erased] = []
        for path in self.files():
            for file in sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]:
                if file.is_file() and not file.is_symlink():
                    with erasing(self.shown, file.name):
                        one = Erased(str(file.relative_to(self.folder)), file.stat().st_size, sha256_of(file))
                        erase_file(file)
                    erased.append(one)
                    tell(one)
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
        """The medium as a message calls it."""
        return f"媒体 {self.number}"


def _text(data: bytes) -> str:
    """What an editor saved: UTF-16 or UTF-8 with its mark, UTF-8, or CP932. UnicodeDecodeError when it is none of them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp932")


class MediumTransport(LocalFolderTransport):
    """A medium as the place from which files arrive; what was taken in is overwritten before it is removed."""

    def __init__(self, medium: Medium) -> None:
        super().__init__(medium.folder)
        self._medium = medium

    def list(self) -> list[RemoteFile]:
        """Everything but the medium's number and what systems make."""
        return [file for file in super().list() if file.name != MARKER and not self._is_systems(file.name)]

    def _is_systems(self, name: str) -> bool:
        return self._medium.system.are_left_alone(name) or self._medium.system.are_bins(name)

    def remove(self, name: str) -> None:
        """Overwrite, then remove; KR-6606 when the medium does not let it."""
        with erasing(self._medium.shown, name):
            if (self.folder / name).is_file():
                erase_file(self.folder / name)
        super().remove(name)
