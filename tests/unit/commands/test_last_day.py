"""A deployment that ends: after the `last_day` of the settings nothing is sent, due or to be run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.operations.outstanding import outstanding
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.resources import Deployment
from tests.support.deployment import opened, settings_file
from tests.support.entries import DELIVERED, outbound_entry

WED, FRI, MON = (dt.date(2026, 4, day) for day in (1, 3, 6))
LAST = f"last_day = {FRI}\n"
# The days of a whole April are sent; with May's first the deployment ends.
MAY = dt.date(2026, 5, 1)


def renkei(settings: Path, *arguments: str) -> Result:
    return CliRunner(env={"RENKEI_SETTINGS": str(settings), "DAGSTER_HOME": None}).invoke(main, arguments)


def test_it_does_not_end_before_it_begins(tmp_path: Path) -> None:
    settings = settings_file(tmp_path, more=f"first_day = {MON}\n{LAST}")
    said = renkei(settings, "expected")
    assert (said.exit_code, "KR-6003" in said.stderr, "last_day" in said.stderr) == (2, True, True)


@pytest.mark.parametrize(
    "command", [("daily", "--date", "2026-04-06"), ("monthly", "--month", "2026-04", "--step", "out")]
)
def test_a_later_day_and_an_unfinished_month_cannot_be_run(tmp_path: Path, command: tuple[str, ...]) -> None:
    said = renkei(settings_file(tmp_path, more=LAST), "run", *command)
    assert (said.exit_code, "KR-6007" in said.stderr) == (2, True), said.stderr


def test_only_days_up_to_the_last_are_missing(tmp_path: Path) -> None:
    environment = opened(tmp_path, more=LAST)
    for interface in ("eligibility_household", "eligibility_individual"):
        outbound_entry(environment.ledger, interface, WED, f"{interface}_{WED}", (*DELIVERED, "accepted"))
    found = outstanding(environment, dt.date(2026, 6, 30))
    assert [row["partition"] for row in found.iter_rows(named=True) if row["code"] == "KR-6501"] == [
        dt.date(2026, 4, 2),
        FRI,
    ]
    assert "KR-6505" not in found["code"].to_list()  # April's cut-off day, the 30th, was another system's


def test_the_month_that_was_sent_whole_is_still_due(tmp_path: Path) -> None:
    environment = opened(tmp_path, switched_off=(), more=f"last_day = {MAY}\n")
    for interface in ("eligibility_household", "eligibility_individual"):
        outbound_entry(environment.ledger, interface, MAY, f"{interface}_{MAY}", (*DELIVERED, "accepted"))
        outbound_entry(environment.ledger, interface, WED, f"{interface}_{WED}", (*DELIVERED, "accepted"))
    due = outstanding(environment, dt.date(2026, 7, 31)).filter(code="KR-6505")["partition"].to_list()
    assert due == [dt.date(2026, 4, 1)]


def test_the_schedules_and_the_partitions_end(tmp_path: Path) -> None:
    loaded = definitions(Deployment(settings_path=str(settings_file(tmp_path, more=f"last_day = {MAY}\n"))))
    repository = loaded.get_repository_def()
    days = repository.get_job("daily_out").partitions_def
    months = repository.get_job("monthly_out").partitions_def
    assert days is not None and months is not None
    assert days.get_partition_keys()[-1] == "2026-05-01"
    assert months.get_partition_keys() == ["2026-04-01"]
    for name, hour, when, wanted in (
        ("daily_out_schedule", 18, "2026-05-01", "2026-05-01"),
        ("daily_out_schedule", 18, "2026-05-07", None),
        ("daily_watch_schedule", 8, "2026-05-07", "2026-05-01"),
        ("daily_watch_schedule", 8, "2026-05-08", None),
    ):
        at = dt.datetime.fromisoformat(f"{when}T{hour:02}:30:00+09:00")
        context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository)
        asked = loaded.resolve_schedule_def(name)(context)
        assert getattr(asked, "partition_key", None) == wanted, (name, when)
