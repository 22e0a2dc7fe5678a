"""The monthly agreement as Dagster assets: wiring only. What is compared is in `agreement.comparison`."""

import logging
from collections.abc import Iterator

import dagster as dg
import polars as pl

from pipelines.agreement import comparison, lists, monthly
from pipelines.orchestration import checks, numbers
from pipelines.orchestration.partitions import Partitions, all_partitions_of, days_of_month, keys
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say

AGREES = "everybody_agrees"
_OF_THE_DAY = (*monthly.REGISTER, "eligibility_dispatch", "linkage_state")
_TOLD = ("sent_people", "sent_households", "sent_my_numbers")
OWNERS = ["team:国保資格担当"]


def _table(description: str) -> dg.AssetOut:
    return dg.AssetOut(description=description, group_name="agreement", kinds={"polars", "parquet"}, owners=OWNERS)


def agreement(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """締め日の全員を、送付した内容と連合会の決定と比べ、違う人を原因ごとに一覧にする。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    with checks.failing_with_code():
        found = monthly.disagreements(environment, month)
        totals = comparison.totals(found)
        earlier = {
            name: table
            for name, table in monthly.totals_by_month(environment, month).items()
            if name != month.isoformat()
        }
        paths = lists.write_lists(environment, month, found, {**earlier, month.isoformat(): totals})
    for row in totals.iter_rows(named=True):
        say(context, f"{row['code']} {row['title']}: {row['persons']}人、{row['households']}世帯")
    level = logging.WARNING if found.height else logging.INFO
    say(context, f"整合性確認 {month:%Y-%m}: 一致しないもの {found.height}件", level)
    for path in paths:
        say(context, str(path))
    yield checks.warning(monthly.DISAGREEMENTS, AGREES, found.is_empty(), {"一致しないもの": found.height})
    metadata = {"一致しないもの": found.height, **numbers.by_code(found["code"])}
    yield dg.Output(found, output_name=monthly.DISAGREEMENTS, metadata=metadata)
    yield dg.Output(totals, output_name=monthly.TOTALS)


def assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of the monthly agreement."""
    return [
        dg.multi_asset(
            name="agreement",
            partitions_def=partitions.months,
            deps=[
                *map(days_of_month, _OF_THE_DAY),
                *map(all_partitions_of, _TOLD),
            ],
            internal_asset_deps={
                monthly.DISAGREEMENTS: keys(*_OF_THE_DAY, *_TOLD),
                monthly.TOTALS: keys(monthly.DISAGREEMENTS),
            },
            outs={
                monthly.DISAGREEMENTS: _table("資格・送付・連合会の決定が一致しない人と、その原因（整合性確認一覧）"),
                monthly.TOTALS: _table("一致しない人と世帯の数（原因ごと。月々の推移を見る）"),
            },
            check_specs=[
                checks.spec(
                    monthly.DISAGREEMENTS, AGREES, "全員の資格・送付・連合会の決定が一致する", partitions.months
                )
            ],
        )(agreement)
    ]
