"""The monthly half of `make bench`: judgement and counts for a large prefecture, and a big worksheet. Synthetic tables."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.values import to_canonical
from pipelines.configuration.calendar import monthly_days
from pipelines.configuration.settings import Settings
from pipelines.continuity.cases import cases
from pipelines.continuity.criteria import load_criteria
from pipelines.continuity.judgement import judge
from pipelines.continuity.monthly import WORD_TABLES, names_of
from pipelines.continuity.words import Words
from pipelines.continuity.worksheet import Worksheet, write_worksheet
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import OutboundFacts
from pipelines.exchange.ledger.states import DELIVERY
from pipelines.high_cost.counts import counted_months, counts, qualifying_months
from pipelines.high_cost.months import months_before
from pipelines.tables.continuity import HouseholdsGone
from pipelines.tables.eligibility import SentPeople
from pipelines.tables.high_cost import HandedOverMonths
from pipelines.tables.linkage import LinkageState
from pipelines.transfer.baseline import SENT_FILES
from schemas.validate import FileContext, validate_file

MONTH = dt.date(2026, 4, 1)
OURS, THEIRS = "999997", "999989"
LAST_DAY = dt.date(2026, 4, 30)
PERSONS, MONTHS = 3_000_000, 24
KNOWN_PEOPLE = 300_000
# 10 % of the persons have a paid month in any month: more than any real insurer, so that the table is large.
PAID_SHARE = 0.10
CANDIDATES_PER_MONTH = 5_000
Timed = Callable[..., tuple[float, Any]]


def benefits(persons: int, seed: int = 1) -> pl.DataFrame:
    """The benefit extract of a whole prefecture over 24 months: one row per paid person and month."""
    random = np.random.default_rng(seed)
    rows = int(persons * PAID_SHARE) * MONTHS
    months = [f"{months_before(MONTH, back):%Y-%m}" for back in range(MONTHS)]
    households = random.integers(0, persons // 2, rows)
    return pl.DataFrame(
        {
            "household_number": pl.Series(households).cast(pl.String).str.zfill(15),
            "treatment_month": pl.Series(random.integers(0, MONTHS, rows)).replace_strict(dict(enumerate(months))),
            "municipality_code": OURS,
            "resident_number": pl.Series(random.integers(0, persons, rows)).cast(pl.String).str.zfill(15),
            "total_cost": pl.Series(random.integers(0, 3_000_000, rows)).cast(pl.String),
            "decided_on": "2026-03-31",
            "processed_on": "2026-04-30",
            "outpatient_only": pl.Series(random.random(rows) < 0.2).replace_strict({True: "yes", False: "no"}),
            "high_cost_amount": pl.Series(random.integers(0, 200_000, rows)).cast(pl.String),
        }
    )


def candidates(count: int, seed: int = 1) -> pl.DataFrame:
    """A candidates list: households of one to four, whole moves and splits, some heads replaced."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        size, kind = int(random.integers(1, 5)), int(random.integers(0, 4))
        moved = MONTH + dt.timedelta(days=int(random.integers(0, 30)))
        common = {"candidate_number": f"{number + 1:06d}"}
        for person in range(size):
            identity = {"prefecture_insured_id": f"9{number:08d}{person:03d}"}
            goes = not (kind == 1 and person > 0)
            rows.append(
                common
                | identity
                | {
                    "household_side": "before",
                    "household_municipality_code": THEIRS,
                    "household_number": f"{number:014d}1",
                    "head_kind": "insured_head" if person == 0 else "member",
                    "joined_on": dt.date(2019, 4, 1),
                    "join_reason": "moved_in",
                    "left_on": moved if goes else None,
                    "leave_reason": "moved_out_prefecture" if goes else None,
                }
            )
            if goes:
                head = person == (1 if kind == 2 and size > 1 else 0)
                rows.append(
                    common
                    | identity
                    | {
                        "household_side": "after",
                        "household_municipality_code": OURS,
                        "household_number": f"{number:014d}2",
                        "head_kind": "insured_head" if head else "member",
                        "joined_on": moved,
                        "join_reason": "moved_in_prefecture",
                    }
                )
    columns = (
        "candidate_number",
        "household_side",
        "household_municipality_code",
        "household_number",
        "prefecture_insured_id",
        "head_kind",
        "join_reason",
        "leave_reason",
        "next_municipality_code",
    )
    schema = {**dict.fromkeys(columns, pl.String), "joined_on": pl.Date, "left_on": pl.Date}
    return pl.DataFrame(rows, schema=schema)


