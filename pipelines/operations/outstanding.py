"""What is overdue on a day: not sent, not answered, not confirmed, or waiting. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from dateutil.relativedelta import relativedelta

from interfaces.messages import RenkeiError, message
from pipelines.configuration.calendar import (
    MonthlyDays,
    business_days_between,
    monthly_days,
    next_business_day,
    tokyo_time,
)
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import SENT_STATES, WAITING_STATES, Direction, EntryState
from pipelines.exchange.left_behind import left_behind
from pipelines.tables.operations import Outstanding
from pipelines.transfer.baseline import SENT_FILES, days_not_sent

NOT_RECEIVED = frozenset({EntryState.REJECTED, EntryState.STALE})
RECEPTION, MONTHS_LOOKED_BACK = "reception_result", 12
MONTHLY_CODES = frozenset({"KR-6505"})  # their partition is a month, by its first day
Row = tuple[str, str, dt.date, dt.date]


@dataclass(frozen=True)
class Overdue:
    """What is overdue for the same reason on consecutive business days, or in consecutive months, as one line.

    age: of the oldest, in business days.
    """

    code: str
    title: str
    subject: str
    first: dt.date
    last: dt.date
    count: int
    age: int
    remedy: str

    @property
    def days(self) -> str:
        """The days, or the months, in words."""
        form = "%Y-%m" if self.code in MONTHLY_CODES else "%Y-%m-%d"
        if self.first == self.last:
            return f"{self.first:{form}}"
        same_year = self.last.year == self.first.year
        last = f"{self.last:{form.removeprefix('%Y-') if same_year else form}}"
        return f"{self.first:{form}}〜{last} の{self.count}{'か月' if self.code in MONTHLY_CODES else '営業日'}"


def grouped(found: pl.DataFrame) -> list[Overdue]:
    """The rows of `Outstanding`, with those of consecutive business days as one, oldest first.

    Files of one kind belong together: their names differ in digits only.
    """
    kind = pl.col("subject").str.replace_all(r"[0-9]+", "#")
    groups: list[Overdue] = []
    for (code, _), rows in found.sort("partition").group_by("code", kind.alias("kind"), maintain_order=True):
        lines: list[list[dict[str, Any]]] = []
        for row in rows.iter_rows(named=True):
            if lines and lines[-1][-1]["partition"] < row["partition"] <= _following(code, lines[-1][-1]["partition"]):
                lines[-1].append(row)
            else:
                lines.append([row])
        groups += [_as_one(line) for line in lines]
    return sorted(groups, key=lambda group: (group.first, group.code, group.subject))


def _following(code: object, day: dt.date) -> dt.date:
    """The last day that continues a line of days, or the next month of a line of months."""
    return day + relativedelta(months=1) if code in MONTHLY_CODES else next_business_day(day)


def _as_one(rows: Sequence[Mapping[str, Any]]) -> Overdue:
    oldest, newest = rows[0], rows[-1]
    subject = oldest["subject"] + ("" if oldest["subject"] == newest["subject"] else " など")
    age = max(row["age"] for row in rows)
    days = (oldest["partition"], newest["partition"])
    return Overdue(oldest["code"], oldest["title"], subject, *days, len(rows), age, oldest["remedy"])


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
    return _in_words(rows, on)


def never_sent(on: dt.date) -> pl.DataFrame:
    """What is outstanding where nothing was ever sent (KR-6506): `Outstanding`."""
    return _in_words([_never_sent_row(on)], on)


def _in_words(rows: Iterable[Row], on: dt.date) -> pl.DataFrame:
    texts = [
        (
            code,
            message(code).title,
            subject,
            partition,
            due,
            business_days_between(due, on),
            _remedy(code, subject, partition),
        )
        for code, subject, partition, due in rows
    ]
    return Outstanding.of(texts).sort("due_on", "code", "subject")


def _remedy(code: str, subject: str, partition: dt.date) -> str:
    """What to do, with the day (or month) for which it is to be done."""
    return message(code).advise(subject=subject, day=partition, month=f"{partition:%Y-%m}")


def _never_sent_row(on: dt.date) -> Row:
    return "KR-6506", "資格情報", on, on


def _daily_files(entries: list[Entry]) -> list[Entry]:
    return [e for e in entries if e.direction == Direction.OUTBOUND and e.interface in SENT_FILES]


def _days(environment: Environment, entries: list[Entry], on: dt.date) -> Iterator[Row]:
    off = environment.settings.switched_off_interfaces
    sent = [e for e in _daily_files(entries) if e.partition is not None]
    if not sent:
        yield _never_sent_row(on)
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
    EntryState.KEPT: "KR-6351",
}


def _waiting(entries: list[Entry], on: dt.date) -> Iterator[Row]:
    for entry in entries:
        since = _day(entry.created_at)
        if entry.state in WAITING and since <= on:
            day = None if entry.state == EntryState.KEPT else entry.partition
            yield WAITING[entry.state], entry.file_name, day or since, since


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
