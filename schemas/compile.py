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
from schemas.rules.registry import BoundRule, FileContext, RuleContext, all_rules
from schemas.tables import Table, personal, public

# When more than half of the first values are distinct, finding the distinct values would cost more than checking each row.
_SAMPLE_ROWS = 1000


class RuleViolations(Table):
    """Where the rules of one record kind are broken."""

    line: pl.UInt32 = personal("行")
    record_kind: pl.String = personal("レコード種別")
    item: pl.String = personal("項目のid")
    code: pl.String = public("KRコード")
    rule: pl.String = personal("規則")
    expected: pl.String = personal("求める値")
    value: pl.String = personal("受信値")


@dataclass(frozen=True)
class Compiled:
    """The rules of a record kind, bound to its items, and the Pandera schema that contains them.

    item_rules: by item, in the order in which one violation hides the next. cross_item_rules: rules that read other items
    too, or the whole file; they are checked only where those items are valid. crashes: rules that could not be bound
    (KR-9001, `RuleViolations`).
    """

    record: Record
    item_rules: dict[str, list[BoundRule]]
    cross_item_rules: list[BoundRule]
    schema: pa.DataFrameSchema
    crashes: pl.DataFrame


def _bind_rules(context: RuleContext) -> tuple[list[BoundRule], list[BoundRule], list[pl.DataFrame]]:
    """The rules of one item: its own in order, those checked after all items, and the rules that crashed."""
    item = context.item
    own = [*text.no_sentinel(context), text.characters(context), text.length(context), *text.real_date(context)]
    own += text.number(context)
    in_table = text.in_code_table(context)
    if in_table:
        own.append(in_table)
    cross_item_rules: list[BoundRule] = []
    crashes: list[pl.DataFrame] = []
    required = text.required(context)
    if required:
        (cross_item_rules if required.reads else own).insert(0, required)
    for call in item.rules:
        try:
            rule = all_rules()[call.name]
            made = rule.make(context, call.arguments) if rule.make else None
        except Exception as error:
            crashes.append(_crash(context.record.kind, item.id, call.name, error))
            continue
        if made is None:
            continue
        sound, expected = made
        bound = BoundRule(item.id, rule.name, rule.code, expected, sound, rule.reads(call.arguments))
        (own if rule.scope == "item" else cross_item_rules).append(bound)
    # A file of another day is rejected as a whole (KR-4006) and not record by record.
    is_pinned = any(all_rules()[call.name].scope == "file" for call in item.rules if call.name in all_rules())
    (cross_item_rules if is_pinned else own).extend(text.in_range(context))
    return own, cross_item_rules, crashes


def _unless_blank(rule: BoundRule) -> pl.Expr:
    """A blank value is checked by `required` only."""
    if rule.name in ("required", "blank_my_number"):
        return rule.sound.fill_null(False)
    return (pl.col(rule.item) == "") | rule.sound.fill_null(False)


