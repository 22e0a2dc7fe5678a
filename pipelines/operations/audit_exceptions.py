"""What an auditor looks at first: what went otherwise than planned, each with how it ended. Changes nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Final

from interfaces.messages import message, messages
from pipelines.configuration.calendar import business_days_between, time_in_words, tokyo_time
from pipelines.exchange.ledger.entry import Entry, Event
from pipelines.exchange.ledger.states import DECIDABLE_STATES, Direction, EntryState
from pipelines.exchange.ledger.words import event_words, exception_groups, state_word
from pipelines.operations.audit_scope import By, Scope, month_in_words
from pipelines.operations.outstanding import outstanding

COLUMNS: Final = (
    "種類",
    "日時",
    "対象",
    "インタフェース",
    "ファイル名・対象",
    "内容・理由",
    "その後",
    "操作者",
    "起動",
)
OPEN, FAILED, LATE, LOST = "未了", "失敗", "遅延", "抽出の減少"
OVERDUE_MONTH: Final = "KR-6505"
ALERTS: Final = "alerts.log"
Row = tuple[str, ...]


def exceptions(scope: Scope, until: dt.date) -> list[Row]:
    """Everything that went otherwise than planned, by group: see COLUMNS. First what is still open at the end of `until`."""
    rows = [*_still_open(scope, until), *_failed(scope), *_recorded(scope), *_late(scope)]
    order = [OPEN, FAILED, *(group for group in exception_groups() if group != LATE), LATE]
    return sorted(rows, key=lambda row: (order.index(row[0]), row[1], row[4]))


def _still_open(scope: Scope, until: dt.date) -> Iterator[Row]:
    """What is due and not there; of the days and months of the report's month only."""
    found = outstanding(scope.environment, until)
    for code, title, subject, partition, due, age, _ in found.rows():
        if partition.replace(day=1) == scope.month:
            of = month_in_words(partition) if code == OVERDUE_MONTH else partition.isoformat()
            yield OPEN, due.isoformat(), of, "", subject, f"{code} {title}", f"期限から{age}営業日", "", ""


def _failed(scope: Scope) -> Iterator[Row]:
    """Runs that failed, as far as the daemon's watch saw them: they are not in the ledger."""
    path = scope.environment.settings.data_folder / ALERTS
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        alert = json.loads(line)
        codes = [one["code"] for one in alert.get("codes", ()) if one["code"] in messages()]
        day = alert.get("time" if scope.by is By.DEED else "partition") or ""
        if codes and day.startswith(f"{scope.month:%Y-%m}") and not alert["command"].startswith("renkei expected"):
            texts = "、".join(f"{code} {message(code).title}" for code in codes)
            yield FAILED, time_in_words(alert["time"]), alert["partition"], "", alert["job"], texts, "", "", ""


def _recorded(scope: Scope) -> Iterator[Row]:
    for event in scope.events:
        words, entry = scope.words(event), scope.entry(event)
        if not words.exception:
            continue
        yield (
            words.exception,
            time_in_words(event.at),
            scope.partition(entry) if entry else str(event.detail.get("partition") or ""),
            scope.interface(entry) if entry else "",
            scope.subject(event),
            "。".join(filter(None, (words.name, _facts(event)))),
            _ending(scope, event, entry),
            *scope.who(event),
        )


def _facts(event: Event) -> str:
    """Reason and figures of an event, in words."""
    detail = event.detail
    lost = f"{detail['before']}行から{detail['now']}行" if "before" in detail and "now" in detail else ""
    code = str(detail.get("code") or "")
    title = f"{code} {message(code).title}" if code in messages() else ""
    later = f"{detail['later']} の送付に含む" if detail.get("later") else ""
    return "。".join(filter(None, (lost, title, later, str(detail.get("reason") or ""))))


def _ending(scope: Scope, event: Event, entry: Entry | None) -> str:
    """What became of a file: its present state, and who decided about it."""
    if entry is None:
        return ""
    if entry.state in DECIDABLE_STATES:
        return f"{state_word(entry.state, entry.direction)}（処置は未決定）"
    decided = [
        later
        for later in scope.environment.ledger.events(entry.id)
        if later.sequence > event.sequence
        and later.action in (EntryState.RELEASED, EntryState.KEPT, EntryState.REJECTED)
    ]
    by = "、".join(
        f"{event_words(one.action, entry.direction).name} {time_in_words(one.at)} {one.operator}"
        + (f"（{one.detail['reason']}）" if one.detail.get("reason") else "")
        for one in decided
    )
    return "。".join(filter(None, (state_word(entry.state, entry.direction), by)))


def _late(scope: Scope) -> Iterator[Row]:
    """Days whose files were sent on a later day: a row for each day."""
    late: dict[tuple[str, str], tuple[Event, list[str]]] = {}
    for event in scope.events:
        entry = scope.entry(event)
        if entry is None or entry.direction != Direction.OUTBOUND or event.action != EntryState.SENT:
            continue
        sent_on = tokyo_time(event.at).date()
        if entry.partition and not scope.is_monthly(entry) and sent_on > entry.partition:
            key = (entry.partition.isoformat(), sent_on.isoformat())
            late.setdefault(key, (event, []))[1].append(entry.file_name)
    for (day, done), (event, names) in late.items():
        age = business_days_between(dt.date.fromisoformat(day), dt.date.fromisoformat(done))
        text = f"対象の日から{age}営業日後に送付"
        yield LATE, time_in_words(event.at), day, "", "、".join(names), text, "", *scope.who(event)
