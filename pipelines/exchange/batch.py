"""Files that are sent together, hooks around the sending, and its outcome. Reads and sends nothing itself."""

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
    """A file that is ready to be sent: validated and final.

    `path`: its encrypted copy. `sha256`, `size` (bytes) and `records` (data records) are those of the content.
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

    `baseline`: the partition that they were compared with. `snapshot_sha256`: of what the Union knows once it has imported
    them. `carried_by_later`: a later partition's files contain the difference, so this one is not sent after them; else
    every partition is independent. `needs_approval`: a second person must approve them before they are sent.
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
        """The facts that the ledger records of one of its files."""
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
    """The outcome of sending a batch. `message` says why nothing was sent (KR-6113), else it is empty.

    nothing_to_send: a day without changes for which the specification requires no file. awaiting_approval: KR-6131, a
    second person must approve first.
    """

    kind: Literal["sent", "already_sent", "superseded", "nothing_to_send", "awaiting_approval"]
    entries: tuple[Entry, ...]
    message: str = ""


def _do_nothing(*_: object) -> None:
    """The default hook."""


@dataclass(frozen=True)
class SendHooks:
    """Hooks of the caller: `before` the first file is sent, and `after` each file that was sent."""

    before: Callable[[Transport], None] = _do_nothing
    after: Callable[[Entry], None] = _do_nothing


NO_HOOKS: Final = SendHooks()
