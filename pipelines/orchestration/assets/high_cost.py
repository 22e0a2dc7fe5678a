"""The monthly high-cost steps as Dagster assets: wiring only. What a step does is in `monthly`."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError
from pipelines.high_cost import monthly, sending
from pipelines.high_cost.questions import write_questions
from pipelines.orchestration import checks
from pipelines.orchestration.partitions import Partitions, all_partitions_of, days_of_month
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say
from pipelines.orchestration.specification_metadata import name_of
from pipelines.tables.high_cost import MonthlyDispatch, WithheldKeys

OWNERS = ["team:国保給付担当"]
WITHHELD = {monthly.BENEFITS: "withheld_benefits", monthly.TAXES: "tax_held"}  # what waits of each extract


def _file(description: str) -> dg.AssetOut:
    return dg.AssetOut(
        description=description,
        group_name="high_cost",
        kinds={"csv", "polars"},
        owners=OWNERS,
    )


def _table(description: str) -> dg.AssetOut:
    return dg.AssetOut(description=description, group_name="high_cost", kinds={"polars", "parquet"}, owners=OWNERS)


def monthly_extracts(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """締め日の給付抽出と税情報抽出を仕様で検証する。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    read: dict[str, monthly.Extract] = {}
    for interface in (monthly.BENEFITS, monthly.TAXES):
        try:
            read[interface] = monthly.read_extract(environment, interface, month)
        except RenkeiError as error:
            yield checks.failed(interface, error)
            raise checks.stop(error) from None
        yield checks.passed(interface, read[interface].findings, read[interface].records.height)
    for interface, extract in read.items():
        yield dg.Output(extract.records, output_name=interface)
        withheld = WithheldKeys.of((key,) for key in extract.withheld)
        yield dg.Output(withheld, output_name=WITHHELD[interface])


