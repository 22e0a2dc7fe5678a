"""Which days of a month the Union has: sent, carried by a later day, or quiet; days before the first are not missed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.transfer.baseline import days_not_sent, people_sent
from tests.support.deployment import opened
from tests.support.entries import outbound_entry

FIRST, LAST = dt.date(2026, 4, 1), dt.date(2026, 4, 8)


def day(number: int) -> dt.date:
    return dt.date(2026, 4, number)


def entered(environment: Environment, on: dt.date, *states: str, interface: str = "eligibility_household") -> None:
    outbound_entry(environment.ledger, interface, on, f"{on}", states)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(tmp_path)


def test_nothing_was_ever_sent(environment: Environment) -> None:
    assert days_not_sent(environment, FIRST, LAST) == [day(n) for n in (1, 2, 3, 6, 7, 8)]
    assert people_sent(environment).is_empty()


def test_a_day_is_sent_carried_or_quiet(environment: Environment) -> None:
    entered(environment, day(2), "sending", "uploaded", "sent")
    entered(environment, day(3), "superseded")
    entered(environment, day(6), "sending")
    entered(environment, day(8), "sending", "uploaded", "sent", "rejected")
    environment.ledger.recorder("試験").append_event(LedgerEvent.QUIET_DAY, partition=day(7))
    assert days_not_sent(environment, FIRST, LAST) == [day(6), day(8)]


def test_a_rejected_day_is_carried_by_the_next_that_reaches_the_union(environment: Environment) -> None:
    entered(environment, day(1), "sending", "uploaded", "sent")
    entered(environment, day(2), "sending", "uploaded", "sent", "rejected")
    entered(environment, day(3), "sending", "uploaded", "sent", "recalled")
    assert days_not_sent(environment, FIRST, day(3)) == [day(2), day(3)]
    entered(environment, day(6), "sending", "uploaded", "sent")
    assert days_not_sent(environment, FIRST, day(6)) == []


def test_a_day_is_not_sent_when_one_of_its_files_was_rejected(environment: Environment) -> None:
    entered(environment, day(1), "sending", "uploaded", "sent", "accepted")
    entered(environment, day(1), "sending", "uploaded", "sent", "rejected", interface="eligibility_individual")
    assert days_not_sent(environment, FIRST, day(1)) == [day(1)]
