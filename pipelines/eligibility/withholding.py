"""Withhold, don't drop: who is on the 要修正 list, and what the Union will know after the rest is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines.eligibility.changes import Changes, in_columns_of
from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY

# Why somebody is on the list, as it is written there.
OWN_FAULT, HOUSEHOLD_FAULT, FAULT_OF_ANOTHER = "本人の誤り", "世帯の誤り", "同じ世帯の人の誤り"


def withheld_households(baseline_people: pl.DataFrame, people: pl.DataFrame, faults: pl.DataFrame) -> pl.Series:
    """household_numbers to withhold: those with a faulty person or household (`PersonsAtFault`), and all linked to them.

    A person who moved from one household to another links the two: with only one of them reported, the Union would have
    the person twice or not at all (D-006).
    """
    places = pl.concat([people.select(PERSON_KEY, HOUSEHOLD_KEY), baseline_people.select(PERSON_KEY, HOUSEHOLD_KEY)])
    withheld = pl.concat(
        [
            places.join(faults, on=PERSON_KEY, how="semi").select(HOUSEHOLD_KEY),
            faults.select(HOUSEHOLD_KEY).drop_nulls(),
        ]
    ).unique()
    ties = places.unique().filter(pl.col(HOUSEHOLD_KEY).n_unique().over(PERSON_KEY) > 1)
    while True:
        tied = ties.join(ties.join(withheld, on=HOUSEHOLD_KEY, how="semi"), on=PERSON_KEY, how="semi")
        extended = pl.concat([withheld, tied.select(HOUSEHOLD_KEY)]).unique()
        if extended.height == withheld.height:
            return withheld[HOUSEHOLD_KEY].sort()
        withheld = extended


def split(changes: Changes, baseline_people: pl.DataFrame, withheld: pl.Series) -> tuple[Changes, Changes]:
    """(what is sent, what waits). A person waits when their household, now or before, is withheld."""
    in_withheld = pl.col(HOUSEHOLD_KEY).is_in(withheld.implode())
    before = baseline_people.filter(in_withheld)[PERSON_KEY]
    waits = in_withheld | pl.col(PERSON_KEY).is_in(before.implode())
    sent = Changes(changes.people.filter(~waits), changes.households.filter(~in_withheld))
    return sent, Changes(changes.people.filter(waits), changes.households.filter(in_withheld))


def withheld_list(
    waiting: Changes, faults: pl.DataFrame, people: pl.DataFrame, baseline_people: pl.DataFrame
) -> pl.DataFrame:
    """The 要修正 list: everybody who waits or is at fault, with the codes of their own and their household's faults.

    faults: `PersonsAtFault`. Columns of Changes.people, reason, codes (list), faults (list of `ListedFault` as text);
    update_kind is null where nothing changed. A household that waits, or is at fault, without any of its people has a row
    without a person, so every withheld household is listed. `people`, `baseline_people`: the persons in the municipality's
    register and at the Union; persons in neither are not listed.
    """
    own = _codes(faults.drop_nulls(PERSON_KEY), PERSON_KEY)
    of_household = _codes(faults.filter(pl.col(PERSON_KEY).is_null()), HOUSEHOLD_KEY)
    gone = baseline_people.join(people, on=PERSON_KEY, how="anti")
    everybody = pl.concat([people, in_columns_of(people, gone)])
    unchanged = everybody.join(own, on=PERSON_KEY, how="semi").join(waiting.people, on=PERSON_KEY, how="anti")
    listed = pl.concat([waiting.people, unchanged.select(people.columns)], how="diagonal")
    households = pl.concat([waiting.households.select(HOUSEHOLD_KEY, "update_kind"), of_household], how="diagonal")
    alone = households.join(listed, on=HOUSEHOLD_KEY, how="anti").unique(HOUSEHOLD_KEY, keep="first")
    rows = pl.concat([listed, alone.select(HOUSEHOLD_KEY, "update_kind")], how="diagonal")
    none = pl.lit([], pl.List(pl.String))
    return (
        rows.join(own, on=PERSON_KEY, how="left")
        .join(of_household, on=HOUSEHOLD_KEY, how="left", suffix="_of_household")
        .with_columns(
            pl.when(pl.col("code").is_not_null())
            .then(pl.lit(OWN_FAULT))
            .when(pl.col("code_of_household").is_not_null())
            .then(pl.lit(HOUSEHOLD_FAULT))
            .otherwise(pl.lit(FAULT_OF_ANOTHER))
            .alias("reason"),
            pl.coalesce("code", none).list.concat(pl.coalesce("code_of_household", none)).alias("codes"),
            pl.coalesce("faults", none).list.concat(pl.coalesce("faults_of_household", none)).alias("faults"),
            pl.coalesce("change_kinds", none).alias("change_kinds"),
        )
        .drop("code", "code_of_household", "faults_of_household")
        .sort(HOUSEHOLD_KEY, PERSON_KEY)
    )


def _codes(faults: pl.DataFrame, key: str) -> pl.DataFrame:
    """key, code (list), faults (list) of the faults."""
    parts = [pl.col(name).fill_null("") for name in ("code", "item_name", "value", "expected")]
    details = pl.concat_str(parts, separator=_PARTED)
    return faults.group_by(key).agg(pl.col("code").unique().sort(), details.unique().sort().alias("faults"))


@dataclass(frozen=True, order=True)
class ListedFault:
    """One fault as the list shows it. value: as people may see it (empty: the item is blank)."""

    code: str
    item_name: str
    value: str
    expected: str

    @classmethod
    def parse(cls, text: str) -> ListedFault:
        """A fault of the column `faults`."""
        return cls(*text.split(_PARTED))


_PARTED = "\t"  # stands in no value: a file with one is refused (KR-1014)


def snapshot_after_sending(baseline: pl.DataFrame, now: pl.DataFrame, key: str, withheld: pl.Series) -> pl.DataFrame:
    """The snapshot that the Union knows once it has imported the file: today's facts, but the old ones of the withheld.

    So the withheld differ again tomorrow, and come again every day until they pass (D-006). A person of whom
    the Union may hold other facts stays `uncertain` until they are sent.
    """
    in_withheld = pl.col(HOUSEHOLD_KEY).is_in(withheld.implode())
    waiting = pl.concat([baseline.filter(in_withheld).select(key), now.filter(in_withheld).select(key)])
    sent = now.join(waiting, on=key, how="anti").with_columns(pl.lit(False).alias("uncertain"))
    return pl.concat([sent, in_columns_of(sent, baseline.join(waiting, on=key, how="semi"))]).sort(key)


@dataclass(frozen=True)
class WithheldCount:
    """How many are withheld. persons: at fault themselves or with their household; with_households: with those who wait
    because of them; by_code: how many of the persons have which code."""

    persons: int
    with_households: int
    by_code: Mapping[str, int]

    def __str__(self) -> str:
        """4人（同一世帯を含め12人）."""
        with_households = f"（同一世帯を含め{self.with_households}人）" if self.persons != self.with_households else ""
        return f"{self.persons}人{with_households}"


def counted(withheld: pl.DataFrame) -> WithheldCount:
    """The persons of a 要修正 list (`withheld_list`). A household without persons counts by its codes only."""
    at_fault = withheld.filter(pl.col("reason") != FAULT_OF_ANOTHER)
    codes = at_fault.select("codes").explode("codes").drop_nulls()["codes"].value_counts().sort("codes")
    return WithheldCount(
        at_fault.drop_nulls(PERSON_KEY).height, withheld.drop_nulls(PERSON_KEY).height, dict(codes.iter_rows())
    )
