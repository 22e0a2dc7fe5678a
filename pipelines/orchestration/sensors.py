"""The sensors that request runs: for files in the Union's folder, for files that wait to be applied, for worksheets in
the clerks' folder. They change nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import dagster as dg

from interfaces.messages import RenkeiError
from pipelines.continuity.drop_folder import unanswered
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import Direction, EntryState
from pipelines.exchange.transport import RemoteFile
from pipelines.operations.inbound_interfaces import INBOUND, of_step
from pipelines.orchestration.jobs import CLERKS, RECEIVE, Work, job_of
from pipelines.orchestration.partitions import Partitions
from pipelines.orchestration.resources import Deployment
from pipelines.transfer import receiving

# Dagster ends a sensor after 60 s, and its runs wait meanwhile: 4 steps of connecting and the listing, 5 × 5 s.
LOOKING_SECONDS = 5.0
ASK_AGAIN_SECONDS = 3600  # a run takes a minute, longer with a server that repeatedly stops answering
STEPS = sorted({interface.step for interface in INBOUND.values()}, key=str)
Ticked = Iterator[dg.RunRequest | dg.SkipReason]


@dataclass(frozen=True, order=True)
class Run:
    """A run to request: a job, its partition, and a text that changes when there is different work."""

    job: str
    partition: str
    work: str

    @property
    def key(self) -> str:
        """The key of the run in a sensor's cursor."""
        return f"{self.job}|{self.partition}|{self.work}"

    def request(self, since: int | None = None) -> dg.RunRequest:
        """The run request; a repeated one (with another `since`) has another key."""
        key = self.key if since is None else f"{self.key}|{since}"
        return dg.RunRequest(run_key=key, partition_key=self.partition, job_name=self.job)


def arrivals(work: Work, partitions: Partitions) -> dg.SensorDefinition:
    """The sensor of the Union's folder."""

    @dg.sensor(
        name="arrival_sensor",
        job=work.jobs[RECEIVE],
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="連合会のフォルダに届いたファイルを見つけ、受領を始める",
    )
    def arrival_sensor(context: dg.SensorEvaluationContext, deployment: Deployment) -> Ticked:
        """List the Union's folder and ask for one run for the files there, of the newest business day.

        Only for finished files (`left_behind`): the others are named with the reason, and come with a later tick. The run key is
        made of name, size and time of every file, so a changed delivery starts a new run; what still lies there an hour later
        (the run failed, or could not take it) is asked for again. That one content is applied once is the inbox's promise,
        by SHA-256.
        """
        environment = deployment.environment
        try:
            with environment.from_union(LOOKING_SECONDS) as transport:
                files, reasons = receiving.look(environment, transport)
        except RenkeiError as error:
            yield dg.SkipReason(str(error))
            return
        today = max(partitions.days.get_partition_keys(), default=None)
        runs = [Run(RECEIVE, today, _listing(files))] if files and today else []
        yield from _requests(context, runs, _now(environment), reasons)
        if not runs:
            yield dg.SkipReason("\n".join(map(str, reasons)) or "新しいファイルはありません")

    return arrival_sensor


def applications(work: Work, partitions: Partitions) -> dg.SensorDefinition:
    """The sensor of the files that were received and wait to be applied."""

    @dg.sensor(
        name="waiting_files_sensor",
        jobs=[work.jobs[job_of(step)] for step in STEPS],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="受け取って取込を待つファイルを台帳から見つけ、その日・その月の取込を古い順に始める",
    )
    def waiting_files_sensor(context: dg.SensorEvaluationContext, deployment: Deployment) -> Ticked:
        """Ask for the oldest day (month of each step) of which files wait, one after the other: applied after a newer one they
        would be out of date. A day whose file is quarantined is asked for once, so that it shows: by the run that applies what
        else came, if there is one.
        """
        environment = deployment.environment
        try:
            waiting = [run for step in STEPS for run in waiting_runs(environment, partitions, step)[:1]]
        except RenkeiError as error:
            yield dg.SkipReason(str(error))
            return
        before, now = _memory(context), _now(environment)
        asked, quarantined = _asked(before, waiting, now), _quarantined(environment, partitions)
        _remember(context, asked | {run: before.get(run.key, now) for run in quarantined})
        shown = {(run.job, run.partition) for run, since in asked.items() if since == now}
        new = [run for run in quarantined if run.key not in before and (run.job, run.partition) not in shown]
        yield from (run.request(since) for run, since in asked.items())
        yield from (run.request() for run in new)
        if not asked and not new:
            yield dg.SkipReason("取込を待つファイルはありません")

    return waiting_files_sensor


