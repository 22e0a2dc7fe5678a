"""The commands on the daily sending's 要修正 list (`renkei withheld`, `renkei confirm-person`)."""

from __future__ import annotations

import datetime as dt

import click

from pipelines.commands.common import (
    AS_JSON,
    BY,
    DAY_OPTION,
    REASON,
    SHOWN,
    environment_of_settings,
    operator,
    say_json,
    with_error_messages,
)


@click.command("withheld", help="要修正の一覧: その日の送付で保留した人と世帯を、担当者のフォルダの Excel に書く")
@DAY_OPTION
@AS_JSON
@with_error_messages
def withheld_command(date: dt.datetime, as_json: bool) -> None:
    """Who is withheld from a day's sending; KR-7207 when the day's files were never built. The screen shows no full number."""
    from pipelines.eligibility.withholding import counted
    from pipelines.eligibility.worklist import worklist, write_worklist

    environment, day = environment_of_settings(), date.date()
    withheld = environment.store.read("withheld_list", day.isoformat())
    rows = worklist(withheld)
    if as_json:
        say_json(
            [{name: row[name] for name in ("household_number", "resident_number", "reason", "codes")} for row in rows]
        )
        return
    for row in rows[:SHOWN]:
        person = row["resident_number"]
        who = f"宛名番号 …{person[-3:]}" if person.isdecimal() else "世帯"
        click.echo(
            f"国保世帯 …{row['household_number'][-3:]} {who} {row['reason']} {row['codes'].replace(chr(10), '、')}".rstrip()
        )
    path = write_worklist(environment, day, withheld)
    click.echo(f"要修正 {counted(withheld)}: {path}")


@click.command("confirm-person", help="要修正の一覧の「別人の疑い」（KR-7221）を確認し、本人に間違いないと記録する")
@DAY_OPTION
@click.option("--person", required=True, help="宛名番号（15桁）")
@BY
@REASON
@with_error_messages
def confirm_person_command(date: dt.datetime, person: str, by: str | None, reason: str) -> None:
    """The next sending includes the person; other facts about them would have to be confirmed again."""
    from pipelines.eligibility.questions import confirm_person

    environment = environment_of_settings()
    confirm_person(environment, date.date(), person, operator(environment, by), reason)
    click.echo(f"宛名番号 …{person[-3:]} を確認しました。次の送付に載ります")
