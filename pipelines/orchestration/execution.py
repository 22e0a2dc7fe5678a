"""Jobs run in this process, recorded in Dagster's home like those of the daemon. What the jobs are is in `jobs`."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

import click
import dagster as dg

from interfaces.messages import RenkeiError
from interfaces.private import for_owner_alone
from pipelines.configuration.calendar import require_business_day, tokyo_now
from pipelines.configuration.settings import ENVIRONMENT_KEY, Settings
from pipelines.deployment import Environment
from pipelines.operations.inbound_interfaces import of_step
from pipelines.orchestration import dead_runs, failed_runs
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.assets.eligibility import CONFIRM_TAG
from pipelines.orchestration.checks import CODE
from pipelines.orchestration.home import dagster_home
from pipelines.orchestration.inbound import QUARANTINED
from pipelines.orchestration.jobs import DAILY_OUT, RECEIVE, job_of
from pipelines.orchestration.partitions import Partitions
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import QUIET, listening, quiet
from pipelines.orchestration.sensors import waiting_runs


class Ending(IntEnum):
    """How a command that runs jobs ended, as its exit status."""

    DONE = 0
    FAULTS = 1  # done, and a person must see to something
    NOT_DONE = 2


@dataclass(frozen=True)
class Runner:
    """Runs jobs of the deployment that the settings describe. verbose: say all that Dagster logs.

    Every method: KR-6001 and the other errors of the settings, those of `Environment.open` and `dagster_home`, KR-7712 another run works,
    KR-7713 this one was told to end.
    """

    verbose: bool = False

    def day(self, day: dt.date, only: str | None, confirm: str | None) -> Ending:
        """Receive, apply what waits for a day, and send a day; what cannot be received keeps nothing from being sent.

        KR-7209 the Union is closed on that day, KR-6007 there is no such day yet.
        """
        Settings.load()
        require_business_day(day)
        with self._session(day.isoformat()) as session:
            if only != "out":
                session.take_in(None, day.isoformat())
            if only != "in":
                session.run(DAILY_OUT, day.isoformat(), {CONFIRM_TAG: confirm} if confirm else {})
        return session.ended.ending

    def month(self, month: dt.date, step: str) -> Ending:
        """Run one step of a month (its first day); what it applies is received first. KR-6007 there is no such month yet."""
        with self._session(month.isoformat(), step) as session:
            if of_step(step):
                session.take_in(step, month.isoformat())
            else:
                session.run(job_of(step), month.isoformat())
        return session.ended.ending

    def again(self, job: str, partition: str) -> bool:
        """Run a job's partition from its intake, so that mended input is read anew; False when it failed.

        What a receiving brings is applied, as `day` does.
        """
        with self._session() as session:
            if job == RECEIVE:
                session.take_in(None, partition)
            else:
                session.run(job, partition)
        return session.ended.succeeded

    def failed(self, first: dt.date | None = None, last: dt.date | None = None) -> list[tuple[str, str]]:
        """(job, partition) whose newest run failed, by Dagster's records (`failed_runs`)."""
        with _records(Settings.load()) as instance:
            return failed_runs.failed_runs(instance, first, last)

    @contextmanager
    def _session(self, partition: str | None = None, step: str | None = None) -> Iterator[_Session]:
        """The deployment, opened for runs. KR-6007 when there is no such partition."""
        settings = Settings.load()
        environment = Environment.open(settings)  # before anything is written into a folder that may be another's
        deployment = Deployment(settings_path=os.environ[ENVIRONMENT_KEY])
        loaded = definitions(deployment, {QUIET: dg.LoggerDefinition(quiet)}).get_repository_def()
        partitions = Partitions.since(settings.first_day, tokyo_now().date())
        if partition is not None:
            _require_partition(partitions.of_step(step), partition)
        lines = _Lines()
        with _records(settings) as instance, listening(lines.show):
            session = _Session(environment, loaded, partitions, instance, self.verbose)
            yield session
        session.ended = session.ended.combined_with(_Ended(True, _ENDINGS.get(lines.highest, Ending.DONE)))


@dataclass
class _Session:
    """One command's runs, one after another. ended: how those until now did."""

    environment: Environment
    repository: dg.RepositoryDefinition
    partitions: Partitions
    instance: dg.DagsterInstance
    verbose: bool
    ended: _Ended = field(default_factory=lambda: _Ended(True, Ending.DONE))

    def take_in(self, step: str | None, own: str) -> None:
        """Receive, then run every partition of a step (the daily run: None) for which files wait, and `own`, oldest first.

        Nothing is applied when the receiving failed: what is not there yet may be older than what waits.
        """
        looking = own if step is None else max(self.partitions.days.get_partition_keys())
        if not self.run(RECEIVE, looking):
            return
        waiting = {run.partition for run in waiting_runs(self.environment, self.partitions, step)}
        for partition in sorted(waiting | {own}):
            self.run(job_of(step), partition)

    def run(self, job_name: str, partition: str, tags: Mapping[str, str] | None = None) -> bool:
        """Run a job's partition in this process; whether it succeeded. KR-7712 another run works, KR-7713 told to end."""
        # A run in this process passes by the daemon's queue: Dagster would let it wait in silence, deaf to signals.
        dead_runs.require_nobody_works(self.instance)
        result = self.repository.get_job(job_name).execute_in_process(
            instance=self.instance,
            partition_key=partition,
            run_config={} if self.verbose else {"loggers": {QUIET: {}}},
            tags={**(tags or {}), **dead_runs.Process.this().tag},
            raise_on_error=False,
        )
        if dead_runs.was_told_to_end(result):
            raise RenkeiError("KR-7713")
        self.ended = self.ended.combined_with(_Ended(result.success, _say_failures(result)))
        return result.success


@dataclass(frozen=True)
class _Ended:
    """Whether every run succeeded, and how the command ends: a run may succeed and leave something to a person."""

    succeeded: bool
    ending: Ending

    def combined_with(self, other: _Ended) -> _Ended:
        return _Ended(self.succeeded and other.succeeded, max(self.ending, other.ending))


_ENDINGS = {logging.WARNING: Ending.FAULTS, logging.ERROR: Ending.NOT_DONE}


def _require_partition(known: dg.PartitionsDefinition, partition: str) -> None:  # type: ignore[type-arg]
    """KR-6007 when there is no such day or month."""
    keys = known.get_partition_keys()
    if partition not in keys:
        raise RenkeiError("KR-6007", partition=partition, first=keys[0], last=keys[-1])


@contextmanager
def _records(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's records, runs that died without a word ended and said. Errors as `dagster_home`."""
    home = dagster_home(settings)
    with for_owner_alone(), dg.DagsterInstance.from_config(str(home)) as instance:
        for ended in dead_runs.end_dead_runs(instance):
            click.echo(str(dead_runs.ended_early(ended)), err=True)
        yield instance


@dataclass
class _Lines:
    """Prints what the steps say, and keeps the highest level."""

    highest: int = logging.INFO

    def show(self, line: str, level: int) -> None:
        self.highest = max(self.highest, level)
        click.echo(line, err=level >= logging.ERROR)


def _say_failures(result: dg.ExecuteInProcessResult) -> Ending:
    """Say why steps failed, and how the run ended because of them."""
    ending = Ending.DONE
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        code = failure.metadata.get(CODE) if failure else None
        said = failure.description if failure else None
        click.echo(said or RenkeiError("KR-7701").for_people(), err=True)
        ending = max(ending, Ending.FAULTS if code and code.value == QUARANTINED else Ending.NOT_DONE)
    return ending if ending or result.success else Ending.NOT_DONE
