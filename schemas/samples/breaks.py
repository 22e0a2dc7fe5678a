"""Every way to break one rule of one item, or the order and number of records, of a sound sample, and what must be found then.

Which code is expected, and where, comes from the specification and the registry of rules; no file is judged here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from interfaces.spec import Call, Item
from interfaces.values import parse_date
from schemas.rules import registered_rules
from schemas.samples.files import Row, SampleFile, composed, with_totals
from schemas.samples.values import OTHER_MUNICIPALITY

MISSING, TOO_LONG, WRONG_CHARACTERS, NO_SUCH_DAY, UNKNOWN_CODE = "KR-2001", "KR-2002", "KR-2003", "KR-2004", "KR-2006"
TOO_EARLY, TOO_LATE = "KR-2051", "KR-3005"
EMPTY_FILE, NUL, NO_LINE_END, NO_FIRST, NO_LAST, TWICE, COLUMNS, NO_KIND = (
    "KR-1001",
    "KR-1014",
    "KR-1019",
    "KR-1002",
    "KR-1004",
    "KR-3004",
    "KR-1012",
    "KR-1015",
)
_CONDITION: Final = re.compile(r"必須|条件 ([^\s=]+)(?:=([^=]+))?")
_STRANGE: Final = ("ａ", "あ", "ｱ", "A", "#")  # the first one that a type refuses


@dataclass(frozen=True, order=True)
class Expected:
    """A finding: its code, and the line and item that it names; of a whole file neither."""

    code: str
    line: int | None = None
    item: str | None = None


@dataclass(frozen=True)
class Break:
    """A broken file. what: in Japanese; rule: the rule, or the column of the item table, that is broken."""

    item: str
    rule: str
    what: str
    content: bytes
    expected: tuple[Expected, ...]
    record: str = ""


def breaks(sound: SampleFile) -> Iterator[Break]:
    """All of them, item by item in the order of the file, then those of the whole file."""
    for place, row in enumerate(sound.rows):
        marks = {item.id for item in row.record.marked_items} if len(sound.setting.specification.records) > 1 else set()
        for item in row.record.items:
            if item.id not in marks and not _is_in_a_total(sound, row, item):
                yield from _OfItem(sound, place, item).breaks()
    yield from _of_file(sound)


@dataclass(frozen=True)
class _OfItem:
    """The breaks of one item of one record."""

    sound: SampleFile
    place: int
    item: Item

    @property
    def row(self) -> Row:
        return self.sound.rows[self.place]

    @property
    def value(self) -> str:
        return self.row.values[self.item.id]

    def breaks(self) -> Iterator[Break]:
        yield from self._required()
        if self.value:
            yield from self._characters()
            yield from self._length()
            yield from self._dates()
            yield from self._codes()
            for call in self.item.rules:
                yield from self._rule(call)

    def _made(self, rule: str, what: str, code: str, value: str, **others: str) -> Break:
        """The sample with another value of the item (and of others), and numbers that are right again."""
        rows = list(self.sound.rows)
        rows[self.place] = replace(self.row, values=self.row.values | others | {self.item.id: value})
        setting = self.sound.setting
        content = composed(rows, setting.specification, setting.file_name)
        line = self.place + self.sound.first_line
        record = setting.specification.format.delimiter.join(rows[self.place].values.values())
        name = f"{self.item.name}（{self.row.record.kind}）"
        return Break(name, rule, what, content, (Expected(code, line, self.item.id),), record)

    def _required(self) -> Iterator[Break]:
        condition = _CONDITION.fullmatch(self.item.required)
        if condition is None or not self.value:
            return
        others = {condition[1]: condition[2].split("|")[0]} if condition[2] else {}
        if not condition[1] or others or self.row.values[condition[1]]:
            yield self._made(self.item.required, "空", MISSING, "", **others)

    def _characters(self) -> Iterator[Break]:
        for strange in _STRANGE:
            if not _is_of_type(strange, self.item) and self._fits(strange):
                yield self._made(f"属性 {self.item.type.id}", "属性にない文字", WRONG_CHARACTERS, strange)
                return

    def _fits(self, text: str) -> bool:
        return len(text.encode(self.sound.setting.specification.format.encoding, "replace")) <= self.item.length

    def _length(self) -> Iterator[Break]:
        specification = self.sound.setting.specification
        if specification.format.kind == "fixed" or self.item.type.date_format:
            return
        last = self.value[-1]
        longer = last * (self.item.length // len(last.encode(specification.format.encoding)) + 1)
        if _is_of_type(longer, self.item):
            yield self._made(f"{self.item.length}バイト", "長すぎる値", TOO_LONG, longer)

    def _dates(self) -> Iterator[Break]:
        if not self.item.type.date_format:
            return
        impossible = self.value[:-2] + "99" if self.value[-2:].isdecimal() else ""
        if impossible and _is_of_type(impossible, self.item):
            yield self._made("暦", "暦にない日付", NO_SUCH_DAY, impossible)
        setting = self.sound.setting
        limits = setting.specification.dates.ranges.get(self.item.id)
        of_file = any(registered_rules()[call.name].scope == "file" for call in self.item.rules)
        if limits is None or not self.item.type.is_date or of_file:
            return  # a rule of the whole file is asked before the range
        early = limits.earliest - dt.timedelta(days=1)
        late = limits.latest.after(setting.on) + dt.timedelta(days=1)
        for day, code, what in ((early, TOO_EARLY, "早すぎる日付"), (late, TOO_LATE, "遅すぎる日付")):
            yield self._made("日付の範囲", what, code, setting.day(self.item, day))

    def _codes(self) -> Iterator[Break]:
        if not self.item.code_table:
            return
        known = {code.value for code in self.sound.setting.specification.codes[self.item.code_table]}
        width = len(self.value)
        candidates = (character * width for character in "9876543210ZYX")
        unknown = next((text for text in candidates if text not in known and _is_of_type(text, self.item)), None)
        if unknown is not None:
            yield self._made(f"コード表 {self.item.code_table}", "表にないコード", UNKNOWN_CODE, unknown)

    def _rule(self, call: Call) -> Iterator[Break]:
        rule = registered_rules()[call.name]
        make = _BREAKERS.get(call.name)
        if make is None:
            return
        for value in make(self, call):
            if value != self.value and _is_of_type(value, self.item) and self._fits(value):
                yield self._made(str(call), "規則に合わない値", rule.code, value)
                return


def _is_in_a_total(sound: SampleFile, row: Row, item: Item) -> bool:
    """Whether another item must equal it or contains it in a sum: both would be found."""
    named = f"{row.record.kind}.{item.id}"
    calls = (call for record in sound.setting.specification.records for other in record.items for call in other.rules)
    return any(call.name in ("sum_of", "equal_to") and named in call.arguments for call in calls)


def _is_of_type(text: str, item: Item) -> bool:
    """Whether the type's pattern allows a text."""
    return bool(pl.select(pl.lit(text).str.contains(item.type.expression)).item())


