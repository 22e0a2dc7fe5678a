"""The daily receiving as Dagster assets: wiring only. What a step does is in `daily`, what it decides in `matching`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from pipelines.linkage import daily
from pipelines.orchestration import checks, inbound
from pipelines.orchestration.resources import Deployment
from pipelines.transfer.baseline import people_sent

OWNERS = ["team:国保資格担当"]
DESCRIPTIONS = {
    "municipal_id_linkage": "市町村被保険者ID連携ファイル: 宛名番号に付いたID",
    "acquisition_loss_linkage": "国保資格取得喪失年月日連携ファイル: 都道府県単位の資格取得・喪失年月日",
    "verification_list": "確認リスト: 個人番号の相違・未設定",
    "reception_result": "受付結果: 送ったファイルの受付・却下",
}
STATE = "linkage_state"


def _table(description: str) -> dg.AssetOut:
    return dg.AssetOut(description=description, group_name="linkage", kinds={"polars", "parquet"}, owners=OWNERS)


def daily_files_of_the_union(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """届いたファイルを受け取って取り込み、連携の状態と問い合わせることを取り出す。"""
    environment, day = deployment.environment, context.partition_time_window.start.date()
    with checks.reported():
        arrivals = inbound.receive(context, environment, daily.INTERFACES)
        for applied in daily.apply_all(environment, people_sent(environment), context.run_id, day):
            counts = f"{applied.taken}件 保留{applied.aside}件 問い合わせ{applied.discrepancies}件"
            inbound.say_applied(context, environment, applied.entry, counts)
        for interface in daily.INTERFACES:
            yield inbound.checked(environment, interface, day, arrivals)
            receipts = inbound.receipts(environment, interface, day)
            if receipts is not None:
                yield dg.Output(receipts, output_name=interface)
        found = daily.discrepancies_on(environment, day)
        counted = dict(found["code"].value_counts().sort("code").iter_rows())
        yield dg.Output(daily.linkage_on(environment, day), output_name=STATE)
        yield dg.Output(found, output_name="linkage_discrepancies", metadata=counted)


def assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:  # type: ignore[type-arg]
    """The assets of the daily receiving, by business day, with their last check."""
    return [
        dg.multi_asset(
            name="daily_files_of_the_union",
            partitions_def=days,
            pool="sftp",
            deps=["eligibility_dispatch"],
            outs={
                **{name: inbound.out(name, DESCRIPTIONS[name], "linkage", OWNERS) for name in daily.INTERFACES},
                STATE: _table(
                    "その日の終わりに分かっていた連携の状態（宛名番号・ID・取得喪失・適用。氏名も個人番号も無い）"
                ),
                "linkage_discrepancies": _table(
                    "連合会に尋ねることの一覧（知らない宛名番号、日付の矛盾、IDの付け替え、確認リスト）"
                ),
            },
            check_specs=[inbound.check_spec(name, DESCRIPTIONS[name], days) for name in daily.INTERFACES],
        )(daily_files_of_the_union),
        inbound.quarantine_check(STATE, daily.INTERFACES, days),
    ]
