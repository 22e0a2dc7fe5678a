"""The command line `renkei`: the door for operators and clerks. Parses words, prints results; decides nothing."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import polars as pl

from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.lint import lint
from interfaces.messages import RenkeiError, explained, messages
from interfaces.naming import date_of, recognise
from interfaces.spec import Specification
from pipelines.calendar import TOKYO
from pipelines.settings import Settings
from pipelines.unexpected import is_disk_fault, outline

# Exit status: 0 done or valid, 1 findings of level file or record (or faults), 2 could not be done or judged.
FAULTS, NOT_DONE = 1, 2
Function = TypeVar("Function", bound=Callable[..., Any])

DATE = click.DateTime(formats=["%Y-%m-%d"])
MONTH_OPTION = click.option(
    "--month", "month", type=click.DateTime(formats=["%Y-%m"]), required=True, help="年月 YYYY-MM"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")


def speaks_to_people(command: Function) -> Function:
    """A RenkeiError becomes its sentence and remedy on standard error, and exit status 2; never a traceback.

    Of any other error only kind and place are told (KR-7701): its text may hold a row.
    """

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except RenkeiError as error:
            click.echo(error.for_people(), err=True)
            sys.exit(NOT_DONE)
        except click.ClickException:
            raise
        except Exception as error:
            if is_disk_fault(error):
                click.echo(RenkeiError("KR-6211", name="処理の結果").for_people(), err=True)
                sys.exit(NOT_DONE)
            click.echo(f"{RenkeiError('KR-7701').for_people()}\n{outline(error)}", err=True)
            sys.exit(NOT_DONE)

    return guarded  # type: ignore[return-value]


def _environment() -> Any:
    from pipelines.environment import Environment

    return Environment.open(Settings.load())


def _catalogue_root() -> Path:
    """The settings' catalogue when there are settings, else the embedded one: spec commands need no deployment."""
    try:
        return Settings.load().catalogue_folder or DEFAULT_ROOT
    except RenkeiError as error:
        if error.code == "KR-6001":
            return DEFAULT_ROOT
        raise


@click.group(help="国保連携: 市町村と国保連合会のファイル連携")
def main() -> None:
    """The root of all commands."""


@main.group(help="インタフェースの仕様")
def spec() -> None:
    """Commands on specifications."""


@spec.command("list", help="仕様の一覧（版・効力期間・方向）")
@AS_JSON
@speaks_to_people
def spec_list(as_json: bool) -> None:
    """One line per version of every interface."""
    catalogue = load_catalogue(_catalogue_root())
    plans = [s.plan for interface in catalogue.ids() for s in catalogue.versions(interface)]
    if as_json:
        click.echo(json.dumps([plan.model_dump(mode="json") for plan in plans], ensure_ascii=False, indent=2))
        return
    for plan in plans:
        end = plan.effective_to.isoformat() if plan.effective_to else "（期限なし）"
        click.echo(f"{plan.id:28}{plan.effective_from} 〜 {end}  {plan.status:9}{plan.direction:11}{plan.name}")


@spec.command("lint", help="仕様データに誤りがないことを確かめる")
@speaks_to_people
def spec_lint() -> None:
    """Print every fault; exit 1 when there is one."""
    from pipelines.tables import KEYS, lint_tables
    from schemas.normalise import NORMALISATIONS
    from schemas.rules import known_rules

    catalogue = load_catalogue(_catalogue_root())
    faults = lint(catalogue, known_rules(), frozenset(NORMALISATIONS)) + lint_tables(catalogue)
    for fault in faults:
        click.echo(str(fault))
    versions = sum(len(catalogue.versions(interface)) for interface in catalogue.ids())
    click.echo(f"{len(catalogue.ids())}インタフェース {versions}版、表{len(KEYS)}: 誤り{len(faults)}件")
    sys.exit(FAULTS if faults else 0)


@spec.command("show", help="ある日に効力のある仕様の項目表")
@click.argument("interface")
@click.option("--on", type=DATE, help="どの日のファイルの仕様か（既定: 今日）")
@AS_JSON
@speaks_to_people
def spec_show(interface: str, on: dt.datetime | None, as_json: bool) -> None:
    """The specification in force as a table, laid out like the printed document."""
    day = on.date() if on else dt.datetime.now(TOKYO).date()
    specification = load_catalogue(_catalogue_root()).in_force(interface, day)
    shown = _spec_json(specification)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    plan = specification.plan
    click.echo(
        f"{plan.name}（{plan.id} {specification.version} {plan.status}）\n{plan.description}\n出典: {plan.source}"
    )
    form = plan.format
    click.echo(f"ファイル名: {plan.file_name}  形式: {form.kind} {form.encoding} {form.line_end} 引用符 {form.quote}")
    for record in specification.records:
        click.echo(f"\n[{record.kind}] {'繰り返し' if record.occurrence == 'many' else '1件'}")
        for item in record.items:
            rules = "; ".join(map(str, item.rules))
            click.echo(
                f"{item.number:>3} {item.name}  {item.id}  {item.type.id} {item.length}バイト  {item.required}"
                f"  {item.code_table}  {rules}  [{item.sensitivity.id}]  {item.source}"
            )


