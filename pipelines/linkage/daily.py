"""The daily receiving as steps: a waiting file -> judged -> applied in one transaction. Wires decisions to ledger and state."""

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
class Applied:
    """What became of one file. taken + aside = records of the file; both are 0 for a stale one.

    aside: records that contradict what we know, and the faulty records of a file that was released from quarantine.
    """

    entry: Entry
    taken: int
    aside: int
    discrepancies: int


def apply(environment: Environment, file: WaitingFile, told: pl.DataFrame, run_id: str | None = None) -> Applied:
    """Apply one waiting file: its records, its discrepancies and its `applied` entry in one transaction.

    A file whose place a newer one took is stale: recorded, not applied (`StaleAfter`).
    `told`: the people whom the Union was told of. KR-7305 when the archived file no longer passes.
    """
    recorder, interface = environment.recorder(run_id), INTERFACES[file.interface]
    newest = receiving.newer_applied(environment, interface, file)
    if newest is not None:
        return Applied(recorder.transition(file.entry, EntryState.STALE, newest=newest), 0, 0, 0)
    data, faulty = receiving.sound_records(environment, file)
    with recorder.transaction() as work:
        match = interface.match(Applying(environment, work, file.partition, told), data)
        if interface.table is not None:
            state.add(work.connection, interface.table, match.taken, file.partition, file.entry.id)
        state.list_discrepancies(work.connection, match.discrepancies, file.partition, file.entry.id)
        aside = data.height - match.taken.height + faulty
        applied = work.transition(
            file.entry,
            EntryState.APPLIED,
            taken=match.taken.height,
            set_aside=aside,
            faulty=faulty,
            discrepancies=match.discrepancies.height,
        )
    return Applied(applied, match.taken.height, aside, match.discrepancies.height)


def linkage_on(environment: Environment, on: dt.date | None = None) -> pl.DataFrame:
    """The linkage state as known at the end of `on` (None: now)."""
    with environment.ledger.viewing() as view:
        return state.linkage(view, on)


def discrepancies_on(environment: Environment, day: dt.date, after: dt.date | None = None) -> pl.DataFrame:
    """What must be asked about the files of a day, and about whom there is no answer at its end: `LinkageDiscrepancies`.

    after: the business day before, when files of closed days between the two belong to it as well.
    """
    known = linkage_on(environment, day).filter(pl.col("municipal_insured_id").is_not_null())
    with environment.ledger.viewing() as view:
        found = state.discrepancies_of(view, day, after)
    return pl.concat([found, unanswered(people_sent(environment, day), known, day)])
