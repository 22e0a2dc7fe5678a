"""The roof: one function that assembles assets, checks, jobs, schedule and sensor for tests, CLI and deployment alike."""

import datetime as dt
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue  # noqa: E402  the filters above come first
from interfaces.messages import RenkeiError  # noqa: E402
from interfaces.naming import date_of, recognise  # noqa: E402
from interfaces.private import OTHERS, close_folder  # noqa: E402
from pipelines import arrival, dead_runs, reruns, watch  # noqa: E402
from pipelines.alerts import failure_alerts  # noqa: E402
from pipelines.calendar import TOKYO, is_business_day, monthly_days, require_business_day  # noqa: E402
from pipelines.continuity import assets as continuity  # noqa: E402
from pipelines.descriptions import item_tables  # noqa: E402
from pipelines.eligibility import assets as eligibility  # noqa: E402
from pipelines.environment import Environment  # noqa: E402
from pipelines.exchange.seal import plain_name  # noqa: E402
from pipelines.exchange.transport import RemoteFile  # noqa: E402
from pipelines.high_cost import assets as high_cost  # noqa: E402
from pipelines.linkage import assets as linkage  # noqa: E402
from pipelines.partitions import BUSINESS_DAYS, MONTHS  # noqa: E402
from pipelines.resources import Deployment, StoreIOManager  # noqa: E402
from pipelines.settings import ENVIRONMENT_KEY, Settings  # noqa: E402
from pipelines.unexpected import tell_outlines  # noqa: E402

# An error that is not ours may hold a row: Dagster then stores an id only (dagster.md 3). Its outline goes to standard
# error until a deployment is opened, which has a file for it.
os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
tell_outlines(logging.StreamHandler())

SENDING_HOUR = 18  # after the municipal systems' evening extract
# Dagster ends a sensor after 60 s, and what it starts waits meanwhile: 4 steps of connecting and the listing, 5 × 5 s.
LOOKING_SECONDS = 5.0
ASK_AGAIN_SECONDS = 3600  # a run takes a minute, with a server that falls silent again and again some more
RUN_LIMIT_SECONDS = 7200  # 300,000 persons take minutes; two hours means that a run hangs

daily_out = dg.define_asset_job(
    "daily_out",
    selection=dg.AssetSelection.assets(*(key for asset in eligibility.ASSETS for key in asset.keys)),
    description="日次の送付: 抽出 → 異動 → 資格情報ファイル → 連合会",
    tags={"dagster/max_runtime": str(RUN_LIMIT_SECONDS)},
)
daily_in = dg.define_asset_job(
    "daily_in",
    selection=dg.AssetSelection.assets(*(key for asset in linkage.ASSETS for key in asset.keys)),
    description="日次の受領: 連合会 → 検証 → 連携の状態と不一致",
    tags={"dagster/max_runtime": str(RUN_LIMIT_SECONDS)},
)


def _monthly_job(step: str, assets: Sequence[dg.AssetsDefinition], description: str) -> Any:
    return dg.define_asset_job(
        f"monthly_{step}",
        selection=dg.AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
        description=description,
        tags={"dagster/max_runtime": str(RUN_LIMIT_SECONDS)},
    )


# The steps of a month, in their order; each has its day in the Union's calendar (calendars/monthly.csv).
MONTHLY_JOBS = {
    "out": _monthly_job("out", high_cost.OUT_ASSETS, "月次の送付: 給付・税の抽出 → 高額該当情報・所得区分 → 連合会"),
    "candidates": _monthly_job(
        "candidates", continuity.CANDIDATE_ASSETS, "継続候補の受領: 候補リスト → 判定案 → 判定表"
    ),
    "instruction": _monthly_job(
        "instruction", continuity.INSTRUCTION_ASSETS, "確定指示: 承認された判定 → 連合会。判定待ちは待つ"
    ),
    "results": _monthly_job(
        "results",
        [*continuity.RESULT_ASSETS, *high_cost.COUNT_ASSETS],
        "確定結果と引継の受領: 突合 → 高額該当回数",
    ),
}


def _steps_of(day: dt.date, month: dt.date, catalogue: Catalogue) -> list[str]:
    """Which steps of a month fall on a business day. Candidates and the instruction are tried until they are there."""
    try:
        days = monthly_days(catalogue, month)
    except RenkeiError:
        return []
    return [
        step
        for step, due in (
            ("out", day == days.cut_off),
            ("candidates", days.candidates_on <= day < days.instruction_until),
            ("instruction", days.candidates_on < day <= days.result_on),
            ("results", days.result_on <= day <= days.result_on + dt.timedelta(days=LATE_RESULT_DAYS)),
        )
        if due
    ]


LATE_RESULT_DAYS = 7  # a result that comes late is still looked for during a week
MONTHLY_HOUR = 19  # after the day's own sending