def _spec_json(specification: Specification) -> dict[str, Any]:
    return {
        **specification.plan.model_dump(mode="json"),
        "version": specification.version,
        "records": [
            {
                "kind": record.kind,
                "occurrence": record.occurrence,
                "key": list(record.key),
                "items": [
                    {
                        "number": item.number,
                        "name": item.name,
                        "id": item.id,
                        "type": item.type.id,
                        "start": item.start,
                        "length": item.length,
                        "required": item.required,
                        "code_table": item.code_table,
                        "rules": [str(call) for call in item.rules],
                        "normalise": [str(call) for call in item.normalise],
                        "sensitivity": item.sensitivity.id,
                        "source": item.source,
                    }
                    for item in record.items
                ],
            }
            for record in specification.records
        ],
    }


@main.command("validate", help="ファイルを仕様で検証する（0 正しい、1 誤りあり、2 判定できない）")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--interface", help="インタフェースの id（既定: ファイル名から見つける）")
@click.option("--on", type=DATE, help="どの日のファイルか（既定: ファイル名の日付、なければ今日）")
@AS_JSON
@click.option("--xlsx", type=click.Path(path_type=Path), help="Excel の報告書を書く場所")
@speaks_to_people
def validate_command(
    file: Path, interface: str | None, on: dt.datetime | None, as_json: bool, xlsx: Path | None
) -> None:
    """Judge one file without a deployment."""
    from schemas.report import to_json, write_xlsx
    from schemas.validate import Context, validate

    catalogue = load_catalogue(_catalogue_root())
    recognised = recognise(catalogue, file.name)
    if interface is None and recognised is None:
        raise RenkeiError("KR-7302", name=file.name)
    chosen = interface or (recognised[0] if recognised else "")
    named = None
    if recognised and recognised[0] == chosen:
        named = date_of(recognised[1], catalogue.versions(chosen)[-1].plan)
    day = on.date() if on else named or dt.datetime.now(TOKYO).date()
    specification = catalogue.in_force(chosen, day)
    by_name = recognised is not None and recognised[0] == chosen
    context = Context(None, None, None, day if on or named else None, file.name if by_name else None)
    validated = validate(file, specification, day, context)
    if xlsx:
        write_xlsx(validated, xlsx)
    if as_json:
        click.echo(json.dumps(to_json(validated), ensure_ascii=False, indent=2))
    else:
        for message in validated.findings["message"].head(SHOWN):
            click.echo(message)
        rest = validated.findings.height - SHOWN
        if rest > 0:
            click.echo(f"… 他{rest}件（--xlsx で全ての集計を書けます）")
        verdict = "正しいファイルです" if validated.valid else "誤りがあります"
        click.echo(f"{specification.plan.name}（{specification.version}）{validated.records}件: {verdict}")
    sys.exit(0 if validated.valid else FAULTS)


SHOWN = 50  # a screenful; the workbook holds the rest


@main.group(help="処理の実行")
def run() -> None:
    """Commands that run a cycle."""


@run.command("daily", help="日次: 連合会から受け取り、資格情報を送る")
@click.option("--date", "date", type=DATE, required=True, help="処理年月日（営業日）")
@click.option("--only", type=click.Choice(["out", "in"]), help="送付だけ (out)、受領だけ (in)")
@click.option("--confirm-loss", help="抽出の大きな減少が正しい理由（台帳に残る）")
@click.option("--dagster", "through_dagster", is_flag=True, help="Dagster の画面に残る形で実行する")
@speaks_to_people
def run_daily(date: dt.datetime, only: str | None, confirm_loss: str | None, through_dagster: bool) -> None:
    """Receive, then send, for one day."""
    day = date.date()
    if through_dagster:
        from pipelines.definitions import run_day

        sys.exit(0 if run_day(day, only, confirm_loss) else NOT_DONE)
    environment = _environment()
    complete = only == "out" or _receive(environment)
    if only != "in":
        _send(environment, day, confirm_loss)
    sys.exit(0 if complete else FAULTS)


STEPS = ("out", "candidates", "instruction", "results")


@run.command("monthly", help="月次: out 高額該当情報と所得区分を送る、candidates 候補を受けて判定表を作る、"
             "instruction 確定指示を送る、results 確定結果と引継を受けて回数を数える")  # fmt: skip
@MONTH_OPTION
@click.option("--step", type=click.Choice(STEPS), required=True, help="月次のどの段階か")
@click.option("--dagster", "through_dagster", is_flag=True, help="Dagster の画面に残る形で実行する")
@speaks_to_people
def run_monthly(month: dt.datetime, step: str, through_dagster: bool) -> None:
    """One step of the monthly cycle."""
    first = month.date()
    if through_dagster:
        from pipelines.definitions import run_month

        sys.exit(0 if run_month(first, step) else NOT_DONE)
    environment = _environment()
    {"out": _monthly_out, "candidates": _candidates, "instruction": _instruction, "results": _results}[step](
        environment, first
    )


