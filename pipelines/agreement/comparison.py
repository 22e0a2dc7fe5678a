"""Compares everybody on a day: the register, what the Union was told, and what it decided. Pure; knows no file and no clock.

What was told is compared by the rules of the daily sending (`eligibility.changes`), what was decided by those of the
daily receiving (`linkage.matching`), as if all of it came today. The rules here are about the register alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from interfaces.messages import message
from pipelines.eligibility.changes import (
    ADDED,
    NOTHING_CARRIED,
    NUMBER_CHANGED,
    WITHDRAWN,
    Carried,
    changed_numbers,
    differing_households,
    find_changes,
)
from pipelines.linkage.matching import KEY, MUNICIPAL_ID, PREFECTURE_ID, match_dates, unanswered
from pipelines.tables.agreement import AgreementTotals, Disagreements
from pipelines.tables.eligibility import Households
from schemas.rules.periods import NOMINAL_HEAD, in_household, late_elderly_from, runs

HOUSEHOLD = "household_number"
NOT_TOLD, NOT_OURS, TOLD_OTHERWISE, HOUSEHOLD_DIFFERS = "KR-8301", "KR-8302", "KR-8303", "KR-8304"
TWO_PERIODS, NO_HEAD, OVER_AGE, NO_NUMBER, OTHER_NUMBER = "KR-8305", "KR-8306", "KR-8307", "KR-8308", "KR-8309"
# They compare a decision with the one before, and were asked about when it came.
_ASKED_THEN = ("KR-8123", "KR-8132", "KR-8134")
_MY_NUMBER = "my_number"
_IDENTIFIERS = {_MY_NUMBER: "個人番号", PREFECTURE_ID: "都道府県被保険者ID", MUNICIPAL_ID: "市町村被保険者ID"}
_HEADS = ("insured_head", NOMINAL_HEAD)


@dataclass(frozen=True)
class Stock:
    """Everybody on one side: `People`, `Households` and `MyNumbers`; what the Union was told says `uncertain` besides.

    carried: on the register's side, the items that the files of the day carry besides.
    """

    people: pl.DataFrame
    households: pl.DataFrame
    my_numbers: pl.DataFrame
    carried: Carried = NOTHING_CARRIED


@dataclass(frozen=True)
class Decided:
    """What the Union decided. state: `LinkageState`. before: the period of each person that came before the present one
    (columns of `linkage.matching.NOTHING_BEFORE`). told_earlier: `SentPeople` so long ago that their id must be there."""

    state: pl.DataFrame
    before: pl.DataFrame
    told_earlier: pl.DataFrame


def compare(register: Stock, told: Stock, decided: Decided, on: dt.date) -> pl.DataFrame:
    """`Disagreements` at the end of the day `on`, by household and person."""
    found = [
        _not_as_told(register, told, on),
        _households_not_as_told(register, told),
        _not_as_decided(register, decided, on),
        _two_periods(register, decided, on),
        _without_head(register, on),
        _over_age(register, on),
        _without_number(register, on),
    ]
    return pl.concat([Disagreements.empty(), *found]).unique().sort(HOUSEHOLD, KEY, "code", nulls_last=True)


def totals(found: pl.DataFrame) -> pl.DataFrame:
    """`AgreementTotals` of `Disagreements`."""
    counted = found.group_by("code", "title").agg(
        pl.col(KEY).drop_nulls().n_unique().cast(pl.Int64).alias("persons"),
        pl.col(HOUSEHOLD).drop_nulls().n_unique().cast(pl.Int64).alias("households"),
    )
    return counted.select(AgreementTotals.names()).sort("code")


def _rows(rows: pl.DataFrame, code: str, ours: pl.Expr, theirs: pl.Expr) -> pl.DataFrame:
    """`Disagreements` of rows with both keys."""
    text = message(code)
    return rows.select(
        HOUSEHOLD,
        KEY,
        pl.lit(code).alias("code"),
        pl.lit(text.title).alias("title"),
        ours.cast(pl.String).alias("ours"),
        theirs.cast(pl.String).alias("theirs"),
        pl.lit(text.remedy).alias("remedy"),
    )


_NOTHING = pl.lit(None, pl.String)


def _not_as_told(register: Stock, told: Stock, on: dt.date) -> pl.DataFrame:
    """Persons on one side only, with other facts, or with another 個人番号."""
    numbers = changed_numbers(told.my_numbers, register.my_numbers)
    changes = find_changes(
        told.people, told.households, register.people, register.households, numbers, on, register.carried
    )
    changed, kinds = changes.changed, pl.col("change_kinds")
    facts = kinds.list.set_difference(pl.lit([ADDED, WITHDRAWN, NUMBER_CHANGED]))
    differing = changed.filter(facts.list.len() > 0, ~kinds.list.contains(ADDED))
    return pl.concat(
        [
            _rows(changed.filter(kinds.list.contains(ADDED)), NOT_TOLD, _NOTHING, _NOTHING),
            _rows(changed.filter(kinds.list.contains(WITHDRAWN)), NOT_OURS, _NOTHING, _NOTHING),
            _rows(differing, TOLD_OTHERWISE, facts.list.join("・"), _NOTHING),
            _rows(changed.filter(kinds.list.contains(NUMBER_CHANGED)), OTHER_NUMBER, _NOTHING, _NOTHING),
        ]
    )


def _households_not_as_told(register: Stock, told: Stock) -> pl.DataFrame:
    """Households on one side only, or with other facts; named by their head."""
    kinds = differing_households(told.households, register.households, register.carried)
    differing = register.households.join(kinds, on=HOUSEHOLD)
    gone = told.households.join(register.households, on=HOUSEHOLD, how="anti").with_columns(
        pl.lit([WITHDRAWN]).alias("change_kinds")
    )
    both = pl.concat([side.select(*Households.names(), "change_kinds") for side in (differing, gone)])
    named = both.with_columns(pl.col("head_resident_number").alias(KEY))
    return _rows(named, HOUSEHOLD_DIFFERS, pl.col("change_kinds").list.join("・"), _NOTHING)


def _not_as_decided(register: Stock, decided: Decided, on: dt.date) -> pl.DataFrame:
    """Persons whose dates the Union decided otherwise, or who have no id although they were told long enough ago."""
    state = decided.state.join(register.people, on=KEY, how="semi")
    dated = state.filter(pl.col("acquired_on").is_not_null())
    asked = match_dates(dated, register.people, decided.before).discrepancies.filter(~pl.col("code").is_in(_ASKED_THEN))
    insured = register.people.filter(runs(on))
    with_id = state.filter(pl.col(MUNICIPAL_ID).is_not_null())
    waiting = unanswered(decided.told_earlier.join(insured, on=KEY, how="semi"), with_id, on)
    found = pl.concat([asked, waiting]).join(register.people.select(KEY, HOUSEHOLD), on=KEY)
    return found.select(HOUSEHOLD, KEY, "code", "title", "ours", "theirs", pl.col("question").alias("remedy"))


def _two_periods(register: Stock, decided: Decided, on: dt.date) -> pl.DataFrame:
    """Persons insured under two 宛名番号 at once, by any identifier that only one person can have."""
    identified = (
        register.people.filter(runs(on))
        .select(HOUSEHOLD, KEY)
        .join(register.my_numbers.select(KEY, _MY_NUMBER), on=KEY, how="left")
        .join(decided.state.select(KEY, PREFECTURE_ID, MUNICIPAL_ID), on=KEY, how="left")
    )
    found = []
    for identifier, name in _IDENTIFIERS.items():
        twice = identified.filter(pl.col(identifier).is_not_null(), pl.col(identifier).is_duplicated())
        together = pl.col(KEY).sort().str.join("、").over(identifier)
        found.append(_rows(twice.with_columns(together.alias("same")), TWO_PERIODS, pl.lit(name), pl.col("same")))
    return pl.concat(found)


def _without_head(register: Stock, on: dt.date) -> pl.DataFrame:
    """Households with an insured member on the day and without a head; named by the registered head."""
    heads = register.people.filter(pl.col("head_kind").is_in(_HEADS), in_household(on))
    headless = register.people.filter(runs(on)).select(HOUSEHOLD).unique().join(heads, on=HOUSEHOLD, how="anti")
    named = headless.join(register.households, on=HOUSEHOLD, how="left", maintain_order="left").select(
        HOUSEHOLD, pl.col("head_resident_number").alias(KEY)
    )
    return _rows(named, NO_HEAD, _NOTHING, _NOTHING)


def _over_age(register: Stock, on: dt.date) -> pl.DataFrame:
    """Persons insured on the day who belong to 後期高齢者医療 by then."""
    since = late_elderly_from(pl.col("born_on"))
    return _rows(register.people.filter(runs(on), since <= on), OVER_AGE, since, _NOTHING)


def _without_number(register: Stock, on: dt.date) -> pl.DataFrame:
    """Persons insured on the day without a 個人番号."""
    known = register.my_numbers.filter(pl.col(_MY_NUMBER).is_not_null())
    return _rows(register.people.filter(runs(on)).join(known, on=KEY, how="anti"), NO_NUMBER, _NOTHING, _NOTHING)
