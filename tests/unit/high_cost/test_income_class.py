"""所得区分: 未申告, 非課税 before the borders, the deemed head, the 70–74, and whose year decides."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from interfaces.catalogue import load_catalogue
from pipelines.high_cost.income_class import classify, income_year, is_elder, load_borders

MONTH = dt.date(2026, 8, 1)
YOUNG, OLD = dt.date(1980, 1, 1), dt.date(1955, 1, 1)
PEOPLE = {"household_number": pl.String, "resident_number": pl.String, "head_kind": pl.String, "born_on": pl.Date}
TAXES = (
    "resident_number",
    "income_year",
    "declaration_kind",
    "base_income",
    "resident_tax",
    "taxable_income",
    "receipts",
    "low_income",
)


def tax(
    person: str, base: int = 0, taxed: bool = True, *, taxable: int = 0, receipts: int = 0, low: bool = False
) -> tuple[str | None, ...]:
    return (
        person,
        "2025",
        "declared",
        str(base),
        "taxed" if taxed else "exempt",
        str(taxable),
        str(receipts),
        "yes" if low else "no",
    )


def undeclared(person: str) -> tuple[str | None, ...]:
    return (person, "2025", "undeclared", None, None, None, None, None)


def classes(
    people: list[tuple[str, str, dt.date]], taxes: list[tuple[str | None, ...]], month: dt.date = MONTH
) -> tuple[str, str | None]:
    rows = pl.DataFrame([("1", *person) for person in people], schema=PEOPLE, orient="row")
    paid = pl.DataFrame(taxes, schema=dict.fromkeys(TAXES, pl.String), orient="row")
    (found,) = classify(rows, paid, month, load_borders(load_catalogue(), month)).to_dicts()
    return found["income_class_under_70"], found["income_class_70_74"]


HEAD, WIFE = ("a", "insured_head", YOUNG), ("b", "member", YOUNG)
DEEMED = ("a", "nominal_head", YOUNG)
ELDER, OLD_WIFE = ("a", "insured_head", OLD), ("b", "member", OLD)


@pytest.mark.parametrize(
    ("people", "taxes", "wanted"),
    [
        ([HEAD], [tax("a", 9_010_001)], "class_a"),
        ([HEAD], [tax("a", 9_010_000)], "class_i"),
        ([HEAD], [tax("a", 6_000_001)], "class_i"),
        ([HEAD], [tax("a", 6_000_000)], "class_u"),
        ([HEAD], [tax("a", 2_100_001)], "class_u"),
        ([HEAD], [tax("a", 2_100_000)], "class_e"),
        ([HEAD], [tax("a", 0)], "class_e"),
        ([HEAD, WIFE], [tax("a", 2_000_000), tax("b", 200_000)], "class_u"),
        ([HEAD, WIFE], [tax("a", 0, taxed=False), tax("b", 0, taxed=False)], "class_o"),
        ([HEAD, WIFE], [tax("a", 0, taxed=False), tax("b", 0)], "class_e"),
        ([HEAD, WIFE], [tax("a", 0, taxed=False), undeclared("b")], "class_a"),
        ([HEAD, WIFE], [tax("a", 0, taxed=False)], "class_a"),
        ([DEEMED, WIFE], [tax("a", 20_000_000), tax("b", 0, taxed=False)], "class_e"),
        ([DEEMED, WIFE], [tax("a", 0, taxed=False), tax("b", 0, taxed=False)], "class_o"),
    ],
)
def test_under_70(people: list[tuple[str, str, dt.date]], taxes: list[tuple[str | None, ...]], wanted: str) -> None:
    assert classes(people, taxes) == (wanted, None)


@pytest.mark.parametrize(
    ("people", "taxes", "wanted"),
    [
        ([ELDER], [tax("a", 9_000_000, taxable=6_900_000, receipts=9_000_000)], "active_3"),
        ([ELDER], [tax("a", 9_000_000, taxable=6_899_999, receipts=9_000_000)], "active_2"),
        ([ELDER], [tax("a", 9_000_000, taxable=3_799_999, receipts=9_000_000)], "active_1"),
        ([ELDER], [tax("a", 9_000_000, taxable=1_449_999, receipts=9_000_000)], "general"),
        ([ELDER], [tax("a", 3_000_000, taxable=1_500_000, receipts=3_829_999)], "general"),
        ([ELDER], [tax("a", 3_000_000, taxable=1_500_000, receipts=3_830_000)], "active_1"),
        (
            [ELDER, OLD_WIFE],
            [tax("a", 3_000_000, taxable=1_500_000, receipts=4_000_000), tax("b", receipts=1_199_999)],
            "general",
        ),
        (
            [ELDER, OLD_WIFE],
            [tax("a", 3_000_000, taxable=1_500_000, receipts=4_000_000), tax("b", receipts=1_200_000)],
            "active_1",
        ),
        ([ELDER], [tax("a", 2_100_000, taxable=1_500_000, receipts=9_000_000)], "general"),
        ([ELDER], [tax("a", taxed=False)], "low_2"),
        ([ELDER], [tax("a", taxed=False, low=True)], "low_1"),
        ([ELDER], [undeclared("a")], "active_3"),
        ([ELDER, WIFE], [tax("a", taxed=False), tax("b")], "general"),
    ],
)
def test_70_to_74(people: list[tuple[str, str, dt.date]], taxes: list[tuple[str | None, ...]], wanted: str) -> None:
    assert classes(people, taxes)[1] == wanted


def test_until_july_2018_there_was_one_class_of_the_active() -> None:
    paid = [("a", "2016", *tax("a", 9_000_000, taxable=6_900_000, receipts=9_000_000)[2:])]
    born = ("a", "insured_head", dt.date(1947, 1, 1))
    assert classes([born], paid, dt.date(2018, 7, 1))[1] == "active"


@pytest.mark.parametrize(
    ("month", "year"), [((2026, 7), 2024), ((2026, 8), 2025), ((2026, 12), 2025), ((2027, 1), 2025)]
)
def test_whose_income_decides(month: tuple[int, int], year: int) -> None:
    assert income_year(dt.date(*month, 1)) == year


@pytest.mark.parametrize(
    ("born", "first"),
    [
        ("1956-05-01", "2026-05"),
        ("1956-05-02", "2026-06"),
        ("1956-04-30", "2026-05"),
        ("1956-02-29", "2026-03"),
        ("1956-12-31", "2027-01"),
    ],
)
def test_the_day_from_which_somebody_is_70_for_the_limits(born: str, first: str) -> None:
    months = [dt.date(2026, month, 1) for month in range(1, 13)] + [dt.date(2027, 1, 1)]
    applies = [m for m in months if pl.select(is_elder(pl.lit(dt.date.fromisoformat(born)), m)).item()]
    assert applies[0] == dt.date.fromisoformat(f"{first}-01")
    assert len(applies) == len(months) - months.index(applies[0])


def test_a_household_without_an_insured_person_has_no_class() -> None:
    rows = pl.DataFrame([("1", *DEEMED)], schema=PEOPLE, orient="row")
    paid = pl.DataFrame([tax("a")], schema=dict.fromkeys(TAXES, pl.String), orient="row")
    assert classify(rows, paid, MONTH, load_borders(load_catalogue(), MONTH)).is_empty()
