"""The command on the monthly agreement (`renkei agreement`)."""

from __future__ import annotations

import datetime as dt
import sys

import click

from pipelines.commands.common import AS_JSON, MONTH_OPTION, environment_of_settings, say_json, with_error_messages


@click.command(
    "agreement", help="整合性確認: 締め日の全員を、送付した内容・連合会の決定と比べ、担当者のフォルダに一覧を書く"
)
@MONTH_OPTION
@AS_JSON
@with_error_messages
def agreement_command(month: dt.datetime, as_json: bool) -> None:
    """Compare a month (exit 1 when something does not agree); --json: print the totals of the months so far instead."""
    from pipelines.agreement import monthly

    if as_json:
        totals = monthly.totals_by_month(environment_of_settings(), month.date())
        say_json({name[:7]: table.to_dicts() for name, table in totals.items()})
        return
    from pipelines.orchestration.execution import Runner

    sys.exit(Runner().month(month.date(), "agreement"))
