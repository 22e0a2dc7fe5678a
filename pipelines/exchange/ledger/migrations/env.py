"""Run by Alembic: applies versions in the transaction of whoever called. Opens, begins and commits nothing itself."""

from __future__ import annotations

from alembic import context

from pipelines.exchange.ledger.version import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
