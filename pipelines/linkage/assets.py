"""The daily receiving as Dagster assets: wiring only. What a step does is in `daily`, what it decides in `matching`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError
from pipelines import checks
from pipelines.descriptions import item_tables
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
RECEIPT_SCHEMA = {
    "entry": pl.Int64,
    "file_name": pl.String,
    "state": pl.String,
    "sha256": pl.String,
    "records": pl.Int64,
}


def _inbound(interface: str) -> dg.AssetsDefinition:
    """The asset of one inbound file: taken in, judged, applied, or quarantined and red."""

    @dg.multi_asset(
        name=interface,
        partitions_def=BUSINESS_DAYS,
        pool="sftp",
        outs={
            interface: dg.AssetOut(
                description=DESCRIPTIONS[interface],
                group_name="linkage",
                kinds={"sftp", "csv"},
                owners=OWNERS,
                is_required=False,
                metadata={"仕様": dg.MetadataValue.md(item_tables(interface))},
            )
        },
        deps=["eligibility_dispatch"],
        check_specs=[checks.file_check(interface, DESCRIPTIONS[interface].split(":")[0])],
    )
    def inbound(
        context: dg.AssetExecutionContext, deployment: Deployment
    ) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
        environment, day = deployment.environment, context.partition_time_window.start.date()
        try:
            daily.receive(environment, context.run_id)
            for entry in daily.waiting(environment):
                if entry.interface == interface:
                    daily.apply(environment, entry, daily.told(environment), context.run_id)
        except RenkeiError as error:
            raise checks.stop(error) from None
        entries = environment.ledger.entries(direction="inbound", interfaces={interface}, partition=day)
        if any(entry.state == "quarantined" for entry in entries):
            held = next(entry for entry in entries if entry.state == "quarantined")
            refusal = RenkeiError("KR-7306", name=held.file_name, entry=held.id)
            yield checks.failed(interface, refusal)
            raise checks.stop(refusal)
        if not any(entry.state == "applied" for entry in entries):
            context.log.info("この日のファイルはまだ届いていません")
            return
        rows = [(e.id, e.file_name, e.state, e.sha256, e.records) for e in entries]
        yield dg.AssetCheckResult(
            passed=True,
            asset_key=interface,
            check_name=f"{interface}_is_valid",
            metadata={"検査行数": sum(e.records or 0 for e in entries)},
        )
        yield dg.Output(pl.DataFrame(rows, schema=RECEIPT_SCHEMA, orient="row"), output_name=interface)

    return inbound


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
