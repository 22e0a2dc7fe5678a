"""Commands on media that are carried by hand (`renkei media`)."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from pipelines.commands.common import (
    AS_JSON,
    BY,
    DAY_OPTION,
    FAULTS,
    REASON,
    environment_of_settings,
    operator,
    print_received,
    say_json,
    with_error_messages,
)


@click.group(help="電子記録媒体での受け渡しと媒体管理簿")
def media() -> None:
    """Commands on media."""


MEDIUM = click.argument("medium", type=click.Path(path_type=Path, exists=True, file_okay=False))


@media.command("export", help="その日のファイルを、暗号化・署名して空の媒体に書き出す（先に renkei approve が必要）")
@MEDIUM
@DAY_OPTION
@BY
@REASON
@with_error_messages
def media_export(medium: Path, date: dt.datetime, by: str | None, reason: str) -> None:
    """Write and compare; the sending itself is recorded when the medium is handed over."""
    from pipelines.operations.media_register import export_day

    environment = environment_of_settings()
    for file in export_day(environment, date.date(), medium, operator(environment, by), reason):
        click.echo(f"書き出し {file.name} SHA-256 {file.sha256}")
    click.echo(f"連合会に渡したら: renkei ledger mark-sent --date {date:%Y-%m-%d} --reason 媒体")
    click.echo(f"終わったら: renkei media erase {medium} --reason 媒体")


@media.command(
    "import", help="媒体のファイルを、届いたファイルと同じように取り込む（取り込んだものは媒体から消去する）"
)
@MEDIUM
@BY
@REASON
@with_error_messages
def media_import(medium: Path, by: str | None, reason: str) -> None:
    """Receive the files of a medium."""
    from pipelines.operations.media_register import import_medium

    environment = environment_of_settings()
    sys.exit(0 if print_received(import_medium(environment, medium, operator(environment, by), reason)) else FAULTS)


@media.command("erase", help="仕事の終わった媒体を消去し、消えたことを確認して記録する")
@MEDIUM
@BY
@REASON
@with_error_messages
def media_erase(medium: Path, by: str | None, reason: str) -> None:
    """Erase and verify."""
    from pipelines.operations.media_register import erase

    environment = environment_of_settings()
    erased = erase(environment, medium, operator(environment, by), reason)
    for file in erased:
        click.echo(f"消去 {file.name} {file.size}バイト SHA-256 {file.sha256}")
    click.echo(f"消去 {len(erased)}件。媒体には管理番号だけがあります")


@media.command("list", help="媒体管理簿")
@AS_JSON
@with_error_messages
def media_list(as_json: bool) -> None:
    """Every use of a medium."""
    from pipelines.operations.media_register import book

    found = book(environment_of_settings())
    if as_json:
        say_json(found.to_dicts())
        return
    for row in found.iter_rows():
        click.echo("  ".join(row))
    click.echo(f"媒体管理簿 {found.height}行")
