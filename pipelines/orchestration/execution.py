"""Runs jobs in this process, recorded in Dagster's home like those of the daemon. The jobs are defined in `jobs`."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from uuid import uuid4

import click
import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from interfaces.messages import RenkeiError
from interfaces.private import for_owner_alone
from interfaces.words import job_in_words
from pipelines.configuration.calendar import require_business_day, tokyo_now
from pipelines.configuration.settings import ENVIRONMENT_KEY, Settings
from pipelines.deployment import Environment
from pipelines.operations.inbound_interfaces import of_step
from pipelines.operations.progress import note
from pipelines.orchestration import dead_runs, failed_runs
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.assets.eligibility import CONFIRM_TAG
from pipelines.orchestration.checks import CODE
from pipelines.orchestration.code_location import origin_of
from pipelines.orchestration.home import dagster_home
from pipelines.orchestration.inbound import QUARANTINED
from pipelines.orchestration.jobs import DAILY_OUT, RECEIVE, job_of
from pipelines.orchestration.partitions import Partitions
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import QUIET, listening
from pipelines.orchestration.sensors import waiting_runs


class Ending(IntEnum):
    """How a command that runs jobs ended, as its exit status."""

    DONE = 0
    FAULTS = 1  # done, but a person must act
    NOT_DONE = 2


@dataclass(frozen=True)
class Runner:
    """Runs jobs of the deployment in the settings. verbose: print everything that Dagster logs.

    Every method: KR-6001 and the other errors of the settings, those of `Environment.open` and `dagster_home`, KR-7712
    another run is in progress, KR-7713 this run was terminated.
    """

    verbose: bool = False

    def day(self, day: dt.date, only: str | None, confirm: str | None) -> Ending:
        """Receive, apply what waits for a day, and send a day; a failure to receive does not stop the sending.

        KR-7209 the Union is closed on that day, KR-6007 there is no such day yet.
        """
        Settings.load()
        require_business_day(day)
        with self._session(day.isoformat()) as session:
            if only != "out":
                session.receive_and_apply(None, day.isoformat())
            if only != "in":
                session.run(DAILY_OUT, day.isoformat(), {CONFIRM_TAG: confirm} if confirm else {})
        return session.ended.ending

    def month(self, month: dt.date, step: str) -> Ending:
        """Run one step of a month (its first day), receiving first what it applies. KR-6007 there is no such month yet."""
        with self._session(month.isoformat(), step) as session:
            if of_step(step):
                session.receive_and_apply(step, month.isoformat())
            else:
                session.run(job_of(step), month.isoformat())
        return session.ended.ending

    def again(self, job: str, partition: str) -> bool:
        """Run a job's partition again from its inputs, so corrected input is read; False when it failed.

        Received files are applied, like in `day`.
        """
        with self._session() as session:
            if job == RECEIVE:
                session.receive_and_apply(None, partition)
            else:
                session.run(job, partition)
        return session.ended.succeeded

    def failed(self, first: dt.date | None = None, last: dt.date | None = None) -> list[tuple[str, str]]:
        """(job, partition) that failed last and that no run repairs, by Dagster's records (`failed_runs`)."""
        with _records(Settings.load()) as instance:
            return failed_runs.failed_runs(instance, first, last)

    def repairs(self, first: dt.date | None = None, last: dt.date | None = None) -> list[failed_runs.Repair]:
        """The failed partitions of which a newer run waits or is at work."""
        with _records(Settings.load()) as instance:
            return failed_runs.repairs(instance, first, last)

    @contextmanager
    def _session(self, partition: str | None = None, step: str | None = None) -> Iterator[_Session]:
        """The deployment, opened for runs. KR-6007, KR-6008 when there is no such partition."""
        settings = Settings.load()
        # Before anything is written to a folder that may belong to another municipality.
        environment = Environment.open(settings)
        deployment = Deployment(settings_path=os.environ[ENVIRONMENT_KEY], by_command=True)
        loaded = definitions(deployment).get_repository_def()
        partitions = Partitions.since(settings.first_day, tokyo_now().date(), settings.last_day)
        if partition is not None:
            _require_partition(partitions, step, partition)
        lines = _Lines()
        with _records(settings) as instance, listening(lines.show):
            session = _Session(environment, loaded, partitions, instance, self.verbose)
            yield session
        session.ended = session.ended.combined_with(_Ended(True, _ENDINGS.get(lines.highest, Ending.DONE)))


