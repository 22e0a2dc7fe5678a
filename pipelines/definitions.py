"""The roof: one function that assembles assets, checks, jobs, schedule and sensor for tests, CLI and deployment alike."""

import datetime as dt
import os
import warnings
from collections.abc import Iterator
from hashlib import sha256

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from interfaces.messages import RenkeiError  # noqa: E402  the filters above come first
from interfaces.naming import date_of, recognise  # noqa: E402
from pipelines.calendar import TOKYO, is_business_day  # noqa: E402
from pipelines.eligibility import assets as eligibility  # noqa: E402
from pipelines.linkage import assets as linkage  # noqa: E402
from pipelines.partitions import BUSINESS_DAYS  # noqa: E402
from pipelines.resources import Deployment, StoreIOManager  # noqa: E402
from pipelines.settings import ENVIRONMENT_KEY  # noqa: E402

# An error that is not ours may hold a row: Dagster then stores an id only (dagster.md 3).
os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")

SENDING_HOUR = 18  # after the municipal systems' evening extract
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


@dg.schedule(
    job=daily_out,
    cron_schedule=f"0 {SENDING_HOUR} * * *",
    execution_timezone="Asia/Tokyo",
    description="連合会の営業日の18時に、その日の資格情報を送る",
)
def daily_out_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run per business day; closed days are skipped with the reason."""
    day = context.scheduled_execution_time.astimezone(TOKYO).date()
    if not is_business_day(day):
        return dg.SkipReason(f"{day} は連合会の営業日ではありません")
    return dg.RunRequest(run_key=f"daily_out|{day}", partition_key=day.isoformat())


@dg.sensor(
    job=daily_in,
    minimum_interval_seconds=300,
    description="連合会のフォルダに届いたファイルを見つけ、その日の受領を始める",
)
def arrival_sensor(
    context: dg.SensorEvaluationContext, deployment: Deployment
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """List the Union's folder and ask for one run per day of the files there; nothing is downloaded in a tick.

    The run key is made of name, size and time of every file of the day, so a changed delivery starts a new run; that
    one content is applied once is the inbox's promise, by SHA-256.
    """
    environment = deployment.environment
    try:
        with environment.from_union() as transport:
            files = [file for file in transport.list() if file.kind == "file"]
    except RenkeiError as error:
        yield dg.SkipReason(str(error))
        return
    days: dict[str, list[str]] = {}
    for file in files:
        recognised = recognise(environment.catalogue, file.name)
        day = date_of(recognised[1], environment.catalogue.versions(recognised[0])[-1].plan) if recognised else None
        partition = (day or dt.datetime.now(TOKYO).date()).isoformat()
        days.setdefault(partition, []).append(f"{file.name}|{file.size}|{file.modified}")
    known = set(BUSINESS_DAYS.get_partition_keys())
    for partition, listed in sorted(days.items()):
        if partition in known:
            key = sha256("\n".join(sorted(listed)).encode()).hexdigest()
            yield dg.RunRequest(run_key=f"daily_in|{partition}|{key}", partition_key=partition)
    if not days:
        yield dg.SkipReason("新しいファイルはありません")


def definitions(deployment: Deployment | None = None) -> dg.Definitions:
    """All definitions; tests pass a deployment of their own, the others take RENKEI_SETTINGS."""
    chosen = deployment or Deployment(settings_path=dg.EnvVar(ENVIRONMENT_KEY))
    return dg.Definitions(
        assets=[*eligibility.ASSETS, *linkage.ASSETS],
        jobs=[daily_out, daily_in],
        schedules=[daily_out_schedule],
        sensors=[arrival_sensor],
        resources={"deployment": chosen, "io_manager": StoreIOManager(deployment=chosen)},
        executor=dg.in_process_executor,
    )


def run_day(day: dt.date, only: str | None, confirm_loss: str | None) -> bool:
    """Run a day's jobs in this process, recorded in DAGSTER_HOME so that the UI shows them; False when one failed."""
    repository = definitions(Deployment(settings_path=os.environ[ENVIRONMENT_KEY])).get_repository_def()
    names = [name for name in ("daily_in", "daily_out") if only in (None, name.removeprefix("daily_"))]
    tags = {eligibility.CONFIRM_LOSS_TAG: confirm_loss} if confirm_loss else {}
    with dg.DagsterInstance.get() as instance:
        return all(
            repository.get_job(name)
            .execute_in_process(instance=instance, partition_key=day.isoformat(), tags=tags, raise_on_error=False)
            .success
            for name in names
        )


defs = definitions()