def _wrong_values(table: pl.LazyFrame, of_items: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """By item with repeating values, the values that break one of its own rules: each is checked once, not in every row."""
    first = table.select(list(of_items)).head(_SAMPLE_ROWS).collect()
    repeating = [item for item in of_items if first[item].n_unique() * 2 <= first.height]
    found = pl.collect_all([table.select(pl.col(item).unique()).filter(~of_items[item]) for item in repeating])
    return {item: pl.lit(wrong.to_series()).implode() for item, wrong in zip(repeating, found, strict=True)}


@lru_cache(maxsize=128)
def _compiled(specification_key: tuple[str, str, str, str], on: dt.date, context: FileContext) -> Compiled:
    specification, record = _registry[specification_key]
    item_rules: dict[str, list[BoundRule]] = {}
    cross_item_rules: list[BoundRule] = []
    crashes = [RuleViolations.empty()]
    for item in record.items:
        own, later, crashed = _bind_rules(RuleContext(item, record, specification, on, context))
        item_rules[item.id] = own
        cross_item_rules += later
        crashes += crashed
    columns = {item.id: pa.Column(pl.String) for item in record.items}
    of_items = {item: pl.all_horizontal([_unless_blank(rule) for rule in own]) for item, own in item_rules.items()}
    between = [_unless_blank(rule) for rule in cross_item_rules]

    def sound(data: PolarsData) -> pl.LazyFrame:
        """True where no rule is broken, from one select over all rows."""
        table = data.lazyframe
        wrong = _wrong_values(table, of_items)
        each = [test if item not in wrong else ~pl.col(item).is_in(wrong[item]) for item, test in of_items.items()]
        return table.select(pl.all_horizontal([*each, *between]).alias("sound"))

    schema = pa.DataFrameSchema(columns, checks=[pa.Check(sound, name=f"{specification.id}/{record.kind}")])
    return Compiled(record, item_rules, cross_item_rules, schema, pl.concat(crashes))


_registry: dict[tuple[str, str, str, str], tuple[Specification, Record]] = {}


def compile_record(specification: Specification, record: Record, on: dt.date, context: FileContext) -> Compiled:
    """The compiled rules of a record kind, made once per specification, day and context."""
    key = (str(specification.root), specification.id, specification.version, record.kind)
    if _registry.get(key, (None, None))[0] is not specification:
        _compiled.cache_clear()
        _registry[key] = (specification, record)
    return _compiled(key, on, context)


def find_violations(table: pl.DataFrame, compiled: Compiled, reported: Mapping[str, Sequence[int]]) -> pl.DataFrame:
    """Which rows of a raw table break which rule: columns line, record_kind, item, code, rule, expected, value.

    Pandera checks the whole table; each rule is evaluated by itself only for the rows that fail. One cause gives one
    row: an item's first broken rule hides its later ones, and a cross-item rule is skipped where one of its items is
    broken. reported: by item, the lines where it already has a finding.
    A rule that crashes gives a row with KR-9001 and no value (a finding, not an exception).
    """
    try:
        compiled.schema.validate(table, lazy=True)
        return compiled.crashes
    except pa.errors.SchemaErrors as error:
        table = _suspects(table, error)
    parts = [compiled.crashes]
    broken: dict[str, pl.Series] = {}
    for item, item_rules in compiled.item_rules.items():
        hidden = table["line"].is_in(reported.get(item, []))
        for rule in item_rules:
            wrong, part = _violations_of(table, compiled, rule, hidden)
            hidden = hidden | wrong
            parts.append(part)
        broken[item] = hidden
    for rule in compiled.cross_item_rules:
        hidden = broken[rule.item]
        for other in rule.reads:
            hidden = hidden | broken[other]
        wrong, part = _violations_of(table, compiled, rule, hidden)
        broken[rule.item] = broken[rule.item] | wrong
        parts.append(part)
    return pl.concat(parts)


def _suspects(table: pl.DataFrame, error: pa.errors.SchemaErrors) -> pl.DataFrame:
    """The rows that failed Pandera's check; all rows when it does not say which (a rule crashed)."""
    rows = error.failure_cases["index"]
    return table if rows.null_count() else table[rows.cast(pl.UInt32).unique().sort()]


def _crash(record_kind: str, item: str, rule: str, error: Exception) -> pl.DataFrame:
    row = (None, record_kind, item, "KR-9001", rule, type(error).__name__, None)
    return RuleViolations.of([row])


def _violations_of(
    table: pl.DataFrame, compiled: Compiled, rule: BoundRule, hidden: pl.Series
) -> tuple[pl.Series, pl.DataFrame]:
    """(where the rule is broken and not hidden, the violations as rows)."""
    try:
        wrong = ~table.select(_unless_blank(rule).alias("sound")).to_series() & ~hidden
    except Exception as error:
        nowhere = pl.repeat(False, table.height, dtype=pl.Boolean, eager=True)
        return nowhere, _crash(compiled.record.kind, rule.item, rule.name, error)
    rows = table.filter(wrong).select(
        "line",
        pl.lit(compiled.record.kind).alias("record_kind"),
        pl.lit(rule.item).alias("item"),
        pl.lit(rule.code).alias("code"),
        pl.lit(rule.name).alias("rule"),
        pl.lit(rule.expected).alias("expected"),
        pl.col(rule.item).alias("value"),
    )
    return wrong, rows


def bare_expressions(compiled: Compiled) -> list[pl.Expr]:
    """Every rule of a record kind as a named expression: what the benchmark compares the schema with."""
    every = [rule for item_rules in compiled.item_rules.values() for rule in item_rules] + compiled.cross_item_rules
    return [_unless_blank(rule).alias(f"{number} {rule.item} {rule.name}") for number, rule in enumerate(every)]
