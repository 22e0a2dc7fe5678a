"""`renkei run` beside a run that lives, after one that was killed, and when it is signalled to end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from tests.support.paths import ROOT
from tests.support.processes import Done, Started
from tests.support.town import DAY, Town
from tests.support.waiting import eventually, locked

SHIPPED = ROOT / "dagster_home" / "dagster.yaml"
RECEIVE = ("run", "daily", "--date", DAY.isoformat(), "--only", "in")
WITHIN_SECONDS = 60  # from start to end, a busy machine and all imports included


class Desk:
    """The town's operator with a Dagster home as shipped; the server can be made to keep silent."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.home = town.folder / "home"
        self.home.mkdir()
        shutil.copy(SHIPPED, self.home)
        self.settings = town.folder / "renkei.toml"
        self.environment = os.environ | {"RENKEI_SETTINGS": str(self.settings), "DAGSTER_HOME": str(self.home)}
        with dg.DagsterInstance.from_config(str(self.home)):
            pass  # makes its records, as `dagster instance migrate` does

    def run(self, *arguments: str) -> Done:
        return Started(arguments, self.environment).end(WITHIN_SECONDS)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Meanwhile the Union's server takes every connection, and never says a word."""
        sound = self.settings.read_text(encoding="utf-8")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = f"port = {silent.getsockname()[1]}\nbanner_seconds = 3600\ntotal_deadline_seconds = 36000"
            self.settings.write_text(sound.replace(f"port = {self.town.server.port}", port), encoding="utf-8")
            try:
                yield
            finally:
                self.settings.write_text(sound, encoding="utf-8")

    @contextmanager
    def waiting(self, arguments: tuple[str, ...] = RECEIVE) -> Iterator[Started]:
        """A run in the middle of its work: it has the inbox, and waits for the Union."""
        with self.silence():
            process = Started(arguments, self.environment)
            lock = self.town.folder / "data" / ".inbox.lock"
            try:
                eventually(lambda: lock.exists() and locked(lock), "the run")
                yield process
            finally:
                if process.works():
                    process.signal(signal.SIGKILL)

    def runs(self) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs(ascending=True))

    def slots(self) -> set[str]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return set(instance.event_log_storage.get_concurrency_run_ids())


@pytest.fixture
def desk(town: Town) -> Desk:
    return Desk(town)


@pytest.fixture
def killed(desk: Desk) -> dg.DagsterRun:
    """A run that was killed in the middle, as Dagster knows it."""
    with desk.waiting() as process:
        process.signal(signal.SIGKILL)
        process.end()
    (run,) = desk.runs()
    assert run.status == dg.DagsterRunStatus.STARTED
    return run


def test_a_killed_run_is_ended_by_the_next_one_which_does_the_work(desk: Desk, killed: dg.DagsterRun) -> None:
    done = desk.run(*RECEIVE)
    assert done.returncode == 0, done.stderr
    assert "KR-7711" in done.stderr
    assert killed.run_id in done.stderr
    first, *others = desk.runs()
    assert (first.run_id, first.status) == (killed.run_id, dg.DagsterRunStatus.FAILURE)
    assert [(run.job_name, run.status) for run in others] == [
        (name, dg.DagsterRunStatus.SUCCESS) for name in ("receive", "daily_in")
    ]
    assert desk.slots() == set()


def test_a_killed_run_that_was_not_repeated_is_among_the_failed(desk: Desk, killed: dg.DagsterRun) -> None:
    assert desk.run("rerun", "--failed", "--dry-run").stdout == "再実行 receive 2026-04-01\n"
    done = desk.run("rerun", "--failed")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1件のうち成功 1件")


def test_a_living_run_is_left_alone_and_the_second_says_who_works(desk: Desk) -> None:
    with desk.waiting() as process:
        done = desk.run(*RECEIVE)
        assert done.returncode == 2
        assert "KR-7712" in done.stderr
        (living,) = desk.runs()
        assert living.run_id in done.stderr
        assert living.status == dg.DagsterRunStatus.STARTED
        assert process.works()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_signalled_to_end_ends_and_says_so(desk: Desk, ending: signal.Signals) -> None:
    with desk.waiting() as process:
        process.signal(ending)
        done = process.end(WITHIN_SECONDS)
    assert done.returncode == 2
    assert "KR-7713" in done.stderr
    assert "Traceback" not in done.stderr
    assert [run.status for run in desk.runs()] == [dg.DagsterRunStatus.FAILURE]
    assert desk.slots() == set()
    assert not locked(desk.town.folder / "data" / ".inbox.lock")