@dataclass
class _Session:
    """The runs of one command, one after another. ended: the combined outcome so far."""

    environment: Environment
    repository: dg.RepositoryDefinition
    partitions: Partitions
    instance: dg.DagsterInstance
    verbose: bool
    ended: _Ended = field(default_factory=lambda: _Ended(True, Ending.DONE))

    def receive_and_apply(self, step: str | None, own: str) -> None:
        """Receive, then run every partition of a step (the daily run: None) with waiting files, and `own`, oldest first.

        Nothing is applied when receiving failed: a file not received yet may be older than those that wait.
        """
        looking = own if step is None else max(self.partitions.days.get_partition_keys())
        if not self.run(RECEIVE, looking):
            return
        waiting = {run.partition for run in waiting_runs(self.environment, self.partitions, step)}
        for partition in sorted(waiting | {own}):
            self.run(job_of(step), partition)

    def run(self, job_name: str, partition: str, tags: Mapping[str, str] | None = None) -> bool:
        """Run a job's partition in this process; whether it succeeded. KR-7712 another run is in progress, KR-7713 terminated."""
        # A run in this process bypasses the daemon's queue: Dagster would make it wait silently and ignore signals.
        dead_runs.require_nobody_works(self.instance)
        note(f"{job_in_words(job_name)} {partition}")
        job, run_id = self.repository.get_job(job_name), str(uuid4())
        own = {**(tags or {}), **dead_runs.Process.this().tag(run_id)}
        run = self.instance.create_run_for_job(
            job,
            run_id=run_id,
            run_config={} if self.verbose else {"loggers": {QUIET: {}}},
            tags={**job.run_tags, **job.get_tags_for_partition_key(partition, None), **own},
            remote_job_origin=origin_of(job_name),
        )
        result = execute_run(InMemoryJob(job), run, self.instance)
        if dead_runs.was_terminated(result):
            raise RenkeiError("KR-7713")
        self.ended = self.ended.combined_with(_Ended(result.success, _say_failures(result)))
        return result.success


@dataclass(frozen=True)
class _Ended:
    """Whether every run succeeded, and how the command ends: a run may succeed although a person must act."""

    succeeded: bool
    ending: Ending

    def combined_with(self, other: _Ended) -> _Ended:
        return _Ended(self.succeeded and other.succeeded, max(self.ending, other.ending))


_ENDINGS = {logging.WARNING: Ending.FAULTS, logging.ERROR: Ending.NOT_DONE}


def _require_partition(partitions: Partitions, step: str | None, partition: str) -> None:
    """KR-6007 when there is no such day or month. KR-6008 before the first day: a month's files, too, are received on a day."""
    if not partitions.days.get_partition_keys():
        raise RenkeiError("KR-6008", partition=partition)
    keys = partitions.of_step(step).get_partition_keys()
    if partition not in keys:
        first, last = (keys[0], keys[-1]) if keys else ("なし", "なし")
        raise RenkeiError("KR-6007", partition=partition, first=first, last=last)


@contextmanager
def _records(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance, after ending and reporting dead runs. Errors as `dagster_home`."""
    home = dagster_home(settings)
    with for_owner_alone(), dg.DagsterInstance.from_config(str(home)) as instance:
        for ended in dead_runs.end_dead_runs(instance):
            click.echo(str(dead_runs.ended_early(ended)), err=True)
        yield instance


@dataclass
class _Lines:
    """Prints the lines of the steps, and keeps the highest level."""

    highest: int = logging.INFO

    def show(self, line: str, level: int) -> None:
        self.highest = max(self.highest, level)
        click.echo(line, err=level >= logging.ERROR)


def _say_failures(result: dg.JobExecutionResult) -> Ending:
    """Print why steps failed; returns how the run ended because of them."""
    ending = Ending.DONE
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        code = failure.metadata.get(CODE) if failure else None
        description = failure.description if failure else None
        click.echo(description or RenkeiError("KR-7701").for_people(), err=True)
        ending = max(ending, Ending.FAULTS if code and code.value == QUARANTINED else Ending.NOT_DONE)
    return ending if ending or result.success else Ending.NOT_DONE
