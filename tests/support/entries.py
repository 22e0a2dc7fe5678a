"""Entries of the ledger for tests, as if a file had gone a part of its way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pipelines.exchange.ledger.entry import Entry, OutboundFacts
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import EntryState

DELIVERED = ("sending", "uploaded", "sent")


def outbound_entry(
    ledger: Ledger,
    interface: str,
    partition: dt.date,
    file_name: str,
    states: Sequence[str] = (),
    *,
    operator: str = "試験",
    **more: Any,
) -> Entry:
    """A file for the Union, moved through these states. `more`: other facts of it."""
    facts: dict[str, Any] = {"sha256": "0" * 64, "size": 1, "records": 1, **more}
    recorder = ledger.recorder(operator)
    entry = recorder.create_outbound_entry(OutboundFacts(interface, partition, file_name, **facts))
    return moved(ledger, entry, *states, operator=operator)


def moved(ledger: Ledger, entry: Entry, *states: str, operator: str = "試験", **detail: Any) -> Entry:
    """The entry after these moves."""
    for state in states:
        entry = ledger.recorder(operator).transition(entry, EntryState(state), **detail)
    return entry
