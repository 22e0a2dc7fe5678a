"""The ledger's data types: entries, events, and the facts from which an outbound entry is created. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from pipelines.exchange.ledger.states import Direction, EntryState, Origin

ACCOUNT: Final = "account"  # a detail: the account of the machine that made or approved a file
ORIGIN: Final = "origin"  # what started the work: in the detail of every event, for it is hashed with the rest
# Columns that a transition may fill while they are empty, and the detail that fills each: the facts of a received file
# become known one after the other.
FILLABLE_COLUMNS: Final = {
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
SEALED_SHA256: Final = "sealed_sha256"  # a column that any event may overwrite, by a detail of the same name


@dataclass(frozen=True)
class Entry:
    """One file in the ledger. Inbound: interface, partition, sha256 and records are None until they are known.

    `size` in bytes; `created_at`: ISO 8601, Asia/Tokyo. `sealed_sha256`: of the signed and encrypted form, where there is
    one. The rest is set for received files only. `archive_path`: relative to the data folder. `seal_fault`: the KR code
    of what is wrong with the signature or encryption. `is_incomplete`: only a part of the file arrived. `is_releasable`:
    of a quarantined file, whether a person may release it. `place`: the medium that it came on, None for the Union's folder.
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
    """One row of the history, with the texts that are hashed.

    `kind`: an EventKind. `action`: the EntryState that was reached, or the LedgerEvent that happened. `at`: ISO 8601,
    Asia/Tokyo. `origin`: what started the work; None when the program did not record it yet.
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
    origin: Origin | None

    @classmethod
    def of(cls, row: RowMapping) -> Event:
        """The event of a row of the table."""
        detail = json.loads(row["detail"])
        recorded = detail.pop(ORIGIN, None)
        return cls(**{**row, "detail": detail}, origin=Origin(recorded) if recorded in set(Origin) else None)


@dataclass(frozen=True)
class OutboundFacts:
    """What the ledger records of an outbound file when its entry is created. `size` in bytes; `records`: data records.

    `baseline`: the partition that it was compared with. `snapshot_sha256`: of what the Union knows once it has imported
    the file.
    """

    interface: str
    partition: date
    file_name: str
    sha256: str
    size: int
    records: int
    baseline: date | None = None
    snapshot_sha256: str | None = None


def columns_set_by_transition(row: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an entry's `row` that the detail of a transition fills."""
    filled = {
        column: detail[name]
        for column, name in FILLABLE_COLUMNS.items()
        if row.get(column) is None and detail.get(name) is not None
    }
    return filled | columns_set_by_event(detail)


def columns_set_by_event(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the detail of any event fills."""
    return {SEALED_SHA256: detail[SEALED_SHA256]} if SEALED_SHA256 in detail else {}
