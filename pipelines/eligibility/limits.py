"""How much of what the Union knows may change before a person must confirm it. Pure; the limits are settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY

# What is counted, in the order of the message, with its unit.
KINDS = {
    "withdrawn": "取消",
    "added": "新規",
    "identity": "氏名・生年月日・性別・個人番号の変更",
    "households_gone": "世帯の取消",
}
UNITS = {"households_gone": "世帯"}
# Facts that identify a person. Name and kana change together and count once; 個人番号 is compared separately.
IDENTITY = {"name": ["name", "name_kana"], "born_on": ["born_on"], "sex": ["sex"]}
SEVERAL = 2


class State(Protocol):
    """What the Union knows at some time: people, households, my_numbers (resident_number, my_number)."""

    @property
    def people(self) -> pl.DataFrame: ...
    @property
    def households(self) -> pl.DataFrame: ...
    @property
    def my_numbers(self) -> pl.DataFrame: ...


@dataclass(frozen=True)
class Amount:
    """`count` out of `total` in the baseline; `share` and `floor` are the limit: up to `floor` is never too much."""

    kind: str
    count: int
    total: int
    share: float
    floor: int

    @property
    def is_too_much(self) -> bool:
        """More than the floor, and at least the share of the total."""
        return self.count > self.floor and self.count >= self.share * self.total

    def __str__(self) -> str:
        unit = UNITS.get(self.kind, "人")
        return f"{KINDS[self.kind]} {self.count}{unit}（{self.total}{unit}のうち。上限 {self.share:.0%}、{self.floor}{unit}までは可）"


def identity_changes(before: State, people: pl.DataFrame, my_numbers: pl.DataFrame) -> pl.DataFrame:
    """宛名番号 in both states whose identity differs: resident_number, items (how many of name, birth, sex, 個人番号 differ).

    A 個人番号 that is missing in one of the states does not count as different.
    """
    numbers = my_numbers.join(before.my_numbers, on=PERSON_KEY, how="inner", suffix="_before")
    columns = [column for columns in IDENTITY.values() for column in columns]
    both = people.select(PERSON_KEY, *columns).join(
        before.people.select(PERSON_KEY, *columns), on=PERSON_KEY, how="inner", suffix="_before"
    )
    differing = [
        pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in compared).cast(pl.Int64)
        for compared in IDENTITY.values()
    ]
    other_number = (pl.col("my_number") != pl.col("my_number_before")).fill_null(False).cast(pl.Int64)
    return (
        both.join(numbers, on=PERSON_KEY, how="left")
        .select(PERSON_KEY, items=pl.sum_horizontal(*differing, other_number))
        .filter(pl.col("items") > 0)
    )


def amounts(before: State, after: State, asked: pl.Series, shares: Mapping[str, float], floor: int) -> list[Amount]:
    """How much `after` would change of what the Union knew by `before`, by KINDS.

    asked: resident_numbers that wait for confirmation that they are the same persons; they count although they wait.
    """
    identity = identity_changes(before, after.people, after.my_numbers)[PERSON_KEY]
    counts = {
        "withdrawn": before.people.join(after.people, on=PERSON_KEY, how="anti").height,
        "added": after.people.join(before.people, on=PERSON_KEY, how="anti").height,
        "identity": pl.concat([identity, asked]).n_unique(),
        "households_gone": before.households.join(after.households, on=HOUSEHOLD_KEY, how="anti").height,
    }
    total = dict.fromkeys(KINDS, before.people.height) | {"households_gone": before.households.height}
    return [Amount(kind, counts[kind], total[kind], shares[kind], floor) for kind in KINDS]
