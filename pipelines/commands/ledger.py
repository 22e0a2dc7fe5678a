"""Commands on what was sent and received (`renkei ledger`, `approve`, `quarantine`)."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from interfaces.messages import RenkeiError, message
from interfaces.words import state_in_words
from pipelines.commands.common import (
    AS_JSON,
    BY,
    DATE,
    DAY_OPTION,
    ENTRY,
    FAULTS,
    LOOKING_SECONDS,
    NOT_DONE,
    REASON,
    SHOWN,
    YEAR_MONTH,
    environment_of_settings,
    operator,
    padded,
    print_received,
    say_json,
    with_error_messages,
)
from pipelines.exchange.ledger.states import Direction, EntryState

if TYPE_CHECKING:
    from pipelines.exchange.ledger.entry import Entry


def _require_one(date: dt.datetime | None, month: dt.datetime | None) -> None:
    if (date is None) == (month is None):
        raise click.UsageError("--date か --month のどちらか一つを書いてください")


class _State(click.ParamType[tuple[str, ...]]):
    """A state of the ledger, by its word or as it is stored: all stored values that it stands for."""

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        found = tuple(state for state in EntryState if value in (state.value, state_in_words(state)))
        if not found:
            words = "、".join(dict.fromkeys(map(state_in_words, EntryState)))
            self.fail(f"「{value}」という状態はありません。次のどれかを書いてください: {words}", param, ctx)
        return found

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        words = dict.fromkeys(map(state_in_words, EntryState))
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


@click.group(help="送付・受領の台帳")
def ledger() -> None:
    """Commands on the ledger."""


@ledger.command("list", help="台帳の一覧（番号の順。絞り込みは重ねられる）")
@click.option("--date", "date", type=DATE, help="この処理年月日のもの")
@click.option("--month", "month", type=YEAR_MONTH, help="この年月のもの（日次の日と、月次の処理対象年月）")
@click.option("--state", type=_State(), help="この状態のもの（例 隔離中）")
@click.option("--interface", help="このインタフェースのもの（id。renkei spec list で分かる）")
@click.option("--last", type=click.IntRange(min=1), help="新しいほうからこの件数")
@AS_JSON
@with_error_messages
def ledger_list(
    date: dt.datetime | None,
    month: dt.datetime | None,
    state: tuple[str, ...] | None,
    interface: str | None,
    last: int | None,
    as_json: bool,
) -> None:
    """The sent and received files that match every filter, with their states."""
    environment = environment_of_settings()
    if interface is not None:
        environment.catalogue.versions(interface)
    found = environment.ledger.entries(
        partition=date.date() if date else None,
        states=None if state is None else {EntryState(value) for value in state},
        interfaces=None if interface is None else {interface},
    )
    if month is not None:
        found = [e for e in found if e.partition is not None and e.partition.replace(day=1) == month.date()]
    entries = found[-last:] if last else found
    if as_json:
        say_json([vars(entry) for entry in entries])
        return
    click.echo(_line("番号", "送受", "対象", "状態", "件数", "SHA-256", "ファイル名"))
    for e in entries:
        way = "送付" if e.direction == Direction.OUTBOUND else "受領"
        count = "—" if e.records is None else f"{e.records:,}"
        partition = str(e.partition or "—")
        click.echo(_line(e.id, way, partition, state_in_words(e.state), count, (e.sha256 or "—")[:12], e.file_name))
    click.echo(f"{len(entries)}件")


def _line(number: object, way: str, partition: str, state: str, records: str, sha256: str, name: str) -> str:
    """A row of the list, in columns."""
    cells = (padded(str(number), -6), padded(way, 4), padded(partition, 10), padded(state, 14), padded(records, -9))
    return "  ".join((*cells, padded(sha256, 12), name))


@ledger.command(
    "recall", help="送付した日を、連合会と打ち合わせて取り下げる（訂正再送。次の送付は次のファイル番号になる）"
)
@DAY_OPTION
@BY
@REASON
@with_error_messages
def ledger_recall(date: dt.datetime, by: str | None, reason: str) -> None:
    """Recall a day, so that it can be sent corrected."""
    from pipelines.eligibility.files import FILES
    from pipelines.transfer.sending import outbox

    environment = environment_of_settings()
    own = outbox(environment, operator=operator(environment, by))
    for entry in own.recall(date.date(), FILES, reason):
        click.echo(f"{entry.id} {entry.file_name}: {state_in_words(entry.state)}")
    click.echo(f"元のデータを修正してから実行してください: renkei run daily --date {date:%Y-%m-%d} --only out")


@ledger.command(
    "mark-sent",
    help="その日の二つのファイルを、ほかの手段（媒体など）で送った、または台帳を戻す前に送ったと記録する"
    "（--month は、台帳を戻す前に送った月次のファイル）",
)
@click.option("--date", "date", type=DATE, help="処理年月日")
@click.option("--month", "month", type=YEAR_MONTH, help="月次のファイルなら年月 YYYY-MM")
@BY
@REASON
@with_error_messages
def ledger_mark_sent(date: dt.datetime | None, month: dt.datetime | None, by: str | None, reason: str) -> None:
    """Record as sent by other means, or before the ledger was restored: all files of a day or month, or none."""
    from pipelines.eligibility.daily import mark_day_sent
    from pipelines.operations.restoring import mark_month_sent

    _require_one(date, month)
    environment = environment_of_settings()
    who = operator(environment, by)
    found = (
        mark_month_sent(environment, month.date(), who, reason)
        if month
        else mark_day_sent(environment, date.date(), who, reason)  # type: ignore[union-attr]  # one of them is there
    )
    for entry in found:
        click.echo(f"{entry.id} {entry.file_name}: {state_in_words(entry.state)}")


@ledger.command(
    "unrecorded", help="台帳にないのに、送受信の跡があるファイル（0 なし、1 あり、2 連合会のフォルダを見られない）"
)
@AS_JSON
@with_error_messages
def ledger_unrecorded(as_json: bool) -> None:
    """Print the traces that show that the ledger is older than what was sent or received."""
    from pipelines.transfer.unrecorded import LOCATIONS, local_traces, traces_at_union

    environment = environment_of_settings()
    found = local_traces(environment)
    refusal = None
    if environment.settings.sftp is not None:
        try:
            with environment.to_union(LOOKING_SECONDS) as transport:
                found += traces_at_union(environment, transport)
        except RenkeiError as error:
            refusal = error
    if as_json:
        say_json([vars(trace) for trace in found])
    else:
        for trace in found:
            click.echo(f"{LOCATIONS[trace.place]} {trace.reference}")
        click.echo(f"台帳にないもの {len(found)}件")
    if refusal is not None:
        click.echo(refusal.for_people(), err=True)
        sys.exit(NOT_DONE)
    sys.exit(FAULTS if found else 0)


@ledger.command("dismiss", help="台帳にない跡（unrecorded の表示のとおり）を、送受信したものではないと記録する")
@click.argument("references", nargs=-1, required=True)
@BY
@REASON
@with_error_messages
def ledger_dismiss(references: tuple[str, ...], by: str | None, reason: str) -> None:
    """Record a person's statement, after asking the Union: this was not sent, or is not ours."""
    from pipelines.transfer.unrecorded import TraceLocation, dismiss, local_traces, traces_at_union

    environment = environment_of_settings()
    traces = local_traces(environment)
    if any(reference.startswith(f"{TraceLocation.UNION}/") for reference in references):
        with environment.to_union() as transport:
            traces += traces_at_union(environment, transport)
    dismiss(environment, references, operator(environment, by), reason, traces)
    click.echo(f"送受信していないと記録 {len(references)}件")


