"""File names both ways: from values to a name, from a name to the interface and its values."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import Final

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from interfaces.spec import FileLayout, Item, Specification

# A name of 255 bytes is the limit of usual file systems; while the archive writes, a hash of 12, the seal's `.p7m`
# and a hidden `.part` are added to it (our temporary name at the Union is shorter).
LONGEST_NAME_BYTES: Final = 255 - len(".") - 12 - len("_") - len(".p7m") - len(".part")
SAMPLE_DAY, SAMPLE_MONTH = "20260401", "202604"


def why_unsafe(name: str) -> str | None:
    """Why a name is unsafe as a base name here and at the Union, worded for people; None when it is safe."""
    if not name:
        return "空の名前"
    if "/" in name or "\\" in name:
        return "フォルダの区切りを含む"
    if name.startswith("."):
        return "点で始まる"
    if ".." in name:
        return "点が続く"
    if not name.isprintable():
        return "表示できない文字を含む"
    if len(name.encode()) > LONGEST_NAME_BYTES:
        return f"{LONGEST_NAME_BYTES}バイトを超える"
    return None


def sample_name(specification: Specification) -> str:
    """A sample name by the specification's rule: a day of April 2026, and 1 for the other digits."""
    texts = {}
    for field in fields_of(specification.layout.file_name):
        day = SAMPLE_MONTH if field.endswith("_month") else SAMPLE_DAY if field.endswith("_on") else ""
        texts[field] = day or "1" * digits_of(field, specification)
    return specification.layout.file_name.format(**texts)


def fields_of(pattern: str) -> list[str]:
    """The item ids in a file-name rule."""
    return [field for _, field, _, _ in Formatter().parse(pattern) if field]


def file_name(specification: Specification, values: Mapping[str, object]) -> str:
    """The file's name by its rule; dates are written YYYYMMDD, months YYYYMM. KR-7105 when a value is missing."""
    pattern = specification.layout.file_name
    texts: dict[str, str] = {}
    for field in fields_of(pattern):
        if values.get(field) in (None, ""):
            raise RenkeiError("KR-7105", pattern=pattern, field=field)
        value = values[field]
        texts[field] = value.strftime("%Y%m%d") if isinstance(value, dt.date) else _plain(field, value)
    return pattern.format(**texts)


def _plain(field: str, value: object) -> str:
    return str(value).replace("-", "") if field.endswith("_month") else str(value)


def digits_of(field: str, specification: Specification) -> int:
    """The number of digits or letters of a field of the name, at most that many if it may have letters.

    8 for a day and 6 for a month, whatever their form in the file; otherwise the length of the item.
    """
    item = _item(field, specification)
    if field.endswith("_month") or (item is not None and item.type.is_month):
        return 6
    return 8 if item is None or item.type.is_date else specification.characters(item)


def may_have_letters(field: str, specification: Specification) -> bool:
    """Whether a field of the name may be letters: the type of its item allows A besides 1."""
    item = _item(field, specification)
    if item is None or item.type.date_format:
        return False
    return _allows_letters(item.type.expression)


@lru_cache(maxsize=64)
def _allows_letters(expression: str) -> bool:
    return all(pl.select(pl.lit(pl.Series(["1", "A"])).str.contains(expression)).to_series())


def _item(field: str, specification: Specification) -> Item | None:
    return next((record.by_id[field] for record in specification.records if field in record.by_id), None)


def _expression(specification: Specification) -> re.Pattern[str]:
    parts = []
    for literal, field, _, _ in Formatter().parse(specification.layout.file_name):
        parts.append(re.escape(literal))
        if field:
            most = digits_of(field, specification)
            letters = f"[0-9A-Za-z]{{1,{most}}}" if may_have_letters(field, specification) else f"[0-9]{{{most}}}"
            parts.append(f"(?P<{field}>{letters})")
    return re.compile("".join(parts))


def parse(specification: Specification, name: str) -> dict[str, str] | None:
    """The values in a name by this specification's rule, or None when the name does not follow the rule."""
    match = _expression(specification).fullmatch(name)
    return match.groupdict() if match else None


def date_of(fields: Mapping[str, str], layout: FileLayout) -> dt.date | None:
    """The day that a file is for according to its name, or the first day of its month.

    None when the name has neither, or when no such day exists.
    """
    for field in fields_of(layout.file_name):
        form = "%Y%m%d" if field.endswith("_on") else "%Y%m" if field.endswith("_month") else None
        if form:
            try:
                return dt.datetime.strptime(fields[field], form).date()  # noqa: DTZ007  a day has no zone
            except ValueError:
                return None
    return None


def recognise(catalogue: Catalogue, name: str) -> tuple[str, dict[str, str]] | None:
    """The interface that a file name belongs to and the values in it; None when no rule or more than one fits."""
    found: dict[str, dict[str, str]] = {}
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            fields = parse(specification, name)
            if fields is not None:
                found[interface] = fields
    return next(iter(found.items())) if len(found) == 1 else None
