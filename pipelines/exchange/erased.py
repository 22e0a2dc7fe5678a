"""What retention has erased, as the ledger says. Erases nothing itself."""

from __future__ import annotations

import datetime as dt

from pipelines.configuration.calendar import TOKYO
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import LedgerEvent


def table_file(asset: str, partition: str) -> str:
    """A table's path from the data folder, as the ledger names it."""
    return f"assets/{asset}/{partition}.parquet"


def erased_files(ledger: Ledger) -> dict[str, dt.date]:
    """Paths from the data folder that the ledger says are erased, and on which day (the last time)."""
    return {
        str(event.detail["file"]): dt.datetime.fromisoformat(event.at).astimezone(TOKYO).date()
        for event in ledger.notes(LedgerEvent.ERASED)
    }
