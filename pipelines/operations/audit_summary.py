"""The auditor's one page: was everything decided, sent once and answered; what was done by hand; what was erased."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from dateutil.relativedelta import relativedelta

from interfaces.messages import RenkeiError
from pipelines.configuration.calendar import business_days, time_in_words, tokyo_time
from pipelines.continuity import decisions
from pipelines.continuity import monthly as continuity
from pipelines.exchange.ledger.entry import Event
from pipelines.exchange.ledger.states import (
    DECIDABLE_STATES,
    SENT_STATES,
    Direction,
    EntryState,
    LedgerEvent,
)
from pipelines.exchange.ledger.words import ORIGINS, Deed
from pipelines.operations.audit_scope import By, Scope, is_office_hour, month_in_words
from pipelines.operations.outstanding import RECEPTION
from pipelines.transfer.baseline import SENT_FILES, days_not_sent

COLUMNS: Final = ("問い", "答え", "件数と内容", "詳しくは")
CANDIDATES: Final = "continuity_candidates"
OUT_OF_HOURS: Final = ("操作者", "起動", "処理内容", "件数", "うち休日", "最初", "最後")
Row = tuple[str, ...]


class Answer(StrEnum):
    """The answer to a question. To look at: something is open, or only a person can say."""

    YES = "はい"
    TO_LOOK_AT = "要確認"
    NONE = "該当なし"

    @classmethod
    def of(cls, asked: int, *, open_: int) -> Answer:
        """Of things asked about, of which some are open."""
        if open_:
            return cls.TO_LOOK_AT
        return cls.YES if asked else cls.NONE


@dataclass(frozen=True)
class Sending:
    """The days of the month of a report, and what became of them. `due`: business days up to then since the first sending."""

    due: int
    quiet: int
    missing: list[dt.date]


def questions(scope: Scope, excepted: Sequence[Row], until: dt.date) -> list[Row]:
    """Question, answer, figures and the sheet that holds the details, as of the end of `until`: see COLUMNS."""
    asked: list[Callable[[], Row]] = [
        lambda: _decided(scope, until),
        lambda: _quarantine_decided(scope),
        lambda: _all_sent(scope, until),
        lambda: _sent_once(scope),
        lambda: _answered(scope),
        lambda: _approved(scope),
        lambda: _by_hand(scope),
        lambda: _out_of_hours(scope),
        lambda: _erased(scope),
        lambda: _otherwise(excepted),
    ]
    return [question() for question in asked]


def _decided(scope: Scope, until: dt.date) -> Row:
    question = "継続候補世帯をすべて判定したか"
    asked = undecided = postponed = 0
    answers = []
    for month in _months(scope):
        try:
            found = continuity.status(scope.environment, month, until)
        except RenkeiError as error:  # erased, or not in the Union's calendar
            answers.append(f"{month_in_words(month)}: {error}")
            continue
        if not found.listed:
            answers.append(f"{month_in_words(month)}: 継続候補世帯リストは未着（配信日 {found.candidates_on}）")
            undecided += found.candidates_on <= until
            continue
        candidates = sum(found.proposals.values())
        asked, undecided, postponed = asked + candidates, undecided + found.undecided, postponed + found.postponed
        answers.append(
            f"{month_in_words(month)}: 候補 {candidates}件、判定済み {found.decided}件（うち保留 {found.postponed}件）、"
            f"未判定 {found.undecided}件"
        )
    answer = Answer.of(asked, open_=undecided + postponed)
    return question, answer, "。".join(answers) or "対象の月はありません", "継続の判定"


def _months(scope: Scope) -> list[dt.date]:
    """The 処理年月 whose candidates came, or were decided on, in the report's month; or that month itself."""
    if scope.by is By.PROCESSED:
        return [scope.month]
    came = {
        entry.partition
        for event in scope.of_groups({EntryState.APPLIED})
        if (entry := scope.entry(event)) and entry.interface == CANDIDATES and entry.partition
    }
    with scope.environment.ledger.viewing() as view:
        rows = decisions.everything(view)
    decided = {row["month"] for row in rows.iter_rows(named=True) if _is_of(scope, row["at"])}
    return sorted(came | decided)


def _is_of(scope: Scope, at: str) -> bool:
    return tokyo_time(at).date().replace(day=1) == scope.month


def _quarantine_decided(scope: Scope) -> Row:
    entries = {event.entry_id for event in scope.of_groups({EntryState.QUARANTINED, EntryState.STALE})}
    waiting = [scope.entries[i] for i in entries if i and scope.entries[i].state in DECIDABLE_STATES]
    text = f"隔離・後着 {len(entries)}件、処置済み {len(entries) - len(waiting)}件、未決定 {len(waiting)}件"
    return "隔離したファイルの処置を決めたか", Answer.of(len(entries), open_=len(waiting)), text, "例外"


def _all_sent(scope: Scope, until: dt.date) -> Row:
    found = _sending(scope, until)
    days = "、".join(day.isoformat() for day in found.missing[:10])
    more = f"（{days}{' ほか' if len(found.missing) > 10 else ''}）" if found.missing else ""
    text = f"{month_in_words(scope.month)}の営業日 {found.due}日、うち異動なし {found.quiet}日、未送付 {len(found.missing)}日{more}"
    return "送付すべき日をすべて送付したか", Answer.of(found.due, open_=len(found.missing)), text, "送付記録"


