"""Jobs run in this process, recorded in Dagster's home like those of the daemon. What the jobs are is in `definitions`."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

import click
import dagster as dg

from interfaces.messages import RenkeiError
from interfaces.private import for_owner_alone
from pipelines.configuration.calendar import require_business_day
from pipelines.configuration.settings import ENVIRONMENT_KEY, Settings
from pipelines.deployment import Environment
from pipelines.orchestration import dead_runs, failed_runs
from pipelines.orchestration.assets.eligibility import CONFIRM_TAG
from pipelines.orchestration.checks import CODE
from pipelines.orchestration.home import dagster_home
from pipelines.orchestration.inbound import QUARANTINED
from pipelines.orchestration.jobs import DAILY_IN, DAILY_OUT
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import QUIET, listening, quiet


class Ending(IntEnum):
    """How a command that runs jobs ended, as its exit status."""

    DONE = 0
    FAULTS = 1  # done, and a person must see to something
    NOT_DONE = 2


Assemble = Callable[[Deployment, Mapping[str, dg.LoggerDefinition]], dg.Definitions]


@dataclass(frozen=True)
class Runner:
    """Runs jobs of the deployment that the settings describe. assemble: `definitions`; verbose: say all that Dagster logs.

    Every method: KR-6001 and the other errors of the settings, those of `Environment.open` and `dagster_home`, KR-7712 another run works,
    KR-7713 this one was told to end.
    """

    assemble: Assemble
    verbose: bool = False

    def day(self, day: dt.date, only: str | None, confirm: str | None) -> Ending:
        """Run a day's jobs, receiving before sending; what cannot be received does not keep anything from being sent.

        KR-7209 the Union is closed on that day, KR-6007 there is no such day yet.
        """
        Settings.load()
        require_business_day(day)
        names = [name for name in (DAILY_IN, DAILY_OUT) if only in (None, name.removeprefix("daily_"))]
        return self._run(names, day.isoformat(), {CONFIRM_TAG: confirm} if confirm else {}).ending

    def month(self, month: dt.date, step: str) -> Ending:
        """Run one step of a month (its first day). KR-6007 there is no such month yet."""
        return self._run([f"monthly_{step}"], month.isoformat(), {}).ending

    def again(self, job: str, partition: str) -> bool:
        """Run a job's partition from its intake, so that mended input is read anew; False when it failed."""
        return self._run([job], partition, {}).succeeded

    def failed(self, first: dt.date | None = None, last: dt.date | None = None) -> list[tuple[str, str]]:
        """(job, partition) whose newest run failed, by Dagster's records (`failed_runs`)."""
        with _records(Settings.load()) as instance:
            return failed_runs.failed_runs(instance, first, last)

    def _run(self, names: Sequence[str], partition: str, tags: Mapping[str, str]) -> _Ended:
        settings = Settings.load()
        Environment.open(settings)  # before anything is written into a folder that may be another municipality's
        lines = _Lines()
        deployment = Deployment(settings_path=os.environ[ENVIRONMENT_KEY])
        repository = self.assemble(deployment, {QUIET: dg.LoggerDefinition(quiet)}).get_repository_def()
        jobs = [repository.get_job(name) for name in names]
        for job in jobs:
            _require_partition(job, partition)
        ended = _Ended(True, Ending.DONE)
        with _records(settings) as instance, listening(lines.show):
            for job in jobs:
                # A run in this process passes by the daemon's queue: Dagster would let it wait in silence, deaf to signals.
                dead_runs.require_nobody_works(instance)
                result = job.execute_in_process(
                    instance=instance,
                    partition_key=partition,
                    run_config={} if self.verbose else {"loggers": {QUIET: {}}},
                    tags={**tags, **dead_runs.Process.this().tag},
                    raise_on_error=False,
                )
                if dead_runs.was_told_to_end(result):
                    raise RenkeiError("KR-7713")
                ended = ended.and_also(_Ended(result.success, _say_failures(result)))
        return ended.and_also(_Ended(True, _ENDINGS.get(lines.highest, Ending.DONE)))


@dataclass(frozen=True)
class _Ended:
    """Whether every run succeeded, and how the command ends: a run may succeed and leave something to a person."""

    succeeded: bool
    ending: Ending

    def and_also(self, other: _Ended) -> _Ended:
        return _Ended(self.succeeded and other.succeeded, max(self.ending, other.ending))


_ENDINGS = {logging.WARNING: Ending.FAULTS, logging.ERROR: Ending.NOT_DONE}


def _require_partition(job: dg.JobDefinition, partition: str) -> None:
    """KR-6007 when there is no such day or month."""
    known = job.partitions_def
    keys = known.get_partition_keys() if known else []
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
