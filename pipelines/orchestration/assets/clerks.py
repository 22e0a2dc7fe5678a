"""Importing the worksheets that clerks leave in their folder, as a Dagster asset: wiring only. See `continuity.drop_folder`."""

import logging
from collections.abc import Iterator

import dagster as dg

from pipelines.continuity import drop_folder
from pipelines.orchestration import checks
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say

ANSWERED = "answered_worksheets"


def answered_worksheets(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.MaterializeResult[None]]:
    """担当者の取込フォルダにある判定表を取り込み、結果を回答ファイルに書く。"""
    with checks.failing_with_code():
        answered = drop_folder.answer_all(deployment.environment)
    for one in answered:
        level = logging.INFO if one.taken else logging.WARNING
        say(context, f"判定表 {'取込' if one.taken else '取込できず（回答ファイルに理由）'} {one.lines[0]}", level)
    taken = sum(one.taken for one in answered)
    yield dg.MaterializeResult(
        asset_key=ANSWERED, metadata={"取り込んだ判定表": taken, "取り込めない判定表": len(answered) - taken}
    )


def assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:  # type: ignore[type-arg]
    """The asset of answered worksheets, by the business day on which the folder was looked at."""
    return [
        dg.asset(
            name=ANSWERED,
            partitions_def=days,
            group_name="continuity",
            kinds={"excel"},
            owners=["team:国保資格担当"],
            description="担当者が取込フォルダに置いた判定表の取込。判定は台帳に、結果は判定表の隣の回答ファイルに残る",
        )(answered_worksheets)
    ]
