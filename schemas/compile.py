"""Specification -> Pandera schema. Nobody writes a schema by hand; the rules are native expressions on text columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from interfaces.spec import Record, Specification
from schemas.rules import text
from schemas.rules.registry import Context, Place, Test, all_rules

# Where half of so many values are new ones, finding the distinct ones would cost more than judging every row.
_LOOKED_AT = 1000


@dataclass(frozen=True)
class Compiled:
    """A record kind's tests and the Pandera schema that holds them.

    tests: by item, in the order in which one cause hides the next. after: tests that look at other items too, or at the
    whole file, made only where those items are sound. crashes: rules that could not even be made (KR-9001, _JUDGED).
    """

    record: Record
    tests: dict[str, list[Test]]
    after: list[Test]
    schema: pa.DataFrameSchema
    crashes: pl.DataFrame


def _item_tests(place: Place) -> tuple[list[Test], list[Test], list[pl.DataFrame]]:
    """The tests of one item: its own in order, those that come after all items, and the rules that crashed."""
    item = place.item
    own = [*text.no_sentinel(place), text.characters(place), text.length(place), *text.real_date(place)]
    in_table = text.in_code_table(place)
    if in_table:
        own.append(in_table)
    after: list[Test] = []
    crashes: list[pl.DataFrame] = []
    required = text.required(place)
    if required:
        (after if required.reads else own).insert(0, required)
    for call in item.rules:
        try:
            rule = all_rules()[call.name]
            made = rule.make(place, call.arguments) if rule.make else None
        except Exception as error:
            crashes.append(_crash(place.record.kind, item.id, call.name, error))
            continue
        if made is None:
            continue
        sound, expected = made
        test = Test(item.id, rule.name, rule.code, expected, sound, rule.reads(call.arguments))
        (own if rule.scope == "item" else after).append(test)
    # Another day's file is refused as such (KR-4006) and not record by record.
    is_pinned = any(all_rules()[call.name].scope == "file" for call in item.rules if call.name in all_rules())
    (after if is_pinned else own).extend(text.in_range(place))
    return own, after, crashes


def _unless_blank(test: Test) -> pl.Expr:
    """A blank value is judged by `required` only."""
    if test.rule in ("required", "blank_my_number"):
        return test.sound.fill_null(False)
    return (pl.col(test.item) == "") | test.sound.fill_null(False)


def _wrong_values(table: pl.LazyFrame, of_items: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """By item whose values repeat, those that break one of its own tests: each value is judged once, not in every row."""
    first = table.select(list(of_items)).head(_LOOKED_AT).collect()
    repeating = [item for item in of_items if first[item].n_unique() * 2 <= first.height]
    found = pl.collect_all([table.select(pl.col(item).unique()).filter(~of_items[item]) for item in repeating])
    return {item: pl.lit(wrong.to_series()).implode() for item, wrong in zip(repeating, found, strict=True)}


@lru_cache(maxsize=128)
def _compiled(specification_key: tuple[str, str, str, str], on: dt.date, context: Context) -> Compiled:
    specification, record = _registry[specification_key]
    tests: dict[str, list[Test]] = {}
    after: list[Test] = []
    crashes = [_no_faults()]
    for item in record.items:
        own, later, crashed = _item_tests(Place(item, record, specification, on, context))
        tests[item.id] = own
        after += later
        crashes += crashed
    columns = {item.id: pa.Column(pl.String) for item in record.items}
    of_items = {item: pl.all_horizontal([_unless_blank(test) for test in own]) for item, own in tests.items()}
    between = [_unless_blank(test) for test in after]

    def sound(data: PolarsData) -> pl.LazyFrame:
        """True where every test holds, from one select over all rows."""
        table = data.lazyframe
        wrong = _wrong_values(table, of_items)
        each = [test if item not in wrong else ~pl.col(item).is_in(wrong[item]) for item, test in of_items.items()]
        return table.select(pl.all_horizontal([*each, *between]).alias("sound"))

    schema = pa.DataFrameSchema(columns, checks=[pa.Check(sound, name=f"{specification.id}/{record.kind}")])
    return Compiled(record, tests, after, schema, pl.concat(crashes))


_registry: dict[tuple[str, str, str, str], tuple[Specification, Record]] = {}


def compiled(specification: Specification, record: Record, on: dt.date, context: Context) -> Compiled:
    """The compiled tests of a record kind, made once per specification, day and context."""
    key = (str(specification.root), specification.id, specification.version, record.kind)
    if _registry.get(key, (None, None))[0] is not specification:
        _compiled.cache_clear()
        _registry[key] = (specification, record)
    return _compiled(key, on, context)


def judge(table: pl.DataFrame, rules: Compiled, reported: Mapping[str, Sequence[int]]) -> pl.DataFrame:
    """Which rows of a raw table break which rule: columns line, record_kind, item, code, rule, expected, value.

    Pandera judges the whole table; only where it finds fault is each rule asked which one it was. One cause gives one
    row: an item's first broken rule hides its later ones, and a rule between items is silent where one of them is
    broken. reported: by item, the lines where it has a finding already.
    A rule that crashes gives a row with KR-9001 and no value (it is a finding, not an exception).
    """
    try:
        rules.schema.validate(table, lazy=True)
        return rules.crashes
    except pa.errors.SchemaErrors as error:
        table = _suspects(table, error)
    parts = [rules.crashes]
    broken: dict[str, pl.Series] = {}
    for item, tests in rules.tests.items():
        hidden = table["line"].is_in(reported.get(item, []))
        for test in tests:
            wrong, part = _ask(table, rules, test, hidden)
            hidden = hidden | wrong
            parts.append(part)
        broken[item] = hidden
    for test in rules.after:
        hidden = broken[test.item]
        for other in test.reads:
            hidden = hidden | broken[other]
        wrong, part = _ask(table, rules, test, hidden)
        broken[test.item] = broken[test.item] | wrong
        parts.append(part)
    return pl.concat(parts)


def _suspects(table: pl.DataFrame, error: pa.errors.SchemaErrors) -> pl.DataFrame:
    """The rows that Pandera found fault with; all of them when it does not say which (a rule crashed)."""
    rows = error.failure_cases["index"]
    return table if rows.null_count() else table[rows.cast(pl.UInt32).unique().sort()]


_JUDGED = {
    "line": pl.UInt32, "record_kind": pl.String, "item": pl.String, "code": pl.String, "rule": pl.String,
    "expected": pl.String, "value": pl.String,
}  # fmt: skip


def _no_faults() -> pl.DataFrame:
    return pl.DataFrame(schema=_JUDGED)


def _crash(record_kind: str, item: str, rule: str, error: Exception) -> pl.DataFrame:
    row = (None, record_kind, item, "KR-9001", rule, type(error).__name__, None)
    return pl.DataFrame([row], schema=_JUDGED, orient="row")


def _ask(table: pl.DataFrame, rules: Compiled, test: Test, hidden: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
    """(where the rule is broken and not hidden, the rows of faults)."""
    try:
        wrong = ~table.select(_unless_blank(test).alias("sound")).to_series() & ~hidden
    except Exception as error:
        nowhere = pl.repeat(False, table.height, dtype=pl.Boolean, eager=True)
        return nowhere, _crash(rules.record.kind, test.item, test.rule, error)
    rows = table.filter(wrong).select(
        "line",
        pl.lit(rules.record.kind).alias("record_kind"),
        pl.lit(test.item).alias("item"),
        pl.lit(test.code).alias("code"),
        pl.lit(test.rule).alias("rule"),
        pl.lit(test.expected).alias("expected"),
        pl.col(test.item).alias("value"),
    )
    return wrong, rows


def bare_expressions(rules: Compiled) -> list[pl.Expr]:
    """Every test of a record kind as one expression with a name: what the benchmark compares the schema with."""
    every = [test for tests in rules.tests.values() for test in tests] + rules.after
    return [_unless_blank(test).alias(f"{number} {test.item} {test.rule}") for number, test in enumerate(every)]
