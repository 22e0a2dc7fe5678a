"""Rules within one record, and between a record and the file's day. True means sound."""

from __future__ import annotations

import datetime as dt

import polars as pl

from interfaces.values import parse_date
from schemas.rules.registry import RuleContext, register_external_rule, rule


@rule("constant", "KR-3001", arguments=("value",))
def constant(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Always this value."""
    return context.value == arguments[0], arguments[0]


@rule("record_sequence", "KR-3002", "file")
def record_sequence(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Record numbers run 1, 2, 3 … through the file, control record included (docs/sources.md 1.3)."""
    return context.value.cast(pl.Int64, strict=False) == pl.col("line").cast(pl.Int64), "1からの連番"


def _date(context: RuleContext, item: str) -> pl.Expr:
    return parse_date(context.other(item), context.record.by_id[item].type)


@rule("not_before", "KR-3003", "record", ("day",), item_kind="day")
def not_before(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Not before another date of the record (equal is allowed: an empty half-open period is valid)."""
    other = arguments[0]
    sound = (
        (context.value == "")
        | (context.other(other) == "")
        | (_date(context, context.item.id) >= _date(context, other))
    )
    return sound, f"{context.record.by_id[other].name}以後"


@rule("not_far_ahead", "KR-5007", "record", ("days",), item_kind="day")
def not_far_ahead(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """At most n days after the day that the file is for: a start further ahead is probably a typing error (a warning)."""
    last = context.on + dt.timedelta(days=int(arguments[0]))
    return (context.value == "") | (_date(context, context.item.id) <= last), f"{last}以前"


@rule("only_with", "KR-3006", "record", ("item",))
def only_with(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Blank unless the other item has a value (a reason without its date)."""
    other = arguments[0]
    return (context.value == "") | (context.other(other) != ""), f"{context.record.by_id[other].name}があるときだけの値"


register_external_rule("duplicate_key", "KR-3004", "record")
register_external_rule("inclusive_end", "", "item", item_kind="day")  # a mark for `interfaces.values`, not a check
