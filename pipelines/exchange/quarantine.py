"""What a person can do with a quarantined or stale file: show, release, reject. The inbox decides what is quarantined."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interfaces.messages import RenkeiError
from interfaces.words import state_in_words
from pipelines.exchange.archived import archived_content
from pipelines.exchange.fetching import quarantine_folder
from pipelines.exchange.ledger.entry import Entry, Event
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import DECIDABLE_STATES, Direction, EntryState
from pipelines.exchange.operator_input import required_reason
from pipelines.exchange.validation import REPORT_NAME
from pipelines.storage.archive import EncryptedFileStore


@dataclass(frozen=True)
class Quarantined:
    """A quarantined file: its entry, the folder of its copy and reports, the report's content, and its history."""

    entry: Entry
    folder: Path
    report: dict[str, Any]
    events: list[Event]


def quarantined(ledger: Ledger) -> list[Entry]:
    """The files that wait for a person's decision, quarantined or stale, oldest first."""
    return ledger.entries(direction=Direction.INBOUND, states=DECIDABLE_STATES)


def show(ledger: Ledger, data_folder: Path, entry_id: int) -> Quarantined:
    """One waiting file; KR-6311 when the entry does not wait. A stale file is valid and has no report."""
    entry = _decidable(ledger, entry_id)
    folder = quarantine_folder(data_folder, entry_id)
    has_report = entry.state != EntryState.STALE
    report = json.loads((folder / REPORT_NAME).read_text(encoding="utf-8")) if has_report else {}
    return Quarantined(entry, folder, report, ledger.events(entry_id))


def release(
    recorder: Recorder,
    file_store: EncryptedFileStore,
    entry_id: int,
    reason: str,
    *,
    to: EntryState = EntryState.RELEASED,
) -> Entry:
    """Release a file in spite of its findings. Its content is verified against the ledger first.

    to: RELEASED for one that will be applied, KEPT for one that nothing applies.

    Errors: KR-6104 no operator, KR-6311 neither quarantined nor stale, KR-6312 no reason, KR-6313 the copy is missing or
    changed, KR-6314 the reason seems to contain a 個人番号, KR-6315 the file cannot be applied at all: it has a seal fault, its
    interface or day is unknown, its records cannot be read, or it contains 個人番号.
    """
    entry = _decidable(recorder, entry_id)
    is_releasable = entry.state == EntryState.STALE or entry.is_releasable
    if entry.interface is None or entry.partition is None or not is_releasable:
        raise RenkeiError("KR-6315", name=entry.file_name, entry=entry.id)
    archived_content(file_store, entry)
    return _decide(recorder, entry, to, reason)


def reject(recorder: Recorder, entry_id: int, reason: str) -> Entry:
    """Reject a file for good; the archived copy stays. Errors as `release`, without KR-6313."""
    return _decide(recorder, _decidable(recorder, entry_id), EntryState.REJECTED, reason)


def _decidable(ledger: Reader, entry_id: int) -> Entry:
    entry = ledger.entry(entry_id)
    if entry.state not in DECIDABLE_STATES:
        raise RenkeiError("KR-6311", entry_id=entry_id, state=state_in_words(entry.state))
    return entry


def _decide(recorder: Recorder, entry: Entry, state: EntryState, reason: str) -> Entry:
    return recorder.transition(entry, state, expected=entry.state, reason=required_reason(reason))