def _monthly_out(environment: Any, month: dt.date) -> None:
    from pipelines.high_cost import monthly

    history, classes, outcomes = monthly.out(environment, month)
    click.echo(f"高額該当情報 {history.rows.height}件、所得区分 {classes.rows.height}件")
    if classes.without_record:
        click.echo(f"税情報のない人 {classes.without_record}人（未申告として扱いました）")
    for outcome in outcomes:
        click.echo(f"送付 {outcome.kind} {outcome.message}".rstrip())


def _take_monthly(environment: Any) -> bool:
    from pipelines.continuity import monthly

    complete = _arrived(environment)
    for taken in monthly.take(environment):
        click.echo(f"取込 {taken.entry.file_name}: {taken.entry.state} {taken.taken}件 保留{taken.aside}件")
    return complete


def _candidates(environment: Any, month: dt.date) -> None:
    from pipelines.continuity import monthly

    complete = _take_monthly(environment)
    path, _ = monthly.make_worksheet(environment, month)
    click.echo(f"判定表 {path}")
    _print_status(environment, month)
    sys.exit(0 if complete else FAULTS)


def _instruction(environment: Any, month: dt.date) -> None:
    from pipelines.continuity import monthly

    file, made = monthly.build_instruction(environment, month)
    outcome = monthly.send_instruction(environment, month, file)
    click.echo(f"確定指示 {made.height}件: {outcome.kind} {outcome.message}".rstrip())


def _results(environment: Any, month: dt.date) -> None:
    from pipelines.continuity import monthly
    from pipelines.high_cost import monthly as high_cost

    complete = _take_monthly(environment)
    known = monthly.confirm(environment, month)
    for row in known.discrepancies.iter_rows(named=True):
        click.echo(f"{row['code']} {row['title']} 候補 {row['candidate_number'] or '—'}: {row['question']}")
    benefits = high_cost.read_extract(environment, high_cost.BENEFITS, month)
    counted, months = high_cost.count_month(environment, month, benefits.records)
    environment.store.write("high_cost_counts", month.isoformat(), counted)
    environment.store.write("high_cost_months", month.isoformat(), months)
    multiple = counted.filter(pl.col("is_multiple")).height
    click.echo(f"引き継いだ月 {known.taken.height}件、回数のある世帯 {counted.height}件、多数回該当 {multiple}件")
    sys.exit(0 if complete else FAULTS)


def _print_status(environment: Any, month: dt.date) -> None:
    from pipelines.continuity import monthly

    for line in monthly.status(environment, month, environment.clock().date()).lines():
        click.echo(line)


@main.group(help="世帯の継続性（月次）")
def continuity() -> None:
    """Commands for the clerk who judges continuity."""


@continuity.command("worksheet", help="判定表（Excel）と継続候補世帯リスト（印刷用）を作る")
@MONTH_OPTION
@click.option("--to", "path", type=click.Path(path_type=Path), help="判定表を書く場所（既定: 設定の clerk_folder）")
@speaks_to_people
def continuity_worksheet(month: dt.datetime, path: Path | None) -> None:
    """Write the month's worksheet."""
    from pipelines.continuity import monthly

    environment = _environment()
    written, found = monthly.make_worksheet(environment, month.date(), path)
    click.echo(f"判定表 {written}: 候補 {found.height}件")
    click.echo(f"印刷用 {monthly.list_path(environment, '継続候補世帯リスト', month.date())}")


@continuity.command("import", help="書き込んだ判定表を取り込む（全部か、なし）")
@click.argument("file", type=click.Path(path_type=Path))
@speaks_to_people
def continuity_import(file: Path) -> None:
    """Take the decisions, or print everything that must be mended and exit 1."""
    from pipelines.continuity import monthly

    environment = _environment()
    taken = monthly.import_worksheet(environment, file)
    if taken.problems:
        for problem in taken.problems[:SHOWN]:
            click.echo(str(problem), err=True)
        click.echo(RenkeiError("KR-7416", count=len(taken.problems)).for_people(), err=True)
        sys.exit(FAULTS)
    click.echo(
        f"{taken.month:%Y-%m} の判定 新しく{taken.new}件"
        if taken.new
        else "この判定は取り込み済みです。何も変わっていません"
    )
    _print_status(environment, taken.month)


@continuity.command("status", help="月の継続判定がどこまで進んだか")
@MONTH_OPTION
@AS_JSON
@speaks_to_people
def continuity_status(month: dt.datetime, as_json: bool) -> None:
    """Where the month stands."""
    from pipelines.continuity import monthly

    environment = _environment()
    if as_json:
        found = monthly.status(environment, month.date(), environment.clock().date())
        click.echo(json.dumps(vars(found), ensure_ascii=False, indent=2, default=str))
        return
    _print_status(environment, month.date())


INTERFACE = click.argument(
    "interface", type=click.Choice(["continuity_candidates", "continuity_result", "high_cost_handover"])
)


@continuity.command("form", help="画面から書き写すための空の入力票（Excel）を作る")
@INTERFACE
@MONTH_OPTION
@click.option("--to", "path", type=click.Path(path_type=Path), required=True, help="入力票を書く場所")
@speaks_to_people
def continuity_form(interface: str, month: dt.datetime, path: Path) -> None:
    """An empty form for an interface that is switched off."""
    from pipelines import typed

    typed.write_form(_environment(), interface, month.date(), path)
    click.echo(f"入力票 {path}")


