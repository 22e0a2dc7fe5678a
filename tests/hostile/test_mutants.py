"""For each rule of each item of each interface, a record that breaks just it: caught at its line and item, by its code.

What breaks a rule, and which code must answer, is written here; which items have the rule is read from the specifications.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from sound import Sound, sound_files

from fixtures.prefecture import MUNICIPALITIES
from interfaces.catalogue import load_catalogue
from interfaces.spec import Item
from schemas.rules import known_rules
from schemas.validate import Context, validate

OTHERS = MUNICIPALITIES[2]
LEAST = 500
# Characters that a type does not allow; 文字 allows all that can stand in a line.
WRONG_CHARACTERS = {
    "数字": "x", "金額": "1x", "英数": "あ", "漢字": "abc", "カナ": "漢字", "年月日": "2026-4-1", "年月日-": "20260401",
    "年月": "2026-4", "年月-": "202604",
}  # fmt: skip
NO_SUCH_DAY = {"年月日": "20230229", "年月日-": "2023-02-29", "年月": "202613", "年月-": "2026-13"}
FILLERS = {"数字": "9", "金額": "9", "英数": "A", "漢字": "合", "カナ": "ア", "文字": "合"}
DATES = {"年月日": "%Y%m%d", "年月日-": "%Y-%m-%d", "年月": "%Y%m", "年月-": "%Y-%m"}
# Rules between records or files, in which a broken cell may show a second time.
BETWEEN_RECORDS = {"KR-3004", "KR-5001", "KR-5002", "KR-5003", "KR-5004", "KR-5005", "KR-5006"}
# Rules that are no mutation of one cell: a property of the layout, or broken by a file and not by a cell (test_defects).
NOT_OF_A_CELL = {"inclusive_end", "duplicate_key", "no_my_number", "resident_record_code_check_digit"}


@dataclass(frozen=True)
class Mutant:
    """One changed cell, what must be said of it, and against what the file is checked."""

    sound: Sound
    rule: str
    line: int
    column: int
    value: str
    code: str
    context: Context

    def __str__(self) -> str:
        kind, _ = self.sound.lines[self.line]
        item = self.sound.specification.by_kind[kind].items[self.column]
        return f"{self.sound.specification.id} {kind} {item.id} {self.rule}"


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sound]:
    return sound_files(tmp_path_factory.mktemp("sound"))


def day_as(item: Item, day: dt.date) -> str:
    return day.strftime(DATES[item.type.id])


def too_long(item: Item, encoding: str) -> str:
    filler = FILLERS[item.type.id]
    return filler * (item.length // len(filler.encode(encoding)) + 1)


def other_code(sound: Sound, item: Item) -> str | None:
    """A value of the item's form that its table doesn't have; None when the table has them all."""
    codes = {code.value for code in sound.specification.codes_on(item.code_table, sound.on)}
    shape = max(map(len, codes))
    return next(("".join(one) for one in product("9876543210", repeat=shape) if "".join(one) not in codes), None)


def changed_last_digit(value: str) -> str:
    return value[:-1] + str((int(value[-1]) + 1) % 10)


def no_context() -> Context:
    return Context()


def mutants_of(sound: Sound) -> Iterator[Mutant]:
    """Every mutant of one interface: one per rule of each item of each record kind."""
    for record in sound.specification.records:
        for column, item in enumerate(record.items):
            for rule, line, value, code, context in breaks(sound, record.kind, column, item):
                yield Mutant(sound, rule, line, column, value, code, context)


def breaks(sound: Sound, kind: str, column: int, item: Item) -> Iterator[tuple[str, int, str, str, Context]]:
    """(rule, line, value, code, context) for each rule of an item, where a record to break it in can be found."""
    record = sound.specification.by_kind[kind]
    names = record.item_ids
    lines = [(line, cells) for line, (its_kind, cells) in sorted(sound.lines.items()) if its_kind == kind]
    filled = [(line, cells) for line, cells in lines if cells[column]]
    usual = sound.context
    any_line = (filled or lines)[-1][0]
    # What a record is, is read from this cell before any rule: another value makes it another record, or none.
    if item.id == "record_kind":
        return
    if item.required == "必須":
        yield "required", any_line, "", "KR-2001", usual
    elif item.required.startswith("条件 "):
        other, _, values = item.required.removeprefix("条件 ").partition("=")
        at = names.index(other)
        meeting = [(line, cells) for line, cells in filled if (cells[at] in values.split("|") if values else cells[at])]
        if meeting:
            yield "required", meeting[0][0], "", "KR-2001", usual
    if item.type.id in WRONG_CHARACTERS:
        yield "characters", any_line, WRONG_CHARACTERS[item.type.id], "KR-2003", usual
    if item.type.id in NO_SUCH_DAY:
        yield "real_date", any_line, NO_SUCH_DAY[item.type.id], "KR-2004", usual
    if item.type.id in FILLERS:
        yield "length", any_line, too_long(item, sound.specification.format.encoding), "KR-2002", usual
    if item.code_table:
        value = other_code(sound, item)
        if value is not None:
            yield "in_code_table", any_line, value, "KR-2006", usual
    for call in item.rules:
        arguments = call.arguments
        if call.name == "digits":
            yield call.name, any_line, "9" * (int(arguments[0]) - 1), "KR-2007", usual
        elif call.name == "constant":
            yield (
                call.name,
                any_line,
                next(c for c in "9876" if c != arguments[0]) * len(arguments[0]),
                "KR-3001",
                usual,
            )
        elif call.name == "record_sequence":
            yield call.name, any_line, str(any_line + 5).zfill(item.length), "KR-3002", usual
        elif call.name == "data_record_count":
            yield call.name, any_line, str(len(sound.lines) + 7).zfill(item.length), "KR-4001", usual
        elif call.name in ("my_number_check_digit", "municipality_check_digit", "insurer_check_digit") and filled:
            code = {"my": "KR-2011", "mu": "KR-2012", "in": "KR-2013"}[call.name[:2]]
            yield call.name, any_line, changed_last_digit(filled[-1][1][column]), code, usual
        elif call.name == "blank_my_number":
            yield call.name, any_line, "", "KR-2015", usual
        elif call.name == "own_municipality":
            yield (
                call.name,
                any_line,
                OTHERS.code,
                "KR-4002",
                replace(no_context(), municipality_code=usual.municipality_code),
            )
        elif call.name == "own_insurer":
            context = replace(no_context(), insurer_number=usual.insurer_number)
            yield call.name, any_line, OTHERS.insurer_number, "KR-4003", context
        elif call.name == "own_prefecture":
            yield call.name, any_line, "13", "KR-4005", replace(no_context(), prefecture_code="99")
        elif call.name == "same_as_file_name":
            value = {"municipality_code": OTHERS.code, "insurer_number": OTHERS.insurer_number}.get(item.id, "")
            if item.type.id in DATES:
                value = day_as(item, dt.date(2025, 1, 1))
            value = value or "7" * item.length
            yield call.name, any_line, value, "KR-4007", replace(no_context(), file_name=usual.file_name)
        elif call.name == "partition_date":
            yield (
                call.name,
                any_line,
                day_as(item, dt.date(2026, 3, 3)),
                "KR-4006",
                replace(no_context(), partition=usual.partition),
            )
        elif call.name == "in_partition_month":
            yield (
                call.name,
                any_line,
                day_as(item, dt.date(2026, 3, 3)),
                "KR-4008",
                replace(no_context(), partition=usual.partition),
            )
        elif call.name == "not_after_partition_month":
            yield call.name, any_line, day_as(item, dt.date(2026, 5, 1)), "KR-3008", usual
        elif call.name == "not_before_month":
            year, month = map(int, arguments[0].split("-"))
            before = dt.date(year, month, 1) - dt.timedelta(days=1)
            yield call.name, any_line, day_as(item, before), "KR-3007", usual
        elif call.name == "not_after_file_date":
            yield call.name, any_line, day_as(item, sound.on + dt.timedelta(days=1)), "KR-3005", usual
        elif call.name == "whole_number":
            yield call.name, any_line, "-1", "KR-2018", usual
        elif call.name == "between":
            yield call.name, any_line, str(int(arguments[1]) + 1).zfill(item.length), "KR-2017", usual
        elif call.name == "not_before":
            other = names.index(arguments[0])
            both = [line for line, cells in lines if cells[other]]
            if both:
                yield call.name, both[0], day_as(item, dt.date(1900, 1, 1)), "KR-3003", usual
        elif call.name == "only_with":
            other = names.index(arguments[0])
            without = [line for line, cells in lines if not cells[other]]
            codes = sound.specification.codes_on(item.code_table, sound.on) if item.code_table else ()
            value = codes[0].value if codes else day_as(item, sound.on) if item.type.id in DATES else "1"
            if without:
                yield call.name, without[0], value, "KR-3006", usual
        else:
            assert call.name in NOT_OF_A_CELL, f"no mutation for {call}"


def readers(mutant: Mutant) -> set[str]:
    """Items that are judged by the changed one: a condition or a date may then be broken, too."""
    kind, _ = mutant.sound.lines[mutant.line]
    record = mutant.sound.specification.by_kind[kind]
    changed = record.items[mutant.column].id
    return {
        item.id
        for item in record.items
        if changed in item.required or any(changed in call.arguments for call in item.rules)
    }


def fault_of(mutant: Mutant, folder: Path) -> str | None:
    """What is wrong with the answer to a mutant; None when it is right."""
    path = folder / mutant.sound.name
    path.write_bytes(mutant.sound.written(mutant.line, mutant.column, mutant.value))
    found = validate(path, mutant.sound.specification, mutant.sound.on, mutant.context).findings
    kind, _ = mutant.sound.lines[mutant.line]
    item = mutant.sound.specification.by_kind[kind].items[mutant.column]
    told = found.filter((pl.col("line") == mutant.line) & (pl.col("item") == item.id))
    if told["code"].to_list() != [mutant.code]:
        everything = found.select("line", "item", "code").rows()
        return f"{mutant}: line {mutant.line} must be {mutant.code}, said {told['code'].to_list()} of {everything[:5]}"
    others = found.filter(~((pl.col("line") == mutant.line) & (pl.col("item") == item.id)))
    strange = others.filter(~pl.col("code").is_in(BETWEEN_RECORDS) & ~pl.col("item").is_in(readers(mutant)))
    if strange.height:
        return f"{mutant}: also {strange.select('line', 'item', 'code').rows()[:5]}"
    return None


def test_the_files_are_sound_as_they_are(sounds: dict[str, Sound], tmp_path: Path) -> None:
    assert set(sounds) == set(load_catalogue().ids())
    for sound in sounds.values():
        path = tmp_path / sound.name
        path.write_bytes(sound.written(-1, 0, ""))
        judged = validate(path, sound.specification, sound.on, sound.context)
        assert judged.valid, (sound.name, judged.findings["message"].to_list()[:3])


@pytest.mark.slow
def test_every_mutant_is_caught_at_its_place_by_its_code(sounds: dict[str, Sound], tmp_path: Path) -> None:
    every = [mutant for _, sound in sorted(sounds.items()) for mutant in mutants_of(sound)]
    faults = [fault for mutant in every if (fault := fault_of(mutant, tmp_path)) is not None]
    assert faults == []
    assert len(every) >= LEAST
    by_rule = Counter(mutant.rule for mutant in every)
    used = {
        call.name
        for s in sounds.values()
        for record in s.specification.records
        for item in record.items
        for call in item.rules
    }
    assert used - NOT_OF_A_CELL <= set(by_rule)
    assert used <= set(known_rules())