@ledger.command(
    "retake", help="受信の控えにあって台帳にないファイルを、もう一度受け取る（暗号化・署名を使う設定では隔離に入る）"
)
@BY
@REASON
@with_error_messages
def ledger_retake(by: str | None, reason: str) -> None:
    """After a restore: receive again the archived files that the ledger lost."""
    from pipelines.operations.restoring import receive_again

    environment = environment_of_settings()
    complete = print_received(receive_again(environment, operator(environment, by), reason), "再受領")
    click.echo("続けて取り込みます: renkei run daily --date その日 --only in")
    sys.exit(0 if complete else FAULTS)


@ledger.command("confirm", help="届いたか確認できない送付（unconfirmed）について、連合会に確認した結果を記録する")
@click.argument("entry", type=ENTRY, metavar="番号")
@click.option("--arrived/--not-arrived", "arrived", required=True, help="連合会に届いているか")
@BY
@REASON
@with_error_messages
def ledger_confirm(entry: int, arrived: bool, by: str | None, reason: str) -> None:
    """Record the Union's answer to a person about one file."""
    from pipelines.transfer.sending import outbox

    environment = environment_of_settings()
    decided = outbox(environment, operator=operator(environment, by)).confirm(entry, reason, arrived=arrived)
    click.echo(f"{decided.id} {decided.file_name}: {state_in_words(decided.state)}")
    if not arrived:
        click.echo("その日・その月の送付を再実行すると、もう一度送ります")


