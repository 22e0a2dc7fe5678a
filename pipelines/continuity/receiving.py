"""The records of the Union's monthly files: what a month has after its waiting files, and that those are applied then.

Whoever calls writes the records down in between, so that a file is `applied` only when its records are kept. A crash in
between applies the same files again, to the same records.
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
class Taken:
    """What becomes of one file: its sound records, and faulty ones of a released file left aside. stale: by what."""

    file: WaitingFile
    taken: int = 0
    aside: int = 0
    overtaken_by: str | dt.date | None = None


@dataclass(frozen=True)
class Month:
    """The records of an interface in a month after its waiting files (None: none of them is to be applied), and the files."""

    records: pl.DataFrame | None
    files: list[Taken]


def stored(environment: Environment, interface: str, month: dt.date) -> pl.DataFrame:
    """The records kept of a month, with ENTRY; no rows before a file came."""
    if environment.store.exists(interface, month.isoformat()):
        return environment.store.read(interface, month.isoformat())
    return INTERFACES[interface].records.empty()


def with_waiting(environment: Environment, interface: str, month: dt.date, files: Sequence[WaitingFile]) -> Month:
    """A month's records with those of the files of the interface that wait for it, in their order.

    KR-7117 a necessary item is missing, KR-7305 an archived file no longer passes: then none of them is applied.
    """
    known, done = INTERFACES[interface], []
    records, has_new = stored(environment, interface, month), False
    for file in files:
        overtaken = receiving.newer_applied(environment, known, file)
        if overtaken is not None:
            done.append(Taken(file, overtaken_by=overtaken))
            continue
        sound, faulty = receiving.sound_records(environment, file)
        new = known.items.completed(sound).with_columns(pl.lit(file.entry.id).alias(ENTRY))
        records, has_new = known.joined(records.filter(pl.col(ENTRY) != file.entry.id), new), True
        done.append(Taken(file, sound.height, faulty))
    if known.last_word:
        records = _in_file_order(environment, records)
        records = records.unique(known.last_word, keep="last", maintain_order=True)
    return Month(records if has_new else None, done)


def mark(environment: Environment, files: Sequence[Taken], run_id: str | None = None) -> list[Entry]:
    """Record the files as `applied`, now that their records are kept, or as `stale`."""
    with environment.recorder(run_id).transaction() as work:
        return [
            work.transition(one.file.entry, EntryState.APPLIED, taken=one.taken, set_aside=one.aside)
            if one.overtaken_by is None
            else work.transition(one.file.entry, EntryState.STALE, newest=one.overtaken_by)
            for one in files
        ]


def _in_file_order(environment: Environment, kept: pl.DataFrame) -> pl.DataFrame:
    """Records with ENTRY in the order of their files' names, whichever came first."""
    names = {number: environment.ledger.entry(number).file_name for number in kept[ENTRY].unique()}
    order = {number: place for place, number in enumerate(sorted(names, key=lambda number: (names[number], number)))}
    return kept.sort(pl.col(ENTRY).replace_strict(order, return_dtype=pl.Int32), maintain_order=True)
