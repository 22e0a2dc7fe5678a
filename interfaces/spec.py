"""The model of a specification: what file.toml and the item tables say. `catalogue` loads it, `lint` checks it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from interfaces.date_forms import DateForm, date_form
from interfaces.number_forms import NumberForm, number_form

Direction = Literal["extract", "to_union", "from_union", "to_partner", "from_partner"]
Occurrence = Literal["one", "optional", "many"]
Padding = Literal["", "space_right", "zero_left"]
Mask = Literal["all", "first1", "last3", "none"]
NoDate = Literal["no_end", "no_value"]  # what a sentinel in place of a date means
# The kinds of arguments of rules and normalisations (validated in `arguments`): a count of characters, a count of days, a
# whole number, any value of the item, a month, another item of the record, another item with a day, a field of the file's
# name, an interface, a record kind, an item of a record kind (`data.amount`), such an item that is a number.
ArgumentKind = Literal[
    "count",
    "days",
    "number",
    "value",
    "month",
    "item",
    "day",
    "file_name_field",
    "interface",
    "record_kind",
    "item_of_kind",
    "number_of_kind",
]

NO_HEADING = "（空）"  # 見出し of an item whose column has an empty heading
# The parts of a pattern in types.csv that match characters: a class, an escape or a letter, not a count or a bracket.
_OF_CHARACTERS = re.compile(
    r"(\[(?:\\.|[^\]\\])*\]|\\(?:[xu]\{[^}]*\}|x[0-9A-Fa-f]{2}|[pP]\{[^}]*\}|.))|\{[0-9,]*\}|\(\?:|([^\\\[(){}|*+?^$])"
)
_CALL = re.compile(r"^([a-z_]+)(?:\(([^()]*)\))?$")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Format(_Frozen):
    """The physical form of a file. `quote`: docs/sources.md 1.3 (`when_needed`: comma, quote, space or a non-ASCII character).

    line_end `none`: fixed-length records one right after another. end_of_file: a byte after the last line, in hexadecimal.
    line_ends_in_values: whether a quoted value may contain line ends; a "line" is then a record, however many lines it has.
    lines_before_heading: lines that are passed over. columns `by_heading`: in any order; other_columns: what becomes of
    those that are no item; ignored ones are never kept and never shown. wrapped_in: what the file is packed in (`wrapping`).
    """

    kind: Literal["csv", "fixed"] = "csv"
    encoding: Literal["cp932", "shift_jis_2004", "utf-8", "utf-16-le"]
    bom: bool = False
    line_end: Literal["CRLF", "LF", "CR", "none"]
    end_of_file: Literal["", "1A"] = ""
    delimiter: Literal[",", ";", "|", "\t"] = ","
    line_ends_in_values: bool = False
    header: bool = False
    lines_before_heading: int = Field(default=0, ge=0, le=100)
    columns: Literal["by_place", "by_heading"] = "by_place"
    other_columns: Literal["refuse", "ignore"] = "refuse"
    wrapped_in: Literal["", "gzip", "zip"] = ""
    quote: Literal["none", "when_needed", "all"] = "when_needed"
    external_characters: str = ""

    @property
    def line_end_text(self) -> str:
        return {"CRLF": "\r\n", "LF": "\n", "CR": "\r", "none": ""}[self.line_end]

    @property
    def heading_lines(self) -> int:
        """The lines before the first record; the last of them is the line of the headings."""
        return self.lines_before_heading + 1 if self.header else 0

    @property
    def unit(self) -> int:
        """Bytes of an ASCII character."""
        return 2 if self.encoding == "utf-16-le" else 1


class RecordLayout(_Frozen):
    """One record kind of a file, in the order in which the kinds appear; how they follow one another: `grammar`.

    parent: the kind that it belongs to and comes after. marks: the items whose constants together tell the kind; without
    them, the first item. mixed: a word that neighbouring kinds share if they stand in any order among each other.
    """

    kind: str
    items: str = Field(pattern=r"^[^/\\]+\.csv$")
    occurrence: Occurrence
    parent: str | None = None
    marks: tuple[str, ...] = ()
    mixed: str | None = None
    key: tuple[str, ...] = ()


class Volumes(_Frozen):
    """How a file that comes as several physical ones (ボリューム) says so: items of a record that occurs once, or of the name.

    number: the volume's number; that of the first one is `first`. count: how many volumes there are. last: `item=value`,
    what the last volume alone says.
    """

    number: str
    first: int = Field(default=1, ge=0)
    count: str | None = None
    last: str | None = Field(default=None, pattern=r"^[^=\s]+=[^=]+$")

    @property
    def last_item(self) -> str | None:
        return self.last.partition("=")[0] if self.last else None

    @property
    def last_value(self) -> str | None:
        return self.last.partition("=")[2] if self.last else None

    @property
    def items(self) -> tuple[str, ...]:
        """The items that it names."""
        return tuple(name for name in (self.number, self.count, self.last_item) if name is not None)


class FileLayout(_Frozen):
    """`file.toml`: what the file is. Dates are half-open [effective_from, effective_to).

    data: the record kind that the file is about, and whose records are counted; needed if several kinds repeat.
    new_items: whether an outgoing item that a version adds is told of everybody on its first day (`all`), or of each person
    with their next change (`changed`). volumes: of a file that may come as several physical ones; None for any other.
    """

    id: str
    name: str
    direction: Direction
    partner: str
    cycle: Literal["daily", "monthly", "yearly", "irregular"]
    effective_from: dt.date
    effective_to: dt.date | None = None
    status: Literal["official", "assumed"]
    source: str
    description: str
    file_name: str = Field(pattern=r"^([^{}]|\{[^\W\d]\w*\})+$")
    zero_records_allowed: bool
    quiet_day: Literal["zero_record_file", "no_file", "not_applicable"]
    carries_my_number: bool = False
    format: Format
    volumes: Volumes | None = None
    records: tuple[RecordLayout, ...] = Field(min_length=1)
    data: str | None = None
    new_items: Literal["changed", "all"] = "changed"
    relations: tuple[str, ...] = ()

    def in_force(self, on: dt.date) -> bool:
        """Whether files for that day are by this version."""
        return self.effective_from <= on and (self.effective_to is None or on < self.effective_to)

    @property
    def is_outgoing(self) -> bool:
        """Whether we write the file for somebody else."""
        return self.direction in ("to_union", "to_partner")


@dataclass(frozen=True)
class Call:
    """A rule or normalisation by name with its parameters, as written in the data: `not_before(applied_on)`."""

    name: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({','.join(self.arguments)})" if self.arguments else self.name

    @staticmethod
    def parse(text: str) -> Call:
        """Parse `name` or `name(a,b)`; ValueError when it is neither."""
        match = _CALL.match(text.strip())
        if not match:
            raise ValueError(f"not a rule: {text!r}")
        arguments = tuple(a.strip() for a in match[2].split(",")) if match[2] else ()
        return Call(match[1], arguments)

    @staticmethod
    def parse_list(text: str) -> tuple[Call, ...]:
        """Parse the rules of one cell, separated by `;`."""
        return tuple(Call.parse(part) for part in text.split(";") if part.strip())


@dataclass(frozen=True)
class Era:
    """A row of eras.csv: the digit of an era, its name and letter, and its first day. An era lasts until the next begins."""

    digit: str
    name: str
    letter: str
    start: dt.date

    @property
    def year_before(self) -> int:
        """The western year before its first year: 昭和1年 = 1926 = 1925 + 1."""
        return self.start.year - 1


_AHEAD = re.compile("^([0-9]{1,3})(年|日)$")


@dataclass(frozen=True)
class Ahead:
    """How far after the day that a file is for: `2年`, `0日`."""

    years: int = 0
    days: int = 0

    @staticmethod
    def parse(text: str) -> Ahead:
        """Read `2年` or `30日`; ValueError when it is neither."""
        match = _AHEAD.match(text)
        if not match:
            raise ValueError(f"not a distance: {text!r}")
        return Ahead(years=int(match[1])) if match[2] == "年" else Ahead(days=int(match[1]))

    def __str__(self) -> str:
        return f"{self.years}年" if self.years else f"{self.days}日"

    def after(self, on: dt.date) -> dt.date:
        """The last day that is not further away. Years after 29 February end on 28 February."""
        day = on if (on.month, on.day) != (2, 29) or not self.years else on.replace(day=28)
        return day.replace(year=day.year + self.years) + dt.timedelta(days=self.days)


@dataclass(frozen=True)
class DateRange:
    """A row of dates.csv: the range of an item's values, both ends included.

    `none`: the meanings of sentinels.csv that count as no value if the item may be blank.
    """

    id: str
    earliest: dt.date
    latest: Ahead
    none: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Sentinel:
    """A row of sentinels.csv: digits that are used in place of a date. `meaning`: no_end | no_value."""

    digits: str
    meaning: str
    description: str


@dataclass(frozen=True)
class Dates:
    """The date rules of the whole catalogue: the ranges by item id, and the sentinels."""

    ranges: Mapping[str, DateRange]
    sentinels: tuple[Sentinel, ...]

    def none(self, item: Item) -> list[str]:
        """The digits that mean that the item has no value; empty for an item that must have one."""
        limits = self.ranges.get(item.id)
        if limits is None or not item.type.is_date or item.required == "必須":
            return []
        return [sentinel.digits for sentinel in self.sentinels if sentinel.meaning in limits.none]


@dataclass(frozen=True)
class ItemType:
    """属性: a row of types.csv. `eras`: for a type with era dates, oldest first.

    date_format: the form of a day or a month (`date_forms`), number_format: that of a number (`number_forms`); each blank
    for a type that has none. blanks: what stands for no value, the first one is written (`interfaces.blanks`).
    """

    id: str
    pattern: str
    date_format: str
    padding: Padding
    description: str
    number_format: str = ""
    blanks: tuple[str, ...] = ()
    eras: tuple[Era, ...] = ()

    @property
    def expression(self) -> str:
        """The pattern of a whole value, as polars takes it."""
        return f"^(?:{self.pattern})$"

    @property
    def stray(self) -> str | None:
        """A pattern that matches one character, no digit, that no value of the type may contain; None if any may."""
        pieces = [found[1] or re.escape(found[2] or "") for found in _OF_CHARACTERS.finditer(self.pattern)]
        return None if r"\." in pieces else f"([^{''.join(pieces)}\\p{{Nd}}])"

    @property
    def is_date(self) -> bool:
        """Whether its values are days."""
        return self.date.has_day

    @property
    def is_month(self) -> bool:
        """Whether its values are months."""
        return bool(self.date_format) and not self.is_date

    @property
    def date(self) -> DateForm:
        return date_form(self.date_format)

    @property
    def number(self) -> NumberForm | None:
        """The form of its numbers; None for a type without one, whose digits are whole numbers as they stand."""
        return number_form(self.number_format) if self.number_format else None


@dataclass(frozen=True)
class Code:
    """One value of a code table, [start, end). `meaning` is the stable word that the program uses for it.

    is_sent: 送付, the one of several codes of one meaning that is written. parent: 上位コード, whose meaning a code without
    one of its own has. width: 桁数, how many characters the code must have; None where the table does not say.
    """

    value: str
    name: str
    meaning: str
    start: dt.date
    end: dt.date | None
    source: str
    is_sent: bool = False
    parent: str = ""
    width: int | None = None

    def in_force(self, on: dt.date) -> bool:
        return self.start <= on and (self.end is None or on < self.end)


@dataclass(frozen=True)
class Sensitivity:
    """秘匿区分: how a value is shown to people. `mask`: all | first1 | last3 | none."""

    id: str
    mask: Mask
    description: str


@dataclass(frozen=True)
class Item:
    """One row of an item table. `length` is in bytes of the file's encoding; `start` (1-based byte) for fixed length.

    official_number: 項番 as the document prints it (`2-1`), empty where it is `number`. own_heading: the file's heading
    where it is not the official name. is_kept: False for an item that is read and validated, and stored nowhere.
    value_from: where the value of an outgoing item comes from; None for the item of the same id. own_blanks: 空の値 of the
    item itself.
    """

    number: int
    name: str
    id: str
    type: ItemType
    start: int | None
    length: int
    required: str
    code_table: str
    rules: tuple[Call, ...]
    normalise: tuple[Call, ...]
    sensitivity: Sensitivity
    source: str
    official_number: str = ""
    own_heading: str = ""
    is_kept: bool = True
    value_from: Call | None = None
    own_blanks: tuple[str, ...] = ()

    @property
    def blanks(self) -> tuple[str, ...]:
        """What stands for no value: the item's own, else its type's."""
        return self.own_blanks or self.type.blanks

    @property
    def heading(self) -> str:
        """The item's heading in a file with headings."""
        return "" if self.own_heading == NO_HEADING else self.own_heading or self.name

    @property
    def shown_number(self) -> str:
        """項番 for people."""
        return self.official_number or str(self.number)

    def rule(self, name: str) -> Call | None:
        """The item's rule of that name, if it has one."""
        return next((call for call in self.rules if call.name == name), None)

    @property
    def constant(self) -> str | None:
        call = self.rule("constant")
        return call.arguments[0] if call and call.arguments else None

    @property
    def period_end_inclusive(self) -> bool:
        """True when the file contains the last day itself; within the program a period ends the day after (half-open)."""
        return self.rule("inclusive_end") is not None


