"""The monthly high-cost steps: benefit extract -> history out; handover -> counts; tax extract -> income classes.

Connects the pure decisions with store, ledger and server; a month is given by its first day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl
from dateutil.relativedelta import relativedelta

from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from interfaces.values import to_stored
from pipelines.configuration.calendar import monthly_days
from pipelines.deployment import Environment
from pipelines.exchange.batch import OutboundFile
from pipelines.high_cost.counts import (
    HOUSEHOLD,
    MONTH,
    counted_months,
    counts,
    handed_over_months,
    in_window,
    qualifying_months,
)
from pipelines.high_cost.history import (
    CORRECTABLE_MONTHS,
    corrections,
    moved_out_households,
    still_correctable,
    wanted_history,
)
from pipelines.high_cost.income_class import classify, load_borders, reference_day
from pipelines.high_cost.months import as_text
from pipelines.high_cost.questions import questions_path
from pipelines.high_cost.sending import HISTORY, INCOME, SNAPSHOT_ASSETS, baseline_of
from pipelines.tables.continuity import HouseholdsGone
from pipelines.tables.high_cost import ClassesSnapshot, HandedOverMonths, HistorySnapshot
from pipelines.transfer import erased
from pipelines.transfer.baseline import first_month_sent, people_sent, require_sent
from pipelines.transfer.sending import checked_file
from schemas.findings import codes_in_words
from schemas.report import write_json, write_xlsx
from schemas.rules.periods import runs
from schemas.tables import Table
from schemas.validate import FileRead, Validated, relate, validate_file

BENEFITS, TAXES, HOUSEHOLDS_EXTRACT = "benefit_extract", "tax_extract", "household_extract"
# Tables of a month that its steps make and later months read; a month that retention has erased is not made again.
KEPT_OF_A_MONTH = (*SNAPSHOT_ASSETS.values(), "high_cost_counts", "high_cost_months")


@dataclass(frozen=True)
class Extract:
    """A monthly extract: its valid records (canonical), and the withheld households or persons, whose records are invalid.

    file: None when the records are read from the table that is stored of it.
    """

    records: pl.DataFrame
    withheld: pl.Series
    findings: pl.DataFrame
    file: FileRead | None = None


def read_extract(environment: Environment, interface: str, month: dt.date) -> Extract:
    """Read and validate a monthly extract as of the month's cut-off day.

    KR-7210 when retention has erased the month's tables; KR-7202 when the extract does not exist yet; KR-7203 when the
    file as a whole is invalid. The household of an invalid record is withheld; a record that identifies no household or
    person stops the month (KR-7211): nobody could say who is meant.
    """
    erased.require_kept(environment, month, KEPT_OF_A_MONTH, environment.catalogue.of_cycle("monthly"))
    validated = {interface: _validate_extract(environment, interface, month)}
    if interface == BENEFITS:
        validated[HOUSEHOLDS_EXTRACT] = _validate_extract(environment, HOUSEHOLDS_EXTRACT, month)
    extract = validated[interface]
    across = relate(validated).filter(pl.col("file") == extract.file_name)
    findings = pl.concat([extract.findings, across])
    report = environment.reports(month) / f"{interface}.xlsx"
    if (findings["level"] == "file").any():
        codes = codes_in_words(findings.filter(pl.col("level") == "file")["code"])
        raise RenkeiError("KR-7203", name=extract.file_name, codes=codes, report=report)
    faulty_lines = findings.filter(pl.col("level") == "record")["line"].unique()
    key = HOUSEHOLD if interface == BENEFITS else "resident_number"
    at_fault = extract.data.filter(pl.col("line").is_in(faulty_lines.implode()))
    unidentified = at_fault.filter(pl.col(key) == "").height + len(set(faulty_lines) - set(extract.data["line"]))
    if unidentified:
        raise RenkeiError("KR-7211", name=extract.file_name, count=unidentified, report=report)
    specification = extract.decoded.spec
    sound = extract.data.filter(~pl.col("line").is_in(faulty_lines.implode()))
    records = to_stored(sound, specification.data, specification, month).drop("line")
    return Extract(records, at_fault[key].unique().sort(), findings, extract.file)


def _validate_extract(environment: Environment, interface: str, month: dt.date) -> Validated:
    cut_off = monthly_days(environment.catalogue, month).cut_off
    specification = environment.specification(interface, cut_off)
    own = environment.settings.municipality_code
    name = file_name(specification, {"municipality_code": own, "processed_on": cut_off})
    partition = cut_off if specification.layout.cycle == "daily" else month
    path = environment.settings.extract_folder / name
    if not path.is_file():
        raise RenkeiError("KR-7202", day=cut_off.isoformat(), name=name)
    validated = validate_file(path, specification, cut_off, environment.file_context(partition, name))
    if specification.layout.cycle != "daily":
        write_json(validated, environment.reports(month) / f"{interface}.json")
        write_xlsx(validated, environment.reports(month) / f"{interface}.xlsx")
    return validated


def months_that_count(environment: Environment, month: dt.date, benefits: pl.DataFrame) -> pl.DataFrame:
    """Own and handed-over months of every household, as known by the month's steps (see counts.counted_months)."""
    return counted_months(qualifying_months(benefits), _handed_over(environment, month), _gone(environment, month))


