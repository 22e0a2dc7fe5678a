"""A relation reads the items that it declares, and a rule's name is registered once: what is forgotten falls here, not at run time."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.exceptions import ColumnNotFoundError

from schemas.rules import registered_rules
from schemas.rules.registry import register_external_rule, rule
from schemas.rules.relations import FOUND, RELATIONS, Relation

DAY = dt.date(2026, 4, 1)


def table(items: frozenset[str]) -> pl.DataFrame:
    """One record of just these items, and its line."""
    values = {item: DAY if item.endswith("_on") else "1" for item in sorted(items)}
    return pl.DataFrame({"line": [2], **{item: [value] for item, value in values.items()}})


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_a_relation_needs_no_item_that_it_does_not_declare(relation: Relation) -> None:
    other = table(relation.reads) if relation.to_another_file else None
    found = relation.find(table(relation.reads), other, DAY)
    assert {"line"} <= set(found.columns) <= {"line", FOUND, "heads", *relation.reads}


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_a_relation_declares_no_item_that_it_does_not_need(relation: Relation) -> None:
    whole = table(relation.reads)
    for item in relation.reads - {relation.item}:
        with pytest.raises(ColumnNotFoundError):
            relation.find(whole.drop(item), whole if relation.to_another_file else None, DAY)


def test_a_name_is_registered_once() -> None:
    assert "constant" in registered_rules()
    with pytest.raises(ValueError, match="constant"):
        rule("constant", "KR-3001")(lambda place, arguments: None)
    with pytest.raises(ValueError, match="constant"):
        register_external_rule("constant", "KR-3001", "item")
