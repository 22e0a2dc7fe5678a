"""A sound file of one record of each kind, and the bytes of any such records. What is broken in it: `breaks`."""

from __future__ import annotations

import datetime as dt
import gzip
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

from interfaces.lines import BYTES_OF_BOM
from interfaces.messages import RenkeiError
from interfaces.naming import date_of, file_name, parse, sample_name
from interfaces.spec import Format, Item, Record, Specification
from schemas.findings import codes_in_words
from schemas.samples.values import Setting, sound_values
from schemas.validate import Validated, validate

_ROUNDS: Final = 5  # of taking out optional items that contradict another
_TOTALS: Final = ("count_of", "sum_of", "equal_to")


@dataclass(frozen=True)
class Row:
    """A record: its kind, and the raw value of each item."""

    record: Record
    values: dict[str, str]

    def with_value(self, item: str, value: str) -> Row:
        """The record with another value."""
        return replace(self, values=self.values | {item: value})


@dataclass(frozen=True)
class SampleFile:
    """A file of the samples."""

    setting: Setting
    rows: tuple[Row, ...]

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return composed(self.rows, self.setting.specification, self.setting.file_name)

    @property
    def first_line(self) -> int:
        """The line of the first record."""
        return self.setting.specification.format.heading_lines + 1

    def validated(self) -> Validated:
        """Validated as the municipality of the samples would."""
        setting = self.setting
        return validate(self.content, setting.file_name, setting.specification, setting.on, setting.context)


def setting_of(specification: Specification, on: dt.date) -> Setting:
    """The name and the day of the samples: those of `on` where the name has a day."""
    sample = parse(specification, sample_name(specification)) or {}
    own = {"municipality_code": "999997", "insurer_number": "990010", "prefecture_code": "99"}
    days = {name: on for name in sample if name.endswith("_on")}
    months = {name: f"{on:%Y%m}" for name in sample if name.endswith("_month")}
    name = file_name(specification, {**sample, **{k: v for k, v in own.items() if k in sample}, **days, **months})
    fields = parse(specification, name) or {}
    return Setting(specification, date_of(fields, specification.layout) or on, name, fields)


def sound_file(specification: Specification, on: dt.date) -> SampleFile:
    """A file with one record of each kind. KR-7150 when the specification does not let one be made: no value is sound for
    an item, or its rules contradict each other."""
    setting = setting_of(specification, on)
    rows = tuple(Row(record, sound_values(setting, record)) for record in specification.records)
    made = SampleFile(setting, with_totals(rows, specification))
    for _ in range(_ROUNDS):
        validated = made.validated()
        if validated.valid:
            return made
        made = _without_optional(made, validated)
    codes = codes_in_words(validated.findings["code"])
    raise RenkeiError("KR-7150", interface=specification.id, version=specification.version, codes=codes)


def _without_optional(made: SampleFile, validated: Validated) -> SampleFile:
    """The file without the values of optional items that have a finding."""
    rows = list(made.rows)
    for line, name in validated.findings.select("line", "item").drop_nulls().unique().rows():
        place = line - made.first_line
        item = rows[place].record.by_id.get(name) if 0 <= place < len(rows) else None
        if item is not None and item.required != "必須":
            rows[place] = rows[place].with_value(name, "")
    return replace(made, rows=with_totals(tuple(rows), made.setting.specification))


def with_totals(rows: Sequence[Row], specification: Specification) -> tuple[Row, ...]:
    """The records with their numbers, counts and totals."""
    done = list(rows)
    for place, row in enumerate(done):
        for item in row.record.items:
            if item.rule("record_sequence"):
                done[place] = done[place].with_value(item.id, _number(place + 1, item, specification))
    data = sum(row.record is specification.data for row in done)
    for _ in range(len(_TOTALS)):  # a total of totals needs as many looks
        for place, row in enumerate(done):
            for item in row.record.items:
                total = _total(item, done, data, specification)
                if total is not None:
                    done[place] = done[place].with_value(item.id, total)
    return tuple(done)


def _total(item: Item, rows: Sequence[Row], data: int, specification: Specification) -> str | None:
    if item.rule("data_record_count"):
        return _number(data, item, specification)
    for name in _TOTALS:
        call = item.rule(name)
        if call is None:
            continue
        kind, _, other = call.arguments[0].partition(".")
        values = [row.values.get(other, "") for row in rows if row.record.kind == kind]
        if name == "count_of":
            return _number(len(values), item, specification)
        return values[0] if values else _number(0, item, specification)
    return None


def _number(number: int, item: Item, specification: Specification) -> str:
    """A number as the item writes it: with zeros where the others of the layout have them."""
    digits = item.rule("digits")
    fills = item.rule("record_sequence") or item.rule("data_record_count") or specification.format.kind == "fixed"
    width = int(digits.arguments[0]) if digits else specification.characters(item) if fills else 0
    return str(number).zfill(width)


def composed(rows: Sequence[Row], specification: Specification, name: str) -> bytes:
    """The bytes of a file with these records, whatever their values are."""
    form = specification.format
    lines = ["SAMPLE"] * form.lines_before_heading if form.header else []
    if form.header:
        lines.append(_csv_line([item.heading for item in specification.data.items], form))
    lines += [_line(row, specification) for row in rows]
    text = "".join(line + form.line_end_text for line in lines)
    mark = BYTES_OF_BOM.get(form.encoding, b"") if form.bom else b""
    return wrapped(mark + text.encode(form.encoding) + bytes.fromhex(form.end_of_file), name, form)


def wrapped(content: bytes, name: str, form: Format) -> bytes:
    """The bytes packed as the layout says."""
    if form.wrapped_in == "gzip":
        return gzip.compress(content, mtime=0)
    if form.wrapped_in == "zip":
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name), content)
        return packed.getvalue()
    return content


def _line(row: Row, specification: Specification) -> str:
    values = [row.values[item.id] for item in row.record.items]
    if specification.format.kind == "csv":
        return _csv_line(values, specification.format)
    return "".join(_padded(value, item, specification) for value, item in zip(values, row.record.items, strict=True))


def _csv_line(values: Sequence[str], form: Format) -> str:
    quoted = ['"' + value.replace('"', '""') + '"' if _is_quoted(value, form) else value for value in values]
    return form.delimiter.join(quoted)


def _is_quoted(value: str, form: Format) -> bool:
    needs = not value.isascii() or any(character in value for character in f'{form.delimiter}" ')
    return form.quote == "all" or (form.quote == "when_needed" and needs and not form.header)


def _padded(value: str, item: Item, specification: Specification) -> str:
    """The value in its place of a fixed-length record."""
    encoding = specification.format.encoding
    room = (item.length - len(value.encode(encoding))) // specification.format.unit
    if item.type.padding == "zero_left" and value:
        return "0" * room + value
    return value + " " * room
