"""Verifies that the history is complete, and that files and decisions match it. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from interfaces.messages import RenkeiError, message
from pipelines.continuity import decisions
from pipelines.deployment import Environment
from pipelines.exchange.archived import archived_content
from pipelines.exchange.erased import erased_files
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import DEDUPLICATED_STATES, SENT_STATES, Direction, EntryState, LedgerEvent
from pipelines.exchange.transport import Transport
from pipelines.transfer.sending import outbox_path
from pipelines.transfer.unrecorded import LOCATIONS, local_traces, traces_at_union

# States in which a received file has an archived copy.
ARCHIVED = DEDUPLICATED_STATES | {EntryState.REJECTED}


@dataclass(frozen=True)
class Disagreement:
    """One disagreement: a KR code, and a message with its remedy."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}\n  対処: {message(self.code).remedy}"


@dataclass(frozen=True)
class VerificationResult:
    """How much was verified, and the disagreements found."""

    events: int
    files: int
    decisions: int
    faults: list[Disagreement]


def verify(environment: Environment, transport: Transport | None = None) -> VerificationResult:
    """Verify the whole ledger: its chain, every file with a recorded hash, and every counted decision; then the reverse:
    whether the ledger contains everything in outbox, archive, sent log and (with `transport`) the Union's folder.

    Faults: KR-6142 (an unrecorded trace: the ledger is older than what was sent or received), KR-6121 to KR-6123 (rows
    changed, removed, inserted or reordered), KR-6313 (an archived file is missing or changed), KR-6401 (a sent file in
    the outbox is missing or changed), KR-6402 (decisions are not those that were imported).
    """
    ledger = environment.ledger
    faults = [Disagreement(problem.code, problem.text) for problem in ledger.verify_chain()]
    entries, files, erased = ledger.entries(), 0, erased_files(environment.ledger)
    for file in sorted(erased):
        if (environment.settings.data_folder / file).exists():
            faults.append(Disagreement("KR-6403", message("KR-6403").render(name=file)))
    for entry in entries:
        if _is_erased(entry, erased):
            continue
        if entry.direction == Direction.INBOUND and entry.state in ARCHIVED:
            files += 1
            try:
                archived_content(environment.file_store, entry)
            except RenkeiError as error:
                faults.append(Disagreement(error.code, str(error).partition(" ")[2]))
        elif entry.direction == Direction.OUTBOUND and entry.state in SENT_STATES:
            files += 1
            faults += _sent_file(environment, entry)
    traces = local_traces(environment) + (traces_at_union(environment, transport) if transport else [])
    for trace in traces:
        text = message("KR-6142").render(place=LOCATIONS[trace.place], reference=trace.reference)
        faults.append(Disagreement("KR-6142", text))
    counted, wrong = _decisions(environment)
    return VerificationResult(len(ledger.events()), files, counted, faults + wrong)


def _is_erased(entry: Entry, erased: Collection[str]) -> bool:
    """Whether the entry's copy was erased by retention: then nothing can be compared, and nothing is missing."""
    prefix = str(entry.sha256)[:12]
    if entry.direction == Direction.INBOUND:
        return any(file.startswith("archive/") and Path(file).name.startswith(prefix) for file in erased)
    return any(file.startswith(f"outbox/{entry.partition}/{prefix}_") for file in erased)


def _sent_file(environment: Environment, entry: Entry) -> list[Disagreement]:
    if entry.partition is None or entry.sha256 is None:
        return []
    path = outbox_path(environment, entry.partition, entry.file_name, entry.sha256)
    if environment.file_store.matches(path, entry.sha256):
        return []
    return [Disagreement("KR-6401", message("KR-6401").render(entry=entry.id, name=entry.file_name))]


def _decisions(environment: Environment) -> tuple[int, list[Disagreement]]:
    """The number of decisions in the table, and where it disagrees with the imports in the ledger."""
    imports = [event for event in environment.ledger.events_of(LedgerEvent.WORKSHEET_IMPORTED) if event.detail["new"]]
    with environment.ledger.viewing() as view:
        digests = {event.sequence: decisions.digest(view, *event.detail.get("rows", (0, 0))) for event in imports}
        total = decisions.count(view)
    faults = [
        Disagreement("KR-6402", message("KR-6402").render(sequence=event.sequence))
        for event in imports
        if digests[event.sequence] != event.detail.get("rows_sha256")
    ]
    if total != sum(int(event.detail["new"]) for event in imports):
        faults.append(Disagreement("KR-6402", message("KR-6402").render(sequence="（件数）")))
    return total, faults
