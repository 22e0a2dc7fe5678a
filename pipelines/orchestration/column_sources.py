"""From which column every column of an asset comes: column_sources.csv, read. `table_metadata` shows it; nothing depends on it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("column_sources.csv")
EVERY = "*"  # in the table: every column that has no row of its own, and that the source has by the same name


@dataclass(frozen=True)
class Source:
    """Where a column comes from, and how. asset, column: None when it is made of no column of an asset."""

    asset: str | None
    column: str | None
    how: str

    def __str__(self) -> str:
        return self.how if self.asset is None else f"{self.asset}.{self.column}"


@dataclass(frozen=True)
class ColumnSources:
    """The sources of every column. columns: those of every asset; an asset that is not among them is a system outside."""

    columns: Mapping[str, Collection[str]]

    def of(self, asset: str, column: str) -> list[Source]:
        """The direct sources of a column; none when the table does not name it."""
        rows = _rows().get(asset, [])
        own = [_source(row, column) for row in rows if row["項目"] == column]
        every = [_source(row, column) for row in rows if row["項目"] == EVERY and self._has(row["元の資産"], column)]
        return own or every[:1]

    def origins(self, asset: str, column: str) -> list[Source]:
        """The columns of files from outside, or what else a column is made of in the end, each once."""
        found: dict[Source, None] = {}
        for source in self.of(asset, column):
            if source.asset is None or source.column is None:
                found[source] = None
            elif source.asset not in self.columns:
                found[Source(asset, column, source.how)] = None
            else:
                found |= dict.fromkeys(self.origins(source.asset, source.column))
        return list(found)

    def _has(self, asset: str, column: str) -> bool:
        return asset not in self.columns or column in self.columns[asset]


@lru_cache(maxsize=1)
def _rows() -> dict[str, list[dict[str, str]]]:
    """The rows of the table, in their order, by asset."""
    found: dict[str, list[dict[str, str]]] = {}
    with TABLE.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle, strict=True):
            found.setdefault(row["資産"], []).append(row)
    return found


def _source(row: Mapping[str, str], column: str) -> Source:
    if not row["元の資産"]:
        return Source(None, None, row["加工"])
    return Source(row["元の資産"], column if row["元の項目"] == EVERY else row["元の項目"], row["加工"])
