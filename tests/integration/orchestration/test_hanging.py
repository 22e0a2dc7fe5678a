"""A run that hangs is ended by the daemon's run monitoring, as shipped; what it locked is free again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.definitions import defs
from pipelines.orchestration.jobs import RECEIVE, RUN_LIMIT_SECONDS
from pipelines.orchestration.resources import Deployment
from tests.support.paths import ROOT
from tests.support.rings import settings_lines
from tests.support.servers import write_key
from tests.support.waiting import eventually, locked

SHIPPED = ROOT / "dagster_home" / "dagster.yaml"
COMMANDS = Path(sys.executable).parent


def settings_of(folder: Path, server: socket.socket, public: str) -> Path:
    """A deployment whose Union never answers."""
    (folder / "extracts").mkdir()
    path = folder / "renkei.toml"
    path.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n'
        f'[sftp]\nhost = "127.0.0.1"\nport = {server.getsockname()[1]}\nuser = "u"\nprivate_key = "user_key"\n'
        f'host_key = "{public}"\nto_union_folder = "t"\nfrom_union_folder = "f"\nbanner_seconds = 3600\n'
        "total_deadline_seconds = 36000\n" + settings_lines(),
        encoding="utf-8",
    )
    return path


@pytest.mark.slow
def test_a_run_that_hangs_is_ended_and_releases_its_locks(tmp_path: Path) -> None:
    home = tmp_path / "dagster_home"
    home.mkdir()
    shipped = SHIPPED.read_text(encoding="utf-8")
    assert f"max_runtime_seconds: {RUN_LIMIT_SECONDS}" in shipped
    # As shipped, but the limits are seconds, and they are looked at more often.
    quick = shipped
    for old, new in (
        ("poll_interval_seconds: 20", "poll_interval_seconds: 1"),
        ("_seconds: 7200", "_seconds: 15"),
        ("cancel_timeout_seconds: 60", "cancel_timeout_seconds: 5"),
    ):
        assert old in quick
        quick = quick.replace(old, new)
    (home / "dagster.yaml").write_text(quick, encoding="utf-8")
    with socket.socket() as silent:  # takes every connection, and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        public = write_key(tmp_path / "user_key")
        settings = settings_of(tmp_path, silent, public)
        environment = os.environ | {
            "DAGSTER_HOME": str(home),
            "RENKEI_SETTINGS": str(settings),
        }
        subprocess.run([COMMANDS / "dagster", "instance", "migrate"], env=environment, check=True, capture_output=True)
        with (tmp_path / "daemon.log").open("wb") as log:
            daemon = subprocess.Popen(
                [COMMANDS / "dagster-daemon", "run", "-m", "pipelines.definitions"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            # The job's own limit of two hours gives way to the one of this test.
            tags = json.dumps({"dagster/partition": "2026-04-01", "dagster/max_runtime": "15"})
            launch = ["job", "launch", "-m", "pipelines.definitions", "-j", RECEIVE, "--tags", tags]
            subprocess.run([COMMANDS / "dagster", *launch], env=environment, check=True, capture_output=True)
            lock = tmp_path / "data" / ".inbox.lock"
            eventually(lambda: lock.exists() and locked(lock), "the run")
            ours = dg.RunsFilter(job_name=RECEIVE)  # the clock may start others: the schedules are on
            with dg.DagsterInstance.from_config(str(home)) as instance:
                eventually(
                    lambda: instance.get_runs(ours)[0].status == dg.DagsterRunStatus.FAILURE, "the end of the run"
                )
                (run,) = instance.get_runs(ours)
                assert run.tags["dagster/max_runtime"] == "15"
            eventually(lambda: not locked(lock), "the freed lock")
        finally:
            daemon.terminate()
            daemon.wait()


def test_the_sensor_gives_up_on_a_silent_server_before_dagster_stops_it(tmp_path: Path) -> None:
    """Left to the settings it would wait for an hour, and with it whatever else the daemon has to start or to end."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        public = write_key(tmp_path / "user_key")
        settings = settings_of(tmp_path, silent, public)
        deployment = Deployment(settings_path=str(settings))
        context = dg.build_sensor_context(resources={"deployment": deployment})
        ticks: Any = defs.resolve_sensor_def("arrival_sensor")(context)
        (skipped,) = list(ticks)
    assert "KR-62" in str(skipped.skip_message)
