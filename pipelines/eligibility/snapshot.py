"""The municipality's register on a day, in the shape of the 資格情報 files. Pure: frames in, frames out; no 個人番号."""

from __future__ import annotations

import datetime as dt

import polars as pl

from pipelines.tables.eligibility import Households, InsuredExtract, People, ResidentExtract
from schemas.rules.periods import not_over, runs, runs_or_will

PERSON_KEY = "resident_number"
HOUSEHOLD_KEY = "household_number"
# Facts of a person from the extract of residents; the rest comes from the extract of the insured.
RESIDENT_FACTS = [name for name in ResidentExtract.names() if name != PERSON_KEY]
INSURED_FACTS = [name for name in InsuredExtract.names() if name != PERSON_KEY]


def people(resident: pl.DataFrame, insured: pl.DataFrame, household: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    """Everybody whom the Union's register must contain: insured, formerly insured, 擬制世帯主 (評価書 別添1 (1); docs/sources.md 1.2).

    Canonical extracts in; one row per person out, columns of `People`, sorted by resident_number. `on` is the
    processing date. `head_kind` is nominal_head for the 擬制世帯主, not insured on that day, of a household that has not
    ended; else insured_head for a registered head whose period runs or will run; else member. A formerly insured
    擬制世帯主 keeps the dates of their last period. An end in the future changes nobody's kind before its day.
    """
    open_households = household.filter(not_over(on, "household_ended_on"))
    nominal = open_households.filter(pl.col("nominal_head") == "yes").select(
        pl.col("head_resident_number").alias(PERSON_KEY), pl.col(HOUSEHOLD_KEY).alias("nominal_household")
    )
    heads = household.select(pl.col(HOUSEHOLD_KEY), pl.col("head_resident_number"))
    everyone = (
        insured.select(PERSON_KEY, *INSURED_FACTS)
        .join(nominal, on=PERSON_KEY, how="full", coalesce=True)
        .with_columns(
            pl.coalesce(
                pl.when(~runs(on)).then(pl.col("nominal_household")),
                HOUSEHOLD_KEY,
                "nominal_household",
            ).alias(HOUSEHOLD_KEY)
        )
        .join(heads, on=HOUSEHOLD_KEY, how="left")
        .join(resident.select(PERSON_KEY, *RESIDENT_FACTS), on=PERSON_KEY, how="left")
        .join(
            household.select(HOUSEHOLD_KEY, pl.col("changed_on").alias("household_changed_on")),
            on=HOUSEHOLD_KEY,
            how="left",
        )
    )
    is_head = pl.col("head_resident_number") == pl.col(PERSON_KEY)
    return (
        everyone.with_columns(
            pl.when(~runs(on) & pl.col("nominal_household").is_not_null())
            .then(pl.lit("nominal_head"))
            .when(runs_or_will(on) & is_head.fill_null(False))
            .then(pl.lit("insured_head"))
            .otherwise(pl.lit("member"))
            .alias("head_kind"),
            pl.coalesce("changed_on", "household_changed_on"),
        )
        .select(People.names())
        .sort(PERSON_KEY)
    )


def households(household: pl.DataFrame, insured: pl.DataFrame, on: dt.date) -> pl.DataFrame:
    """The 国保世帯 of a day: columns of `Households`, one row per household_number, sorted by it.

    A head who is registered as 擬制世帯主 because their period will end becomes one on that day, not before.
    """
    still_insured = insured.filter(runs(on)).select(pl.col(PERSON_KEY).alias("head_resident_number"), HOUSEHOLD_KEY)
    ahead = household.join(still_insured, on=["head_resident_number", HOUSEHOLD_KEY], how="semi")[HOUSEHOLD_KEY]
    nominal = pl.when(pl.col(HOUSEHOLD_KEY).is_in(ahead.implode())).then(pl.lit("no")).otherwise(pl.col("nominal_head"))
    return household.with_columns(nominal.alias("nominal_head")).select(Households.names()).sort(HOUSEHOLD_KEY)
