"""Reconciles instructions, results and handovers: what agrees is accepted, what does not is a question. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from interfaces.messages import message
from pipelines.continuity.facts import CANDIDATE, HOUSEHOLDS
from schemas.rules.handed_over import WINDOW_BEFORE, effective_handovers

RESULT, HANDOVER = "continuity_result", "high_cost_handover"
NOT_LISTED = "KR-8207"
_PAIR = (CANDIDATE, *HOUSEHOLDS)


@dataclass(frozen=True)
class Reconciled:
    """accepted_handovers: handover rows that may count. gone: household_number (ours), until: continued elsewhere in that month.

    discrepancies: interface, CANDIDATE, HOUSEHOLDS, code, title, ours, theirs, question.
    """

    accepted_handovers: pl.DataFrame
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

    decisions: the instructed ones (CANDIDATE, HOUSEHOLDS, decision). results, handovers: the files' canonical records of
    the month. before: handover rows accepted in earlier months (late corrections refer to them); continued_before:
    HOUSEHOLDS and moved_on of what earlier months confirmed. Expected: every instruction has a result and every result an
    instruction; every handed-over month belongs to a continued household and lies in the 12 months up to its move; and
    the number of months is the one that the Union states.
    """
    answers = _Answers.of(decisions, results, own_municipality)
    with_move = _with_move(handovers, _continued(answers, continued_before))
    accepted = with_move.filter("in_window").select(handovers.columns)
    wrong = _wrong_numbers(
        _named_numbers(answers, handovers, continued_before), pl.concat([before.select(accepted.columns), accepted])
    )
    found = [*_questions_on_answers(answers), *_questions_on_months(with_move, wrong)]
    return Reconciled(accepted, _gone(results, own_municipality), pl.concat(found).sort("code", *_PAIR))


@dataclass(frozen=True)
class _Answers:
    """The instructed decisions (asked), what the Union confirmed for our new households (confirmed), and their join (both)."""

    asked: pl.DataFrame
    confirmed: pl.DataFrame
    both: pl.DataFrame

    @classmethod
    def of(cls, decisions: pl.DataFrame, results: pl.DataFrame, own_municipality: str) -> _Answers:
        """Postponed decisions were not asked; results for other municipalities are not for us."""
        asked = decisions.filter(pl.col("decision") != "postponed").select(*_PAIR, "decision")
        confirmed = results.filter(pl.col("new_municipality_code") == own_municipality).select(
            *_PAIR, "continuity_outcome", "moved_on", "high_cost_count"
        )
        return cls(asked, confirmed, asked.join(confirmed, on=_PAIR, how="inner"))

    @property
    def continued(self) -> pl.DataFrame:
        """The rows of both whose household is confirmed as continued."""
        return self.both.filter(pl.col("continuity_outcome") == "continued")


def _continued(answers: _Answers, before: pl.DataFrame) -> pl.DataFrame:
    """HOUSEHOLDS, moved_on of every household confirmed as continued, this month or earlier."""
    columns = (*HOUSEHOLDS, "moved_on")
    both = pl.concat([answers.continued.select(columns), before.select(columns)])
    return both.unique(list(HOUSEHOLDS), keep="first", maintain_order=True)


def _with_move(handovers: pl.DataFrame, continued: pl.DataFrame) -> pl.DataFrame:
    """The handed-over months with their household's moved_on (null: not continued), and in_window: may count for the move."""
    day, last = (pl.col("treatment_month") + "-01").str.to_date("%Y-%m-%d"), pl.col("moved_on").dt.truncate("1mo")
    return handovers.join(continued, on=HOUSEHOLDS, how="left").with_columns(
        day.is_between(last.dt.offset_by(f"-{WINDOW_BEFORE}mo"), last).alias("in_window")
    )


def _named_numbers(answers: _Answers, handovers: pl.DataFrame, continued_before: pl.DataFrame) -> pl.DataFrame:
    """The number of months that a household brings according to the Union (high_cost_count): by the result, or by a late handover."""
    late = handovers.select(*_PAIR, "high_cost_count").join(
        continued_before.select(HOUSEHOLDS), on=HOUSEHOLDS, how="semi"
    )
    named = pl.concat([answers.continued.select(*_PAIR, "high_cost_count"), late])
    return named.unique(list(HOUSEHOLDS), keep="last", maintain_order=True)


