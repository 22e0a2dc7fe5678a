"""The rules of the monthly agreement that a village of a few households does not show."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from pipelines.agreement.comparison import Decided, Stock, compare, totals
from pipelines.linkage.matching import NOTHING_BEFORE
from pipelines.tables.eligibility import Households, MyNumbers, People, SentHouseholds, SentPeople
from pipelines.tables.linkage import LinkageState
from schemas.rules.periods import late_elderly_from
from tests.support.deployment import whole

ON = dt.date(2026, 4, 30)
BEGAN = dt.date(2020, 4, 1)
NOBODY = Stock(SentPeople.empty(), SentHouseholds.empty(), MyNumbers.empty())
NOTHING = Decided(LinkageState.empty(), NOTHING_BEFORE, SentPeople.empty())


def register(ended_on: dt.date | None = None, number: str = "合成の番号") -> Stock:
    """Two households of one person each; both have one 個人番号, and the second period may have ended."""
    people = whole(
        People,
        pl.DataFrame(
            {
                "resident_number": ["1", "2"],
                "household_number": ["11", "12"],
                "head_kind": "insured_head",
                "born_on": dt.date(1980, 1, 1),
                "applied_on": BEGAN,
                "ended_on": pl.Series([None, ended_on], dtype=pl.Date),
            }
        ),
    )
    households = whole(Households, pl.DataFrame({"household_number": ["11", "12"], "head_resident_number": ["1", "2"]}))
    return Stock(people, households, MyNumbers.of([("1", number), ("2", "合成の番号")]))


@pytest.mark.parametrize(
    ("born_on", "since"),
    [
        (dt.date(1951, 4, 30), dt.date(2026, 4, 30)),
        (dt.date(1951, 3, 1), dt.date(2026, 3, 1)),
        (dt.date(1948, 2, 29), dt.date(2023, 3, 1)),  # the 75 years are complete at the end of 28 February
        (dt.date(1949, 2, 28), dt.date(2024, 2, 28)),
        (dt.date(1949, 3, 1), dt.date(2024, 3, 1)),  # at the end of 29 February
        (dt.date(1951, 1, 1), dt.date(2026, 1, 1)),
    ],
)
def test_the_day_on_which_somebody_leaves_for_the_insurance_of_the_late_elderly(
    born_on: dt.date, since: dt.date
) -> None:
    assert pl.select(late_elderly_from(pl.lit(born_on))).item() == since


@pytest.mark.parametrize(
    ("stock", "expected"),
    [
        (register(), {"1", "2"}),
        (register(ended_on=dt.date(2026, 5, 1)), {"1", "2"}),  # still insured on the day
        (register(ended_on=ON), set()),
        (register(number="別の番号"), set()),
    ],
)
def test_one_number_in_two_running_periods_is_one_person_twice(stock: Stock, expected: set[str]) -> None:
    found = compare(stock, NOBODY, NOTHING, ON)
    assert set(found.filter(pl.col("code") == "KR-8305")["resident_number"]) == expected


def test_the_list_shows_no_number() -> None:
    found = compare(register(), NOBODY, NOTHING, ON)
    assert found.height == 6  # each new, each in a new household, each one person twice
    assert "合成の番号" not in found.write_csv()


def test_totals_count_persons_and_households_once() -> None:
    found = compare(register(), NOBODY, NOTHING, ON)
    assert [row[::2] + row[3:] for row in totals(found).rows()] == [
        ("KR-8301", 2, 2),
        ("KR-8304", 2, 2),
        ("KR-8305", 2, 2),
    ]
