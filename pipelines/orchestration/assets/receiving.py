"""Receiving the files of the Union's folder as a Dagster asset: wiring only. The work is in `transfer.receiving`."""

import logging
from collections import Counter
from collections.abc import Iterator

import dagster as dg

from pipelines.operations.inbound_interfaces import INBOUND
from pipelines.orchestration import checks
from pipelines.orchestration.assets.outside import UNION_ELIGIBILITY
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say
from pipelines.transfer import receiving

RECEIVED = "received_files"
LEFT = "nothing_is_left_in_the_folder"


def received_files(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """連合会のフォルダにあるファイルを控えに納め、仕様で検証して、取込を待たせる。"""
    environment = deployment.environment
    files = []
    if not set(INBOUND) <= set(environment.settings.switched_off_interfaces):
        with checks.failing_with_code():
            files = receiving.receive(environment, INBOUND, context.run_id)
    for file in files:
        say(context, receiving.line(file), logging.WARNING if receiving.needs_person(file) else logging.INFO)
    if not files:
        say(context, "連合会のフォルダに、受け取るファイルはありません")
    left = [file.message for file in files if file.is_left or file.state == "vanished"]
    yield checks.warning(RECEIVED, LEFT, not left, {"残ったファイル": len(left)}, description="\n".join(left))
    yield dg.MaterializeResult(asset_key=RECEIVED, metadata=dict(Counter(str(file.state) for file in files)))


def assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:  # type: ignore[type-arg]
    """The asset of received files, by the business day on which the folder was listed."""
    return [
        dg.asset(
            name=RECEIVED,
            partitions_def=days,
            deps=[UNION_ELIGIBILITY],
            group_name="linkage",
            kinds={"sftp"},
            owners=["team:運用担当"],
            pool="sftp",
            description="連合会のフォルダを見て受け取ったファイル（控えと台帳に残る）。取込は、そのファイルの日・月の処理が行う",
            check_specs=[checks.spec(RECEIVED, LEFT, "連合会のフォルダに、受け取れないファイルが残っていない", days)],
        )(received_files)
    ]
