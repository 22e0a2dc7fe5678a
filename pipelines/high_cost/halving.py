"""In which months the limits halve, and for whom (docs/sources.md 3.4). Pure; amounts are calculated in `limits`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from interfaces.messages import RenkeiError
from schemas.rules.periods import late_elderly_from


class Halving(StrEnum):
    """By which rule a month's limit is whole or half."""

    WHOLE = "半分にする定めに当たりません"
    MOVED = "県内転居の月（世帯の限度額が半分。基準額・医療費の境・多数回・合算の下限とも）"
    TURNED_75 = "75歳到達月（その人の限度額が半分。世帯の合算には半分にしない限度額）"
    DEPENDANT_OF_75 = "75歳到達者の被扶養者だった人が加入した月（その人の限度額が半分）"
    TURNED_75_ON_THE_FIRST = "月の1日に後期高齢者医療へ移る75歳到達月（半分にしない）"
    BY_DISABILITY = "障害認定による後期高齢者医療への移行（半分にしない）"
    MOVED_ON_THE_FIRST = "1日付けの県内転居（半分にしない）"
    SPLIT = "市町村内の世帯の分割・合併（半分にしない）"

    @property
    def is_half(self) -> bool:
        return self in (Halving.MOVED, Halving.TURNED_75, Halving.DEPENDANT_OF_75)

    @property
    def is_of_person(self) -> bool:
        """Whether the half is one person's, and not the household's."""
        return self in (Halving.TURNED_75, Halving.DEPENDANT_OF_75)


@dataclass(frozen=True)
class MonthFacts:
    """What happened in a 診療年月 that can halve its limits. None: did not happen, or not in question.

    moved_on: the day of the move of a household that continues elsewhere in the prefecture. split_on: of a split or merger
    within the municipality that changed the household number. born_on: of the person whose limit it is.
    left_by_disability_on: of their change to 後期高齢者医療 by 障害認定. joined_after_75_on: of the joining of a person whose
    insurer changed because the one whose dependant they were turned 75.
    """

    moved_on: dt.date | None = None
    split_on: dt.date | None = None
    born_on: dt.date | None = None
    left_by_disability_on: dt.date | None = None
    joined_after_75_on: dt.date | None = None


def halving(month: dt.date, facts: MonthFacts) -> Halving:
    """The rule for a 診療年月 (its first day); KR-7503 for a person's half and a move in one month: no source says what then.

    Somebody who turns 75 changes to 後期高齢者医療 on the day after that on which the age is reached (docs/sources.md 2.2).
    """
    of_person, of_household = _of_person(month, facts), _of_household(month, facts)
    if of_person.is_half and of_household.is_half:
        raise RenkeiError("KR-7503", month=f"{month:%Y-%m}")
    if of_person.is_half or of_household is Halving.WHOLE:
        return of_person
    return of_household


def _of_person(month: dt.date, facts: MonthFacts) -> Halving:
    if _in_month(facts.left_by_disability_on, month):
        return Halving.BY_DISABILITY
    changes_on: dt.date | None = pl.select(late_elderly_from(pl.lit(facts.born_on, pl.Date))).item()
    if changes_on is not None and _in_month(changes_on, month):
        return Halving.TURNED_75 if changes_on.day > 1 else Halving.TURNED_75_ON_THE_FIRST
    joined = facts.joined_after_75_on
    if joined is not None and _in_month(joined, month) and joined.day > 1:
        return Halving.DEPENDANT_OF_75
    return Halving.WHOLE


def _of_household(month: dt.date, facts: MonthFacts) -> Halving:
    moved = facts.moved_on
    if moved is not None and _in_month(moved, month):
        return Halving.MOVED if moved.day > 1 else Halving.MOVED_ON_THE_FIRST
    return Halving.SPLIT if _in_month(facts.split_on, month) else Halving.WHOLE


def _in_month(day: dt.date | None, month: dt.date) -> bool:
    return day is not None and (day.year, day.month) == (month.year, month.month)
