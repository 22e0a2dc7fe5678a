"""Writing to the ledger for an operator: entries, their transitions and other events, each a link of the hash chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError
from interfaces.words import state_in_words
from pipelines.exchange.ledger.chain import GENESIS, canonical_json, row_hash
from pipelines.exchange.ledger.database import Database
from pipelines.exchange.ledger.entry import (
    ACCOUNT,
    ORIGIN,
    Entry,
    OutboundFacts,
    columns_set_by_event,
    columns_set_by_transition,
)
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.schema import entries_table, events_table
from pipelines.exchange.ledger.states import (
    TERMINAL_OUTBOUND_STATES,
    TRANSITIONS,
    Direction,
    EntryState,
    EventKind,
    LedgerEvent,
    Origin,
)
from pipelines.exchange.operator_input import required_reason
from pipelines.exchange.persons import account


class Recorder(Reader):
    """Writes for an operator and a run (None: no run), started by `origin`. Each call is a transaction of its own.

    Details contain names, counts, hashes and reasons, never personal data; a detail `reason` is what a person wrote.
    Every call that writes: KR-6104 no operator, KR-6312 and KR-6314 a reason that is empty or seems to contain a 個人番号,
    KR-6108 as `Database.writing`. `now`: the time of an event, in Asia/Tokyo.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        operator: str,
        run_id: str | None,
        origin: Origin = Origin.COMMAND,
    ) -> None:
        self._database = database
        self.now, self.operator, self.run_id, self.origin = now, operator, run_id, origin

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """One transaction for several calls: all or nothing. Commits unless the block raises. Other writers wait."""
        with self._database.writing() as connection:
            yield UnitOfWork(self, connection)

    def create_outbound_entry(self, facts: OutboundFacts) -> Entry:
        """Create the entry of a file written for the Union, in state `written`.

        KR-6106 when the partition and interface already have a current entry that is not in a terminal state.
        """
        with self.transaction() as work:
            current = work.current_entries(facts.partition, {facts.interface}).get(facts.interface)
            if current is not None and current.state not in TERMINAL_OUTBOUND_STATES:
                raise RenkeiError(
                    "KR-6106",
                    partition=facts.partition,
                    interface=facts.interface,
                    entry_id=current.id,
                    state=state_in_words(current.state),
                )
            return work._insert_entry(Direction.OUTBOUND, EntryState.WRITTEN, asdict(facts), {ACCOUNT: account()})

    def create_inbound_entry(self, file_name: str, place: str | None = None) -> Entry:
        """Create the entry of a file seen in the Union's folder or on the medium `place`, in state `detected`.

        Later transitions fill in what it is.
        """
        facts = {"file_name": file_name} | ({} if place is None else {"place": place})
        with self.transaction() as work:
            return work._insert_entry(Direction.INBOUND, EntryState.DETECTED, facts, {})

    def transition(
        self, entry: Entry, to_state: EntryState, *, expected: EntryState | None = None, **detail: Any
    ) -> Entry:
        """Move an entry to another state. Details with a column in FILLABLE_COLUMNS fill it while it is empty.

        Errors: KR-6102 when another process was first (the entry is no longer in `expected`, or already in `to_state`),
        KR-6101 for a transition that TRANSITIONS does not allow, KR-6103 no such entry.
        """
        with self.transaction() as work:
            found = work.entry(entry.id)
            if found.state == to_state or expected not in (None, found.state):
                raise RenkeiError("KR-6102", entry_id=found.id, state=state_in_words(found.state))
            if to_state not in TRANSITIONS[found.direction].get(found.state, frozenset()):
                raise RenkeiError(
                    "KR-6101",
                    entry_id=found.id,
                    from_state=state_in_words(found.state),
                    to_state=state_in_words(to_state),
                )
            work._update_entry(found.id, {"state": to_state, **columns_set_by_transition(vars(found), detail)})
            work._insert_event(found.id, EventKind.MOVED, to_state, detail)
            return work.entry(found.id)

    def append_event(self, action: LedgerEvent, *, entry_id: int | None = None, **detail: Any) -> None:
        """Append an event that changes no state: what was done, or why nothing was. `sealed_sha256` updates the entry."""
        with self.transaction() as work:
            changed = columns_set_by_event(detail)
            if entry_id is not None and changed:
                work._update_entry(entry_id, changed)
            work._insert_event(entry_id, EventKind.NOTED, action, detail)

    def viewing(self) -> AbstractContextManager[Connection]:
        return self._database.reading()


class UnitOfWork(Recorder):
    """A recorder within one transaction: it reads its own writes, which nobody else sees until they are committed.

    `connection`: for modules that keep tables of their own in the ledger's database.
    """

    def __init__(self, recorder: Recorder, connection: Connection) -> None:
        super().__init__(recorder._database, recorder.now, recorder.operator, recorder.run_id, recorder.origin)
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """The same transaction: whoever began it commits it."""
        yield self

    def viewing(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.connection)

    def _insert_entry(
        self, direction: Direction, state: EntryState, facts: Mapping[str, Any], detail: Mapping[str, Any]
    ) -> Entry:
        """Insert a row of the entries and its first event, which records the facts as well."""
        row = {**facts, "direction": direction, "created_at": self.now().isoformat()}
        result = self.connection.execute(sa.insert(entries_table).values(**row, state=state))
        entry_id = int(result.inserted_primary_key[0])  # type: ignore[index]
        self._insert_event(entry_id, EventKind.ENTERED, state, {**detail, **row})
        return self.entry(entry_id)

    def _update_entry(self, entry_id: int, columns: Mapping[str, Any]) -> None:
        """Update columns of an entry."""
        self.connection.execute(sa.update(entries_table).where(entries_table.c.id == entry_id).values(**columns))

    def _insert_event(
        self, entry_id: int | None, kind: EventKind, action: EntryState | LedgerEvent, detail: Mapping[str, Any]
    ) -> None:
        """Insert the next event of the chain."""
        if not self.operator.strip():
            raise RenkeiError("KR-6104")
        if "reason" in detail:
            required_reason(detail["reason"])
        columns = events_table.c
        newest = sa.select(columns.sequence, columns.row_hash).order_by(columns.sequence.desc()).limit(1)
        last = self.connection.execute(newest).first()
        row: dict[str, Any] = {
            "sequence": last.sequence + 1 if last else 1,
            "entry_id": entry_id,
            "kind": kind,
            "action": action,
            "at": self.now().isoformat(),
            "run_id": self.run_id,
            "operator": self.operator,
            "detail": canonical_json({**detail, ORIGIN: self.origin}),
            "previous_hash": last.row_hash if last else GENESIS,
        }
        self.connection.execute(sa.insert(events_table).values(**row, row_hash=row_hash(row)))
