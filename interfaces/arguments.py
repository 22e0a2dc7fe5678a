"""Which arguments a rule or normalisation accepts, by their kind, and which values an item can represent. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from interfaces.characters import byte_length, is_encodable
from interfaces.naming import fields_of
from interfaces.spec import ArgumentKind, Call, Item, Record, Specification


@dataclass(frozen=True)
class CallContext:
    """The item that names a rule or normalisation: what the arguments are validated against."""

    specification: Specification
    record: Record
    item: Item


def unrepresentable_values(
    values: Sequence[str], item: Item, specification: Specification
) -> Iterator[tuple[str, str]]:
    """Each value that the item cannot represent because of its type, length or encoding, and why (…は…)."""
    encoding = specification.format.encoding
    column = pl.Series("value", values, pl.String)
    try:
        checked = column.to_frame().select(
            "value",
            allowed=pl.col("value").str.contains(item.type.expression),
            size=byte_length(pl.col("value"), encoding),
        )
    except pl.exceptions.PolarsError:
        return  # The pattern of the type cannot be read, which is a fault of types.csv.
    for value, allowed, size in checked.rows():
        if not allowed:
            yield value, f"は属性 {item.type.id} の値ではありません"
        elif size > item.length:
            yield value, f"は{size}バイトで、{item.length}バイトに入りません"
        elif not is_encodable(value, encoding):
            yield value, f"は {encoding} で表せません"


def codes_without_leading_zeros(values: Sequence[str], item: Item, specification: Specification) -> list[str]:
    """The codes that are shorter than the item although they consist of digits, or their type is padded with zeros.

    Such a code lost its leading zeros: Excel turns 01 into 1.
    """
    full_length = specification.characters(item)
    is_padded = item.type.padding == "zero_left"
    return [code for code in values if len(code) < full_length and (is_padded or (code.isascii() and code.isdigit()))]


def _value(text: str, context: CallContext) -> str | None:
    return next((why for _, why in unrepresentable_values([text], context.item, context.specification)), None)


def _count(text: str, context: CallContext) -> str | None:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        return "は1以上の整数ではありません"
    unit = context.specification.format.unit
    return f"桁は{context.item.length}バイトの項目に入りません" if int(text) * unit > context.item.length else None


def _days(text: str, _: CallContext) -> str | None:
    return None if re.fullmatch("[0-9]{1,5}", text) else "は日数ではありません"


def _number(text: str, context: CallContext) -> str | None:
    form = context.item.type.number
    if form is None:
        return _value(text, context) if re.fullmatch("-?[0-9]{1,18}", text) else "は整数ではありません"
    decimals = rf"(\.[0-9]{{1,{form.scale}}})?" if form.scale else ""
    if not re.fullmatch(f"-?[0-9]{{1,18}}{decimals}", text):
        return f"は小数{form.scale}桁までの数ではありません" if form.scale else "は整数ではありません"
    written = pl.select(form.written(pl.lit(text), 0)).item()
    return (
        f"は数の形式 {form.text} で書けません"
        if text.startswith("-") and written == text and not form.is_signed
        else None
    )


def _month(text: str, _: CallContext) -> str | None:
    return None if re.fullmatch("[0-9]{4}-?(0[1-9]|1[0-2])", text) else "は年月（YYYY-MM）ではありません"


def _item(text: str, context: CallContext) -> str | None:
    return None if text in context.record.by_id else "は項目にありません"


def _day(text: str, context: CallContext) -> str | None:
    items = context.record.by_id
    return _item(text, context) or (None if items[text].type.is_date else "は日付の項目ではありません")


def _file_name_field(text: str, context: CallContext) -> str | None:
    pattern = context.specification.layout.file_name
    return None if text in fields_of(pattern) else f"はファイル名の規則 {pattern} にありません"


def _record_kind(text: str, context: CallContext) -> str | None:
    return None if text in context.specification.by_kind else "というレコード種別はありません"


def _item_of_kind(text: str, context: CallContext) -> str | None:
    kind, _, item = text.partition(".")
    if kind not in context.specification.by_kind:
        return "は レコード種別.項目 の形ではありません"
    return None if item in context.specification.by_kind[kind].by_id else f"は {kind} の項目にありません"


def _number_of_kind(text: str, context: CallContext) -> str | None:
    if (why := _item_of_kind(text, context)) is not None:
        return why
    kind, _, item = text.partition(".")
    type_ = context.specification.by_kind[kind].by_id[item].type
    if type_.number is not None:
        return None
    of_digits = pl.select(pl.lit(pl.Series(["12", "A", "山"])).str.contains(type_.expression)).to_series().to_list()
    return None if of_digits == [True, False, False] else f"は数字の項目ではありません（属性 {type_.id}）"


# `interface` is not here: it is an argument of relations, which belong to no item.
_VALIDATORS: Mapping[ArgumentKind, Callable[[str, CallContext], str | None]] = {
    "count": _count,
    "days": _days,
    "number": _number,
    "value": _value,
    "month": _month,
    "item": _item,
    "day": _day,
    "file_name_field": _file_name_field,
    "record_kind": _record_kind,
    "item_of_kind": _item_of_kind,
    "number_of_kind": _number_of_kind,
}


def wrong_argument_count(call: Call, kinds: Sequence[ArgumentKind]) -> Iterator[str]:
    """A message if there are too few or too many arguments."""
    if len(call.arguments) != len(kinds):
        yield f"{call} の引数の数が違います（必要なのは{len(kinds)}個）"


def invalid_arguments(call: Call, kinds: Sequence[ArgumentKind], context: CallContext) -> Iterator[str]:
    """A message for each argument that does not match its kind. Several numbers must be in ascending order."""
    if len(call.arguments) != len(kinds):
        yield from wrong_argument_count(call, kinds)
        return
    numbers: list[Decimal] = []
    for kind, argument in zip(kinds, call.arguments, strict=True):
        why = _VALIDATORS[kind](argument, context)
        if why:
            yield f"{call} の {argument} {why}"
        elif kind == "number":
            numbers.append(Decimal(argument))
    if numbers != sorted(numbers):
        yield f"{call} の数が小さい順ではありません"
