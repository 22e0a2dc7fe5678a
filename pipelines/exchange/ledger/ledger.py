"""An open ledger: queries, recorders for writers, and the verification that its history is complete."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipelines.configuration.calendar import TOKYO, tokyo_now
from pipelines.exchange.ledger.chain import ChainProblem, problems
from pipelines.exchange.ledger.database import open_database, shown
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.schema import entries_table, events_table
from pipelines.exchange.ledger.states import Origin


class Ledger(Reader):
    """The ledger at a database URL (SQLite file or PostgreSQL), created when it does not exist yet.

    Each query sees one consistent state and does not wait for writers.
    `clock` gives an aware time; it is stored as Asia/Tokyo, ISO 8601 with offset. `origin`: what started this process.
    KR-6105 when the ledger cannot be opened, KR-6107 when it does not exist and `create_if_missing` is False because files
    have been sent or received that it should contain; KR-6109 and KR-6110 when its version is older or newer than the
    program.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], datetime] = tokyo_now,
        *,
        create_if_missing: bool = True,
        origin: Origin = Origin.COMMAND,
    ) -> None:
        self.clock, self.origin = clock, origin
        self.shown_url = shown(url)
        self._database = open_database(url, create_if_missing=create_if_missing)

    def close(self) -> None:
        """Release the idle database connections; another ledger of this process continues with new ones."""
        self._database.close()

    def now(self) -> datetime:
        """The clock's time in Asia/Tokyo."""
        return self.clock().astimezone(TOKYO)

    def recorder(self, operator: str, run_id: str | None = None) -> Recorder:
        """A recorder that writes for an operator: each of its events names the operator, the run and what started it."""
        return Recorder(self._database, self.now, operator, run_id, self.origin)

    def verify_chain(self) -> list[ChainProblem]:
        """Every contradiction in the ledger (see `chain.problems`)."""
        with self.viewing() as view:
            events = [
                dict(row) for row in view.execute(sa.select(events_table).order_by(events_table.c.sequence)).mappings()
            ]
            entries = [dict(row) for row in view.execute(sa.select(entries_table)).mappings()]
        return problems(events, entries)

    def viewing(self) -> AbstractContextManager[Connection]:
        return self._database.reading()
