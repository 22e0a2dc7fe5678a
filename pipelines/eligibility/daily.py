"""The daily sending as steps: extracts -> snapshot -> files -> Union. Wires pure decisions to store, ledger and server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import polars as pl

from interfaces.messages import RenkeiError
from pipelines.calendar import require_business_day
from pipelines.eligibility import snapshot
from pipelines.eligibility.files import FILES, INDIVIDUAL_FILE, Bad, Built, Known, build
from pipelines.eligibility.intake import EXTRACTS, Extracts, read_extracts
from pipelines.environment import Environment
from pipelines.exchange.ledger import SENT_STATES, Entry
from pipelines.exchange.outbox import OutboundFile, SealedFile, SendOutcome, mark_sent, seal_partition, send_partition
from pipelines.outgoing import needs_approval, outbox_path, sealing

SNAPSHOT_ASSETS = ("sent_people", "sent_households", "sent_my_numbers")


def baseline(environment: Environment, day: dt.date) -> Known:
    """The last sent snapshot before `day` (design.md 4 rule 4); the empty one before anything was sent.

    A day whose file the Union rejected does not count, nor does any later day that was compared with it.
    KR-7213 when the tables at rest are not the ones that the ledger knows to be sent.
    """
    partition = environment.ledger.effective_baseline(before=day, interfaces=FILES)
    if partition is None:
        return Known(None, *empty_snapshot(environment, day))
    frames = (environment.store.read(asset, partition.isoformat()) for asset in SNAPSHOT_ASSETS)
    known = Known(partition, *frames)
    entries = environment.ledger.standing(partition, FILES).values()
    if {entry.snapshot_sha256 for entry in entries} != {known.sha256()}:
        raise RenkeiError("KR-7213", partition=partition)
    return known


def empty_snapshot(environment: Environment, day: dt.date) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Frames of the snapshot's columns without a row."""
    types = {item.id: item.type.is_date for interface in (*FILES, *EXTRACTS)
             for item in environment.specification(interface, day).data.items}  # fmt: skip
    schema = {name: pl.Date() if dated else pl.String() for name, dated in types.items()}
    return (
        pl.DataFrame(schema={name: schema.get(name, pl.String()) for name in snapshot.PERSON_COLUMNS}),
        pl.DataFrame(schema={name: schema.get(name, pl.String()) for name in snapshot.HOUSEHOLD_COLUMNS}),
        pl.DataFrame(schema={snapshot.PERSON_KEY: pl.String, "my_number": pl.String}),
    )


def build_day(
    environment: Environment,
    day: dt.date,
    people: pl.DataFrame,
    households: pl.DataFrame,
    my_numbers: pl.DataFrame,
    bad: Bad,
) -> Built:
    """Build the day's files against the baseline; the same inputs give the same bytes (design.md 4 rule 5)."""
    return build(environment, day, people, households, my_numbers, bad, baseline(environment, day))


def bad_of(faults: pl.DataFrame, findings: pl.DataFrame) -> Bad:
    """Those whom the extracts' own findings hold back (FAULT_SCHEMA, FINDING_SCHEMA)."""
    return Bad(faults["resident_number"].drop_nulls(), faults["household_number"].drop_nulls(), findings)


def tables_of(extracts: Extracts) -> dict[str, pl.DataFrame]:
    """What is kept of a day's extracts, by asset."""
    return {
        **extracts.tables,
        "my_numbers": extracts.my_numbers,
        "extract_findings": extracts.findings,
        "extract_faults": extracts.faults,
    }


def tables_of_build(built: Built) -> dict[str, pl.DataFrame]:
    """What is kept of a day's files, by asset. The files themselves lie in the outbox; here are their manifests."""
    return {
        "eligibility_changes": built.sent.people,
        "held_list": built.held,
        "build_findings": built.findings,
        **{interface: manifest(built.files, interface, built.baseline) for interface in FILES},
        "sent_people": built.known.people,
        "sent_households": built.known.households,
        "sent_my_numbers": built.known.my_numbers,
    }


MANIFEST = {"file_name": pl.String, "sha256": pl.String, "size": pl.Int64, "records": pl.Int64, "baseline": pl.Date}


def manifest(files: Sequence[OutboundFile], interface: str, compared_with: dt.date | None) -> pl.DataFrame:
    """The row that names a file, what it must hold and the day that it was compared with (MANIFEST; size in bytes).

    No row on a quiet day on which the specification wants no file.
    """
    rows = [(f.file_name, f.sha256, f.size, f.records, compared_with) for f in files if f.interface == interface]
    return pl.DataFrame(rows, schema=MANIFEST, orient="row")


