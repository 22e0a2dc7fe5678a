"""The daily receiving as steps: the Union's folder -> archive -> judged -> applied. Wires matching to ledger and state."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import UnitOfWork
from pipelines.exchange.ledger.states import OUT_STATES, Direction, EntryState, LedgerEvent
from pipelines.linkage import state
from pipelines.linkage.matching import (
    Match,
    match_dates,
    match_ids,
    match_receptions,
    match_verification,
    unanswered,
)
from pipelines.transfer import receiving
from pipelines.transfer.baseline import people_sent
from pipelines.transfer.unrecorded import interface_of

INTERFACES = receiving.DAILY_INTERFACES
ABOUT_ONE_DAY = frozenset({"verification_list", "reception_result"})


@dataclass(frozen=True)
class Applied:
    """What became of one file. taken + aside = records of the file; both are 0 for a stale one.

    aside: records that contradict what we know, and the faulty records of a file that was released from quarantine.
    """

    entry: Entry
    taken: int
    aside: int
    discrepancies: int


def apply(
    environment: Environment, file: receiving.WaitingFile, told: pl.DataFrame, run_id: str | None = None
) -> Applied:
    """Apply one waiting file: its records, its discrepancies and its `applied` entry in one transaction.

    A file older than the newest applied one of its interface is stale: recorded, not applied (design.md 5). Not so the
    answers about a day's own files and persons: a newer day's do not take their place.
    `told`: the people whom the Union was told of.
    """
    recorder, entry, day = environment.recorder(run_id), file.entry, file.partition
    newest = None if file.interface in ABOUT_ONE_DAY else receiving.stale_since(environment, file)
    if newest is not None:
        return Applied(recorder.advance(entry, EntryState.STALE, newest=newest), 0, 0, 0)
    data, faulty = receiving.sound_records(environment, file)
    with recorder.transaction() as work:
        state.create(work.connection)
        match = _match(environment, work, file.interface, day, data, told)
        if file.interface in state.TABLES:
            state.add(work.connection, file.interface, match.taken, day, entry.id)
        state.list_discrepancies(work.connection, match.discrepancies, day, entry.id)
        aside = data.height - match.taken.height + faulty
        applied = work.advance(
            entry,
            EntryState.APPLIED,
            taken=match.taken.height,
            set_aside=aside,
            faulty=faulty,
            discrepancies=match.discrepancies.height,
        )
    return Applied(applied, match.taken.height, aside, match.discrepancies.height)


def _match(
    environment: Environment,
    work: UnitOfWork,
    interface: str,
    day: dt.date,
    data: pl.DataFrame,
    told: pl.DataFrame,
) -> Match:
    if interface == "acquisition_loss_linkage":
        ids = state.held(work.connection, "municipal_id_linkage", day)
        return match_dates(data, told, state.held(work.connection, interface, day), ids)
    if interface == "municipal_id_linkage":
        taken = state.history(work.connection, interface)
        return match_ids(data, told, taken.drop("known_from"))
    if interface == "verification_list":
        return match_verification(data, told)
    return _receptions(environment, work, data)


def _receptions(environment: Environment, work: UnitOfWork, data: pl.DataFrame) -> Match:
    """Each answer that is taken moves the file that it speaks of to accepted or rejected."""
    ours = {e.file_name: e for e in work.entries(direction=Direction.OUTBOUND)}
    schema = {"file_name": pl.String, "state": pl.String, "records": pl.Int64}
    rows = [(name, entry.state, entry.records) for name, entry in ours.items()]
    match = match_receptions(data, pl.DataFrame(rows, schema=schema, orient="row"))
    for name in data["sent_file_name"].unique().sort():
        if (name not in ours or ours[name].state not in OUT_STATES) and interface_of(environment, name) is not None:
            work.note(LedgerEvent.ANSWER_TO_UNRECORDED, file_name=name)
    for row in match.taken.iter_rows(named=True):
        entry, kind = ours[row["sent_file_name"]], EntryState(row["reception_kind"])
        count = row["sent_record_count"]
        proved = (EntryState.SENT, kind)
        ways = {EntryState.UPLOADED: proved, EntryState.UNCONFIRMED: proved, EntryState.SENT: (kind,)}
        for reached in ways.get(entry.state, ()):
            work.advance(entry, reached, records_at_union=None if count is None else int(count))
    return match


def apply_all(
    environment: Environment, told: pl.DataFrame, run_id: str | None = None, own_day: dt.date | None = None
) -> list[Applied]:
    """Apply every waiting file in order, and keep the linkage state of each day that brought one.

    Also of days whose files an earlier run applied before it was cut off; not of `own_day`, which the caller keeps.
    """
    kept = max(environment.store.partitions("linkage_state"), default="")
    applied = [apply(environment, file, told, run_id) for file in receiving.waiting(environment, INTERFACES)]
    brought = {one.entry.partition for one in applied if one.entry.state == "applied"}
    known = environment.ledger.entries(direction=Direction.INBOUND, interfaces=INTERFACES, states={EntryState.APPLIED})
    cut_off = {entry.partition for entry in known if str(entry.partition) > kept}
    for day in sorted(day for day in brought | cut_off if day and day != own_day):
        environment.store.write("linkage_state", day.isoformat(), linkage_on(environment, day))
    return applied


def linkage_on(environment: Environment, on: dt.date | None = None) -> pl.DataFrame:
    """The linkage state as known at the end of `on` (None: now)."""
    with environment.ledger.transaction() as connection:
        state.create(connection)
        return state.linkage(connection, on)


def discrepancies_on(environment: Environment, day: dt.date) -> pl.DataFrame:
    """What must be asked about the files of a day, and about whom there is no answer at its end: DISCREPANCY_SCHEMA."""
    known = linkage_on(environment, day).filter(pl.col("municipal_insured_id").is_not_null())
    with environment.ledger.transaction() as connection:
        found = state.discrepancies_of(connection, day)
    return pl.concat([found, unanswered(people_sent(environment, day), known, day)])
