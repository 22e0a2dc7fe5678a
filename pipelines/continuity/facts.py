"""The facts about a candidate of 世帯の継続性 (docs/sources.md 3.1): a function per fact, with its sentence. Pure.

The conclusions from the facts are data (`criteria`), applied in `judgement`, not here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import polars as pl
from dateutil.relativedelta import relativedelta

CANDIDATE = "candidate_number"
INSURED_ID = "prefecture_insured_id"
HOUSEHOLDS = ("old_municipality_code", "old_household_number", "new_household_number")
HEADS = ("insured_head", "nominal_head")
MOVED_IN, MOVED_OUT, DIED, SAME_HOUSEHOLD = (
    "moved_in_prefecture",
    "moved_out_prefecture",
    "died",
    "household_changed",
)
_PERSON = (CANDIDATE, INSURED_ID)


@dataclass(frozen=True)
class Reasons:
    """Reasons for joining and leaving on the day of a move: those that the criteria name, those that they leave open, and
    those of people who move between households. Of any other reason nothing is decided."""

    named_joins: frozenset[str]
    named_leaves: frozenset[str]
    unnamed_joins: frozenset[str]
    unnamed_leaves: frozenset[str]
    moved_joins: frozenset[str]
    moved_leaves: frozenset[str]

    @property
    def decided_joins(self) -> frozenset[str]:
        """The reasons for joining of which the program knows what they mean for a household."""
        return self.named_joins | self.unnamed_joins | self.moved_joins | {MOVED_IN, SAME_HOUSEHOLD}

    @property
    def decided_leaves(self) -> frozenset[str]:
        """The reasons for leaving of which it knows that."""
        return self.named_leaves | self.unnamed_leaves | self.moved_leaves | {MOVED_OUT, SAME_HOUSEHOLD}


@dataclass(frozen=True)
class CaseFrames:
    """The people of a month's candidates, and every subset that a fact uses.

    people: one row per candidate, side and stay (columns: see judgement.judge). month: its first day. Every frame contains
    rows of `people`, unless stated otherwise.
    """

    people: pl.DataFrame
    month: dt.date
    own_municipality: str
    reasons: Reasons

    def in_month(self, column: str) -> pl.Expr:
        """Whether a day lies in the month; False without a day."""
        end: dt.date = self.month + relativedelta(months=1)
        return ((pl.col(column) >= self.month) & (pl.col(column) < end)).fill_null(False)

    @cached_property
    def before(self) -> pl.DataFrame:
        """The old household's rows."""
        return self.people.filter(pl.col("household_side") == "before")

    @cached_property
    def after(self) -> pl.DataFrame:
        """The new household's rows."""
        return self.people.filter(pl.col("household_side") == "after")

    @cached_property
    def households(self) -> pl.DataFrame:
        """The two households of each candidate: CANDIDATE, HOUSEHOLDS."""
        old = self.before.group_by(CANDIDATE).agg(
            pl.col("household_municipality_code").first().alias(HOUSEHOLDS[0]),
            pl.col("household_number").first().alias(HOUSEHOLDS[1]),
        )
        new = self.after.group_by(CANDIDATE).agg(pl.col("household_number").first().alias(HOUSEHOLDS[2]))
        return old.join(new, on=CANDIDATE, how="full", coalesce=True)

    @cached_property
    def arrived(self) -> pl.DataFrame:
        """Persons who joined the new household in the month because of a move within the prefecture."""
        return self.after.filter((pl.col("join_reason") == MOVED_IN) & self.in_month("joined_on"))

    @cached_property
    def departed(self) -> pl.DataFrame:
        """Persons who left the old household in the month because of such a move."""
        return self.before.filter((pl.col("leave_reason") == MOVED_OUT) & self.in_month("left_on"))

    @cached_property
    def movers(self) -> pl.DataFrame:
        """Persons who arrived and are on both sides."""
        return self.arrived.join(self.before.select(_PERSON).unique(), on=_PERSON, how="semi")

    @cached_property
    def moves(self) -> pl.DataFrame:
        """CANDIDATE, moved_on: the first day on which a person of the old household joined the new one; days: how many."""
        joined_on = pl.col("joined_on")
        return self.movers.group_by(CANDIDATE).agg(
            joined_on.min().alias("moved_on"), joined_on.n_unique().alias("days")
        )

    @cached_property
    def before_move(self) -> pl.DataFrame:
        """The old household on the day before the move, with moved_on."""
        return self._with_move(self.before).filter(
            (pl.col("joined_on") < pl.col("moved_on"))
            & (pl.col("left_on").is_null() | (pl.col("left_on") >= pl.col("moved_on")))
        )

    @cached_property
    def after_move(self) -> pl.DataFrame:
        """The new household at the end of the day of the move, with moved_on."""
        return self._with_move(self.after).filter(
            (pl.col("joined_on") <= pl.col("moved_on"))
            & (pl.col("left_on").is_null() | (pl.col("left_on") > pl.col("moved_on")))
        )

    def _with_move(self, people: pl.DataFrame) -> pl.DataFrame:
        return people.join(self.moves.select(CANDIDATE, "moved_on"), on=CANDIDATE)

    @cached_property
    def heads_before(self) -> pl.DataFrame:
        """The heads among before_move."""
        return self.before_move.filter(pl.col("head_kind").is_in(HEADS))

    @cached_property
    def heads_after(self) -> pl.DataFrame:
        """The heads among after_move."""
        return self.after_move.filter(pl.col("head_kind").is_in(HEADS))

    @cached_property
    def single_heads(self) -> pl.DataFrame:
        """Candidates with exactly one head on each side: CANDIDATE, head_before, head_after."""
        heads = _heads(self.heads_before, "before").join(
            _heads(self.heads_after, "after"), on=CANDIDATE, how="full", coalesce=True
        )
        return heads.filter((pl.col("heads_before") == 1) & (pl.col("heads_after") == 1))

    @cached_property
    def concerned(self) -> pl.DataFrame:
        """The persons on whom the judgement depends, movers and heads: CANDIDATE, INSURED_ID."""
        return _persons(self.movers, self.heads_before, self.heads_after).unique()

    @cached_property
    def newcomers(self) -> pl.DataFrame:
        """Persons who are in the new household and were not in the old one, with moved_on."""
        return self.after_move.join(self.before_move.select(_PERSON), on=_PERSON, how="anti")

    @cached_property
    def leavers(self) -> pl.DataFrame:
        """Persons who were in the old household and are not in the new one, with moved_on."""
        return self.before_move.join(self.after_move.select(_PERSON), on=_PERSON, how="anti")

    @cached_property
    def departures(self) -> pl.DataFrame:
        """The movers, each with the end of their old period on the same day; left_on is null if no period ends on it."""
        ends = self.before.filter(pl.col("leave_reason") == MOVED_OUT)
        return self.movers.select(*_PERSON, "joined_on").join(
            ends.select(*_PERSON, "left_on", "next_municipality_code"),
            left_on=[*_PERSON, "joined_on"],
            right_on=[*_PERSON, "left_on"],
            how="left",
            coalesce=False,
        )


