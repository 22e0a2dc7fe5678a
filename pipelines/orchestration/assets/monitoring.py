"""The daily watch for overdue work, and the morning's 処理状況一覧, as Dagster assets. `outstanding`, `failed_runs` and `status`
find what they say."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError, message
from pipelines.configuration.calendar import previous_business_day
from pipelines.operations import status_report
from pipelines.operations.outstanding import outstanding
from pipelines.operations.status import actions
from pipelines.operations.status_facts import gather
from pipelines.orchestration import checks
from pipelines.orchestration.failed_runs import command, failed_runs
from pipelines.orchestration.records_at_a_glance import runs_of
from pipelines.orchestration.resources import Deployment

WATCH_JOB = "daily_watch"
LEFT = "KR-7704"
PAGE, MAILED = "処理状況一覧.html", "morning_mail_was_sent"


def outstanding_asset(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """期待と台帳を比べる。"""
    found = outstanding(deployment.environment, context.partition_time_window.start.date())
    counted = {
        f"{code} {title}": count for code, title, count in found.group_by("code", "title").len().sort("code").rows()
    }
    oldest = int(found["age"].max() or 0) if found.height else 0  # type: ignore[arg-type]
    yield checks.warning(
        "outstanding", "nothing_is_outstanding", found.is_empty(), {**counted, "最も古いものの営業日数": oldest}
    )
    failed = failed_runs(context.instance)
    again = {f"{job} {partition}": command(partition) for job, partition in failed}
    total = {f"{LEFT} {message(LEFT).title}": len(failed)}
    yield checks.warning("outstanding", "no_failed_partition_left", not failed, {**total, **again})
    yield dg.Output(found, output_name="outstanding")


def morning_report(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """処理状況一覧を担当者のフォルダに書き、今朝の分なら [alerts] の宛先にメールで送る。"""
    environment = deployment.environment
    settings, day = environment.settings, context.partition_time_window.start.date()
    with checks.failing_with_code():
        found = gather(settings, environment.clock, runs_of(settings))
        status_report.write_html(found, settings.clerks / PAGE)
    refusal = None
    if settings.alerts is not None and day == previous_business_day(found.at.date()):
        try:
            status_report.send_mail(settings, found)
        except RenkeiError as error:
            refusal = error
    yield checks.warning("morning_report", MAILED, refusal is None, {}, description=str(refusal or ""))
    yield dg.MaterializeResult(
        asset_key="morning_report",
        metadata={"次にすること": len(actions(found)), "分からないこと": len(found.unknown), "処理状況一覧": PAGE},
    )


def assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:  # type: ignore[type-arg]
    """The asset of the daily watch, by business day."""
    return [
        dg.multi_asset(
            name="outstanding",
            partitions_def=days,
            outs={
                "outstanding": dg.AssetOut(
                    description="その日の終わりに、送るはず・届くはずだったのにないもの（営業日の日数つき）",
                    group_name="watch",
                    kinds={"polars"},
                    owners=["team:運用担当"],
                )
            },
            check_specs=[
                checks.spec(
                    "outstanding", "nothing_is_outstanding", "送付・応答・受付・隔離・月次のどれも待たせていない", days
                ),
                checks.spec(
                    "outstanding",
                    "no_failed_partition_left",
                    "失敗したままの処理がない（最後の実行が失敗した日・月）",
                    days,
                ),
            ],
        )(outstanding_asset),
        dg.asset(
            name="morning_report",
            partitions_def=days,
            deps=["outstanding"],
            group_name="watch",
            owners=["team:運用担当"],
            description="朝の処理状況一覧（担当者のフォルダの HTML と、[alerts] の宛先へのメール。件数だけ）",
            check_specs=[checks.spec("morning_report", MAILED, "処理状況一覧のメールを送れた", days)],
        )(morning_report),
    ]
