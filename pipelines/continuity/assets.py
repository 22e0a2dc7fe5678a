"""The monthly continuity as Dagster assets: wiring only. What a step does is in `monthly`, what it decides elsewhere."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError, message
from pipelines import checks
from pipelines.calendar import monthly_days
from pipelines.continuity import monthly
from pipelines.environment import Environment
from pipelines.inbound import inbound_asset
from pipelines.known import days_not_sent
from pipelines.partitions import MONTHS, days_of_month
from pipelines.resources import Deployment

OWNERS = ["team:国保給付担当"]
DESCRIPTIONS = {
    "continuity_candidates": "継続候補世帯リスト: 県内で異動した世帯の、前後の二つの世帯の人",
    "continuity_result": "継続世帯確定結果: 連合会が確定した継続",
    "high_cost_handover": "高額該当引継情報連携ファイル: 転出元で高額療養費に該当した月",
}
DISPATCHED = {"entry": pl.Int64, "file_name": pl.String, "state": pl.String}


def _apply(environment: Environment, interface: str, run_id: str) -> None:
    monthly.take(environment, run_id)


def _inbound(interface: str, deps: list[str | dg.AssetDep]) -> dg.AssetsDefinition:
    def records(environment: Environment, partition: str, receipts: pl.DataFrame) -> pl.DataFrame:
        return environment.store.read(interface, partition)

    return inbound_asset(interface, DESCRIPTIONS[interface], "continuity", OWNERS, MONTHS, _apply, records, deps)


@dg.multi_asset(
    name="continuity_worksheet",
    partitions_def=MONTHS,
    deps=["continuity_candidates", days_of_month("linkage_state")],
    outs={
        "continuity_worksheet": dg.AssetOut(
            description="継続候補の判定案と、担当者が書き込む判定表（Excel）・印刷用リスト",
            group_name="continuity",
            kinds={"excel", "polars"},
            owners=OWNERS,
            is_required=False,
        )
    },
    check_specs=[
        checks.month_check(
            "continuity_worksheet", "all_business_days_present", "月の全ての営業日の資格情報が送付されている"
        ),
        checks.month_check(
            "continuity_worksheet", "every_arrival_is_listed", "県内から転入した世帯が全て継続候補世帯リストにある"
        ),
    ],
)
def continuity_worksheet(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """候補ごとに継続・非継続・要確認を提案し、判定表を作る（seed 別添1 (3) 3-⑦）。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    missing = days_not_sent(environment, month, monthly_days(environment.catalogue, month).cut_off)
    absent: dict[str, str | int] = {"送付のない日": "、".join(map(str, missing)) or "なし"}
    yield checks.warning("continuity_worksheet", "all_business_days_present", not missing, absent)
    unlisted = monthly.unlisted(environment, month)
    told: dict[str, str | int] = {"リストにない世帯": unlisted.height, "対処": message("KR-8207").remedy}
    yield checks.warning("continuity_worksheet", "every_arrival_is_listed", unlisted.is_empty(), told)
    try:
        path, found = monthly.make_worksheet(environment, month)
    except RenkeiError as error:
        if error.code != "KR-7418":
            raise checks.stop(error) from None
        context.log.info("継続候補世帯リストはまだ届いていません")
        return
    counts = {f"{row['rule']} {row['title']}": row["count"] for row in monthly.as_table(found)}
    yield dg.Output(found, output_name="continuity_worksheet", metadata={"判定表": path.name, **counts})


@dg.multi_asset(
    name="continuity_instruction",
    partitions_def=MONTHS,
    pool="sftp",
    deps=["continuity_worksheet"],
    outs={
        "continuity_instruction": dg.AssetOut(
            description="継続世帯の確定指示: 承認された判定だけ。判定がそろうまで作られない",
            group_name="continuity",
            kinds={"sftp", "csv"},
            owners=OWNERS,
            is_required=False,
        )
    },
    check_specs=[
        checks.month_check(
            "continuity_instruction",
            "every_candidate_is_decided",
            "全ての候補に、二人の名前のある判定がある（待っている営業日数が分かる）",
        )
    ],
)
def continuity_instruction(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """承認された判定から確定指示を作って送る（seed 別添1 (4) 4-①②）。判定待ちは失敗ではなく、日数の見える状態。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    today = environment.clock().date()
    try:
        state = monthly.status(environment, month, today)
    except RenkeiError as error:
        raise checks.stop(error) from None
    ready = state.listed and not state.undecided
    waits: dict[str, str | int] = {
        "判定待ち": state.undecided,
        "待っている営業日数": state.waiting_days or 0,
        "保留": state.postponed,
        "期限": state.instruction_until.isoformat(),
    }
    yield checks.warning(
        "continuity_instruction",
        "every_candidate_is_decided",
        ready,
        waits,
        description=" ".join(state.lines()),
        late=today > state.instruction_until,
    )
    if not ready:
        return
    try:
        file, made = monthly.build_instruction(environment, month)
        outcome = monthly.send_instruction(environment, month, file, context.run_id)
    except RenkeiError as error:
        raise checks.stop(error) from None
    rows = [(entry.id, entry.file_name, entry.state) for entry in outcome.entries]
    yield dg.Output(
        pl.DataFrame(rows, schema=DISPATCHED, orient="row"),
        output_name="continuity_instruction",
        metadata={"結果": outcome.kind, "説明": outcome.message or "—", "指示件数": made.height},
    )


@dg.multi_asset(
    name="continuity_confirmed",
    partitions_def=MONTHS,
    deps=["continuity_instruction", "continuity_result", "high_cost_handover"],
    outs={
        name: dg.AssetOut(description=text, group_name="continuity", kinds={"polars", "parquet"}, owners=OWNERS)
        for name, text in (
            ("handover_taken", "回数に入れてよい引継の月（確定結果と合い、12か月の中にあるもの）"),
            ("households_gone", "県内のほかの市区町村で継続した、転出した世帯"),
            ("continuity_discrepancies", "指示・結果・引継の不一致と、連合会に尋ねること"),
        )
    },
    check_specs=[
        checks.month_check(
            "continuity_discrepancies",
            "instruction_result_and_handover_agree",
            "指示ごとに結果があり、結果ごとに指示があり、引継の月が窓の中にある",
        )
    ],
)
def continuity_confirmed(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """確定結果と引継を、指示と突き合わせる（seed 別添1 (4) 4-⑤⑥）。継続世帯確定リストも作る。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    try:
        known = monthly.confirm(environment, month)
    except RenkeiError as error:
        raise checks.stop(error) from None
    counted = dict(known.discrepancies["code"].value_counts().sort("code").iter_rows())
    questions = {f"{code} {message(code).title}": count for code, count in counted.items()}
    yield checks.warning(
        "continuity_discrepancies", "instruction_result_and_handover_agree", known.discrepancies.is_empty(), questions
    )
    yield dg.Output(known.taken, output_name="handover_taken")
    yield dg.Output(known.gone, output_name="households_gone")
    yield dg.Output(known.discrepancies, output_name="continuity_discrepancies")


CANDIDATE_ASSETS = [_inbound("continuity_candidates", [days_of_month("eligibility_dispatch")]), continuity_worksheet]
INSTRUCTION_ASSETS = [continuity_instruction]
RESULT_ASSETS = [
    _inbound("continuity_result", ["continuity_instruction"]),
    _inbound("high_cost_handover", ["continuity_instruction"]),
    continuity_confirmed,
]