@continuity.command("typed", help="書き写した入力票を、届いたファイルと同じように取り込む")
@INTERFACE
@click.argument("file", type=click.Path(path_type=Path))
@MONTH_OPTION
@click.option("--by", help="書き写した人（既定: 設定の operator）")
@speaks_to_people
def continuity_typed(interface: str, file: Path, month: dt.datetime, by: str | None) -> None:
    """Take a typed form."""
    from pipelines import typed
    from pipelines.continuity import monthly

    environment = _environment()
    for one in typed.enter(environment, interface, month.date(), file, by or environment.settings.operator):
        click.echo(f"入力 {one.name}: {one.state} {one.message}".rstrip())
    for taken in monthly.take(environment):
        click.echo(f"取込 {taken.entry.file_name}: {taken.entry.state} {taken.taken}件")


@main.group("high-cost", help="高額該当回数と限度額")
def high_cost_group() -> None:
    """Commands on counts and limits."""


@high_cost_group.command("count", help="ある世帯の、ある診療年月の回数と、その元になった月")
@MONTH_OPTION
@click.option("--household", required=True, help="国保世帯番号")
@AS_JSON
@speaks_to_people
def high_cost_count(month: dt.datetime, household: str, as_json: bool) -> None:
    """The count of one household, with the source of every month."""
    from pipelines.high_cost.counts import MULTIPLE_FROM
    from pipelines.high_cost.monthly import explain

    found = explain(_environment(), month.date(), household)
    multiple = len(found) >= MULTIPLE_FROM
    if as_json:
        months = [{"treatment_month": f"{day:%Y-%m}", "sources": sources} for day, sources in found]
        click.echo(json.dumps({"count": len(found), "is_multiple": multiple, "months": months}, indent=2))
        return
    drop = "多数回該当（限度額が下がります）" if multiple else "多数回該当ではありません"
    click.echo(f"{month:%Y-%m} 直前11か月の該当 {len(found)}回: {drop}")
    for day, sources in found:
        click.echo(f"  {day:%Y-%m}  {'、'.join('当市町村の支給' if s == 'own' else f'引継 {s}' for s in sources)}")


@high_cost_group.command("list", help="ある診療年月に回数のある世帯（引き継いだ月のある世帯だけ: --carried）")
@MONTH_OPTION
@click.option("--carried", is_flag=True, help="引き継いだ月のある世帯だけ")
@AS_JSON
@speaks_to_people
def high_cost_list(month: dt.datetime, carried: bool, as_json: bool) -> None:
    """The counts of a month, most first."""
    from pipelines.high_cost.monthly import counted_households

    found = counted_households(_environment(), month.date())
    if carried:
        found = found.filter(pl.col("handed_over") > 0)
    if as_json:
        click.echo(json.dumps(found.to_dicts(), ensure_ascii=False, indent=2, default=str))
        return
    for row in found.iter_rows(named=True):
        drop = "多数回該当" if row["is_multiple"] else ""
        click.echo(f"{row['household_number']}  {row['count']}回（うち引継 {row['handed_over']}）  {drop}".rstrip())
    click.echo(f"{month:%Y-%m}: {found.height}世帯")


@high_cost_group.command("limit", help="診療年月の自己負担限度額（世帯）")
@MONTH_OPTION
@click.option("--class", "income_class", required=True, help="所得区分（ア・イ・ウ・エ・オ、現役並みⅢ・…・低所得Ⅰ）")
@click.option("--cost", type=int, required=True, help="医療費総額（円）")
@click.option("--multiple", is_flag=True, help="多数回該当（4回目以降）")
@click.option("--moved-on", type=DATE, help="継続する世帯の県内転居の日（その月は半分。1日付けを除く）")
@speaks_to_people
def high_cost_limit(
    month: dt.datetime, income_class: str, cost: int, multiple: bool, moved_on: dt.datetime | None
) -> None:
    """One limit, by the table of its month."""
    from pipelines.high_cost import limits

    first, catalogue = month.date(), load_catalogue(_catalogue_root())
    table = limits.limit_table(catalogue, first)
    named = {
        c.name: (group, c.meaning) for group in limits.AGE_GROUPS for c in limits.class_codes(catalogue, group, first)
    }
    if income_class not in named:
        raise RenkeiError("KR-7501", month=f"{first:%Y-%m}", income_class=income_class)
    group, meaning = named[income_class]
    case = pl.DataFrame({"treatment_month": [first], "age_group": [group], "income_class": [meaning], "total_cost": [cost],
                         "is_multiple": [multiple], "moved_on": [moved_on.date() if moved_on else None]},
                        schema_overrides={"moved_on": pl.Date})  # fmt: skip
    case = case.with_columns(limits.is_halved(pl.col("moved_on"), pl.col("treatment_month")).alias("halved"))
    click.echo(f"{limits.limits(case, table)['limit'][0]:,}円")


