"""The items that go from the extracts into the 資格情報 files because the layouts say so (docs/extending.md). Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.contract import links
from interfaces.item_flow import Flow, flows_of, value
from interfaces.spec import Specification
from pipelines.eligibility.changes import Carried
from pipelines.tables.eligibility import Households, People

INDIVIDUAL, HOUSEHOLD = "eligibility_individual", "eligibility_household"
OF_THE_PROGRAM = {INDIVIDUAL: People, HOUSEHOLD: Households}


def _carried(catalogue: Catalogue, outgoing: str, on: dt.date) -> list[Flow]:
    """The items that no code fills, and those of which the layout says from where they come."""
    own = OF_THE_PROGRAM[outgoing].names()
    return [flow for flow in flows_of(catalogue, outgoing, on) if flow.item.value_from or flow.item.id not in own]


def with_carried(
    register: pl.DataFrame, tables: Mapping[str, pl.DataFrame], catalogue: Catalogue, outgoing: str, on: dt.date
) -> pl.DataFrame:
    """`People` or `Households` with a column for each item that the outgoing layout of the day carries from `tables`.

    tables: the canonical extracts. Where a layout says where an item of the program comes from, that value takes its place.
    """
    flows = _carried(catalogue, outgoing, on)
    if not flows:
        return register
    linked = register
    for link in links(outgoing):
        items = sorted({place.item for flow in flows for place in flow.places if place.interface == link.extract})
        if items:
            renamed = [pl.col(item).alias(f"{link.extract}.{item}") for item in items]
            linked = linked.join(tables[link.extract].select(link.key, *renamed), on=link.key, how="left")
    made = linked.with_columns(value(flow, catalogue.codes, on).alias(flow.item.id) for flow in flows)
    further = [flow.item.id for flow in flows if flow.item.id not in register.columns]
    return made.select(*register.columns, *further)


def carried(catalogue: Catalogue, on: dt.date, people: pl.DataFrame, households: pl.DataFrame) -> Carried:
    """The carried items of a day's register that are none of the program's own."""
    return Carried(_names(catalogue, INDIVIDUAL, on, people), _names(catalogue, HOUSEHOLD, on, households))


def _names(catalogue: Catalogue, outgoing: str, on: dt.date, register: pl.DataFrame) -> dict[str, str]:
    own = OF_THE_PROGRAM[outgoing].names()
    return {
        flow.item.id: flow.item.name
        for flow in _carried(catalogue, outgoing, on)
        if flow.item.id not in own and flow.item.id in register.columns
    }


def with_new_items(baseline: pl.DataFrame, register: pl.DataFrame, specification: Specification) -> pl.DataFrame:
    """The baseline with the items that it does not know yet as null, if the layout wants them told of everybody at once."""
    if specification.layout.new_items != "all":
        return baseline
    missing = {name: kind for name, kind in register.schema.items() if baseline.schema.get(name) != kind}
    return baseline.with_columns(pl.lit(None, kind).alias(name) for name, kind in missing.items())