def _persons(*frames: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame.select(_PERSON) for frame in frames])


def _heads(heads: pl.DataFrame, side: str) -> pl.DataFrame:
    return heads.group_by(CANDIDATE).agg(
        pl.col(INSURED_ID).n_unique().alias(f"heads_{side}"), pl.col(INSURED_ID).first().alias(f"head_{side}")
    )


@dataclass(frozen=True)
class Fact:
    """One fact. words: its sentence, in Japanese. rows_of: rows of the candidates for which it is true, with CANDIDATE."""

    words: str
    rows_of: Callable[[CaseFrames], pl.DataFrame]


# By the name that the criteria use, in the order in which they are shown to the person who decides.
FACTS: dict[str, Fact] = {}


def fact(
    name: str, words: str
) -> Callable[[Callable[[CaseFrames], pl.DataFrame]], Callable[[CaseFrames], pl.DataFrame]]:
    """Register a function as the fact `name` with its sentence: it returns rows of the candidates for which it is true."""

    def register(rows_of: Callable[[CaseFrames], pl.DataFrame]) -> Callable[[CaseFrames], pl.DataFrame]:
        FACTS[name] = Fact(words, rows_of)
        return rows_of

    return register


def find_facts(case: CaseFrames) -> pl.DataFrame:
    """The facts about each candidate: CANDIDATE, HOUSEHOLDS, moved_on and a Boolean column per fact of FACTS.

    The households are compared as of the day before moved_on and the end of moved_on.
    """
    holds = [
        pl.col(CANDIDATE).is_in(definition.rows_of(case)[CANDIDATE].unique().implode()).alias(name)
        for name, definition in FACTS.items()
    ]
    candidates = case.households.join(case.moves, on=CANDIDATE, how="left")
    return candidates.select(CANDIDATE, *HOUSEHOLDS, "moved_on", *holds)


