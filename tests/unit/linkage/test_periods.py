"""The 適用 period of a new file against the one from an earlier file, from the Union's folder to the questions."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from fixtures.counterpart.delivery import LONG_AGO, leave
from interfaces import codec
from interfaces.naming import file_name
from pipelines.deployment import Environment
from pipelines.exchange import quarantine
from pipelines.exchange.transport import LocalFolderTransport
from tests.support.applying import apply_daily, receive_from
from tests.support.deployment import asked, opened

WED, THU = dt.date(2026, 4, 1), dt.date(2026, 4, 2)
BEGAN, ENDED = dt.date(2026, 1, 5), dt.date(2026, 3, 20)
PERSON = "000000000000001"
REPORTED = pl.DataFrame(
    {
        "resident_number": [PERSON],
        "application_reason": ["left_other_insurance"],
        "applied_on": [WED],
        "ended_on": [None],
    },
    schema_overrides={"ended_on": pl.Date},
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(tmp_path, now=dt.datetime(2026, 4, 2, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=9))))


def reported(
    environment: Environment, folder: Path, day: dt.date, applied_on: dt.date, ended_on: dt.date | None
) -> None:
    """One person's period, delivered in the day's file."""
    specification = environment.specification("acquisition_loss_linkage", day)
    header = {
        "municipality_code": "999997",
        "insurer_number": "990010",
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": day,
        "file_number": "000001",
    }
    row = {
        "resident_number": PERSON,
        "municipal_insured_id": "900000000014",
        "acquired_on": BEGAN,
        "acquisition_reason": "left_other_insurance",
        "applied_on": applied_on,
        "ended_on": ended_on,
        "judgement": "sound",
    }
    rows = pl.DataFrame([row], schema_overrides={"ended_on": pl.Date})
    folder.mkdir()
    content = codec.compose(specification, day, rows, header).data
    leave(folder / file_name(specification, header), content, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    assert arrived.state == "verified", arrived.message


def asked_of_periods(environment: Environment, day: dt.date) -> list[tuple[str, str, str]]:
    return [row for row in asked(environment, day) if row[0] in ("KR-8122", "KR-8123")]


def test_a_period_is_compared_with_the_one_from_an_earlier_day(environment: Environment, tmp_path: Path) -> None:
    reported(environment, tmp_path / "wednesday", WED, BEGAN, ENDED)
    apply_daily(environment, REPORTED)
    reported(environment, tmp_path / "thursday", THU, WED, None)
    (applied,) = apply_daily(environment, REPORTED)
    assert applied.applied_count == 1
    assert asked_of_periods(environment, WED) == []
    assert asked_of_periods(environment, THU) == [("KR-8123", "2026-01-05〜2026-03-20", "2026-04-01")]


def test_an_older_day_that_is_released_late_is_not_compared_with_a_newer_one(
    environment: Environment, tmp_path: Path
) -> None:
    reported(environment, tmp_path / "thursday", THU, BEGAN, ENDED)
    apply_daily(environment, REPORTED)
    reported(environment, tmp_path / "wednesday", WED, WED, None)
    (stale,) = apply_daily(environment, REPORTED)
    quarantine.release(environment.ledger.recorder("試験"), environment.file_store, stale.entry.id, "電話で確認")
    (applied,) = apply_daily(environment, REPORTED)
    assert applied.applied_count == 1
    assert asked_of_periods(environment, WED) == []
