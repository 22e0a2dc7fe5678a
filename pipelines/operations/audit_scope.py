"""Which events an audit report is about: those of a month, by the day of the deed or by 処理年月. Words for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from dateutil.relativedelta import relativedelta

from interfaces.catalogue import Catalogue
from pipelines.configuration.calendar import is_business_day, time_in_words, tokyo_time
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry, Event
from pipelines.exchange.ledger.states import Origin
from pipelines.exchange.ledger.words import ORIGINS, Deed, EventWords, event_words, state_word

# 時間外: before the offices open or after the evening's re-runs, and on days on which the Union is closed.
OPEN_FROM, OPEN_UNTIL = dt.time(7), dt.time(22)
# Details that say to which day or month an event without a file belongs.
_BELONGS_TO = ("month", "partition", "kept_since")
_WEEKDAYS = "月火水木金土日"
BY_PERSON = frozenset({Origin.COMMAND, Origin.SCREEN})


class By(StrEnum):
    """What the month of a report is: when something was done, or which 処理年月 it was done for."""

    DEED = "行為の月"
    PROCESSED = "処理年月"


def month_in_words(month: dt.date) -> str:
    """A month as people write it: 2026年4月."""
    return f"{month.year}年{month.month}月"


def day_in_words(day: dt.date) -> str:
    """A day as people write it: 2026年4月1日（水）."""
    return f"{month_in_words(day)}{day.day}日（{_WEEKDAYS[day.weekday()]}）"


@dataclass(frozen=True)
class Scope:
    """A month of the ledger: its events, oldest first, and all entries by id. `month`: its first day."""

    environment: Environment
    month: dt.date
    by: By
    events: list[Event]
    entries: Mapping[int, Entry]

    @classmethod
    def of(cls, environment: Environment, month: dt.date, by: By) -> Scope:
        """The events that were done in the month (Asia/Tokyo), or for it whenever they were done."""
        entries = {entry.id: entry for entry in environment.ledger.entries()}
        events = [
            event
            for event in environment.ledger.events()
            if (_done_in(event) if by is By.DEED else _done_for(event, entries)) == month
        ]
        return cls(environment, month, by, events, entries)

    @property
    def title(self) -> str:
        """The month and what it is."""
        return f"{month_in_words(self.month)}（{self.by}）"

    def in_words(self) -> str:
        """Which deeds the report contains, as a sentence."""
        if self.by is By.PROCESSED:
            return f"処理年月が {month_in_words(self.month)} のファイル・判定についての行為（行為の日は問わない）"
        last = self.month + relativedelta(months=1, days=-1)
        return f"{day_in_words(self.month)}から{day_in_words(last)}までの行為"

    def entry(self, event: Event) -> Entry | None:
        """The file that an event is about."""
        return None if event.entry_id is None else self.entries[event.entry_id]

    def words(self, event: Event) -> EventWords:
        """How an event is called."""
        entry = self.entry(event)
        return event_words(event.action, entry.direction if entry else None)

    def of_groups(self, groups: Mapping[str, str] | set[str]) -> Iterator[Event]:
        """The events of these actions."""
        return (event for event in self.events if event.action in groups)

    def interface(self, entry: Entry) -> str:
        """The name of an entry's interface."""
        known = entry.interface and entry.interface in self.environment.catalogue.ids()
        return _layout_name(self.environment.catalogue, str(entry.interface)) if known else entry.interface or ""

    def partition(self, entry: Entry) -> str:
        """An entry's day, or its month in words."""
        if entry.partition is None:
            return ""
        return month_in_words(entry.partition) if self.is_monthly(entry) else entry.partition.isoformat()

    def is_monthly(self, entry: Entry) -> bool:
        """Whether an entry's file belongs to a month."""
        catalogue = self.environment.catalogue
        if entry.interface not in catalogue.ids():
            return False
        return catalogue.versions(entry.interface)[-1].layout.cycle in ("monthly", "yearly")

    def subject(self, event: Event) -> str:
        """What an event is about: its file, or its month or day."""
        if entry := self.entry(event):
            return entry.file_name
        if month := event.detail.get("month"):
            return month_in_words(dt.date.fromisoformat(month))
        return str(event.detail.get("file_name") or event.detail.get("file") or event.detail.get("partition") or "")

    def file_cells(self, event: Event, entry: Entry) -> tuple[str, ...]:
        """Time, partition, interface, name, records, SHA-256, state of an event's file."""
        return (
            time_in_words(event.at),
            self.partition(entry),
            self.interface(entry),
            entry.file_name,
            "" if entry.records is None else f"{entry.records:,}",
            str(entry.sha256 or ""),
            state_word(entry.state, entry.direction),
        )

    def who(self, event: Event) -> tuple[str, str]:
        """Operator, and what started the work."""
        return event.operator, ORIGINS[event.origin]

    def is_by_hand(self, event: Event) -> bool:
        """Whether a person did it: at the command line or in the UI; of an event that does not say, whether only a person
        can have done it."""
        if event.origin is None:
            return self.words(event).deed is Deed.BY_HAND
        return event.origin in BY_PERSON


def is_office_hour(at: dt.datetime) -> bool:
    """Whether the offices are open at a time in Asia/Tokyo."""
    return is_business_day(at.date()) and OPEN_FROM <= at.time() < OPEN_UNTIL


def _done_in(event: Event) -> dt.date:
    return tokyo_time(event.at).date().replace(day=1)


def _done_for(event: Event, entries: Mapping[int, Entry]) -> dt.date | None:
    if event.entry_id is not None:
        day = entries[event.entry_id].partition
    else:
        named = next((event.detail[name] for name in _BELONGS_TO if event.detail.get(name)), None)
        day = dt.date.fromisoformat(named) if named else None
    return day.replace(day=1) if day else None


def months_with_events(environment: Environment, by: By) -> list[dt.date]:
    """The months about which a report has something to say."""
    entries = {entry.id: entry for entry in environment.ledger.entries()}
    events = environment.ledger.events()
    months = {_done_in(event) if by is By.DEED else _done_for(event, entries) for event in events}
    return sorted(month for month in months if month)


def _layout_name(catalogue: Catalogue, interface: str) -> str:
    return catalogue.versions(interface)[-1].layout.name
