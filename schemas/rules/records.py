"""Rules within one record, and between a record and the file's day. True means sound."""

from __future__ import annotations

import datetime as dt

import polars as pl

from interfaces.values import parse_date
from schemas.rules.registry import Place, known, rule


@rule("constant", "KR-3001", arguments=("value",))
def constant(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Always this value."""
    return place.value == arguments[0], arguments[0]


@rule("record_sequence", "KR-3002", "file")
def record_sequence(place: Place, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Record numbers run 1, 2, 3 … through the file, control record included (domain.md 1.3)."""
    return place.value.cast(pl.Int64, strict=False) == pl.col("line").cast(pl.Int64), "1からの連番"


def _date(place: Place, item: str) -> pl.Expr:
    return parse_date(place.other(item), place.record.by_id[item].type)


@rule("not_before", "KR-3003", "record", ("day",), holds="day")
def not_before(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Not before another date of the record (equal is allowed: an empty half-open period is sound)."""
    other = arguments[0]
    sound = (place.value == "") | (place.other(other) == "") | (_date(place, place.item.id) >= _date(place, other))
    return sound, f"{place.record.by_id[other].name}以後"


@rule("not_far_ahead", "KR-5007", "record", ("days",), holds="day")
def not_far_ahead(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """At most so many days after the day that the file is for: a start far ahead is rather a slip (a warning)."""
    last = place.on + dt.timedelta(days=int(arguments[0]))
    return (place.value == "") | (_date(place, place.item.id) <= last), f"{last}以前"


@rule("only_with", "KR-3006", "record", ("item",))
def only_with(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Blank unless the other item has a value (a reason without its date)."""
    other = arguments[0]
    return (place.value == "") | (place.other(other) != ""), f"{place.record.by_id[other].name}があるときだけの値"


known("duplicate_key", "KR-3004", "record")
known("inclusive_end", "", "item", holds="day")  # a mark for `interfaces.values`, not a check