def _receive(environment: Any) -> bool:
    """Take in and apply what is there; whether everything came (see `_arrived`)."""
    from pipelines.known import people_sent
    from pipelines.linkage import daily

    complete = _arrived(environment)
    for applied in daily.apply_all(environment, people_sent(environment)):
        click.echo(
            f"取込 {applied.entry.file_name}: {applied.entry.state} {applied.taken}件"
            f" 保留{applied.aside}件 問い合わせ{applied.discrepancies}件"
        )
    return complete


def _arrived(environment: Any) -> bool:
    """Take in what is there; False when a file was left at the Union's for a reason that a person must see to."""
    from pipelines import arrival

    arrivals = arrival.receive(environment)
    for one in arrivals:
        click.echo(f"受領 {one.name}: {one.state} {one.message}".rstrip())
    return not any(one.state == "refused" and messages()[str(one.code)].level == "stop" for one in arrivals)


def _send(environment: Any, day: dt.date, confirm_loss: str | None) -> None:
    from pipelines.eligibility import daily

    built, outcome = daily.run_out(environment, day, confirm_loss)
    for file in built.files:
        click.echo(f"作成 {file.file_name}: {file.records}件 SHA-256 {file.sha256[:12]}")
    counts = built.counts
    click.echo(f"異動 {counts['changed']}人 = 送付 {counts['changed_sent']}人 + 要修正 {counts['changed_held']}人")
    click.echo(f"送付 {outcome.kind} {outcome.message}".rstrip())


BY = click.option("--by", help="操作者（既定: 設定の operator）")
REASON = click.option("--reason", required=True, help="理由（台帳に残る）")


@main.group(help="送付・受領の台帳")
def ledger() -> None:
    """Commands on the ledger."""


@ledger.command("list", help="台帳の一覧")
@AS_JSON
@speaks_to_people
def ledger_list(as_json: bool) -> None:
    """Every file that left or arrived, with its state."""
    entries = _environment().ledger.entries()
    if as_json:
        rows = [vars(entry) for entry in entries]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    for e in entries:
        way = "送付" if e.direction == "outbound" else "受領"
        count = "—" if e.records is None else f"{e.records}件"
        click.echo(f"{e.id:>5} {way} {e.partition or '—'} {e.state:12}{e.file_name}  {count}  {(e.sha256 or '')[:12]}")


@main.command("rerun", help="失敗したままのパーティションを、入力から読み直して再実行する（Dagster の記録から探す）")
@click.option("--failed", is_flag=True, required=True, help="最後の実行が失敗したもの")
@click.option("--from", "first", type=DATE, help="この日・この月から")
@click.option("--to", "last", type=DATE, help="この日・この月まで")
@click.option("--dry-run", is_flag=True, help="何を再実行するかだけを示す")
@speaks_to_people
def rerun(failed: bool, first: dt.datetime | None, last: dt.datetime | None, dry_run: bool) -> None:
    """Say what will be touched, then do it, oldest first; exit 1 when one fails again."""
    from pipelines import definitions

    found = definitions.failed_runs(first.date() if first else None, last.date() if last else None)
    for job, partition in found:
        click.echo(f"再実行 {job} {partition}")
    if not found:
        click.echo("失敗したままのパーティションはありません")
    if dry_run or not found:
        return
    again = [(job, partition) for job, partition in found if not definitions.rerun(job, partition)]
    for job, partition in again:
        click.echo(f"また失敗しました {job} {partition}（Dagster の画面で検査の対処を見てください）", err=True)
    click.echo(f"{len(found)}件のうち成功 {len(found) - len(again)}件")
    sys.exit(FAULTS if again else 0)


RUNBOOK = """# 手引 — KR コードごとに、何が起き、どうなり、何をするか

`renkei explain --all` の出力。元は `interfaces/catalogue/messages/`。
"""


@main.command("explain", help="KR コードの意味と対処（--all で全部を Markdown で）")
@click.argument("code", required=False)
@click.option("--all", "everything", is_flag=True, help="全てのコード（docs/runbook.md の中身）")
@speaks_to_people
def explain(code: str | None, everything: bool) -> None:
    """What a code means and what to do about it."""
    known = messages()
    if everything:
        click.echo("\n".join([RUNBOOK, *(explained(known[one]) for one in sorted(known))]), nl=False)
        return
    if code not in known:
        raise RenkeiError("KR-7110", asked=code or "（指定なし）")
    click.echo(explained(known[code]), nl=False)


@main.command("expected", help="届くはず・送るはずのもので、まだないもの（0 なし、1 あり）")
@click.option("--on", type=DATE, help="どの日の終わりで見るか（既定: きのう）")
@AS_JSON
@speaks_to_people
def expected(on: dt.datetime | None, as_json: bool) -> None:
    """What is due and not there, with its age."""
    from pipelines.outstanding import outstanding

    environment = _environment()
    day = on.date() if on else environment.clock().date() - dt.timedelta(days=1)
    found = outstanding(environment, day)
    if as_json:
        click.echo(json.dumps(found.to_dicts(), ensure_ascii=False, indent=2, default=str))
    else:
        for row in found.iter_rows(named=True):
            click.echo(
                f"{row['code']} {row['title']} {row['partition']} {row['subject']}（{row['age']}営業日）→ {row['remedy']}"
            )
        click.echo(f"{day} の終わりにないもの {found.height}件")
    sys.exit(FAULTS if found.height else 0)


