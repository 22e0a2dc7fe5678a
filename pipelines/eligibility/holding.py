"""Hold, don't drop: who waits on the 要修正 list, and what the Union will know after the rest is sent. Pure."""

from __future__ import annotations

import polars as pl

from pipelines.eligibility.changes import Changes
from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY


def held_households(baseline_people: pl.DataFrame, people: pl.DataFrame, faults: pl.DataFrame) -> pl.Series:
    """household_numbers to hold: those with a faulty person or household (`PersonsAtFault`), with all that are tied to them.

    A person who went from one household to another ties the two: telling the Union of one without the other would show
    him twice or not at all (design.md 4 rule 3).
    """
    places = pl.concat([people.select(PERSON_KEY, HOUSEHOLD_KEY), baseline_people.select(PERSON_KEY, HOUSEHOLD_KEY)])
    held = pl.concat(
        [
            places.join(faults, on=PERSON_KEY, how="semi").select(HOUSEHOLD_KEY),
            faults.select(HOUSEHOLD_KEY).drop_nulls(),
        ]
    ).unique()
    ties = places.unique().filter(pl.col(HOUSEHOLD_KEY).n_unique().over(PERSON_KEY) > 1)
    while True:
        tied = ties.join(ties.join(held, on=HOUSEHOLD_KEY, how="semi"), on=PERSON_KEY, how="semi")
        wider = pl.concat([held, tied.select(HOUSEHOLD_KEY)]).unique()
        if wider.height == held.height:
            return held[HOUSEHOLD_KEY].sort()
        held = wider


def split(changes: Changes, baseline_people: pl.DataFrame, held: pl.Series) -> tuple[Changes, Changes]:
    """(what is sent, what waits). A person waits when his household, now or before, is held."""
    in_held = pl.col(HOUSEHOLD_KEY).is_in(held.implode())
    before = baseline_people.filter(in_held)[PERSON_KEY]
    waits = in_held | pl.col(PERSON_KEY).is_in(before.implode())
    sent = Changes(changes.people.filter(~waits), changes.households.filter(~in_held))
    return sent, Changes(changes.people.filter(waits), changes.households.filter(in_held))


def held_list(
    waiting: Changes, faults: pl.DataFrame, people: pl.DataFrame, baseline_people: pl.DataFrame
) -> pl.DataFrame:
    """The 要修正 list: whoever waits or is at fault, and the codes of his own and his household's faults (`PersonsAtFault`).

    Columns of Changes.people, reason, codes (list), told (list: a code and what is told of it, with a space between);
    update_kind is null where nothing changed. A household that waits, or
    is at fault, without any of its people has a row of its own that names nobody: no household is held without a word.
    `people`, `baseline_people`: whom the municipality has, and the Union; somebody in neither is nobody's business here.
    """
    own = _codes(faults.drop_nulls(PERSON_KEY), PERSON_KEY)
    of_household = _codes(faults.filter(pl.col(PERSON_KEY).is_null()), HOUSEHOLD_KEY)
    everybody = pl.concat([people, baseline_people.join(people, on=PERSON_KEY, how="anti")], how="diagonal")
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
            pl.when(pl.col("code").is_not_null()).then(pl.lit("本人の誤り"))
            .when(pl.col("code_of_household").is_not_null()).then(pl.lit("世帯の誤り"))
            .otherwise(pl.lit("同じ世帯の人の誤り")).alias("reason"),
            pl.coalesce("code", none).list.concat(pl.coalesce("code_of_household", none)).alias("codes"),
            pl.coalesce("told", none).list.concat(pl.coalesce("told_of_household", none)).alias("told"),
            pl.coalesce("change_kinds", none).alias("change_kinds"),
        )
        .drop("code", "code_of_household", "told_of_household")
        .sort(HOUSEHOLD_KEY, PERSON_KEY)
    )  # fmt: skip


def _codes(faults: pl.DataFrame, key: str) -> pl.DataFrame:
    """key, code (list), told (list) of the faults."""
    told = pl.concat_str("code", "told", separator=" ")
    return faults.group_by(key).agg(pl.col("code").unique().sort(), told.drop_nulls().unique().sort().alias("told"))


def known_after_sending(baseline: pl.DataFrame, now: pl.DataFrame, key: str, held: pl.Series) -> pl.DataFrame:
    """The snapshot that the Union knows once the file is in: today's facts, but the old ones for all that is held.

    So the withheld differ again tomorrow, and come again every day until they pass (design.md 4 rule 3). A person of whom
    the Union may hold other facts stays `in_doubt` until they are sent.
    """
    in_held = pl.col(HOUSEHOLD_KEY).is_in(held.implode())
    waiting = pl.concat([baseline.filter(in_held).select(key), now.filter(in_held).select(key)])
    told = now.join(waiting, on=key, how="anti").with_columns(pl.lit(False).alias("in_doubt"))
    return pl.concat([told, baseline.join(waiting, on=key, how="semi").select(told.columns)]).sort(key)