def in_words() -> pl.Expr:
    """The facts that are true (columns as find_facts), in Japanese, for the person who decides."""
    redundant = {"head_was_member": pl.col("same_head")}
    sentences = [
        pl.when(pl.col(name) & ~redundant.get(name, pl.lit(False))).then(pl.lit(definition.words))
        for name, definition in FACTS.items()
    ]
    day = pl.format("異動日 {}", pl.col("moved_on").dt.strftime("%Y-%m-%d"))
    head = pl.when(~pl.col("same_head") & ~pl.col("head_unclear") & pl.col("moved_on").is_not_null()).then(
        pl.lit("世帯主が違う人")
    )
    return pl.concat_str([day, *sentences, head], separator="。", ignore_nulls=True)


@fact("other_prefecture", "別の都道府県からの異動")
def other_prefecture(case: CaseFrames) -> pl.DataFrame:
    """The old household belongs to another prefecture."""
    return case.households.filter(pl.col("old_municipality_code").str.slice(0, 2) != case.own_municipality[:2])


@fact("unlinked", "異動した人か世帯主に都道府県被保険者IDがない")
def unlinked(case: CaseFrames) -> pl.DataFrame:
    """Somebody who moved, or a head, has no id by which they could be found on the other side."""
    asked = _persons(case.departed, case.arrived, case.heads_before, case.heads_after)
    return asked.filter(pl.col(INSURED_ID).is_null())


@fact("no_mover", "前後の両方の世帯に載る人がいない")
def no_mover(case: CaseFrames) -> pl.DataFrame:
    """Nobody who arrived is on both sides."""
    return case.households.join(case.moves, on=CANDIDATE, how="anti")


@fact("several_days", "転入日が二つ以上ある")
def several_days(case: CaseFrames) -> pl.DataFrame:
    """The movers did not all arrive on one day."""
    return case.moves.filter(pl.col("days") > 1)


@fact("period_disagrees", "適用終了と適用開始が合わない")
def period_disagrees(case: CaseFrames) -> pl.DataFrame:
    """A mover's old period does not end on the day on which the new one begins."""
    return case.departures.filter(pl.col("left_on").is_null())


@fact("destination_differs", "届け出た転出先が当市町村でない")
def destination_differs(case: CaseFrames) -> pl.DataFrame:
    """A mover notified the old municipality of another destination."""
    return case.departures.filter(pl.col("next_municipality_code") != case.own_municipality)


@fact("moves_twice", "同じ月に二度移った")
def moves_twice(case: CaseFrames) -> pl.DataFrame:
    """A mover or head came to the old household, or left the new one, by such a move in the same month."""
    came = case.before.filter((pl.col("join_reason") == MOVED_IN) & case.in_month("joined_on"))
    went = case.after.filter((pl.col("leave_reason") == MOVED_OUT) & case.in_month("left_on"))
    return _persons(came, went).join(case.concerned, on=_PERSON, how="semi")


@fact("lost_and_acquired", "同じ月に資格を失って再取得した")
def lost_and_acquired(case: CaseFrames) -> pl.DataFrame:
    """A mover or head lost the 資格 in the month and began again in it, on or after that day."""
    lost = case.in_month("left_on") & ~pl.col("leave_reason").is_in([MOVED_OUT, SAME_HOUSEHOLD])
    return (
        case.people.join(case.concerned, on=_PERSON, how="semi")
        .group_by(_PERSON)
        .agg(
            pl.col("left_on").filter(lost).min().alias("lost_on"),
            pl.col("joined_on").filter(case.in_month("joined_on")).max().alias("again_on"),
        )
        .filter(pl.col("again_on") >= pl.col("lost_on"))
    )


@fact("head_died_on_the_way", "前の世帯主が異動のころに亡くなった")
def head_died_on_the_way(case: CaseFrames) -> pl.DataFrame:
    """The old household's head died, with a period ending on the day of the move or the day after."""
    day_after = pl.col("moved_on").dt.offset_by("1d")
    return case.heads_before.filter(
        (pl.col("leave_reason") == DIED) & pl.col("left_on").is_between(pl.col("moved_on"), day_after)
    )


