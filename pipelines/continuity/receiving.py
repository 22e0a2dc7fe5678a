"""The records of the Union's monthly files: a month's records including its waiting files, and marking those as applied.

The caller stores the records in between, so a file is `applied` only when its records are stored. A crash in between
applies the same files again, with the same result.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.continuity.interfaces import ENTRY, INTERFACES
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import EntryState
from pipelines.transfer import receiving
from pipelines.transfer.receiving import WaitingFile


@dataclass(frozen=True)
class AppliedFile:
    """The outcome for one file: valid records applied, faulty ones of a released file rejected. stale_because_of: a newer
    file's day or name, if the file is stale."""

    file: WaitingFile
    applied_count: int = 0
    rejected_count: int = 0
    stale_because_of: str | dt.date | None = None


@dataclass(frozen=True)
class Month:
    """The records of an interface in a month including its waiting files (None: none of them is to be applied), and the files."""

    records: pl.DataFrame | None
    files: list[AppliedFile]


def stored(environment: Environment, interface: str, month: dt.date) -> pl.DataFrame:
    """The stored records of a month, with ENTRY; no rows before a file arrived."""
    if environment.store.exists(interface, month.isoformat()):
        return environment.store.read(interface, month.isoformat())
    return INTERFACES[interface].records.empty()


def with_waiting(environment: Environment, interface: str, month: dt.date, files: Sequence[WaitingFile]) -> Month:
    """A month's records including those of the waiting files of the interface, in their order.

    KR-7117 a necessary item is missing, KR-7305 an archived file is no longer valid: then none of them is applied.
    """
    definition, done = INTERFACES[interface], []
    records, has_new = stored(environment, interface, month), False
    for file in files:
        newer = receiving.newer_applied(environment, definition, file)
        if newer is not None:
            done.append(AppliedFile(file, stale_because_of=newer))
            continue
        sound, faulty = receiving.sound_records(environment, file)
        new = definition.items.completed(sound).with_columns(pl.lit(file.entry.id).alias(ENTRY))
        records, has_new = definition.joined(records.filter(pl.col(ENTRY) != file.entry.id), new), True
        done.append(AppliedFile(file, sound.height, faulty))
    if definition.unique_by:
        records = _in_file_order(environment, records)
        records = records.unique(definition.unique_by, keep="last", maintain_order=True)
    return Month(records if has_new else None, done)


def mark(environment: Environment, files: Sequence[AppliedFile], run_id: str | None = None) -> list[Entry]:
    """Mark the files as `applied`, now that their records are stored, or as `stale`."""
    with environment.recorder(run_id).transaction() as work:
        return [
            work.transition(
                file.file.entry, EntryState.APPLIED, taken=file.applied_count, set_aside=file.rejected_count
            )
            if file.stale_because_of is None
            else work.transition(file.file.entry, EntryState.STALE, newest=file.stale_because_of)
            for file in files
        ]


def _in_file_order(environment: Environment, kept: pl.DataFrame) -> pl.DataFrame:
    """Records with ENTRY in the order of their files' names, whichever came first."""
    names = {number: environment.ledger.entry(number).file_name for number in kept[ENTRY].unique()}
    order = {
        number: position for position, number in enumerate(sorted(names, key=lambda number: (names[number], number)))
    }
    return kept.sort(pl.col(ENTRY).replace_strict(order, return_dtype=pl.Int32), maintain_order=True)
