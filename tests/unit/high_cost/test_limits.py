"""限度額: published figures, the rounding of the 1 % part, the halving, and months without a table."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from pipelines.high_cost.limits import income_classes, limit_table, limits

UNTIL_2026_07, FROM_2026_08, FROM_2027_08 = dt.date(2026, 7, 1), dt.date(2026, 8, 1), dt.date(2027, 8, 1)
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
# 令和9年8月から (docs/sources.md 3.8): the formula at 1,000,000 yen of cost, or without a 1 % part; the 4th month.
OF_2027_08 = [
    ("under_70", "base_over_1356", "from_70", "taxable_from_1107", 2_000_000, 350_600, 140_100),
    ("under_70", "base_over_1110", "from_70", "taxable_from_900", 2_000_000, 312_900, 140_100),
    ("under_70", "base_over_901", "from_70", "taxable_from_690", 2_000_000, 281_290, 140_100),
    ("under_70", "base_over_809", "from_70", "taxable_from_614", 1_000_000, 212_420, 93_000),
    ("under_70", "base_over_679", "from_70", "taxable_from_504", 1_000_000, 197_920, 93_000),
    ("under_70", "base_over_600", "from_70", "taxable_from_380", 1_000_000, 183_130, 93_000),
    ("under_70", "base_over_410", "from_70", "taxable_from_280", 1_000_000, 116_720, 44_400),
    ("under_70", "base_over_313", "from_70", "taxable_from_203", 1_000_000, 104_830, 44_400),
    ("under_70", "base_over_210", "from_70", "taxable_from_145", 1_000_000, 92_940, 44_400),
    ("under_70", "base_over_127", "from_70", "taxable_from_57", 1_000_000, 69_600, 44_400),
    ("under_70", "base_over_86", "from_70", "taxable_from_28", 1_000_000, 65_400, 44_400),
    ("under_70", "base_up_to_86", "from_70", "taxable_below_28", 1_000_000, 61_500, 34_500),
    ("under_70", "class_o", "from_70", "low_2", 1_000_000, None, 24_600),
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


@pytest.mark.parametrize("month", [dt.date(2014, 12, 1)])
def test_a_month_without_a_table_stops(month: dt.date) -> None:
    with pytest.raises(RenkeiError, match="KR-7107"):
        limit_table(load_catalogue(), month)


def test_a_class_that_the_month_does_not_know_stops() -> None:
    case = pl.DataFrame([(UNTIL_2026_07, "from_70", "active", 1, False, False, 0)], schema=SCHEMA, orient="row")
    with pytest.raises(RenkeiError, match=r"KR-7501 2026-07 .*active"):
        limits(case, tables(UNTIL_2026_07))


def test_every_month_since_2015_has_a_limit_for_every_class_and_no_other() -> None:
    catalogue = load_catalogue()
    for year, month in ((y, m) for y in range(2015, 2029) for m in range(1, 13)):
        day = dt.date(year, month, 1)
        wanted = sorted((known.age_group, known.id) for known in income_classes(catalogue, day))
        assert sorted(limit_table(catalogue, day).select("age_group", "income_class").rows()) == wanted, day


def test_percentages_fit_their_base() -> None:
    """docs/sources.md 3.8: base ÷ 0.3 = threshold for every row with a 1 % part (a check of the transcription)."""
    for month in (dt.date(2015, 1, 1), UNTIL_2026_07, FROM_2026_08, FROM_2027_08):
        rows = limit_table(load_catalogue(), month).filter(pl.col("threshold").is_not_null())
        assert rows.height
        assert (rows["base"] * 10 == rows["threshold"] * 3).all()


def test_the_thirteen_classes_of_2027_08() -> None:
    cases = [
        (FROM_2027_08, group, name, cost, is_multiple, False, wanted)
        for young, of_young, old, of_old, cost, whole, many in OF_2027_08
        for group, name in ((young, of_young), (old, of_old))
        for is_multiple, wanted in ((False, whole), (True, many))
        if wanted is not None
    ]
    cases += [
        (FROM_2027_08, "under_70", "class_o", 500_000, False, False, 36_900),
        (FROM_2027_08, "from_70", "low_2", 500_000, False, False, 25_700),
        (FROM_2027_08, "from_70", "low_1", 500_000, True, False, 15_700),
    ]
    frame = pl.DataFrame(cases, schema=SCHEMA, orient="row")
    found = limits(frame, tables(FROM_2027_08))
    assert found["limit"].to_list() == frame["wanted"].to_list()


def test_the_outpatient_limits_of_a_month_and_of_a_year() -> None:
    months = (dt.date(2017, 7, 1), dt.date(2017, 8, 1), dt.date(2018, 8, 1), FROM_2026_08, FROM_2027_08)
    found = tables(*months).filter(pl.col("outpatient").is_not_null())
    capped = found.select("treatment_month", "income_class", "outpatient", "outpatient_yearly").rows()
    assert [(name, month, year) for day, name, month, year in capped if day == FROM_2026_08] == [
        ("general", 22_000, 216_000),
        ("low_2", 11_000, 96_000),
        ("low_1", 8_000, None),
    ]
    assert [(name, month, year) for day, name, month, year in capped if day == FROM_2027_08] == [
        ("taxable_from_57", 28_000, 216_000),
        ("taxable_from_28", 28_000, 216_000),
        ("taxable_below_28", 22_000, 216_000),
        ("low_2", 13_000, 96_000),
        ("low_1", 8_000, None),
    ]
    of_general = {(day, year) for day, name, _, year in capped if name == "general"}
    assert of_general == {
        (dt.date(2017, 7, 1), None),
        (dt.date(2017, 8, 1), 144_000),
        (dt.date(2018, 8, 1), 144_000),
        (FROM_2026_08, 216_000),
    }


# 厚生労働省「計算事例」平成30年8月（高齢受給者）and 平成27年1月（70歳未満）, リーフレット, さいたま市の移行月の表
# (docs/sources.md 3.9): month, group, class, cost, 4th month, half, limit.
PUBLISHED = [
    ("2018-08", "from_70", "active_3", 992_600, False, False, 254_106),
    ("2018-08", "from_70", "active_3", 476_000, True, False, 140_100),
    ("2018-08", "from_70", "active_2", 616_000, False, False, 167_980),
    ("2018-08", "from_70", "active_2", 336_000, False, True, 84_270),
    ("2018-08", "from_70", "active_1", 276_000, False, False, 80_190),
    ("2018-08", "from_70", "active_1", 152_000, True, True, 22_200),
    ("2018-08", "from_70", "general", 135_000, True, True, 22_200),
    ("2018-08", "from_70", "low_2", 167_000, False, False, 24_600),
    ("2018-08", "from_70", "general", 355_000, False, False, 57_600),
    ("2018-08", "from_70", "general", 320_000, False, True, 28_800),
    ("2018-08", "from_70", "active_3", 873_000, False, False, 252_910),
    ("2018-08", "from_70", "active_3", 248_000, True, True, 70_050),
    ("2018-08", "from_70", "active_2", 346_000, True, False, 93_000),
    ("2018-08", "from_70", "active_1", 303_000, False, False, 80_460),
    ("2015-01", "under_70", "class_a", 945_760, False, False, 253_638),
    ("2015-01", "under_70", "class_i", 726_410, False, False, 169_084),
    ("2015-01", "under_70", "class_u", 364_520, False, False, 81_075),
    ("2015-01", "under_70", "class_e", 216_350, False, False, 57_600),
    ("2015-01", "under_70", "class_o", 187_950, False, False, 35_400),
    ("2015-01", "under_70", "class_a", 945_760, True, False, 140_100),
    ("2015-01", "under_70", "class_i", 726_410, True, False, 93_000),
    ("2015-01", "under_70", "class_u", 364_520, True, False, 44_400),
    ("2015-01", "under_70", "class_e", 216_350, True, False, 44_400),
    ("2015-01", "under_70", "class_o", 187_950, True, False, 24_600),
    ("2026-08", "under_70", "class_u", 2_000_000, False, False, 102_940),
    ("2026-08", "under_70", "class_u", 3_000_000, False, False, 112_940),
    ("2026-08", "under_70", "class_u", 286_050, False, False, 85_801),
    ("2026-08", "under_70", "class_u", 286_049, False, False, 85_800),
    ("2026-08", "under_70", "class_a", 500_000, False, False, 270_300),
    ("2026-08", "under_70", "class_i", 1_000_000, False, False, 183_130),
    ("2026-08", "under_70", "class_o", 1_000_000, False, False, 36_900),
    ("2026-08", "under_70", "class_o", 1_000_000, True, False, 24_600),
    ("2026-08", "under_70", "class_e", 1_000_000, True, False, 44_400),
    ("2026-08", "from_70", "low_2", 300_000, False, False, 25_700),
    ("2026-08", "from_70", "low_1", 300_000, True, False, 15_700),
    ("2019-10", "under_70", "class_a", 600_000, False, True, 128_090),
    ("2019-10", "under_70", "class_i", 379_000, False, True, 84_700),
    ("2019-10", "under_70", "class_u", 233_500, False, True, 41_050),
    ("2019-10", "under_70", "class_e", 233_500, False, True, 28_800),
    ("2019-10", "under_70", "class_o", 233_500, False, True, 17_700),
    ("2019-10", "under_70", "class_a", 600_000, True, True, 70_050),
    ("2019-10", "under_70", "class_i", 600_000, True, True, 46_500),
    ("2019-10", "under_70", "class_u", 600_000, True, True, 22_200),
    ("2019-10", "under_70", "class_e", 600_000, True, True, 22_200),
    ("2019-10", "under_70", "class_o", 600_000, True, True, 12_300),
    ("2026-09", "under_70", "class_u", 300_000, False, True, 44_470),
    ("2026-09", "under_70", "class_e", 300_000, False, True, 30_750),
    ("2026-09", "under_70", "class_o", 300_000, False, True, 18_450),
    ("2026-09", "from_70", "low_2", 300_000, False, True, 12_850),
    ("2026-09", "from_70", "low_1", 300_000, False, True, 7_850),
]


def test_the_published_calculations() -> None:
    rows = [(dt.date.fromisoformat(f"{month}-01"), *rest) for month, *rest in PUBLISHED]
    cases = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    found = limits(cases, tables(*cases["treatment_month"].unique()))
    assert found["limit"].to_list() == cases["wanted"].to_list()
