"""The Union's answers about our files, received like any delivery: what they do to the ledger."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from fixtures.counterpart.delivery import LONG_AGO, leave
from interfaces import codec
from interfaces.naming import file_name
from pipelines.deployment import Environment
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.linkage import daily
from pipelines.tables.eligibility import SentPeople
from tests.support.applying import apply_daily, receive_from
from tests.support.deployment import asked, opened
from tests.support.entries import outbound_entry

DAY = dt.date(2026, 4, 1)
NAME = "KRKOJ_999997_20260401_000001.csv"
TOKYO = dt.timezone(dt.timedelta(hours=9))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    opening = opened(tmp_path, now=dt.datetime(2026, 4, 2, 7, 0, tzinfo=TOKYO), switched_off=())
    opening.store.write("sent_people", DAY.isoformat(), SentPeople.empty())
    return opening


def gone(environment: Environment, *states: str) -> int:
    """A file of twelve records that has reached this state."""
    return outbound_entry(environment.ledger, "eligibility_individual", DAY, NAME, states, records=12).id


def answered(environment: Environment, folder: Path, count: str, kind: str, reason: str | None) -> daily.ApplyResult:
    """One answer, delivered and applied."""
    specification = environment.specification("reception_result", DAY)
    header = {
        "municipality_code": "999997",
        "insurer_number": "990010",
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": DAY,
        "file_number": "000001",
    }
    row = {"sent_file_name": NAME, "sent_record_count": count, "reception_kind": kind, "reception_reason": reason}
    encoded = codec.compose(specification, DAY, pl.DataFrame([row], schema=dict.fromkeys(row, pl.String)), header)
    folder.mkdir()
    leave(folder / file_name(specification, header), encoded.data, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    assert arrived.state == "verified", arrived.message
    (applied,) = apply_daily(environment, pl.DataFrame(schema={"resident_number": pl.String}))
    return applied


def test_an_answer_proves_a_rename_that_a_crash_kept_from_the_ledger(environment: Environment, tmp_path: Path) -> None:
    entry = gone(environment, "sending", "uploaded")
    answered(environment, tmp_path / "from_union", "0000012", "accepted", None)
    assert [event.action for event in environment.ledger.events(entry)][-2:] == ["sent", "accepted"]
    assert asked(environment, DAY) == []


def test_a_file_accepted_with_another_count_stays_unanswered_and_is_asked_about(
    environment: Environment, tmp_path: Path
) -> None:
    entry = gone(environment, "sending", "uploaded", "sent")
    applied = answered(environment, tmp_path / "from_union", "0000011", "accepted", None)
    assert environment.ledger.entry(entry).state == "sent"
    assert (applied.applied_count, applied.rejected_count) == (0, 1)
    assert asked(environment, DAY) == [("KR-8116", NAME, "受付 11件（送付 12件）")]


def test_a_rejection_says_why(environment: Environment, tmp_path: Path) -> None:
    entry = gone(environment, "sending", "uploaded", "sent")
    answered(environment, tmp_path / "from_union", "0000012", "rejected", "件数の相違")
    assert environment.ledger.entry(entry).state == "rejected"
    assert asked(environment, DAY) == [("KR-8114", NAME, "却下: 件数の相違")]


def test_a_rejection_after_an_acceptance_changes_nothing_and_is_asked_about(
    environment: Environment, tmp_path: Path
) -> None:
    entry = gone(environment, "sending", "uploaded", "sent", "accepted")
    answered(environment, tmp_path / "from_union", "0000012", "rejected", "件数の相違")
    assert environment.ledger.entry(entry).state == "accepted"
    assert [code for code, _, _ in asked(environment, DAY)] == ["KR-8117"]
