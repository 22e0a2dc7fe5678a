"""Normalisation of extracts and of what we send: full- and half-width kana, digits and their separators, lost zeros, sentinel dates.

Each change is counted. The separators are data (catalogue/separators.csv).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import jaconv
import polars as pl

from interfaces.digits import Separators, plain, separators
from interfaces.item_flow import can_be_normalised
from interfaces.spec import ArgumentKind, Call, Item, Specification

WIDE_SPACE = "\u3000"
_JOINED = re.compile(" *([0-9]+(?:[- ]{1,3}[0-9]+)*) *")
_POSTAL_CODE = re.compile(" *〒? *([0-9]{3})[- ]{0,3}([0-9]{4}) *")


def half_width_digits(text: str) -> str:
    """Full-width digits (and the hyphen between them) to ASCII."""
    return str(jaconv.z2h(text, kana=False, ascii=False, digit=True)).translate({0xFF0D: "-", 0x2010: "-", 0x2212: "-"})


def full_width(text: str, separators: Separators) -> str:
    """Half-width kana, letters and digits, and spaces of every kind, to full width; every other character stays."""
    wide = str(jaconv.h2z(text, kana=True, ascii=True, digit=True))
    return "".join(WIDE_SPACE if separators.kind(character) == "space" else character for character in wide)


def full_width_kana(text: str, separators: Separators) -> str:
    """Half-width kana and spaces to full width, hiragana to katakana."""
    return str(jaconv.hira2kata(full_width(text, separators)))


def half_width(text: str) -> str:
    """Full-width katakana, letters, digits and spaces to half width; every other character stays."""
    return str(jaconv.z2h(text, kana=True, ascii=True, digit=True)).replace(WIDE_SPACE, " ")


def zero_fill(text: str, length: str) -> str:
    """Restore leading zeros that a spreadsheet removed; digits only."""
    return text.zfill(int(length)) if text.isascii() and text.isdigit() else text


def joined_digits(text: str, separators: Separators) -> str:
    """Digits in groups, with any separator and of any width, as one number; anything else stays."""
    found = _JOINED.fullmatch(plain(text, separators))
    return re.sub("[- ]", "", found[1]) if found else text


def postal_code(text: str, separators: Separators) -> str:
    """A 郵便番号 as its seven digits, with any separator and of any width, with or without 〒."""
    found = _POSTAL_CODE.fullmatch(plain(text, separators))
    return found[1] + found[2] if found else text


@dataclass(frozen=True)
class Normalisation:
    """A named normalisation. `make`: text, separators and arguments -> text. `touches`: arguments -> a polars pattern that
    matches every value that could change; whole columns are filtered with it first. `arguments`: the kind of each."""

    make: Callable[..., str]
    touches: Callable[..., str]
    arguments: tuple[ArgumentKind, ...] = ()


# Anything but plain Japanese text may be a space of another kind.
_NOT_WIDE = r"[^\x{3000}-\x{30FE}\x{3400}-\x{9FFF}\x{FF01}-\x{FF60}]"
NORMALISATIONS: Mapping[str, Normalisation] = {
    "half_width_digits": Normalisation(
        lambda text, _: half_width_digits(text), lambda: r"[\x{FF10}-\x{FF19}\x{FF0D}\x{2010}\x{2212}]"
    ),
    "joined_digits": Normalisation(joined_digits, lambda: "[^0-9]"),
    "full_width": Normalisation(full_width, lambda: _NOT_WIDE),
    "full_width_kana": Normalisation(full_width_kana, lambda: _NOT_WIDE + r"|[\x{3041}-\x{3096}]"),
    "half_width": Normalisation(lambda text, _: half_width(text), lambda: r"[^\x{20}-\x{7E}]"),
    "zero_fill": Normalisation(
        lambda text, _, length: zero_fill(text, length), lambda length: f"^[0-9]{{0,{int(length) - 1}}}$", ("count",)
    ),
    "postal_code": Normalisation(postal_code, lambda: "[^0-9]"),
}


def _apply(calls: tuple[Call, ...], text: str, separators: Separators) -> str:
    for call in calls:
        text = NORMALISATIONS[call.name].make(text, separators, *call.arguments)
    return text


def _may_change(item: Item) -> pl.Expr:
    """The distinct values of an item that some of its normalisations could change, as one list."""
    patterns = [NORMALISATIONS[call.name].touches(*call.arguments) for call in item.normalise]
    return pl.col(item.id).filter(pl.col(item.id).str.contains("|".join(patterns))).unique().implode()


def normalise(table: pl.DataFrame, specification: Specification) -> tuple[pl.DataFrame, dict[str, int]]:
    """A raw data table with the declared normalisations applied and without the sentinels that mean no value, and how many
    values of each item changed."""
    table, changed = _declared(table, specification, table.columns)
    columns: list[pl.Expr] = []
    for item in specification.data.items:
        none = specification.dates.none(item)
        if not none:
            continue
        is_none = table[item.id].str.replace_all("-", "", literal=True).is_in(none)
        if is_none.any():
            columns.append(pl.when(is_none).then(pl.lit("")).otherwise(pl.col(item.id)).alias(item.id))
            changed[item.id] = changed.get(item.id, 0) + int(is_none.sum())
    return table.with_columns(columns), changed


def normalise_outgoing(data: pl.DataFrame, specification: Specification) -> pl.DataFrame:
    """Canonical data with the declared normalisations of the outgoing layout applied; those of text only, not of dates and codes."""
    texts = [item.id for item in specification.data.items if item.normalise and can_be_normalised(item)]
    present = [name for name in texts if data.schema.get(name) == pl.String()]
    return _declared(data, specification, present)[0]


def _declared(
    table: pl.DataFrame, specification: Specification, names: Collection[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    columns: list[pl.Series] = []
    changed: dict[str, int] = {}
    declared = [item for item in specification.data.items if item.normalise and item.id in names]
    of_catalogue = separators(specification.root) if declared else Separators({}, {})
    touched = table.select(map(_may_change, declared))
    for item in declared:
        pairs = {
            text: new for text in touched[item.id].item() if (new := _apply(item.normalise, text, of_catalogue)) != text
        }
        if not pairs:
            continue
        before = table[item.id]
        columns.append(before.replace(pairs).alias(item.id))
        changed[item.id] = int(before.is_in(list(pairs)).sum())
    return table.with_columns(columns), changed
