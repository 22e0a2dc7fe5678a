"""The daily watch for overdue work, as a Dagster asset. `outstanding` and `failed_runs` find it."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import message
from pipelines.operations.outstanding import outstanding
from pipelines.orchestration import checks
from pipelines.orchestration.failed_runs import command, failed_runs
from pipelines.orchestration.resources import Deployment

WATCH_JOB = "daily_watch"
LEFT = "KR-7704"


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
    ]