def _other_digit(text: str) -> str:
    return text[:-1] + str((int(text[-1]) + 1) % 10) if text[-1:].isdecimal() else ""


def _constant(of: _OfItem, _: Call) -> Iterator[str]:
    yield from (character * len(of.value) for character in "987ZYX")


def _digits(of: _OfItem, _: Call) -> Iterator[str]:
    if len(of.value) > 1 and of.sound.setting.specification.format.kind == "csv":  # a place is filled up
        yield of.value[:-1]


def _checked(of: _OfItem, _: Call) -> Iterator[str]:
    yield _other_digit(of.value)


def _above(of: _OfItem, call: Call) -> Iterator[str]:
    yield of.sound.setting.written(of.item, str(int(call.arguments[1]) + 1))


def _negative(of: _OfItem, _: Call) -> Iterator[str]:
    yield of.sound.setting.written(of.item, "-1")


def _one_more(of: _OfItem, _: Call) -> Iterator[str]:
    if of.value.isdecimal():
        yield str(int(of.value) + 1).zfill(len(of.value))


def _day(of: _OfItem, name: str) -> dt.date | None:
    item = of.row.record.by_id[name]
    found: dt.date | None = pl.select(parse_date(pl.lit(of.row.values[name]), item.type)).item()
    return found


def _before(of: _OfItem, call: Call) -> Iterator[str]:
    other = _day(of, call.arguments[0])
    if other is not None:
        yield of.sound.setting.day(of.item, other - dt.timedelta(days=1))


