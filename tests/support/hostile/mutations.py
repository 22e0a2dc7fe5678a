"""What breaks a rule, and which code must answer: vectors, by the name of the rule. The data say which items have it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from fixtures.prefecture import MUNICIPALITIES
from interfaces.spec import Item, Record
from tests.support.hostile.sound import Sound

OTHERS = MUNICIPALITIES[2]
DATES = {"年月日": "%Y%m%d", "年月日-": "%Y-%m-%d", "年月": "%Y%m", "年月-": "%Y-%m"}
# Characters that a type does not allow; 文字 allows all that a line can contain.
WRONG_CHARACTERS = {
    "数字": "x",
    "金額": "1x",
    "英数": "あ",
    "漢字": "abc",
    "カナ": "漢字",
    "年月日": "2026-4-1",
    "年月日-": "20260401",
    "年月": "2026-4",
    "年月-": "202604",
}
NO_SUCH_DAY = {"年月日": "20230229", "年月日-": "2023-02-29", "年月": "202613", "年月-": "2026-13"}
# A date is as long as its form: what is longer has the wrong characters.
FILLERS = {"数字": "9", "金額": "9", "英数": "A", "漢字": "合", "カナ": "ア", "文字": "合"}


@dataclass(frozen=True)
class Place:
    """An item in one record of a sound file, by its line."""

    sound: Sound
    record: Record
    item: Item
    line: int

    @property
    def column(self) -> int:
        return self.record.item_ids.index(self.item.id)

    @property
    def value(self) -> str:
        return self.sound.lines[self.line][1][self.column]

    def other(self, item: str) -> str:
        """What another item of the record contains."""
        return self.sound.lines[self.line][1][self.record.item_ids.index(item)]

    def dated(self, day: dt.date) -> str:
        return day.strftime(DATES[self.item.type.id])


# (where, the rule's arguments) -> a value that breaks the rule there, None where no value can.
Breaking = Callable[[Place, tuple[str, ...]], "str | None"]


def _blank(place: Place, _: tuple[str, ...]) -> str | None:
    words = place.item.required
    if words == "必須":
        return ""
    if not words.startswith("条件 ") or not place.value:
        return None
    other, *values = words.removeprefix("条件 ").split("=")
    present = place.other(other)
    return "" if (present in values[0].split("|") if values else present) else None


def _too_long(place: Place, _: tuple[str, ...]) -> str | None:
    filler = FILLERS.get(place.item.type.id)
    if filler is None:
        return None
    wide = len(filler.encode(place.sound.specification.format.encoding))
    return filler * (place.item.length // wide + 1)


def _other_code(place: Place, _: tuple[str, ...]) -> str | None:
    """A value of the form of the codes that is none of them; None when every value of that form is one."""
    if not place.item.code_table:
        return None
    codes = {code.value for code in place.sound.specification.codes_on(place.item.code_table, place.sound.on)}
    shapes = ("".join(digits) for digits in product("9876543210", repeat=max(map(len, codes))))
    return next((shape for shape in shapes if shape not in codes), None)


def _wrong_last_digit(place: Place, _: tuple[str, ...]) -> str | None:
    return place.value[:-1] + str((int(place.value[-1]) + 1) % 10) if place.value else None


def _before_the_other(place: Place, arguments: tuple[str, ...]) -> str | None:
    if not place.other(arguments[0]):
        return None
    other = dt.datetime.strptime(place.other(arguments[0]), DATES[place.item.type.id]).date()
    return place.dated(other - dt.timedelta(days=1))


def _without_the_other(place: Place, arguments: tuple[str, ...]) -> str | None:
    if place.other(arguments[0]):
        return None
    codes = place.sound.specification.codes_on(place.item.code_table, place.sound.on)
    return codes[0].value


def _not_in_the_name(place: Place, _: tuple[str, ...]) -> str:
    if place.item.type.id in DATES:
        return place.dated(dt.date(2025, 1, 1))
    others = {"municipality_code": OTHERS.code, "insurer_number": OTHERS.insurer_number}
    return others.get(place.item.id, "7" * place.item.length)


def _before_the_month(place: Place, arguments: tuple[str, ...]) -> str:
    year, month = map(int, arguments[0].split("-"))
    return place.dated(dt.date(year, month, 1) - dt.timedelta(days=1))


def _is_pinned(item: Item) -> bool:
    """Whether the file's day says what the item must contain: another day is another file's."""
    return any(call.name in ("partition_date", "in_partition_month") for call in item.rules)


def _too_early(place: Place, _: tuple[str, ...]) -> str | None:
    known = place.sound.specification.dates.ranges.get(place.item.id)
    if known is None or _is_pinned(place.item):
        return None
    return place.dated(known.earliest - dt.timedelta(days=1))


def _too_late(place: Place, _: tuple[str, ...]) -> str | None:
    known = place.sound.specification.dates.ranges.get(place.item.id)
    if known is None or _is_pinned(place.item) or place.item.rule("not_after_partition_month"):
        return None
    last = place.sound.on.replace(year=place.sound.on.year + known.latest.years)
    return place.dated(last + dt.timedelta(days=1 if place.item.type.is_date else 32))


def _sentinel(place: Place, _: tuple[str, ...]) -> str | None:
    return (
        {"年月日": "99991231", "年月日-": "9999-12-31"}.get(place.item.type.id)
        if place.item.required == "必須"
        else None
    )


# Rules that an item has by its row of the table.
BY_ROW: Mapping[str, tuple[str, Breaking]] = {
    "required": ("KR-2001", _blank),
    "characters": ("KR-2003", lambda place, _: WRONG_CHARACTERS.get(place.item.type.id)),
    "length": ("KR-2002", _too_long),
    "real_date": ("KR-2004", lambda place, _: NO_SUCH_DAY.get(place.item.type.id)),
    "in_code_table": ("KR-2006", _other_code),
    "no_sentinel": ("KR-2052", _sentinel),
    "earliest": ("KR-2051", _too_early),
    "latest": ("KR-3005", _too_late),
}
# Rules that an item names.
NAMED: Mapping[str, tuple[str, Breaking]] = {
    "digits": ("KR-2007", lambda place, n: "9" * (int(n[0]) - 1)),
    "my_number_check_digit": ("KR-2011", _wrong_last_digit),
    "municipality_check_digit": ("KR-2012", _wrong_last_digit),
    "insurer_check_digit": ("KR-2013", _wrong_last_digit),
    "blank_my_number": ("KR-2015", lambda place, _: ""),
    "between": ("KR-2017", lambda place, border: str(int(border[1]) + 1).zfill(place.item.length)),
    "whole_number": ("KR-2018", lambda place, _: "-1"),
    "constant": ("KR-3001", lambda place, always: next(c for c in "98" if c not in always[0]) * len(always[0])),
    "record_sequence": ("KR-3002", lambda place, _: str(place.line + 5).zfill(place.item.length)),
    "not_before": ("KR-3003", _before_the_other),
    "not_far_ahead": ("KR-5007", lambda place, days: place.dated(place.sound.on + dt.timedelta(days=int(days[0]) + 1))),
    "only_with": ("KR-3006", _without_the_other),
    "not_before_month": ("KR-3007", _before_the_month),
    "not_after_partition_month": ("KR-3008", lambda place, _: place.dated(dt.date(2026, 5, 1))),
    "data_record_count": ("KR-4001", lambda place, _: str(len(place.sound.lines) + 7).zfill(place.item.length)),
    "own_municipality": ("KR-4002", lambda place, _: OTHERS.code),
    "own_insurer": ("KR-4003", lambda place, _: OTHERS.insurer_number),
    "own_prefecture": ("KR-4005", lambda place, _: "13"),
    "partition_date": ("KR-4006", lambda place, _: place.dated(dt.date(2026, 3, 3))),
    "same_as_file_name": ("KR-4007", _not_in_the_name),
    "in_partition_month": ("KR-4008", lambda place, _: place.dated(dt.date(2026, 3, 3))),
}
# A file under another day's or municipality's name breaks an earlier rule, too, when the day and ourselves are known.
SEEN_BY_NAME_ALONE = "same_as_file_name"


@dataclass(frozen=True)
class Mutant:
    """One rule of one item, and every record (by line) in which a value breaks it."""

    record: Record
    item: Item
    rule: str
    code: str
    values: Mapping[int, str]


def mutants(sound: Sound) -> Iterator[Mutant]:
    """Every mutant of one interface: one for each rule of each item of each record kind that some record can break."""
    for record in sound.specification.records:
        lines = [line for line, (kind, _) in sound.lines.items() if kind == record.kind]
        # The kind of a record is read from its first item before any rule: another value makes another record of it.
        for item in (item for item in record.items if item.id != "record_kind"):
            calls: list[tuple[str, str, Breaking, tuple[str, ...]]] = []
            calls += [(name, *BY_ROW[name], ()) for name in BY_ROW]
            calls += [(call.name, *NAMED[call.name], call.arguments) for call in item.rules]
            for name, code, breaking, arguments in calls:
                found = {line: breaking(Place(sound, record, item, line), arguments) for line in lines}
                values = {line: value for line, value in found.items() if value is not None}
                if values:
                    yield Mutant(record, item, name, code, values)
