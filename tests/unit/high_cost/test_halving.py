"""In which months a limit halves, for whom, and where no source says (docs/sources.md 3.4; municipal pages named there)."""

from __future__ import annotations

import datetime as dt

import pytest

from interfaces.messages import RenkeiError
from pipelines.high_cost.halving import Halving, MonthFacts, halving

MONTH = dt.date(2026, 4, 1)
SECOND, LAST = dt.date(2026, 4, 2), dt.date(2026, 4, 30)
BORN_IN_MONTH, BORN_ON_THE_FIRST = dt.date(1951, 4, 15), dt.date(1951, 4, 1)


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (MonthFacts(), Halving.WHOLE),
        (MonthFacts(moved_on=SECOND), Halving.MOVED),
        (MonthFacts(moved_on=LAST), Halving.MOVED),
        (MonthFacts(moved_on=MONTH), Halving.MOVED_ON_THE_FIRST),
        (MonthFacts(moved_on=dt.date(2026, 5, 2)), Halving.WHOLE),
        (MonthFacts(split_on=SECOND), Halving.SPLIT),
        (MonthFacts(born_on=BORN_IN_MONTH), Halving.TURNED_75),
        (MonthFacts(born_on=BORN_ON_THE_FIRST), Halving.TURNED_75_ON_THE_FIRST),
        (MonthFacts(born_on=dt.date(1951, 5, 15)), Halving.WHOLE),
        (MonthFacts(born_on=dt.date(1952, 4, 15)), Halving.WHOLE),
        (MonthFacts(left_by_disability_on=SECOND), Halving.BY_DISABILITY),
        (MonthFacts(joined_after_75_on=SECOND), Halving.DEPENDANT_OF_75),
        (MonthFacts(joined_after_75_on=MONTH), Halving.WHOLE),
        (MonthFacts(born_on=BORN_IN_MONTH, moved_on=MONTH), Halving.TURNED_75),
        (MonthFacts(born_on=BORN_ON_THE_FIRST, moved_on=SECOND), Halving.MOVED),
        (MonthFacts(born_on=BORN_IN_MONTH, split_on=SECOND), Halving.TURNED_75),
    ],
)
def test_the_rule_of_a_month(facts: MonthFacts, wanted: Halving) -> None:
    assert halving(MONTH, facts) is wanted


@pytest.mark.parametrize(
    "facts", [MonthFacts(SECOND, born_on=BORN_IN_MONTH), MonthFacts(SECOND, joined_after_75_on=LAST)]
)
def test_a_move_and_75_in_one_month_is_open(facts: MonthFacts) -> None:
    with pytest.raises(RenkeiError, match="KR-7503 2026-04"):
        halving(MONTH, facts)


def test_only_a_move_halves_the_household() -> None:
    assert {rule for rule in Halving if rule.is_half and not rule.is_of_person} == {Halving.MOVED}
