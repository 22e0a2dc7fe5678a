"""Too much at once, and who seems to be another person: on, just below and just above each limit."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.configuration.settings import LimitSettings
from pipelines.eligibility.limits import Amount, amounts, identity_changes
from pipelines.eligibility.questions import reference
from pipelines.exchange.ledger.states import LedgerEvent
from tests.support.deployment import opened
from tests.support.entries import DELIVERED, outbound_entry

BORN = dt.date(1980, 1, 1)
NOBODY = pl.Series([], dtype=pl.String)


@dataclass
class UnionSnapshot:
    people: pl.DataFrame
    households: pl.DataFrame
    my_numbers: pl.DataFrame


def known(persons: int, first: int = 0, **facts: Any) -> UnionSnapshot:
    """So many persons, each in a household of their own, from the number `first` on."""
    numbers = [f"{n:015d}" for n in range(first, first + persons)]
    own = {
        "name": "合成　太郎",
        "name_kana": "ゴウセイ　タロウ",
        "born_on": BORN,
        "sex": "male",
        "my_number": "123456789018",
    }
    rows = [{"resident_number": number, **own, **facts} for number in numbers]
    people = pl.DataFrame(rows, schema_overrides={"my_number": pl.String})
    return UnionSnapshot(
        people.drop("my_number"),
        pl.DataFrame({"household_number": numbers}),
        people.select("resident_number", "my_number"),
    )


@pytest.mark.parametrize(
    ("count", "of", "too_much"),
    [
        (10, 100, False),
        (11, 100, True),
        (19, 1000, False),
        (20, 1000, True),
        (21, 1000, True),
        (11, 550, True),
        (11, 551, False),
    ],
)
def test_too_much_is_above_the_floor_and_at_least_the_share(count: int, of: int, too_much: bool) -> None:
    assert Amount("withdrawn", count, of, 0.02, 10).is_too_much == too_much


def test_amounts_are_counted_by_kind() -> None:
    shares = dict.fromkeys(("withdrawn", "added", "identity", "households_gone"), 0.02)

    def counted(after: UnionSnapshot, asked: pl.Series = NOBODY) -> dict[str, tuple[int, int]]:
        return {amount.kind: (amount.count, amount.total) for amount in amounts(known(106), after, asked, shares, 10)}

    assert counted(known(106)) == dict.fromkeys(shares, (0, 106))
    assert counted(known(106, first=500)) == {
        "withdrawn": (106, 106),
        "added": (106, 106),
        "identity": (0, 106),
        "households_gone": (106, 106),
    }
    assert counted(known(106, name="合成　別名"))["identity"] == (106, 106)
    assert counted(known(106), pl.Series(["x", "y"]))["identity"] == (2, 106), (
        "who is asked about counts although they wait"
    )


@pytest.mark.parametrize(
    ("facts", "items"),
    [
        ({}, 0),
        ({"name": "合成　花子"}, 1),
        ({"name": "合成　花子", "name_kana": "ゴウセイ　ハナコ"}, 1),
        ({"born_on": BORN.replace(day=2)}, 1),
        ({"my_number": "983205673214"}, 1),
        ({"my_number": None}, 0),
        ({"name": "合成　花子", "sex": "female"}, 2),
        ({"my_number": "983205673214", "born_on": None}, 2),
        ({"name": "合成　花子", "name_kana": "ゴウセイ　ハナコ", "sex": "female", "born_on": None}, 3),
    ],
)
def test_items_of_the_identity_that_differ(facts: dict[str, Any], items: int) -> None:
    after = known(1, **facts)
    found = identity_changes(known(1), after.people, after.my_numbers)
    assert found["items"].to_list() == ([items] if items else [])


def test_amounts_are_summed_over_the_days_of_the_settings(tmp_path: Path) -> None:
    """The reference is the oldest sending of the last seven days; none before a day whose amounts were confirmed."""
    environment = opened(tmp_path)
    assert reference(environment, dt.date(2026, 4, 1)) is None
    before = None
    for number in (1, 2, 3, 6, 7, 8, 9, 10):
        day = dt.date(2026, 4, number)
        outbound_entry(environment.ledger, "eligibility_individual", day, f"{number}", DELIVERED, baseline=before)
        before = day
    assert LimitSettings().days == 7
    expected = {2: 1, 8: 1, 9: 2, 10: 3, 13: 6, 17: 10, 24: 10}
    found = {number: reference(environment, dt.date(2026, 4, number)) for number in expected}
    assert found == {number: dt.date(2026, 4, day) for number, day in expected.items()}
    environment.ledger.recorder("試験").append_event(
        LedgerEvent.AMOUNT_CONFIRMED, partition=dt.date(2026, 4, 7), counts={}, reason="統合"
    )
    assert reference(environment, dt.date(2026, 4, 7)) == dt.date(2026, 4, 1)
    assert reference(environment, dt.date(2026, 4, 9)) == dt.date(2026, 4, 7)