def _compared_with(environment: Environment, day: dt.date, files: Mapping[str, pl.DataFrame]) -> dt.date | None:
    """The day that the files were compared with when they were made.

    KR-7214 when the Union is no longer at that day, because it rejected it or another one reached it meanwhile: what the
    files leave out it would then never be told. A day that is out already stays what it is.
    """
    (made_with,) = set(pl.concat([files[interface]["baseline"] for interface in FILES])) or {None}
    standing = environment.ledger.standing(day, FILES).values()
    is_out = bool(standing) and all(entry.state in SENT_STATES for entry in standing)
    present = environment.ledger.effective_baseline(before=day, interfaces=FILES)
    if present != made_with and not is_out:
        raise RenkeiError("KR-7214", day=day, made_with=made_with or "なし", present=present or "なし")
    answer: dt.date | None = made_with
    return answer


def dispatch(
    environment: Environment, day: dt.date, files: Mapping[str, pl.DataFrame], run_id: str | None = None
) -> SendOutcome:
    """Send the day's pair of files, or record why nothing is sent (superseded, already there, nothing to tell).

    `files`: manifest by interface. The outbox is trusted no further than its SHA-256 (KR-61xx when it differs).
    """
    outbound = _outbound(environment, day, files)
    if not outbound:
        environment.ledger.note("quiet_day", operator=environment.settings.operator, run_id=run_id, partition=day)
        return SendOutcome("nothing_to_send", ())
    before = _compared_with(environment, day, files)
    known = Known(day, *(environment.store.read(asset, day.isoformat()) for asset in SNAPSHOT_ASSETS))
    with environment.to_union() as transport:
        return send_partition(
            environment.ledger,
            transport,
            day,
            outbound,
            baseline=before,
            snapshot_sha256=known.sha256(),
            operator=environment.settings.operator,
            run_id=run_id,
            safe=environment.safe,
            retry=environment.retry(),
            needs_approval=_needs_approval(environment, outbound, before),
            recipient=sealing(environment),
        )


def _outbound(environment: Environment, day: dt.date, files: Mapping[str, pl.DataFrame]) -> list[OutboundFile]:
    return [
        OutboundFile(interface, name, outbox_path(environment, day, name, sha256), sha256, size, records)
        for interface in FILES
        for name, sha256, size, records, _ in files[interface].select(list(MANIFEST)).rows()
    ]


def mark_day_sent(environment: Environment, day: dt.date, by: str, reason: str) -> tuple[Entry, ...]:
    """Record that the day's files, as they lie in the outbox, reached the Union by other means (see outbox.mark_sent).

    KR-7207 when the day's files were never made.
    """
    files = {interface: environment.store.read(interface, day.isoformat()) for interface in FILES}
    known = Known(day, *(environment.store.read(asset, day.isoformat()) for asset in SNAPSHOT_ASSETS))
    outbound, before = _outbound(environment, day, files), _compared_with(environment, day, files)
    return mark_sent(
        environment.ledger, day, outbound, before, known.sha256(),
        by, reason, safe=environment.safe, needs_approval=_needs_approval(environment, outbound, before),
    )  # fmt: skip


def seal_day(environment: Environment, day: dt.date, by: str, *, needs_approval: bool) -> list[SealedFile]:
    """The day's files sealed for a medium (see outbox.seal_partition). KR-7207 never made, KR-6605 nobody to seal for."""
    recipient = sealing(environment)
    if recipient is None:
        raise RenkeiError("KR-6605")
    files = {interface: environment.store.read(interface, day.isoformat()) for interface in FILES}
    known = Known(day, *(environment.store.read(asset, day.isoformat()) for asset in SNAPSHOT_ASSETS))
    outbound, before = _outbound(environment, day, files), _compared_with(environment, day, files)
    return seal_partition(
        environment.ledger, day, outbound, before, known.sha256(), by, safe=environment.safe, recipient=recipient,
        needs_approval=needs_approval,
    )  # fmt: skip


def _needs_approval(environment: Environment, files: Sequence[OutboundFile], before: dt.date | None) -> bool:
    persons = sum(file.records for file in files if file.interface == INDIVIDUAL_FILE)
    return needs_approval(environment, persons, first=before is None)


def run_out(environment: Environment, day: dt.date, confirm_loss: str | None = None) -> tuple[Built, SendOutcome]:
    """The whole sending of a day without Dagster, in the order of the assets."""
    require_business_day(day)
    extracts = read_extracts(environment, day, confirm_loss)
    people, households = snapshot_of(extracts.tables)
    built = build_day(
        environment, day, people, households, extracts.my_numbers, bad_of(extracts.faults, extracts.findings)
    )
    kept = {**tables_of(extracts), "people": people, "households": households, **tables_of_build(built)}
    for asset, table in kept.items():
        environment.store.write(asset, day.isoformat(), table)
    return built, dispatch(environment, day, tables_of_build(built))


def snapshot_of(tables: Mapping[str, pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(people, households) of the canonical extracts."""
    resident, insured, household = (tables[interface] for interface in EXTRACTS)
    return snapshot.people(resident, insured, household), snapshot.households(household)
