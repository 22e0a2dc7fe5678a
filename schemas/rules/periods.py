"""Half-open periods [start, end) on a day: the one definition of who is insured. Pure expressions; the rules that use them are beside."""

from __future__ import annotations

import datetime as dt

import polars as pl


def not_over(on: dt.date, end: str = "ended_on") -> pl.Expr:
    """The period does not end, or ends after `on`: an end that lies ahead is a fact, and changes nothing before its day."""
    return pl.col(end).is_null() | (pl.col(end) > on)


def runs(on: dt.date, start: str = "applied_on", end: str = "ended_on") -> pl.Expr:
    """start <= on < end: on that day the person is insured. False where there is no period."""
    return (pl.col(start) <= on).fill_null(False) & not_over(on, end)


def runs_or_will(on: dt.date, start: str = "applied_on", end: str = "ended_on") -> pl.Expr:
    """Like `runs`, or the period begins after `on`."""
    return pl.col(start).is_not_null() & not_over(on, end)
