"""Ledgers of earlier versions, brought to the newest one on both databases: nothing lost, all or nothing, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from exchange.exchange_support import noon

from interfaces.messages import RenkeiError
from pipelines.continuity import decisions
from pipelines.exchange import left_behind
from pipelines.exchange.ledger import schema
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.upgrading import planned, upgrade
from pipelines.exchange.ledger.version import BEFORE_VERSIONS, NEWEST, VERSION_TABLE
from pipelines.linkage import state

FROZEN = Path(__file__).parent / "ledgers"
LAZY = (
    "left_behind",
    "linkage_dates",
    "linkage_ids",
    "linkage_verifications",
    "linkage_discrepancies",
    "continuity_decisions",
)
OF_THE_PROGRAM = [schema.metadata, left_behind.metadata, state.metadata, decisions.metadata]
PROGRAM = "from pipelines.exchange.ledger.upgrading import upgrade\n"


def statements(version: str, part: str) -> Iterator[str]:
    """What a frozen file says, statement by statement."""
    text = (FROZEN / f"{version}.{part}.sql").read_text(encoding="utf-8")
    yield from (one for one in text.split(";\n") if one.strip())


def execute(url: str, *texts: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for text in texts:
            connection.exec_driver_sql(text.replace("%", "%%") if engine.dialect.name == "postgresql" else text)
    engine.dispose()


def restore(url: str, version: str = BEFORE_VERSIONS, without: tuple[str, ...] = ()) -> None:
    """Lay a ledger of an earlier version there, as it was then."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    execute(url, *statements(version, address.get_backend_name()), *statements(version, "rows"))
    execute(url, *(f"DROP TABLE {name}" for name in without))


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of a ledger, the columns in the order of their names."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {}
        for name in sa.inspect(connection).get_table_names():
            columns = sorted(column["name"] for column in sa.inspect(connection).get_columns(name))
            query = sa.select(*(sa.column(one) for one in columns)).select_from(sa.table(name))
            found[name] = sorted((tuple(row) for row in connection.execute(query)), key=repr)
    engine.dispose()
    return found


def tables(url: str) -> list[object]:
    """What differs between the tables of a database and those of the program."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found = compare_metadata(context, OF_THE_PROGRAM)  # type: ignore[arg-type]  # it takes several
    engine.dispose()
    return found


def version(url: str) -> str | None:
    return planned(url).before


def test_the_newest_version_is_the_tables_of_the_program(any_url: str) -> None:
    Ledger(any_url, noon).close()
    assert (tables(any_url), version(any_url)) == ([], NEWEST)
    assert sorted(contents(any_url)) == sorted(
        [VERSION_TABLE, *(name for one in OF_THE_PROGRAM for name in one.tables)]
    )


def test_every_version_up_to_the_newest_has_a_title_and_no_way_back() -> None:
    from alembic.script import ScriptDirectory

    from pipelines.exchange.ledger.version import _config

    scripts = ScriptDirectory.from_config(_config())
    assert scripts.get_heads() == [NEWEST]
    assert all(one.module.TITLE and not hasattr(one.module, "downgrade") for one in scripts.walk_revisions())


@pytest.mark.parametrize(
    "without", [(), LAZY, LAZY[1:5], LAZY[:1]], ids=["whole", "begun", "no linkage", "nothing left"]
)
def test_a_ledger_without_a_version_is_taken_over_whole(any_url: str, without: tuple[str, ...]) -> None:
    restore(any_url, without=without)
    before = contents(any_url)
    done = upgrade(any_url, "試験", noon)
    assert (done.before, done.after, version(any_url)) == (BEFORE_VERSIONS, NEWEST, NEWEST)
    assert tables(any_url) == []
    after = contents(any_url)
    for name, rows in before.items():
        assert len(after[name]) == len(rows) + (name == "events"), name
        if name not in ("entries", "events"):
            assert after[name] == rows
    assert set(before["events"]) < set(after["events"])
    ledger = Ledger(any_url, noon)
    assert ledger.verify_chain() == []
    told = ledger.events()[-1]
    assert (told.action, told.operator) == ("ledger_upgraded", "試験")
    assert told.detail == {"before": BEFORE_VERSIONS, "after": NEWEST}
    assert ledger.recorder("試験").enter_inbound("next.csv").id > len(before["entries"])
    for change in ("UPDATE events SET operator = 'x'", "DELETE FROM events"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger.transaction() as connection:
            connection.execute(sa.text(change))
    ledger.close()


def test_an_upgrade_that_is_repeated_does_nothing(any_url: str) -> None:
    restore(any_url)
    upgrade(any_url, "試験", noon)
    before = contents(any_url)
    assert upgrade(any_url, "試験", noon).steps == {}
    assert contents(any_url) == before


def test_a_refusal_leaves_everything_as_it_was(any_url: str) -> None:
    restore(any_url)
    before = contents(any_url)

    def refuse(_: object) -> None:
        raise RenkeiError("KR-6141")

    with pytest.raises(RenkeiError, match="KR-6141"):
        upgrade(any_url, "試験", noon, require=refuse)
    assert contents(any_url) == before
