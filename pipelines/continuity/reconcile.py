"""Instruction against result, result against handover: what agrees is taken, what doesn't is a question. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from interfaces.messages import message
from pipelines.continuity.facts import CANDIDATE, HOUSEHOLDS

DISCREPANCY_SCHEMA = {
    "interface": pl.String, CANDIDATE: pl.String, **dict.fromkeys(HOUSEHOLDS, pl.String), "code": pl.String,
    "title": pl.String, "ours": pl.String, "theirs": pl.String, "question": pl.String,
}  # fmt: skip
RESULT, HANDOVER = "continuity_result", "high_cost_handover"
NOT_LISTED = "KR-8207"
WINDOW_BEFORE = 11  # with the month of the move: the 12 months that the next municipality can ever need


@dataclass(frozen=True)
class Reconciled:
    """taken: handover rows that may count. gone: household_number (ours), until: continued elsewhere in that month."""

    taken: pl.DataFrame
    gone: pl.DataFrame
    discrepancies: pl.DataFrame


def reconcile(
    decisions: pl.DataFrame,
    results: pl.DataFrame,
    handovers: pl.DataFrame,
    before: pl.DataFrame,
    continued_before: pl.DataFrame,
    own_municipality: str,
) -> Reconciled:
    """What a month's confirmation and handover mean.

    decisions: the instructed ones (CANDIDATE, HOUSEHOLDS, decision). results, handovers: the files' canonical records of the
    month. before: handover rows taken in earlier months (late corrections go on from them); continued_before:
    HOUSEHOLDS and moved_on of what earlier months confirmed. Every instruction has its result and every result its
    instruction; every handed-over month belongs to a continued household, lies in the 12 months up to its move, and
    their number is the one that the Union names.
    """
    ours = results.filter(pl.col("new_municipality_code") == own_municipality)
    told = ours.select(CANDIDATE, *HOUSEHOLDS, "continuity_outcome", "moved_on", "high_cost_count")
    pairs = [CANDIDATE, *HOUSEHOLDS]
    asked = decisions.filter(pl.col("decision") != "postponed").select(*pairs, "decision")
    both = asked.join(told, on=pairs, how="inner")
    without_instruction = told.join(asked, on=pairs, how="anti").filter(
        pl.col("continuity_outcome") != "not_instructed"
    )
    continued = pl.concat(
        [
            both.filter(pl.col("continuity_outcome") == "continued").select(*HOUSEHOLDS, "moved_on"),
            continued_before.select(*HOUSEHOLDS, "moved_on"),
        ]
    ).unique(list(HOUSEHOLDS), keep="first", maintain_order=True)
    known = handovers.join(continued, on=list(HOUSEHOLDS), how="left").with_columns(
        (pl.col("treatment_month") + "-01").str.to_date("%Y-%m-%d").alias("first_day")
    )
    last = pl.col("moved_on").dt.truncate("1mo")
    in_window = pl.col("first_day").is_between(last.dt.offset_by(f"-{WINDOW_BEFORE}mo"), last)
    refused = known.filter(pl.col("moved_on").is_null())
    outside = known.filter(pl.col("moved_on").is_not_null() & ~in_window)
    taken = known.filter(in_window.fill_null(False)).select(handovers.columns)
    counted = _net(pl.concat([before.select(taken.columns), taken])).group_by(HOUSEHOLDS).agg(pl.len().alias("months"))
    claims = pl.concat(
        [
            both.filter(pl.col("continuity_outcome") == "continued").select(*pairs, "high_cost_count"),
            handovers.select(*pairs, "high_cost_count").join(
                continued_before.select(HOUSEHOLDS), on=list(HOUSEHOLDS), how="semi"
            ),
        ]
    ).unique(list(HOUSEHOLDS), keep="last", maintain_order=True)
    wrong_number = (
        claims.join(counted, on=list(HOUSEHOLDS), how="left")
        .with_columns(pl.col("months").fill_null(0))
        .filter(pl.col("months") != pl.col("high_cost_count").cast(pl.Int64))
    )
    found = [
        _questions("KR-8201", RESULT, asked.join(told, on=pairs, how="anti"), "decision", None),
        _questions("KR-8202", RESULT, without_instruction, None, "continuity_outcome"),
        _questions(
            "KR-8203",
            RESULT,
            both.filter(pl.col("decision") != pl.col("continuity_outcome")),
            "decision",
            "continuity_outcome",
        ),
        _questions("KR-8204", HANDOVER, refused.unique(pairs, maintain_order=True), None, "treatment_month"),
        _questions("KR-8205", HANDOVER, outside, "moved_on", "treatment_month"),
        _questions("KR-8206", HANDOVER, wrong_number, "months", "high_cost_count"),
    ]
    gone = results.filter(
        (pl.col("old_municipality_code") == own_municipality) & (pl.col("continuity_outcome") == "continued")
    ).select(
        pl.col("old_household_number").alias("household_number"), pl.col("moved_on").dt.truncate("1mo").alias("until")
    )
    return Reconciled(
        taken, gone.unique().sort("household_number"), pl.concat(found).sort("code", CANDIDATE, *HOUSEHOLDS)
    )


def _net(handovers: pl.DataFrame) -> pl.DataFrame:
    """The months that stand after corrections: the last word on a month holds."""
    key = [*HOUSEHOLDS, "treatment_month"]
    return handovers.group_by(key, maintain_order=True).last().filter(pl.col("update_kind") != "withdrawn")


def _questions(code: str, interface: str, rows: pl.DataFrame, ours: str | None, theirs: str | None) -> pl.DataFrame:
    text = message(code)

    def said(column: str | None) -> pl.Expr:
        return pl.col(column).cast(pl.String) if column else pl.lit("")

    return rows.select(
        pl.lit(interface).alias("interface"),
        CANDIDATE,
        *HOUSEHOLDS,
        pl.lit(code).alias("code"),
        pl.lit(text.title).alias("title"),
        said(ours).alias("ours"),
        said(theirs).alias("theirs"),
        pl.lit(text.remedy).alias("question"),
    )


def arrivals_not_listed(
    people: pl.DataFrame, listed: pl.DataFrame, asked: pl.DataFrame, first: dt.date, behind: dt.date
) -> pl.DataFrame:
    """Households into which somebody moved inside the prefecture in [first, behind) and that no candidate names.

    people: as sent to the Union (household_number, applied_on, application_reason). listed: candidates' rows with the
    `month` of their list; a list names the arrivals of its own month and those of earlier months that were notified late.
    asked: household_number and applied_on of what an earlier month asked already.
    DISCREPANCY_SCHEMA, one row per household and month of arrival (KR-8207).
    """
    arrived = (
        people.filter(
            (pl.col("application_reason") == "moved_in_prefecture")
            & (pl.col("applied_on") >= first)
            & (pl.col("applied_on") < behind)
        )
        .group_by("household_number", pl.col("applied_on").dt.truncate("1mo").alias("arrived_in"))
        .agg(pl.col("applied_on").min())
    )
    new = listed.filter(pl.col("household_side") == "after").select("household_number", "month")
    named = arrived.join(new, on="household_number").filter(pl.col("month") >= pl.col("arrived_in"))
    rows = arrived.join(named, on=["household_number", "arrived_in"], how="anti").join(
        asked, on=["household_number", "applied_on"], how="anti"
    )
    questions = rows.sort("household_number", "applied_on").select(
        pl.lit("").alias(CANDIDATE), pl.lit("").alias(HOUSEHOLDS[0]), pl.lit("").alias(HOUSEHOLDS[1]),
        pl.col("household_number").alias(HOUSEHOLDS[2]), "applied_on",
    )  # fmt: skip
    return _questions(NOT_LISTED, "continuity_candidates", questions, "applied_on", None)
