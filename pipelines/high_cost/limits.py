"""自己負担限度額 (docs/sources.md 3.4–3.6): the table in force for a 診療年月, and the amount for a household. Amounts in yen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError

PERCENT = 100


class ClassKind(StrEnum):
    """What a 所得区分 is, whatever it is called: 種類 of limits/classes.csv."""

    TAXED = "課税"
    EXEMPT = "非課税"
    ACTIVE = "現役並み"
    GENERAL = "一般"
    LOW_2 = "低所得Ⅱ"
    LOW_1 = "低所得Ⅰ"


@dataclass(frozen=True)
class IncomeClass:
    """A 所得区分 of a month. age_group: under_70 | from_70."""

    age_group: str
    id: str
    name: str
    kind: ClassKind


def income_classes(catalogue: Catalogue, month: dt.date) -> list[IncomeClass]:
    """The classes of a 診療年月 (its first day), by `limits/classes.csv`; KR-7107 for a month without them."""
    return [
        IncomeClass(row["年齢群"], row["所得区分"], row["名称"], row.read("種類", ClassKind, "区分の種類"))
        for row in catalogue.table("limits/classes", month)
    ]


@dataclass(frozen=True)
class LowerYearly:
    """A lower yearly limit for the lower incomes of a class. border, yearly: yen; side: 以下 | 未満."""

    border: int
    side: str
    yearly: int


def yearly_exceptions(catalogue: Catalogue, month: dt.date, of: IncomeClass) -> list[LowerYearly]:
    """The rows of `limits/yearly_exceptions.csv` for a class; none outside the days of the table."""
    return [
        LowerYearly(row.integer("所得の境"), row["境の含み"], row.integer("年間上限"))
        for row in catalogue.table_or_none("limits/yearly_exceptions", month)
        if (row["年齢群"], row["所得区分"]) == (of.age_group, of.id)
    ]


def limit_table(catalogue: Catalogue, month: dt.date) -> pl.DataFrame:
    """The limits of a 診療年月 (its first day), all amounts in yen.

    Columns: treatment_month, age_group (under_70 | from_70), income_class, outpatient (cap per person, null: none),
    base, threshold (null: no 1 % part), multiple (from the 4th month, null: none), yearly and outpatient_yearly (per
    person; from August to July, null: none), floor (smallest self-payment that is aggregated).
    KR-7107 for a month without a table: tables of other months are never used.
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
            row.integer_or_none("外来年間上限"),
            row.read("年齢群", floors.__getitem__, " floors.csv の年齢群"),
        )
        for row in catalogue.table("limits/limits", month)
    ]
    names = ("outpatient", "base", "threshold", "multiple", "yearly", "outpatient_yearly", "floor")
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
        month, group = first["treatment_month"], first["age_group"]
        of_month = table.filter((pl.col("treatment_month") == month) & (pl.col("age_group") == group))
        known = "・".join(of_month["income_class"])
        raise RenkeiError("KR-7501", month=f"{month:%Y-%m}", income_class=first["income_class"], known=known)
    share = pl.when(pl.col("halved")).then(2).otherwise(1)
    above = (pl.col("total_cost") - pl.col("threshold") // share).clip(lower_bound=0)
    formula = pl.col("base") // share + ((above + PERCENT // 2) // PERCENT).fill_null(0)
    multiple = pl.when(pl.col("is_multiple")).then(pl.col("multiple") // share)
    return joined.with_columns(
        pl.coalesce(multiple, formula).alias("limit"), (pl.col("floor") // share).alias("halved_floor")
    )
