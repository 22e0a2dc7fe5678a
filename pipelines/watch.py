"""The daily look at what should be there and is not, as a Dagster asset. What that is, is told in `outstanding`, `reruns`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import message
from pipelines import checks
from pipelines.outstanding import outstanding
from pipelines.partitions import BUSINESS_DAYS
from pipelines.reruns import command, failed_runs
from pipelines.resources import Deployment

WATCH_JOB = "daily_watch"
LEFT = "KR-7704"


@dg.multi_asset(
    name="outstanding",
    partitions_def=BUSINESS_DAYS,
    outs={
        "outstanding": dg.AssetOut(
            description="その日の終わりに、送るはず・届くはずだったのにないもの（営業日の日数つき）",
            group_name="watch",
            kinds={"polars"},
            owners=["team:運用担当"],
        )
    },
    check_specs=[
        dg.AssetCheckSpec(
            name="nothing_is_outstanding",
            asset="outstanding",
            description="送付・応答・受付・隔離・月次のどれも待たせていない",
            partitions_def=BUSINESS_DAYS,
        ),
        dg.AssetCheckSpec(
            name="no_failed_partition_left",
            asset="outstanding",
            description="失敗したままの処理がない（最後の実行が失敗した日・月）",
            partitions_def=BUSINESS_DAYS,
        ),
    ],
)
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
