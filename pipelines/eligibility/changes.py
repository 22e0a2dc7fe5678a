"""Who changed since the last report to the Union, and who is sent with them. Pure; knows no file and no clock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY
from schemas.rules.periods import in_household

# Kinds of change by the facts that differ, in the order in which a person's kinds are listed.
CHANGE_KINDS: dict[str, list[str]] = {
    "資格取得": ["acquired_on", "acquisition_reason"],
    "資格喪失": ["lost_on", "loss_reason"],
    "適用開始": ["applied_on", "application_reason", "previous_municipality_code"],
    "適用終了": ["ended_on", "end_reason", "next_municipality_code"],
    "世帯異動": [HOUSEHOLD_KEY, "branch_number"],
    "世帯主変更": ["head_kind", "relationship"],
    "氏名変更": ["name", "name_kana"],
    "生年月日・性別訂正": ["born_on", "born_on_uncertain", "sex"],
    "届出・異動日訂正": ["notified_on", "changed_on"],
}
NUMBER_CHANGED = "個人番号変更"
RENOTIFY = "再通知"
ADDED = "新規"
WITHDRAWN = "取消"


@dataclass(frozen=True)
class Changes:
    """What to report to the Union.

    people: `ChangedPeople`; update_kind: added|changed|withdrawn; change_kinds: Japanese words, none for those who are sent
    only because their household is. households: `ChangedHouseholds`.
    """

    people: pl.DataFrame
    households: pl.DataFrame

    @property
    def changed(self) -> pl.DataFrame:
        """Those of `people` who changed themselves."""
        return self.people.filter(pl.col("change_kinds").list.len() > 0)


def changed_numbers(baseline: pl.DataFrame, now: pl.DataFrame) -> pl.Series:
    """resident_numbers whose 個人番号 differs between two tables (resident_number, my_number); returns no 個人番号."""
    both = now.join(baseline, on=PERSON_KEY, how="inner", suffix="_before")
    return both.filter(pl.col("my_number").ne_missing(pl.col("my_number_before")))[PERSON_KEY]


def _differences(baseline: pl.DataFrame, now: pl.DataFrame, key: str, kinds: dict[str, list[str]]) -> pl.DataFrame:
    """Rows of `now` that differ from `baseline` in any compared column: key + change_kinds (list of words)."""
    columns = [column for columns in kinds.values() for column in columns]
    joined = now.select(key, *columns).join(
        baseline.select(key, *columns, pl.lit(True).alias("_in_baseline")), on=key, how="left", suffix="_before"
    )
    new = pl.col("_in_baseline").is_null()
    words = [
        pl.when(~new & pl.any_horizontal(pl.col(c).ne_missing(pl.col(f"{c}_before")) for c in compared))
        .then(pl.lit(word))
        .otherwise(None)
        .alias(word)
        for word, compared in kinds.items()
    ]
    first = pl.when(new).then(pl.lit(ADDED)).otherwise(None).alias(ADDED)
    return (
        joined.select(key, first, *words)
        .filter(pl.any_horizontal(pl.exclude(key).is_not_null()))
        .select(key, pl.concat_list(pl.exclude(key)).list.drop_nulls().alias("change_kinds"))
    )


HOUSEHOLD_KINDS: dict[str, list[str]] = {
    "世帯主変更": ["head_resident_number", "nominal_head"],
    "住所変更": ["postal_code", "address", "address_detail"],
    "記号番号変更": ["certificate_symbol", "certificate_number"],
    "世帯の適用期間": ["household_applied_on", "household_ended_on"],
    "異動日訂正": ["changed_on"],
}


def differing_households(baseline: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """The `Households` of `now` that differ from `baseline` or are new: household_number, change_kinds."""
    return _differences(baseline, now, HOUSEHOLD_KEY, HOUSEHOLD_KINDS)


def find_changes(
    baseline_people: pl.DataFrame,
    baseline_households: pl.DataFrame,
    people: pl.DataFrame,
    households: pl.DataFrame,
    numbers_changed: pl.Series,
    on: dt.date,
) -> Changes:
    """Changes against the last sent snapshot, widened to whole households (D-007; docs/sources.md 1.2).

    A changed person is sent together with every insured person of their household and of the household that they left,
    and with the 擬制世帯主, as of the processing date `on`.
    A person or household that is no longer there is withdrawn with the facts that were last sent.
    `uncertain` in the baseline marks those of whom the Union may hold other facts: they are reported again, changed or not.
    """
    before, now = _Side(baseline_people, baseline_households), _Side(people, households)
    kinds = _kinds_of_change(before.people, now.people, numbers_changed)
    withdrawn = before.people.join(now.people, on=PERSON_KEY, how="anti")
    touched = _touched_households(before, now, kinds, withdrawn)
    sent = _people_to_send(now.people, kinds, touched, on)
    cancelled = withdrawn.with_columns(
        pl.lit([WITHDRAWN]).alias("change_kinds"), pl.lit("withdrawn").alias("update_kind")
    ).select(sent.columns)
    return Changes(
        pl.concat([sent, cancelled]).sort(PERSON_KEY), _households_to_send(before.households, now.households, touched)
    )


@dataclass(frozen=True)
class _Side:
    """One side of the comparison: `People` and `Households`, `SentPeople` and `SentHouseholds` where it is the baseline."""

    people: pl.DataFrame
    households: pl.DataFrame


def _kinds_of_change(baseline: pl.DataFrame, people: pl.DataFrame, numbers_changed: pl.Series) -> pl.DataFrame:
    """PERSON_KEY, change_kinds of everybody in `people` who differs, has another 個人番号, or is in doubt."""
    differing = _differences(baseline, people, PERSON_KEY, CHANGE_KINDS)
    numbers = pl.DataFrame({PERSON_KEY: numbers_changed}, schema={PERSON_KEY: pl.String}).join(
        people.select(PERSON_KEY), on=PERSON_KEY, how="semi"
    )
    uncertain = baseline.filter("uncertain").join(people, on=PERSON_KEY, how="semi").select(PERSON_KEY)
    kinds = [
        differing,
        numbers.with_columns(pl.lit([NUMBER_CHANGED]).alias("change_kinds")),
        uncertain.with_columns(pl.lit([RENOTIFY]).alias("change_kinds")),
    ]
    return pl.concat(kinds).group_by(PERSON_KEY).agg(pl.col("change_kinds").explode())


def _touched_households(before: _Side, now: _Side, kinds: pl.DataFrame, withdrawn: pl.DataFrame) -> pl.DataFrame:
    """HOUSEHOLD_KEY of every household to report: those of a changed person, now and before, and those that differ themselves."""
    uncertain = before.households.filter("uncertain").join(now.households, on=HOUSEHOLD_KEY, how="semi")
    touched = [
        now.people.join(kinds, on=PERSON_KEY, how="semi"),
        before.people.join(kinds, on=PERSON_KEY, how="semi"),
        withdrawn,
        differing_households(before.households, now.households),
        uncertain,
    ]
    return pl.concat([frame.select(HOUSEHOLD_KEY) for frame in touched]).unique()


def _people_to_send(people: pl.DataFrame, kinds: pl.DataFrame, touched: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    """Everybody who changed, or is in a touched household on the day; with change_kinds and update_kind."""
    in_touched = pl.col(HOUSEHOLD_KEY).is_in(touched[HOUSEHOLD_KEY].implode())
    is_added = pl.col("change_kinds").list.contains(ADDED)
    return (
        people.join(kinds, on=PERSON_KEY, how="left")
        .filter(pl.col("change_kinds").is_not_null() | (in_touched & in_household(on)))
        .with_columns(
            pl.when(is_added).then(pl.lit("added")).otherwise(pl.lit("changed")).alias("update_kind"),
            pl.col("change_kinds").fill_null([]),
        )
    )


def _households_to_send(baseline: pl.DataFrame, households: pl.DataFrame, touched: pl.DataFrame) -> pl.DataFrame:
    """The touched households with update_kind, and those that no longer exist."""
    previously_sent = baseline.select(HOUSEHOLD_KEY, pl.lit("changed").alias("update_kind"))
    sent = (
        households.join(touched, on=HOUSEHOLD_KEY, how="semi")
        .join(previously_sent, on=HOUSEHOLD_KEY, how="left")
        .with_columns(pl.col("update_kind").fill_null("added"))
    )
    gone = baseline.join(households, on=HOUSEHOLD_KEY, how="anti")
    cancelled = gone.with_columns(pl.lit("withdrawn").alias("update_kind")).select(sent.columns)
    return pl.concat([sent, cancelled]).sort(HOUSEHOLD_KEY)
