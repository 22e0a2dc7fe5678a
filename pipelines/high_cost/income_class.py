"""所得区分 (domain.md 3.5, 3.6): from the tax side's extract and the household's people to the two classes. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from interfaces.catalogue import Catalogue
from pipelines.high_cost.months import MONTHS_OF_A_YEAR

HOUSEHOLD, PERSON = "household_number", "resident_number"
NEW_CLASS_MONTH = 8  # 区分 are judged anew every August (domain.md 3.5)
ELDER_AGE = 70
UNDECLARED_UNDER_70, EXEMPT_UNDER_70 = "class_a", "class_o"
LOWEST, LOW, GENERAL = "low_1", "low_2", "general"


@dataclass(frozen=True)
class Borders:
    """The borders of a 診療年月. under_70, from_70: (class, border) from the highest; amounts in yen.

    under_70: the sum of 旧ただし書き所得 is greater than the border. from_70: the highest 課税所得 is at least the border.
    """

    under_70: tuple[tuple[str, int], ...]
    from_70: tuple[tuple[str, int], ...]
    receipts_of_one: int
    receipts_of_several: int
    base_income_sum: int


def load_borders(catalogue: Catalogue, month: dt.date) -> Borders:
    """`limits/income_borders.csv` and `limits/income_exceptions.csv` for a 診療年月; KR-7107 when it has none."""
    rows = sorted(catalogue.table("limits/income_borders", month), key=lambda row: int(row["順"]))

    def of(group: str) -> tuple[tuple[str, int], ...]:
        return tuple((row["所得区分"], int(row["所得の境"])) for row in rows if row["年齢群"] == group)

    amounts = {row["名前"]: int(row["金額"]) for row in catalogue.table("limits/income_exceptions", month)}
    return Borders(
        of("under_70"),
        of("from_70"),
        amounts["receipts_of_one"],
        amounts["receipts_of_several"],
        amounts["base_income_sum"],
    )


def income_year(month: dt.date) -> int:
    """The year whose income decides: the year before for August to December, two years before for January to July."""
    return month.year - (1 if month.month >= NEW_CLASS_MONTH else 2)


def is_elder(born_on: pl.Expr, month: dt.date) -> pl.Expr:
    """Whether the 70–74 limits apply in `month`: from the month after the 70th birthday's, born on the 1st: from it.

    An age is reached at the end of the day before the birthday (domain.md 2.2), so the day before decides.
    """
    reached = born_on.dt.offset_by("-1d").dt.offset_by(f"{ELDER_AGE}y")
    months = (month.year - reached.dt.year()) * MONTHS_OF_A_YEAR + month.month - reached.dt.month()
    return (months > 0).fill_null(False)


def classify(people: pl.DataFrame, taxes: pl.DataFrame, month: dt.date, borders: Borders) -> pl.DataFrame:
    """The classes of every household with an insured person in `month` (first day).

    people: household_number, resident_number, head_kind (insured_head | nominal_head | member), born_on. The nominal
    head's tax counts for 非課税, his income does not. taxes: resident_number, income_year, declaration_kind, base_income,
    resident_tax, taxable_income, receipts, low_income. Who has no tax record counts as 未申告.
    Returns: household_number, income_class_under_70, income_class_70_74 (null without a 70–74 insured), income_year,
    without_record (persons), sorted by household_number.

    未申告 of the head or an insured person -> ア / 現役並み (the highest). Then 非課税 (オ) before the income borders.
    """
    year = income_year(month)
    amounts = ("base_income", "taxable_income", "receipts")
    of_year = taxes.filter(pl.col("income_year").cast(pl.Int32) == year).select(
        PERSON, "declaration_kind", "resident_tax", "low_income", *[pl.col(name).cast(pl.Int64) for name in amounts]
    )
    insured = pl.col("head_kind") != "nominal_head"
    elder = insured & is_elder(pl.col("born_on"), month)
    known = people.join(of_year, on=PERSON, how="left").with_columns(
        insured.alias("insured"),
        elder.alias("elder"),
        (pl.col("declaration_kind") == "declared").fill_null(False).alias("declared"),
    )
    facts = (
        known.group_by(HOUSEHOLD)
        .agg(
            pl.col("insured").sum(),
            pl.col("elder").sum().alias("elders"),
            (~pl.col("declared")).any().alias("undeclared"),
            (pl.col("resident_tax") == "exempt").fill_null(False).all().alias("exempt"),
            (pl.col("low_income") == "yes").fill_null(False).all().alias("without_income"),
            pl.col("base_income").filter("insured").sum().alias("income"),
            pl.col("base_income").filter("elder").sum().alias("income_of_elders"),
            pl.col("taxable_income").filter("elder").max().alias("taxable"),
            pl.col("receipts").filter("elder").sum().alias("receipts"),
            pl.col("declaration_kind").is_null().sum().alias("without_record"),
        )
        .filter(pl.col("insured") > 0)
    )
    return facts.select(
        HOUSEHOLD,
        _under_70(borders).alias("income_class_under_70"),
        pl.when(pl.col("elders") > 0).then(_from_70(borders)).alias("income_class_70_74"),
        pl.lit(str(year)).alias("income_year"),
        "without_record",
    ).sort(HOUSEHOLD)


def _first(conditions: list[tuple[pl.Expr, str]]) -> pl.Expr:
    return pl.coalesce([pl.when(condition).then(pl.lit(name)) for condition, name in conditions])


def _under_70(borders: Borders) -> pl.Expr:
    return _first(
        [
            (pl.col("undeclared"), UNDECLARED_UNDER_70),
            (pl.col("exempt"), EXEMPT_UNDER_70),
            *[(pl.col("income") > border, name) for name, border in borders.under_70],
        ]
    )


def _from_70(borders: Borders) -> pl.Expr:
    one = pl.col("elders") == 1
    modest = (
        (one & (pl.col("receipts") < borders.receipts_of_one))
        | (~one & (pl.col("receipts") < borders.receipts_of_several))
        | (pl.col("income_of_elders") <= borders.base_income_sum)
    )
    return _first(
        [
            (pl.col("undeclared"), borders.from_70[0][0]),
            (pl.col("exempt") & pl.col("without_income"), LOWEST),
            (pl.col("exempt"), LOW),
            (modest, GENERAL),
            *[(pl.col("taxable") >= border, name) for name, border in borders.from_70],
        ]
    )
