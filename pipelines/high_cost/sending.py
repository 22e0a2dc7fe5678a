"""The monthly files that contain a difference: their manifests, and sending one only together with its matching table."""

from __future__ import annotations

import datetime as dt

import polars as pl

from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.exchange.batch import Batch, OutboundFile, SendOutcome
from pipelines.exchange.ledger.states import SENT_STATES
from pipelines.tables.high_cost import MonthlyManifest
from pipelines.transfer import sending
from pipelines.transfer.fingerprint import fingerprint
from pipelines.transfer.sending import needs_approval, published

HISTORY, INCOME = "high_cost_history", "income_class"
# For each file the asset with what the Union knows once it has imported it: the baseline of the next month.
SNAPSHOT_ASSETS = {HISTORY: "known_high_cost_history", INCOME: "known_income_class"}


def baseline_of(environment: Environment, interface: str, month: dt.date) -> dt.date | None:
    """The last month of an interface that reached the Union (D-007)."""
    return environment.ledger.effective_baseline(before=month, interfaces={interface})


def manifest(
    environment: Environment, month: dt.date, file: OutboundFile | None, snapshot: pl.DataFrame
) -> pl.DataFrame:
    """The row that names a file of the month and what it belongs to (`MonthlyManifest`); no row when there is nothing to send."""
    if file is None:
        return MonthlyManifest.empty()
    before = baseline_of(environment, file.interface, month)
    row = (file.file_name, file.sha256, file.size, file.records, before, fingerprint((snapshot,)))
    return MonthlyManifest.of([row])


def send(
    environment: Environment, interface: str, month: dt.date, made: pl.DataFrame, run_id: str | None = None
) -> SendOutcome:
    """Send the file that a manifest names, or say that there is nothing to send.

    KR-7215 when it and the table of what the Union then knows were not built together: a run was interrupted, or two runs
    built the month at once. KR-7214 when the baseline is another month by now; a month that is out already stays as it
    is. The errors of `Outbox.send`.
    """
    if made.is_empty():
        return SendOutcome("nothing_to_send", ())
    (row,) = made.iter_rows(named=True)
    snapshot = environment.store.read(SNAPSHOT_ASSETS[interface], month.isoformat())
    if fingerprint((snapshot,)) != row["known_sha256"]:
        raise RenkeiError("KR-7215", day=month)
    present = baseline_of(environment, interface, month)
    current_entry = environment.ledger.current_entries(month, {interface}).get(interface)
    is_out = current_entry is not None and current_entry.state in SENT_STATES
    if not is_out and present != row["baseline"]:
        raise RenkeiError("KR-7214", day=month, made_with=row["baseline"] or "なし", present=present or "なし")
    file = published(environment, month, interface, (row["file_name"], row["sha256"], row["size"], row["records"]))
    first = row["baseline"] is None and interface == INCOME
    needed = needs_approval(environment, file.records, first=first)
    batch = Batch(month, (file,), row["baseline"], row["known_sha256"], needs_approval=needed)
    return sending.send(environment, batch, run_id)
