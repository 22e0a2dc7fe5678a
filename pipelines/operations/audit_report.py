"""The monthly report for the auditor, who did what: sheets of an Excel book, or a page. Changes nothing; no personal data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from interfaces.new_books import new_book, print_on_a4
from pipelines.configuration.calendar import is_business_day, time_in_words, tokyo_time
from pipelines.continuity import decisions
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import ACCOUNT, Entry, Event
from pipelines.exchange.ledger.states import EntryState, LedgerEvent
from pipelines.operations.media_register import book_of
from pipelines.storage.files import write_durably
from pipelines.tables.operations import MediaRegister

# 時間外: before the offices open or after the evening's re-runs, and on days on which the Union is closed.
OPEN_FROM, OPEN_UNTIL = dt.time(7), dt.time(22)
# What an operator did by hand, as opposed to what a run did by itself.
BY_HAND: dict[str, str] = {
    EntryState.RECALLED: "訂正再送のための取下げ",
    EntryState.RELEASED: "隔離の解除",
    EntryState.REJECTED: "隔離の却下",
    LedgerEvent.LOSS_CONFIRMED: "抽出の減少の確認",
    LedgerEvent.WORKSHEET_IMPORTED: "判定表の取込",
    LedgerEvent.TYPED: "入力票の取込",
}
SHEETS: Mapping[str, tuple[str, ...]] = {
    "送付記録": ("日時", "対象", "インタフェース", "ファイル名", "件数", "SHA-256", "状態", "操作者"),
    "受領": ("日時", "対象", "インタフェース", "ファイル名", "件数", "SHA-256", "状態", "操作者"),
    "継続の判定": ("日時", "月", "候補番号", "判定案", "規則", "判定", "備考", "判定者", "承認者", "操作者"),
    "承認": (
        "日時",
        "対象",
        "インタフェース",
        "ファイル名",
        "件数",
        "SHA-256",
        "作成のアカウント",
        "承認のアカウント",
        "作成者",
        "承認者",
    ),
    "媒体管理簿": tuple(MediaRegister.names()),
    "鍵": ("日時", "何を", "用途", "鍵", "証明書の SHA-256", "理由", "操作者"),
    "消去": ("日時", "ファイル", "保管場所", "対象", "保存月数", "消去前の SHA-256", "結果", "操作者"),
    "手作業": ("日時", "何を", "対象", "理由", "操作者"),
    "時間外": ("日時", "何を", "対象", "操作者"),
}
# The ledger's states in the words of the report.
STATES = {
    EntryState.SENT: "送付済み",
    EntryState.ACCEPTED: "受付済み",
    EntryState.REJECTED: "却下",
    EntryState.RECALLED: "取下げ",
    EntryState.APPROVED: "承認済み",
    EntryState.SEALED: "暗号化・署名済み",
    EntryState.WRITTEN: "作成済み",
    EntryState.SENDING: "送付中",
    EntryState.UPLOADED: "送付中",
    EntryState.UNCONFIRMED: "届いたか未確認",
    EntryState.SUPERSEDED: "後の日に含む",
    EntryState.WITHDRAWN: "再作成",
    EntryState.APPLIED: "取込済み",
    EntryState.VERIFIED: "検証済み",
    EntryState.QUARANTINED: "隔離中",
    EntryState.RELEASED: "隔離を解除",
    EntryState.STALE: "古い内容",
    EntryState.DUPLICATE: "重複",
}
ANSWERS = {"continued": "継続", "not_continued": "非継続", "unclear": "要確認", "postponed": "保留"}
ERASURES: dict[str, str] = {LedgerEvent.ERASED: "消去", LedgerEvent.NOT_ERASED: "消せなかった（{reason}）"}
KEY_USES: dict[str, str] = {
    LedgerEvent.KEY_CREATED: "作成",
    LedgerEvent.KEY_ROTATED: "更新",
    LedgerEvent.KEY_RETIRED: "廃棄",
}


# Columns whose texts may take more than one line; the others stay on one.
WIDE = ("理由", "備考", "判定案")
_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("pipelines.operations"), autoescape=True, undefined=jinja2.StrictUndefined
)


Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class _Month:
    """A calendar month in the ledger: its events, oldest first, and all entries by id."""

    environment: Environment
    first: dt.date
    events: list[Event]
    entries: Mapping[int, Entry]

    @classmethod
    def of(cls, environment: Environment, month: dt.date) -> _Month:
        """The month that begins on a day, in Asia/Tokyo."""
        events = [event for event in environment.ledger.events() if _is_in(event.at, month)]
        return cls(environment, month, events, {entry.id: entry for entry in environment.ledger.entries()})

    def subject(self, event: Event) -> str:
        """What an event is about: the name of its file, or its month or day."""
        if event.entry_id is not None:
            return self.entries[event.entry_id].file_name
        return str(event.detail.get("month") or event.detail.get("partition") or "")

    def of_file(self, event: Event, entry: Entry) -> tuple[str, ...]:
        """An event of a file as a row: time, partition, interface, name, records, SHA-256, state, operator."""
        name = self.environment.catalogue.versions(entry.interface)[-1].layout.name if entry.interface else ""
        return (
            time_in_words(event.at),
            str(entry.partition or ""),
            name,
            entry.file_name,
            "" if entry.records is None else str(entry.records),
            str(entry.sha256 or ""),
            STATES.get(entry.state, entry.state),
            event.operator,
        )


def report(environment: Environment, month: dt.date) -> dict[str, pl.DataFrame]:
    """What happened in a calendar month (its first day, Asia/Tokyo), by sheet: see SHEETS. No personal data."""
    audited = _Month.of(environment, month)
    rows: dict[str, Rows] = {
        "送付記録": _files(audited, EntryState.SENT),
        "受領": _files(audited, EntryState.APPLIED),
        "継続の判定": _decided(audited),
        "承認": _approved(audited),
        "媒体管理簿": book_of(audited.events).rows(),
        "鍵": _keys(audited),
        "消去": _erased(audited),
        "手作業": [*_by_hand(audited), *_by_other_means(audited)],
        "時間外": _out_of_hours(audited),
    }
    return {
        name: pl.DataFrame(rows[name], schema=dict.fromkeys(columns, pl.String), orient="row")
        for name, columns in SHEETS.items()
    }


def _is_in(at: str, month: dt.date) -> bool:
    return tokyo_time(at).date().replace(day=1) == month


def _files(audited: _Month, action: str) -> Rows:
    """The files that were sent, or applied."""
    return [
        audited.of_file(event, audited.entries[event.entry_id])
        for event in audited.events
        if event.entry_id and event.action == action
    ]


def _approved(audited: _Month) -> Rows:
    """The files that a second person approved: maker and approver, each with their account."""
    rows: Rows = []
    for event in audited.events:
        if event.action == EntryState.APPROVED and event.entry_id:
            made = audited.environment.ledger.events(event.entry_id)[0]
            accounts = [str(ledger_event.detail.get(ACCOUNT, "")) for ledger_event in (made, event)]
            file = audited.of_file(event, audited.entries[event.entry_id])[:6]
            rows.append((*file, *accounts, made.operator, event.operator))
    return rows


def _keys(audited: _Month) -> Rows:
    return [
        (
            time_in_words(event.at),
            KEY_USES[event.action],
            *_details(event, "purpose", "key", "certificate_sha256", "reason"),
            event.operator,
        )
        for event in audited.events
        if event.action in KEY_USES
    ]


def _erased(audited: _Month) -> Rows:
    return [
        (
            time_in_words(event.at),
            *_details(event, "file", "store", "kept_since", "months", "stored_sha256"),
            ERASURES[event.action].format(reason=event.detail.get("reason")),
            event.operator,
        )
        for event in audited.events
        if event.action in ERASURES
    ]


def _by_hand(audited: _Month) -> Rows:
    return [
        (
            time_in_words(event.at),
            BY_HAND[event.action],
            audited.subject(event),
            str(event.detail.get("reason", "")),
            event.operator,
        )
        for event in audited.events
        if event.action in BY_HAND
    ]


def _by_other_means(audited: _Month) -> Rows:
    """Files that were recorded as delivered to the Union by other means."""
    return [
        (
            time_in_words(event.at),
            "ほかの手段での送付",
            audited.subject(event),
            str(event.detail["reason"]),
            event.operator,
        )
        for event in audited.events
        if event.action == EntryState.SENT and event.detail.get("other_means")
    ]


def _out_of_hours(audited: _Month) -> Rows:
    """What was done outside office hours; BELONGS_TO is written by the program itself."""
    return [
        (time_in_words(event.at), event.action, audited.subject(event), event.operator)
        for event in audited.events
        if event.action != LedgerEvent.BELONGS_TO and not _is_office_hour(tokyo_time(event.at))
    ]


def _is_office_hour(at: dt.datetime) -> bool:
    return is_business_day(at.date()) and OPEN_FROM <= at.time() < OPEN_UNTIL


def _details(event: Event, *names: str) -> tuple[str, ...]:
    return tuple(str(event.detail.get(name) or "") for name in names)


def _decided(audited: _Month) -> Rows:
    """The decisions on 世帯の継続性 that were made in the month."""
    with audited.environment.ledger.viewing() as view:
        rows = decisions.everything(view)
    names = (
        "month",
        "candidate_number",
        "proposal",
        "rule",
        "decision",
        "remark",
        "decided_by",
        "approved_by",
        "operator",
    )
    return [
        (time_in_words(row["at"]), *(ANSWERS.get(str(row[name]), str(row[name])) for name in names))
        for row in rows.iter_rows(named=True)
        if _is_in(row["at"], audited.first)
    ]


def write_report(tables: Mapping[str, pl.DataFrame], month: dt.date, path: Path) -> None:
    """The report as an Excel book, a sheet per table; text stays text, and the same month gives the same bytes."""
    data = BytesIO()
    with new_book(data, f"監査報告 {month:%Y-%m}") as book:
        bold = book.add_format({"bold": True, "bg_color": "#D9E2F3", "border": 1})
        for name, table in tables.items():
            _sheet(book.add_worksheet(name), table.columns, table.rows(), bold)
    write_durably(path, data.getvalue())


def write_html(tables: Mapping[str, pl.DataFrame], month: dt.date, path: Path) -> None:
    """The report as a page for a browser and for A4 paper; everything in it is escaped."""
    page = _pages.get_template("report.html").render(month=f"{month:%Y年%-m月}", tables=tables, wide=WIDE)
    write_durably(path, page.encode())


def _sheet(sheet: Any, headings: Sequence[str], rows: Sequence[tuple[Any, ...]], bold: Any) -> None:
    for column, heading in enumerate(headings):
        sheet.write_string(0, column, heading, bold)
        for row, cells in enumerate(rows, 1):
            sheet.write_string(row, column, cells[column])
        sheet.set_column(column, column, max(12, min(40, *(len(cells[column]) for cells in rows), 40)) if rows else 12)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    print_on_a4(sheet)
