"""Commands for the auditor and on how long things are kept (`renkei audit`, `retention`)."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from interfaces.messages import RenkeiError
from pipelines.commands.common import (
    BY,
    DATE,
    FAULTS,
    LOOKING_SECONDS,
    NOT_DONE,
    YEAR_MONTH,
    environment_of_settings,
    operator,
    with_error_messages,
    writing,
)


@click.group(help="監査: 台帳・ファイル・判定の照合と、月の報告")
def audit() -> None:
    """Commands for the auditor."""


@audit.command("verify", help="台帳の鎖、保管したファイル、継続の判定が、記録のとおりか確認する（0 一致、1 不一致）")
@BY
@with_error_messages
def audit_verify(by: str | None) -> None:
    """Print what was verified and every fault; exit 1 when there is one. The Union's folder is looked at when it can be
    reached."""
    from pipelines.operations.audit_verification import verify

    environment = environment_of_settings()
    who = operator(environment, by)
    if environment.settings.sftp is None:
        found = verify(environment, who)
    else:
        with environment.to_union(LOOKING_SECONDS) as transport:
            try:
                transport.list()
            except RenkeiError as error:
                click.echo(f"連合会のフォルダは見ていません（{error}）")
                found = verify(environment, who)
            else:
                found = verify(environment, who, transport)
    for caption, text in found.lines():
        click.echo(f"{caption}: {text}")
    for fault in found.faults:
        click.echo(str(fault))
    click.echo(found.outcome())
    sys.exit(FAULTS if found.faults else 0)


@audit.command("report", help="月の監査報告書（表紙・まとめ・例外・記録の明細）を作る")
@click.option("--month", "done_in", type=YEAR_MONTH, help="行為の月 YYYY-MM（その月に行ったこと）")
@click.option("--target-month", "done_for", type=YEAR_MONTH, help="処理年月 YYYY-MM（その月の分について行ったこと）")
@click.option("--to", "path", type=click.Path(path_type=Path), required=True, help="報告書を書く場所（.xlsx か .html）")
@BY
@with_error_messages
def audit_report(done_in: dt.datetime | None, done_for: dt.datetime | None, path: Path, by: str | None) -> None:
    """Write the month's report, as its name's ending says."""
    from pipelines.operations.audit_book import write_html, write_xlsx
    from pipelines.operations.audit_report import report
    from pipelines.operations.audit_scope import By, month_in_words, months_with_events

    month = done_in or done_for
    if month is None or (done_in and done_for):
        raise click.UsageError("--month（行為の月）か --target-month（処理年月）のどちらか一つを指定してください")
    if path.suffix not in (".xlsx", ".html"):
        raise RenkeiError("KR-6404", name=path.name)
    environment = environment_of_settings()
    made = report(environment, month.date(), By.DEED if done_in else By.PROCESSED, operator(environment, by))
    with writing(path):
        (write_html if path.suffix == ".html" else write_xlsx)(made, path)
    click.echo("、".join(f"{name} {table.height}件" for name, table in made.tables.items()))
    if made.is_empty:
        for kind in By:
            months = "、".join(map(month_in_words, months_with_events(environment, kind))) or "なし"
            click.echo(f"この月の記録はありません。記録のある{kind}: {months}")


@click.group(help="保存期間の過ぎたものの消去")
def retention() -> None:
    """Commands on how long things are kept."""


@retention.command("run", help="保存期間が過ぎ、送付・取込が台帳で証明できるものだけを消去し、記録する")
@click.option("--on", type=DATE, help="どの日として見るか（既定: 今日。先の日付は --dry-run だけ）")
@click.option("--dry-run", is_flag=True, help="何を消去するかだけを示す")
@BY
@with_error_messages
def retention_run(on: dt.datetime | None, dry_run: bool, by: str | None) -> None:
    """Show, or erase; exit 2 when something cannot be erased."""
    from pipelines.operations.retention import Erasure, overdue, run

    environment = environment_of_settings()
    today = environment.clock().date()
    day = on.date() if on else today
    if day > today and not dry_run:
        raise RenkeiError("KR-7801", day=day)
    found = overdue(environment, day)
    done = Erasure(found, []) if dry_run else run(environment, day, operator(environment, by))
    for error in done.failed:
        click.echo(error.for_people(), err=True)
    gone = done.gone
    for kept in gone:
        if kept.proved:
            click.echo(f"{'消去する' if dry_run else '消去'} {kept.path}（{kept.day}、{kept.months}か月）")
    for kept in found:
        if not kept.proved:
            click.echo(f"残す {kept.path}: 送付・取込の記録がない")
    count = sum(kept.proved for kept in gone)
    click.echo(
        f"{'消去するもの' if dry_run else '消去'} {count}件、証明がなく残すもの {sum(not k.proved for k in found)}件"
        + (f"、消せなかったもの {len(done.failed)}件" if done.failed else "")
    )
    sys.exit(NOT_DONE if done.failed else 0)
