"""The auditor's report on a month: what was verified, the one page of answers, the exceptions, and the records in detail.

Changes nothing; no personal data. `audit_book` writes it as an Excel book or a page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from pipelines.configuration.calendar import time_in_words, tokyo_time
from pipelines.continuity import decisions
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import ACCOUNT, Event
from pipelines.exchange.ledger.states import EntryState, LedgerEvent
from pipelines.operations import audit_exceptions, audit_summary
from pipelines.operations.audit_scope import By, Scope, day_in_words, month_in_words
from pipelines.operations.audit_verification import VerificationResult, verify
from pipelines.operations.media_register import book_of
from pipelines.tables.operations import MediaRegister

SUMMARY, EXCEPTIONS = "まとめ", "例外"
_FILES: Final = ("日時", "対象", "インタフェース", "ファイル名", "件数", "SHA-256", "現在の状態", "操作者", "起動")


@dataclass(frozen=True)
class Sheet:
    """A sheet: its columns, and in a sentence what is on it and what is not."""

    columns: tuple[str, ...]
    text: str


SHEETS: Final[Mapping[str, Sheet]] = {
    SUMMARY: Sheet(audit_summary.COLUMNS, "「要確認」は、未了のものがあるか、人が判断すべきことを示す。"),
    EXCEPTIONS: Sheet(
        audit_exceptions.COLUMNS,
        "予定どおりでなかったこと。未了は作成の前日の終わりに残っているもの。"
        "失敗は見張り（daemon）が記録した実行の失敗で、台帳の外の記録による。",
    ),
    "送付記録": Sheet(_FILES, "連合会に送付したファイル。"),
    "受領": Sheet(_FILES, "連合会から受領し、取り込んだファイル。"),
    "継続の判定": Sheet(
        ("日時", "月", "候補番号", "判定案", "規則", "判定", "備考", "判定者", "承認者", "操作者"),
        "世帯の継続性の判定。判定案はプログラムの案、判定は担当者が決めたもの。",
    ),
    "承認": Sheet(
        (*_FILES[:6], "作成のアカウント", "承認のアカウント", "作成者", "承認者"),
        "二人目が承認したファイル。",
    ),
    "手作業": Sheet(
        ("日時", "処理内容", "対象", "理由", "操作者", "起動"),
        "人だけが行うこと（解除・却下・取下げ・確認・承認・取込み・媒体・鍵など）と、ほかの手段での送付。",
    ),
    "時間外": Sheet(
        audit_summary.OUT_OF_HOURS,
        "業務時間（営業日の7時から22時）の外に人が行ったこと。予定・見張りによる実行は含まない。"
        "「記録なし」は、起動の別を記録する前の版の記録で、人だけが行うことに限って数えた。",
    ),
    "媒体管理簿": Sheet(tuple(MediaRegister.names()), "電子記録媒体の書き出し・読み取り・消去。"),
    "鍵": Sheet(("日時", "処理内容", "用途", "鍵", "証明書の SHA-256", "理由", "操作者"), "鍵の作成・更新・廃棄。"),
    "消去": Sheet(
        ("日時", "ファイル", "保管場所", "対象", "保存月数", "消去前の SHA-256", "結果", "操作者", "起動"),
        "保存期間を過ぎて消去したファイル。",
    ),
}
ANSWERS: Final = {"continued": "継続", "not_continued": "非継続", "unclear": "要確認", "postponed": "保留"}
_KEY_USES: Final = {LedgerEvent.KEY_CREATED: "作成", LedgerEvent.KEY_ROTATED: "更新", LedgerEvent.KEY_RETIRED: "廃棄"}
_KEY_PURPOSES: Final = {
    "transfer": "送受（署名・暗号化）",
    "records": "控えと個人情報の列",
    "my_number": "個人番号の表",
}
_ERASURES: Final = {LedgerEvent.ERASED: "消去", LedgerEvent.NOT_ERASED: "消せなかった（{reason}）"}
# What anybody can do without this program; docs/operations.md has the commands.
CHECKS: Final = (
    "台帳の表 events の各行について、row_hash を除く全列を、列名の順に並べた空白のない JSON（UTF-8）にし、"
    "その SHA-256 が row_hash と一致すること",
    "各行の previous_hash が前の行の row_hash と一致し（1行目は0が64個）、sequence が1から連続すること",
    "この表紙の行番号の row_hash が、この表紙の「最終行のハッシュ値」と一致すること（後の行が加わっていても変わらない）",
    "控え（data/outbox、data/archive の .p7m）を openssl cms -decrypt で開き、その SHA-256 が「送付記録」「受領」の値と一致すること",
)
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Report:
    """A report: cover (caption and text), how to check it without this program, and a table for each of SHEETS."""

    title: str
    cover: list[tuple[str, str]]
    tables: Mapping[str, pl.DataFrame]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was done in, or for, the month."""
        return all(table.is_empty() for name, table in self.tables.items() if name not in (SUMMARY, EXCEPTIONS))


