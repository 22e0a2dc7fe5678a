"""`renkei expected`: what should have been sent, answered, confirmed or decided by a day, and since when it is waited for."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import EntryState, LedgerEvent
from pipelines.exchange.quarantine import reject
from pipelines.operations.outstanding import grouped, outstanding
from tests.support.applying import apply_monthly
from tests.support.candidates import listed
from tests.support.deployment import MONTH, fill, opened, settings_file, type_in
from tests.support.entries import DELIVERED, answered, outbound_entry, sent_day

# Wednesday to the next Tuesday; the weekend lies between.
WED, THU, FRI, MON, TUE = (dt.date(2026, 4, day) for day in (1, 2, 3, 6, 7))
ANSWERS = ("acquisition_loss_linkage", "municipal_id_linkage", "verification_list", "reception_result")
DAILY_OFF = ("verification_list",)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """The clock stands at the first day: what happens is entered then."""
    return opened(
        tmp_path, now=dt.datetime(2026, 4, 1, 18, 0, tzinfo=dt.timezone(dt.timedelta(hours=9))), switched_off=DAILY_OFF
    )


def codes(environment: Environment, on: dt.date) -> list[tuple[str, dt.date, int]]:
    return outstanding(environment, on).select("code", "partition", "age").rows()


def test_before_the_first_sending_it_is_said_that_there_was_none(environment: Environment) -> None:
    assert codes(environment, TUE) == [("KR-6506", TUE, 0)]


def test_a_sound_day_leaves_nothing(environment: Environment) -> None:
    sent_day(environment.ledger, WED, "accepted")
    assert codes(environment, WED) == []
    answered(environment.ledger, WED, "acquisition_loss_linkage", "municipal_id_linkage", "reception_result")
    sent_day(environment.ledger, THU, "accepted")
    assert codes(environment, THU) == []


def test_answers_and_confirmations_are_due_the_day_after_and_grow_old(environment: Environment) -> None:
    sent_day(environment.ledger, WED)
    answered(environment.ledger, WED, "acquisition_loss_linkage")
    found = outstanding(environment, TUE).filter(pl.col("partition") == WED)
    assert found.select("code", "due_on", "age").rows() == [
        ("KR-6502", THU, 3),
        ("KR-6502", THU, 3),
        ("KR-6503", THU, 3),
        ("KR-6503", THU, 3),
    ]
    assert found["subject"].to_list()[:2] == ["受付結果", "市町村被保険者ID連携ファイル"]


def test_days_that_were_not_sent(environment: Environment) -> None:
    sent_day(environment.ledger, WED, "accepted")
    answered(environment.ledger, WED, *ANSWERS)
    assert codes(environment, MON) == [("KR-6501", THU, 2), ("KR-6501", FRI, 1), ("KR-6501", MON, 0)]


def test_a_quarantined_file_waits_for_a_decision(environment: Environment) -> None:
    sent_day(environment.ledger, WED, "accepted")
    answered(environment.ledger, WED, "municipal_id_linkage", "reception_result")
    answered(environment.ledger, WED, "acquisition_loss_linkage", state="quarantined")
    found = outstanding(environment, THU).filter(pl.col("code") == "KR-6504")
    assert found.select("subject", "age").rows() == [("acquisition_loss_linkage_2026-04-01", 1)]


def test_a_file_that_was_refused_is_waited_for_again(environment: Environment) -> None:
    sent_day(environment.ledger, WED, "accepted")
    answered(environment.ledger, WED, "municipal_id_linkage", "reception_result")
    answered(environment.ledger, WED, "acquisition_loss_linkage", state="quarantined")
    (refused,) = environment.ledger.entries(states={EntryState.QUARANTINED})
    reject(environment.ledger.recorder("試験"), refused.id, "件数が違う")
    found = outstanding(environment, THU).filter(pl.col("partition") == WED)
    assert found.select("code", "subject").rows() == [("KR-6502", "国保資格取得喪失年月日連携ファイル")]


def test_a_file_that_nothing_applied_is_told(environment: Environment) -> None:
    """It has arrived, so nobody waits for it any more; it has not been taken in either."""
    sent_day(environment.ledger, WED, "accepted")
    answered(environment.ledger, WED, "municipal_id_linkage", "reception_result")
    answered(environment.ledger, WED, "acquisition_loss_linkage", state="verified")
    found = outstanding(environment, THU).filter(pl.col("partition") == WED)
    assert found.select("code", "subject").rows() == [("KR-6514", f"acquisition_loss_linkage_{WED}")]


def test_a_file_that_a_newer_day_overtook_has_not_arrived(environment: Environment) -> None:
    sent_day(environment.ledger, WED, "accepted")
    answered(environment.ledger, WED, "municipal_id_linkage", "reception_result")
    answered(environment.ledger, WED, "acquisition_loss_linkage", state="stale")
    found = outstanding(environment, THU).filter(pl.col("partition") == WED)
    assert found.select("code", "subject").rows() == [
        ("KR-6512", f"acquisition_loss_linkage_{WED}"),
        ("KR-6502", "国保資格取得喪失年月日連携ファイル"),
    ]
    assert "KR-7308" in found.filter(pl.col("code") == "KR-6502")["remedy"].item()


def test_a_month_is_expected_by_the_days_of_the_union(tmp_path: Path) -> None:
    environment = opened(tmp_path, switched_off=("continuity_candidates", *ANSWERS))
    last = dt.date(2026, 4, 30)
    sent_day(environment.ledger, last, "accepted")

    def late(on: dt.date) -> list[tuple[str, dt.date]]:
        return outstanding(environment, on).filter(pl.col("code") == "KR-6505").select("subject", "due_on").rows()

    assert late(dt.date(2026, 5, 20)) == []
    type_in(environment, "continuity_candidates", listed("whole_household_moves"), tmp_path)
    apply_monthly(environment)
    assert late(dt.date(2026, 5, 13)) == []
    assert late(dt.date(2026, 5, 14)) == [("継続世帯の確定指示", dt.date(2026, 5, 13))]
    assert late(dt.date(2026, 5, 16)) == [
        ("継続世帯の確定指示", dt.date(2026, 5, 13)),
        ("継続世帯確定結果", dt.date(2026, 5, 15)),
    ]
    path = monthly.make_worksheet(environment, MONTH).path
    monthly.import_worksheet(environment, fill(path))
    file, _ = monthly.build_instruction(environment, MONTH)
    assert file is not None
    outbound_entry(
        environment.ledger,
        file.interface,
        MONTH,
        file.file_name,
        DELIVERED,
        sha256=file.sha256,
        size=file.size,
        records=file.records,
    )
    assert late(dt.date(2026, 5, 16)) == [("継続世帯確定結果", dt.date(2026, 5, 15))]


def test_the_command_says_what_to_do_and_its_status_says_that_there_is_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(tmp_path, ANSWERS)))
    begun = CliRunner().invoke(main, ["expected", "--on", "2026-04-01"])
    assert (begun.exit_code, begun.output.startswith("KR-6506 まだ一度も送付していない")) == (1, True)
    sent_day(opened(tmp_path, switched_off=ANSWERS).ledger, WED, "accepted")
    late = CliRunner().invoke(main, ["expected", "--on", "2026-04-02"])
    assert late.exit_code == 1
    assert late.output.startswith(
        "KR-6501 送付していない日 2026-04-02 資格情報（0営業日）→ renkei run daily --date 2026-04-02 --only out "
    )
    told = json.loads(CliRunner().invoke(main, ["expected", "--on", "2026-04-02", "--json"]).output)
    assert [row["code"] for row in told] == ["KR-6501"]


def test_consecutive_business_days_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of cron mail showed a line for each day. A day that was quiet ends one line and begins another."""
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(tmp_path, ANSWERS)))
    environment = opened(tmp_path, now=dt.datetime(2026, 4, 1, 18, 0).astimezone(), switched_off=ANSWERS)
    sent_day(environment.ledger, WED, "accepted")
    environment.ledger.recorder("試験").append_event(LedgerEvent.QUIET_DAY, partition=dt.date(2026, 5, 29))
    late = CliRunner().invoke(main, ["expected", "--on", "2026-11-27"]).output.splitlines()
    missing = [line.split(" ", 2)[2] for line in late if line.startswith("KR-6501")]
    assert [line.partition(" 資格情報")[0] for line in missing] == [
        "2026-04-02〜05-28 の37営業日",
        "2026-06-01〜11-27 の122営業日",
    ]
    rows = json.loads(CliRunner().invoke(main, ["expected", "--on", "2026-11-27", "--json"]).output)
    assert sum(row["code"] == "KR-6501" for row in rows) == 37 + 122


def test_the_files_of_one_kind_are_one_line_and_months_are_told_as_months(environment: Environment) -> None:
    for day in (WED, THU, FRI):
        sent_day(environment.ledger, day)
    found = [(one.code, one.days, one.subject, one.age) for one in grouped(outstanding(environment, MON))]
    assert ("KR-6503", "2026-04-01〜04-03 の3営業日", "eligibility_household_2026-04-01 など", 2) in found
    assert len([one for one in found if one[0] == "KR-6503"]) == 2
    months = grouped(outstanding(environment, dt.date(2026, 8, 3)))
    assert ("2026-04〜06 の3か月", "継続候補世帯リスト") in [(one.days, one.subject) for one in months]
