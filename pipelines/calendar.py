"""The Union's business days, in Asia/Tokyo: which days exist as partitions. Knows no file and no Dagster."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import jpholiday

from interfaces.messages import RenkeiError

TOKYO = ZoneInfo("Asia/Tokyo")
_SATURDAY = 5
# 行政機関の休日に関する法律 第1条: 12月29日から翌年1月3日まで.
_YEAR_END = frozenset({(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)})


def is_business_day(day: dt.date) -> bool:
    """Neither Saturday, Sunday, a public holiday (jpholiday), nor 12-29 to 01-03."""
    return day.weekday() < _SATURDAY and (day.month, day.day) not in _YEAR_END and not jpholiday.is_holiday(day)


def business_days(first: dt.date, behind_last: dt.date) -> Iterator[dt.date]:
    """The business days of [first, behind_last)."""
    day = first
    while day < behind_last:
        if is_business_day(day):
            yield day
        day += dt.timedelta(days=1)


def next_business_day(day: dt.date) -> dt.date:
    """The first business day after `day`."""
    following = day + dt.timedelta(days=1)
    while not is_business_day(following):
        following += dt.timedelta(days=1)
    return following


def closed_days(first: dt.date, behind_last: dt.date) -> list[dt.date]:
    """The weekdays of [first, behind_last) on which the Union is closed."""
    days = (first + dt.timedelta(days=n) for n in range((behind_last - first).days))
    return [day for day in days if day.weekday() < _SATURDAY and not is_business_day(day)]


def require_business_day(day: dt.date) -> None:
    """KR-7209 when the Union is closed on `day`."""
    if not is_business_day(day):
        raise RenkeiError("KR-7209", day=day.isoformat(), next=next_business_day(day).isoformat())