@main.group(help="監査: 台帳・ファイル・判定の照合と、月の報告")
def audit() -> None:
    """Commands for the auditor."""


@audit.command("verify", help="台帳の鎖、保管したファイル、継続の判定が、記録のとおりか確かめる（0 一致、1 不一致）")
@speaks_to_people
def audit_verify() -> None:
    """Print every fault; exit 1 when there is one."""
    from pipelines.audit.verification import verify

    found = verify(_environment())
    for fault in found.faults:
        click.echo(str(fault))
    click.echo(
        f"記録 {found.events}行、ファイル {found.files}件、判定 {found.decisions}件: 不一致 {len(found.faults)}件"
    )
    sys.exit(FAULTS if found.faults else 0)


@audit.command("report", help="月の監査報告（送付・受領・承認・判定・媒体・鍵・消去・手作業・時間外）を作る")
@MONTH_OPTION
@click.option("--to", "path", type=click.Path(path_type=Path), required=True, help="報告書を書く場所（.xlsx か .html）")
@speaks_to_people
def audit_report(month: dt.datetime, path: Path) -> None:
    """Write the month's report, as its name's ending says."""
    from pipelines.audit.report import report, write_html, write_report

    if path.suffix not in (".xlsx", ".html"):
        raise RenkeiError("KR-6404", name=path.name)
    tables = report(_environment(), month.date())
    (write_html if path.suffix == ".html" else write_report)(tables, month.date(), path)
    click.echo("、".join(f"{name} {table.height}件" for name, table in tables.items()))


@ledger.command(
    "recall", help="送付した日を、連合会と打ち合わせて取り下げる（訂正再送。次の送付は次のファイル番号になる）"
)
@click.option("--date", "date", type=DATE, required=True, help="処理年月日")
@BY
@REASON
@speaks_to_people
def ledger_recall(date: dt.datetime, by: str | None, reason: str) -> None:
    """Take a day back, so that it can be sent corrected."""
    from pipelines.eligibility.files import FILES
    from pipelines.exchange.outbox import recall

    environment = _environment()
    for entry in recall(environment.ledger, date.date(), FILES, by or environment.settings.operator, reason):
        click.echo(f"{entry.id} {entry.file_name}: {entry.state}")
    click.echo(f"元のデータを直してから実行してください: renkei run daily --date {date:%Y-%m-%d} --only out")


@ledger.command("mark-sent", help="その日の二つのファイルを、ほかの手段（媒体など）で送ったと記録する")
@click.option("--date", "date", type=DATE, required=True, help="処理年月日")
@BY
@REASON
@speaks_to_people
def ledger_mark_sent(date: dt.datetime, by: str | None, reason: str) -> None:
    """Sent by other means: both files of a day, or none."""
    from pipelines.eligibility.daily import mark_day_sent

    environment = _environment()
    for entry in mark_day_sent(environment, date.date(), by or environment.settings.operator, reason):
        click.echo(f"{entry.id} {entry.file_name}: {entry.state}")


@main.command(
    "approve", help="大量・初回の送付を、作成した人とは別の人が承認する（--by がなければ待っているものを示す）"
)
@click.option("--date", "date", type=DATE, help="処理年月日")
@click.option("--month", "month", type=click.DateTime(formats=["%Y-%m"]), help="月次のファイルなら年月 YYYY-MM")
@click.option("--by", help="承認する人")
@click.option("--sha256", "hashes", multiple=True, help="承認するファイルのハッシュ値（先頭12桁以上、ファイルごとに）")
@speaks_to_people
def approve_command(
    date: dt.datetime | None, month: dt.datetime | None, by: str | None, hashes: tuple[str, ...]
) -> None:
    """Show what waits, or approve exactly what was seen."""
    from pipelines.exchange.approval import approve, awaiting

    if (date is None) == (month is None):
        raise click.UsageError("--date か --month のどちらか一つを書いてください")
    ledger, partition = _environment().ledger, (date or month).date()  # type: ignore[union-attr]  # one of them is there
    if by is not None:
        for entry in approve(ledger, partition, hashes, by):
            click.echo(f"{entry.id} {entry.file_name}: {entry.state}")
        again = f"monthly --month {partition:%Y-%m} --step out" if month else f"daily --date {partition} --only out"
        click.echo(f"続けて実行してください: renkei run {again}")
        return
    waiting = awaiting(ledger, partition)
    for entry in waiting:
        click.echo(f"{entry.id} {entry.file_name} {entry.records}件 SHA-256 {entry.sha256}")
    click.echo(f"{partition} の承認待ち {len(waiting)}ファイル")


@main.group(help="鍵（封・署名、控え、個人番号）")
def keys() -> None:
    """Commands on our key pairs."""


