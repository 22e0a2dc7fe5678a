"""Commands on the linkage state (`renkei linkage`)."""

from __future__ import annotations

import datetime as dt

import click
import polars as pl

from pipelines.commands.common import AS_JSON, DATE, environment_of_settings, say_json, with_error_messages


@click.group(help="取り込んだ連携の状態")
def linkage() -> None:
    """Commands on the linkage state."""


@linkage.command("show", help="ある日の終わりに分かっていた連携の状態（CSV、個人番号は無い）")
@click.option("--on", type=DATE, help="日付（既定: 今）")
@with_error_messages
def linkage_show(on: dt.datetime | None) -> None:
    """The linkage state as CSV."""
    from pipelines.linkage.daily import linkage_on

    click.echo(linkage_on(environment_of_settings(), on.date() if on else None).write_csv(), nl=False)


@linkage.command("discrepancies", help="ある日のファイルについての連合会への照会事項")
@click.option("--date", "date", type=DATE, required=True)
@AS_JSON
@with_error_messages
def linkage_discrepancies(date: dt.datetime, as_json: bool) -> None:
    """The list of questions of a day."""
    from pipelines.linkage.daily import discrepancies_on

    found: pl.DataFrame = discrepancies_on(environment_of_settings(), date.date())
    if as_json:
        say_json(found.to_dicts())
        return
    for row in found.iter_rows(named=True):
        person = row["resident_number"]
        about = f"宛名番号 …{person[-3:]}" if person else f"{row['ours']} {row['theirs']}"
        click.echo(f"{row['code']} {row['title']} {about}: {row['question']}")
    click.echo(f"問い合わせ {found.height}件")
