"""Ledgers of earlier versions, as they were then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from pipelines.exchange.ledger.upgrading import planned
from pipelines.exchange.ledger.version import BEFORE_VERSIONS

FROZEN = Path(__file__).parent / "ledgers_frozen"


# Version 0001 was in no release: it is what was there before, with a stamp.
STAMP = (
    "CREATE TABLE ledger_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num))",
    "INSERT INTO ledger_version VALUES ('0001')",
)


# By version: the frozen files, and what else there was.
EARLIER: dict[str, tuple[str, tuple[str, ...]]] = {
    BEFORE_VERSIONS: (BEFORE_VERSIONS, ()),
    "0001": (BEFORE_VERSIONS, STAMP),
}


def statements(version: str, part: str) -> Iterator[str]:
    """What a frozen file says, statement by statement."""
    text = (FROZEN / f"{version}.{part}.sql").read_text(encoding="utf-8")
    yield from (statement for statement in text.split(";\n") if statement.strip())


def execute(url: str, *texts: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for text in texts:
            connection.exec_driver_sql(text.replace("%", "%%") if engine.dialect.name == "postgresql" else text)
    engine.dispose()


def restore(url: str, version: str = BEFORE_VERSIONS, without: tuple[str, ...] = ()) -> None:
    """Put a ledger of an earlier version in place, as it was then."""
    make_folder(url)
    frozen, more = EARLIER[version]
    execute(url, *statements(frozen, sa.make_url(url).get_backend_name()), *statements(frozen, "rows"), *more)
    execute(url, *(f"DROP TABLE {name}" for name in without))


def make_folder(url: str) -> None:
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)


def version(url: str) -> str | None:
    return planned(url).before
