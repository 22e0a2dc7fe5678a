"""The two tables of the ledger as the program uses them. Makes none: that is what `migrations` are for."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
entries_table = sa.Table(
    "entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("interface", sa.String(64)),
    sa.Column("partition", sa.Date),
    sa.Column("file_name", sa.String(255), nullable=False),
    sa.Column("sha256", sa.String(64)),
    sa.Column("size", sa.BigInteger),
    sa.Column("records", sa.BigInteger),
    sa.Column("baseline", sa.Date),
    sa.Column("snapshot_sha256", sa.String(64)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("sealed_sha256", sa.String(64)),
    sa.Column("archive_path", sa.Text),
    sa.Column("seal_fault", sa.String(8)),
    sa.Column("is_incomplete", sa.Boolean),
    sa.Column("is_releasable", sa.Boolean),
    sa.Column("place", sa.String(64)),
    sa.Index("entries_by_partition", "direction", "partition"),
    sa.Index("entries_by_content", "direction", "sha256"),
    sa.Index("entries_by_name", "direction", "file_name"),
)
events_table = sa.Table(
    "events",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("entry_id", sa.ForeignKey("entries.id")),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("run_id", sa.String(64)),
    sa.Column("operator", sa.String(128), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("row_hash", sa.String(64), nullable=False),
    sa.Index("events_by_entry", "entry_id", "sequence"),
)
