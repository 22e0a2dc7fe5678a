"""The daily look at what should be there and is not, as a Dagster asset. What that is, is told in `outstanding`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from pipelines import checks
from pipelines.outstanding import outstanding
from pipelines.partitions import BUSINESS_DAYS
from pipelines.resources import Deployment


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
        )
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
    yield dg.Output(found, output_name="outstanding")
