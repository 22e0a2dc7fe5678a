"""Days and months in the Japanese calendar (和暦), for lists that people read. What files contain is `values`' own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from interfaces.spec import Era


@dataclass(frozen=True)
class JapaneseCalendar:
    """The eras, oldest first. A day before the first of them is written as YYYY-MM-DD."""

    eras: tuple[Era, ...]

    def day(self, day: dt.date) -> str:
        """令和8年4月16日."""
        year = self._year(day)
        return f"{year}{day.month}月{day.day}日" if year else day.isoformat()

    def short_day(self, day: dt.date) -> str:
        """R8.4.16, for narrow columns."""
        era = self._era(day)
        return f"{era.letter}{day.year - era.year_before}.{day.month}.{day.day}" if era else day.isoformat()

    def month(self, month: dt.date) -> str:
        """令和8年4月."""
        year = self._year(month)
        return f"{year}{month.month}月" if year else f"{month:%Y-%m}"

    def _year(self, day: dt.date) -> str:
        """令和8年; the first year of an era is 元年. Empty before the first era."""
        era = self._era(day)
        number = day.year - era.year_before if era else 0
        return f"{era.name}{'元' if number == 1 else number}年" if era else ""

    def _era(self, day: dt.date) -> Era | None:
        return next((era for era in reversed(self.eras) if era.start <= day), None)