@fact("head_unclear", "世帯主がいないか二人以上いる")
def head_unclear(case: CaseFrames) -> pl.DataFrame:
    """One of the households, where there was a move, has no head or several."""
    return case.moves.join(case.single_heads, on=CANDIDATE, how="anti")


@fact("same_head", "世帯主が同じ人")
def same_head(case: CaseFrames) -> pl.DataFrame:
    """The one head of the old household is the one head of the new one."""
    return case.single_heads.filter(pl.col("head_before") == pl.col("head_after"))


@fact("head_was_member", "新しい世帯主は前の世帯の人")
def head_was_member(case: CaseFrames) -> pl.DataFrame:
    """A head of the new household was in the old one."""
    return case.heads_after.join(case.before_move.select(_PERSON), on=_PERSON, how="semi")


@fact("head_came_new", "新しい世帯主は異動の日に国保に加わった")
def head_came_new(case: CaseFrames) -> pl.DataFrame:
    """A head of the new household joined on the day of the move for a reason that the criteria name."""
    came_new = case.newcomers.filter(_joined_for(case.reasons.named_joins))
    return came_new.join(case.heads_after.select(_PERSON), on=_PERSON, how="semi")


@fact("increased", "異動の日に基準の言う事由で加わった人がいる")
def increased(case: CaseFrames) -> pl.DataFrame:
    """An insured newcomer joined on the day of the move for a reason that the criteria name."""
    return case.newcomers.filter(_is_increase(case.reasons))


@fact("decreased", "異動の日に基準の言う事由で抜けた人がいる")
def decreased(case: CaseFrames) -> pl.DataFrame:
    """Somebody left on the day of the move for a reason that the criteria name."""
    return case.leavers.filter(_is_decrease(case.reasons))


@fact("undecided_reason", "扱いを決めていない事由で加わったか抜けた人がいる")
def undecided_reason(case: CaseFrames) -> pl.DataFrame:
    """Somebody joined or left in the month, or on the day after it, for a reason that nothing is decided on."""
    joined = _from_the_month_on(case, "joined_on") & ~pl.col("join_reason").is_in(case.reasons.decided_joins)
    left = _from_the_month_on(case, "left_on") & ~pl.col("leave_reason").is_in(case.reasons.decided_leaves)
    return case.people.filter(joined.fill_null(False) | left.fill_null(False))


def _from_the_month_on(case: CaseFrames, column: str) -> pl.Expr:
    """A death is recorded on the day after: what happened on a month's last day has the first of the next."""
    end: dt.date = case.month + relativedelta(months=1)
    return pl.col(column).is_between(case.month, end)


@fact("unnamed_reason", "異動の日に基準の言わない事由で加わったか抜けた人がいる")
def unnamed_reason(case: CaseFrames) -> pl.DataFrame:
    """Somebody joined or left on the day of the move for a reason that the criteria do not name."""
    return _persons(
        case.newcomers.filter(_joined_for(case.reasons.unnamed_joins)),
        case.leavers.filter(_left_for(case.reasons.unnamed_leaves)),
    )


@fact("foreign", "ほかの世帯からの人がいる")
def foreign(case: CaseFrames) -> pl.DataFrame:
    """There is a newcomer whom no named reason explains: they belonged to another household."""
    return case.newcomers.filter(~_is_increase(case.reasons))


@fact("left_behind", "前の世帯に残った人か別に移った人がいる")
def left_behind(case: CaseFrames) -> pl.DataFrame:
    """Somebody of the old household is not in the new one, and no named reason explains it."""
    return case.leavers.filter(~_is_decrease(case.reasons))


def _joined_for(reasons: frozenset[str]) -> pl.Expr:
    """For newcomers: joined on the day of the move for one of the reasons."""
    return (pl.col("joined_on") == pl.col("moved_on")) & pl.col("join_reason").is_in(reasons)


def _left_for(reasons: frozenset[str]) -> pl.Expr:
    """For leavers: left on the day of the move for one of the reasons."""
    return (pl.col("left_on") == pl.col("moved_on")) & pl.col("leave_reason").is_in(reasons)


def _is_increase(reasons: Reasons) -> pl.Expr:
    """For newcomers: the criteria name the reason; a 擬制世帯主 is not insured and does not increase the household."""
    return _joined_for(reasons.named_joins) & (pl.col("head_kind") != "nominal_head")


def _is_decrease(reasons: Reasons) -> pl.Expr:
    """For leavers: the criteria name the reason."""
    return _left_for(reasons.named_leaves).fill_null(False)
