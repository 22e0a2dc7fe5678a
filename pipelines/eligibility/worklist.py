"""The 要修正 list as an Excel book for the clerk who corrects the records: whose which item, its value, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from interfaces.japanese_calendar import JapaneseCalendar
from interfaces.messages import RenkeiError, message
from interfaces.new_books import new_list
from pipelines.configuration.calendar import business_days_between
from pipelines.deployment import Environment
from pipelines.eligibility.snapshot import HOUSEHOLD_KEY
from pipelines.eligibility.withholding import HOUSEHOLD_FAULT, OWN_FAULT, ListedFault, counted
from pipelines.storage.files import write_durably
from schemas.findings import HIDDEN

TITLE = "要修正一覧"
_COLUMNS = (
    ("done", "対応済", 7),
    ("household_number", "国保世帯番号", 17),
    ("resident_number", "宛名番号", 17),
    ("name", "氏名", 16),
    ("change_kinds", "異動", 14),
    ("item_name", "誤りの項目", 18),
    ("value", "現在の値", 15),
    ("expected", "期待される内容", 26),
    ("code", "誤りの内容", 24),
    ("since", "保留開始", 12),
    ("remedy", "対処", 40),
)


def worklist(withheld: pl.DataFrame) -> list[dict[str, str]]:
    """Who is withheld, with the codes in words (`withheld`: withholding.withheld_list): a row for each person and for each
    household without persons."""
    return [
        {
            "household_number": row["household_number"],
            "resident_number": row["resident_number"] or "（世帯）",
            "reason": row["reason"],
            "codes": "\n".join(_named(code, row["faults"]) for code in row["codes"]),
        }
        for row in withheld.iter_rows(named=True)
    ]


def _named(code: str, listed: Sequence[str]) -> str:
    """A code with its title, the items at fault, and their invalid characters."""
    faults = [fault for fault in map(ListedFault.parse, listed) if fault.code == code and fault.item_name]
    places = "、".join(fault.item_name + _stray(fault.value) for fault in faults)
    return f"{code} {message(code).title}" + (f"（{places}）" if places else "")


def _stray(value: str) -> str:
    """The code points of a value's invalid characters."""
    points = value[value.rfind("U+") :] if "U+" in value else ""
    return f" {points}" if points else ""


def first_withheld(environment: Environment, day: dt.date, withheld: pl.DataFrame) -> dict[str, dt.date]:
    """For each household on a day's list, the first of the days, one after the other, on whose lists it stands.

    A list that was erased, or that another version of the program wrote, ends the search.
    """
    found = dict.fromkeys(withheld[HOUSEHOLD_KEY].unique().to_list(), day)
    searched = set(found)
    earlier = [name for name in environment.store.partitions("withheld_list") if name < day.isoformat()]
    for partition in reversed(earlier):
        try:
            listed = environment.store.read("withheld_list", partition)[HOUSEHOLD_KEY].to_list()
        except RenkeiError:
            break
        searched &= set(listed)
        if not searched:
            break
        found |= dict.fromkeys(searched, dt.date.fromisoformat(partition))
    return found


def write_worklist(environment: Environment, day: dt.date, withheld: pl.DataFrame) -> Path:
    """Write a day's list as an Excel book into the clerks' folder."""
    since = first_withheld(environment, day, withheld)
    path = environment.settings.clerks / f"{TITLE}_{day}.xlsx"
    write_durably(path, workbook(withheld, day, since, environment.catalogue.calendar))
    return path


def workbook(withheld: pl.DataFrame, day: dt.date, since: Mapping[str, dt.date], calendar: JapaneseCalendar) -> bytes:
    """The list as a book of one sheet, a row for each fault, households together. Text stays text, never a formula.

    since: household_number -> the first day on which it was withheld.
    """
    rows: list[dict[str, str]] = []
    ordered = withheld.sort(HOUSEHOLD_KEY, "resident_number", nulls_last=True)
    for household, people in groupby(ordered.iter_rows(named=True), key=lambda row: str(row[HOUSEHOLD_KEY])):
        first = since[household]
        age = f"{calendar.short_day(first)}\n（{business_days_between(first, day) + 1}営業日目）"
        for row in _rows_of_household(list(people)):
            rows.append({"done": "□", "household_number": household, "since": age} | row)
    heading = (
        f"{TITLE}　{calendar.day(day)}　{counted(withheld)}、{len(since)}世帯　"
        "（修正が確認されるまで毎営業日、送付対象として再判定します）"
    )
    return new_list(TITLE, heading, _COLUMNS, rows, group="household_number")


def _rows_of_household(people: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """The rows of a household: its own faults, those of each person, and one for everybody who waits with them."""
    own = [row for row in people if row["reason"] == HOUSEHOLD_FAULT]
    of_household = {ListedFault.parse(text) for row in own for text in row["faults"]}
    for fault in sorted(of_household):
        yield {"resident_number": "（世帯）", "name": "", "change_kinds": ""} | _in_words(fault)
    for row in people:
        if row["reason"] == OWN_FAULT:
            who = {"resident_number": row["resident_number"], "name": row["name"] or "", "change_kinds": _changes(row)}
            for fault in sorted(set(map(ListedFault.parse, row["faults"])) - of_household):
                yield who | _in_words(fault)
    others = [row for row in people if row["reason"] != OWN_FAULT and row["resident_number"]]
    if others:
        names = [row["name"] or f"宛名番号 {row['resident_number']}" for row in others]
        yield dict.fromkeys(("change_kinds", "item_name", "value", "expected", "remedy"), "") | {
            "resident_number": f"（ほか{len(others)}人）",
            "name": "\n".join(names),
            "code": "誤りなし。同一世帯のため保留しています",
        }


def _changes(row: Mapping[str, Any]) -> str:
    return "、".join(row["change_kinds"]) or ("同一世帯の異動" if row["update_kind"] else "異動なし")


def _in_words(fault: ListedFault) -> dict[str, str]:
    """A fault under the headings of the list."""
    described = message(fault.code)
    return {
        "item_name": fault.item_name or "－",
        "value": _value(fault),
        "expected": fault.expected or "－",
        "code": f"{fault.code}\n{described.title}",
        "remedy": described.advise_clerk(expected=fault.expected, item_name=fault.item_name),
    }


def _value(fault: ListedFault) -> str:
    """The value as people may see it: nothing of a 個人番号, and of a name or a date of birth only its invalid characters."""
    if not fault.value:
        return "（空欄）" if fault.item_name and fault.code in _OF_BLANK_ITEMS else "－"
    is_hidden = fault.value == HIDDEN or fault.value.startswith(f"{HIDDEN}、")
    return fault.value.replace(HIDDEN, "（非表示）" if is_hidden else "…")


_OF_BLANK_ITEMS = ("KR-2001",)
