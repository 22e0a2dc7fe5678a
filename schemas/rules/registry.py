"""What a rule is, and the list of all of them by the name that the data uses. The rules are in the modules beside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from interfaces.spec import ArgumentKind, Item, ItemType, Record, Specification

Scope = Literal["item", "record", "file", "relation"]
# What an item must hold for a rule to stand at it: a day, or a month (which a day has too).
Holds = Literal["anything", "day", "month"]


@dataclass(frozen=True)
class Context:
    """What a file is checked against besides its specification; None means that the check is not made.

    partition: the day that the file must be for (Asia/Tokyo). file_name: the name it came under.
    """

    municipality_code: str | None = None
    insurer_number: str | None = None
    prefecture_code: str | None = None
    partition: dt.date | None = None
    file_name: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a rule is applied: an item of a record kind of a specification, on the file's day, in a context."""

    item: Item
    record: Record
    specification: Specification
    on: dt.date
    context: Context

    @property
    def value(self) -> pl.Expr:
        return pl.col(self.item.id)

    def other(self, item: str) -> pl.Expr:
        """Another item of the same record."""
        return pl.col(item)


@dataclass(frozen=True)
class Test:
    """A rule at its place: where `sound` is false there is a fault. `reads`: other items that it looks at."""

    item: str
    rule: str
    code: str
    expected: str
    sound: pl.Expr
    reads: tuple[str, ...] = ()


Maker = Callable[[Place, tuple[str, ...]], "tuple[pl.Expr, str] | None"]


@dataclass(frozen=True)
class Rule:
    """A named rule. `make` gives (expression that is true where the record is sound, what was expected), or None
    where there is nothing to check against. `arguments`: the kind of each one; `lint` holds the data to them, so that
    `make` need not."""

    name: str
    code: str
    scope: Scope
    arguments: tuple[ArgumentKind, ...] = ()
    make: Maker | None = None
    holds: Holds = "anything"

    def fits(self, kind: ItemType) -> bool:
        """Whether the rule can stand at an item of that type."""
        return {"anything": True, "day": kind.is_date, "month": bool(kind.date_format)}[self.holds]

    def reads(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """Which of its arguments are other items that it looks at."""
        kinds = zip(self.arguments, arguments, strict=False)
        return tuple(argument for kind, argument in kinds if kind in ("item", "day"))


_rules: dict[str, Rule] = {}


def rule(
    name: str,
    code: str,
    scope: Scope = "item",
    arguments: tuple[ArgumentKind, ...] = (),
    *,
    holds: Holds = "anything",
) -> Callable[[Maker], Maker]:
    """Register a rule under the name that item tables use."""

    def register(make: Maker) -> Maker:
        _add(Rule(name, code, scope, arguments, make, holds))
        return make

    return register


def known(
    name: str, code: str, scope: Scope, arguments: tuple[ArgumentKind, ...] = (), *, holds: Holds = "anything"
) -> None:
    """Register a rule that is judged elsewhere: over a whole file, across files, or by the codec."""
    _add(Rule(name, code, scope, arguments, holds=holds))


def _add(new: Rule) -> None:
    if new.name in _rules:
        raise ValueError(f"two rules of one name: {new.name}")
    _rules[new.name] = new


def all_rules() -> dict[str, Rule]:
    """Every rule by name."""
    return _rules
