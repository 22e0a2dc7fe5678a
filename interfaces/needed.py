"""Which rows of the shared tables a specification uses, so that a fault elsewhere does not stop it. Pure."""

from __future__ import annotations

from interfaces.spec import Specification

CODES, CHARACTERS = "codes/", "characters/"


def is_everybodys(table: str, row: str) -> bool:
    """Whether every specification needs what a fault is about: a table as a whole, or a row of one that no item names.

    table: its path relative to the catalogue. row: the id of the row (`needs`), empty for all of it.
    """
    return "/" not in table and not row


def needs(specification: Specification, table: str, row: str) -> bool:
    """Whether a specification uses a shared table, and that row of it: an item, 属性, 秘匿区分 or range by its id."""
    if table.startswith(CODES):
        return any(
            table == f"{CODES}{item.code_table}.csv" for record in specification.records for item in record.items
        )
    if table.startswith(CHARACTERS):
        return table == f"{CHARACTERS}{specification.format.external_characters}.csv"
    return is_everybodys(table, row) or row in _ids(specification).get(table, ())


def _ids(specification: Specification) -> dict[str, set[str]]:
    items = [item for record in specification.records for item in record.items]
    ids = {item.id for item in items}
    return {
        "items.csv": ids,
        "dates.csv": ids,
        "types.csv": {item.type.id for item in items},
        "sensitivity.csv": {item.sensitivity.id for item in items},
    }