@keys.command("init", help="まだない鍵を作る。連合会に渡す証明書の場所も示す")
@speaks_to_people
def keys_init() -> None:
    """Make what is missing; what is there stays."""
    from pipelines.keys import init

    environment = _environment()
    for pair in init(environment):
        click.echo(f"作成 {pair.name} 証明書の SHA-256 {pair.fingerprint}")
    transfer = environment.keys.current("transfer")
    click.echo(f"連合会に渡す証明書: {environment.keys.folder / f'{transfer.name}.cert.pem'}")


@keys.command("list", help="鍵の一覧（用途・世代・期限・証明書の SHA-256）")
@AS_JSON
@speaks_to_people
def keys_list(as_json: bool) -> None:
    """Every generation of every purpose."""
    from pipelines.keys import listed

    found = listed(_environment())
    if as_json:
        click.echo(json.dumps(found.to_dicts(), ensure_ascii=False, indent=2, default=str))
        return
    for row in found.iter_rows(named=True):
        state = "使用中" if row["current"] else "旧" if row["private_key"] else "廃棄済み"
        click.echo(f"{row['key']:14}{state:6}{row['valid_until']} まで  SHA-256 {row['certificate_sha256']}")


@keys.command("rotate", help="新しい世代の鍵を作り、読めなければならないものを新しい鍵で閉じ直す")
@click.argument("purpose", type=click.Choice(["transfer", "records", "my_number"]))
@BY
@REASON
@speaks_to_people
def keys_rotate(purpose: Any, by: str | None, reason: str) -> None:
    """A new generation; the old one stays until it is retired."""
    from pipelines.keys import rotate

    environment = _environment()
    pair, closed = rotate(environment, purpose, by or environment.settings.operator, reason)
    click.echo(f"作成 {pair.name} 証明書の SHA-256 {pair.fingerprint}\n閉じ直したもの {closed}件")


@keys.command("retire", help="もう何も閉じていない旧世代の秘密鍵を廃棄する")
@click.argument("key")
@BY
@REASON
@speaks_to_people
def keys_retire(key: str, by: str | None, reason: str) -> None:
    """Destroy an old private key, once nothing needs it."""
    from pipelines.keys import retire

    environment = _environment()
    retire(environment, key, by or environment.settings.operator, reason)
    click.echo(f"廃棄 {key}")


@main.group(help="電子記録媒体での受け渡しと媒体管理簿")
def media() -> None:
    """Commands on media."""


MEDIUM = click.argument("medium", type=click.Path(path_type=Path, exists=True, file_okay=False))


@media.command("export", help="その日のファイルを、封をして空の媒体に書き出す（先に renkei approve が要る）")
@MEDIUM
@click.option("--date", "date", type=DATE, required=True, help="処理年月日")
@BY
@REASON
@speaks_to_people
def media_export(medium: Path, date: dt.datetime, by: str | None, reason: str) -> None:
    """Write and compare; the sending itself is recorded when the medium is handed over."""
    from pipelines.media import export_day

    environment = _environment()
    for file in export_day(environment, date.date(), medium, by or environment.settings.operator, reason):
        click.echo(f"書き出し {file.name} SHA-256 {file.sha256}")
    click.echo(
        f"連合会に渡したら: renkei ledger mark-sent --date {date:%Y-%m-%d} --reason 媒体\n終わったら: renkei media erase"
    )


@media.command("import", help="媒体のファイルを、届いたファイルと同じように取り込む（取り込んだものは媒体から消す）")
@MEDIUM
@BY
@REASON
@speaks_to_people
def media_import(medium: Path, by: str | None, reason: str) -> None:
    """Take in what a medium holds."""
    from pipelines.media import take

    environment = _environment()
    for one in take(environment, medium, by or environment.settings.operator, reason):
        click.echo(f"受領 {one.name}: {one.state} {one.message}".rstrip())


@media.command("erase", help="仕事の終わった媒体を消去し、消えたことを確かめて記録する")
@MEDIUM
@BY
@REASON
@speaks_to_people
def media_erase(medium: Path, by: str | None, reason: str) -> None:
    """Erase with a proof."""
    from pipelines.media import erase

    environment = _environment()
    erased = erase(environment, medium, by or environment.settings.operator, reason)
    for one in erased:
        click.echo(f"消去 {one.name} {one.size}バイト SHA-256 {one.sha256}")
    click.echo(f"消去 {len(erased)}件。媒体には管理番号だけがあります")


@media.command("list", help="媒体管理簿")
@AS_JSON
@speaks_to_people
def media_list(as_json: bool) -> None:
    """Every use of a medium."""
    from pipelines.media import book

    found = book(_environment())
    if as_json:
        click.echo(json.dumps(found.to_dicts(), ensure_ascii=False, indent=2))
        return
    for row in found.iter_rows():
        click.echo("  ".join(row))
    click.echo(f"媒体管理簿 {found.height}行")


@main.group(help="保存期間の過ぎたものの消去")
def retention() -> None:
    """Commands on how long things are kept."""