def _up_to(environment: Environment, asset: str, month: dt.date) -> list[pl.DataFrame]:
    """An asset of all months up to this one, oldest first."""
    partitions = [name for name in environment.store.partitions(asset) if name <= month.isoformat()]
    return [environment.store.read(asset, name) for name in partitions]


def _handed_over(environment: Environment, month: dt.date) -> pl.DataFrame:
    handovers = _up_to(environment, "handover_taken", month)
    if not handovers:
        return HandedOverMonths.empty()
    return handed_over_months(pl.concat(handovers, how="diagonal_relaxed").with_row_index("sequence"))


def _gone(environment: Environment, month: dt.date) -> pl.DataFrame:
    gone = _up_to(environment, "households_gone", month)
    return pl.concat([HouseholdsGone.empty(), *gone])


def count_month(environment: Environment, month: dt.date, benefits: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The counts for 診療年月 `month` (counts.counts), and the months that they are made of, with their sources."""
    counted = months_that_count(environment, month, benefits)
    return counts(counted, month), counted


def counted_households(environment: Environment, month: dt.date) -> pl.DataFrame:
    """Every household with a count in `month`, most first: household_number, count, is_multiple, handed_over (months).

    handed_over: those that only another municipality paid in.
    """
    found = environment.store.read("high_cost_counts", month.isoformat())
    months = environment.store.read("high_cost_months", month.isoformat()).filter(in_window(month) & ~pl.col("own"))
    carried = months.group_by(HOUSEHOLD).agg(pl.len().cast(pl.Int64).alias("handed_over"))
    return (
        found.join(carried, on=HOUSEHOLD, how="left")
        .with_columns(pl.col("handed_over").fill_null(0))
        .select(HOUSEHOLD, "count", "is_multiple", "handed_over")
        .sort("handed_over", "count", HOUSEHOLD, descending=[True, True, False])
    )


def explain(environment: Environment, month: dt.date, household: str) -> list[tuple[dt.date, list[str]]]:
    """The months that a household's count of `month` is made of, each with its sources: `own`, or who handed it over.

    KR-7604 a household that neither had a month nor was ever sent to the Union: a typing error must not be answered with 0.
    """
    counted = environment.store.read("high_cost_months", month.isoformat())
    if household not in counted[HOUSEHOLD] and household not in people_sent(environment)[HOUSEHOLD]:
        raise RenkeiError("KR-7604", month=f"{month:%Y-%m}")
    rows = counted.filter((pl.col(HOUSEHOLD) == household) & in_window(month)).select(MONTH, "own", "handed_over_from")
    return [(day, [*(["own"] if own else []), *(others or [])]) for day, own, others in rows.rows()]


@dataclass(frozen=True)
class History:
    """The month's 高額該当情報: the file (None: nothing to report), its rows, and what the Union then knows."""

    file: OutboundFile | None
    rows: pl.DataFrame
    snapshot: pl.DataFrame


def build_history(environment: Environment, month: dt.date, extract: Extract) -> History:
    """The months, unknown to the Union, of the households that moved away, and corrections of those that it knows.

    The history is as of before this month's confirmation: a household takes along what it had here. Withheld households
    keep what the Union knows of them until their records are valid. KR-7601 when the month's days are not sent.
    """
    cut_off = require_sent(environment, month)
    baseline = still_correctable(_load_baseline(environment, HISTORY, month, HistorySnapshot), month)
    people, end = people_sent(environment, cut_off), month + relativedelta(months=1)
    moved = moved_out_households(people, _answerable_since(environment, month), end)
    moved_out = pl.concat([moved, baseline.select(moved.columns)]).unique()
    handed = _handed_over(environment, month - relativedelta(months=1))
    counted = counted_months(qualifying_months(extract.records), handed, HouseholdsGone.empty())
    withheld = pl.col(HOUSEHOLD).is_in(extract.withheld.implode())
    wanted = wanted_history(counted, moved_out).filter(~withheld)
    waiting = baseline.filter(withheld)
    rows = corrections(baseline.filter(~withheld), wanted)
    after = pl.concat([wanted, waiting.select(wanted.columns)]).sort(HOUSEHOLD, MONTH)
    if rows.is_empty() or HISTORY in environment.settings.switched_off_interfaces:
        return History(None, rows, baseline)
    data = rows.with_columns(as_text(pl.col(MONTH)).alias(MONTH))
    file = checked_file(environment, HISTORY, month, data, environment.monthly_header(month, cut_off))
    return History(file, rows, after)


def _answerable_since(environment: Environment, month: dt.date) -> dt.date:
    """The first day whose moves we report: as long as they can be corrected, but none before our own first sending.

    All of them are checked every month: a move may be notified late, a benefit decided late, an invalid record corrected
    late.
    """
    began = first_month_sent(environment) or month
    oldest: dt.date = month - relativedelta(months=CORRECTABLE_MONTHS)
    return max(min(began, month), oldest)


def _load_baseline(environment: Environment, interface: str, month: dt.date, table: type[Table]) -> pl.DataFrame:
    """What the Union knows by the last month of an interface that reached it (D-007)."""
    partition = baseline_of(environment, interface, month)
    if partition is None:
        return table.empty()
    return environment.store.read(SNAPSHOT_ASSETS[interface], partition.isoformat())


@dataclass(frozen=True)
class Classes:
    """The month's 所得区分: the file (None: nothing changed), its rows, what the Union then knows, who had no tax record.

    asked: household_number, income_class_70_74, questions for the clerk to check (income_class.Question).
    """

    file: OutboundFile | None
    rows: pl.DataFrame
    snapshot: pl.DataFrame
    without_record: int
    asked: pl.DataFrame


def build_classes(environment: Environment, month: dt.date, taxes: Extract) -> Classes:
    """What differs from what the Union knows: in August everybody, because the income year changes (docs/sources.md 3.5).

    A household with an invalid tax record, also of a former member in 後期高齢者医療, keeps the class that the Union knows
    until the record is valid.
    """
    cut_off = require_sent(environment, month)
    people = people_sent(environment, cut_off)
    columns = (HOUSEHOLD, "resident_number", "head_kind", "born_on")
    counted = runs(cut_off) | (pl.col("head_kind") == "nominal_head")
    present = people.filter(counted).select(columns)
    then = people.filter(runs(reference_day(month))).select(columns)
    found = classify(present, taxes.records, month, load_borders(environment.catalogue, month), then)
    asked = found.filter(pl.col("questions").list.len() > 0).select(HOUSEHOLD, "income_class_70_74", "questions")
    elderly = counted | (pl.col("end_reason") == "joined_late_elderly")
    withheld = people.filter(elderly & pl.col("resident_number").is_in(taxes.withheld.implode()))[HOUSEHOLD].unique()
    facts = ClassesSnapshot.names()
    baseline = _load_baseline(environment, INCOME, month, ClassesSnapshot)
    now = found.select(facts).filter(~pl.col(HOUSEHOLD).is_in(withheld.implode()))
    waiting = baseline.filter(pl.col(HOUSEHOLD).is_in(withheld.implode()))
    rows = now.join(baseline, on=facts, how="anti", nulls_equal=True)
    rows = rows.with_columns(
        pl.lit(f"{month:%Y-%m}").alias("class_from_month"),
        pl.when(pl.col(HOUSEHOLD).is_in(baseline[HOUSEHOLD].implode()))
        .then(pl.lit("changed"))
        .otherwise(pl.lit("added"))
        .alias("update_kind"),
    ).sort(HOUSEHOLD)
    without = int(found["without_record"].sum())
    if rows.is_empty() or INCOME in environment.settings.switched_off_interfaces:
        return Classes(None, rows, baseline, without, asked)
    _require_codes(environment, month, rows)
    file = checked_file(environment, INCOME, month, rows, environment.monthly_header(month, cut_off))
    gone = baseline.join(pl.concat([now, waiting]), on=HOUSEHOLD, how="anti")
    after = pl.concat([now, waiting.select(now.columns), gone.select(now.columns)]).sort(HOUSEHOLD)
    return Classes(file, rows, after, without, asked)


def _require_codes(environment: Environment, month: dt.date, rows: pl.DataFrame) -> None:
    """KR-7504 for a class that has no code in the file: none is invented."""
    specification = environment.specification(INCOME, month)
    for name in ("income_class_under_70", "income_class_70_74"):
        if (item := specification.data.by_id.get(name)) is None:
            continue
        coded = {code.meaning for code in specification.codes_on(item.code_table, month)}
        if missing := sorted(set(rows[name].drop_nulls()) - coded):
            raise RenkeiError("KR-7504", month=f"{month:%Y-%m}", classes="・".join(missing))


def lines(environment: Environment, month: dt.date, history: History, classes: Classes) -> list[str]:
    """What was made of a month, in lines for people."""
    found = [f"高額該当情報 {history.rows.height}件、所得区分 {classes.rows.height}件"]
    if classes.without_record:
        found.append(f"税情報のない人 {classes.without_record}人（未申告として扱いました）")
    if classes.asked.height:
        found.append(f"所得区分を確認する世帯 {classes.asked.height}件 → {questions_path(environment, month)}")
    return found
