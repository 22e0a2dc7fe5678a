"""What is overdue on a day: not sent, not answered, not confirmed, or waiting. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import polars as pl
from dateutil.relativedelta import relativedelta

from interfaces.messages import RenkeiError, message
from pipelines.configuration.calendar import MonthlyDays, business_days_between, monthly_days, tokyo_time
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import SENT_STATES, WAITING_STATES, Direction, EntryState
from pipelines.exchange.left_behind import left_behind
from pipelines.tables.operations import Outstanding
from pipelines.transfer.baseline import SENT_FILES, days_not_sent

NOT_RECEIVED = frozenset({EntryState.REJECTED, EntryState.STALE})
RECEPTION, MONTHS_LOOKED_BACK = "reception_result", 12
Row = tuple[str, str, dt.date, dt.date]


def outstanding(environment: Environment, on: dt.date) -> pl.DataFrame:
    """Everything that is overdue at the end of `on`: `Outstanding`, oldest first. File names and ages, never a person.

    Before the first sending there is one row (KR-6506), so that a wrong data folder is noticed. The Union answers in the
    night after a sending, so its answers are due on the next calendar day.
    """
    entries = environment.ledger.entries()
    rows = [
        *_days(environment, entries, on),
        *_waiting(entries, on),
        *_left_files(environment, on),
        *_months(environment, entries, on),
    ]
    texts = [
        (code, message(code).title, subject, partition, due, business_days_between(due, on), message(code).remedy)
        for code, subject, partition, due in rows
    ]
    return Outstanding.of(texts).sort("due_on", "code", "subject")


def _daily_files(entries: list[Entry]) -> list[Entry]:
    return [e for e in entries if e.direction == Direction.OUTBOUND and e.interface in SENT_FILES]


def _days(environment: Environment, entries: list[Entry], on: dt.date) -> Iterator[Row]:
    off = environment.settings.switched_off_interfaces
    sent = [e for e in _daily_files(entries) if e.partition is not None]
    if not sent:
        yield "KR-6506", "資格情報", on, on
        return
    first = min(e.partition for e in sent if e.partition is not None)
    for day in days_not_sent(environment, first, on):
        yield "KR-6501", "資格情報", day, day
    catalogue = environment.catalogue
    answers = [interface for interface in catalogue.of_cycle("daily", "from_union") if interface not in off]
    # A rejected file is expected again: the Union owes a corrected one. A stale one was not applied.
    arrived = {
        (e.interface, e.partition) for e in entries if e.direction == Direction.INBOUND and e.state not in NOT_RECEIVED
    }
    for day in sorted({e.partition for e in sent if e.state in SENT_STATES and e.partition is not None}):
        due = day + dt.timedelta(days=1)
        if due > on:
            continue
        for interface in answers:
            if (interface, day) not in arrived:
                yield "KR-6502", catalogue.versions(interface)[-1].layout.name, day, due
        for entry in sent:
            if entry.partition == day and entry.state == EntryState.SENT and RECEPTION not in off:
                yield "KR-6503", entry.file_name, day, due


# What waits for a person or for a run, by its state.
WAITING = {
    **dict.fromkeys(WAITING_STATES, "KR-6514"),
    EntryState.QUARANTINED: "KR-6504",
    EntryState.STALE: "KR-6512",
    EntryState.UNCONFIRMED: "KR-6513",
}


def _waiting(entries: list[Entry], on: dt.date) -> Iterator[Row]:
    for entry in entries:
        since = _day(entry.created_at)
        if entry.state in WAITING and since <= on:
            yield WAITING[entry.state], entry.file_name, entry.partition or since, since


def _left_files(environment: Environment, on: dt.date) -> Iterator[Row]:
    for left in left_behind(environment.ledger):
        if (since := _day(left.since)) <= on:
            yield "KR-6511", left.name, since, since


def _day(at: str) -> dt.date:
    return tokyo_time(at).date()


def _months(environment: Environment, entries: list[Entry], on: dt.date) -> Iterator[Row]:
    """The Union's monthly due dates in the past, for the months in which this deployment has sent days, up to its last whole one."""
    began = [e.partition for e in _daily_files(entries) if e.partition]
    last = environment.settings.last_day
    for back in range(MONTHS_LOOKED_BACK, 0, -1):
        month = on.replace(day=1) - relativedelta(months=back)
        if began and min(began) < month + relativedelta(months=1):
            try:
                days = monthly_days(environment.catalogue, month)
            except RenkeiError as error:
                if error.code != "KR-7107":
                    raise
                continue  # running a month that the Union's calendar does not have reports it
            if last and days.cut_off > last:
                continue
            yield from _month(environment, entries, days, on)


def _month(environment: Environment, entries: list[Entry], days: MonthlyDays, on: dt.date) -> Iterator[Row]:
    present = {
        e.interface for e in entries if e.partition == days.month and e.state in SENT_STATES | {EntryState.APPLIED}
    }
    for interface, due in (
        ("continuity_candidates", days.candidates_on),
        ("continuity_instruction", days.instruction_until),
        ("continuity_result", days.result_on),
    ):
        if due >= on or interface in present or interface in environment.settings.switched_off_interfaces:
            continue
        if interface != "continuity_candidates" and not _has_candidates(environment, days.month):
            continue
        yield "KR-6505", environment.catalogue.versions(interface)[-1].layout.name, days.month, due


def _has_candidates(environment: Environment, month: dt.date) -> bool:
    """Whether there are candidates: a month without them has neither instruction nor result."""
    asset = "continuity_candidates"
    return environment.store.exists(asset, month.isoformat()) and environment.store.height(asset, month.isoformat()) > 0
