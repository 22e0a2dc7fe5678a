"""Queries to the ledger, the same within a transaction and outside of one. Writes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError
from pipelines.exchange.ledger import baseline
from pipelines.exchange.ledger.entry import Entry, Event
from pipelines.exchange.ledger.schema import entries_table, events_table
from pipelines.exchange.ledger.states import Direction, EntryState, EventKind, LedgerEvent


class Reader(ABC):
    """Reads the ledger, through the connections of `viewing`. Every method: KR-6108 as `Database.reading`."""

    @abstractmethod
    def viewing(self) -> AbstractContextManager[Connection]:
        """A read-only connection for one query, also to the tables that other modules keep in this database."""

    def entry(self, entry_id: int) -> Entry:
        """One entry; KR-6103 when there is none."""
        query = sa.select(entries_table).where(entries_table.c.id == entry_id)
        with self.viewing() as view:
            row = view.execute(query).mappings().first()
        if row is None:
            raise RenkeiError("KR-6103", entry_id=entry_id)
        return Entry.of(row)

    def entries(
        self,
        *,
        direction: Direction | None = None,
        interfaces: Collection[str] | None = None,
        partition: date | None = None,
        since: date | None = None,
        states: Collection[EntryState] | None = None,
        file_name: str | None = None,
        sha256: str | None = None,
    ) -> list[Entry]:
        """The entries that match every given filter, oldest first. `since`: of this partition and later ones."""
        columns = entries_table.c
        query = sa.select(entries_table).order_by(columns.id)
        if since is not None:
            query = query.where(columns.partition >= since)
        for column, value in (
            (columns.direction, direction),
            (columns.partition, partition),
            (columns.file_name, file_name),
            (columns.sha256, sha256),
        ):
            if value is not None:
                query = query.where(column == value)
        for column, values in ((columns.interface, interfaces), (columns.state, states)):
            if values is not None:
                query = query.where(column.in_(sorted(values)))
        with self.viewing() as view:
            return [Entry.of(row) for row in view.execute(query).mappings()]

    def events(self, entry_id: int | None = None) -> list[Event]:
        """The history, oldest first: of one entry, or of the whole ledger."""
        query = sa.select(events_table).order_by(events_table.c.sequence)
        if entry_id is not None:
            query = query.where(events_table.c.entry_id == entry_id)
        return self._events(query)

    def newest_event(self) -> Event | None:
        """The last event of the ledger; None when there is none."""
        query = sa.select(events_table).order_by(events_table.c.sequence.desc()).limit(1)
        return next(iter(self._events(query)), None)

    def first_event_of(self, action: LedgerEvent) -> Event | None:
        """The oldest event of an action; None when there is none."""
        return next(iter(self._events(_events_of(action).limit(1))), None)

    def events_of(self, action: LedgerEvent) -> list[Event]:
        """Every event of an action, oldest first."""
        return self._events(_events_of(action))

    def current_entries(self, partition: date, interfaces: Collection[str]) -> dict[str, Entry]:
        """By interface, the newest outbound entry of a partition that was not withdrawn."""
        return baseline.current_entries(self._outbound(interfaces, partition))

    def effective_baseline(
        self, *, before: date | None = None, interfaces: Collection[str] | None = None
    ) -> date | None:
        """See `baseline.effective_baseline`. `interfaces`: the interfaces to look at; None for all."""
        return baseline.effective_baseline(self._outbound(interfaces), before)

    def uncertain_entries(
        self, before: date | None, interfaces: Collection[str], *, rebuilt: date | None = None
    ) -> list[Entry]:
        """See `baseline.uncertain_entries`."""
        return baseline.uncertain_entries(self._outbound(interfaces), before, rebuilt)

    def later_sent(self, partition: date, interfaces: Collection[str] | None = None) -> date | None:
        """See `baseline.later_sent`."""
        return baseline.later_sent(self._outbound(interfaces), partition)

    def _outbound(self, interfaces: Collection[str] | None, partition: date | None = None) -> list[Entry]:
        return self.entries(direction=Direction.OUTBOUND, interfaces=interfaces, partition=partition)

    def _events(self, query: sa.Select[Any]) -> list[Event]:
        with self.viewing() as view:
            return [Event.of(row) for row in view.execute(query).mappings()]


def _events_of(action: LedgerEvent) -> sa.Select[Any]:
    columns = events_table.c
    query = sa.select(events_table).where(columns.kind == EventKind.NOTED, columns.action == action)
    return query.order_by(columns.sequence)
