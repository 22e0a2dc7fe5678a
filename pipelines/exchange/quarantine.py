"""What a person does with a file kept apart, or stale: look, release, reject. Why it was kept apart is decided in the inbox."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interfaces.messages import RenkeiError
from pipelines.exchange.fetching import quarantine_folder
from pipelines.exchange.inbox import REPORT_NAME, archived_content
from pipelines.exchange.ledger import Entry, Event, Ledger
from pipelines.exchange.operator_input import required_reason
from pipelines.storage.archive import Safe

# What a person may let in or refuse. A stale file is sound: it was only overtaken by a newer one.
DECIDABLE: Final = frozenset({"quarantined", "stale"})


@dataclass(frozen=True)
class Quarantined:
    """A file kept apart: its entry, where its copy and reports lie, the report's content, and its history."""

    entry: Entry
    folder: Path
    report: dict[str, Any]
    events: list[Event]


def quarantined(ledger: Ledger) -> list[Entry]:
    """The files that wait for a person, kept apart or stale, oldest first."""
    return ledger.entries(direction="inbound", states=DECIDABLE)


def show(ledger: Ledger, data_folder: Path, entry_id: int) -> Quarantined:
    """One file that waits; KR-6311 when none does by this number. A stale one is sound, and has no report."""
    entry = _waiting(ledger, entry_id, DECIDABLE)
    folder = quarantine_folder(data_folder, entry_id)
    has_report = entry.state != "stale"
    report = json.loads((folder / REPORT_NAME).read_text(encoding="utf-8")) if has_report else {}
    return Quarantined(entry, folder, report, ledger.events(entry_id))


def release(
    ledger: Ledger, safe: Safe, entry_id: int, *, operator: str, reason: str, run_id: str | None = None
) -> Entry:
    """Let the file be applied in spite of what was found. Its content is proved against the ledger first.

    Errors: KR-6104 no operator, KR-6311 neither in quarantine nor stale, KR-6312 no reason, KR-6313 the copy is gone or changed,
    KR-6314 the reason holds what looks like an individual number, KR-6315 it cannot be applied whoever releases it: its
    seal is not sound, nobody knows which file of which day it is, its records cannot be read, or it holds 個人番号.
    """
    entry = _waiting(ledger, entry_id, DECIDABLE)
    last = next(event for event in reversed(ledger.events(entry_id)) if event.action == entry.state)
    releasable = entry.state == "stale" or last.detail["releasable"]
    if entry.interface is None or entry.partition is None or not releasable:
        raise RenkeiError("KR-6315", name=entry.file_name)
    archived_content(ledger, safe, entry_id)
    return _decide(ledger, entry, "released", operator, reason, run_id)


def reject(ledger: Ledger, entry_id: int, *, operator: str, reason: str, run_id: str | None = None) -> Entry:
    """Refuse the file for good; the archived copy stays. Errors as `release`, without KR-6313."""
    entry = _waiting(ledger, entry_id, DECIDABLE)
    return _decide(ledger, entry, "rejected", operator, reason, run_id)


def _waiting(ledger: Ledger, entry_id: int, states: AbstractSet[str]) -> Entry:
    entry = ledger.entry(entry_id)
    if entry.state not in states:
        raise RenkeiError("KR-6311", entry_id=entry_id, state=entry.state)
    return entry


def _decide(ledger: Ledger, entry: Entry, state: str, operator: str, reason: str, run_id: str | None) -> Entry:
    return ledger.advance(
        entry.id, state, operator=operator, run_id=run_id, expected=entry.state, reason=required_reason(reason)
    )
