"""A file for a day that has not come is quarantined; one that a newer day overtook is reported, and a person decides."""

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
from pipelines.exchange.received_file import ReceivedFile
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.linkage import daily
from pipelines.transfer import receiving
from tests.support.applying import apply_daily, receive_from
from tests.support.deployment import opened

WED, THU, TYPO = dt.date(2026, 4, 1), dt.date(2026, 4, 2), dt.date(2027, 4, 1)
MORNING = dt.datetime(2026, 4, 2, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
PERSON = "000000000000001"
REPORTED = pl.DataFrame({"resident_number": [PERSON]})


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(tmp_path, now=MORNING, switched_off=())


def delivered(environment: Environment, folder: Path, day: dt.date, insured_id: str = "900000000014") -> ReceivedFile:
    """The ids of a day, one person's, in a folder of their own."""
    specification = environment.specification("municipal_id_linkage", day)
    header = {
        "municipality_code": "999997",
        "insurer_number": "990010",
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": day,
        "file_number": "000001",
    }
    rows = {"resident_number": [PERSON], "municipal_insured_id": [insured_id], "assigned_on": [WED]}
    folder.mkdir(parents=True)
    content = codec.compose(specification, day, pl.DataFrame(rows), header).data
    leave(folder / file_name(specification, header), content, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    return arrived


def stale_file_error(environment: Environment, folder: Path) -> daily.ApplyResult:
    """Wednesday's file, which comes when Thursday's is applied."""
    assert delivered(environment, folder / "thursday", THU).state == "verified"
    apply_daily(environment, REPORTED)
    assert delivered(environment, folder / "wednesday", WED, "900000000022").state == "verified"
    (applied,) = apply_daily(environment, REPORTED)
    return applied


def codes(environment: Environment, arrived: ReceivedFile) -> list[str]:
    assert arrived.entry is not None
    report = quarantine.show(environment.ledger, environment.settings.data_folder, arrived.entry.id).report["report"]
    return [finding["code"] for finding in report["findings"]]


def test_a_sound_file_for_a_day_that_has_not_come_is_quarantined_and_the_real_ones_are_applied(
    environment: Environment, tmp_path: Path
) -> None:
    early = delivered(environment, tmp_path / "typo", TYPO)
    assert early.state == "quarantined"
    assert codes(environment, early) == ["KR-7307"]
    assert delivered(environment, tmp_path / "real", WED).state == "verified"
    (applied,) = apply_daily(environment, REPORTED)
    assert (applied.entry.state, applied.applied_count) == ("applied", 1)


def test_todays_file_is_applied_and_tomorrows_is_not(environment: Environment, tmp_path: Path) -> None:
    assert delivered(environment, tmp_path / "today", THU).state == "verified"
    assert delivered(environment, tmp_path / "tomorrow", dt.date(2026, 4, 3)).state == "quarantined"


def test_the_day_is_tokyos_whatever_the_zone_of_the_clock(tmp_path: Path) -> None:
    """07:00 in Tokyo is 22:00 of the day before in UTC."""
    elsewhere = opened(tmp_path, now=MORNING.astimezone(dt.UTC), switched_off=())
    assert delivered(elsewhere, tmp_path / "today", THU).state == "verified"


def test_a_file_for_a_month_that_has_not_begun_is_quarantined(tmp_path: Path) -> None:
    environment = opened(tmp_path, now=MORNING, switched_off=())
    header = environment.monthly_header(WED, WED) | {"file_number": "000001"}
    for month, state in ((dt.date(2026, 4, 1), "verified"), (dt.date(2026, 5, 1), "quarantined")):
        specification = environment.specification("continuity_result", month)
        month_header = header | {"target_month": f"{month:%Y-%m}"}
        folder = tmp_path / f"{month:%Y%m}"
        folder.mkdir()
        no_recipient = pl.DataFrame({"candidate_number": []}, {"candidate_number": pl.String})
        content = codec.compose(specification, month, no_recipient, month_header).data
        leave(folder / file_name(specification, month_header), content, LONG_AGO)
        (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
        assert arrived.state == state, arrived.message


def test_an_early_file_that_a_person_releases_is_applied(environment: Environment, tmp_path: Path) -> None:
    early = delivered(environment, tmp_path / "typo", TYPO)
    assert early.entry is not None
    quarantine.release(environment.ledger.recorder("試験"), environment.file_store, early.entry.id, "電話で確認")
    (applied,) = apply_daily(environment, REPORTED)
    assert (applied.entry.state, applied.applied_count) == ("applied", 1)


def test_a_stale_file_is_reported_with_its_name_and_the_day_that_overtook_it(
    environment: Environment, tmp_path: Path
) -> None:
    applied = stale_file_error(environment, tmp_path)
    assert (applied.entry.state, applied.applied_count, applied.rejected_count) == ("stale", 0, 0)
    reported = receiving.stale_file_error(environment, applied.entry)
    assert reported.code == "KR-7308"
    for said in ("KRSID_999997_20260401_000001.csv", "2026-04-02", f"台帳 {applied.entry.id}）", "quarantine release"):
        assert said in reported.for_people()


def test_a_stale_file_that_a_person_releases_leaves_what_a_newer_day_said(
    environment: Environment, tmp_path: Path
) -> None:
    stale = stale_file_error(environment, tmp_path).entry
    quarantine.release(environment.ledger.recorder("試験"), environment.file_store, stale.id, "電話で確認")
    (applied,) = apply_daily(environment, REPORTED)
    assert (applied.entry.state, applied.applied_count) == ("applied", 1)
    ids = {day: daily.linkage_on(environment, day)["municipal_insured_id"].to_list() for day in (WED, THU)}
    assert ids == {WED: ["900000000022"], THU: ["900000000014"]}


def test_a_person_refuses_a_stale_file(environment: Environment, tmp_path: Path) -> None:
    stale = stale_file_error(environment, tmp_path).entry
    refused = quarantine.reject(environment.ledger.recorder("試験"), stale.id, "誤送と確認")
    assert refused.state == "rejected"
    assert apply_daily(environment, REPORTED) == []
