"""Writing into the ledger in somebody's name: entries, their moves and notes, each with its event in the hash chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError
from pipelines.exchange.ledger.chain import GENESIS, canonical_json, row_hash
from pipelines.exchange.ledger.database import Database
from pipelines.exchange.ledger.entry import ACCOUNT, Entry, OutboundFacts, told_by_move, told_by_note
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.schema import entries_table, events_table
from pipelines.exchange.ledger.states import (
    CLOSED_OUTBOUND_STATES,
    TRANSITIONS,
    Direction,
    EntryState,
    EventKind,
    LedgerEvent,
)
from pipelines.exchange.operator_input import required_reason
from pipelines.exchange.persons import account


class Recorder(Reader):
    """Writes in the name of an operator and of his run (None: no run). Each call is a transaction of its own.

    Details hold names, counts, hashes and reasons, never personal data; a detail `reason` is what a person wrote.
    Every call that writes: KR-6104 no operator, KR-6312 and KR-6314 a reason that is empty or seems to hold a 個人番号,
    KR-6108 as `Database.writing`. `now`: the time of an event, in Asia/Tokyo.
    """

    def __init__(self, database: Database, now: Callable[[], datetime], operator: str, run_id: str | None) -> None:
        self._database = database
        self.now, self.operator, self.run_id = now, operator, run_id

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """Several calls as one transaction: all or nothing. Commits unless the block raises. Other writers wait."""
        with self._database.writing() as connection:
            yield UnitOfWork(self, connection)

    def enter_outbound(self, facts: OutboundFacts) -> Entry:
        """A file written for the Union, state `written`.

        KR-6106 when another entry stands for the same partition and interface.
        """
        with self.transaction() as work:
            standing = work.standing(facts.partition, {facts.interface}).get(facts.interface)
            if standing is not None and standing.state not in CLOSED_OUTBOUND_STATES:
                raise RenkeiError(
                    "KR-6106",
                    partition=facts.partition,
                    interface=facts.interface,
                    entry_id=standing.id,
                    state=standing.state,
                )
            return work._enter(Direction.OUTBOUND, EntryState.WRITTEN, asdict(facts), {ACCOUNT: account()})

    def enter_inbound(self, file_name: str, place: str | None = None) -> Entry:
        """A file seen at the Union's, or on the medium `place`: `detected`. What it is comes with later moves."""
        facts = {"file_name": file_name} | ({} if place is None else {"place": place})
        with self.transaction() as work:
            return work._enter(Direction.INBOUND, EntryState.DETECTED, facts, {})

    def advance(
        self, entry: Entry, to_state: EntryState, *, expected: EntryState | None = None, **detail: Any
    ) -> Entry:
        """Move an entry. The details that columns of it are open for (OPEN_COLUMNS) fill these while they are empty.

        Errors: KR-6102 when another process was first (the entry is no longer in `expected`, or already in `to_state`),
        KR-6101 for a move that TRANSITIONS does not have, KR-6103 no such entry.
        """
        with self.transaction() as work:
            found = work.entry(entry.id)
            if found.state == to_state or expected not in (None, found.state):
                raise RenkeiError("KR-6102", entry_id=found.id, state=found.state)
            if to_state not in TRANSITIONS[found.direction].get(found.state, frozenset()):
                raise RenkeiError("KR-6101", entry_id=found.id, from_state=found.state, to_state=to_state)
            work._change(found.id, {"state": to_state, **told_by_move(vars(found), detail)})
            work._append(found.id, EventKind.MOVED, to_state, detail)
            return work.entry(found.id)

    def note(self, action: LedgerEvent, *, entry_id: int | None = None, **detail: Any) -> None:
        """An event that changes no state: what was done, or why nothing was. A `sealed_sha256` is the entry's from then on."""
        with self.transaction() as work:
            changed = told_by_note(detail)
            if entry_id is not None and changed:
                work._change(entry_id, changed)
            work._append(entry_id, EventKind.NOTED, action, detail)

    def viewing(self) -> AbstractContextManager[Connection]:
        return self._database.reading()


class UnitOfWork(Recorder):
    """A recorder within one transaction: what it writes, it reads, and nobody else does until it is committed.

    `connection`: for modules that keep tables of their own in the ledger's database.
    """

    def __init__(self, recorder: Recorder, connection: Connection) -> None:
        super().__init__(recorder._database, recorder.now, recorder.operator, recorder.run_id)
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """The same transaction: who began it commits it."""
        yield self

    def viewing(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.connection)

    def _enter(
        self, direction: Direction, state: EntryState, facts: Mapping[str, Any], detail: Mapping[str, Any]
    ) -> Entry:
        """A new row of the entries and its first event, which tells the facts as well."""
        row = {**facts, "direction": direction, "created_at": self.now().isoformat()}
        result = self.connection.execute(sa.insert(entries_table).values(**row, state=state))
        entry_id = int(result.inserted_primary_key[0])  # type: ignore[index]
        self._append(entry_id, EventKind.ENTERED, state, {**detail, **row})
        return self.entry(entry_id)

    def _change(self, entry_id: int, columns: Mapping[str, Any]) -> None:
        """New values in a row of the entries."""
        self.connection.execute(sa.update(entries_table).where(entries_table.c.id == entry_id).values(**columns))

    def _append(
        self, entry_id: int | None, kind: EventKind, action: EntryState | LedgerEvent, detail: Mapping[str, Any]
    ) -> None:
        """The next event of the chain."""
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
            "detail": canonical_json(detail),
            "previous_hash": last.row_hash if last else GENESIS,
        }
        self.connection.execute(sa.insert(events_table).values(**row, row_hash=row_hash(row)))
