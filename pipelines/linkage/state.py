"""The linkage state: what the Union decided about each 宛名番号, and since when it is known. Append-only.

The tables are in the ledger's database, so that a file's rows and its `applied` entry are one transaction.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipelines.exchange.ledger.schema import entries_table
from pipelines.tables.linkage import LinkageDiscrepancies

_KEY = "key"

metadata = sa.MetaData()
_common = (
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("resident_number", sa.String(15), nullable=False, index=True),
    sa.Column("known_from", sa.Date, nullable=False),
    sa.Column("entry_id", sa.Integer, nullable=False),
)


def _table(name: str, *facts: sa.Column[Any], key: tuple[str, ...] = ("resident_number",)) -> sa.Table:
    """A table of applied records. key: the columns for which the newest record is the current one."""
    return sa.Table(name, metadata, *(column.copy() for column in _common), *facts, info={_KEY: key})


dates = _table(
    "linkage_dates",
    sa.Column("municipal_insured_id", sa.String(32)),
    sa.Column("acquired_on", sa.Date),
    sa.Column("acquisition_reason", sa.String(32)),
    sa.Column("lost_on", sa.Date),
    sa.Column("loss_reason", sa.String(32)),
    sa.Column("applied_on", sa.Date),
    sa.Column("ended_on", sa.Date),
    sa.Column("judgement", sa.String(32)),
)
ids = _table(
    "linkage_ids",
    sa.Column("municipal_insured_id", sa.String(32)),
    sa.Column("prefecture_insured_id", sa.String(32)),
    sa.Column("assigned_on", sa.Date),
)
verifications = _table(
    "linkage_verifications",
    sa.Column("verification_kind", sa.String(32)),
    sa.Column("my_number_registered_on", sa.Date),
    sa.Column("detected_on", sa.Date),
    key=("resident_number", "verification_kind"),
)
_OWN = ("sequence", "resident_number", "known_from", "entry_id")


def add(
    connection: Connection, table: sa.Table, applied_records: pl.DataFrame, known_from: dt.date, entry_id: int
) -> None:
    """Add an applied file's records; an item that the file's version does not have is null."""
    facts = [column.name for column in table.columns if column.name not in _OWN]
    rows = [
        {"resident_number": row["resident_number"], "known_from": known_from, "entry_id": entry_id}
        | {name: row.get(name) for name in facts}
        for row in applied_records.iter_rows(named=True)
    ]
    if rows:
        connection.execute(sa.insert(table), rows)


def history(connection: Connection, table: sa.Table, on: dt.date | None = None) -> pl.DataFrame:
    """Every record applied until the end of `on` (None: now), oldest first: resident_number, facts, known_from.

    Of two files of one day the one with the higher file number is the newer, whichever came first: the names of one
    interface and day differ only in that. Of two files with one name the one with the later entry is.
    """
    entries = entries_table
    query = (
        sa.select(table)
        .outerjoin(entries, entries.c.id == table.c.entry_id)
        .order_by(table.c.known_from, entries.c.file_name, table.c.entry_id, table.c.sequence)
    )
    if on is not None:
        query = query.where(table.c.known_from <= on)
    columns = {
        column.name: pl.Date
        if isinstance(column.type, sa.Date)
        else pl.Int64
        if isinstance(column.type, sa.Integer)
        else pl.String
        for column in table.columns
    }
    rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=columns, orient="row").drop("sequence", "entry_id")


def current_records(connection: Connection, table: sa.Table, on: dt.date | None = None) -> pl.DataFrame:
    """The current record of each 宛名番号 at the end of `on` (None: now), columns as `history`: the newest record wins."""
    key = table.info[_KEY]
    return history(connection, table, on).unique(key, keep="last", maintain_order=True).sort(key)


def periods_before(connection: Connection, on: dt.date | None = None) -> pl.DataFrame:
    """Of each 宛名番号 the newest record of an earlier period than the current one, known at the end of `on` (None: now)."""
    records = history(connection, dates, on)
    current = records.unique("resident_number", keep="last", maintain_order=True)
    began = current.select("resident_number", pl.col("applied_on").alias("_began"))
    earlier = records.join(began, on="resident_number", maintain_order="left").filter(
        pl.col("applied_on") < pl.col("_began")
    )
    return earlier.unique("resident_number", keep="last", maintain_order=True).drop("_began")


def linkage(connection: Connection, on: dt.date | None = None) -> pl.DataFrame:
    """One row per 宛名番号: both ids, 取得/喪失年月日 and 適用 period, as known at the end of `on` (None: now)."""
    current_ids = current_records(connection, ids, on).drop("known_from")
    current_dates = current_records(connection, dates, on).drop("known_from", "municipal_insured_id")
    return current_ids.join(current_dates, on="resident_number", how="full", coalesce=True).sort("resident_number")


discrepancies = sa.Table(
    "linkage_discrepancies",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True),
    sa.Column("entry_id", sa.Integer, nullable=False),
    sa.Column("known_from", sa.Date, nullable=False, index=True),
    sa.Column("interface", sa.String(64), nullable=False),
    sa.Column("resident_number", sa.String(15), nullable=False),
    sa.Column("code", sa.String(8), nullable=False),
    sa.Column("title", sa.String(64), nullable=False),
    sa.Column("ours", sa.Text, nullable=False),
    sa.Column("theirs", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("set_aside", sa.Boolean, nullable=False),
)


def list_discrepancies(connection: Connection, found: pl.DataFrame, known_from: dt.date, entry_id: int) -> None:
    """Store what must be asked of the Union about an applied file (`LinkageDiscrepancies`)."""
    if found.height:
        connection.execute(
            sa.insert(discrepancies),
            [{"entry_id": entry_id, "known_from": known_from} | row for row in found.iter_rows(named=True)],
        )


def discrepancies_of(connection: Connection, day: dt.date, after: dt.date | None = None) -> pl.DataFrame:
    """The discrepancies that the files of a day (of all days later than `after`, until the day) brought: `LinkageDiscrepancies`."""
    columns = [discrepancies.c[name] for name in LinkageDiscrepancies.names()]
    known_from = discrepancies.c.known_from
    of_days = known_from == day if after is None else (known_from > after) & (known_from <= day)
    query = sa.select(*columns).where(of_days).order_by(discrepancies.c.sequence)
    rows = [tuple(row) for row in connection.execute(query)]
    return LinkageDiscrepancies.of(rows)
