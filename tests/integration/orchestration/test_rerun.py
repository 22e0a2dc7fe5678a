"""`renkei rerun --failed`: what failed last is found in Dagster's records, shown first, and run again from its intake."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.definitions import defs
from pipelines.orchestration.code_location import origin_of
from pipelines.orchestration.failed_runs import failed_runs
from tests.support.deployment import settings_file
from tests.support.paths import ROOT
from tests.support.processes import renkei
from tests.support.town import DAY, Town

DAGSTER = Path(sys.executable).with_name("dagster")
NEXT = dt.date(2026, 4, 2)


class Desk:
    """The town's operator, with a Dagster home of its own."""

    def __init__(self, town: Town) -> None:
        self.town = town
        home = town.folder / "home"
        home.mkdir()
        shutil.copy(ROOT / "dagster_home" / "dagster.yaml", home)
        self.environment = os.environ | {"RENKEI_SETTINGS": str(town.folder / "renkei.toml"), "DAGSTER_HOME": str(home)}
        subprocess.run([DAGSTER, "instance", "migrate"], env=self.environment, check=True, capture_output=True)

    def renkei(self, *arguments: str) -> tuple[int, str]:
        done = renkei(arguments, self.environment)
        return done.returncode, done.stdout

    def require_that_the_ui_can_execute_it_again(self) -> None:
        """The newest run belongs to the code location, which knows its job and its configuration."""
        with dg.DagsterInstance.from_config(self.environment["DAGSTER_HOME"]) as instance:
            run = next(iter(instance.get_runs(limit=1)))
        assert run.remote_job_origin and run.remote_job_origin.location_name == "pipelines.definitions"
        assert run.remote_job_origin.repository_origin.repository_name == defs.get_repository_def().name
        loggers = run.run_config["loggers"]
        assert isinstance(loggers, dict)
        assert set(loggers) <= set(defs.resolve_job_def(run.job_name).loggers)


@pytest.fixture
def desk(town: Town) -> Desk:
    return Desk(town)


def test_a_failed_day_is_shown_then_mended_then_run_again(desk: Desk) -> None:
    resident = next(path for path in desk.town.extract(DAY) if path.name.startswith("resident"))
    right = resident.read_bytes()
    resident.write_bytes(right.replace("氏名".encode(), "名前".encode(), 1))
    assert desk.renkei("run", "daily", "--date", "2026-04-01", "--only", "out")[0] == 2
    desk.require_that_the_ui_can_execute_it_again()
    shown = desk.renkei("rerun", "--failed", "--dry-run")
    assert shown == (0, "再実行 daily_out 2026-04-01\n")
    assert desk.town.sent() == []
    assert desk.renkei("rerun", "--failed", "--from", "2026-04-02") == (0, "失敗したままのパーティションはありません\n")
    assert desk.renkei("rerun", "--failed")[0] == 1
    resident.write_bytes(right)
    status, said = desk.renkei("rerun", "--failed", "--to", "2026-04-01")
    assert (status, said.splitlines()[-1]) == (0, "1件のうち成功 1件")
    assert len(desk.town.sent()) == 2
    assert desk.renkei("rerun", "--failed", "--dry-run") == (0, "失敗したままのパーティションはありません\n")


STATES = {
    dg.DagsterRunStatus.QUEUED: "順番待ち",
    dg.DagsterRunStatus.STARTING: "開始中",
    dg.DagsterRunStatus.STARTED: "実行中",
    dg.DagsterRunStatus.CANCELING: "中止の途中",
}


@dg.job
def daily_out() -> None:
    """Runs of this name stand in the records; nobody executes them."""


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.value)
def test_a_day_whose_repair_has_not_ended_is_not_repaired(
    state: dg.DagsterRunStatus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_file(tmp_path)
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    tags = {"dagster/partition": "2026-04-01"}

    def rerun() -> tuple[int, str]:
        done = CliRunner().invoke(main, ["rerun", "--failed"])
        return done.exit_code, done.output

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.report_run_failed(instance.create_run_for_job(daily_out, tags=tags))
        cancelled = instance.create_run_for_job(daily_out, tags=tags)
        instance.report_run_canceled(cancelled)
        job = origin_of("daily_out")
        newest = instance.create_run_for_job(daily_out, tags=tags, status=state, remote_job_origin=job)
        status, said = rerun()
        assert status == 1
        assert f"daily_out 2026-04-01 は失敗したままです: 再実行 {newest.run_id[:8]} が{STATES[state]}です" in said
        assert "失敗したままのパーティションはありません" not in said
        assert ("dagster-daemon" in said) == (state == dg.DagsterRunStatus.QUEUED)
        instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job_name="daily_out"), newest.run_id
        )
        assert rerun() == (0, "失敗したままのパーティションはありません\n")


def test_a_repair_that_was_cancelled_leaves_the_day_failed() -> None:
    tags = {"dagster/partition": "2026-04-01"}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_run_failed(instance.create_run_for_job(daily_out, tags=tags))
        instance.report_run_canceled(instance.create_run_for_job(daily_out, tags=tags))
        assert failed_runs(instance) == [("daily_out", "2026-04-01")]
