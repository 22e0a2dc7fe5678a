"""What may stand as an argument of a rule or a normalisation, by its kind, and which values an item can hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from interfaces.characters import byte_length, is_held
from interfaces.naming import fields_of
from interfaces.spec import ArgumentKind, Call, Item, Record, Specification


@dataclass(frozen=True)
class At:
    """Where a rule or a normalisation stands, which is what its arguments are judged against."""

    specification: Specification
    record: Record
    item: Item


def unheld(values: Sequence[str], item: Item, specification: Specification) -> Iterator[tuple[str, str]]:
    """Each value that the item cannot hold by its type, its bytes or the file's encoding, and why (…は…)."""
    encoding = specification.format.encoding
    column = pl.Series("value", values, pl.String)
    try:
        judged = column.to_frame().select(
            "value",
            allowed=pl.col("value").str.contains(item.type.expression),
            size=byte_length(pl.col("value"), encoding),
        )
    except pl.exceptions.PolarsError:
        return  # The pattern of the type cannot be read, which is a fault of types.csv.
    for value, allowed, size in judged.rows():
        if not allowed:
            yield value, f"は属性 {item.type.id} の値ではありません"
        elif size > item.length:
            yield value, f"は{size}バイトで、{item.length}バイトに入りません"
        elif not is_held(value, encoding):
            yield value, f"は {encoding} で表せません"


def unfilling(values: Sequence[str], item: Item, specification: Specification) -> list[str]:
    """The codes that leave a place of the item empty: of digits, or of a type whose values are filled up with zeros.

    Such a code lost its zeros: Excel makes 1 of 01.
    """
    whole = specification.characters(item)
    of_digits = item.type.padding == "zero_left"
    return [one for one in values if len(one) < whole and (of_digits or (one.isascii() and one.isdigit()))]


def _value(text: str, at: At) -> str | None:
    return next((why for _, why in unheld([text], at.item, at.specification)), None)


def _count(text: str, at: At) -> str | None:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        return "は1以上の整数ではありません"
    unit = at.specification.format.unit
    return f"桁は{at.item.length}バイトの項目に入りません" if int(text) * unit > at.item.length else None


def _days(text: str, _: At) -> str | None:
    return None if re.fullmatch("[0-9]{1,5}", text) else "は日数ではありません"


def _number(text: str, at: At) -> str | None:
    return _value(text, at) if re.fullmatch("-?[0-9]{1,18}", text) else "は整数ではありません"


def _month(text: str, _: At) -> str | None:
    return None if re.fullmatch("[0-9]{4}-?(0[1-9]|1[0-2])", text) else "は年月（YYYY-MM）ではありません"


def _item(text: str, at: At) -> str | None:
    return None if text in at.record.by_id else "は項目にありません"


def _day(text: str, at: At) -> str | None:
    known = at.record.by_id
    return _item(text, at) or (None if known[text].type.is_date else "は日付の項目ではありません")


def _file_name_field(text: str, at: At) -> str | None:
    pattern = at.specification.layout.file_name
    return None if text in fields_of(pattern) else f"はファイル名の規則 {pattern} にありません"


# `interface` is not here: it is an argument of relations, which stand at no item.
_JUDGES: Mapping[ArgumentKind, Callable[[str, At], str | None]] = {
    "count": _count,
    "days": _days,
    "number": _number,
    "value": _value,
    "month": _month,
    "item": _item,
    "day": _day,
    "file_name_field": _file_name_field,
}


def miscounted(call: Call, kinds: Sequence[ArgumentKind]) -> Iterator[str]:
    """The sentence that there are too few or too many arguments."""
    if len(call.arguments) != len(kinds):
        yield f"{call} の引数の数が違います（要るのは{len(kinds)}個）"


def misused(call: Call, kinds: Sequence[ArgumentKind], at: At) -> Iterator[str]:
    """A sentence for each argument that is not what its kind asks for. Several numbers go from the least to the most."""
    if len(call.arguments) != len(kinds):
        yield from miscounted(call, kinds)
        return
    numbers: list[int] = []
    for kind, argument in zip(kinds, call.arguments, strict=True):
        why = _JUDGES[kind](argument, at)
        if why:
            yield f"{call} の {argument} {why}"
        elif kind == "number":
            numbers.append(int(argument))
    if numbers != sorted(numbers):
        yield f"{call} の数が小さい順ではありません"
