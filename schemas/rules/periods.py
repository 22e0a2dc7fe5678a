"""Half-open periods [start, end) on a day, and the age that ends them: who is insured. Pure expressions, used by the rules."""

from __future__ import annotations

import datetime as dt

import polars as pl

NOMINAL_HEAD = "nominal_head"
LATE_ELDERLY_AGE = 75  # 後期高齢者医療


def not_over(on: dt.date, end: str = "ended_on") -> pl.Expr:
    """The period does not end, or ends after `on`: an end in the future changes nothing before its day."""
    return pl.col(end).is_null() | (pl.col(end) > on)


def runs(on: dt.date) -> pl.Expr:
    """applied_on <= on < ended_on: on that day the person is insured. False where there is no period."""
    return (pl.col("applied_on") <= on).fill_null(False) & not_over(on)


def runs_or_will(on: dt.date) -> pl.Expr:
    """Like `runs`, or the period begins after `on`."""
    return pl.col("applied_on").is_not_null() & not_over(on)


def in_household(on: dt.date) -> pl.Expr:
    """Of the 国保世帯 on that day: whoever's period runs or will run, or a 擬制世帯主, who is not insured themselves."""
    return runs_or_will(on) | (pl.col("head_kind") == NOMINAL_HEAD)


def late_elderly_from(born_on: pl.Expr) -> pl.Expr:
    """The day on which a person leaves for 後期高齢者医療: the 75th birthday (docs/sources.md 2.2).

    Who was born on 29 February completes a year at the end of 28 February where there is no 29th (民法 143条), and leaves on
    1 March.
    """
    birthday = born_on.dt.offset_by(f"{LATE_ELDERLY_AGE}y")
    return birthday + pl.when(birthday.dt.day() != born_on.dt.day()).then(pl.duration(days=1)).otherwise(
        pl.duration(days=0)
    )
