"""多数回該当 (domain.md 3.3): which months count for a household, and from when the limit drops. Pure."""

from __future__ import annotations

import datetime as dt

import polars as pl

from pipelines.high_cost.months import MONTHS_OF_A_YEAR, first_day, number, number_of

HOUSEHOLD, MONTH = "household_number", "treatment_month"
FIRST_MONTH = dt.date(2018, 4, 1)  # 平成30年4月: nothing before it carries over (domain.md 3.3)
WINDOW_BEFORE = MONTHS_OF_A_YEAR - 1  # the last 12 months include the month in question
MULTIPLE_FROM = 3  # three months before it make this one the fourth
COUNTED_SCHEMA = {
    HOUSEHOLD: pl.String, MONTH: pl.Date, "sources": pl.List(pl.String),
}  # fmt: skip


def qualifying_months(benefits: pl.DataFrame) -> pl.DataFrame:
    """The months in which a household was paid 高額療養費 that counts: HOUSEHOLD, MONTH (first day), unique.

    benefits: household_number, treatment_month (`YYYY-MM`), outpatient_only (yes | no), high_cost_amount (yen, text or
    integer): the present state, so a correction to 0 takes the month away. Months paid only by the 70–74's outpatient
    cap do not count, and nothing before 平成30年4月.
    """
    paid = (pl.col("high_cost_amount").cast(pl.Int64) > 0) & (pl.col("outpatient_only") == "no")
    return (
        benefits.filter(paid)
        .select(HOUSEHOLD, first_day(pl.col(MONTH)).alias(MONTH))
        .filter(pl.col(MONTH) >= FIRST_MONTH)
        .unique()
        .sort(HOUSEHOLD, MONTH)
    )


def counted_months(own: pl.DataFrame, handed_over: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Every month that counts for a household, once, with where each is known from: COUNTED_SCHEMA.

    own: HOUSEHOLD, MONTH. handed_over: HOUSEHOLD (the new one), MONTH, source (which municipality and household).
    gone: HOUSEHOLD, until (first day of a month): the household was continued elsewhere in that month, and its months
    up to it went along; those who stayed behind begin anew (domain.md 3.1).
    """
    merged = pl.concat(
        [
            own.select(HOUSEHOLD, MONTH, pl.lit("own").alias("source")),
            handed_over.select(HOUSEHOLD, MONTH, "source").filter(pl.col(MONTH) >= FIRST_MONTH),
        ]
    )
    left = gone.group_by(HOUSEHOLD).agg(pl.col("until").max())
    return (
        merged.join(left, on=HOUSEHOLD, how="left")
        .filter(pl.col("until").is_null() | (pl.col(MONTH) > pl.col("until")))
        .group_by(HOUSEHOLD, MONTH)
        .agg(pl.col("source").unique().sort().alias("sources"))
        .sort(HOUSEHOLD, MONTH)
    )


def counts(counted: pl.DataFrame, month: dt.date) -> pl.DataFrame:
    """Per household with a month in the window of `month` (its first day): how many, and whether the limit drops.

    Returns: household_number, month, count (months in M−11 … M−1), is_multiple, months (list of first days),
    sources (list of lists, one per month).
    """
    distance = number_of(month) - number(pl.col(MONTH))
    return (
        counted.filter(distance.is_between(1, WINDOW_BEFORE))
        .sort(HOUSEHOLD, MONTH)
        .group_by(HOUSEHOLD, maintain_order=True)
        .agg(pl.len().cast(pl.Int32).alias("count"), pl.col(MONTH).alias("months"), "sources")
        .select(
            HOUSEHOLD,
            pl.lit(month).alias("month"),
            "count",
            (pl.col("count") >= MULTIPLE_FROM).alias("is_multiple"),
            "months",
            "sources",
        )
    )


def handed_over_months(handovers: pl.DataFrame) -> pl.DataFrame:
    """The months that the Union handed over, after its own corrections: HOUSEHOLD (new), MONTH, source.

    handovers: rows of all 高額該当引継情報連携ファイル so far, oldest first, with `sequence`: new_household_number,
    old_municipality_code, old_household_number, treatment_month (`YYYY-MM`), update_kind. The last word on a month
    holds: `withdrawn` takes it away.
    """
    key = ["new_household_number", "old_municipality_code", "old_household_number", MONTH]
    return (
        handovers.sort("sequence")
        .group_by(key, maintain_order=True)
        .last()
        .filter(pl.col("update_kind") != "withdrawn")
        .select(
            pl.col("new_household_number").alias(HOUSEHOLD),
            first_day(pl.col(MONTH)).alias(MONTH),
            pl.format("{}/{}", "old_municipality_code", "old_household_number").alias("source"),
        )
        .sort(HOUSEHOLD, MONTH)
    )
