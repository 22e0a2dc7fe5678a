"""Which version a ledger's database has, and the way to the newest one. What each version is stands in `migrations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from interfaces.messages import RenkeiError
from pipelines.exchange.ledger.schema import events_table

if TYPE_CHECKING:
    from alembic.config import Config

# A name of our own: Dagster keeps an `alembic_version` in its databases, and may share ours.
VERSION_TABLE: Final = "ledger_version"
# What version 0001 was before databases said their version: some of its tables may not be there yet.
BEFORE_VERSIONS: Final = "0000"
# The version that this program reads and writes: its tables are those of `schema` and of the modules that keep their own.
NEWEST: Final = "0002"
_stamps: Final = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))


def version_of(connection: Connection) -> str | None:
    """The version of a database, which compares as text does; None when there is no ledger in it."""
    tables = sa.inspect(connection)
    if tables.has_table(VERSION_TABLE):
        return str(connection.execute(sa.select(_stamps.c.version_num)).scalar_one())
    return BEFORE_VERSIONS if tables.has_table(events_table.name) else None


def require_newest(version: str | None, shown_url: str) -> None:
    """KR-6109 when a database is older than the program, KR-6110 when it is newer."""
    if version != NEWEST:
        code = "KR-6110" if version is not None and version > NEWEST else "KR-6109"
        raise RenkeiError(code, url=shown_url, version=version, newest=NEWEST)


def steps_from(version: str | None) -> dict[str, str]:
    """The versions that a database of this one is still to go through, oldest first, each with its title."""
    from alembic.script import ScriptDirectory

    newest_first = list(ScriptDirectory.from_config(alembic_settings()).walk_revisions())
    return {one.revision: str(one.module.TITLE) for one in reversed(newest_first) if one.revision > (version or "")}


def apply_versions(connection: Connection) -> None:
    """Bring a database to the newest version, in the transaction of the connection."""
    from alembic import command

    config = alembic_settings()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_settings() -> Config:
    """What Alembic must know to find the versions."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "pipelines.exchange.ledger:migrations")
    return config
