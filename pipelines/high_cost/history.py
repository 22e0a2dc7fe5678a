"""高額該当情報: the months that follow a household which moved away inside the prefecture, and their corrections. Pure."""

from __future__ import annotations

import datetime as dt

import polars as pl

from pipelines.high_cost.counts import HOUSEHOLD, MONTH
from pipelines.high_cost.months import MONTHS_OF_A_YEAR, number, number_of
from schemas.rules.handed_over import WINDOW_BEFORE

MOVED_OUT_ON = "moved_out_on"
CORRECTABLE_MONTHS = 2 * MONTHS_OF_A_YEAR  # 国保法110条: claims end after two years, so do their corrections


def moved_out_households(people: pl.DataFrame, first: dt.date, end: dt.date) -> pl.DataFrame:
    """The days in [first, end) on which insured persons moved out inside the prefecture: HOUSEHOLD, moved_out_on.

    people: as sent to the Union (household_number, ended_on, end_reason). A household has a row for each such day.
    """
    return (
        people.filter(
            (pl.col("end_reason") == "moved_out_prefecture")
            & (pl.col("ended_on") >= first)
            & (pl.col("ended_on") < end)
        )
        .select(HOUSEHOLD, pl.col("ended_on").alias(MOVED_OUT_ON))
        .unique()
        .sort(HOUSEHOLD, MOVED_OUT_ON)
    )


def wanted_history(counted: pl.DataFrame, moved_out: pl.DataFrame) -> pl.DataFrame:
    """What the next municipality will need: the counted months M−11 … M of every move out of a household (`HistorySnapshot`).

    counted: HOUSEHOLD, MONTH, own (see counts.counted_months). moved_out: HOUSEHOLD, moved_out_on.
    month_source: own when we paid in the month ourselves, else handed_over. A month that two moves need is reported once,
    with the first.
    """
    distance = number(pl.col(MOVED_OUT_ON)) - number(pl.col(MONTH))
    return (
        counted.join(moved_out, on=HOUSEHOLD)
        .filter(distance.is_between(0, WINDOW_BEFORE))
        .select(
            HOUSEHOLD,
            MONTH,
            pl.when("own").then(pl.lit("own")).otherwise(pl.lit("handed_over")).alias("month_source"),
            MOVED_OUT_ON,
        )
        .sort(HOUSEHOLD, MONTH, MOVED_OUT_ON)
        .unique([HOUSEHOLD, MONTH], keep="first", maintain_order=True)
    )


def still_correctable(baseline: pl.DataFrame, month: dt.date) -> pl.DataFrame:
    """The rows of `known` whose move is recent enough to be corrected."""
    return baseline.filter(number_of(month) - number(pl.col(MOVED_OUT_ON)) <= CORRECTABLE_MONTHS)


def corrections(baseline: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """What must be sent: the columns of `HistorySnapshot` and update_kind, sorted.

    baseline: what was reported to the Union so far. A month that is not in it is `added`, one that no longer applies is
    `withdrawn` (過誤, 再審査: docs/sources.md 3.3).
    """
    key = [HOUSEHOLD, MONTH]
    added = wanted.join(baseline, on=key, how="anti").with_columns(pl.lit("added").alias("update_kind"))
    withdrawn = baseline.join(wanted, on=key, how="anti").with_columns(pl.lit("withdrawn").alias("update_kind"))
    return pl.concat([added, withdrawn.select(added.columns)]).sort(key)
