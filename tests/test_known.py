"""Which days of a month the Union has: sent, carried by a later day, or quiet; days before the first are not missed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from continuity.deployment import opened

from pipelines.environment import Environment
from pipelines.known import days_not_sent, people_sent

FIRST, LAST = dt.date(2026, 4, 1), dt.date(2026, 4, 8)


def day(number: int) -> dt.date:
    return dt.date(2026, 4, number)


def entered(environment: Environment, on: dt.date, *states: str) -> None:
    entry = environment.ledger.enter_outbound(
        interface="eligibility_household", partition=on, file_name=f"{on}", sha256="0" * 64, size=1, records=1,
        baseline=None, snapshot_sha256=None, operator="試験",
    )  # fmt: skip
    for state in states:
        environment.ledger.advance(entry.id, state, operator="試験")


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
    environment.ledger.note("quiet_day", operator="試験", partition=day(7))
    assert days_not_sent(environment, FIRST, LAST) == [day(6), day(8)]
