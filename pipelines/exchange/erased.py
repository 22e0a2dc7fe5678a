"""What retention has erased, according to the ledger. Erases nothing itself."""

from __future__ import annotations

import datetime as dt

from pipelines.configuration.calendar import tokyo_time
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import LedgerEvent


def table_file(asset: str, partition: str) -> str:
    """A table's path relative to the data folder, as in the ledger."""
    return f"assets/{asset}/{partition}.parquet"


def erased_files(ledger: Ledger) -> dict[str, dt.date]:
    """Paths relative to the data folder that were erased according to the ledger, and on which day (the last time)."""
    return {str(event.detail["file"]): tokyo_time(event.at).date() for event in ledger.events_of(LedgerEvent.ERASED)}