def worksheets(work: Work, partitions: Partitions) -> dg.SensorDefinition:
    """The sensor of the clerks' folder."""

    @dg.sensor(
        name="clerk_folder_sensor",
        job=work.jobs[CLERKS],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="担当者が取込フォルダに置いた判定表を見つけ、取込を始める",
    )
    def clerk_folder_sensor(context: dg.SensorEvaluationContext, deployment: Deployment) -> Ticked:
        """Ask for one run for the finished files without an answer; asked again after an hour, as for `arrivals`."""
        environment = deployment.environment
        try:
            found, reasons = unanswered(environment)
        except RenkeiError as error:
            yield dg.SkipReason(str(error))
            return
        today = max(partitions.days.get_partition_keys(), default=None)
        runs = [Run(CLERKS, today, _listing_of(found))] if found and today else []
        yield from _requests(context, runs, _now(environment), reasons)
        if not runs:
            yield dg.SkipReason("\n".join(map(str, reasons)) or "新しい判定表はありません")

    return clerk_folder_sensor


def _requests(
    context: dg.SensorEvaluationContext, runs: Sequence[Run], now: int, reasons: Sequence[RenkeiError]
) -> Ticked:
    """Ask for runs, remember for which, and say why other files wait."""
    asked = _asked(_memory(context), runs, now)
    _remember(context, asked)
    yield from (run.request(since) for run, since in asked.items())
    for reason in reasons:
        context.log.warning(str(reason))


def waiting_runs(environment: Environment, partitions: Partitions, step: str | None) -> list[Run]:
    """The runs of a step (the daily run: None) that would apply what waits, oldest partition first.

    KR-7305 when the ledger does not know the interface or day of a file.
    """
    waiting = receiving.waiting(environment, of_step(step))
    partition_of = {day: partitions.of_file(step, day) for day in {file.partition for file in waiting}}
    entries: dict[str, list[int]] = {}
    for file in waiting:
        if partition := partition_of[file.partition]:
            entries.setdefault(partition, []).append(file.entry.id)
    return [
        Run(job_of(step), partition, "、".join(map(str, sorted(entries[partition])))) for partition in sorted(entries)
    ]


def _quarantined(environment: Environment, partitions: Partitions) -> list[Run]:
    runs = []
    for entry in environment.ledger.entries(direction=Direction.INBOUND, states={EntryState.QUARANTINED}):
        if entry.interface is not None and entry.interface in INBOUND and entry.partition is not None:
            step = INBOUND[entry.interface].step
            if partition := partitions.of_file(step, entry.partition):
                runs.append(Run(job_of(step), partition, f"quarantined {entry.id}"))
    return sorted(runs)


def _listing(files: Sequence[RemoteFile]) -> str:
    listed = sorted(f"{file.name}|{file.size}|{file.modified}" for file in files)
    return sha256("\n".join(listed).encode()).hexdigest()


def _listing_of(paths: Sequence[Path]) -> str:
    """Size as well as time: a book of which only half was copied may already have the time of the whole one."""
    states = [(path.name, path.stat()) for path in paths]
    listed = sorted(f"{name}|{state.st_size}|{state.st_mtime_ns}" for name, state in states)
    return sha256("\n".join(listed).encode()).hexdigest()


def _asked(before: Mapping[str, int], runs: Iterable[Run], now: int) -> dict[Run, int]:
    """When each run is, or was, requested (seconds since 1970): once, and again if there is still work for it after an hour."""
    asked = {}
    for run in sorted(runs):
        earlier = before.get(run.key, 0)
        asked[run] = earlier if 0 <= now - earlier < ASK_AGAIN_SECONDS else now
    return asked


def _memory(context: dg.SensorEvaluationContext) -> dict[str, int]:
    """The runs that a sensor requested, by key, and when: its cursor."""
    memory: dict[str, int] = json.loads(context.cursor or "{}")
    return memory


def _remember(context: dg.SensorEvaluationContext, asked: Mapping[Run, int]) -> None:
    context.update_cursor(json.dumps({run.key: since for run, since in asked.items()}))


def _now(environment: Environment) -> int:
    return int(environment.clock().timestamp())
