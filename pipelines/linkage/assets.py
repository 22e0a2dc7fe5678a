"""The daily receiving as Dagster assets: wiring only. What a step does is in `daily`, what it decides in `matching`."""

import dagster as dg
import polars as pl

from pipelines import arrival
from pipelines.environment import Environment
from pipelines.inbound import inbound_asset
from pipelines.known import people_sent
from pipelines.linkage import daily
from pipelines.partitions import BUSINESS_DAYS
from pipelines.resources import Deployment

OWNERS = ["team:国保資格担当"]
DESCRIPTIONS = {
    "municipal_id_linkage": "市町村被保険者ID連携ファイル: 宛名番号に付いたID",
    "acquisition_loss_linkage": "国保資格取得喪失年月日連携ファイル: 都道府県単位の資格取得・喪失年月日",
    "verification_list": "確認リスト: 個人番号の相違・未設定",
    "reception_result": "受付結果: 送ったファイルの受付・却下",
}


def _apply(environment: Environment, interface: str, run_id: str) -> None:
    for entry in arrival.waiting(environment, daily.INTERFACES):
        if entry.interface == interface:
            daily.apply(environment, entry, people_sent(environment), run_id)


def _receipts(environment: Environment, partition: str, receipts: pl.DataFrame) -> pl.DataFrame:
    return receipts


def _inbound(interface: str) -> dg.AssetsDefinition:
    description = DESCRIPTIONS[interface]
    return inbound_asset(
        interface, description, "linkage", OWNERS, BUSINESS_DAYS, _apply, _receipts, ["eligibility_dispatch"]
    )


@dg.asset(
    partitions_def=BUSINESS_DAYS,
    group_name="linkage",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    deps=list(daily.INTERFACES),
    description="その日の終わりに分かっていた連携の状態（宛名番号・ID・取得喪失・適用。氏名も個人番号も無い）",
)
def linkage_state(context: dg.AssetExecutionContext, deployment: Deployment) -> pl.DataFrame:
    """連携の状態をその日の時点で取り出す。"""
    return daily.linkage_on(deployment.environment, context.partition_time_window.start.date())


@dg.asset(
    partitions_def=BUSINESS_DAYS,
    group_name="linkage",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    deps=list(daily.INTERFACES),
    description="連合会に尋ねることの一覧（知らない宛名番号、日付の矛盾、IDの付け替え、確認リスト）",
)
def linkage_discrepancies(context: dg.AssetExecutionContext, deployment: Deployment) -> pl.DataFrame:
    """その日のファイルの不一致。"""
    found = daily.discrepancies_on(deployment.environment, context.partition_time_window.start.date())
    for code, count in found["code"].value_counts().sort("code").iter_rows():
        context.add_output_metadata({f"{code}": count})
    return found


ASSETS = [*(_inbound(interface) for interface in daily.INTERFACES), linkage_state, linkage_discrepancies]
