"""The daily receiving as steps: a waiting file -> matched -> applied in one transaction, with ledger and linkage state."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import EntryState
from pipelines.linkage import state
from pipelines.linkage.interfaces import INTERFACES, Applying
from pipelines.linkage.matching import unanswered
from pipelines.transfer import receiving
from pipelines.transfer.baseline import people_sent
from pipelines.transfer.receiving import WaitingFile


@dataclass(frozen=True)
class ApplyResult:
    """The outcome for one file. applied_count + rejected_count = records of the file; both are 0 for a stale one.

    rejected_count: records that contradict what we know, and the faulty records of a released file.
    """

    entry: Entry
    applied_count: int
    rejected_count: int
    discrepancies: int


def apply(
    environment: Environment, file: WaitingFile, reported: pl.DataFrame, run_id: str | None = None
) -> ApplyResult:
    """Apply one waiting file: its records, its discrepancies and its `applied` entry in one transaction.

    A file that a newer one made stale is recorded, not applied (`StaleAfter`).
    `reported`: the people reported to the Union. KR-7305 when the archived file is no longer valid.
    """
    recorder, interface = environment.recorder(run_id), INTERFACES[file.interface]
    newest = receiving.newer_applied(environment, interface, file)
    if newest is not None:
        return ApplyResult(recorder.transition(file.entry, EntryState.STALE, newest=newest), 0, 0, 0)
    data, faulty = receiving.sound_records(environment, file)
    with recorder.transaction() as work:
        match = interface.match(Applying(environment, work, file.partition, reported), data)
        if interface.table is not None:
            state.add(work.connection, interface.table, match.applied_records, file.partition, file.entry.id)
        state.list_discrepancies(work.connection, match.discrepancies, file.partition, file.entry.id)
        rejected_count = data.height - match.applied_records.height + faulty
        applied = work.transition(
            file.entry,
            EntryState.APPLIED,
            taken=match.applied_records.height,
            set_aside=rejected_count,
            faulty=faulty,
            discrepancies=match.discrepancies.height,
        )
    return ApplyResult(applied, match.applied_records.height, rejected_count, match.discrepancies.height)


def linkage_on(environment: Environment, on: dt.date | None = None) -> pl.DataFrame:
    """The linkage state as known at the end of `on` (None: now)."""
    with environment.ledger.viewing() as view:
        return state.linkage(view, on)


def discrepancies_on(environment: Environment, day: dt.date, after: dt.date | None = None) -> pl.DataFrame:
    """What must be asked about the files of a day, and the persons without an answer at its end: `LinkageDiscrepancies`.

    after: the business day before, if files of the holidays between the two belong to the day as well.
    """
    with_id = linkage_on(environment, day).filter(pl.col("municipal_insured_id").is_not_null())
    with environment.ledger.viewing() as view:
        found = state.discrepancies_of(view, day, after)
    return pl.concat([found, unanswered(people_sent(environment, day), with_id, day)])
