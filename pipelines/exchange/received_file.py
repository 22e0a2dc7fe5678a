"""The outcome of validating a received file, and of receiving each name in the Union's folder. Receives nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from pipelines.exchange.ledger.entry import Entry

# States of a name that has no entry: the file may still be being written, or it was not received.
WAITING: Final = "waiting"
REFUSED: Final = "refused"
# The file was received, and could not be removed from the folder.
NOT_REMOVED: Final = "KR-6335"


@dataclass(frozen=True)
class ValidationOutcome:
    """The outcome of the caller's validator for a file.

    `report`: findings as JSON values, masked. `write_workbook` writes report.xlsx to the given path. `interface` and
    `partition` are None when the file could not be recognised. `releasable`: whether a person may release a file that is
    not accepted. `is_applied`: whether the program has a step that applies such files; else an accepted one is kept.
    """

    accepted: bool
    interface: str | None = None
    partition: date | None = None
    records: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    write_workbook: Callable[[Path], None] | None = None
    releasable: bool = True
    is_applied: bool = True


Validator = Callable[[bytes, str], ValidationOutcome]


@dataclass(frozen=True)
class ReceivedFile:
    """The outcome for one name in the Union's folder.

    `state`: the entry's state (verified, kept, quarantined, duplicate, vanished), WAITING (may still be being written), or
    REFUSED (not received: a bad name, not a file, or a failed transfer). `path`: the archived copy. `code` and
    `message`: what a person should know. `is_left`: whether the file is still in the folder.
    """

    name: str
    state: str
    entry: Entry | None = None
    path: Path | None = None
    code: str | None = None
    message: str = ""
    is_left: bool = False
