"""The municipal extracts of a day, validated and separated from their 個人番号. Reads files, writes reports."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from interfaces.contract import MY_NUMBER, items_read
from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from interfaces.values import to_stored
from pipelines.deployment import Environment
from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.tables.eligibility import TOLD, PersonsAtFault
from schemas.findings import codes_in_words
from schemas.report import write_json, write_xlsx
from schemas.rules.relations import codes_that_name_somebody
from schemas.validate import FileRead, Validated, relate, validate_file

EXTRACTS = ("resident_extract", "insured_extract", "household_extract")
AT_ONCE = 2  # the machine's cores; polars leaves one idle while bytes are hashed and lines are found
KEYS = {"resident_extract": PERSON_KEY, "insured_extract": PERSON_KEY, "household_extract": HOUSEHOLD_KEY}


@dataclass(frozen=True)
class Extracts:
    """The canonical extracts of a day (resident without 個人番号), the 個人番号 separately, and the findings.

    tables, files: by interface id. my_numbers: resident_number, my_number. findings: `Findings`.
    faults: `PersonsAtFault`, for each row with a finding of level record.
    """

    tables: dict[str, pl.DataFrame]
    files: dict[str, FileRead]
    my_numbers: pl.DataFrame
    findings: pl.DataFrame
    faults: pl.DataFrame
    normalised: dict[str, int]


def read_extracts(environment: Environment, day: dt.date, confirm: str | None = None) -> Extracts:
    """Read and validate the day's extracts. Stores nothing but the reports.

    RenkeiError KR-7202 (not there yet), KR-7203 (structure or whole file invalid), KR-7211 (a row that identifies nobody),
    KR-7201 (more rows lost than the settings allow, and no reason given). A record that breaks a rule is not an error: its
    person is withheld (D-006). An error's `interface` says whose extract it is.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        validations = pool.map(lambda interface: _validate_extract(environment, interface, day), EXTRACTS)
        validated_files = dict(zip(EXTRACTS, validations, strict=True))
    for interface, validated in validated_files.items():
        _refuse_lost_rows(environment, interface, validated.records, day, confirm)
    across = relate(validated_files)
    findings = pl.concat([*(validated.findings for validated in validated_files.values()), across])
    tables = {
        interface: items_read(interface).completed(
            to_stored(validated.data, validated.decoded.spec.data, validated.decoded.spec, day).drop(
                "line", "processed_on", strict=False
            )
        )
        for interface, validated in validated_files.items()
    }
    for interface, key in KEYS.items():
        tables[interface] = _first_of_each(tables[interface], key)
    numbers = tables["resident_extract"].select(PERSON_KEY, MY_NUMBER)
    tables["resident_extract"] = tables["resident_extract"].drop(MY_NUMBER)
    normalised: dict[str, int] = {}
    for interface, validated in validated_files.items():
        normalised |= {f"{interface}.{item}": count for item, count in validated.normalised.items() if count}
    files = {interface: validated.file for interface, validated in validated_files.items()}
    return Extracts(tables, files, numbers.sort(PERSON_KEY), findings, _faults(validated_files, findings), normalised)


def _first_of_each(table: pl.DataFrame, key: str) -> pl.DataFrame:
    """One row per key; a person with several rows is withheld, with every household that one of the rows names (`_faults`)."""
    return table if table[key].n_unique() == table.height else table.unique(key, keep="first", maintain_order=True)


def _validate_extract(environment: Environment, interface: str, day: dt.date) -> Validated:
    specification = environment.specification(interface, day)
    name = file_name(specification, environment.header(day))
    path = environment.settings.extract_folder / name
    if not path.exists():
        raise RenkeiError("KR-7202", day=day.isoformat(), name=name, interface=interface)
    validated = validate_file(path, specification, day, environment.file_context(day, name))
    report = environment.reports(day) / f"{interface}.json"
    write_json(validated, report)
    write_xlsx(validated, report.with_suffix(".xlsx"))
    whole = validated.findings.filter(pl.col("level") == "file")
    if whole.height:
        codes = codes_in_words(whole["code"])
        raise RenkeiError("KR-7203", name=name, codes=codes, report=report.with_suffix(".xlsx"), interface=interface)
    unidentified = validated.findings.filter(
        (pl.col("level") == "record")
        & (pl.col("item").is_null() | pl.col("item").is_in([PERSON_KEY, HOUSEHOLD_KEY]))
        & ~pl.col("code").is_in([DUPLICATE_KEY, *codes_that_name_somebody()])
    )
    if unidentified.height:
        raise RenkeiError(
            "KR-7211",
            name=name,
            count=unidentified.height,
            report=report.with_suffix(".xlsx"),
            interface=interface,
        )
    return validated


# A duplicate or an unmatched key still identifies its person, who is then withheld. Any other fault in a key, and a line
# that is no record at all, identifies nobody: the person would seem to be gone and be withdrawn, so the extract stops.
DUPLICATE_KEY = "KR-3004"


def _refuse_lost_rows(environment: Environment, interface: str, now: int, day: dt.date, confirm: str | None) -> None:
    """KR-7201 for an extract that may be truncated. No number of lost rows is too small to ask about (D-061)."""
    earlier = [p for p in environment.store.partitions(interface) if p < day.isoformat()]
    if not earlier:
        return
    before = environment.store.height(interface, earlier[-1])
    limit = environment.settings.lost_rows_threshold
    if before and (before - now) / before >= limit:
        if confirm:
            environment.recorder().append_event(
                LedgerEvent.LOSS_CONFIRMED, interface=interface, partition=day, before=before, now=now, reason=confirm
            )
            return
        raise RenkeiError(
            "KR-7201",
            day=day,
            interface=interface,
            before=before,
            now=now,
            ratio=f"{(now - before) / before:+.1%}",
            limit=f"-{limit:.0%}",
        )


def _faults(validated_files: dict[str, Validated], findings: pl.DataFrame) -> pl.DataFrame:
    """The person or household of every row with a finding of level record, and its code: `PersonsAtFault`."""
    found = [PersonsAtFault.empty()]
    for validated in validated_files.values():
        own = findings.filter((pl.col("level") == "record") & (pl.col("file") == validated.file_name))
        keys = [key for key in (PERSON_KEY, HOUSEHOLD_KEY) if key in validated.data.columns]
        rows = validated.data.select("line", *keys).join(own.select("line", *TOLD), on="line")
        found.append(rows.drop("line").unique())
    return pl.concat(found, how="diagonal").sort(PersonsAtFault.names())