def _monthly_schedule(step: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"monthly_{step}_schedule",
        job=MONTHLY_JOBS[step],
        cron_schedule=f"0 {MONTHLY_HOUR} * * *",
        execution_timezone="Asia/Tokyo",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="連合会の処理日程（calendars/monthly.csv）に合う営業日の19時に動く",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, deployment: Deployment
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """One run per month that has this step on this day."""
        day = context.scheduled_execution_time.astimezone(TOKYO).date()
        months = [day.replace(day=1), (day.replace(day=1) - dt.timedelta(days=1)).replace(day=1)]
        catalogue = deployment.environment.catalogue
        due = [m for m in months if is_business_day(day) and step in _steps_of(day, m, catalogue)]
        known = set(MONTHS.get_partition_keys())
        for month in due:
            if month.isoformat() in known:
                yield dg.RunRequest(run_key=f"monthly_{step}|{month}|{day}", partition_key=month.isoformat())
        if not due:
            yield dg.SkipReason(f"{day} は月次の {step} の日ではありません")

    return schedule


MONTHLY_SCHEDULES = [_monthly_schedule(step) for step in MONTHLY_JOBS]


@dg.schedule(
    job=daily_out,
    cron_schedule=f"0 {SENDING_HOUR} * * *",
    execution_timezone="Asia/Tokyo",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="連合会の営業日の18時に、その日の資格情報を送る",
)
def daily_out_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run per business day; closed days are skipped with the reason."""
    day = context.scheduled_execution_time.astimezone(TOKYO).date()
    if not is_business_day(day):
        return dg.SkipReason(f"{day} は連合会の営業日ではありません")
    return dg.RunRequest(run_key=f"daily_out|{day}", partition_key=day.isoformat())


daily_watch = dg.define_asset_job(
    watch.WATCH_JOB,
    selection=dg.AssetSelection.assets(*watch.outstanding_asset.keys),
    description="毎日の見回り: 送るはず・届くはずのもので、まだないもの",
)
WATCHING_HOUR = 8  # before the offices open, for the business day before


@dg.schedule(
    job=daily_watch,
    cron_schedule=f"30 {WATCHING_HOUR} * * *",
    execution_timezone="Asia/Tokyo",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="営業日の朝8時半に、前の営業日の終わりにないものを調べる",
)
def daily_watch_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run per business day, for the business day before it."""
    day = context.scheduled_execution_time.astimezone(TOKYO).date()
    if not is_business_day(day):
        return dg.SkipReason(f"{day} は連合会の営業日ではありません")
    before = day - dt.timedelta(days=1)
    while not is_business_day(before):
        before -= dt.timedelta(days=1)
    return dg.RunRequest(run_key=f"daily_watch|{before}", partition_key=before.isoformat())


# The job that takes an interface in; every other file is the daily job's.
JOB_OF = {
    "continuity_candidates": "monthly_candidates",
    "continuity_result": "monthly_results",
    "high_cost_handover": "monthly_results",
}


@dg.sensor(
    jobs=[daily_in, MONTHLY_JOBS["candidates"], MONTHLY_JOBS["results"]],
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
            files, reasons = arrival.look(environment, transport)
    except RenkeiError as error:
        yield dg.SkipReason(str(error))
        return
    now = environment.clock()
    asked = _asked(json.loads(context.cursor or "{}"), _by_run(environment, files), now)
    for (job, partition, listed), since in sorted(asked.items()):
        key = f"{job}|{partition}|{listed}|{since}"
        yield dg.RunRequest(run_key=key, partition_key=partition, job_name=job)
    context.update_cursor(json.dumps({"|".join(run): since for run, since in asked.items()}))
    for reason in reasons:
        context.log.warning(str(reason))
    if not asked:
        yield dg.SkipReason("\n".join(map(str, reasons)) or "新しいファイルはありません")


def _by_run(environment: Environment, files: Sequence[RemoteFile]) -> set[tuple[str, str, str]]:
    """The runs that take these files: job, partition, and a hash over name, size and time of its files.

    A file for no day (month) that Dagster has is taken by the newest business day's run.
    """
    days, months = BUSINESS_DAYS.get_partition_keys(), set(MONTHS.get_partition_keys())
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        recognised = recognise(environment.catalogue, plain_name(file.name))
        day = date_of(recognised[1], environment.catalogue.versions(recognised[0])[-1].plan) if recognised else None
        job, partition = JOB_OF.get(recognised[0] if recognised else "", "daily_in"), str(day)
        if partition not in (days if job == "daily_in" else months):
            job, partition = "daily_in", max(days, default="")
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


def _described_catalogue(deployment: Deployment | None) -> Catalogue:
    """The deployment's catalogue; the embedded one where there is none to read, of which the runs themselves will tell."""
    path = deployment.settings_path if deployment else os.environ.get(ENVIRONMENT_KEY)
    try:
        return load_catalogue(Settings.load(path).catalogue_folder or DEFAULT_ROOT)
    except RenkeiError:
        return load_catalogue()


def _with_specifications(assets: dg.AssetsDefinition, catalogue: Catalogue) -> dg.AssetsDefinition:
    """The assets, those that are an interface's file with its specification one click away."""

    def described(spec: dg.AssetSpec) -> dg.AssetSpec:
        interface = spec.key.path[-1]
        if interface not in catalogue.ids():
            return spec
        return spec.merge_attributes(metadata={"仕様": dg.MetadataValue.md(item_tables(catalogue, interface))})

    return assets.map_asset_specs(described)


def definitions(deployment: Deployment | None = None) -> dg.Definitions:
    """All definitions; tests pass a deployment of their own, the others take RENKEI_SETTINGS."""
    chosen = deployment or Deployment(settings_path=dg.EnvVar(ENVIRONMENT_KEY))
    assets = [
        *eligibility.ASSETS,
        *linkage.ASSETS,
        *high_cost.OUT_ASSETS,
        *continuity.CANDIDATE_ASSETS,
        *continuity.INSTRUCTION_ASSETS,
        *continuity.RESULT_ASSETS,
        *high_cost.COUNT_ASSETS,
        watch.outstanding_asset,
    ]
    catalogue = _described_catalogue(deployment)
    return dg.Definitions(
        assets=[_with_specifications(asset, catalogue) for asset in assets],
        jobs=[daily_out, daily_in, daily_watch, *MONTHLY_JOBS.values()],
        schedules=[daily_out_schedule, daily_watch_schedule, *MONTHLY_SCHEDULES],
        sensors=[arrival_sensor, failure_alerts],
        resources={"deployment": chosen, "io_manager": StoreIOManager(deployment=chosen)},
        executor=dg.in_process_executor,
    )


@contextmanager
def _records() -> Iterator[dg.DagsterInstance]:
    """Dagster's records, runs that died without a word ended and said. KR-6006 when DAGSTER_HOME names no folder."""
    home = os.environ.get("DAGSTER_HOME", "")
    if not Path(home).is_absolute() or not Path(home).is_dir():
        raise RenkeiError("KR-6006", home=home or "指定なし")
    close_folder(Path(home))
    with _for_us_alone(), dg.DagsterInstance.get() as instance:
        for ended in dead_runs.end_dead_runs(instance):
            print(dead_runs.ended_early(ended), file=sys.stderr)
        yield instance


@contextmanager
def _for_us_alone() -> Iterator[None]:
    """What Dagster itself writes meanwhile is readable by its owner alone."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def _require_partition(known: dg.PartitionsDefinition, partition: str) -> None:  # type: ignore[type-arg]
    """KR-6007 when there is no such day or month."""
    keys = known.get_partition_keys()
    if partition not in keys:
        raise RenkeiError("KR-6007", partition=partition, first=keys[0], last=keys[-1])


def _run(names: Sequence[str], partition: str, tags: dict[str, str]) -> bool:
    """Run jobs in this process, recorded in DAGSTER_HOME so that the UI shows them; False when one failed.

    KR-7712 another run works, KR-7713 this one was told to end.
    """
    Settings.load()  # before Dagster, which would only say that the variable is missing
    repository = definitions(Deployment(settings_path=os.environ[ENVIRONMENT_KEY])).get_repository_def()
    with _records() as instance:
        return all(_run_here(repository.get_job(name), instance, partition, tags) for name in names)


def _run_here(job: dg.JobDefinition, instance: dg.DagsterInstance, partition: str, tags: dict[str, str]) -> bool:
    # A run in this process passes by the daemon's queue: Dagster would let it wait in silence, deaf to every signal.
    dead_runs.require_nobody_works(instance)
    result = job.execute_in_process(
        instance=instance,
        partition_key=partition,
        tags={**tags, **dead_runs.Process.this().tag},
        raise_on_error=False,
    )
    if dead_runs.was_told_to_end(result):
        raise RenkeiError("KR-7713")
    return result.success


def run_day(day: dt.date, only: str | None, confirm: str | None) -> bool:
    """Run a day's jobs, receiving before sending; False when one failed. KR-7209 the Union is closed, KR-6006, KR-6007."""
    require_business_day(day)
    _require_partition(BUSINESS_DAYS, day.isoformat())
    names = [name for name in ("daily_in", "daily_out") if only in (None, name.removeprefix("daily_"))]
    return _run(names, day.isoformat(), {eligibility.CONFIRM_TAG: confirm} if confirm else {})


def run_month(month: dt.date, step: str) -> bool:
    """Run one step of a month (its first day); False when it failed. KR-6006, KR-6007."""
    _require_partition(MONTHS, month.isoformat())
    return _run([f"monthly_{step}"], month.isoformat(), {})


def failed_runs(first: dt.date | None = None, last: dt.date | None = None) -> list[tuple[str, str]]:
    """(job, partition) whose newest run failed, by the records in DAGSTER_HOME (`reruns`)."""
    with _records() as instance:
        return reruns.failed_runs(instance, first, last)


def rerun(job: str, partition: str) -> bool:
    """Run a job's partition again from its intake, so that mended input is read anew; False when it failed again."""
    return _run([job], partition, {})


defs = definitions()
