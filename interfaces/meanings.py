"""What the program needs of the meanings of coded items, and where the catalogue does not have it. Reads no file's content.

Code compares meanings, never codes. Which it compares, and what becomes of any other, is declared once, item by item, in
`catalogue/reading/meanings.csv`. That table belongs to the program: it is always the embedded one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, Fault, Row, read_rows
from interfaces.messages import RenkeiError
from interfaces.spec import Item, Specification

BREACH: Final = "KR-7123"
PATH: Final = DEFAULT_ROOT / "reading" / "meanings.csv"
# What the program does with a meaning: it must be there; the rules decide on it; the rules may only name what is there;
# the rules list it and may list more; no other meaning may be there; it is only carried on and shown.
NEEDED, RULED, NAMED, LISTED, FORBIDDEN, CARRIED = "必要", "規則", "名指し", "一覧", "不可", "そのまま"
ANY_OTHER: Final = "*"


@dataclass(frozen=True)
class RuleColumn:
    """A column of a table of rules that names meanings: of the rows with `key` = `value`."""

    table: str
    key: str
    value: str
    column: str

    @classmethod
    def of(cls, text: str) -> RuleColumn:
        """From `continuity/reasons 側=join 事由`; ValueError when the text has another form."""
        table, condition, column = text.split(" ")
        key, _, value = condition.partition("=")
        return cls(table, key, value, column)

    def __str__(self) -> str:
        return f"{self.table}.csv（{self.key} {self.value}）"

    def rows(self, catalogue: Catalogue) -> list[Row]:
        """The rows of every day."""
        path = catalogue.root / f"{self.table}.csv"
        return [row for row in read_rows(path, (self.key, self.column)) if row[self.key] == self.value]


@dataclass(frozen=True)
class Need:
    """A row of the declaration: what becomes of a meaning of an item, and the rules that decide on it."""

    meaning: str
    use: str
    rule: RuleColumn | None


@lru_cache(maxsize=1)
def needs() -> dict[str, tuple[Need, ...]]:
    """The declaration, by item."""
    found: dict[str, tuple[Need, ...]] = {}
    for row in read_rows(PATH, ("項目", "意味", "扱い", "規則")):
        rule = row.read("規則", RuleColumn.of, "規則の表 列=値 列") if row["規則"] else None
        found[row["項目"]] = (*found.get(row["項目"], ()), Need(row["意味"], row["扱い"], rule))
    return found


def breaches(specification: Specification, on: dt.date) -> Iterator[Fault]:
    """Where the code tables of a specification, on a day, lack a meaning that code needs, or have one that it must not meet."""
    for item in _items(specification):
        own, table = needs()[item.id], f"codes/{item.code_table}.csv"
        if not item.code_table:
            yield Fault(f"{specification.id} {item.id}", "プログラムは意味で読みますが、コード表がありません", BREACH)
            continue
        meanings = {code.meaning for code in specification.codes_on(item.code_table, on)}
        needed = {need.meaning for need in own if need.use == NEEDED}
        for missing in sorted(needed - meanings):
            yield Fault(table, f"項目 {item.id} に要る意味 {missing} がありません", BREACH)
        if any(need.use == FORBIDDEN for need in own):
            for other in sorted(meanings - needed):
                yield Fault(table, f"意味 {other} の扱いが、項目 {item.id} を読むプログラムにありません", BREACH)


def lint_meanings(catalogue: Catalogue) -> list[Fault]:
    """Every breach, every meaning that no rule decides on, and every one that a rule names and no table has, on any day."""
    faults: list[Fault] = []
    for specification in (version for interface in catalogue.ids() for version in catalogue.versions(interface)):
        if not all(_is_read(catalogue, item) for item in _items(specification)):
            continue  # the linter names the table that is not there or could not be read
        try:
            for day in _days(catalogue, specification):
                faults += breaches(specification, day)
                faults += _against_rules(catalogue, specification, day)
        except RenkeiError:
            continue  # a table of rules that cannot be read: the linter of the tables says so
    return list(dict.fromkeys(faults))


def _items(specification: Specification) -> Iterator[Item]:
    yield from (item for record in specification.records for item in record.items if item.id in needs())


def _is_read(catalogue: Catalogue, item: Item) -> bool:
    table = item.code_table
    return not table or (table in catalogue.codes and f"codes/{table}.csv" not in catalogue.unread)


def _days(catalogue: Catalogue, specification: Specification) -> list[dt.date]:
    """The first day of a version, and each day within it on which one of its code tables or rules changes."""
    first, end = specification.layout.effective_from, specification.layout.effective_to or dt.date.max
    days = {first}
    for item in _items(specification):
        for code in catalogue.codes.get(item.code_table, ()):
            days |= {code.start, code.end or dt.date.max}
        for need in needs()[item.id]:
            for row in need.rule.rows(catalogue) if need.rule else ():
                days |= {row.day("開始日", dt.date.min), row.day("終了日", dt.date.max)}
    return sorted(day for day in days if first <= day < end)


def _against_rules(catalogue: Catalogue, specification: Specification, on: dt.date) -> Iterator[Fault]:
    for item in _items(specification):
        own = needs()[item.id]
        meanings = {code.meaning for code in specification.codes_on(item.code_table, on)}
        declared = {need.meaning for need in own if need.use == NEEDED and need.rule is None}
        for rule, use in dict.fromkeys((need.rule, need.use) for need in own if need.rule):
            named = _in_force(rule.rows(catalogue), rule.column, on)
            if not named:
                continue
            for undecided in sorted(meanings - declared - named) if use != NAMED else ():
                text = f"意味 {undecided} の扱いが {rule} にありません（項目 {item.id}）"
                yield Fault(f"codes/{item.code_table}.csv", text, BREACH)
            for unused in sorted(named - meanings) if use != LISTED else ():
                text = f"{rule.key} {rule.value} の {unused} は、コード表 {item.code_table} のどの意味でもありません"
                yield Fault(f"{rule.table}.csv", text, BREACH)


def _in_force(rows: Iterable[Row], column: str, on: dt.date) -> set[str]:
    return {row[column] for row in rows if row.day("開始日", dt.date.min) <= on < row.day("終了日", dt.date.max)}
