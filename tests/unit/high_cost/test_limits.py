"""限度額: published figures, the rounding of the 1 % part, the halving, and months without a table."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from pipelines.high_cost.limits import is_halved, limit_table, limits

UNTIL_2026_07, FROM_2026_08 = dt.date(2026, 7, 1), dt.date(2026, 8, 1)
# (診療年月, 年齢群, 区分, 医療費, 4回目以降, 半分, 限度額): 100万円 and 50万円 are the examples of public leaflets.
VECTORS = [
    (UNTIL_2026_07, "under_70", "class_a", 1_000_000, False, False, 254_180),
    (UNTIL_2026_07, "under_70", "class_i", 1_000_000, False, False, 171_820),
    (UNTIL_2026_07, "under_70", "class_u", 1_000_000, False, False, 87_430),
    (UNTIL_2026_07, "under_70", "class_u", 500_000, False, False, 82_430),
    (UNTIL_2026_07, "under_70", "class_u", 100_000, False, False, 80_100),
    (UNTIL_2026_07, "under_70", "class_e", 1_000_000, False, False, 57_600),
    (UNTIL_2026_07, "under_70", "class_o", 1_000_000, False, False, 35_400),
    (UNTIL_2026_07, "under_70", "class_a", 1_000_000, True, False, 140_100),
    (UNTIL_2026_07, "under_70", "class_o", 1_000_000, True, False, 24_600),
    (UNTIL_2026_07, "under_70", "class_u", 1_000_000, False, True, 48_715),
    (UNTIL_2026_07, "under_70", "class_u", 1_000_000, True, True, 22_200),
    # 80,100 + (267,049 - 267,000) x 1 % = 80,100.49 and 80,100.50: half up at 50 銭.
    (UNTIL_2026_07, "under_70", "class_u", 267_049, False, False, 80_100),
    (UNTIL_2026_07, "under_70", "class_u", 267_050, False, False, 80_101),
    (FROM_2026_08, "under_70", "class_u", 1_000_000, False, False, 92_940),
    (FROM_2026_08, "under_70", "class_a", 1_000_000, False, False, 271_290),
    (FROM_2026_08, "from_70", "low_2", 1_000_000, True, False, 24_600),
    (FROM_2026_08, "from_70", "low_2", 1_000_000, False, True, 12_850),
    (UNTIL_2026_07, "from_70", "low_2", 1_000_000, True, False, 24_600),
    (UNTIL_2026_07, "from_70", "low_1", 1_000_000, True, False, 15_000),
    (UNTIL_2026_07, "from_70", "active_3", 1_000_000, False, False, 254_180),
    (UNTIL_2026_07, "from_70", "general", 1_000_000, True, False, 44_400),
    (dt.date(2018, 7, 1), "from_70", "active", 1_000_000, False, False, 87_430),
    (dt.date(2017, 7, 1), "from_70", "general", 1_000_000, True, False, 44_400),
    (dt.date(2015, 1, 1), "under_70", "class_a", 842_000, False, False, 252_600),
]
SCHEMA = {
    "treatment_month": pl.Date,
    "age_group": pl.String,
    "income_class": pl.String,
    "total_cost": pl.Int64,
    "is_multiple": pl.Boolean,
    "halved": pl.Boolean,
    "wanted": pl.Int64,
}


def tables(*months: dt.date) -> pl.DataFrame:
    return pl.concat([limit_table(load_catalogue(), month) for month in months])


def test_the_published_figures() -> None:
    cases = pl.DataFrame(VECTORS, schema=SCHEMA, orient="row")
    found = limits(cases, tables(*cases["treatment_month"].unique()))
    assert found["limit"].to_list() == cases["wanted"].to_list()


def test_the_floor_halves_with_the_limit() -> None:
    cases = pl.DataFrame([VECTORS[2], VECTORS[9], VECTORS[15]], schema=SCHEMA, orient="row")
    found = limits(cases, tables(UNTIL_2026_07, FROM_2026_08))
    assert found["halved_floor"].to_list() == [21_000, 10_500, 0]


@pytest.mark.parametrize("month", [dt.date(2014, 12, 1), dt.date(2027, 8, 1)])
def test_a_month_without_a_table_stops(month: dt.date) -> None:
    with pytest.raises(RenkeiError, match="KR-7107"):
        limit_table(load_catalogue(), month)


def test_a_class_that_the_month_does_not_know_stops() -> None:
    case = pl.DataFrame([(UNTIL_2026_07, "from_70", "active", 1, False, False, 0)], schema=SCHEMA, orient="row")
    with pytest.raises(RenkeiError, match=r"KR-7501 2026-07 .*active"):
        limits(case, tables(UNTIL_2026_07))


def test_every_month_since_2015_has_every_class_of_its_code_table() -> None:
    catalogue = load_catalogue()
    codes = {"under_70": catalogue.codes["income_class_under_70"], "from_70": catalogue.codes["income_class_70_74"]}
    for year, month in ((y, m) for y in range(2015, 2028) for m in range(1, 13) if (y, m) < (2027, 8)):
        day = dt.date(year, month, 1)
        table = limit_table(catalogue, day)
        for group, known in codes.items():
            wanted = sorted(code.meaning for code in known if code.in_force(day))
            assert sorted(table.filter(age_group=group)["income_class"]) == wanted, (day, group)


def test_percentages_fit_their_base() -> None:
    """docs/sources.md 3.8: base ÷ 0.3 = threshold for every row with a 1 % part (a check of the transcription)."""
    for month in (dt.date(2015, 1, 1), UNTIL_2026_07, FROM_2026_08):
        rows = limit_table(load_catalogue(), month).filter(pl.col("threshold").is_not_null())
        assert rows.height
        assert (rows["base"] * 10 == rows["threshold"] * 3).all()


@pytest.mark.parametrize(
    ("moved_on", "halved"),
    [
        (dt.date(2026, 4, 1), False),
        (dt.date(2026, 4, 2), True),
        (dt.date(2026, 4, 30), True),
        (dt.date(2026, 5, 2), False),
        (None, False),
    ],
)
def test_the_month_of_the_move_halves_but_not_on_the_first(moved_on: dt.date | None, halved: bool) -> None:
    found = pl.select(is_halved(pl.lit(moved_on, pl.Date), pl.lit(dt.date(2026, 4, 1)))).item()
    assert found is halved
