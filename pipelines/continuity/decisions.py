"""Who decided and who approved what, and on which facts: append-only rows in the ledger's database. Judges nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipelines.exchange.ledger.chain import canonical_json
from pipelines.tables.continuity import Decisions

metadata = sa.MetaData()
table = sa.Table(
    "continuity_decisions",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("month", sa.Date, nullable=False, index=True),
    sa.Column("candidate_number", sa.String(16), nullable=False),
    sa.Column("old_municipality_code", sa.String(6)),
    sa.Column("old_household_number", sa.String(15)),
    sa.Column("new_household_number", sa.String(15)),
    sa.Column("moved_on", sa.Date),
    sa.Column("proposal", sa.String(16), nullable=False),
    sa.Column("rule", sa.String(8), nullable=False),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("remark", sa.Text, nullable=False),
    sa.Column("decided_by", sa.String(128), nullable=False),
    sa.Column("approved_by", sa.String(128), nullable=False),
    sa.Column("facts_sha256", sa.String(64), nullable=False),
    sa.Column("worksheet_sha256", sa.String(64), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("operator", sa.String(128), nullable=False),
)


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Add decisions; an earlier one on the same candidate stays readable. Returns [first, end) of their sequence numbers."""
    first = int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.sequence), 0))).scalar_one()) + 1
    if rows:
        numbered = [dict(row) | {"sequence": first + offset} for offset, row in enumerate(rows)]
        connection.execute(sa.insert(table), numbered)
    return first, first + len(rows)


def digest(connection: Connection, first: int, end: int) -> str:
    """SHA-256 over the decisions [first, end) as canonical JSON: the ledger keeps it, so that every change is detected."""
    chosen = (table.c.sequence >= first) & (table.c.sequence < end)
    rows = connection.execute(sa.select(table).where(chosen).order_by(table.c.sequence)).mappings()
    return hashlib.sha256("\n".join(canonical_json(dict(row)) for row in rows).encode()).hexdigest()


def count(connection: Connection) -> int:
    """How many decisions there are, old ones included."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def everything(connection: Connection) -> pl.DataFrame:
    """Every decision ever made: `Decisions`, oldest first."""
    rows = [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.sequence))]
    return Decisions.of(rows)


def current(connection: Connection, month: dt.date) -> pl.DataFrame:
    """The newest decision on each candidate of a month: `Decisions`, by candidate_number."""
    query = sa.select(table).where(table.c.month == month).order_by(table.c.sequence)
    rows = [tuple(row) for row in connection.execute(query)]
    found = Decisions.of(rows)
    return found.unique("candidate_number", keep="last", maintain_order=True).sort("candidate_number")
