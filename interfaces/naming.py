"""File names both ways: from values to a name, from a name to the interface and its values."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from string import Formatter

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from interfaces.spec import FilePlan, Specification


def fields_of(pattern: str) -> list[str]:
    """The item ids that a file-name rule holds."""
    return [field for _, field, _, _ in Formatter().parse(pattern) if field]


def file_name(specification: Specification, values: Mapping[str, object]) -> str:
    """The file's name by its rule; dates are written YYYYMMDD, months YYYYMM. KR-7105 when a value is missing."""
    pattern = specification.plan.file_name
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
    """How many digits a field of the name has: a day 8 and a month 6, however the file itself writes them."""
    if field.endswith("_month"):
        return 6
    item = next((record.by_id[field] for record in specification.records if field in record.by_id), None)
    return 8 if item is None or item.type.is_date else specification.characters(item)


def _expression(specification: Specification) -> re.Pattern[str]:
    parts = []
    for literal, field, _, _ in Formatter().parse(specification.plan.file_name):
        parts.append(re.escape(literal))
        if field:
            parts.append(f"(?P<{field}>[0-9]{{{digits_of(field, specification)}}})")
    return re.compile("".join(parts))


def parse(specification: Specification, name: str) -> dict[str, str] | None:
    """The values that a name holds under this specification's rule, or None when it does not follow the rule."""
    match = _expression(specification).fullmatch(name)
    return match.groupdict() if match else None


def date_of(fields: Mapping[str, str], plan: FilePlan) -> dt.date | None:
    """The day that a file is for, as its name says, or the first day of the month that it is for.

    None when the name holds neither, or when no such day exists.
    """
    for field in fields_of(plan.file_name):
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
