"""How much room a disk has and how much is needed, and the error when it is full (KR-6211)."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interfaces.messages import RenkeiError

SMALLEST_NEED_BYTES: Final = 200_000_000  # a small municipality's day with Dagster's records, many times over
FULL_BYTES: Final = 1_000_000  # with less than this, a database cannot be opened


@dataclass(frozen=True)
class Disk:
    """Bytes that are free where the data are, and bytes that a day needs."""

    free: int
    needed: int

    @classmethod
    def of(cls, folder: Path, needed: int = SMALLEST_NEED_BYTES) -> Disk:
        """The disk of a folder, which need not exist yet."""
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return cls(shutil.disk_usage(folder).free, needed)

    @property
    def is_low(self) -> bool:
        """Whether the next day may not find room."""
        return self.free < self.needed

    @property
    def is_full(self) -> bool:
        """Whether nothing can be written any more."""
        return self.free < FULL_BYTES

    def __str__(self) -> str:
        return f"空き {megabytes(self.free)}、必要 {megabytes(self.needed)}"

    def error(self, name: str) -> RenkeiError:
        """KR-6211: `name` could not be written."""
        return RenkeiError("KR-6211", name=name, room=str(self))


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
