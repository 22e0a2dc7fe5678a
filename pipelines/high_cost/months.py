"""Months as numbers and back. A month is its first day (`pl.Date`) or, for windows, year × 12 + month − 1."""

from __future__ import annotations

import datetime as dt

import polars as pl
from dateutil.relativedelta import relativedelta

MONTHS_OF_A_YEAR = 12


def first_day(text: pl.Expr) -> pl.Expr:
    """`YYYY-MM` -> the month's first day."""
    return (text + "-01").str.to_date("%Y-%m-%d")


def as_text(day: pl.Expr) -> pl.Expr:
    """A day -> its month as `YYYY-MM`."""
    return day.dt.strftime("%Y-%m")


def number(day: pl.Expr) -> pl.Expr:
    """A day -> the number of its month."""
    return day.dt.year().cast(pl.Int32) * MONTHS_OF_A_YEAR + day.dt.month().cast(pl.Int32) - 1


def number_of(day: dt.date) -> int:
    """A day -> the number of its month."""
    return day.year * MONTHS_OF_A_YEAR + day.month - 1


def months_before(month: dt.date, count: int) -> dt.date:
    """The first day of the month `count` months before."""
    first: dt.date = month.replace(day=1) - relativedelta(months=count)
    return first
