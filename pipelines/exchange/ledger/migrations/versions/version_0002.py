"""Version 0002: what the program goes by of a file, until then dug out of its events, is in columns of its entry.

The events and their hashes stay as they are; the columns are filled from them as the program of this version fills them.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

TITLE = "ファイルの扱いを決める事実（連合会が見る形のハッシュ値、控えの置き場所、封の不備など）を、経過から一件ごとの列に写す"
revision = "0002"
down_revision = "0001"

# By the name that an event's detail has for it. Told anew by any event: the newest holds.
_TOLD_ANEW = {"sealed_sha256": "sealed_sha256"}
# Told once, when the entry is entered or moved.
_TOLD_ONCE = {
    "archive": "archive_path",
    "seal": "seal_fault",
    "incomplete": "is_incomplete",
    "releasable": "is_releasable",
    "place": "place",
}


def upgrade() -> None:
    """Add the columns, and fill them."""
    op.add_column("entries", sa.Column("sealed_sha256", sa.String(64)))
    op.add_column("entries", sa.Column("archive_path", sa.Text))
    op.add_column("entries", sa.Column("seal_fault", sa.String(8)))
    op.add_column("entries", sa.Column("is_incomplete", sa.Boolean))
    op.add_column("entries", sa.Column("is_releasable", sa.Boolean))
    op.add_column("entries", sa.Column("place", sa.String(64)))
    columns = (*_TOLD_ANEW.values(), *_TOLD_ONCE.values())
    entries = sa.table("entries", sa.column("id"), *(sa.column(name) for name in columns))
    connection = op.get_bind()
    events = sa.text("SELECT entry_id, kind, detail FROM events WHERE entry_id IS NOT NULL ORDER BY sequence")
    told: dict[int, dict[str, Any]] = {}
    for entry_id, kind, detail in connection.execute(events):
        _tell(told.setdefault(entry_id, {}), kind, json.loads(detail))
    for entry_id, facts in told.items():
        if facts:
            connection.execute(sa.update(entries).where(entries.c.id == entry_id).values(**facts))


def _tell(facts: dict[str, Any], kind: str, detail: dict[str, Any]) -> None:
    """Take from an event what it tells of its entry."""
    facts.update({column: detail[name] for name, column in _TOLD_ANEW.items() if name in detail})
    if kind != "noted":
        for name, column in _TOLD_ONCE.items():
            if detail.get(name) is not None:
                facts.setdefault(column, detail[name])