def monthly_rows(timed: Timed) -> list[tuple[str, str, str]]:
    """(what, ratio, wanted) of the monthly goals."""
    criteria = load_criteria(load_catalogue(), MONTH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paid, listed = benefits(PERSONS), candidates(CANDIDATES_PER_MONTH)
        paid.write_csv(folder / "benefits.csv")
        listed.write_csv(folder / "candidates.csv")

        def scan() -> None:
            pl.read_csv(folder / "benefits.csv", infer_schema=False)
            for _ in range(MONTHS):
                pl.read_csv(folder / "candidates.csv", infer_schema=False)

        def decide() -> None:
            for _ in range(MONTHS):
                judge(listed, MONTH, OURS, criteria)
            counted = counted_months(qualifying_months(paid), HandedOverMonths.empty(), HouseholdsGone.empty())
            for back in range(MONTHS):
                counts(counted, months_before(MONTH, back))

        scan_seconds, _ = timed(scan, 2)
        decide_seconds, _ = timed(decide, 1)
        read_seconds, sheet_seconds = _worksheet(timed, folder, listed)
    size = f"{paid.height / 1e6:.1f} M benefit rows, {listed.height * MONTHS / 1e6:.2f} M candidate rows"
    return [
        (
            f"judgement and counts, 3 M persons, 24 months ({size}) ÷ polars reading the inputs",
            f"{decide_seconds / scan_seconds:.1f}× ({decide_seconds:.1f} s / {scan_seconds:.1f} s)",
            "≤ 5×",
        ),
        (
            "worksheet of 5,000 candidates ÷ reading its inputs",
            f"{sheet_seconds / read_seconds:.1f}× ({sheet_seconds:.1f} s / {read_seconds:.1f} s)",
            "≤ 3×",
        ),
    ]


def _municipality(folder: Path, listed: pl.DataFrame) -> Environment:
    """A deployment that knows 300,000 people, those of the list among them, as it does on the day of the worksheet."""
    (folder / "extracts").mkdir()
    (folder / "renkei.toml").write_text(
        f'municipality_code = "{OURS}"\ninsurer_number = "990010"\nprefecture_code = "99"\ndata_folder = "data"\n'
        'extract_folder = "extracts"\noperator = "計測"\n',
        encoding="utf-8",
    )
    environment = Environment.open(Settings.load(folder / "renkei.toml"))
    listed_ids = listed["prefecture_insured_id"].unique().sort().to_list()
    ids = listed_ids + [f"8{number:011d}" for number in range(KNOWN_PEOPLE - len(listed_ids))]
    numbers = [f"{number:015d}" for number in range(KNOWN_PEOPLE)]
    state = pl.DataFrame({"resident_number": numbers, "prefecture_insured_id": ids})
    environment.store.write(
        "linkage_state", LAST_DAY.isoformat(), pl.concat([LinkageState.empty(), state], how="diagonal")
    )
    people = pl.DataFrame({"resident_number": numbers}).with_columns(pl.lit("合成　太郎").alias("name"))
    environment.store.write(
        "sent_people", LAST_DAY.isoformat(), pl.concat([SentPeople.empty(), people], how="diagonal")
    )
    for interface in SENT_FILES:
        facts = OutboundFacts(interface, LAST_DAY, interface, sha256="0" * 64, size=1, records=1)
        entry = environment.recorder().create_outbound_entry(facts)
        for reached in DELIVERY:
            environment.recorder().transition(entry, reached)
    return environment


def _worksheet(timed: Timed, folder: Path, listed: pl.DataFrame) -> tuple[float, float]:
    """(seconds to read and judge the list and to read who is who, seconds to make the worksheet of them)."""
    catalogue = load_catalogue()
    specification = catalogue.in_force("continuity_candidates", MONTH)
    header: dict[str, object] = {
        "municipality_code": OURS,
        "insurer_number": "990010",
        "prefecture_code": "99",
        "media_kind": "transmission",
        "target_month": "2026-04",
        "created_on": dt.date(2026, 5, 1),
        "file_number": "000001",
    }
    path = folder / "KRKKL_999997_202604_000001.csv"
    path.write_bytes(codec.compose(specification, MONTH, listed, header).data)
    context = FileContext(OURS, "990010", "99", MONTH, path.name)

    environment = _municipality(folder, listed)

    def read() -> tuple[pl.DataFrame, pl.DataFrame]:
        validated = validate_file(path, specification, MONTH, context)
        people = to_canonical(validated.valid_rows, specification.data, specification, MONTH).drop("line")
        return people, names_of(environment, LAST_DAY)

    read_seconds, (people, names) = timed(read, 3)
    criteria = load_criteria(catalogue, MONTH)
    words = {table: specification.codes_on(table, MONTH) for table in WORD_TABLES}

    def sheet() -> None:
        found = cases(people, judge(people, MONTH, OURS, criteria), names, words)
        made = Worksheet(
            found, MONTH, OURS, monthly_days(catalogue, MONTH).instruction_until, Words.of(catalogue, MONTH)
        )
        write_worksheet(folder / "sheet.xlsx", made)

    sheet_seconds, _ = timed(sheet, 2)
    return read_seconds, sheet_seconds
