"""What the worksheet and the printed lists of a month show instead of codes and ISO dates: 和暦, names of municipalities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from interfaces.catalogue import Catalogue, read_rows
from interfaces.japanese_calendar import JapaneseCalendar


@dataclass(frozen=True)
class Words:
    """How values are shown. municipalities: 市区町村コード -> name, as far as `municipalities.csv` has them."""

    calendar: JapaneseCalendar
    municipalities: Mapping[str, str]

    @classmethod
    def of(cls, catalogue: Catalogue, month: dt.date) -> Words:
        """The words of a catalogue, as of a month; KR-7101 when municipalities.csv cannot be read."""
        rows = read_rows(catalogue.root / "municipalities.csv", ("開始日", "終了日"))
        names = {
            row["市区町村コード"]: row["名称"]
            for row in rows
            if row.day("開始日", dt.date.min) <= month < row.day("終了日", dt.date.max)
        }
        return cls(catalogue.calendar, names)

    def municipality(self, code: str) -> str:
        """架空市 999989; the code alone when the table does not have it."""
        return f"{self.municipalities[code]} {code}" if code in self.municipalities else code

    def shown(self, column: str, value: object) -> str:
        """A value of a column as text; null is empty."""
        if isinstance(value, dt.date):
            return self.calendar.short_day(value)
        text = "" if value is None else str(value)
        return self.municipality(text) if column.endswith("municipality_code") else text
