"""The monthly continuity as Dagster assets: wiring only. What a step does is in `monthly`, what it decides elsewhere."""

import datetime as dt
import logging
from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError, message
from interfaces.words import state_in_words
from pipelines.configuration.calendar import monthly_days
from pipelines.continuity import monthly, receiving
from pipelines.continuity.interfaces import CANDIDATES, INTERFACES, OWNERS
from pipelines.deployment import Environment
from pipelines.operations.inbound_interfaces import of_step
from pipelines.orchestration import checks, inbound, numbers
from pipelines.orchestration.assets.outside import UNION_CANDIDATES, UNION_CONTINUITY
from pipelines.orchestration.partitions import Partitions, all_partitions_of, days_of_month, keys
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say
from pipelines.tables.files import SentFiles
from pipelines.transfer.baseline import days_not_sent

RESULTS = of_step("results")
READ_OF_EVERY_DAY = ("received_files", "sent_people")
Yielded = Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]


def _received(
    context: dg.AssetExecutionContext, environment: Environment, partitions: Partitions, step: str
) -> Yielded:
    """Apply the month's waiting files: a check for each interface, and its records once there are some.

    The records are stored when they are yielded; only then is a file marked as applied.
    """
    month = _month(context)
    window, due = partitions.window(step, month), _due(environment, month, step)
    for interface, files in inbound.own_files(environment, partitions, step, month).items():
        after = receiving.with_waiting(environment, interface, month, files)
        if after.records is not None:
            taken = [file.file.entry for file in after.files if file.stale_because_of is None]
            shown = numbers.of_received(environment, interface, month, taken, due)
            yield dg.Output(after.records, output_name=interface, metadata=shown)
        for file, entry in zip(after.files, receiving.mark(environment, after.files, context.run_id), strict=True):
            inbound.say_applied(context, environment, entry, f"{file.applied_count}件 保留{file.rejected_count}件")
        yield inbound.checked(environment, interface, inbound.entries(environment, interface, window))


def _due(environment: Environment, month: dt.date, step: str) -> dt.date:
    """The day on which the Union delivers what a step applies."""
    days = monthly_days(environment.catalogue, month)
    return days.candidates_on if step == "candidates" else days.result_on


def _month(context: dg.AssetExecutionContext) -> dt.date:
    first: dt.date = context.partition_time_window.start.date()
    return first


def _worksheet(context: dg.AssetExecutionContext, deployment: Deployment, partitions: Partitions) -> Yielded:
    """候補リストを取り込み、候補ごとに継続・非継続・要確認を提案し、判定表を作る（評価書 別添1 (3) 3-⑦）。"""
    environment, month = deployment.environment, _month(context)
    with checks.failing_with_code():
        monthly.require_kept(environment, month)
        yield from _received(context, environment, partitions, "candidates")
        missing = days_not_sent(environment, month, monthly_days(environment.catalogue, month).cut_off)
        absent: dict[str, str | int] = {"送付のない日": "、".join(map(str, missing)) or "なし"}
        yield checks.warning("continuity_worksheet", "all_business_days_present", not missing, absent)
        unlisted = monthly.unlisted(environment, month)
        details: dict[str, str | int] = {"リストにない世帯": unlisted.height, "対処": message("KR-8207").remedy}
        yield checks.warning("continuity_worksheet", "every_arrival_is_listed", unlisted.is_empty(), details)
        inbound.require_nothing_quarantined(environment, of_step("candidates"), partitions.window("candidates", month))
        if not environment.store.exists(CANDIDATES, month.isoformat()):
            say(context, RenkeiError("KR-7418", month=f"{month:%Y-%m}").for_people(), logging.ERROR)
            return
        made = monthly.make_worksheet(environment, month)
        for line in made.lines():
            say(context, line)
    counts = {f"{row['rule']} {row['title']}": row["count"] for row in monthly.as_table(made.cases)}
    yield dg.Output(made.cases, output_name="continuity_worksheet", metadata={"判定表": made.path.name, **counts})


