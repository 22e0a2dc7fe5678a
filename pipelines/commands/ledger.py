"""Commands on what was sent and received (`renkei ledger`, `approve`, `quarantine`)."""

from __future__ import annotations

import datetime as dt

import click

from pipelines.commands.common import (
    AS_JSON,
    BY,
    DATE,
    DAY_OPTION,
    ENTRY,
    MONTH,
    REASON,
    SHOWN,
    environment_of_settings,
    operator,
    say_json,
    speaks_to_people,
)


@click.group(help="送付・受領の台帳")
def ledger() -> None:
    """Commands on the ledger."""


@ledger.command("list", help="台帳の一覧")
@AS_JSON
@speaks_to_people
def ledger_list(as_json: bool) -> None:
    """Every file that left or arrived, with its state."""
    entries = environment_of_settings().ledger.entries()
    if as_json:
        say_json([vars(entry) for entry in entries])
        return
    for e in entries:
        way = "送付" if e.direction == "outbound" else "受領"
        count = "—" if e.records is None else f"{e.records}件"
        click.echo(f"{e.id:>5} {way} {e.partition or '—'} {e.state:12}{e.file_name}  {count}  {(e.sha256 or '')[:12]}")


@ledger.command(
    "recall", help="送付した日を、連合会と打ち合わせて取り下げる（訂正再送。次の送付は次のファイル番号になる）"
)
@DAY_OPTION
@BY
@REASON
@speaks_to_people
def ledger_recall(date: dt.datetime, by: str | None, reason: str) -> None:
    """Take a day back, so that it can be sent corrected."""
    from pipelines.eligibility.files import FILES
    from pipelines.exchange.outbox import recall

    environment = environment_of_settings()
    folder = environment.settings.data_folder
    for entry in recall(environment.ledger, date.date(), FILES, operator(environment, by), reason, data_folder=folder):
        click.echo(f"{entry.id} {entry.file_name}: {entry.state}")
    click.echo(f"元のデータを直してから実行してください: renkei run daily --date {date:%Y-%m-%d} --only out")


@ledger.command("mark-sent", help="その日の二つのファイルを、ほかの手段（媒体など）で送ったと記録する")
@DAY_OPTION
@BY
@REASON
@speaks_to_people
def ledger_mark_sent(date: dt.datetime, by: str | None, reason: str) -> None:
    """Sent by other means: both files of a day, or none."""
    from pipelines.eligibility.daily import mark_day_sent

    environment = environment_of_settings()
    for entry in mark_day_sent(environment, date.date(), operator(environment, by), reason):
        click.echo(f"{entry.id} {entry.file_name}: {entry.state}")


@ledger.command("confirm", help="届いたか確かめられない送付（unconfirmed）について、連合会に確かめた結果を記録する")
@click.argument("entry", type=ENTRY)
@click.option("--arrived/--not-arrived", "arrived", required=True, help="連合会に届いているか")
@BY
@REASON
@speaks_to_people
def ledger_confirm(entry: int, arrived: bool, by: str | None, reason: str) -> None:
    """What a person asked the Union about one file."""
    from pipelines.exchange.outbox import confirm

    environment = environment_of_settings()
    who, folder = operator(environment, by), environment.settings.data_folder
    decided = confirm(environment.ledger, entry, who, reason, arrived=arrived, data_folder=folder)
    click.echo(f"{decided.id} {decided.file_name}: {decided.state}")
    if not arrived:
        click.echo("その日・その月の送付を再実行すると、もう一度送ります")