@dataclass(frozen=True)
class Record:
    """A record kind with its items, in file order."""

    kind: str
    occurrence: Occurrence
    key: tuple[str, ...]
    items: tuple[Item, ...]
    parent: str | None = None
    marks: tuple[str, ...] = ()
    mixed: str | None = None

    @cached_property
    def marked_items(self) -> tuple[Item, ...]:
        """The items whose constants together tell the kind."""
        return tuple(self.by_id[name] for name in self.marks) if self.marks else self.items[:1]

    @property
    def mark(self) -> str:
        """The constants that tell the kind, for people: `2-7131-01`."""
        return "-".join(str(item.constant) for item in self.marked_items)

    @cached_property
    def by_id(self) -> dict[str, Item]:
        return {item.id: item for item in self.items}

    @property
    def item_ids(self) -> list[str]:
        return [item.id for item in self.items]

    @property
    def record_length(self) -> int:
        """Bytes of one fixed-length record without its line end."""
        return sum(item.length for item in self.items)


@dataclass(frozen=True)
class Specification:
    """One version of one interface, complete."""

    layout: FileLayout
    records: tuple[Record, ...]
    codes: dict[str, tuple[Code, ...]]
    dates: Dates
    root: Path

    @property
    def id(self) -> str:
        return self.layout.id

    @property
    def version(self) -> str:
        return self.layout.effective_from.isoformat()

    @property
    def format(self) -> Format:
        return self.layout.format

    @cached_property
    def by_kind(self) -> dict[str, Record]:
        return {record.kind: record for record in self.records}

    @property
    def data(self) -> Record:
        """The record kind that the file is about: the one that file.toml names, or the one that repeats."""
        if self.layout.data is not None:
            return self.by_kind[self.layout.data]
        return next(record for record in self.records if record.occurrence == "many")

    @property
    def is_flat(self) -> bool:
        """Whether one kind repeats and the others stand once around it, each recognised by its first item: what can be written."""
        around = [record for record in self.records if record is not self.data]
        return all(record.parent is None and not record.marks for record in self.records) and all(
            record.occurrence == "one" for record in around
        )

    def characters(self, item: Item) -> int:
        """How many ASCII characters fit into the item, whose length is in bytes."""
        return item.length // self.format.unit

    def codes_on(self, table: str, on: dt.date) -> tuple[Code, ...]:
        """The codes of a table that are in force on a date."""
        return tuple(code for code in self.codes[table] if code.in_force(on))

    def written_codes(self, table: str, on: dt.date) -> dict[str, str]:
        """meaning -> the code that is written for it: the one marked 送付, else the one that stands below no other."""
        ordered = sorted(self.codes_on(table, on), key=lambda code: (code.is_sent, not code.parent))
        return {code.meaning: code.value for code in ordered}
