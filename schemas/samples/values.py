"""A sound value of an item, as the specification wants it: synthetic, visible as such, the same every time. Raw text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from interfaces.spec import Item, Record, Specification
from interfaces.values import format_date, from_canonical
from schemas.compile import compile_record
from schemas.rules.registry import FileContext

# The municipality of the samples: codes with sound check digits that no municipality has.
MUNICIPALITY, INSURER, PREFECTURE, OTHER_MUNICIPALITY = "999997", "990010", "99", "999989"
# Texts that say that they are synthetic, in every kind of character; the first one that a type allows is taken.
_TEXTS: Final = (
    "合成データ",
    "合成",
    "ゴウセイデータ",
    "ゴウセイ",
    "ｺﾞｳｾｲ",
    "GOUSEI",
    "SAMPLE",
    "合",
    "ア",
    "A",
    "1",
    "0",
)
_ALONE: Final = "insured_head"  # a household of one person is sound only if that person is its head
_STEM: Final = "9" * 15


@dataclass(frozen=True)
class Setting:
    """For which day and under which name a sample is made, and by whom."""

    specification: Specification
    on: dt.date
    file_name: str
    fields: Mapping[str, str]

    @property
    def context(self) -> FileContext:
        """What the sample is validated against."""
        return FileContext(MUNICIPALITY, INSURER, PREFECTURE, self.on, self.file_name)

    def written(self, item: Item, value: object) -> str:
        """A canonical value of an item as its file has it."""
        record = Record("data", "many", (), (item,))
        frame = pl.DataFrame({item.id: [value]}, schema={item.id: pl.Date() if item.type.is_date else pl.String()})
        return str(from_canonical(frame, record, self.specification, self.on)[item.id].item())

    def day(self, item: Item, day: dt.date) -> str:
        """A day, or its month, as the item's type writes it."""
        return str(pl.select(format_date(pl.lit(day), item.type)).item())


def sound_values(setting: Setting, record: Record) -> dict[str, str]:
    """For each item the first candidate that breaks no rule of the item itself; the first of all if each breaks one."""
    compiled = compile_record(setting.specification, record, setting.on, setting.context)
    alone = [rule for rule in compiled.cross_item_rules if not rule.reads]
    found = {}
    for item in record.items:
        candidates = list(dict.fromkeys(_candidates(setting, item)))
        rules = [*compiled.item_rules.get(item.id, ()), *(rule for rule in alone if rule.item == item.id)]
        columns = {name: candidates if name == item.id else [""] * len(candidates) for name in record.item_ids}
        table = pl.DataFrame(columns | {"line": list(range(1, len(candidates) + 1))})
        sound = table.select(pl.all_horizontal(True, *(rule.sound.fill_null(True) for rule in rules)).alias("sound"))
        first = next(
            (candidate for candidate, is_sound in zip(candidates, sound["sound"], strict=True) if is_sound), None
        )
        found[item.id] = candidates[0] if first is None else first
    return found


def _candidates(setting: Setting, item: Item) -> Iterator[str]:
    specification = setting.specification
    known = _of_rules(setting, item)
    if known is not None:
        yield known
        return
    if item.code_table:
        codes = specification.codes_on(item.code_table, setting.on)
        yield from (code.value for code in sorted(codes, key=lambda code: code.meaning != _ALONE))
        return
    if item.type.date_format:
        limits = specification.dates.ranges.get(item.id)
        earliest, latest = (limits.earliest, limits.latest.after(setting.on)) if limits else (setting.on, setting.on)
        yield setting.day(item, min(max(setting.on, earliest), latest))
        return
    length = specification.characters(item)
    if call := item.rule("digits"):
        yield "1".zfill(int(call.arguments[0]))
    if call := item.rule("between"):
        yield setting.written(item, call.arguments[0])
    if item.type.number is not None:
        yield setting.written(item, "1")
    for digits in dict.fromkeys((length, 12, 8, 6, 11)):
        if digits <= min(length, len(_STEM)) and any(call.name.endswith("_check_digit") for call in item.rules):
            yield from (f"{_STEM[: digits - 1]}{last}" for last in range(10))
    for text in _TEXTS:
        yield text[: max(1, length)]


def _of_rules(setting: Setting, item: Item) -> str | None:
    """What a rule says alone."""
    named = item.rule("same_as_file_name")
    if item.constant is not None:
        return item.constant
    if named is not None and not item.type.date_format:
        return setting.fields[named.arguments[0]]
    own = {"own_municipality": MUNICIPALITY, "own_insurer": INSURER, "own_prefecture": PREFECTURE}
    found = next((own[call.name] for call in item.rules if call.name in own), None)
    if found is None or len(found) <= setting.specification.characters(item):
        return found
    return None
