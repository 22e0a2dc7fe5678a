"""What rows of the catalogue leave open, completed from the rows around them and from the dictionary. Reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from interfaces.spec import Code, Item, Sensitivity

# Of an item that is not in the dictionary, which the linter says.
_UNKNOWN = Sensitivity("", "all", "")


@dataclass(frozen=True)
class DictionaryEntry:
    """An item as the whole catalogue knows it: one id, one official name, one sensitivity."""

    id: str
    name: str
    sensitivity: str
    description: str


class ItemRows:
    """The rows of one item table, in order. 項番, 開始位置, 項目名 and 秘匿区分 may be empty."""

    def __init__(
        self, is_fixed: bool, dictionary: Mapping[str, DictionaryEntry], sensitivities: Mapping[str, Sensitivity]
    ) -> None:
        self._is_fixed, self._dictionary, self._sensitivities = is_fixed, dictionary, sensitivities
        self._number, self._end = 0, 1

    def item(self, **cells: Any) -> Item:
        """The item of the next row. An empty 項番 or 開始位置 follows the row before; the rest is in the dictionary."""
        entry = self._dictionary.get(cells["id"])
        number = cells["number"] if cells["number"] is not None else self._number + 1
        start = cells["start"] if cells["start"] is not None or not self._is_fixed else self._end
        sensitivity = cells["sensitivity"] or self._sensitivities.get(entry.sensitivity if entry else "", _UNKNOWN)
        name = cells["name"] or (entry.name if entry else "")
        self._number, self._end = number, (start or self._end) + cells["length"]
        return Item(**cells | {"number": number, "start": start, "sensitivity": sensitivity, "name": name})


def with_parents(codes: tuple[Code, ...]) -> tuple[Code, ...]:
    """The codes of a table; one without 意味 has that of its 上位コード, as far up as need be."""
    known = {code.value: code for code in codes}
    return tuple(replace(code, meaning=_meaning(code, known)) for code in codes)


def _meaning(code: Code, known: Mapping[str, Code]) -> str:
    seen: set[str] = set()
    while not code.meaning and code.parent in known and code.parent not in seen:
        seen.add(code.parent)
        code = known[code.parent]
    return code.meaning