@ledger.command("close", help="保管中のファイル（取り込む処理のないもの）をどう処理したかを記録する")
@click.argument("entry", type=ENTRY, metavar="番号")
@BY
@REASON
@with_error_messages
def ledger_close(entry: int, by: str | None, reason: str) -> None:
    """Record what became of a file that nothing applies; it is not named as kept any more."""
    from pipelines.exchange.keeping import close

    environment = environment_of_settings()
    closed = close(environment.ledger.recorder(operator(environment, by)), entry, reason)
    click.echo(f"{closed.id} {closed.file_name}: {state_in_words(closed.state)}")


@ledger.command(
    "upgrade",
    help="台帳を、このプログラムの版に上げる（先に daemon を止め、台帳の控えを取る。途中で止まっても元のままで、再実行できる）",
)
@click.option("--url", help="データベースの所有者としての台帳の URL（PostgreSQL。既定: 設定の ledger_url）")
@click.option("--dry-run", is_flag=True, help="何をするかだけを示す")
@click.option("--by", help="操作者（既定: 設定の operator）")
@with_error_messages
def ledger_upgrade(url: str | None, dry_run: bool, by: str | None) -> None:
    """Print the upgrade, and do it. An older ledger cannot be opened, so only the settings are read."""
    from pipelines.configuration.settings import Settings
    from pipelines.exchange.ledger.database import shown
    from pipelines.exchange.ledger.upgrading import planned
    from pipelines.operations.ledger_upgrade import upgrade_ledger

    settings = Settings.load()
    address = url or settings.ledger
    plan = planned(address)
    click.echo(f"台帳 {shown(address)}: 版 {plan.before or 'なし'} → {plan.after}")
    for version, title in plan.steps.items():
        click.echo(f"  {version} {title}")
    if dry_run:
        click.echo("何も変えていません（--dry-run）")
        return
    done = upgrade_ledger(settings, address, settings.operator if by is None else by)
    click.echo(
        f"台帳を版 {done.after} にしました" if done.steps else f"台帳は版 {done.after} です。することはありません"
    )


@click.command(
    "approve", help="大量・初回の送付を、作成した人とは別の人が承認する（--by がなければ待っているものを示す）"
)
@click.option("--date", "date", type=DATE, help="処理年月日")
@click.option("--month", "month", type=YEAR_MONTH, help="月次のファイルなら年月 YYYY-MM")
@click.option("--by", help="承認する人")
@click.option("--sha256", "hashes", multiple=True, help="承認するファイルのハッシュ値（先頭12桁以上、ファイルごとに）")
@with_error_messages
def approve_command(
    date: dt.datetime | None, month: dt.datetime | None, by: str | None, hashes: tuple[str, ...]
) -> None:
    """Show what waits, or approve exactly the files that were seen."""
    from pipelines.exchange.approval import TwoPersons, approve, awaiting
    from pipelines.exchange.persons import load_titles

    _require_one(date, month)
    environment = environment_of_settings()
    ledger, partition = environment.ledger, (date or month).date()  # type: ignore[union-attr]  # one of them is there
    if by is not None:
        titles = load_titles(environment.catalogue, partition)
        two_persons = TwoPersons(titles, environment.settings.approval.separate_accounts)
        for entry in approve(ledger.recorder(by), partition, hashes, two_persons):
            click.echo(f"{entry.id} {entry.file_name}: {state_in_words(entry.state)}")
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
@with_error_messages
def quarantine_list(as_json: bool) -> None:
    """Every file that waits for a decision."""
    from pipelines.exchange.quarantine import quarantined

    entries = quarantined(environment_of_settings().ledger)
    if as_json:
        say_json([vars(entry) for entry in entries])
        return
    for entry in entries:
        hashed = (entry.sha256 or "")[:12]
        state = padded(state_in_words(entry.state), 14)
        click.echo(f"{entry.id:>6}  {padded(str(entry.partition or '—'), 10)}  {state}  {hashed}  {entry.file_name}")
    click.echo(f"決めるもの {len(entries)}件")


