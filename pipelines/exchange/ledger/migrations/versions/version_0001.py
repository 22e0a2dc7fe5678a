"""Version 0001: the database as the program made it before there were versions (commit 189817c). Fills nothing.

There each module made its tables when it first needed them, so a database may have some of them. What is there stays.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

TITLE = "最初の版（送受の一件ごとの状態、経過、フォルダに残ったもの、連携の状態、継続の判定）"
revision = "0001"
down_revision = None

_TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER IF NOT EXISTS events_keep_rows BEFORE DELETE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
        "CREATE TRIGGER IF NOT EXISTS events_keep_text BEFORE UPDATE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'events is append-only'; END $$",
        "CREATE OR REPLACE TRIGGER events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()",
    ),
}


def upgrade() -> None:
    """Make the tables that are not there, and the triggers that let nobody change or remove an event."""
    _entries_and_events()
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
    _left_behind()
    _linkage()
    _decisions()


def _entries_and_events() -> None:
    op.create_table(
        "entries",
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
        if_not_exists=True,
    )
    _index("entries_by_partition", "entries", "direction", "partition")
    _index("entries_by_content", "entries", "direction", "sha256")
    _index("entries_by_name", "entries", "direction", "file_name")
    op.create_table(
        "events",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("entry_id", sa.Integer, sa.ForeignKey("entries.id")),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("run_id", sa.String(64)),
        sa.Column("operator", sa.String(128), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
        if_not_exists=True,
    )
    _index("events_by_entry", "events", "entry_id", "sequence")


def _left_behind() -> None:
    op.create_table(
        "left_behind",
        sa.Column("place", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger),
        sa.Column("modified", sa.Float),
        sa.Column("since", sa.String(40), nullable=False),
        sa.Column("code", sa.String(8), nullable=False),
        if_not_exists=True,
    )


def _linkage() -> None:
    _taken(
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
    _taken(
        "linkage_ids",
        sa.Column("municipal_insured_id", sa.String(32)),
        sa.Column("prefecture_insured_id", sa.String(32)),
        sa.Column("assigned_on", sa.Date),
    )
    _taken(
        "linkage_verifications",
        sa.Column("verification_kind", sa.String(32)),
        sa.Column("my_number_registered_on", sa.Date),
        sa.Column("detected_on", sa.Date),
    )
    op.create_table(
        "linkage_discrepancies",
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("entry_id", sa.Integer, nullable=False),
        sa.Column("known_from", sa.Date, nullable=False),
        sa.Column("interface", sa.String(64), nullable=False),
        sa.Column("resident_number", sa.String(15), nullable=False),
        sa.Column("code", sa.String(8), nullable=False),
        sa.Column("title", sa.String(64), nullable=False),
        sa.Column("ours", sa.Text, nullable=False),
        sa.Column("theirs", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("set_aside", sa.Boolean, nullable=False),
        if_not_exists=True,
    )
    _index("ix_linkage_discrepancies_known_from", "linkage_discrepancies", "known_from")


def _taken(name: str, *facts: sa.Column[Any]) -> None:
    """A table of records that were taken of the Union's files."""
    op.create_table(
        name,
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("resident_number", sa.String(15), nullable=False),
        sa.Column("known_from", sa.Date, nullable=False),
        sa.Column("entry_id", sa.Integer, nullable=False),
        *facts,
        if_not_exists=True,
    )
    _index(f"ix_{name}_resident_number", name, "resident_number")


def _decisions() -> None:
    op.create_table(
        "continuity_decisions",
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("month", sa.Date, nullable=False),
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
        if_not_exists=True,
    )
    _index("ix_continuity_decisions_month", "continuity_decisions", "month")


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), if_not_exists=True)
