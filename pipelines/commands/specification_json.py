"""A specification as JSON: everything needed to read or write the file without this program. No printing here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from interfaces.blanks import blank_texts
from interfaces.catalogue import DEFAULT_ROOT, Row, read_rows
from interfaces.codec import BLANKS
from interfaces.date_forms import LETTERS
from interfaces.lines import MOST_MISFORMED, longest_line
from interfaces.messages import message
from interfaces.naming import digits_of, fields_of, may_have_letters
from interfaces.spec import Call, Code, Item, ItemType, Specification
from schemas.rules import registered_rules
from schemas.validate import MOST_FINDINGS

# Rules that no item names: they belong to every file, or to every file from the Union.
EVERYWHERE = ("duplicate_key",)
FROM_THE_UNION = ("no_my_number",)


def specification_json(specification: Specification) -> dict[str, Any]:
    """The layout with the definitions of all its names: types, codes, characters, rules, and the order of checks."""
    layout = specification.layout
    return {
        **layout.model_dump(mode="json"),
        "version": specification.version,
        "format": {
            **layout.format.model_dump(mode="json"),
            "quote_character": '"',
            "line_end_bytes": layout.format.line_end_text.encode(layout.format.encoding).hex(),
            "longest_line": longest_line(specification),
            "most_misformed_lines": MOST_MISFORMED,
            "most_findings": MOST_FINDINGS,
        },
        "file_name_fields": {name: digits_of(name, specification) for name in fields_of(layout.file_name)},
        "file_name_letters": [name for name in fields_of(layout.file_name) if may_have_letters(name, specification)],
        "records": [
            {
                "kind": record.kind,
                "occurrence": record.occurrence,
                "parent": record.parent,
                "mixed": record.mixed,
                "marks": [item.id for item in record.marked_items],
                "key": list(record.key),
                "items": [_item(item, specification) for item in record.items],
            }
            for record in specification.records
        ],
        **_named(specification),
        "checks": _checks(),
    }


def _item(item: Item, specification: Specification) -> dict[str, Any]:
    return {
        "number": item.number,
        "official_number": item.official_number,
        "name": item.name,
        "heading": item.heading,
        "is_kept": item.is_kept,
        "id": item.id,
        "type": item.type.id,
        "start": item.start,
        "length": item.length,
        "required": item.required,
        "code_table": item.code_table,
        "rules": [str(call) for call in item.rules],
        "normalise": [str(call) for call in item.normalise],
        "sensitivity": item.sensitivity.id,
        "source": item.source,
        "dates": _dates(specification, item),
        "blank_values": list(blank_texts(item, specification)),
    }


def _dates(specification: Specification, item: Item) -> dict[str, Any] | None:
    """The range of the values, and which digits mean no value or are refused."""
    limits = specification.dates.ranges.get(item.id)
    if limits is None:
        return None
    none = specification.dates.none(item)
    received = not specification.layout.is_outgoing
    return {
        "earliest": limits.earliest.isoformat(),
        "latest": {"years_ahead": limits.latest.years, "days_ahead": limits.latest.days},
        "no_value": none if received else [],
        "refused": [
            sentinel.digits
            for sentinel in specification.dates.sentinels
            if item.type.is_date and not (received and sentinel.digits in none)
        ],
    }


def _named(specification: Specification) -> dict[str, Any]:
    """The definitions of the names that this specification uses."""
    items = [item for record in specification.records for item in record.items]
    calls = [call for item in items for call in (*item.rules, *item.normalise)]
    calls += [Call.parse(text) for text in specification.layout.relations]
    names = {call.name for call in calls}
    names |= set(EVERYWHERE) | set(FROM_THE_UNION if specification.layout.direction == "from_union" else ())
    tables = sorted({item.code_table for item in items} - {""})
    return {
        "types": {item.type.id: _type(item.type) for item in items},
        "sensitivities": {item.sensitivity.id: item.sensitivity.mask for item in items},
        "code_tables": {name: [_code(code) for code in specification.codes[name]] for name in tables},
        "characters": _characters(specification),
        "separators": _separators(specification) if any(item.normalise for item in items) else [],
        "rules": _rules(names),
    }


def _type(of: ItemType) -> dict[str, Any]:
    return {
        "pattern": of.pattern,
        "date_format": of.date_format,
        "date_letters": {letter: LETTERS[letter].meaning for letter in of.date.letters.values()},
        "number_format": of.number_format,
        "padding": of.padding,
        "padding_at_end": BLANKS if of.padding == "space_right" else " ",
        "description": of.description,
        "eras": [
            {"digit": era.digit, "letter": era.letter, "name": era.name, "start": era.start.isoformat()}
            for era in of.eras
        ],
    }


def _code(code: Code) -> dict[str, Any]:
    return {
        "code": code.value,
        "name": code.name,
        "meaning": code.meaning,
        "parent": code.parent,
        "is_sent": code.is_sent,
        "start": None if code.start == dt.date.min else code.start.isoformat(),
        "end": code.end and code.end.isoformat(),
        "source": code.source,
    }


_CHARACTER = {"文字": "text", "扱い": "treatment", "値": "value", "名前": "name", "出典": "source"}


def _characters(specification: Specification) -> list[dict[str, str]]:
    name = specification.format.external_characters
    rows = read_rows(specification.root / "characters" / f"{name}.csv") if name else []
    return [{key: row.get(column, "") for column, key in _CHARACTER.items()} for row in rows]


_SEPARATOR = {"区分": "by", "値": "value", "種類": "kind", "説明": "description"}


def _separators(specification: Specification) -> list[dict[str, str]]:
    """The separators of digits; `by`: 分類 (a category of Unicode) or 文字 (a character, which takes precedence)."""
    rows = read_rows(specification.root / "separators.csv", _SEPARATOR)
    return [{key: row[column] for column, key in _SEPARATOR.items()} for row in rows]


@lru_cache(maxsize=1)
def _reading() -> dict[str, list[Row]]:
    return {name: read_rows(DEFAULT_ROOT / "reading" / f"{name}.csv") for name in ("checks", "rules")}


def _rules(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Rules and normalisations by name. `needs`: what is needed besides the record, blank if nothing is."""
    rules = registered_rules()
    shown: dict[str, dict[str, Any]] = {}
    for row in _reading()["rules"]:
        name = row["名前"]
        if name in names:
            of = rules.get(name)
            shown[name] = {
                **_coded(of.code if of else ""),
                "scope": of.scope if of else "normalisation",
                "needs": row["必要なもの"],
                "meaning": row["意味"],
            }
    return shown


def _coded(code: str) -> dict[str, Any]:
    return {"code": code, "level": message(code).level if code else ""}


def _checks() -> list[dict[str, Any]]:
    return [
        {"stage": int(row["段階"]), **_coded(row["コード"]), "shown": row["示す数"], "line": row["行"]}
        | {"item": row["項目"], "meaning": row["意味"]}
        for row in _reading()["checks"]
    ]
