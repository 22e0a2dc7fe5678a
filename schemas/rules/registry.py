"""What a rule is, and the registry of all rules by the name that the data uses. The rules are in the sibling modules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from interfaces.spec import ArgumentKind, Item, ItemType, Record, Specification

Scope = Literal["item", "record", "file", "relation"]
# The kind of item that a rule can apply to: any, one with a day, or one with a month (a day contains a month too).
ItemKind = Literal["anything", "day", "month"]


@dataclass(frozen=True)
class FileContext:
    """What a file is checked against besides its specification; None skips the check.

    partition: the day that the file must be for (Asia/Tokyo). file_name: the name that it arrived under.
    """

    municipality_code: str | None = None
    insurer_number: str | None = None
    prefecture_code: str | None = None
    partition: dt.date | None = None
    file_name: str | None = None


@dataclass(frozen=True)
class RuleContext:
    """What a rule is bound to: an item of a record kind of a specification, the file's day, and the file's context."""

    item: Item
    record: Record
    specification: Specification
    on: dt.date
    file: FileContext

    @property
    def value(self) -> pl.Expr:
        return pl.col(self.item.id)

    def other(self, item: str) -> pl.Expr:
        """Another item of the same record."""
        return pl.col(item)


@dataclass(frozen=True)
class BoundRule:
    """A rule bound to an item: the record is at fault where `sound` is false. `reads`: the other items that it reads."""

    item: str
    name: str
    code: str
    expected: str
    sound: pl.Expr
    reads: tuple[str, ...] = ()


Maker = Callable[[RuleContext, tuple[str, ...]], "tuple[pl.Expr, str] | None"]


@dataclass(frozen=True)
class Rule:
    """A named rule. `make` returns (expression that is true where the record is valid, what was expected), or None
    where there is nothing to check against. `arguments`: the kind of each argument; `lint` checks the data against
    them, so `make` need not."""

    name: str
    code: str
    scope: Scope
    arguments: tuple[ArgumentKind, ...] = ()
    make: Maker | None = None
    item_kind: ItemKind = "anything"

    def can_apply_to(self, kind: ItemType) -> bool:
        """Whether the rule can apply to an item of that type."""
        return {"anything": True, "day": kind.is_date, "month": bool(kind.date_format)}[self.item_kind]

    def reads(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """Which of its arguments are other items that it reads."""
        kinds = zip(self.arguments, arguments, strict=False)
        return tuple(argument for kind, argument in kinds if kind in ("item", "day"))


_rules: dict[str, Rule] = {}


def rule(
    name: str,
    code: str,
    scope: Scope = "item",
    arguments: tuple[ArgumentKind, ...] = (),
    *,
    item_kind: ItemKind = "anything",
) -> Callable[[Maker], Maker]:
    """Register a rule under the name that item tables use."""

    def register(make: Maker) -> Maker:
        _add(Rule(name, code, scope, arguments, make, item_kind))
        return make

    return register


def register_external_rule(
    name: str, code: str, scope: Scope, arguments: tuple[ArgumentKind, ...] = (), *, item_kind: ItemKind = "anything"
) -> None:
    """Register a rule that is checked elsewhere: over a whole file, across files, or by the codec."""
    _add(Rule(name, code, scope, arguments, item_kind=item_kind))


def _add(new: Rule) -> None:
    if new.name in _rules:
        raise ValueError(f"two rules of one name: {new.name}")
    _rules[new.name] = new


def all_rules() -> dict[str, Rule]:
    """Every rule by name."""
    return _rules
