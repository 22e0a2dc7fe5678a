"""The schema version of a ledger's database, and the upgrade to the newest one. The versions are in `migrations`."""

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
# Version 0001 before databases recorded their version: some of its tables may be missing.
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
    """The versions that a database of `version` still has to go through, oldest first, each with its title."""
    from alembic.script import ScriptDirectory

    newest_first = list(ScriptDirectory.from_config(alembic_settings()).walk_revisions())
    return {
        script.revision: str(script.module.TITLE)
        for script in reversed(newest_first)
        if script.revision > (version or "")
    }


def apply_versions(connection: Connection) -> None:
    """Bring a database to the newest version, in the transaction of the connection."""
    from alembic import command

    config = alembic_settings()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_settings() -> Config:
    """The configuration with which Alembic finds the versions."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "pipelines.exchange.ledger:migrations")
    return config
