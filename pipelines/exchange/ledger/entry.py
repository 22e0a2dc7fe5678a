"""What the ledger gives and takes: entries, events, and the facts of a file that is entered. Reads and writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from pipelines.exchange.ledger.states import Direction, EntryState

ACCOUNT: Final = "account"  # a detail: the account of the machine that made or approved a file
# Columns that a move may fill while they are empty, and the detail that fills each: an arriving file tells them one after
# the other.
OPEN_COLUMNS: Final = {
    "interface": "interface",
    "partition": "partition",
    "sha256": "sha256",
    "size": "size",
    "records": "records",
    "archive_path": "archive",
    "seal_fault": "seal",
    "is_incomplete": "incomplete",
    "is_releasable": "releasable",
}
SEALED_SHA256: Final = "sealed_sha256"  # a column that every move or note may fill anew, by a detail of the same name


@dataclass(frozen=True)
class Entry:
    """One file in the ledger. Inbound: interface, partition, sha256 and records are None until they are known.

    `size` in bytes; `created_at`: ISO 8601, Asia/Tokyo. `sealed_sha256`: of the form that travels, where it is sealed; the
    others are of arriving files. `archive_path`: from the data folder. `seal_fault`: the KR code of what is wrong with the
    seal. `is_incomplete`: only a part of it came. `is_releasable`: of one kept apart, whether a person may let it in.
    `place`: the medium on which it came, None for the Union's folder.
    """

    id: int
    direction: Direction
    interface: str | None
    partition: date | None
    file_name: str
    sha256: str | None
    size: int | None
    records: int | None
    baseline: date | None
    snapshot_sha256: str | None
    state: EntryState
    created_at: str
    sealed_sha256: str | None
    archive_path: str | None
    seal_fault: str | None
    is_incomplete: bool | None
    is_releasable: bool | None
    place: str | None

    @classmethod
    def of(cls, row: RowMapping) -> Entry:
        """The entry of a row of the table."""
        return cls(**{**row, "direction": Direction(row["direction"]), "state": EntryState(row["state"])})


@dataclass(frozen=True)
class Event:
    """One row of the history, in the words that are hashed.

    `kind`: an EventKind. `action`: the EntryState that was reached, or the LedgerEvent that was noted. `at`: ISO 8601,
    Asia/Tokyo.
    """

    sequence: int
    entry_id: int | None
    kind: str
    action: str
    at: str
    run_id: str | None
    operator: str
    detail: dict[str, Any]
    previous_hash: str
    row_hash: str

    @classmethod
    def of(cls, row: RowMapping) -> Event:
        """The event of a row of the table."""
        return cls(**{**row, "detail": json.loads(row["detail"])})


@dataclass(frozen=True)
class OutboundFacts:
    """What the ledger knows of a file for the Union from its beginning. `size` in bytes; `records`: its data records.

    `baseline`: the partition that it was compared with. `snapshot_sha256`: what the Union knows once the file is in.
    """

    interface: str
    partition: date
    file_name: str
    sha256: str
    size: int
    records: int
    baseline: date | None = None
    snapshot_sha256: str | None = None


def told_by_move(known: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the detail of a move fills."""
    opened = {
        column: detail[name]
        for column, name in OPEN_COLUMNS.items()
        if known.get(column) is None and detail.get(name) is not None
    }
    return opened | told_by_note(detail)


def told_by_note(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the detail of a note fills."""
    return {SEALED_SHA256: detail[SEALED_SHA256]} if SEALED_SHA256 in detail else {}