def monthly_files(
    context: dg.AssetExecutionContext,
    deployment: Deployment,
    benefit_extract: pl.DataFrame,
    tax_extract: pl.DataFrame,
    withheld_benefits: pl.DataFrame,
    tax_held: pl.DataFrame,
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """高額該当情報と世帯所得区分情報を作って読み返す。月の営業日が足りなければ、足りない日を言って止まる。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    nothing = pl.DataFrame()
    try:
        benefits = monthly.Extract(benefit_extract, withheld_benefits["key"], nothing)
        history = monthly.build_history(environment, month, benefits)
        classes = monthly.build_classes(environment, month, monthly.Extract(tax_extract, tax_held["key"], nothing))
        write_questions(environment, month, classes.asked)
    except RenkeiError as error:
        for interface in (sending.HISTORY, sending.INCOME):
            yield checks.failed(interface, error)
        raise checks.stop(error) from None
    for line in monthly.lines(environment, month, history, classes):
        say(context, line)
    for interface, rows in ((sending.HISTORY, history.rows), (sending.INCOME, classes.rows)):
        yield dg.AssetCheckResult(
            passed=True, asset_key=interface, check_name=f"{interface}_is_valid", metadata={"検査行数": rows.height}
        )
    yield dg.Output(
        sending.manifest(environment, month, history.file, history.snapshot), output_name="high_cost_history"
    )
    yield dg.Output(history.snapshot, output_name="known_high_cost_history")
    yield dg.Output(
        sending.manifest(environment, month, classes.file, classes.snapshot),
        output_name="income_class",
        metadata={"税情報のない人": classes.without_record, "所得区分を確かめる世帯": classes.asked.height},
    )
    yield dg.Output(classes.snapshot, output_name="known_income_class")


def monthly_dispatch(
    context: dg.AssetExecutionContext,
    deployment: Deployment,
    high_cost_history: pl.DataFrame,
    income_class: pl.DataFrame,
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """送付し、台帳の行を残す。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    rows: list[tuple[str, str, str, str]] = []
    for interface, manifest in ((sending.HISTORY, high_cost_history), (sending.INCOME, income_class)):
        with checks.failing_with_code():
            outcome = sending.send(environment, interface, month, manifest, context.run_id)
        say(context, f"送付 {outcome.kind} {outcome.message}".rstrip())
        rows += [(interface, outcome.kind, e.file_name, e.state) for e in outcome.entries] or [
            (interface, outcome.kind, "", "")
        ]
    waiting = [interface for interface, result, _, _ in rows if result == "awaiting_approval"]
    metadata = {
        "承認待ち": "・".join(waiting) or "—",
        "実行するもの": f"renkei approve --month {month:%Y-%m}" if waiting else "—",
    }
    yield checks.warning("monthly_dispatch", checks.NOTHING_AWAITS_APPROVAL, not waiting, metadata)
    results = {interface: result for interface, result, _, _ in rows}
    yield dg.Output(MonthlyDispatch.of(rows), metadata=results)


def high_cost_counts(
    context: dg.AssetExecutionContext, deployment: Deployment, benefit_extract: pl.DataFrame
) -> Iterator[dg.Output[pl.DataFrame]]:
    """自市町村の支給の月と引き継いだ月を合わせて数える（domain.md 3.3）。"""
    month = context.partition_time_window.start.date()
    with checks.failing_with_code():
        found, counted = monthly.count_month(deployment.environment, month, benefit_extract)
    multiple = found.filter(pl.col("is_multiple")).height
    say(context, f"回数のある世帯 {found.height}件、多数回該当 {multiple}件")
    yield dg.Output(found, output_name="high_cost_counts", metadata={"多数回該当の世帯": multiple})
    yield dg.Output(counted, output_name="high_cost_months")


def out_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of the monthly sending."""
    months = partitions.months
    return [
        dg.multi_asset(
            name="monthly_extracts",
            partitions_def=months,
            outs={
                "benefit_extract": _file("給付抽出: 高額療養費の支給の今の状態"),
                "tax_extract": _file("税情報抽出: 所得区分の判定に要る情報"),
                "withheld_benefits": _table("給付抽出の行に誤りがあり、連合会への情報を変えずに待つ世帯"),
                "tax_held": _table("税情報抽出の行に誤りがあり、所得区分を変えずに待つ人"),
            },
            check_specs=[
                checks.file_check(interface, name_of(interface), months)
                for interface in (monthly.BENEFITS, monthly.TAXES)
            ],
        )(monthly_extracts),
        dg.multi_asset(
            name="monthly_files",
            partitions_def=months,
            deps=[
                days_of_month("eligibility_dispatch"),
                all_partitions_of("sent_people"),
                all_partitions_of("handover_taken"),
            ],
            outs={
                "high_cost_history": _file("高額該当情報の送付票: 県内へ転出した世帯の月と、遅れた訂正"),
                "known_high_cost_history": _table(
                    "送付が済むと連合会が知る高額該当の月（次の比較の基準。前回送った月のこの表と比べる）"
                ),
                "income_class": _file("世帯所得区分情報ファイルの送付票: 8月は全世帯、ほかの月は変更"),
                "known_income_class": _table(
                    "送付が済むと連合会が知る所得区分（次の比較の基準。前回送った月のこの表と比べる）"
                ),
            },
            check_specs=[
                checks.file_check(interface, name_of(interface), months)
                for interface in (sending.HISTORY, sending.INCOME)
            ],
        )(monthly_files),
        dg.asset(
            partitions_def=months,
            group_name="high_cost",
            kinds={"sftp"},
            owners=OWNERS,
            pool="sftp",
            deps=["known_high_cost_history", "known_income_class"],
            description="月次ファイルの連合会への送付（SFTP）と送付記録",
            check_specs=[checks.approval_check("monthly_dispatch", months)],
        )(monthly_dispatch),
    ]


def count_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of the counts."""
    months = partitions.months
    return [
        dg.multi_asset(
            name="high_cost_counts",
            partitions_def=months,
            deps=[all_partitions_of("handover_taken"), all_partitions_of("households_gone")],
            outs={
                "high_cost_counts": _table("その診療年月の高額該当回数（直前11か月）と多数回該当"),
                "high_cost_months": _table("数えた月と、その出所（自市町村の支給か、どこから引き継いだか）"),
            },
        )(high_cost_counts),
    ]
