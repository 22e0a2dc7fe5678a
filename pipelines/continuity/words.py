"""What the worksheet and the printed lists of a month show instead of codes and ISO dates: 和暦, names of municipalities."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from interfaces.catalogue import Catalogue, read_rows
from interfaces.japanese_calendar import JapaneseCalendar

# Texts that the program made of the candidates' rows; a clerk's own words stay as they are.
_TEXTS_WITH_DAYS = {"old_people", "new_people", "facts_in_words"}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


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
        """A value of a column as text, also the days within a text (as YYYY-MM-DD) in 和暦; null is empty."""
        if isinstance(value, dt.date):
            return self.calendar.short_day(value)
        text = "" if value is None else str(value)
        if column.endswith("municipality_code"):
            return self.municipality(text)
        if column not in _TEXTS_WITH_DAYS:
            return text
        return _DAY.sub(lambda found: self.calendar.short_day(dt.date.fromisoformat(found[0])), text)
