"""Time in Asia/Tokyo, the Union's business days and monthly days. Knows no interface file and no Dagster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import jpholiday

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError

TOKYO = ZoneInfo("Asia/Tokyo")
_SATURDAY = 5
# 行政機関の休日に関する法律 第1条: 12月29日から翌年1月3日まで.
_YEAR_END = frozenset({(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)})


def tokyo_now() -> dt.datetime:
    """The current time in Asia/Tokyo."""
    return dt.datetime.now(TOKYO)


def tokyo_time(at: str) -> dt.datetime:
    """A time as the ledger writes it (ISO 8601 with its offset), in Asia/Tokyo."""
    return dt.datetime.fromisoformat(at).astimezone(TOKYO)


def time_in_words(at: str) -> str:
    """Such a time as text for people: `YYYY-MM-DD HH:MM:SS` in Asia/Tokyo."""
    return f"{tokyo_time(at):%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=4096)
def is_business_day(day: dt.date) -> bool:
    """Neither Saturday, Sunday, a public holiday (jpholiday), nor 12-29 to 01-03."""
    return day.weekday() < _SATURDAY and (day.month, day.day) not in _YEAR_END and not jpholiday.is_holiday(day)


def business_days(first: dt.date, end: dt.date) -> Iterator[dt.date]:
    """The business days of [first, end)."""
    day = first
    while day < end:
        if is_business_day(day):
            yield day
        day += dt.timedelta(days=1)


def next_business_day(day: dt.date) -> dt.date:
    """The first business day after `day`."""
    following = day + dt.timedelta(days=1)
    while not is_business_day(following):
        following += dt.timedelta(days=1)
    return following


def previous_business_day(day: dt.date) -> dt.date:
    """The last business day before `day`."""
    before = day - dt.timedelta(days=1)
    while not is_business_day(before):
        before -= dt.timedelta(days=1)
    return before


def holidays(first: dt.date, end: dt.date) -> list[dt.date]:
    """The holidays of [first, end): weekdays on which the Union is closed."""
    days = (first + dt.timedelta(days=n) for n in range((end - first).days))
    return [day for day in days if day.weekday() < _SATURDAY and not is_business_day(day)]


def require_business_day(day: dt.date) -> None:
    """KR-7209 when the Union is closed on `day`."""
    if not is_business_day(day):
        raise RenkeiError("KR-7209", day=day.isoformat(), next=next_business_day(day).isoformat())


@dataclass(frozen=True)
class MonthlyDays:
    """The Union's days for a 処理対象年月 (its first day): last sending, candidates, instruction until, result."""

    month: dt.date
    cut_off: dt.date
    candidates_on: dt.date
    instruction_until: dt.date
    result_on: dt.date


def monthly_days(catalogue: Catalogue, month: dt.date) -> MonthlyDays:
    """The days of a month from `calendars/monthly.csv`; KR-7107 when the Union's calendar does not have it."""
    (row,) = catalogue.table("calendars/monthly", month)
    names = ("締め日", "候補リスト配信日", "確定指示期限", "結果配信日")
    return MonthlyDays(month, *map(row.day, names))


def business_days_between(first: dt.date, last: dt.date) -> int:
    """How many business days lie in (first, last]: the age of something that waits since `first`."""
    return sum(1 for _ in business_days(first + dt.timedelta(days=1), last + dt.timedelta(days=1)))
