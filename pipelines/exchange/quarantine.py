"""What a person does with a file kept apart: look, release, reject. Why it was kept apart is decided in the inbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interfaces.messages import RenkeiError
from pipelines.exchange.inbox import REPORT_NAME, archived_copy, quarantine_folder
from pipelines.exchange.ledger import Entry, Event, Ledger
from pipelines.exchange.safe import Safe
from pipelines.exchange.words import required_reason


@dataclass(frozen=True)
class Quarantined:
    """A file kept apart: its entry, where its copy and reports lie, the report's content, and its history."""

    entry: Entry
    folder: Path
    report: dict[str, Any]
    events: list[Event]


def quarantined(ledger: Ledger) -> list[Entry]:
    """The files that wait for a person, oldest first."""
    return ledger.entries(direction="inbound", states={"quarantined"})


def show(ledger: Ledger, data_folder: Path, entry_id: int) -> Quarantined:
    """One file that waits; KR-6311 when the entry is not in quarantine."""
    entry = _waiting(ledger, entry_id)
    folder = quarantine_folder(data_folder, entry_id)
    report = json.loads((folder / REPORT_NAME).read_text(encoding="utf-8"))
    return Quarantined(entry, folder, report, ledger.events(entry_id))


def release(
    ledger: Ledger, safe: Safe, entry_id: int, *, operator: str, reason: str, run_id: str | None = None
) -> Entry:
    """Let the file be applied in spite of what was found. Its content is proved against the ledger first.

    Errors: KR-6104 no operator, KR-6311 not in quarantine, KR-6312 no reason, KR-6313 the copy is gone or changed,
    KR-6314 the reason holds what looks like an individual number, KR-6315 it cannot be applied whoever releases it: its
    seal is not sound, nobody knows which file of which day it is, its records cannot be read, or it holds 個人番号.
    """
    entry = _waiting(ledger, entry_id)
    kept_apart = next(event for event in reversed(ledger.events(entry_id)) if event.action == "quarantined")
    if entry.interface is None or entry.partition is None or not kept_apart.detail["releasable"]:
        raise RenkeiError("KR-6315", name=entry.file_name)
    archived_copy(ledger, safe, entry_id)
    return _decide(ledger, entry_id, "released", operator, reason, run_id)


def reject(ledger: Ledger, entry_id: int, *, operator: str, reason: str, run_id: str | None = None) -> Entry:
    """Refuse the file for good; the archived copy stays. Errors as `release`, without KR-6313."""
    _waiting(ledger, entry_id)
    return _decide(ledger, entry_id, "rejected", operator, reason, run_id)


def _waiting(ledger: Ledger, entry_id: int) -> Entry:
    entry = ledger.entry(entry_id)
    if entry.state != "quarantined":
        raise RenkeiError("KR-6311", entry_id=entry_id, state=entry.state)
    return entry


def _decide(ledger: Ledger, entry_id: int, state: str, operator: str, reason: str, run_id: str | None) -> Entry:
    return ledger.advance(
        entry_id, state, operator=operator, run_id=run_id, expected="quarantined", reason=required_reason(reason)
    )
