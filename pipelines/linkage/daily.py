"""The daily receiving as steps: the Union's folder -> archive -> judged -> applied. Wires matching to ledger and state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError, message
from interfaces.naming import date_of, recognise
from interfaces.values import to_canonical
from pipelines.environment import Environment
from pipelines.exchange.inbox import Arrival, Judgement, archived_copy, collect
from pipelines.exchange.ledger import Entry
from pipelines.linkage import state
from pipelines.linkage.matching import (
    DISCREPANCY_SCHEMA,
    Match,
    match_dates,
    match_ids,
    match_verification,
    unanswered,
)
from schemas.report import to_json, write_xlsx
from schemas.validate import validate

RECEPTION = "reception_result"
# Ids first: the later files speak of persons whom the ids name.
INTERFACES = ("municipal_id_linkage", "acquisition_loss_linkage", "verification_list", RECEPTION)
SENT_FILES = ("eligibility_household", "eligibility_individual")
WAITING_STATES = frozenset({"verified", "released"})


@dataclass(frozen=True)
class Applied:
    """What became of one file. taken + aside = records of the file; both are 0 for a stale one.

    aside: records that contradict what we know, and the faulty records of a file that was released from quarantine.
    """

    entry: Entry
    taken: int
    aside: int
    discrepancies: int


def judge(environment: Environment, path: Path, name: str) -> Judgement:
    """Recognise a file by its name and validate it by the version in force on its day (design.md 4 rule 2)."""
    recognised = recognise(environment.catalogue, name)
    if recognised is None or recognised[0] not in INTERFACES:
        return Judgement(False, report=_one_finding("KR-7302", name))
    interface, fields = recognised
    if interface in environment.settings.switched_off_interfaces:
        return Judgement(False, interface, report=_one_finding("KR-7303", name))
    plan = environment.catalogue.versions(interface)[-1].plan
    day = date_of(fields, plan)
    if day is None:
        return Judgement(False, interface, report=_one_finding("KR-7304", name))
    specification = environment.specification(interface, day)
    validated = validate(path, specification, day, environment.context(day, name))
    return Judgement(
        validated.valid, interface, day, validated.records, to_json(validated), partial(write_xlsx, validated)
    )


def _one_finding(code: str, name: str) -> dict[str, object]:
    text = message(code)
    finding = {"file": name, "code": code, "level": "file", "message": f"{code} {text.render(name=name)}"}
    return {"interface": None, "valid": False, "findings": [finding], "counts_by_code": {code: 1}}


def receive(environment: Environment, run_id: str | None = None) -> list[Arrival]:
    """Take in whatever lies in the Union's folder; verified files then wait to be applied."""
    with environment.from_union() as transport:
        return collect(
            environment.ledger,
            transport,
            environment.settings.data_folder,
            partial(judge, environment),
            environment.settings.operator,
            run_id,
            settle_seconds=environment.settings.required_sftp().settle_seconds,
            retry=environment.retry(),
        )


def waiting(environment: Environment) -> list[Entry]:
    """Files to apply, oldest day first, ids before dates before lists."""
    found = environment.ledger.entries(direction="inbound", states=WAITING_STATES)
    order = {interface: position for position, interface in enumerate(INTERFACES)}
    ready = [entry for entry in found if entry.interface in order and entry.partition is not None]
    return sorted(ready, key=lambda e: (e.partition or dt.date.min, order[e.interface or ""], e.file_name, e.id))


def apply(environment: Environment, entry: Entry, told: pl.DataFrame, run_id: str | None = None) -> Applied:
    """Apply one waiting file: its records, its discrepancies and its `applied` entry in one transaction.

    A file older than the newest applied one of its interface is stale: recorded, not applied (design.md 5).
    `told`: the people whom the Union was told of.
    """
    if entry.interface is None or entry.partition is None:
        raise RenkeiError("KR-7301", entry=entry.id, state=entry.state)
    ledger, day = environment.ledger, entry.partition
    newer = [
        e.partition
        for e in ledger.entries(direction="inbound", states={"applied"}, interfaces={entry.interface})
        if e.partition is not None and e.partition > day
    ]
    if newer and entry.state == "verified":
        stale = ledger.advance(
            entry.id, "stale", operator=environment.settings.operator, run_id=run_id, newest=max(newer)
        )
        return Applied(stale, 0, 0, 0)
    data, faulty = _canonical(environment, entry, day)
    with ledger.transaction() as connection:
        state.create(connection)
        match = _match(environment, connection, entry.interface, data, told)
        if entry.interface in state.TABLES:
            state.add(connection, entry.interface, match.taken, day, entry.id)
        state.list_discrepancies(connection, match.discrepancies, day, entry.id)
        aside = data.height - match.taken.height + faulty
        applied = ledger.advance(
            entry.id,
            "applied",
            operator=environment.settings.operator,
            run_id=run_id,
            connection=connection,
            taken=match.taken.height,
            set_aside=aside,
            faulty=faulty,
            discrepancies=match.discrepancies.height,
        )
    return Applied(applied, match.taken.height, aside, match.discrepancies.height)


