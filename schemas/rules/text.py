"""Rules that every item has by its row: required, characters, length, existing date, code in force; and digits(n)."""

from __future__ import annotations

import datetime as dt
import re

import polars as pl

from interfaces.characters import byte_length
from interfaces.date_forms import within_era
from interfaces.spec import Item
from interfaces.values import digits_only, first_day
from schemas.rules.registry import BoundRule, RuleContext, rule

_MOST_NAMED = 10  # values of a code table in one sentence


def required(context: RuleContext) -> BoundRule | None:
    """必須 / 条件 item / 条件 item=v1|v2. A value that consists of spaces, half-width or full-width, counts as missing."""
    words = context.item.required
    if words == "任意":
        return None
    sound = context.value.str.strip_chars() != ""
    expected = "入力が必要"
    reads: tuple[str, ...] = ()
    if words.startswith("条件 "):
        other, _, values = words.removeprefix("条件 ").partition("=")
        wanted = context.other(other).is_in(values.split("|")) if values else context.other(other) != ""
        sound, reads = sound | ~wanted, (other,)
        expected = f"{context.record.by_id[other].name}が{values or '入力されている'}ときは入力が必要"
    return BoundRule(context.item.id, "required", "KR-2001", expected, sound, reads)


def characters(context: RuleContext) -> BoundRule:
    """The characters and form of the type (types.csv)."""
    kind = context.item.type
    return BoundRule(context.item.id, "characters", "KR-2003", kind.id, context.value.str.contains(kind.expression))


def length(context: RuleContext) -> BoundRule:
    """At most n bytes in the file's encoding (docs/sources.md 1.3: quotes are not counted)."""
    encoding, limit = context.specification.format.encoding, context.item.length
    sound = byte_length(context.value, encoding) <= limit
    if _only_ascii(context.item) and encoding != "shift_jis_2004":  # It has \ and ~ in two bytes.
        sound = context.value.str.len_bytes() * context.specification.format.unit <= limit
    return BoundRule(context.item.id, "length", "KR-2002", f"{limit}バイト以内", sound)


def _only_ascii(item: Item) -> bool:
    """Whether the type allows ASCII only, so that bytes can be counted without looking at characters."""
    return not re.search(r"[^\x00-\x7F]|\^|\\u", item.type.pattern)


def real_date(context: RuleContext) -> list[BoundRule]:
    """The day exists; an era date lies within its era (docs/sources.md 2.2)."""
    item, kind = context.item, context.item.type
    if not kind.date_format:
        return []
    if kind.date_format in ("YYYYMM", "YYYY-MM"):
        exists = context.value.str.slice(-2).is_in([f"{month:02d}" for month in range(1, 13)])
    else:
        # 0000-01-01 is a day to the parser, but no calendar has it.
        exists = first_day(context.value, kind) >= dt.date.min
    what = "日付" if kind.is_date else "年月"
    tests = [BoundRule(item.id, "real_date", "KR-2004", f"実在する{what}", exists)]
    if kind.date.has_era:
        within = within_era(context.value, kind.date, kind.eras)
        tests.append(BoundRule(item.id, "era", "KR-2005", f"元号の期間の中の{what}", within))
    return tests


def number(context: RuleContext) -> list[BoundRule]:
    """A number in the form of the type (数の形式)."""
    form = context.item.type.number
    if form is None:
        return []
    sound = form.scaled(context.value).is_not_null()
    return [BoundRule(context.item.id, "number", "KR-2010", form.text, sound)]


def no_sentinel(context: RuleContext) -> list[BoundRule]:
    """None of the sentinel values (sentinels.csv)."""
    if not context.item.type.is_date:
        return []
    digits = digits_only(context.value, context.item.type)
    sound = ~digits.is_in([sentinel.digits for sentinel in context.specification.dates.sentinels])
    return [BoundRule(context.item.id, "no_sentinel", "KR-2052", "実際の日付", sound)]


def in_range(context: RuleContext) -> list[BoundRule]:
    """Within the range of dates.csv for the item; its end is relative to the day that the file is for."""
    limits = context.specification.dates.ranges.get(context.item.id)
    if limits is None or not context.item.type.date_format:
        return []
    written = "%Y-%m-%d" if context.item.type.is_date else "%Y-%m"
    day, latest = first_day(context.value, context.item.type), limits.latest.after(context.on)
    return [
        BoundRule(
            context.item.id,
            "earliest",
            "KR-2051",
            f"{limits.earliest:{written}}以後",
            day >= limits.earliest,
        ),
        BoundRule(context.item.id, "latest", "KR-3005", f"{latest:{written}}以前", day <= latest),
    ]


def in_code_table(context: RuleContext) -> BoundRule | None:
    """A code of the item's table that is in force on the file's day."""
    table = context.item.code_table
    if not table:
        return None
    codes = {code.value: code.name for code in context.specification.codes_on(table, context.on)}
    return BoundRule(context.item.id, "in_code_table", "KR-2006", _named(codes), context.value.is_in(list(codes)))


def _named(codes: dict[str, str]) -> str:
    """The values of a code table with their names; only the first ones of a long table."""
    first = [f"{value} {name}" for value, name in codes.items()][:_MOST_NAMED]
    rest = len(codes) - len(first)
    return "・".join(first) + (f"・ほか{rest}件" if rest else "")


@rule("digits", "KR-2007", arguments=("count",))
def digits(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Exactly n letters or digits."""
    return context.value.str.contains(f"^[0-9A-Za-z]{{{int(arguments[0])}}}$"), f"{arguments[0]}桁"
