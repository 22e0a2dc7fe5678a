"""The daily sending as Dagster assets: wiring only. What a step does is in `daily`, what it decides in its own module."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError
from interfaces.words import state_in_words
from pipelines.eligibility import daily
from pipelines.eligibility.files import FILES, Violations
from pipelines.eligibility.intake import EXTRACTS, read_extracts
from pipelines.orchestration import checks, numbers
from pipelines.orchestration.assets.outside import INSURED_RECORDS, RESIDENT_RECORDS
from pipelines.orchestration.partitions import keys
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say
from pipelines.orchestration.specification_metadata import name_of
from pipelines.tables.eligibility import DailyDispatch

OWNERS = ["team:国保資格担当"]
# Run tag with the reason why too much at once is right (lost rows, bulk changes, other persons); the CLI sets it, the ledger
# keeps it.
CONFIRM_TAG = "renkei/confirm"


Asset = dg.AssetsDefinition
Days = dg.PartitionsDefinition  # type: ignore[type-arg]


def _out(description: str, group: str, *kinds: str) -> dg.AssetOut:
    return dg.AssetOut(
        description=description, group_name=group, kinds=set(kinds or ("polars", "parquet")), owners=OWNERS
    )


def _file(description: str, group: str) -> dg.AssetOut:
    """The asset of an interface file."""
    return _out(description, group, "csv", "polars")


def municipal_extracts(
    context: dg.AssetExecutionContext, deployment: Deployment
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """業務システムの三つの抽出を仕様で検証し、個人番号を分けて取り込む（評価書 別添1 1-①②）。"""
    environment, day = deployment.environment, context.partition_time_window.start.date()
    confirmed = context.run.tags.get(CONFIRM_TAG)
    try:
        daily.require_kept(environment, day)
        extracts = read_extracts(environment, day, confirmed)
    except RenkeiError as error:
        if (interface := error.values.get("interface")) in EXTRACTS:
            yield checks.failed(str(interface), error)
        raise checks.stop(error) from None
    for interface in EXTRACTS:
        found = checks.of_file(extracts.findings, [extracts.files[interface].name])
        yield checks.passed(interface, found, extracts.tables[interface].height)
    shown: dict[str, numbers.Shown] = {
        interface: numbers.of_file(file.version, [file.sha256]) for interface, file in extracts.files.items()
    }
    normalised = {"正規化した値": sum(extracts.normalised.values())}
    shown["extract_findings"] = {**normalised, **numbers.of_findings(extracts.findings)}
    for asset, table in daily.tables_of(extracts).items():
        yield dg.Output(table, output_name=asset, metadata=shown.get(asset))


def eligibility_snapshot(
    context: dg.AssetExecutionContext,
    deployment: Deployment,
    resident_extract: pl.DataFrame,
    insured_extract: pl.DataFrame,
    household_extract: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """抽出を、処理年月日の時点の資格情報の形に整える。"""
    return daily.snapshot_of(
        {
            "resident_extract": resident_extract,
            "insured_extract": insured_extract,
            "household_extract": household_extract,
        },
        context.partition_time_window.start.date(),
        deployment.environment.catalogue,
    )


def eligibility_files(
    context: dg.AssetExecutionContext,
    deployment: Deployment,
    people: pl.DataFrame,
    households: pl.DataFrame,
    my_numbers: pl.DataFrame,
    extract_findings: pl.DataFrame,
    extract_faults: pl.DataFrame,
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """異動を見つけ、世帯に広げ、誤りのある世帯を保留し、二つのファイルを作って読み返す（評価書 別添1 1-②）。"""
    environment, day = deployment.environment, context.partition_time_window.start.date()
    try:
        violations = Violations(extract_faults, extract_findings)
        confirm = context.run.tags.get(CONFIRM_TAG)
        built = daily.build_day(environment, day, people, households, my_numbers, violations, confirm)
    except RenkeiError as error:
        if error.code == "KR-7204":
            yield checks.counts_differ("eligibility_changes", error)
        else:
            for interface in FILES:
                yield checks.failed(interface, error)
        raise checks.stop(error) from None
    for line in daily.lines(built, day):
        say(context, line)
    written = {file.interface: file for file in built.files}
    for interface in FILES:
        file = written.get(interface)
        found = checks.of_file(built.findings, [file.file_name] if file else [])
        yield checks.passed(interface, found, file.records if file else 0)
    yield dg.AssetCheckResult(
        passed=built.counts["changed"] == built.counts["changed_sent"] + built.counts["changed_held"],
        asset_key="eligibility_changes",
        check_name="counts_add_up",
        metadata={
            "異動した人": built.counts["changed"],
            "送付した人": built.counts["changed_sent"],
            "要修正の人": built.counts["changed_held"],
        },
    )
    shown: dict[str, numbers.Shown] = {
        "eligibility_changes": numbers.of_changes(built.sent.people),
        "withheld_list": numbers.of_withheld(built.withheld),
        "build_findings": numbers.of_findings(built.findings),
    }
    for interface in FILES:
        version = environment.specification(interface, day).version
        shown[interface] = numbers.of_file(version, [written[interface].sha256] if interface in written else [])
    for asset, table in daily.tables_of_build(built).items():
        yield dg.Output(table, output_name=asset, metadata=shown.get(asset))


def eligibility_dispatch(
    context: dg.AssetExecutionContext,
    deployment: Deployment,
    eligibility_household: pl.DataFrame,
    eligibility_individual: pl.DataFrame,
) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
    """送付し、台帳の行（名前・状態）を残す。"""
    environment, day = deployment.environment, context.partition_time_window.start.date()
    files = {"eligibility_household": eligibility_household, "eligibility_individual": eligibility_individual}
    with checks.failing_with_code():
        outcome = daily.dispatch(environment, day, files, context.run_id)
    say(context, f"送付: {state_in_words(outcome.kind)} {outcome.message}".rstrip())
    waits = outcome.kind == "awaiting_approval"
    metadata = {"説明": outcome.message or "—", "実行するもの": f"renkei approve --date {day}" if waits else "—"}
    yield checks.warning("eligibility_dispatch", checks.NOTHING_AWAITS_APPROVAL, not waits, metadata)
    sent = DailyDispatch.of((entry.id, entry.interface, entry.file_name, entry.state) for entry in outcome.entries)
    yield dg.Output(sent, metadata={"結果": outcome.kind, "説明": outcome.message or "—"})


def assets(days: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:  # type: ignore[type-arg]
    """The assets of the daily sending, by business day."""
    return [_extracts_asset(days), _snapshot_asset(days), _files_asset(days), _dispatch_asset(days)]


def _extracts_asset(days: Days) -> Asset:
    outs = {
        "resident_extract": _file("住民記録・宛名抽出（個人番号を除いた正規の値）", "extracts"),
        "insured_extract": _file("国保資格抽出（正規の値）", "extracts"),
        "household_extract": _file("国保世帯抽出（正規の値）", "extracts"),
        "my_numbers": _out("個人番号の表。専用の鍵で暗号化し、資格情報(個人)を作るときだけ読む", "extracts", "parquet"),
        "extract_findings": _out("抽出の検証結果（値は伏せ字）", "extracts"),
        "extract_faults": _out("誤りのある行が指す宛名番号・国保世帯番号（送付を保留する）", "extracts"),
    }
    return dg.multi_asset(
        name="municipal_extracts",
        partitions_def=days,
        deps=[RESIDENT_RECORDS, INSURED_RECORDS],
        outs=outs,
        internal_asset_deps={
            "resident_extract": keys(RESIDENT_RECORDS),
            "insured_extract": keys(INSURED_RECORDS),
            "household_extract": keys(INSURED_RECORDS),
            "my_numbers": keys(RESIDENT_RECORDS),
            "extract_findings": keys(*EXTRACTS),
            "extract_faults": keys(*EXTRACTS, "extract_findings"),
        },
        check_specs=[checks.file_check(interface, name_of(interface), days) for interface in EXTRACTS],
    )(municipal_extracts)


def _snapshot_asset(days: Days) -> Asset:
    outs = {
        "people": _out("その日の被保険者・元被保険者・擬制世帯主（個人番号なし）", "eligibility"),
        "households": _out("その日の国保世帯", "eligibility"),
    }
    return dg.multi_asset(
        name="eligibility_snapshot",
        partitions_def=days,
        outs=outs,
        internal_asset_deps={
            "people": keys(*EXTRACTS),
            "households": keys("household_extract", "insured_extract"),
        },
    )(eligibility_snapshot)


def _files_asset(days: Days) -> Asset:
    outs = {
        "eligibility_changes": _out("前回送付からの異動と、同じ世帯の人", "eligibility"),
        "withheld_list": _out("要修正の一覧（送付を保留した人と世帯、コード）", "eligibility"),
        "build_findings": _out("送付ファイルの検証結果（値は伏せ字）", "eligibility"),
        "eligibility_household": _file(
            "資格情報(世帯)ファイル（保存するのは送付票: 名前・SHA-256・件数）", "eligibility"
        ),
        "eligibility_individual": _file(
            "資格情報(個人)ファイル（保存するのは送付票: 名前・SHA-256・件数）", "eligibility"
        ),
        "sent_people": _out(
            "送付が済むと連合会が知る人の状態（次の比較の基準。前回送った日のこの表と比べる）", "eligibility"
        ),
        "sent_households": _out(
            "送付が済むと連合会が知る世帯の状態（次の比較の基準。前回送った日のこの表と比べる）", "eligibility"
        ),
        "sent_my_numbers": _out("送付が済むと連合会が持つ個人番号。専用の鍵で暗号化", "eligibility", "parquet"),
    }
    return dg.multi_asset(
        name="eligibility_files",
        partitions_def=days,
        outs=outs,
        internal_asset_deps={
            "eligibility_changes": keys("people", "households", "my_numbers"),
            "withheld_list": keys("eligibility_changes", "extract_faults", "extract_findings"),
            "eligibility_household": keys("eligibility_changes", "households"),
            "eligibility_individual": keys("eligibility_changes", "my_numbers"),
            "build_findings": keys(*FILES),
            "sent_people": keys("people", "withheld_list"),
            "sent_households": keys("households", "withheld_list"),
            "sent_my_numbers": keys("my_numbers", "withheld_list"),
        },
        check_specs=[
            *(checks.file_check(interface, name_of(interface), days) for interface in FILES),
            checks.spec("eligibility_changes", "counts_add_up", "異動した人数 = 送付した人数 + 要修正の人数", days),
        ],
    )(eligibility_files)


def _dispatch_asset(days: Days) -> Asset:
    return dg.asset(
        partitions_def=days,
        group_name="eligibility",
        kinds={"sftp"},
        owners=OWNERS,
        pool="sftp",
        deps=["sent_people", "sent_households", "sent_my_numbers"],
        check_specs=[checks.approval_check("eligibility_dispatch", days)],
        description="連合会への送付（SFTP）と送付記録。同じ内容の再送は記録だけ残す（評価書 別添1 1-③、送付記録は part Ⅲ）",
    )(eligibility_dispatch)
