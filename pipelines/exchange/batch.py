"""Files that leave together, what is wanted around their leaving, and what became of them. Opens and sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

from pipelines.exchange.ledger.entry import Entry, OutboundFacts
from pipelines.exchange.ledger.states import EntryState
from pipelines.exchange.transport import Transport


@dataclass(frozen=True)
class OutboundFile:
    """A file ready to leave: checked, and not to change any more.

    `path`: its copy in the safe. `sha256`, `size` (bytes) and `records` (data records) are those of the content.
    """

    interface: str
    file_name: str
    path: Path
    sha256: str
    size: int
    records: int


@dataclass(frozen=True)
class Batch:
    """All files of a partition, one for each interface.

    `baseline`: the partition that they were compared with. `snapshot_sha256`: what the Union knows once they are in.
    `carried_by_later`: a later partition's files hold the difference, so this one is not sent after them; else every
    partition stands for itself. `needs_approval`: a second person must approve them before they leave.
    """

    partition: date
    files: tuple[OutboundFile, ...]
    baseline: date | None = None
    snapshot_sha256: str | None = None
    carried_by_later: bool = True
    needs_approval: bool = False

    @property
    def interfaces(self) -> frozenset[str]:
        """The interfaces of its files."""
        return frozenset(file.interface for file in self.files)

    def facts(self, file: OutboundFile) -> OutboundFacts:
        """What the ledger is told of one of its files."""
        return OutboundFacts(
            interface=file.interface,
            partition=self.partition,
            file_name=file.file_name,
            sha256=file.sha256,
            size=file.size,
            records=file.records,
            baseline=self.baseline,
            snapshot_sha256=self.snapshot_sha256,
        )

    def awaits_approval(self, entries: Iterable[Entry]) -> bool:
        """Whether one of the entries of its files still needs a second person."""
        return self.needs_approval and any(entry.state == EntryState.WRITTEN for entry in entries)


@dataclass(frozen=True)
class SendOutcome:
    """What became of a batch. `message` says why nothing was sent (KR-6113), else it is empty.

    nothing_to_send: a quiet day on which the specification wants no file. awaiting_approval: KR-6131, a second person
    must approve first.
    """

    kind: Literal["sent", "already_sent", "superseded", "nothing_to_send", "awaiting_approval"]
    entries: tuple[Entry, ...]
    message: str = ""


def _nothing(*_: object) -> None:
    """Nothing is to be done."""


@dataclass(frozen=True)
class Leaving:
    """What the caller wants done around the leaving of files: before the first one leaves, and for each that has left."""

    before: Callable[[Transport], None] = _nothing
    after: Callable[[Entry], None] = _nothing


NOTHING_AROUND: Final = Leaving()
