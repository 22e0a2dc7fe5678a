"""The sensor that sees what the Union left, and asks for the runs that take it in. It downloads nothing."""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import dagster as dg

from interfaces.messages import RenkeiError
from interfaces.naming import date_of, recognise
from pipelines.deployment import Environment
from pipelines.exchange.transport import RemoteFile
from pipelines.operations.monthly_steps import MONTHLY_STEPS
from pipelines.orchestration.jobs import DAILY_IN, Work
from pipelines.orchestration.partitions import Partitions
from pipelines.orchestration.resources import Deployment
from pipelines.storage.cms import plain_name
from pipelines.transfer import receiving

# Dagster ends a sensor after 60 s, and what it starts waits meanwhile: 4 steps of connecting and the listing, 5 × 5 s.
LOOKING_SECONDS = 5.0
ASK_AGAIN_SECONDS = 3600  # a run takes a minute, with a server that falls silent again and again some more
# The job that takes an interface in; every other file is the daily job's.
JOB_OF = {interface: step.job for step in MONTHLY_STEPS for interface in step.takes}


def arrivals(work: Work, partitions: Partitions) -> dg.SensorDefinition:
    """The sensor of the Union's folder."""

    @dg.sensor(
        name="arrival_sensor",
        jobs=[work.jobs[DAILY_IN], *(work.jobs[step.job] for step in MONTHLY_STEPS if step.takes)],
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="連合会のフォルダに届いたファイルを見つけ、その日・その月の受領を始める",
    )
    def arrival_sensor(
        context: dg.SensorEvaluationContext, deployment: Deployment
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """List the Union's folder and ask for one run per job and day (month) of the files there; a tick downloads nothing.

        Only for finished files (`left_behind`): the others are named with the reason, and come with a later tick. The run key is
        made of name, size and time of every file of the run, so a changed delivery starts a new run; what still lies there an
        hour later (the run failed, or could not take it) is asked for again. That one content is applied once is the inbox's
        promise, by SHA-256.
        """
        environment = deployment.environment
        try:
            with environment.from_union(LOOKING_SECONDS) as transport:
                files, reasons = receiving.look(environment, transport)
        except RenkeiError as error:
            yield dg.SkipReason(str(error))
            return
        now = environment.clock()
        asked = _asked(json.loads(context.cursor or "{}"), _by_run(environment, files, partitions), now)
        for (job, partition, listed), since in sorted(asked.items()):
            key = f"{job}|{partition}|{listed}|{since}"
            yield dg.RunRequest(run_key=key, partition_key=partition, job_name=job)
        context.update_cursor(json.dumps({"|".join(run): since for run, since in asked.items()}))
        for reason in reasons:
            context.log.warning(str(reason))
        if not asked:
            yield dg.SkipReason("\n".join(map(str, reasons)) or "新しいファイルはありません")

    return arrival_sensor


def _by_run(environment: Environment, files: Sequence[RemoteFile], partitions: Partitions) -> set[tuple[str, str, str]]:
    """The runs that take these files: job, partition, and a hash over name, size and time of its files.

    A file for no day (month) that Dagster has is taken by the newest business day's run.
    """
    days, months = partitions.days.get_partition_keys(), set(partitions.months.get_partition_keys())
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        recognised = recognise(environment.catalogue, plain_name(file.name))
        day = date_of(recognised[1], environment.catalogue.versions(recognised[0])[-1].plan) if recognised else None
        job, partition = JOB_OF.get(recognised[0] if recognised else "", DAILY_IN), str(day)
        if partition not in (days if job == DAILY_IN else months):
            job, partition = DAILY_IN, max(days, default="")
        found.setdefault((job, partition), []).append(f"{file.name}|{file.size}|{file.modified}")
    return {
        (job, partition, sha256("\n".join(sorted(listed)).encode()).hexdigest())
        for (job, partition), listed in found.items()
        if partition
    }


def _asked(
    before: Mapping[str, float], runs: Iterable[tuple[str, str, str]], now: dt.datetime
) -> dict[tuple[str, str, str], int]:
    """When each run is, or was, asked for (seconds since 1970): once, and again when an hour later there is still work for it."""
    asked = {}
    for run in runs:
        earlier = before.get("|".join(run), 0)
        is_fresh = 0 <= now.timestamp() - earlier < ASK_AGAIN_SECONDS
        asked[run] = int(earlier if is_fresh else now.timestamp())
    return asked
