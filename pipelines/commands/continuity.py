"""Commands for the clerk who judges continuity (`renkei continuity`)."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from interfaces.messages import RenkeiError
from pipelines.commands.common import (
    AS_JSON,
    FAULTS,
    MONTH_OPTION,
    SHOWN,
    environment_of_settings,
    operator,
    print_received,
    say_json,
    with_error_messages,
    writing,
)
from pipelines.operations.inbound_interfaces import INBOUND

if TYPE_CHECKING:
    import polars as pl

    from pipelines.deployment import Environment


def print_status(environment: Environment, month: dt.date) -> None:
    """Print the progress of the month."""
    from pipelines.continuity import monthly

    for line in monthly.status(environment, month, environment.clock().date()).lines():
        click.echo(line)


def print_worksheet(environment: Environment, month: dt.date, path: Path | None = None) -> pl.DataFrame:
    """Make the month's worksheet and print its path and which book was kept or renamed; returns the cases."""
    from pipelines.continuity import monthly

    with writing(path or monthly.worksheet_path(environment, month)):
        made = monthly.make_worksheet(environment, month, path)
    for line in made.lines():
        click.echo(line)
    return made.cases


@click.group(help="世帯の継続性（月次）")
def continuity() -> None:
    """Commands for the clerk who judges continuity."""


@continuity.command("worksheet", help="判定表（Excel）と継続候補世帯リスト（印刷用）を作る")
@MONTH_OPTION
@click.option("--to", "path", type=click.Path(path_type=Path), help="判定表を書く場所（既定: 設定の clerk_folder）")
@with_error_messages
def continuity_worksheet(month: dt.datetime, path: Path | None) -> None:
    """Write the month's worksheet."""
    from pipelines.continuity import monthly

    environment = environment_of_settings()
    found = print_worksheet(environment, month.date(), path)
    click.echo(f"候補 {found.height}件")
    click.echo(f"印刷用 {monthly.list_path(environment, '継続候補世帯リスト', month.date())}")


@continuity.command("import", help="書き込んだ判定表を取り込む（全部か、なし）")
@click.argument("file", type=click.Path(path_type=Path))
@with_error_messages
def continuity_import(file: Path) -> None:
    """Import the decisions, or print everything that must be corrected and exit 1."""
    from pipelines.continuity import monthly

    environment = environment_of_settings()
    imported = monthly.import_worksheet(environment, file)
    if imported.problems:
        for problem in imported.problems[:SHOWN]:
            click.echo(str(problem), err=True)
        click.echo(RenkeiError("KR-7416", count=len(imported.problems)).for_people(), err=True)
        sys.exit(FAULTS)
    click.echo(
        f"{imported.month:%Y-%m} の判定 新しく{imported.new}件"
        if imported.new
        else "この判定は取り込み済みです。何も変わっていません"
    )
    print_status(environment, imported.month)


@continuity.command("status", help="月の継続判定がどこまで進んだか")
@MONTH_OPTION
@AS_JSON
@with_error_messages
def continuity_status(month: dt.datetime, as_json: bool) -> None:
    """Print the progress of the month."""
    from pipelines.continuity import monthly

    environment = environment_of_settings()
    if as_json:
        found = monthly.status(environment, month.date(), environment.clock().date())
        say_json(vars(found))
        return
    print_status(environment, month.date())


INTERFACE = click.argument(
    "interface", type=click.Choice([interface.id for interface in INBOUND.values() if interface.step])
)


@continuity.command("form", help="画面から転記するための空の入力票（Excel）を作る")
@INTERFACE
@MONTH_OPTION
@click.option("--to", "path", type=click.Path(path_type=Path), help="入力票を書く場所（既定: 設定の clerk_folder）")
@with_error_messages
def continuity_form(interface: str, month: dt.datetime, path: Path | None) -> None:
    """An empty form for an interface that is switched off."""
    from pipelines.transfer import manual_entry as manual_entry

    environment = environment_of_settings()
    with writing(path or environment.settings.clerks):
        made = manual_entry.write_form(environment, interface, month.date(), path)
    click.echo(f"入力票 {made}")


@continuity.command("typed", help="転記した入力票を、届いたファイルと同じように取り込む")
@INTERFACE
@click.argument("file", type=click.Path(path_type=Path))
@MONTH_OPTION
@click.option("--by", help="転記した人（既定: 設定の operator）")
@with_error_messages
def continuity_typed(interface: str, file: Path, month: dt.datetime, by: str | None) -> None:
    """Import a typed form."""
    from pipelines.transfer import manual_entry as manual_entry

    environment = environment_of_settings()
    received = manual_entry.import_form(environment, INBOUND, interface, month.date(), file, operator(environment, by))
    complete = print_received(received, "入力")
    if any(file.state == "verified" for file in received):
        step = f"renkei run monthly --month {month:%Y-%m} --step {INBOUND[interface].step}"
        click.echo(f"取込を待っています。次に {step} を実行してください（自動運転のときは数分で取り込みます）")
    sys.exit(0 if complete else FAULTS)
