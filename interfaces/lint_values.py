"""Faults of what the catalogue says of values: forms of dates and numbers, texts for no value, codes, names of files. Pure,
but for `excel_errors`, which reads a table again.

Each function gives the fault in Japanese; the linter adds the place.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from string import Formatter
from typing import Final

import polars as pl

from interfaces import blanks, number_forms
from interfaces.arguments import unrepresentable_values
from interfaces.characters import byte_length
from interfaces.naming import may_have_letters
from interfaces.spec import Code, Item, ItemType, Specification

# What Excel saves in place of a formula that it could not compute.
EXCEL_ERRORS: Final = ("#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!", "#SPILL!")
# Not allowed in names by one of the systems between us and the receiver. Backslashes and control characters are told apart.
_NOT_IN_NAMES: Final = '*?<>|":/'


def type_faults(kind: ItemType) -> Iterator[str]:
    """Forms of a row of types.csv that cannot be used."""
    if kind.date_format:
        yield from (f"日付形式 {kind.date_format} は使えません: {fault}" for fault in kind.date.faults())
    if kind.number is not None and not kind.number.is_valid:
        yield f"数の形式 {kind.number_format} は使えません（{number_forms.ALLOWED}）"
    if kind.date_format and kind.number_format:
        yield "日付形式と数の形式は、どちらか一つです"


def _is_usable(kind: ItemType) -> bool:
    return not list(type_faults(kind))


def item_faults(item: Item, specification: Specification) -> Iterator[str]:
    """An item that cannot hold its type's dates, or what it writes for no value."""
    if not _is_usable(item.type):
        return
    if item.type.date_format:
        yield from _date_length(item, specification)
    texts = blanks.blank_texts(item, specification)
    for text, count in _counted(texts):
        if count > 1:
            yield f"空の値 {text or blanks.SPACES} が{count}回あります（{blanks.ALLOWED}）"
        if not text.isascii():
            yield f"空の値 {text} は半角ではありません（{blanks.ALLOWED}）"
        elif len(text) > specification.characters(item):
            yield f"空の値 {text} は{item.length}バイトに入りません"
    codes = {code.value for code in specification.codes.get(item.code_table, ())}
    for text in sorted(codes.intersection(texts)):
        yield f"空の値 {text} は、コード表 {item.code_table} のコードでもあります"


def _counted(texts: tuple[str, ...]) -> list[tuple[str, int]]:
    return [(text, texts.count(text)) for text in dict.fromkeys(texts)]


def _date_length(item: Item, specification: Specification) -> Iterator[str]:
    form, encoding = item.type.date, specification.format.encoding
    longest = form.longest(item.type.eras)
    wanted = int(pl.select(byte_length(pl.lit(longest), encoding)).item())
    if form.is_of_one_length and item.length != wanted:
        yield f"属性 {item.type.id} は{wanted}バイトです（{item.length}）"
    elif item.length < wanted:
        yield f"属性 {item.type.id} は{wanted}バイト要ります（{item.length}）"
    for value, why in unrepresentable_values([longest], item, specification):
        yield f"日付形式 {form.text} で書いた {value} {why}"


def code_faults(codes: tuple[Code, ...]) -> Iterator[tuple[str, str]]:
    """(code, fault): a width that is not kept, a 上位コード that is not there."""
    known = {code.value for code in codes}
    for code in codes:
        if code.width is not None and len(code.value) != code.width:
            yield code.value, f"{len(code.value)}桁で、桁数 {code.width} と違います（Excel は 02 を 2 に変えます）"
        if code.parent and (code.parent not in known or code.parent == code.value):
            yield code.value, f"上位コード {code.parent} はこの表の別のコードではありません"
    for meaning, same in _by_meaning(codes).items():
        for _, together in _in_force_together(tuple(code for code in same if code.is_sent)):
            if len(together) > 1:
                values = "・".join(sorted({code.value for code in together}))
                yield values, f"意味 {meaning} の 送付 が、同じ時期に二つ以上あります"
                break


def unwritable_meanings(codes: tuple[Code, ...]) -> Iterator[str]:
    """Meanings with several codes of which no single one is written: one is marked 送付, or one alone is below no other."""
    for meaning, same in _by_meaning(codes).items():
        for _, together in _in_force_together(same):
            marked = [code for code in together if code.is_sent] or [code for code in together if not code.parent]
            if together and len(marked) != 1:
                values = "・".join(sorted({code.value for code in together}))
                yield f"意味 {meaning} に {values} があり、どれを書くか決まりません（一つの 送付 を ○ にします）"
                break


def _by_meaning(codes: tuple[Code, ...]) -> dict[str, tuple[Code, ...]]:
    """The meanings that more than one code has."""
    found: defaultdict[str, list[Code]] = defaultdict(list)
    for code in codes:
        found[code.meaning].append(code)
    return {meaning: tuple(same) for meaning, same in found.items() if meaning and len(same) > 1}


def _in_force_together(codes: tuple[Code, ...]) -> Iterator[tuple[object, list[Code]]]:
    """(day, codes in force) for each day on which one of them begins."""
    for day in sorted({code.start for code in codes}):
        yield day, [code for code in codes if code.in_force(day)]


def excel_errors(path: Path) -> Iterator[tuple[int, str]]:
    """(row, fault) of each cell that holds an error of Excel instead of its value."""
    text = path.read_text(encoding="utf-8-sig")
    if not any(error in text for error in EXCEL_ERRORS):
        return
    for number, cells in enumerate(csv.reader(text.splitlines()), 1):
        for error in sorted(set(EXCEL_ERRORS).intersection(cells)):
            yield number, f"{error} は Excel の式の誤りです。セルを文字列にして、元の値を入れてください"


def file_name_faults(specification: Specification) -> Iterator[str]:
    """Characters of a rule for names that no name may have, and fields that cannot be told apart."""
    pieces = list(Formatter().parse(specification.layout.file_name))
    for character in dict.fromkeys(chain.from_iterable(literal for literal, _, _, _ in pieces)):
        if character in _NOT_IN_NAMES:
            yield f"ファイル名に {character} は使えません（{' '.join(_NOT_IN_NAMES)}）"
    before: str | None = None
    for literal, field, _, _ in pieces:
        if re.search("[^0-9A-Za-z]", literal):
            before = None
        if field and may_have_letters(field, specification):
            if before is not None:
                yield f"ファイル名の {before} と {field} の間に、英数字でない文字が要ります（どちらも英字があり得ます）"
            before = field
