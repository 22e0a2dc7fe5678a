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
# Columns that a move may fill while they are empty: an arriving file tells them one after the other.
OPEN_COLUMNS: Final = ("interface", "partition", "sha256", "size", "records")


@dataclass(frozen=True)
class Entry:
    """One file in the ledger. Inbound: interface, partition, sha256 and records are None until they are known.

    `size` in bytes; `created_at`: ISO 8601, Asia/Tokyo.
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


def filled(known: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """The open columns that the detail of a move fills."""
    return {name: detail[name] for name in OPEN_COLUMNS if known.get(name) is None and detail.get(name) is not None}
