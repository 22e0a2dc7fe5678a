"""多数回該当 (docs/sources.md 3.3): which months count for a household, and from when the limit drops. Pure."""

from __future__ import annotations

import datetime as dt

import polars as pl

from pipelines.high_cost.months import first_day, months_before
from schemas.rules.handed_over import WINDOW_BEFORE, effective_handovers

HOUSEHOLD, MONTH = "household_number", "treatment_month"
FIRST_MONTH = dt.date(2018, 4, 1)  # 平成30年4月: nothing before it carries over (docs/sources.md 3.3)
MULTIPLE_FROM = 3  # three months before it make this one the fourth


def qualifying_months(benefits: pl.DataFrame) -> pl.DataFrame:
    """The months in which a household was paid 高額療養費 that counts: HOUSEHOLD, MONTH (first day), unique and sorted.

    benefits: household_number, treatment_month (`YYYY-MM`), outpatient_only (yes | no), high_cost_amount (yen, text or
    integer): the present state, so a correction to 0 takes the month away. Months paid only by the 70–74's outpatient
    cap do not count, and nothing before 平成30年4月.
    """
    paid = (pl.col("high_cost_amount").cast(pl.Int64) > 0) & (pl.col("outpatient_only") == "no")
    months = benefits.filter(paid).select(HOUSEHOLD, first_day(pl.col(MONTH)).alias(MONTH))
    return _sorted(months.filter(pl.col(MONTH) >= FIRST_MONTH))


def _sorted(months: pl.DataFrame) -> pl.DataFrame:
    """HOUSEHOLD, MONTH unique and sorted."""
    return months.lazy().unique().sort(HOUSEHOLD, MONTH).collect(engine="streaming")


def counted_months(own: pl.DataFrame, handed_over: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Every month that counts for a household, once and sorted, with its sources.

    own: HOUSEHOLD, MONTH. handed_over: HOUSEHOLD (the new one), MONTH, source (which municipality and household).
    gone: HOUSEHOLD, until (first day of a month): the household was continued elsewhere in that month. Its months up to
    then still count here for care up to that month (both municipalities halve their limits in it), but not later; those
    who stayed start again from zero (docs/sources.md 3.1, 3.4).
    Returns: HOUSEHOLD, MONTH, own (Boolean: we paid in it ourselves), handed_over_from (list of sources, null: none),
    counts_until (the last 診療年月 for which it counts, null: no end).
    """
    from_handover = (
        handed_over.filter(pl.col(MONTH) >= FIRST_MONTH)
        .group_by(HOUSEHOLD, MONTH)
        .agg(pl.col("source").unique().sort().alias("handed_over_from"))
    )
    kept = own.select(HOUSEHOLD, MONTH, pl.lit(True).alias("own"))
    if from_handover.is_empty():
        merged = kept.with_columns(pl.lit(None, pl.List(pl.String)).alias("handed_over_from"))
    else:
        merged = (
            kept.join(from_handover, on=[HOUSEHOLD, MONTH], how="full", coalesce=True)
            .with_columns(pl.col("own").fill_null(False))
            .sort(HOUSEHOLD, MONTH)
        )
    left = gone.group_by(HOUSEHOLD).agg(pl.col("until").max())
    return merged.join(left, on=HOUSEHOLD, how="left", maintain_order="left").select(
        HOUSEHOLD,
        MONTH,
        "own",
        "handed_over_from",
        pl.when(pl.col(MONTH) <= pl.col("until")).then(pl.col("until")).alias("counts_until"),
    )


def in_window(month: dt.date) -> pl.Expr:
    """Whether MONTH counts for `month` (its first day): it is in M−11 … M−1 and was not handed over with a household."""
    near = pl.col(MONTH).is_between(months_before(month, WINDOW_BEFORE), months_before(month, 1))
    return near & (pl.col("counts_until").is_null() | (pl.col("counts_until") >= month))


def counts(counted: pl.DataFrame, month: dt.date) -> pl.DataFrame:
    """Per household with a month in the window of `month` (its first day): how many, and whether the limit drops.

    counted: see counted_months, sorted. Returns: household_number, month, count (months in M−11 … M−1), is_multiple,
    sorted by household_number.
    """
    # Sorted by household, so a household's months are one run.
    runs = counted.filter(in_window(month)).select(pl.col(HOUSEHOLD).rle().alias("run")).unnest("run")
    return runs.select(
        pl.col("value").alias(HOUSEHOLD),
        pl.lit(month).alias("month"),
        pl.col("len").cast(pl.Int32).alias("count"),
        (pl.col("len") >= MULTIPLE_FROM).alias("is_multiple"),
    )


def handed_over_months(handovers: pl.DataFrame) -> pl.DataFrame:
    """The months that the Union handed over, after its own corrections: HOUSEHOLD (new), MONTH, source.

    handovers: rows of all 高額該当引継情報連携ファイル so far, with `sequence`, which is higher the later they came; see
    `handed_over.effective_handovers`. treatment_month is `YYYY-MM`.
    """
    return (
        effective_handovers(handovers.sort("sequence"))
        .select(
            pl.col("new_household_number").alias(HOUSEHOLD),
            first_day(pl.col(MONTH)).alias(MONTH),
            pl.format("{}/{}", "old_municipality_code", "old_household_number").alias("source"),
        )
        .sort(HOUSEHOLD, MONTH)
    )