def _canonical(environment: Environment, entry: Entry, day: dt.date) -> tuple[pl.DataFrame, int]:
    """The sound records of an archived file, judged once more before a row is used (design.md 4 rule 1).

    With them the number of faulty records, which only a released file can have.
    """
    path = archived_copy(environment.ledger, environment.settings.data_folder, entry.id)
    specification = environment.specification(str(entry.interface), day)
    validated = validate(path, specification, day, environment.context(day, entry.file_name))
    if not validated.valid and entry.state != "released":
        raise RenkeiError("KR-7305", name=entry.file_name)
    sound = to_canonical(validated.good, specification.data, specification, day).drop("line")
    return sound, validated.records - sound.height


def _match(
    environment: Environment, connection: Connection, interface: str, data: pl.DataFrame, told: pl.DataFrame
) -> Match:
    if interface == "acquisition_loss_linkage":
        return match_dates(data, told)
    if interface == "municipal_id_linkage":
        held = state.held(connection, interface).select(
            "resident_number", "municipal_insured_id", "prefecture_insured_id"
        )
        return match_ids(data, told, held)
    if interface == "verification_list":
        return match_verification(data, told)
    return _receptions(environment, connection, data)


def _receptions(environment: Environment, connection: Connection, data: pl.DataFrame) -> Match:
    """Each answer moves the file that it speaks of to accepted or rejected; an answer about no file of ours is set aside."""
    ours = {e.file_name: e for e in environment.ledger.entries(direction="outbound", connection=connection)}
    taken, found = [], []
    for row in data.iter_rows(named=True):
        entry = ours.get(row["sent_file_name"])
        if entry is None:
            found.append(_about_file(row, "KR-8115", set_aside=True))
            continue
        taken.append(row)
        if row["reception_kind"] == "rejected":
            found.append(_about_file(row, "KR-8114", set_aside=False))
        if entry.state == "sent":
            environment.ledger.advance(
                entry.id,
                row["reception_kind"],
                operator=environment.settings.operator,
                connection=connection,
                records_at_union=row["sent_record_count"],
            )
    return Match(pl.DataFrame(taken, schema=data.schema), pl.DataFrame(found, schema=DISCREPANCY_SCHEMA))


def _about_file(row: Mapping[str, object], code: str, *, set_aside: bool) -> dict[str, object]:
    text = message(code)
    return {
        "interface": RECEPTION,
        "resident_number": "",
        "code": code,
        "title": text.title,
        "ours": row["sent_file_name"],
        "theirs": row["reception_kind"],
        "question": text.remedy,
        "set_aside": set_aside,
    }


def apply_all(environment: Environment, told: pl.DataFrame, run_id: str | None = None) -> list[Applied]:
    """Apply every waiting file in order."""
    return [apply(environment, entry, told, run_id) for entry in waiting(environment)]


def told(environment: Environment, on: dt.date | None = None) -> pl.DataFrame:
    """The people of the last effective sending (at the end of `on`; None: now), as the Union knows them."""
    before = on + dt.timedelta(days=1) if on else None
    partition = environment.ledger.effective_baseline(before=before, interfaces=SENT_FILES)
    if partition is None:
        text = dict.fromkeys(("resident_number", "head_kind"), pl.String())
        return pl.DataFrame(schema={**text, **dict.fromkeys(("applied_on", "ended_on"), pl.Date())})
    return environment.store.read("sent_people", partition.isoformat())


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
    return pl.concat([found, unanswered(told(environment, day), known)])