def report(environment: Environment, month: dt.date, by: By, made_by: str) -> Report:
    """The report on a month (its first day): of what was done in it, or for it. The whole ledger is verified for it."""
    scope, now = Scope.of(environment, month, by), environment.ledger.now()
    yesterday = now.date() - dt.timedelta(days=1)  # what is due today may still come
    found = verify(environment, made_by)
    excepted = audit_exceptions.exceptions(scope, yesterday)
    rows: dict[str, Rows] = {
        SUMMARY: audit_summary.questions(scope, excepted, yesterday),
        EXCEPTIONS: excepted,
        "送付記録": _files(scope, EntryState.SENT),
        "受領": _files(scope, EntryState.APPLIED),
        "継続の判定": _decided(scope),
        "承認": _approved(scope),
        "手作業": _by_hand(scope),
        "時間外": audit_summary.out_of_hours(scope),
        "媒体管理簿": book_of(scope.events).rows(),
        "鍵": _keys(scope),
        "消去": _erased(scope),
    }
    tables = {
        name: pl.DataFrame(rows[name], schema=dict.fromkeys(sheet.columns, pl.String), orient="row")
        for name, sheet in SHEETS.items()
    }
    return Report(f"監査報告書　{scope.title}", _cover(scope, found, now, made_by), tables)


def _cover(scope: Scope, found: VerificationResult, now: dt.datetime, made_by: str) -> list[tuple[str, str]]:
    own = scope.environment.settings
    code = f"市区町村コード {own.municipality_code}、保険者番号 {own.insurer_number}"
    last = f"（{found.last.sequence}行目）" if found.last else ""
    lines = [
        ("市区町村", f"{own.municipality_name}（{code}）" if own.municipality_name else code),
        ("対象", scope.in_words()),
        ("作成日時", f"{day_in_words(now.date())} {now:%H:%M}"),
        ("作成者", made_by),
        *found.lines(),
        ("照合の結果", f"不一致 {len(found.faults)}件"),
        *((fault.code, fault.text) for fault in found.faults),
    ]
    return [(caption, text + last if caption == "最終行のハッシュ値" else text) for caption, text in lines]


def _files(scope: Scope, action: str) -> Rows:
    """The files that were sent, or applied."""
    return [
        (*scope.file_cells(event, entry), *scope.who(event))
        for event in scope.of_groups({action})
        if (entry := scope.entry(event))
    ]


def _approved(scope: Scope) -> Rows:
    """The files that a second person approved: maker and approver, each with their account."""
    rows: Rows = []
    for event in scope.of_groups({EntryState.APPROVED}):
        if entry := scope.entry(event):
            made = scope.environment.ledger.events(event.entry_id)[0]
            accounts = [str(one.detail.get(ACCOUNT, "")) for one in (made, event)]
            rows.append((*scope.file_cells(event, entry)[:6], *accounts, made.operator, event.operator))
    return rows


def _keys(scope: Scope) -> Rows:
    return [
        (
            time_in_words(event.at),
            _KEY_USES[LedgerEvent(event.action)],
            _KEY_PURPOSES.get(event.detail["purpose"], event.detail["purpose"]),
            *_details(event, "key", "certificate_sha256", "reason"),
            event.operator,
        )
        for event in scope.of_groups(set(_KEY_USES))
    ]


def _erased(scope: Scope) -> Rows:
    return [
        (
            time_in_words(event.at),
            *_details(event, "file", "store", "kept_since", "months", "stored_sha256"),
            _ERASURES[LedgerEvent(event.action)].format(reason=event.detail.get("reason")),
            *scope.who(event),
        )
        for event in scope.of_groups(set(_ERASURES))
    ]


def _by_hand(scope: Scope) -> Rows:
    return [
        (
            time_in_words(event.at),
            "ほかの手段での送付" if event.detail.get("other_means") else scope.words(event).name,
            scope.subject(event),
            *_details(event, "reason"),
            *scope.who(event),
        )
        for event in audit_summary.by_hand(scope)
    ]


def _details(event: Event, *names: str) -> tuple[str, ...]:
    return tuple(str(event.detail.get(name) or "") for name in names)


def _decided(scope: Scope) -> Rows:
    """The decisions on 世帯の継続性 that were made in, or for, the month."""
    with scope.environment.ledger.viewing() as view:
        rows = decisions.everything(view)
    names = ("candidate_number", "proposal", "rule", "decision", "remark", "decided_by", "approved_by", "operator")
    return [
        (
            time_in_words(row["at"]),
            month_in_words(row["month"]),
            *(ANSWERS.get(str(row[name]), str(row[name])) for name in names),
        )
        for row in rows.iter_rows(named=True)
        if (row["month"] if scope.by is By.PROCESSED else tokyo_time(row["at"]).date().replace(day=1)) == scope.month
    ]
