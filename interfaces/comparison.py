"""What differs between two versions of an interface, of one catalogue or of two. Pure; what it means is in `consequences`.

Items belong together by their id. Another id with the same name, and an item that became several, are found only where the
tables leave no doubt; anything else is an item that went and one that came.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from interfaces.described import (
    PLACES,
    Facts,
    by,
    code_facts,
    file_facts,
    form_facts,
    item_facts,
    record_facts,
    type_facts,
)
from interfaces.spec import Code, Item, ItemType, Record, Specification

How = Literal["added", "removed", "changed", "moved", "renamed", "split", "joined"]
IN_WORDS: Final[Mapping[How, str]] = {
    "added": "追加",
    "removed": "削除",
    "changed": "変更",
    "moved": "移動",
    "renamed": "id変更",
    "split": "分割",
    "joined": "統合",
}


@dataclass(frozen=True)
class Side:
    """One of the two. on: the day whose codes are compared; None: all codes, of any day."""

    specification: Specification
    on: dt.date | None = None

    def codes(self, table: str) -> Sequence[Code]:
        """The codes of a table; none if this side does not use it."""
        if table not in tables(self.specification):
            return ()
        own = self.specification
        return own.codes[table] if self.on is None else own.codes_on(table, self.on)


@dataclass(frozen=True)
class Cell:
    """A fact that differs, in words."""

    label: str
    old: str
    new: str


@dataclass(frozen=True)
class ItemChange:
    """Items of a record kind that changed: one on each side, except where they were added, removed, split or joined."""

    how: How
    kind: str
    old: tuple[Item, ...]
    new: tuple[Item, ...]
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class NamedChange:
    """A record kind, a type, or a code of a table (`place`) that was added, removed or changed."""

    how: How
    place: str
    name: str
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """All differences. The days on which the two are in force, and their version, are none."""

    old: Side
    new: Side
    file: tuple[Cell, ...]
    form: tuple[Cell, ...]
    records: tuple[NamedChange, ...]
    items: tuple[ItemChange, ...]
    codes: tuple[NamedChange, ...]
    types: tuple[NamedChange, ...]

    @property
    def is_same(self) -> bool:
        return not (self.file or self.form or self.records or self.items or self.codes or self.types)

    def items_of(self, how: How) -> list[ItemChange]:
        """The changes of items of one way."""
        return [change for change in self.items if change.how == how]

    @property
    def counts(self) -> dict[str, int]:
        """How many differences of which way, in words; a file's and a form's fact is a 変更."""
        named: list[ItemChange | NamedChange] = [*self.records, *self.items, *self.codes, *self.types]
        found = {IN_WORDS[how]: sum(change.how == how for change in named) for how in IN_WORDS}
        found[IN_WORDS["changed"]] += len(self.file) + len(self.form)
        return {word: count for word, count in found.items() if count}


def compare(old: Side, new: Side) -> Comparison:
    """Everything that differs between two specifications."""
    before, after = old.specification, new.specification
    return Comparison(
        old,
        new,
        tuple(_cells(file_facts(before), file_facts(after))),
        tuple(_cells(form_facts(before.format), form_facts(after.format))),
        tuple(_records(before, after)),
        tuple(_items(before, after)),
        tuple(_codes(old, new)),
        tuple(_types(before, after)),
    )


def tables(specification: Specification) -> list[str]:
    """The code tables that a specification uses, sorted."""
    return sorted({item.code_table for record in specification.records for item in record.items} - {""})


def _cells(old: Facts, new: Facts) -> Iterator[Cell]:
    for label in dict.fromkeys([*old, *new]):
        before, after = old.get(label, "—"), new.get(label, "—")
        if before != after:
            yield Cell(label, before, after)


def _named(place: str, old: Mapping[str, Facts], new: Mapping[str, Facts]) -> Iterator[NamedChange]:
    """What was added, removed and changed of things that have a name."""
    for name in dict.fromkeys([*old, *new]):
        if name not in old:
            yield NamedChange("added", place, name, tuple(_cells({}, new[name])))
        elif name not in new:
            yield NamedChange("removed", place, name, tuple(_cells(old[name], {})))
        elif cells := tuple(_cells(old[name], new[name])):
            yield NamedChange("changed", place, name, cells)


def _records(before: Specification, after: Specification) -> Iterator[NamedChange]:
    def facts(of: Specification) -> dict[str, Facts]:
        return {
            record.kind: record_facts(record, of) | {"順番": str(number)} for number, record in enumerate(of.records, 1)
        }

    return _named("レコード", facts(before), facts(after))


def _types(before: Specification, after: Specification) -> Iterator[NamedChange]:
    """The definition of a type that both use; one that only one of them uses shows at its items."""

    def used(of: Specification) -> dict[str, ItemType]:
        return {item.type.id: item.type for record in of.records for item in record.items}

    old, new = used(before), used(after)
    both = [name for name in old if name in new]
    return _named("属性", {n: type_facts(old[n]) for n in both}, {n: type_facts(new[n]) for n in both})


def _codes(old: Side, new: Side) -> Iterator[NamedChange]:
    for table in dict.fromkeys([*tables(old.specification), *tables(new.specification)]):
        before, after = by_value(old.codes(table)), by_value(new.codes(table))
        yield from _named(table, before, after)


def by_value(codes: Iterable[Code]) -> dict[str, Facts]:
    """The facts of codes by value; by value and first day where a value stands in several rows."""
    codes = list(codes)
    values = [code.value for code in codes]
    return {
        code.value if values.count(code.value) == 1 else f"{code.value}（{code.start}から）": code_facts(code)
        for code in codes
    }


def _items(before: Specification, after: Specification) -> Iterator[ItemChange]:
    for kind in dict.fromkeys([*before.by_kind, *after.by_kind]):
        old, new = before.by_kind.get(kind), after.by_kind.get(kind)
        yield from _Items(before, after, kind, old.items if old else (), new.items if new else ()).changes()


@dataclass(frozen=True)
class _Items:
    """The items of one record kind on both sides."""

    before: Specification
    after: Specification
    kind: str
    old: tuple[Item, ...]
    new: tuple[Item, ...]

    def changes(self) -> Iterator[ItemChange]:
        """The changes, in the order of the new items; what is removed comes where it was."""
        found = [*self._pairs(), *self._divided()]
        done = (
            {item.id for change in found for item in change.old},
            {item.id for change in found for item in change.new},
        )
        found += [ItemChange("removed", self.kind, (item,), ()) for item in self.old if item.id not in done[0]]
        found += [ItemChange("added", self.kind, (), (item,)) for item in self.new if item.id not in done[1]]
        different = [change for change in found if change.how != "changed" or change.cells]
        return iter(sorted(different, key=lambda change: (change.new or change.old)[0].number))

    def _pairs(self) -> Iterator[ItemChange]:
        """Each item with itself: the same id, or the same name on both sides of items that have no other partner."""
        new = {item.id: item for item in self.new}
        for item in self.old:
            if item.id in new:
                cells = self._cells(item, new[item.id])
                only_moved = bool(cells) and {cell.label for cell in cells} <= set(PLACES)
                yield ItemChange("moved" if only_moved else "changed", self.kind, (item,), (new[item.id],), cells)
        gone, come = self._unpaired()
        names_before, names_after = by(lambda i: i.name, gone), by(lambda i: i.name, come)
        for name, olds in names_before.items():
            news = names_after.get(name, [])
            if len(olds) == len(news) == 1:
                yield ItemChange("renamed", self.kind, (olds[0],), (news[0],), self._cells(olds[0], news[0]))

    def _cells(self, old: Item, new: Item) -> tuple[Cell, ...]:
        return tuple(_cells(item_facts(old, self.before), item_facts(new, self.after)))

    def _unpaired(self) -> tuple[list[Item], list[Item]]:
        before, after = {item.id for item in self.old}, {item.id for item in self.new}
        return [item for item in self.old if item.id not in after], [item for item in self.new if item.id not in before]

    def _divided(self) -> Iterator[ItemChange]:
        """An item in whose place several stand now that together are as long, and the other way round."""
        is_fixed = self.before.format.kind == self.after.format.kind == "fixed"
        for olds, news in self._replaced():
            if len(olds) == 1 and len(news) > 1 and _is_divided(olds[0], news, is_fixed):
                yield ItemChange("split", self.kind, olds, news)
            elif len(news) == 1 and len(olds) > 1 and _is_divided(news[0], olds, is_fixed):
                yield ItemChange("joined", self.kind, olds, news)

    def _replaced(self) -> Iterator[tuple[tuple[Item, ...], tuple[Item, ...]]]:
        """Items that went, with those that came between the same neighbours."""
        after = {item.id for item in self.new}
        before = {item.id for item in self.old}
        come = dict(_runs(self.new, before))
        for neighbours, olds in _runs(self.old, after):
            if neighbours in come:
                yield olds, come[neighbours]


def _runs(items: Sequence[Item], staying: set[str]) -> Iterator[tuple[tuple[str, str], tuple[Item, ...]]]:
    """Runs of items that do not stay, with the ids of those before and after."""
    run: list[Item] = []
    previous = ""
    for item in items:
        if item.id not in staying:
            run.append(item)
            continue
        if run:
            yield (previous, item.id), tuple(run)
        run, previous = [], item.id
    if run:
        yield (previous, ""), tuple(run)


def _is_divided(whole: Item, parts: Sequence[Item], is_fixed: bool) -> bool:
    """Whether parts surely are what the whole was: the same bytes, or named or numbered as its parts, and as long."""
    if sum(part.length for part in parts) != whole.length:
        return False
    is_numbered = all(part.shown_number.startswith(f"{whole.shown_number}-") for part in parts)
    return is_fixed or is_numbered or all(part.name.startswith(whole.name) for part in parts)


def shown(item: Item) -> str:
    """An item in a sentence: 氏名（name）."""
    return f"{item.name}（{item.id}）"


def record_lengths(comparison: Comparison) -> Iterator[tuple[str, int, int]]:
    """The kinds of a fixed-length record whose length changed: kind, bytes before, bytes now."""
    before, after = comparison.old.specification, comparison.new.specification
    if not before.format.kind == after.format.kind == "fixed":
        return
    for kind, record in before.by_kind.items():
        now: Record | None = after.by_kind.get(kind)
        if now is not None and now.record_length != record.record_length:
            yield kind, record.record_length, now.record_length
