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


def sent_day(ledger: Ledger, day: dt.date, *more: str) -> None:
    """Both files of a day, delivered and then moved through `more`."""
    for interface in ("eligibility_household", "eligibility_individual"):
        outbound_entry(ledger, interface, day, f"{interface}_{day}", (*DELIVERED, *more))


def answered(ledger: Ledger, day: dt.date, *interfaces: str, state: str = "applied", **facts: Any) -> list[Entry]:
    """The Union's answers to a day, in a state. `facts`: other facts of them."""
    found = []
    for interface in interfaces:
        entry = ledger.recorder("試験").create_inbound_entry(f"{interface}_{day}")
        moved(ledger, entry, "claimed")
        moved(ledger, entry, "received", sha256=f"{interface}{day}", size=1)
        kept: dict[str, Any] = {"interface": interface, "partition": day, "records": 0, **facts}
        last = "quarantined" if state == "quarantined" else "verified"
        entry = moved(ledger, entry, last, **kept)
        if state in ("applied", "stale"):
            entry = moved(ledger, entry, state)
        found.append(entry)
    return found