@retention.command("run", help="保存期間が過ぎ、送付・取込が台帳で証明できるものだけを消去し、記録する")
@click.option("--on", type=DATE, help="どの日として見るか（既定: 今日。先の日付は --dry-run だけ）")
@click.option("--dry-run", is_flag=True, help="何を消去するかだけを示す")
@BY
@speaks_to_people
def retention_run(on: dt.datetime | None, dry_run: bool, by: str | None) -> None:
    """Show, or erase."""
    from pipelines.retention import overdue, run

    environment = _environment()
    today = environment.clock().date()
    day = on.date() if on else today
    if day > today and not dry_run:
        raise RenkeiError("KR-7801", day=day)
    found = overdue(environment, day)
    gone = found if dry_run else run(environment, day, by or environment.settings.operator)
    for kept in gone:
        if kept.proved:
            click.echo(f"{'消去する' if dry_run else '消去'} {kept.path}（{kept.day}、{kept.months}か月）")
    for kept in found:
        if not kept.proved:
            click.echo(f"残す {kept.path}: 送付・取込の記録がない")
    count = sum(kept.proved for kept in gone)
    click.echo(
        f"{'消去するもの' if dry_run else '消去'} {count}件、証明がなく残すもの {sum(not k.proved for k in found)}件"
    )


@main.group(help="隔離されたファイル")
def quarantine() -> None:
    """Commands on quarantined files."""


@quarantine.command("list", help="隔離の一覧")
@AS_JSON
@speaks_to_people
def quarantine_list(as_json: bool) -> None:
    """Every file that waits for a decision."""
    from pipelines.exchange.quarantine import quarantined

    entries = quarantined(_environment().ledger)
    if as_json:
        click.echo(json.dumps([vars(entry) for entry in entries], ensure_ascii=False, indent=2, default=str))
        return
    for entry in entries:
        click.echo(f"{entry.id:>5} {entry.partition or '—'} {entry.file_name}  {(entry.sha256 or '')[:12]}")
    click.echo(f"隔離 {len(entries)}件")


@quarantine.command("show", help="隔離の理由")
@click.argument("entry", type=int)
@AS_JSON
@speaks_to_people
def quarantine_show(entry: int, as_json: bool) -> None:
    """Why a file waits, and where its copy and reports lie."""
    from pipelines.exchange.quarantine import show

    environment = _environment()
    held = show(environment.ledger, environment.settings.data_folder, entry)
    if as_json:
        click.echo(json.dumps(held.report, ensure_ascii=False, indent=2))
        return
    click.echo(f"{held.entry.id} {held.entry.file_name}（{held.entry.interface or '不明'}）\n置き場所: {held.folder}")
    click.echo(f"{held.report['code']} {held.report['message']}")
    for finding in held.report["report"].get("findings", [])[:SHOWN]:
        click.echo(finding["message"])


@quarantine.command("release", help="隔離を解き、次の取込で取り込む")
@click.argument("entry", type=int)
@BY
@REASON
@speaks_to_people
def quarantine_release(entry: int, by: str | None, reason: str) -> None:
    """Let a file in after all; its bad records stay out."""
    from pipelines.exchange.quarantine import release

    environment = _environment()
    operator = by or environment.settings.operator
    decided = release(environment.ledger, environment.safe, entry, operator=operator, reason=reason)
    click.echo(f"{decided.id} {decided.file_name}: {decided.state}")


@quarantine.command("reject", help="隔離したファイルを受け取らないと決める")
@click.argument("entry", type=int)
@BY
@REASON
@speaks_to_people
def quarantine_reject(entry: int, by: str | None, reason: str) -> None:
    """Refuse a file for good; a corrected one may come."""
    from pipelines.exchange.quarantine import reject

    environment = _environment()
    decided = reject(environment.ledger, entry, operator=by or environment.settings.operator, reason=reason)
    click.echo(f"{decided.id} {decided.file_name}: {decided.state}")


@main.group(help="取り込んだ連携の状態")
def linkage() -> None:
    """Commands on the linkage state."""


@linkage.command("show", help="ある日の終わりに分かっていた連携の状態（CSV、個人番号は無い）")
@click.option("--on", type=DATE, help="日付（既定: 今）")
@speaks_to_people
def linkage_show(on: dt.datetime | None) -> None:
    """The linkage state as CSV."""
    from pipelines.linkage.daily import linkage_on

    click.echo(linkage_on(_environment(), on.date() if on else None).write_csv(), nl=False)


@linkage.command("discrepancies", help="ある日のファイルについて連合会に尋ねること")
@click.option("--date", "date", type=DATE, required=True)
@AS_JSON
@speaks_to_people
def linkage_discrepancies(date: dt.datetime, as_json: bool) -> None:
    """The list of questions of a day."""
    from pipelines.linkage.daily import discrepancies_on

    found: pl.DataFrame = discrepancies_on(_environment(), date.date())
    if as_json:
        click.echo(json.dumps(found.to_dicts(), ensure_ascii=False, indent=2))
        return
    for row in found.iter_rows(named=True):
        click.echo(f"{row['code']} {row['title']} 宛名番号 …{row['resident_number'][-3:]}: {row['question']}")
    click.echo(f"問い合わせ {found.height}件")


if __name__ == "__main__":
    main()
