"""Commands that run a cycle (`renkei run`, `rerun`). The work itself is in the capabilities."""

from __future__ import annotations

import datetime as dt
import sys

import click

from pipelines.commands.common import (
    DATE,
    FAULTS,
    MONTH_OPTION,
    checked_reason,
    environment_of_settings,
    with_error_messages,
)
from pipelines.commands.continuity import print_status
from pipelines.orchestration.execution import Ending, Runner
from pipelines.orchestration.monthly_steps import MONTHLY_STEPS


@click.group(help="処理の実行")
def run() -> None:
    """Commands that run a cycle."""


VERBOSE = click.option("--verbose", is_flag=True, help="Dagster の記録の行も全て示す")


@run.command("daily", help="日次: 連合会から受け取り、資格情報を送る")
@click.option("--date", "date", type=DATE, required=True, help="処理年月日（営業日）")
@click.option("--only", type=click.Choice(["out", "in"]), help="送付だけ (out)、受領だけ (in)")
@click.option(
    "--confirm",
    "--confirm-loss",
    "confirm",
    callback=checked_reason,
    help="抽出の大きな減少、まとまった取消・新規、本人の変更が正しい理由（台帳に残る）",
)
@VERBOSE
@with_error_messages
def run_daily(date: dt.datetime, only: str | None, confirm: str | None, verbose: bool) -> None:
    """Receive, then send, for one day."""
    sys.exit(Runner(verbose).day(date.date(), only, confirm))


@run.command(
    "monthly",
    help="月次: out 高額該当情報と所得区分を送る、agreement 全員の整合性を確認する、candidates 候補を受けて判定表を作る、"
    "instruction 確定指示を送る、results 確定結果と引継を受けて回数を数える",
)
@MONTH_OPTION
@click.option(
    "--step", type=click.Choice([step.name for step in MONTHLY_STEPS]), required=True, help="月次のどの段階か"
)
@VERBOSE
@with_error_messages
def run_monthly(month: dt.datetime, step: str, verbose: bool) -> None:
    """One step of the monthly cycle."""
    ending = Runner(verbose).month(month.date(), step)
    if step == "candidates" and ending is not Ending.NOT_DONE:
        print_status(environment_of_settings(), month.date())
    sys.exit(ending)


@click.command(
    "rerun", help="失敗したままのパーティションを、入力から再度読み込んで再実行する（Dagster の記録から探す）"
)
@click.option("--failed", is_flag=True, required=True, help="最後の実行が失敗したもの")
@click.option("--from", "first", type=DATE, help="この日・この月から")
@click.option("--to", "last", type=DATE, help="この日・この月まで")
@click.option("--dry-run", is_flag=True, help="何を再実行するかだけを示す")
@with_error_messages
def rerun(failed: bool, first: dt.datetime | None, last: dt.datetime | None, dry_run: bool) -> None:
    """Print what will be run again, then run it, oldest first.

    Exit 1 when one fails again, and while another run, which has not ended, repairs one.
    """
    runner, between = Runner(), (first.date() if first else None, last.date() if last else None)
    found, repairs = runner.failed(*between), runner.repairs(*between)
    for job, partition in found:
        click.echo(f"再実行 {job} {partition}")
    for repair in repairs:
        click.echo(repair.line())
    if not found and not repairs:
        click.echo("失敗したままのパーティションはありません")
    again = [] if dry_run else [(job, partition) for job, partition in found if not runner.again(job, partition)]
    for job, partition in again:
        click.echo(f"また失敗しました {job} {partition}（Dagster の画面で検査の対処を見てください）", err=True)
    if found and not dry_run:
        click.echo(f"{len(found)}件のうち成功 {len(found) - len(again)}件")
    sys.exit(FAULTS if again or repairs else 0)
