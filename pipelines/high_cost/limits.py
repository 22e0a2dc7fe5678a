"""自己負担限度額 (docs/sources.md 3.4–3.6): the table in force for a 診療年月, and the amount for a household. Amounts in yen."""

from __future__ import annotations

import datetime as dt

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from interfaces.spec import Code

AGE_GROUPS = {"under_70": "income_class_under_70", "from_70": "income_class_70_74"}
PERCENT = 100


def limit_table(catalogue: Catalogue, month: dt.date) -> pl.DataFrame:
    """The limits of a 診療年月 (its first day), all amounts in yen.

    Columns: treatment_month, age_group (under_70 | from_70), income_class, outpatient (cap per person, null: none),
    base, threshold (null: no 1 % part), multiple (from the 4th month, null: none), yearly (null: none), floor (smallest
    self-payment that is aggregated). KR-7107 for a month without a table: tables of other months are never used.
    """
    floors = {row["年齢群"]: row.integer("合算の下限") for row in catalogue.table("limits/floors", month)}
    rows = [
        (
            month,
            row["年齢群"],
            row["所得区分"],
            row.integer_or_none("外来個人"),
            row.integer("定額"),
            row.integer_or_none("医療費の境"),
            row.integer_or_none("多数回"),
            row.integer_or_none("年間上限"),
            row.read("年齢群", floors.__getitem__, " floors.csv の年齢群"),
        )
        for row in catalogue.table("limits/limits", month)
    ]
    names = ("outpatient", "base", "threshold", "multiple", "yearly", "floor")
    schema = {"treatment_month": pl.Date, "age_group": pl.String, "income_class": pl.String}
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(names, pl.Int64)}, orient="row")


def limits(cases: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The household limit of each case, with the columns of its table row: cases + limit, halved_floor.

    cases: treatment_month (first day), age_group, income_class, total_cost (of exactly the aggregated items),
    is_multiple, halved. table: limit_table of every month concerned, one below the other.

    The limit is base + 1 % of what the cost exceeds the threshold by; only the 1 % part is rounded, half up at 50 銭, and
    it is never negative (docs/sources.md 3.5: 健保令42条). From the 4th month `multiple` holds instead, where there is one. In
    the month of a move everything halves: base, threshold, multiple and floor (docs/sources.md 3.4).
    KR-7501 when a case has no row (a class that the month does not know).
    """
    joined = cases.join(table, on=["treatment_month", "age_group", "income_class"], how="left")
    missing = joined.filter(pl.col("base").is_null())
    if missing.height:
        first = missing.row(0, named=True)
        raise RenkeiError("KR-7501", month=f"{first['treatment_month']:%Y-%m}", income_class=first["income_class"])
    share = pl.when(pl.col("halved")).then(2).otherwise(1)
    above = (pl.col("total_cost") - pl.col("threshold") // share).clip(lower_bound=0)
    formula = pl.col("base") // share + ((above + PERCENT // 2) // PERCENT).fill_null(0)
    multiple = pl.when(pl.col("is_multiple")).then(pl.col("multiple") // share)
    return joined.with_columns(
        pl.coalesce(multiple, formula).alias("limit"), (pl.col("floor") // share).alias("halved_floor")
    )


def is_halved(moved_on: pl.Expr, treatment_month: pl.Expr) -> pl.Expr:
    """Whether a continuing household's limits halve: in the month of its move, unless it moved on the 1st."""
    same_month = (moved_on.dt.truncate("1mo") == treatment_month).fill_null(False)
    return same_month & (moved_on.dt.day() > 1).fill_null(False)


def class_codes(catalogue: Catalogue, age_group: str, on: dt.date) -> tuple[Code, ...]:
    """The income classes of an age group in force on a day, with their Japanese names."""
    return tuple(code for code in catalogue.codes[AGE_GROUPS[age_group]] if code.in_force(on))
