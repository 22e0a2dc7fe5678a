"""A file that a newer day overtook, at both entry points: the check of its day warns, the command ends with status 1."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.counterpart.delivery import leave
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from tests.support.town import DAY, OURS, Town

NEXT, INTERFACE = dt.date(2026, 4, 2), "municipal_id_linkage"
STALE = "KRSID_999997_20260401_000001.csv"


def deliver(town: Town, day: dt.date) -> None:
    specification = load_catalogue().in_force(INTERFACE, day)
    header = {
        "municipality_code": OURS.code,
        "insurer_number": OURS.insurer_number,
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": day,
        "file_number": "000001",
    }
    no_recipient = pl.DataFrame({"resident_number": []}, {"resident_number": pl.String})
    content = codec.compose(specification, day, no_recipient, header).data
    leave(town.server.root / "from_union" / file_name(specification, header), content)


def check_of(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = (c for c in result.get_asset_check_evaluations() if c.check_name == f"{INTERFACE}_is_valid")
    return found


def test_a_stale_file_is_a_warning_of_its_days_check(town: Town) -> None:
    deliver(town, NEXT)
    assert check_of(town.take_in(NEXT, "daily_in")).passed
    deliver(town, DAY)
    result = town.take_in(DAY, "daily_in")
    assert result.success
    check = check_of(result)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert all(said in str(check.description) for said in ("KR-7308", STALE, NEXT.isoformat()))
    assert "renkei quarantine release" in str(check.metadata["対処"].value)
    assert DAY.isoformat() not in town.materialised(INTERFACE)


def test_the_command_reports_a_stale_file_and_ends_with_status_1(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(town.folder / "renkei.toml"))
    receive = ("run", "daily", "--date", DAY.isoformat(), "--only", "in")
    deliver(town, NEXT)
    assert CliRunner().invoke(main, receive).exit_code == 0
    deliver(town, DAY)
    result = CliRunner().invoke(main, receive)
    assert result.exit_code == 1, result.output
    assert all(said in result.output for said in ("KR-7308", STALE, NEXT.isoformat(), "対処"))
    assert CliRunner().invoke(main, receive).exit_code == 0
