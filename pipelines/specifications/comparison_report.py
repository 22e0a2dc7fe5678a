"""The differences between two versions as lines, as JSON, and as a page for A4 paper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jinja2

from interfaces.comparison import IN_WORDS, Cell, Comparison, ItemChange, NamedChange
from interfaces.described import in_force
from pipelines.specifications.consequences import consequences

_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("pipelines.specifications"), autoescape=True, undefined=jinja2.StrictUndefined
)


def lines(comparison: Comparison) -> Iterator[str]:
    """For the screen."""
    old, new = comparison.old.specification, comparison.new.specification
    yield f"{new.layout.name}（{new.id}）"
    yield f"  旧 {old.version}（{in_force(old)}）  新 {new.version}（{in_force(new)}）"
    if comparison.is_same:
        yield "違いはありません"
        return
    yield "、".join(f"{word} {count}" for word, count in comparison.counts.items())
    for title, cells in (("ファイル", comparison.file), ("形", comparison.form)):
        for cell in cells:
            yield f"変更 {title} {_cell(cell)}"
    changes: list[ItemChange | NamedChange] = [
        *comparison.records,
        *comparison.items,
        *comparison.codes,
        *comparison.types,
    ]
    for change in changes:
        yield f"{IN_WORDS[change.how]} {place(change)}"
        yield from (f"    {_cell(cell)}" for cell in _cells_shown(change))
    yield "この違いの意味"
    yield from (f"  - {sentence}" for sentence in consequences(comparison))


def _cell(cell: Cell) -> str:
    return f"{cell.label}: {cell.old} → {cell.new}"


def _cells_shown(change: ItemChange | NamedChange) -> tuple[Cell, ...]:
    """What is said of something that merely came or went is its name."""
    return change.cells if change.how in ("changed", "renamed", "moved") else ()


def place(change: ItemChange | NamedChange) -> str:
    """What changed, in words."""
    if isinstance(change, NamedChange):
        return f"{change.place} {change.name}"
    items = "・".join(f"{item.shown_number} {item.name}（{item.id}）" for item in change.old or change.new)
    news = "・".join(f"{item.shown_number} {item.name}（{item.id}）" for item in change.new)
    return f"[{change.kind}] {items}" + (f" → {news}" if change.old and change.new and items != news else "")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """For other programs."""

    def cells(found: tuple[Cell, ...]) -> list[dict[str, str]]:
        return [vars(cell) for cell in found]

    return {
        "interface": comparison.new.specification.id,
        "old": comparison.old.specification.version,
        "new": comparison.new.specification.version,
        "file": cells(comparison.file),
        "form": cells(comparison.form),
        "items": [
            {
                "how": change.how,
                "record": change.kind,
                "old": [item.id for item in change.old],
                "new": [item.id for item in change.new],
                "cells": cells(change.cells),
            }
            for change in comparison.items
        ],
        **{
            name: [{"how": c.how, "of": c.place, "name": c.name, "cells": cells(c.cells)} for c in changes]
            for name, changes in (
                ("records", comparison.records),
                ("codes", comparison.codes),
                ("types", comparison.types),
            )
        },
        "consequences": consequences(comparison),
    }


def page(comparison: Comparison) -> str:
    """A page that a clerk can lay before the vendor; everything in it is escaped."""
    return _pages.get_template("comparison.html").render(
        comparison=comparison,
        old=comparison.old.specification,
        new=comparison.new.specification,
        words=IN_WORDS,
        in_force=in_force,
        place=place,
        cells=_cells_shown,
        consequences=consequences(comparison),
    )
