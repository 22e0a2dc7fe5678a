"""Verifies that the history is complete, and that files and decisions match it. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from interfaces.messages import RenkeiError, message
from pipelines.configuration.calendar import time_in_words
from pipelines.continuity import decisions
from pipelines.deployment import Environment
from pipelines.exchange.archived import archived_content
from pipelines.exchange.erased import erased_files
from pipelines.exchange.ledger.entry import Entry, Event
from pipelines.exchange.ledger.states import DEDUPLICATED_STATES, SENT_STATES, Direction, EntryState, LedgerEvent
from pipelines.exchange.transport import Transport
from pipelines.storage.keyring import KeyPair
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


@dataclass
class _Files:
    """How many copies were opened and compared, and how many could not be, because retention has erased them."""

    sent: int = 0
    received: int = 0
    erased: int = 0


@dataclass(frozen=True)
class VerificationResult:
    """What was verified, with what, when and by whom, and the disagreements found.

    `first`, `last`: of the history; None when it is empty. `keys`: those that opened the copies.
    """

    at: dt.datetime
    by: str
    events: int
    first: Event | None
    last: Event | None
    sent: int
    received: int
    erased: int
    decisions: int
    keys: list[KeyPair]
    union_was_looked_at: bool
    faults: list[Disagreement]

    @property
    def files(self) -> int:
        """How many copies were opened."""
        return self.sent + self.received

    def lines(self) -> list[tuple[str, str]]:
        """What was proved, as a caption and a text each: for the command line and the cover of the report."""
        ends = [time_in_words(event.at) for event in (self.first, self.last) if event]
        keys = [f"{pair.name}（証明書の SHA-256 {pair.fingerprint}）" for pair in self.keys]
        union = "台帳にないファイルがないかを照合" if self.union_was_looked_at else "照合していない"
        return [
            ("照合の日時", f"{self.at:%Y-%m-%d %H:%M:%S}"),
            ("照合した者", self.by),
            ("台帳の記録", f"{self.events}行（{' から '.join(ends)} まで）。全行のハッシュ値と前後のつながりを再計算"),
            ("最終行のハッシュ値", self.last.row_hash if self.last else "（記録なし）"),
            (
                "開いて照合した控え",
                f"送付 {self.sent}件、受領 {self.received}件（消去済みのため対象外 {self.erased}件）",
            ),
            ("控えを開いた鍵", "、".join(keys) or "（なし）"),
            ("継続の判定", f"{self.decisions}件。取込時のハッシュ値と照合"),
            ("連合会のフォルダ", union),
        ]

    def outcome(self) -> str:
        """The result in a sentence."""
        return f"記録 {self.events}行、ファイル {self.files}件、判定 {self.decisions}件: 不一致 {len(self.faults)}件"


def verify(environment: Environment, by: str, transport: Transport | None = None) -> VerificationResult:
    """Verify the whole ledger: its chain, every file with a recorded hash, and every counted decision; then the reverse:
    whether the ledger contains everything in outbox, archive, sent log and (with `transport`) the Union's folder.

    `by`: who verifies, for the result. Faults: KR-6142 (an unrecorded trace: the ledger is older than what was sent or
    received), KR-6121 to KR-6123 (rows changed, removed, inserted or reordered), KR-6313 (an archived file is missing or
    changed), KR-6401 (a sent file in the outbox is missing or changed), KR-6402 (decisions are not those that were
    imported).
    """
    ledger = environment.ledger
    faults = [Disagreement(problem.code, problem.text) for problem in ledger.verify_chain()]
    entries, files, erased = ledger.entries(), _Files(), erased_files(environment.ledger)
    for file in sorted(erased):
        if (environment.settings.data_folder / file).exists():
            faults.append(Disagreement("KR-6403", message("KR-6403").render(name=file)))
    for entry in entries:
        if _is_erased(entry, erased):
            files.erased += 1
            continue
        if entry.direction == Direction.INBOUND and entry.state in ARCHIVED:
            files.received += 1
            try:
                archived_content(environment.file_store, entry)
            except RenkeiError as error:
                faults.append(Disagreement(error.code, str(error).partition(" ")[2]))
        elif entry.direction == Direction.OUTBOUND and entry.state in SENT_STATES:
            files.sent += 1
            faults += _sent_file(environment, entry)
    traces = local_traces(environment) + (traces_at_union(environment, transport) if transport else [])
    for trace in traces:
        text = message("KR-6142").render(place=LOCATIONS[trace.place], reference=trace.reference)
        faults.append(Disagreement("KR-6142", text))
    counted, wrong = _decisions(environment)
    events = ledger.events()
    return VerificationResult(
        at=ledger.now(),
        by=by,
        events=len(events),
        first=events[0] if events else None,
        last=events[-1] if events else None,
        **vars(files),
        decisions=counted,
        keys=environment.keys.used,
        union_was_looked_at=transport is not None,
        faults=faults + wrong,
    )


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
