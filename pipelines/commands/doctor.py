"""The command that examines a deployment (`renkei doctor`). `operations.doctor` decides what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from interfaces.messages import RenkeiError
from pipelines.commands.common import AS_JSON, FAULTS, NOT_DONE, say_json, with_error_messages
from pipelines.configuration.calendar import tokyo_now
from pipelines.configuration.settings import Settings

if TYPE_CHECKING:
    from pipelines.operations.doctor import Check


@click.command("doctor", help="診断: 設定・権限・鍵・台帳・ディスク・時計・日程・接続・メール（0 良、1 注意、2 異常）")
@AS_JSON
@with_error_messages
def doctor_command(as_json: bool) -> None:
    """Each check in a line as soon as it is done, with what is wrong and what to do. Sends nothing."""
    from pipelines.operations.doctor import Verdict, worst

    found = []
    for check in _checks():
        found.append(check)
        if not as_json:
            click.echo("\n".join(check.lines()))
    if as_json:
        say_json([vars(check) for check in found])
    else:
        wrong = sum(check.verdict in (Verdict.ATTENTION, Verdict.FAULT) for check in found)
        click.echo(f"{len(found)}項目のうち、注意・異常 {wrong}件")
    sys.exit({Verdict.ATTENTION: FAULTS, Verdict.FAULT: NOT_DONE}.get(worst(found), 0))


def _checks() -> Iterator[Check]:
    """Every check; only one when the settings cannot be read."""
    from pipelines.operations.doctor import Check, examined
    from pipelines.orchestration.records_at_a_glance import runs_of

    try:
        settings = Settings.load()
    except RenkeiError as error:
        yield Check.of("設定", error)
        return
    yield from examined(settings, tokyo_now, runs_of(settings))
