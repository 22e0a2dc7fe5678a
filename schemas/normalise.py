"""Normalisations of what we receive: wide and narrow kana, digits, lost zeros; dates that mean none. Each is counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jaconv
import polars as pl

from interfaces.spec import ArgumentKind, Call, Dates, Item, Record


def half_width_digits(text: str) -> str:
    """Full-width digits (and the hyphen between them) to ASCII."""
    return str(jaconv.z2h(text, kana=False, ascii=False, digit=True)).translate({0xFF0D: "-", 0x2010: "-", 0x2212: "-"})


def full_width(text: str) -> str:
    """Half-width kana, letters, digits and spaces to full width; every other character stays."""
    return str(jaconv.h2z(text, kana=True, ascii=True, digit=True))


def full_width_kana(text: str) -> str:
    """Half-width kana and spaces to full width, hiragana to katakana."""
    return str(jaconv.hira2kata(full_width(text)))


def zero_fill(text: str, length: str) -> str:
    """Leading zeros that a spreadsheet took away; digits only."""
    return text.zfill(int(length)) if text.isascii() and text.isdigit() else text


def postal_code(text: str) -> str:
    """123-4567 to 1234567."""
    return re.sub(r"^([0-9]{3})-([0-9]{4})$", r"\1\2", text)


@dataclass(frozen=True)
class Normalisation:
    """A named normalisation. `make`: text and arguments -> text. `touches`: arguments -> what a value must hold to be
    changed at all, as a polars pattern; asked of whole columns before any value is touched. `arguments`: the kind of each."""

    make: Callable[..., str]
    touches: Callable[..., str]
    arguments: tuple[ArgumentKind, ...] = ()


NORMALISATIONS: Mapping[str, Normalisation] = {
    "half_width_digits": Normalisation(half_width_digits, lambda: r"[\x{FF10}-\x{FF19}\x{FF0D}\x{2010}\x{2212}]"),
    "full_width": Normalisation(full_width, lambda: r"[\x20-\x7E\x{FF61}-\x{FF9F}]"),
    "full_width_kana": Normalisation(full_width_kana, lambda: r"[\x20-\x7E\x{FF61}-\x{FF9F}\x{3041}-\x{3096}]"),
    "zero_fill": Normalisation(zero_fill, lambda length: f"^[0-9]{{0,{int(length) - 1}}}$", ("count",)),
    "postal_code": Normalisation(postal_code, lambda: "-"),
}


def _apply(calls: tuple[Call, ...], text: str) -> str:
    for call in calls:
        text = NORMALISATIONS[call.name].make(text, *call.arguments)
    return text


def _may_change(item: Item) -> pl.Expr:
    """The distinct values of an item that some of its normalisations could change, as one list."""
    patterns = [NORMALISATIONS[call.name].touches(*call.arguments) for call in item.normalise]
    return pl.col(item.id).filter(pl.col(item.id).str.contains("|".join(patterns))).unique().implode()


def normalise(table: pl.DataFrame, record: Record, dates: Dates) -> tuple[pl.DataFrame, dict[str, int]]:
    """A raw table with its items' declared normalisations done and without the sentinels that mean no value, and how
    many values of each item changed."""
    table, changed = _declared(table, record)
    columns: list[pl.Expr] = []
    for item in record.items:
        none = dates.none(item)
        if not none:
            continue
        is_none = table[item.id].str.replace_all("-", "", literal=True).is_in(none)
        if is_none.any():
            columns.append(pl.when(is_none).then(pl.lit("")).otherwise(pl.col(item.id)).alias(item.id))
            changed[item.id] = changed.get(item.id, 0) + int(is_none.sum())
    return table.with_columns(columns), changed


def _declared(table: pl.DataFrame, record: Record) -> tuple[pl.DataFrame, dict[str, int]]:
    columns: list[pl.Series] = []
    changed: dict[str, int] = {}
    declared = [item for item in record.items if item.normalise]
    touched = table.select(map(_may_change, declared))
    for item in declared:
        pairs = {text: new for text in touched[item.id].item() if (new := _apply(item.normalise, text)) != text}
        if not pairs:
            continue
        before = table[item.id]
        columns.append(before.replace(pairs).alias(item.id))
        changed[item.id] = int(before.is_in(list(pairs)).sum())
    return table.with_columns(columns), changed
