"""The command for one look at everything (`renkei status`). `operations.status` decides what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.commands.common import AS_JSON, say_json, with_error_messages, writing
from pipelines.configuration.calendar import tokyo_now
from pipelines.configuration.settings import Settings

if TYPE_CHECKING:
    from pipelines.operations.status import Status


@click.command(
    "status",
    help="処理状況: 今日と直近の5営業日、待っているもの、次にすること（0 なし、1 あり、2 分からない）",
)
@AS_JSON
@click.option(
    "--html", "html", type=click.Path(dir_okay=False, path_type=Path), help="処理状況一覧を HTML に書く（A4）"
)
@click.option("--mail", is_flag=True, help="[alerts] の宛先に、同じ内容をメールで送る")
@with_error_messages
def status_command(as_json: bool, html: Path | None, mail: bool) -> None:
    """One screen, also as a page and as a mail. Counts only; changes nothing."""
    from pipelines.operations.status import as_json as in_json
    from pipelines.operations.status import lines
    from pipelines.operations.status_facts import gather
    from pipelines.orchestration.records_at_a_glance import runs_of

    settings = Settings.load()
    found = gather(settings, tokyo_now, runs_of(settings))
    if as_json:
        say_json(in_json(found))
    else:
        click.echo("\n".join(lines(found)))
    if html is not None or mail:
        _report(settings, found, html, mail=mail)
    sys.exit(found.ending)


def _report(settings: Settings, found: Status, html: Path | None, *, mail: bool) -> None:
    """The page and the mail; what they need is not imported for a look at the screen."""
    from pipelines.operations import status_report

    if html is not None:
        with writing(html):
            status_report.write_html(found, html)
        click.echo(f"処理状況一覧 {html}", err=True)
    if mail:
        status_report.send_mail(settings, found)
