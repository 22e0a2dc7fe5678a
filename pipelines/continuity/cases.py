"""A candidate as a clerk reads it: both households in words, the proposal, and a fingerprint of all of it. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import polars as pl

from interfaces.spec import Code
from pipelines.continuity.facts import CANDIDATE, INSURED_ID
from pipelines.tables.continuity import Cases

FINGERPRINT = "facts_sha256"
_FACTS = [name for name in Cases.names() if name != FINGERPRINT]


def cases(
    people: pl.DataFrame,
    proposals: pl.DataFrame,
    names: pl.DataFrame,
    words: dict[str, tuple[Code, ...]],
) -> pl.DataFrame:
    """One row per candidate: `Cases`, in the order of candidate_number.

    people: the candidates' rows (see judgement.judge). names: prefecture_insured_id, resident_number, name of everybody
    in our register. words: code tables by item (head_kind, application_reason, end_reason), for their Japanese names.
    FINGERPRINT: SHA-256 over the candidate's rows, the names and the proposal: what a decision is based on.
    """
    described = _described(people, names, words)
    sides = {
        side: described.filter(pl.col("household_side") == side)
        .group_by(CANDIDATE)
        .agg(pl.col("line").str.join("\n").alias(column))
        for side, column in (("before", "old_people"), ("after", "new_people"))
    }
    found = proposals.join(sides["before"], on=CANDIDATE, how="left").join(sides["after"], on=CANDIDATE, how="left")
    arrival = (
        people.filter(pl.col("household_side") == "after")
        .group_by(CANDIDATE)
        .agg(pl.col("joined_on").max().alias("arrived_on"))
    )
    found = found.join(arrival, on=CANDIDATE, how="left").with_columns(
        pl.coalesce("moved_on", "arrived_on").alias("moved_on")
    )
    found = found.select(_FACTS).sort(CANDIDATE)
    prints = [_sha256(row) for row in found.iter_rows()]
    return found.with_columns(pl.Series(FINGERPRINT, prints, dtype=pl.String))


def _sha256(row: tuple[object, ...]) -> str:
    values = [value.isoformat() if isinstance(value, dt.date) else value for value in row]
    return hashlib.sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def fingerprint(found: pl.DataFrame) -> str:
    """One SHA-256 for a month's cases: a worksheet made from older data has another one."""
    return hashlib.sha256("".join(found[FINGERPRINT]).encode()).hexdigest()


def _described(people: pl.DataFrame, names: pl.DataFrame, words: dict[str, tuple[Code, ...]]) -> pl.DataFrame:
    """CANDIDATE, household_side, line: one line per person of a household, heads first, without 個人番号."""

    def named(item: str, table: str) -> pl.Expr:
        return pl.col(item).replace_strict(
            {c.meaning: c.name for c in words[table]}, default=None, return_dtype=pl.String
        )

    who = pl.coalesce(
        pl.format("{}（{}）", "name", "resident_number"), pl.format("ID {}", INSURED_ID), pl.lit("IDのない人")
    )
    until = pl.when(pl.col("left_on").is_not_null()).then(
        pl.format("{} {}", pl.col("left_on").dt.strftime("%Y-%m-%d"), named("leave_reason", "end_reason"))
    )
    line = pl.format(
        "{} {}\n　{} {}〜{}",
        named("head_kind", "head_kind"),
        who,
        pl.col("joined_on").dt.strftime("%Y-%m-%d"),
        named("join_reason", "application_reason"),
        until.fill_null(""),
    )
    is_member = pl.col("head_kind") == "member"
    return (
        people.join(names.unique(INSURED_ID, keep="first", maintain_order=True), on=INSURED_ID, how="left")
        .sort(CANDIDATE, "household_side", is_member, INSURED_ID, "joined_on", nulls_last=True)
        .select(CANDIDATE, "household_side", line.alias("line"))
    )