def _far_ahead(of: _OfItem, call: Call) -> Iterator[str]:
    setting = of.sound.setting
    yield setting.day(of.item, setting.on + dt.timedelta(days=int(call.arguments[0]) + 1))


def _next_day(of: _OfItem, _: Call) -> Iterator[str]:
    setting = of.sound.setting
    yield setting.day(of.item, setting.on - dt.timedelta(days=1))


def _another_municipality(_: _OfItem, __: Call) -> Iterator[str]:
    yield OTHER_MUNICIPALITY


# How a value breaks a rule. A rule that is not here is named by `unbroken`.
_BREAKERS: Final[dict[str, Callable[[_OfItem, Call], Iterator[str]]]] = {
    "constant": _constant,
    "digits": _digits,
    "my_number_check_digit": _checked,
    "municipality_check_digit": _checked,
    "insurer_check_digit": _checked,
    "between": _above,
    "whole_number": _negative,
    "record_sequence": _one_more,
    "data_record_count": _one_more,
    "count_of": _one_more,
    "sum_of": _one_more,
    "equal_to": _one_more,
    "not_before": _before,
    "not_far_ahead": _far_ahead,
    "partition_date": _next_day,
    "own_municipality": _another_municipality,
}


def unbroken(sound: SampleFile, made: Sequence[Break]) -> list[str]:
    """The rules of the specification that no break is about: they need a second file, or nothing breaks them alone."""
    told = {(broken.item, broken.rule) for broken in made}
    return sorted(
        {
            f"{item.name}（{row.record.kind}）: {call}"
            for row in sound.rows
            for item in row.record.items
            for call in item.rules
            if registered_rules()[call.name].code and (f"{item.name}（{row.record.kind}）", str(call)) not in told
        }
    )


def _of_file(sound: SampleFile) -> Iterator[Break]:
    specification, name = sound.setting.specification, sound.setting.file_name
    form = specification.format

    def whole(what: str, content: bytes, expected: Expected) -> Break:
        return Break("（ファイル）", expected.code, what, content, (expected,))

    if form.wrapped_in:
        return
    yield whole("0バイト", b"", Expected(EMPTY_FILE))
    content = sound.content
    if form.line_end != "none":
        end = len(form.line_end_text.encode(form.encoding)) + len(form.end_of_file) // 2
        if not form.end_of_file:
            last = len(sound.rows) + sound.first_line - 1
            yield whole("最後の行に行末がない", content[:-end], Expected(NO_LINE_END, last))
    first, last_row = sound.rows[0], sound.rows[-1]
    if first.record.occurrence == "one" and first.record is not specification.data and len(sound.rows) > 1:
        rows = with_totals(sound.rows[1:], specification)
        yield whole("先頭のレコードがない", composed(rows, specification, name), Expected(NO_FIRST))
    stands_alone = last_row.record.parent is None
    if (
        stands_alone
        and last_row.record.occurrence == "one"
        and last_row.record is not specification.data
        and len(sound.rows) > 1
    ):
        rows = with_totals(sound.rows[:-1], specification)
        yield whole("最後のレコードがない", composed(rows, specification, name), Expected(NO_LAST))
    yield from _twice(sound)


def _twice(sound: SampleFile) -> Iterator[Break]:
    """The data record a second time, where it has a key and repeats alone."""
    specification = sound.setting.specification
    record = specification.data
    if not record.key or not specification.is_flat:
        return
    place = next(number for number, row in enumerate(sound.rows) if row.record is record)
    rows = with_totals([*sound.rows[: place + 1], sound.rows[place], *sound.rows[place + 1 :]], specification)
    line = place + 1 + sound.first_line
    content = composed(rows, specification, sound.setting.file_name)
    both = tuple(Expected(TWICE, number, record.key[0]) for number in (line - 1, line))
    yield Break("（ファイル）", "key", "同じキーのレコードが二つ", content, both)
