"""What retention has erased, as the ledger says. Erases nothing itself."""

from __future__ import annotations

import datetime as dt

from pipelines.configuration.calendar import tokyo_time
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import LedgerEvent


def table_file(asset: str, partition: str) -> str:
    """A table's path from the data folder, as the ledger names it."""
    return f"assets/{asset}/{partition}.parquet"


def erased_files(ledger: Ledger) -> dict[str, dt.date]:
    """Paths from the data folder that the ledger says are erased, and on which day (the last time)."""
    return {str(event.detail["file"]): tokyo_time(event.at).date() for event in ledger.events_of(LedgerEvent.ERASED)}