def _sending(scope: Scope, until: dt.date) -> Sending:
    ledger, last = scope.environment.ledger, min(until, scope.month + relativedelta(months=1, days=-1))
    entries = ledger.entries(direction=Direction.OUTBOUND, interfaces=SENT_FILES)
    began = min((entry.partition for entry in entries if entry.partition), default=None)
    if began is None or began > last:
        return Sending(0, 0, [])
    first = max(scope.month, began)
    days = list(business_days(first, last + dt.timedelta(days=1)))
    quiet = {event.detail.get("partition") for event in ledger.events_of(LedgerEvent.QUIET_DAY)}
    missing = days_not_sent(scope.environment, first, last)
    return Sending(len(days), sum(day.isoformat() in quiet for day in days), missing)


def _sent_once(scope: Scope) -> Row:
    """Whether two files of one day (month) and interface are both in force at the Union."""
    sent = [scope.entries[e.entry_id] for e in scope.of_groups({EntryState.SENT}) if e.entry_id]
    in_force = Counter((entry.interface, entry.partition) for entry in sent if entry.state in SENT_STATES)
    twice = [key for key, times in in_force.items() if times > 1]
    again = sum(entry.state in (EntryState.RECALLED, EntryState.REJECTED) for entry in sent)
    text = f"送付 {len(sent)}件、二重の送付 {len(twice)}件、取下げ又は却下の後に再送したもの {again}件"
    return "同じものを一度だけ送付したか", Answer.of(len(sent), open_=len(twice)), text, "送付記録"


def _answered(scope: Scope) -> Row:
    question, sheet = "送付したファイルに連合会の返事があったか", "送付記録"
    sent = [scope.entries[e.entry_id] for e in scope.of_groups({EntryState.SENT}) if e.entry_id]
    states = Counter(entry.state for entry in sent)
    if RECEPTION in scope.environment.settings.switched_off_interfaces:
        return question, Answer.NONE, "受付結果のファイルを受け取らない設定です。連合会の画面で確認してください", sheet
    open_ = states[EntryState.SENT]
    text = f"受付 {states[EntryState.ACCEPTED]}件、却下 {states[EntryState.REJECTED]}件、返事なし {open_}件"
    return question, Answer.of(len(sent), open_=open_), text, sheet


def _approved(scope: Scope) -> Row:
    approved = list(scope.of_groups({EntryState.APPROVED}))
    same = [event for event in approved if _maker(scope, event) == event.operator]
    text = f"承認 {len(approved)}件、作成者と承認者の名前が同じもの {len(same)}件"
    return "承認は作成者とは別の者が行ったか", Answer.of(len(approved), open_=len(same)), text, "承認"


def _maker(scope: Scope, event: Event) -> str:
    return scope.environment.ledger.events(event.entry_id)[0].operator


def _by_hand(scope: Scope) -> Row:
    counted = Counter(scope.words(event).name for event in by_hand(scope))
    text = "、".join(f"{name} {times}件" for name, times in counted.most_common()) or "0件"
    unexplained = sum(not event.detail.get("reason") for event in by_hand(scope) if _needs_reason(event))
    answer = Answer.of(counted.total(), open_=unexplained)
    return "手作業には理由が記録されているか", answer, text, "手作業"


def _needs_reason(event: Event) -> bool:
    """Decisions on continuity have their remark, and approvals are by the hash of the content."""
    return event.action not in _WITHOUT_REASON


_WITHOUT_REASON: Final = frozenset(
    {EntryState.APPROVED, LedgerEvent.WORKSHEET_IMPORTED, LedgerEvent.TYPED, LedgerEvent.LEDGER_UPGRADED}
)


def by_hand(scope: Scope) -> Iterator[Event]:
    """What only a person does: confirmations, decisions, imports; and files recorded as sent by other means."""
    for event in scope.events:
        if scope.words(event).deed is Deed.BY_HAND or event.detail.get("other_means"):
            yield event


def _out_of_hours(scope: Scope) -> Row:
    rows = out_of_hours(scope)
    text = f"{sum(int(row[3]) for row in rows)}件（{len({row[0] for row in rows})}人）"
    return (
        "時間外・休日に人が行ったことはないか",
        Answer.TO_LOOK_AT if rows else Answer.YES,
        text if rows else "0件",
        "時間外",
    )


def out_of_hours(scope: Scope) -> list[Row]:
    """What people did outside office hours, by person, start and kind: see OUT_OF_HOURS. Nothing that ran by itself."""

    def key(event: Event) -> Row:
        return event.operator, ORIGINS[event.origin], scope.words(event).name

    found = [
        event
        for event in scope.events
        if scope.is_by_hand(event)
        and scope.words(event).deed is not Deed.STEP
        and not is_office_hour(tokyo_time(event.at))
    ]
    rows = []
    for names, group in groupby(sorted(found, key=lambda event: (key(event), event.sequence)), key):
        times = [tokyo_time(event.at) for event in group]
        closed = sum(not is_office_hour(time.replace(hour=12)) for time in times)
        ends = [time_in_words(time.isoformat()) for time in (times[0], times[-1])]
        rows.append((*names, str(len(times)), str(closed), *ends))
    return rows


def _erased(scope: Scope) -> Row:
    counted = Counter(event.action for event in scope.events)
    gone, failed = counted[LedgerEvent.ERASED], counted[LedgerEvent.NOT_ERASED]
    media = counted[LedgerEvent.MEDIA_ERASED]
    text = f"保存期間を過ぎたファイル {gone}件、媒体 {media}件、消去の失敗 {failed}件"
    return "消去したものは記録されているか", Answer.of(gone + media, open_=failed), text, "消去"


def _otherwise(excepted: Sequence[Row]) -> Row:
    counted = Counter(row[0] for row in excepted)
    text = "、".join(f"{name} {times}件" for name, times in counted.items()) or "0件"
    answer = Answer.TO_LOOK_AT if counted else Answer.YES
    return "例外（予定どおりでなかったこと）はないか", answer, text, "例外"
