"""The daily applying of the Union's files as Dagster assets: wiring only. What a step does is in `daily`, what it decides in `matching`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from pipelines.exchange.ledger.states import EntryState
from pipelines.linkage import daily
from pipelines.linkage.interfaces import GROUP, INTERFACES, OWNERS
from pipelines.orchestration import checks, inbound, numbers
from pipelines.orchestration.partitions import Partitions, all_partitions_of, keys
from pipelines.orchestration.resources import Deployment
from pipelines.transfer.baseline import people_sent

STATE = "linkage_state"


def _table(description: str) -> dg.AssetOut:
    return dg.AssetOut(description=description, group_name=GROUP, kinds={"polars", "parquet"}, owners=OWNERS)


def assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of the daily applying, by business day, with their last check."""
    days = partitions.days

    def daily_files_of_the_union(
        context: dg.AssetExecutionContext, deployment: Deployment
    ) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
        """その日のファイルを取り込み、連携の状態と問い合わせることを取り出す。"""
        environment, day = deployment.environment, context.partition_time_window.start.date()
        window = partitions.window(None, day)
        with checks.failing_with_code():
            reported = people_sent(environment)
            for files in inbound.own_files(environment, partitions, None, day).values():
                for file in files:
                    applied = daily.apply(environment, file, reported, context.run_id)
                    counts = (
                        f"{applied.applied_count}件 保留{applied.rejected_count}件 問い合わせ{applied.discrepancies}件"
                    )
                    inbound.say_applied(context, environment, applied.entry, counts)
            for name in INTERFACES:
                entries = inbound.entries(environment, name, window)
                yield inbound.checked(environment, name, entries)
                if inbound.is_applied(entries):
                    taken = [entry for entry in entries if entry.state == EntryState.APPLIED]
                    shown = numbers.of_received(environment, name, day, taken, due=day)
                    yield dg.Output(inbound.receipts(entries), output_name=name, metadata=shown)
            found = daily.discrepancies_on(environment, day, window.after)
            counted = {"問い合わせること": found.height, **numbers.by_code(found["code"])}
            yield dg.Output(daily.linkage_on(environment, day), output_name=STATE)
            yield dg.Output(found, output_name="linkage_discrepancies", metadata=counted)

    return [
        dg.multi_asset(
            name="daily_files_of_the_union",
            partitions_def=days,
            pool=inbound.POOL,
            deps=["received_files", "eligibility_dispatch", all_partitions_of("sent_people")],
            outs={
                **{name: inbound.out(interface) for name, interface in INTERFACES.items()},
                STATE: _table(
                    "その日の終わりに分かっていた連携の状態（宛名番号・ID・取得喪失・適用。氏名も個人番号も無い）"
                ),
                "linkage_discrepancies": _table(
                    "連合会への照会事項の一覧（知らない宛名番号、日付の矛盾、IDの付け替え、確認リスト）"
                ),
            },
            internal_asset_deps={
                **dict.fromkeys(INTERFACES, keys("received_files")),
                "reception_result": keys("received_files", "eligibility_dispatch"),
                STATE: keys(*INTERFACES),
                "linkage_discrepancies": keys(*INTERFACES, "sent_people"),
            },
            check_specs=[inbound.check_spec(interface, days) for interface in INTERFACES.values()],
        )(daily_files_of_the_union),
        inbound.quarantine_check(STATE, list(INTERFACES), partitions),
    ]