@quarantine.command("show", help="隔離の理由と、対処と、次に実行するコマンド")
@click.argument("entry", type=ENTRY, metavar="番号")
@AS_JSON
@with_error_messages
def quarantine_show(entry: int, as_json: bool) -> None:
    """Why a file waits, and the folder of its copy and reports; for a stale one, the newer file."""
    from pipelines.exchange.quarantine import show
    from pipelines.transfer.receiving import stale_file_error

    environment = environment_of_settings()
    shown = show(environment.ledger, environment.settings.data_folder, entry)
    if shown.entry.state == EntryState.STALE:
        reason = stale_file_error(environment, shown.entry)
        if as_json:
            say_json({"code": reason.code, "message": str(reason), "entry": entry})
        else:
            click.echo(f"{reason.for_people()}\n{_next_commands(shown.entry)}")
        return
    if as_json:
        say_json(shown.report)
        return
    findings = shown.report["report"].get("findings", [])
    click.echo(
        f"{shown.entry.id} {shown.entry.file_name}（{shown.entry.interface or '不明'}）\n置き場所: {shown.folder}"
    )
    click.echo(f"{shown.report['code']} {shown.report['message']}")
    for finding in findings[:SHOWN]:
        click.echo(finding["message"])
    for code in dict.fromkeys((shown.report["code"], *(finding["code"] for finding in findings))):
        click.echo(f"対処（{code}）: {message(code).advise(name=shown.entry.file_name, entry=entry)}")
    click.echo(_next_commands(shown.entry))


def _next_commands(entry: Entry) -> str:
    """The commands that decide on a file, ready to copy. One that can never be applied has only the second."""
    reject = f'  renkei quarantine reject {entry.id} --reason "理由"    # 取り込まない'
    known = entry.interface is not None and entry.partition is not None
    if not known or not (entry.state == EntryState.STALE or entry.is_releasable):
        return f"次にすること（このファイルは解除できません）:\n{reject}"
    from pipelines.operations.inbound_interfaces import state_of_released

    then = "取り込む" if state_of_released(entry) == EntryState.RELEASED else "保管する"
    return f'次にすること:\n  renkei quarantine release {entry.id} --reason "理由"   # 解除して{then}\n{reject}'


@quarantine.command("release", help="隔離を解き、次の取込で取り込む（取り込む処理のないものは保管する）")
@click.argument("entry", type=ENTRY, metavar="番号")
@BY
@REASON
@with_error_messages
def quarantine_release(entry: int, by: str | None, reason: str) -> None:
    """Release a file; its invalid records are not applied."""
    from pipelines.exchange.quarantine import release
    from pipelines.operations.inbound_interfaces import state_of_released

    environment = environment_of_settings()
    recorder = environment.ledger.recorder(operator(environment, by))
    to = state_of_released(recorder.entry(entry))
    decided = release(recorder, environment.file_store, entry, reason, to=to)
    click.echo(f"{decided.id} {decided.file_name}: {state_in_words(decided.state)}")


@quarantine.command("reject", help="隔離したファイルを受け取らないと決める")
@click.argument("entry", type=ENTRY, metavar="番号")
@BY
@REASON
@with_error_messages
def quarantine_reject(entry: int, by: str | None, reason: str) -> None:
    """Reject a file for good; a corrected one may arrive later."""
    from pipelines.exchange.quarantine import reject

    environment = environment_of_settings()
    decided = reject(environment.ledger.recorder(operator(environment, by)), entry, reason)
    click.echo(f"{decided.id} {decided.file_name}: {state_in_words(decided.state)}")
