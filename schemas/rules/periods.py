"""Half-open periods [start, end) on a day: the one definition of who is insured. Pure expressions; the rules that use them are beside."""

from __future__ import annotations

import datetime as dt

import polars as pl

NOMINAL_HEAD = "nominal_head"


def not_over(on: dt.date, end: str = "ended_on") -> pl.Expr:
    """The period does not end, or ends after `on`: an end that lies ahead is a fact, and changes nothing before its day."""
    return pl.col(end).is_null() | (pl.col(end) > on)


def runs(on: dt.date, start: str = "applied_on", end: str = "ended_on") -> pl.Expr:
    """start <= on < end: on that day the person is insured. False where there is no period."""
    return (pl.col(start) <= on).fill_null(False) & not_over(on, end)


def runs_or_will(on: dt.date, start: str = "applied_on", end: str = "ended_on") -> pl.Expr:
    """Like `runs`, or the period begins after `on`."""
    return pl.col(start).is_not_null() & not_over(on, end)


def in_household(on: dt.date) -> pl.Expr:
    """Of the 国保世帯 on that day: whose period runs or will run, or a 擬制世帯主, who is not insured himself."""
    return runs_or_will(on) | (pl.col("head_kind") == NOMINAL_HEAD)