def _wrong_numbers(named: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """The rows of `named` whose number differs from the effective months among all accepted ones, with `months`."""
    counted = effective_handovers(accepted).group_by(HOUSEHOLDS).agg(pl.len().alias("months"))
    return (
        named.join(counted, on=HOUSEHOLDS, how="left")
        .with_columns(pl.col("months").fill_null(0))
        .filter(pl.col("months") != pl.col("high_cost_count").cast(pl.Int64))
    )


def _gone(results: pl.DataFrame, own_municipality: str) -> pl.DataFrame:
    """Our households that continue elsewhere: household_number, until (the month of the move)."""
    gone = results.filter(
        (pl.col("old_municipality_code") == own_municipality) & (pl.col("continuity_outcome") == "continued")
    ).select(
        pl.col("old_household_number").alias("household_number"), pl.col("moved_on").dt.truncate("1mo").alias("until")
    )
    return gone.unique().sort("household_number")


def _questions_on_answers(answers: _Answers) -> list[pl.DataFrame]:
    """Instructions without a result, results without an instruction, and results that differ from the decision."""
    without_result = answers.asked.join(answers.confirmed, on=_PAIR, how="anti")
    without_instruction = answers.confirmed.join(answers.asked, on=_PAIR, how="anti").filter(
        pl.col("continuity_outcome") != "not_instructed"
    )
    other = answers.both.filter(pl.col("decision") != pl.col("continuity_outcome"))
    return [
        _questions("KR-8201", RESULT, without_result, "decision", None),
        _questions("KR-8202", RESULT, without_instruction, None, "continuity_outcome"),
        _questions("KR-8203", RESULT, other, "decision", "continuity_outcome"),
    ]


def _questions_on_months(with_move: pl.DataFrame, wrong: pl.DataFrame) -> list[pl.DataFrame]:
    """Months (`_with_move`) of a household that is not continued or from before its window, and wrong numbers of months."""
    has_move = pl.col("moved_on").is_not_null()
    refused, outside = with_move.filter(~has_move), with_move.filter(has_move & ~pl.col("in_window"))
    return [
        _questions("KR-8204", HANDOVER, refused.unique(_PAIR, maintain_order=True), None, "treatment_month"),
        _questions("KR-8205", HANDOVER, outside, "moved_on", "treatment_month"),
        _questions("KR-8206", HANDOVER, wrong, "months", "high_cost_count"),
    ]


def _questions(code: str, interface: str, rows: pl.DataFrame, ours: str | None, theirs: str | None) -> pl.DataFrame:
    text = message(code)

    def as_text(column: str | None) -> pl.Expr:
        return pl.col(column).cast(pl.String) if column else pl.lit("")

    return rows.select(
        pl.lit(interface).alias("interface"),
        CANDIDATE,
        *HOUSEHOLDS,
        pl.lit(code).alias("code"),
        pl.lit(text.title).alias("title"),
        as_text(ours).alias("ours"),
        as_text(theirs).alias("theirs"),
        pl.lit(text.remedy).alias("question"),
    )


def arrivals_not_listed(
    people: pl.DataFrame, listed: pl.DataFrame, asked: pl.DataFrame, first: dt.date, end: dt.date
) -> pl.DataFrame:
    """Households into which somebody moved inside the prefecture in [first, end) and that no candidate names.

    people: as sent to the Union (household_number, applied_on, application_reason). listed: candidates' rows with the
    `month` of their list; a list contains the arrivals of its month and earlier ones that were notified late.
    asked: household_number and applied_on of what an earlier month asked already.
    Columns of Reconciled.discrepancies, one row per household and month of arrival (KR-8207).
    """
    arrived = (
        people.filter(
            (pl.col("application_reason") == "moved_in_prefecture")
            & (pl.col("applied_on") >= first)
            & (pl.col("applied_on") < end)
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
        pl.lit("").alias(CANDIDATE),
        pl.lit("").alias(HOUSEHOLDS[0]),
        pl.lit("").alias(HOUSEHOLDS[1]),
        pl.col("household_number").alias(HOUSEHOLDS[2]),
        "applied_on",
    )
    return _questions(NOT_LISTED, "continuity_candidates", questions, "applied_on", None)
