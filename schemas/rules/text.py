"""Rules that every item has by its row: required, characters, length, existing date, code in force; and digits(n)."""

from __future__ import annotations

import datetime as dt
import re
from itertools import zip_longest

import polars as pl

from interfaces.characters import byte_length
from interfaces.spec import Item
from interfaces.values import first_day, parse_date
from schemas.rules.registry import Place, Test, rule

_MOST_NAMED = 10  # values of a code table in one sentence


def required(place: Place) -> Test | None:
    """必須 / 条件 item / 条件 item=v1|v2. A value of nothing but spaces, narrow or wide, is none."""
    words = place.item.required
    if words == "任意":
        return None
    sound = place.value.str.strip_chars() != ""
    expected = "値"
    reads: tuple[str, ...] = ()
    if words.startswith("条件 "):
        other, _, values = words.removeprefix("条件 ").partition("=")
        wanted = place.other(other).is_in(values.split("|")) if values else place.other(other) != ""
        sound, reads = sound | ~wanted, (other,)
        expected = f"{place.record.by_id[other].name}{'が' + values if values else ''}のとき値"
    return Test(place.item.id, "required", "KR-2001", expected, sound, reads)


def characters(place: Place) -> Test:
    """The characters and form of the type (types.csv)."""
    kind = place.item.type
    return Test(place.item.id, "characters", "KR-2003", kind.id, place.value.str.contains(kind.expression))


def length(place: Place) -> Test:
    """At most so many bytes in the file's encoding (domain.md 1.3: quotes are not counted)."""
    encoding, limit = place.specification.format.encoding, place.item.length
    sound = byte_length(place.value, encoding) <= limit
    if _only_ascii(place.item) and encoding != "shift_jis_2004":  # It has \ and ~ in two bytes.
        sound = place.value.str.len_bytes() * place.specification.format.unit <= limit
    return Test(place.item.id, "length", "KR-2002", f"{limit}バイト以内", sound)


def _only_ascii(item: Item) -> bool:
    """Whether the type lets only ASCII through, so that bytes are counted without looking at characters."""
    return not re.search(r"[^\x00-\x7F]|\^|\\u", item.type.pattern)


def real_date(place: Place) -> list[Test]:
    """The day exists; an era date lies within its era (domain.md 2.2)."""
    kind = place.item.type.date_format
    if not place.item.type.is_date:
        if kind in ("YYYYMM", "YYYY-MM"):
            month = place.value.str.slice(-2)
            return [
                Test(
                    place.item.id,
                    "real_date",
                    "KR-2004",
                    "実在する年月",
                    month.is_in([f"{m:02d}" for m in range(1, 13)]),
                )
            ]
        return []
    date = parse_date(place.value, place.item.type)
    # 0000-01-01 is a day to the parser, but no calendar has it.
    tests = [Test(place.item.id, "real_date", "KR-2004", "実在する日付", date >= dt.date.min)]
    if kind == "GYYMMDD":
        era = place.value.str.slice(0, 1)
        eras = place.item.type.eras
        begins = {one.digit: one.start for one in eras}
        starts = era.replace_strict(begins, default=None, return_dtype=pl.Date)
        following = {one.digit: after.start if after else None for one, after in zip_longest(eras, eras[1:])}
        ends = era.replace_strict(following, default=None, return_dtype=pl.Date)
        within = (date >= starts) & (ends.is_null() | (date < ends))
        tests.append(Test(place.item.id, "era", "KR-2005", "元号の期間の中の日付", within))
    return tests


def no_sentinel(place: Place) -> list[Test]:
    """None of the values that stand in a date's place and are no date (sentinels.csv)."""
    if not place.item.type.is_date:
        return []
    digits = place.value.str.replace_all("-", "", literal=True)
    sound = ~digits.is_in([one.digits for one in place.specification.dates.sentinels])
    return [Test(place.item.id, "no_sentinel", "KR-2052", "実際の日付", sound)]


def in_range(place: Place) -> list[Test]:
    """Within the days that dates.csv gives the item; the last one counts from the day that the file is for."""
    known = place.specification.dates.ranges.get(place.item.id)
    if known is None or not place.item.type.date_format:
        return []
    written = "%Y-%m-%d" if place.item.type.is_date else "%Y-%m"
    day, latest = first_day(place.value, place.item.type), known.latest.after(place.on)
    return [
        Test(place.item.id, "earliest", "KR-2051", f"{known.earliest:{written}}以後", day >= known.earliest),
        Test(place.item.id, "latest", "KR-3005", f"{latest:{written}}以前", day <= latest),
    ]


def in_code_table(place: Place) -> Test | None:
    """A code of the item's table that is in force on the file's day."""
    table = place.item.code_table
    if not table:
        return None
    codes = {code.value: code.name for code in place.specification.codes_on(table, place.on)}
    return Test(place.item.id, "in_code_table", "KR-2006", _named(codes), place.value.is_in(list(codes)))


def _named(codes: dict[str, str]) -> str:
    """The values of a code table with their names; of a long one the first."""
    first = [f"{value} {name}" for value, name in codes.items()][:_MOST_NAMED]
    rest = len(codes) - len(first)
    return "・".join(first) + (f"・ほか{rest}件" if rest else "")


@rule("digits", "KR-2007", arguments=("count",))
def digits(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Exactly n letters or digits."""
    return place.value.str.contains(f"^[0-9A-Za-z]{{{int(arguments[0])}}}$"), f"{arguments[0]}桁"
