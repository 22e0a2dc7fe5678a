"""Commands that run a cycle and look after it (`renkei run`, `rerun`, `expected`). What is done stands in the capabilities."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import click
import polars as pl

from interfaces.messages import message
from pipelines.commands.common import (
    AS_JSON,
    DATE,
    FAULTS,
    MONTH_OPTION,
    NOT_DONE,
    checked_reason,
    environment_of_settings,
    say_arrivals,
    say_json,
    speaks_to_people,
)
from pipelines.commands.continuity import print_status, print_worksheet

if TYPE_CHECKING:
    from pipelines.environment import Environment


@click.group(help="処理の実行")
def run() -> None:
    """Commands that run a cycle."""


@run.command("daily", help="日次: 連合会から受け取り、資格情報を送る")
@click.option("--date", "date", type=DATE, required=True, help="処理年月日（営業日）")
@click.option("--only", type=click.Choice(["out", "in"]), help="送付だけ (out)、受領だけ (in)")
@click.option(
    "--confirm", "--confirm-loss", "confirm", callback=checked_reason,
    help="抽出の大きな減少、まとまった取消・新規、本人の変更が正しい理由（台帳に残る）",
)  # fmt: skip
@click.option("--dagster", "through_dagster", is_flag=True, help="Dagster の画面に残る形で実行する")
@speaks_to_people
def run_daily(date: dt.datetime, only: str | None, confirm: str | None, through_dagster: bool) -> None:
    """Receive, then send, for one day."""
    day = date.date()
    if through_dagster:
        from pipelines.definitions import run_day

        sys.exit(0 if run_day(day, only, confirm) else NOT_DONE)
    environment = environment_of_settings()
    complete = only == "out" or _receive(environment)
    if only != "in":
        _send(environment, day, confirm)
    sys.exit(0 if complete else FAULTS)


def _receive(environment: Environment) -> bool:
    """Take in and apply what is there; False when a person must see to a file: see `say_arrivals`, or a stale one."""
    from pipelines import arrival
    from pipelines.known import people_sent
    from pipelines.linkage import daily

    complete = say_arrivals(arrival.receive(environment))
    for applied in daily.apply_all(environment, people_sent(environment)):
        click.echo(
            f"取込 {applied.entry.file_name}: {applied.entry.state} {applied.taken}件"
            f" 保留{applied.aside}件 問い合わせ{applied.discrepancies}件"
        )
        if applied.entry.state == "stale":
            click.echo(arrival.overtaken(environment, applied.entry).for_people())
            complete = False
    return complete


def _send(environment: Environment, day: dt.date, confirm: str | None) -> None:
    from pipelines.eligibility import daily

    built, outcome = daily.run_out(environment, day, confirm)
    for file in built.files:
        click.echo(f"作成 {file.file_name}: {file.records}件 SHA-256 {file.sha256[:12]}")
    counts = built.counts
    click.echo(f"異動 {counts['changed']}人 = 送付 {counts['changed_sent']}人 + 要修正 {counts['changed_held']}人")
    if built.held.height:
        click.echo(f"要修正一覧 {built.held.height}件（renkei held --date {day}）")
    for code, count in built.warnings.items():
        click.echo(f"注意 {code} {message(code).title}: {count}件")
    click.echo(f"送付 {outcome.kind} {outcome.message}".rstrip())


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
    environment = environment_of_settings()
    {"out": _monthly_out, "candidates": _candidates, "instruction": _instruction, "results": _results}[step](
        environment, first
    )


def _monthly_out(environment: Environment, month: dt.date) -> None:
    from pipelines.high_cost import monthly
    from pipelines.high_cost.questions import questions_path

    history, classes, outcomes = monthly.out(environment, month)
    click.echo(f"高額該当情報 {history.rows.height}件、所得区分 {classes.rows.height}件")
    if classes.without_record:
        click.echo(f"税情報のない人 {classes.without_record}人（未申告として扱いました）")
    if classes.asked.height:
        click.echo(f"所得区分を確かめる世帯 {classes.asked.height}件 → {questions_path(environment, month)}")
    for outcome in outcomes:
        click.echo(f"送付 {outcome.kind} {outcome.message}".rstrip())


def _take_monthly(environment: Environment) -> bool:
    from pipelines import arrival
    from pipelines.continuity import monthly

    complete = say_arrivals(arrival.receive(environment))
    for taken in monthly.take(environment):
        click.echo(f"取込 {taken.entry.file_name}: {taken.entry.state} {taken.taken}件 保留{taken.aside}件")
        if taken.entry.state == "stale":
            click.echo(arrival.overtaken(environment, taken.entry).for_people())
            complete = False
    return complete


def _candidates(environment: Environment, month: dt.date) -> None:

    complete = _take_monthly(environment)
    print_worksheet(environment, month)
    print_status(environment, month)
    sys.exit(0 if complete else FAULTS)


def _instruction(environment: Environment, month: dt.date) -> None:
    from pipelines.continuity import monthly

    file, made = monthly.build_instruction(environment, month)
    outcome = monthly.send_instruction(environment, month, file)
    click.echo(f"確定指示 {made.height}件: {outcome.kind} {outcome.message}".rstrip())


def _results(environment: Environment, month: dt.date) -> None:
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


@click.command("rerun", help="失敗したままのパーティションを、入力から読み直して再実行する（Dagster の記録から探す）")
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


@click.command("expected", help="届くはず・送るはずのもので、まだないもの（0 なし、1 あり）")
@click.option("--on", type=DATE, help="どの日の終わりで見るか（既定: きのう）")
@AS_JSON
@speaks_to_people
def expected(on: dt.datetime | None, as_json: bool) -> None:
    """What is due and not there, with its age."""
    from pipelines.outstanding import outstanding

    environment = environment_of_settings()
    day = on.date() if on else environment.clock().date() - dt.timedelta(days=1)
    found = outstanding(environment, day)
    if as_json:
        say_json(found.to_dicts())
    else:
        for row in found.iter_rows(named=True):
            click.echo(
                f"{row['code']} {row['title']} {row['partition']} {row['subject']}（{row['age']}営業日）→ {row['remedy']}"
            )
        click.echo(f"{day} の終わりにないもの {found.height}件")
    sys.exit(FAULTS if found.height else 0)