@click.command(
    "approve", help="大量・初回の送付を、作成した人とは別の人が承認する（--by がなければ待っているものを示す）"
)
@click.option("--date", "date", type=DATE, help="処理年月日")
@click.option("--month", "month", type=MONTH, help="月次のファイルなら年月 YYYY-MM")
@click.option("--by", help="承認する人")
@click.option("--sha256", "hashes", multiple=True, help="承認するファイルのハッシュ値（先頭12桁以上、ファイルごとに）")
@speaks_to_people
def approve_command(
    date: dt.datetime | None, month: dt.datetime | None, by: str | None, hashes: tuple[str, ...]
) -> None:
    """Show what waits, or approve exactly what was seen."""
    from pipelines.exchange.approval import approve, awaiting

    if (date is None) == (month is None):
        raise click.UsageError("--date か --month のどちらか一つを書いてください")
    ledger, partition = environment_of_settings().ledger, (date or month).date()  # type: ignore[union-attr]  # one of them is there
    if by is not None:
        for entry in approve(ledger, partition, hashes, by):
            click.echo(f"{entry.id} {entry.file_name}: {entry.state}")
        again = f"monthly --month {partition:%Y-%m} --step out" if month else f"daily --date {partition} --only out"
        click.echo(f"続けて実行してください: renkei run {again}")
        return
    waiting = awaiting(ledger, partition)
    for entry in waiting:
        click.echo(f"{entry.id} {entry.file_name} {entry.records}件 SHA-256 {entry.sha256}")
    click.echo(f"{partition} の承認待ち {len(waiting)}ファイル")


@click.group(help="隔離されたファイル")
def quarantine() -> None:
    """Commands on quarantined files."""


@quarantine.command("list", help="隔離されたものと、追い越されて取り込まれていないものの一覧")
@AS_JSON
@speaks_to_people
def quarantine_list(as_json: bool) -> None:
    """Every file that waits for a decision."""
    from pipelines.exchange.quarantine import quarantined

    entries = quarantined(environment_of_settings().ledger)
    if as_json:
        say_json([vars(entry) for entry in entries])
        return
    for entry in entries:
        hashed = (entry.sha256 or "")[:12]
        click.echo(f"{entry.id:>5} {entry.partition or '—'} {entry.state:12}{entry.file_name}  {hashed}")
    click.echo(f"決めるもの {len(entries)}件")


@quarantine.command("show", help="隔離の理由")
@click.argument("entry", type=ENTRY)
@AS_JSON
@speaks_to_people
def quarantine_show(entry: int, as_json: bool) -> None:
    """Why a file waits, and where its copy and reports lie; of a stale one, what overtook it."""
    from pipelines.arrival import overtaken
    from pipelines.exchange.quarantine import show

    environment = environment_of_settings()
    held = show(environment.ledger, environment.settings.data_folder, entry)
    if held.entry.state == "stale":
        reason = overtaken(environment, held.entry)
        if as_json:
            say_json({"code": reason.code, "message": str(reason), "entry": entry})
        else:
            click.echo(reason.for_people())
        return
    if as_json:
        say_json(held.report)
        return
    click.echo(f"{held.entry.id} {held.entry.file_name}（{held.entry.interface or '不明'}）\n置き場所: {held.folder}")
    click.echo(f"{held.report['code']} {held.report['message']}")
    for finding in held.report["report"].get("findings", [])[:SHOWN]:
        click.echo(finding["message"])


@quarantine.command("release", help="隔離を解き、次の取込で取り込む")
@click.argument("entry", type=ENTRY)
@BY
@REASON
@speaks_to_people
def quarantine_release(entry: int, by: str | None, reason: str) -> None:
    """Let a file in after all; its bad records stay out."""
    from pipelines.exchange.quarantine import release

    environment = environment_of_settings()
    decided = release(environment.ledger, environment.safe, entry, operator=operator(environment, by), reason=reason)
    click.echo(f"{decided.id} {decided.file_name}: {decided.state}")


@quarantine.command("reject", help="隔離したファイルを受け取らないと決める")
@click.argument("entry", type=ENTRY)
@BY
@REASON
@speaks_to_people
def quarantine_reject(entry: int, by: str | None, reason: str) -> None:
    """Refuse a file for good; a corrected one may come."""
    from pipelines.exchange.quarantine import reject

    environment = environment_of_settings()
    decided = reject(environment.ledger, entry, operator=operator(environment, by), reason=reason)
    click.echo(f"{decided.id} {decided.file_name}: {decided.state}")
