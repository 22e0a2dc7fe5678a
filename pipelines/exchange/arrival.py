"""What a judge says of a file that arrived, and what became of each name in the Union's folder. Takes nothing in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from pipelines.exchange.ledger.entry import Entry

# What became of a name of which no entry tells: it may still be being written, or it was left alone.
WAITING: Final = "waiting"
REFUSED: Final = "refused"
# The file was taken, and could not be removed from the folder.
NOT_REMOVED: Final = "KR-6335"


@dataclass(frozen=True)
class Judgement:
    """What the caller's `judge` found out about a file.

    `report`: findings as JSON values, masked. `write_workbook` writes report.xlsx to the path that it is given.
    `interface` and `partition` are None when the file could not be recognised. `releasable`: whether a person may have a
    file applied that is not accepted.
    """

    accepted: bool
    interface: str | None = None
    partition: date | None = None
    records: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    write_workbook: Callable[[Path], None] | None = None
    releasable: bool = True


Judge = Callable[[bytes, str], Judgement]


@dataclass(frozen=True)
class Arrival:
    """What became of one name in the Union's folder.

    `state`: the entry's state (verified, quarantined, duplicate, vanished), WAITING (may still be being written), or
    REFUSED (left alone: a bad name, not a file, or a failing transfer). `path`: the archived copy. `code` and
    `message`: what a person should know. `is_left`: whether it still lies in the folder.
    """

    name: str
    state: str
    entry: Entry | None = None
    path: Path | None = None
    code: str | None = None
    message: str = ""
    is_left: bool = False