def continuity_instruction(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """承認された判定から確定指示を作って送る（評価書 別添1 (4) 4-①②）。判定待ちは失敗ではなく、日数の見える状態。"""
    environment, month = deployment.environment, context.partition_time_window.start.date()
    today = environment.clock().date()
    with checks.failing_with_code():
        state = monthly.status(environment, month, today)
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
        say(context, monthly.why_not_instructed(state).for_people(), logging.ERROR)
        return
    with checks.failing_with_code():
        file, made = monthly.build_instruction(environment, month)
        outcome = monthly.send_instruction(environment, month, file, context.run_id)
    say(context, f"確定指示 {made.height}件: {state_in_words(outcome.kind)} {outcome.message}".rstrip())
    rows = [(entry.id, entry.file_name, entry.state) for entry in outcome.entries]
    yield dg.Output(
        SentFiles.of(rows),
        output_name="continuity_instruction",
        metadata={
            "結果": outcome.kind,
            "説明": outcome.message or "—",
            "指示件数": made.height,
            **numbers.of_file(
                environment.specification(monthly.INSTRUCTION, month).version, [file.sha256] if file else []
            ),
        },
    )


def _confirmed(context: dg.AssetExecutionContext, deployment: Deployment, partitions: Partitions) -> Yielded:
    """確定結果と引継を取り込み、指示と突き合わせる（評価書 別添1 (4) 4-⑤⑥）。継続世帯確定リストも作る。"""
    environment, month = deployment.environment, _month(context)
    with checks.failing_with_code():
        monthly.require_kept(environment, month)
        yield from _received(context, environment, partitions, "results")
        reconciled = monthly.reconciled(environment, month)
        monthly.write_results_page(environment, month, reconciled.accepted_handovers)
    for row in reconciled.discrepancies.iter_rows(named=True):
        say(context, f"{row['code']} {row['title']} 候補 {row['candidate_number'] or '—'}: {row['question']}")
    say(context, f"引き継いだ月 {reconciled.accepted_handovers.height}件")
    counted = dict(reconciled.discrepancies["code"].value_counts().sort("code").iter_rows())
    questions = {f"{code} {message(code).title}": count for code, count in counted.items()}
    yield checks.warning(
        "continuity_discrepancies",
        "instruction_result_and_handover_agree",
        reconciled.discrepancies.is_empty(),
        questions,
    )
    yield dg.Output(reconciled.accepted_handovers, output_name="handover_taken")
    yield dg.Output(reconciled.gone, output_name="households_gone")
    yield dg.Output(reconciled.discrepancies, output_name="continuity_discrepancies")


def candidate_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of the candidates and their worksheet."""
    months = partitions.months

    def continuity_worksheet(context: dg.AssetExecutionContext, deployment: Deployment) -> Yielded:
        """候補ごとに継続・非継続・要確認を提案し、判定表を作る。"""
        yield from _worksheet(context, deployment, partitions)

    return [
        dg.multi_asset(
            name="continuity_worksheet",
            partitions_def=months,
            pool=inbound.POOL,
            deps=[
                UNION_CANDIDATES,
                all_partitions_of("received_files"),
                days_of_month("eligibility_dispatch"),
                days_of_month("linkage_state"),
                all_partitions_of("sent_people"),
            ],
            outs={
                CANDIDATES: inbound.out(INTERFACES[CANDIDATES]),
                "continuity_worksheet": dg.AssetOut(
                    description="継続候補の判定案と、担当者が書き込む判定表（Excel）・印刷用リスト",
                    group_name="continuity",
                    kinds={"excel", "polars"},
                    owners=OWNERS,
                    is_required=False,
                ),
            },
            internal_asset_deps={
                CANDIDATES: keys(UNION_CANDIDATES, "received_files"),
                "continuity_worksheet": keys(CANDIDATES, "eligibility_dispatch", "linkage_state", "sent_people"),
            },
            check_specs=[
                inbound.check_spec(INTERFACES[CANDIDATES], months),
                checks.spec(
                    "continuity_worksheet",
                    "all_business_days_present",
                    "月の全ての営業日の資格情報が送付されている",
                    months,
                ),
                checks.spec(
                    "continuity_worksheet",
                    "every_arrival_is_listed",
                    "県内から転入した世帯が全て継続候補世帯リストにある",
                    months,
                ),
            ],
        )(continuity_worksheet),
    ]


def instruction_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The asset of the 確定指示."""
    months = partitions.months
    return [
        dg.multi_asset(
            name="continuity_instruction",
            partitions_def=months,
            pool="sftp",
            deps=["continuity_worksheet", CANDIDATES, all_partitions_of("sent_people"), days_of_month("linkage_state")],
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
                checks.spec(
                    "continuity_instruction",
                    "every_candidate_is_decided",
                    "全ての候補に、二人の名前のある判定がある（待っている営業日数が分かる）",
                    months,
                )
            ],
        )(continuity_instruction),
    ]


def result_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    """The assets of the results and of the handovers that may count."""
    months = partitions.months

    def continuity_confirmed(context: dg.AssetExecutionContext, deployment: Deployment) -> Yielded:
        """確定結果と引継を取り込み、指示と突き合わせる。"""
        yield from _confirmed(context, deployment, partitions)

    return [
        dg.multi_asset(
            name="continuity_confirmed",
            partitions_def=months,
            pool=inbound.POOL,
            deps=[
                UNION_CONTINUITY,
                "continuity_instruction",
                all_partitions_of(CANDIDATES),
                *map(all_partitions_of, READ_OF_EVERY_DAY),
            ],
            internal_asset_deps={
                **dict.fromkeys(RESULTS, keys(UNION_CONTINUITY, "received_files")),
                "handover_taken": keys(*RESULTS, "continuity_instruction"),
                "households_gone": keys("continuity_result", CANDIDATES, "sent_people"),
                "continuity_discrepancies": keys(*RESULTS, "continuity_instruction"),
            },
            outs={
                **{name: inbound.out(INTERFACES[name]) for name in RESULTS},
                **{
                    name: dg.AssetOut(
                        description=text, group_name="continuity", kinds={"polars", "parquet"}, owners=OWNERS
                    )
                    for name, text in (
                        (
                            "handover_taken",
                            "回数に入れてよい引継の月（確定結果と合い、12か月の中にあるもの。前月までのこの表も読む）",
                        ),
                        ("households_gone", "県内のほかの市区町村で継続した、転出した世帯"),
                        (
                            "continuity_discrepancies",
                            "指示・結果・引継の不一致と、連合会への照会事項（前月までに照会したことも読む）",
                        ),
                    )
                },
            },
            check_specs=[
                *(inbound.check_spec(INTERFACES[name], months) for name in RESULTS),
                checks.spec(
                    "continuity_discrepancies",
                    "instruction_result_and_handover_agree",
                    "指示ごとに結果があり、結果ごとに指示があり、引継の月が窓の中にある",
                    months,
                ),
            ],
        )(continuity_confirmed),
        inbound.quarantine_check("continuity_discrepancies", RESULTS, partitions),
    ]
