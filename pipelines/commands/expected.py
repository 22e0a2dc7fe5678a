"""The command for overdue work (`renkei expected`). `operations.outstanding` finds it."""

from __future__ import annotations

import datetime as dt
import sys

import click

from pipelines.commands.common import AS_JSON, DATE, FAULTS, environment_of_settings, say_json, with_error_messages


@click.command("expected", help="届くはず・送るはずのもので、まだないもの（0 なし、1 あり）")
@click.option("--on", type=DATE, help="どの日の終わりで見るか（既定: きのう）")
@AS_JSON
@with_error_messages
def expected(on: dt.datetime | None, as_json: bool) -> None:
    """Print what is overdue with its age, consecutive business days as one line."""
    from pipelines.operations.outstanding import grouped, outstanding

    environment = environment_of_settings()
    day = on.date() if on else environment.clock().date() - dt.timedelta(days=1)
    found = outstanding(environment, day)
    if as_json:
        say_json(found.to_dicts())
    else:
        for one in grouped(found):
            click.echo(f"{one.code} {one.title} {one.days} {one.subject}（{one.age}営業日）→ {one.remedy}")
        click.echo(f"{day} の終わりにないもの {found.height}件")
    sys.exit(FAULTS if found.height else 0)
