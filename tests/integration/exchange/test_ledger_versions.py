"""Ledgers of earlier versions, brought to the newest one on both databases: nothing lost, all or nothing, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from click.testing import CliRunner, Result

from interfaces.messages import RenkeiError
from pipelines.cli import main
from pipelines.continuity import decisions
from pipelines.exchange import left_behind
from pipelines.exchange.ledger import schema
from pipelines.exchange.ledger.database import reach
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import SENT_STATES, Direction, EntryState, LedgerEvent
from pipelines.exchange.ledger.upgrading import upgrade
from pipelines.exchange.ledger.version import BEFORE_VERSIONS, NEWEST, VERSION_TABLE, alembic_settings
from pipelines.linkage import state
from tests.support.deployment import settings_file
from tests.support.exchange import noon
from tests.support.ledgers import EARLIER, execute, restore, version
from tests.support.processes import Started
from tests.support.rings import file_store

LAZY = (
    "left_behind",
    "linkage_dates",
    "linkage_ids",
    "linkage_verifications",
    "linkage_discrepancies",
    "continuity_decisions",
)
OF_THE_PROGRAM = [schema.metadata, left_behind.metadata, state.metadata, decisions.metadata]
# Ends itself at the N-th statement or commit of an upgrade, if it comes to so many; else says how many there were.
DYING = """
import os, signal, sys
import sqlalchemy as sa
from pipelines.exchange.ledger.upgrading import upgrade
at, done = int(sys.argv[2]), 0
def count(*_):
    global done
    done += 1
    if done == at:
        os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "before_cursor_execute", count)
sa.event.listen(sa.Engine, "commit", count)
upgrade(sys.argv[1], "試験")
print(done)
"""


def clear(url: str) -> None:
    """Take every table of a database away."""
    execute(url, *(f"DROP TABLE {name}" for name in sorted(contents(url), key=order, reverse=True)))


def order(name: str) -> tuple[bool, str]:
    """Tables that refer to others come last."""
    return name == "events", name


def shape(url: str) -> dict[str, Any]:
    """Tables, columns, keys, indexes and triggers of a database, as it reports them itself."""
    engine = sa.create_engine(url)
    triggers = "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
    if engine.dialect.name == "postgresql":
        triggers = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    with engine.connect() as connection:
        look = sa.inspect(connection)
        found: dict[str, Any] = {
            name: {
                "columns": [{**column, "type": repr(column["type"])} for column in look.get_columns(name)],
                "key": look.get_pk_constraint(name),
                "foreign": look.get_foreign_keys(name),
                "indexes": look.get_indexes(name),
            }
            for name in look.get_table_names()
            if name != VERSION_TABLE
        }
        texts = connection.execute(sa.text(triggers)).scalars()
        found["triggers"] = sorted(text.replace(" IF NOT EXISTS", "") for text in texts)
    engine.dispose()
    return found


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of a ledger, the columns in the order of their names."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {}
        for name in sa.inspect(connection).get_table_names():
            columns = sorted(column["name"] for column in sa.inspect(connection).get_columns(name))
            query = sa.select(*(sa.column(column) for column in columns)).select_from(sa.table(name))
            found[name] = sorted((tuple(row) for row in connection.execute(query)), key=repr)
    engine.dispose()
    return found


def differences(url: str) -> list[Any]:
    """What differs between the tables of a database and those of the program."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found = list(compare_metadata(context, OF_THE_PROGRAM))  # type: ignore[arg-type]  # it takes several
    engine.dispose()
    return found


def test_the_newest_version_is_the_tables_of_the_program(any_url: str) -> None:
    Ledger(any_url, noon).close()
    assert (differences(any_url), version(any_url)) == ([], NEWEST)
    assert sorted(contents(any_url)) == sorted(
        [VERSION_TABLE, *(name for metadata in OF_THE_PROGRAM for name in metadata.tables)]
    )


def test_the_first_version_is_the_database_of_before(any_url: str) -> None:
    restore(any_url)
    before = shape(any_url)
    assert len(before["triggers"]) in (1, 2)
    clear(any_url)
    engine = sa.create_engine(any_url)
    settings = alembic_settings()
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
    engine.dispose()
    assert shape(any_url) == before


def test_every_version_up_to_the_newest_has_a_title_and_no_way_back() -> None:
    scripts = ScriptDirectory.from_config(alembic_settings())
    assert scripts.get_heads() == [NEWEST]
    assert all(
        revision.module.TITLE and not hasattr(revision.module, "downgrade") for revision in scripts.walk_revisions()
    )


@pytest.mark.parametrize(
    "without", [(), LAZY, LAZY[1:5], LAZY[:1]], ids=["whole", "begun", "no linkage", "nothing left"]
)
def test_a_ledger_without_a_version_is_taken_over_whole(any_url: str, without: tuple[str, ...]) -> None:
    restore(any_url, without=without)
    before = contents(any_url)
    done = upgrade(any_url, "試験", noon)
    assert (done.before, done.after, version(any_url)) == (BEFORE_VERSIONS, NEWEST, NEWEST)
    assert differences(any_url) == []
    after = contents(any_url)
    for name, rows in before.items():
        assert len(after[name]) == len(rows) + (name == "events"), name
        if name not in ("entries", "events"):
            assert after[name] == rows
    assert set(before["events"]) < set(after["events"])
    ledger = Ledger(any_url, noon)
    assert ledger.verify_chain() == []
    event = ledger.events()[-1]
    assert (event.action, event.operator) == ("ledger_upgraded", "試験")
    assert event.detail == {"before": BEFORE_VERSIONS, "after": NEWEST}
    assert ledger.recorder("試験").create_inbound_entry("next.csv").id > len(before["entries"])
    for change in ("UPDATE events SET operator = 'x'", "DELETE FROM events"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), ledger.recorder("試験").transaction() as work:
            work.connection.execute(sa.text(change))
    ledger.close()


@pytest.mark.parametrize("earlier", EARLIER)
def test_what_the_events_say_of_a_file_is_in_its_entry(any_url: str, earlier: str) -> None:
    restore(any_url, earlier)
    upgrade(any_url, "試験", noon)
    ledger = Ledger(any_url, noon)

    def only_of(**filters: Any) -> Entry:
        (found,) = ledger.entries(**filters)
        return found

    def detail_of(entry: Entry, action: str) -> dict[str, Any]:
        return [event.detail for event in ledger.events(entry.id) if event.action == action][-1]

    first, again = ledger.entries(states={EntryState.ACCEPTED})[0], ledger.entries(states={EntryState.SENT})[0]
    assert first.sealed_sha256 == detail_of(first, "sealed")["sealed_sha256"]
    assert (
        again.sealed_sha256
        == detail_of(again, "resealed")["sealed_sha256"]
        != detail_of(again, "sealed")["sealed_sha256"]
    )
    assert only_of(interfaces={"income_class"}).sealed_sha256 is None
    applied = only_of(states={EntryState.APPLIED})
    assert (applied.archive_path, applied.sealed_sha256) == (
        detail_of(applied, "received")["archive"],
        detail_of(applied, "received")["sealed_sha256"],
    )
    assert only_of(states={EntryState.DUPLICATE}).archive_path is None
    unsealed, part = only_of(file_name="ids_2026-04-07.csv"), only_of(file_name="ids_2026-04-08.csv.p7m")
    assert (unsealed.seal_fault, unsealed.is_incomplete, unsealed.is_releasable) == ("KR-6325", None, True)
    assert (part.seal_fault, part.is_incomplete, part.is_releasable) == ("KR-6321", True, False)
    assert (only_of(states={EntryState.CLAIMED}).place, applied.place) == ("媒体-7", None)
    ledger.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET sealed_sha256 = NULL WHERE state = 'sent'",
        "UPDATE entries SET sealed_sha256 = 'ff' WHERE state = 'applied'",
        "UPDATE entries SET archive_path = 'elsewhere' WHERE state = 'applied'",
        "UPDATE entries SET seal_fault = NULL WHERE state = 'quarantined'",
        "UPDATE entries SET is_incomplete = TRUE WHERE state = 'applied'",
        "UPDATE entries SET is_releasable = TRUE WHERE state = 'quarantined'",
        "UPDATE entries SET place = 'union' WHERE state = 'claimed'",
    ],
)
def test_a_new_column_that_the_history_contradicts_is_found(sqlite_url: str, change: str) -> None:
    restore(sqlite_url)
    upgrade(sqlite_url, "試験", noon)
    execute(sqlite_url, change)
    ledger = Ledger(sqlite_url, noon)
    assert {(fault.code, change.split()[3] in fault.text) for fault in ledger.verify_chain()} == {("KR-6123", True)}
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


def test_a_kill_leaves_the_old_version_whole_and_the_next_run_finishes(any_url: str) -> None:
    def run(at: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", DYING, any_url, str(at)], capture_output=True, text=True)

    restore(any_url)
    last = int(run(0).stdout)
    clear(any_url)
    restore(any_url)
    before = contents(any_url)
    # Among the tables of the first version, between the versions, in the columns' contents, before the note and the commit.
    for at in (last // 4, last // 2, last * 3 // 4, last - 3, last):
        assert run(at).returncode == -signal.SIGKILL
        assert contents(any_url) == before
    assert run(0).returncode == 0
    assert (version(any_url), differences(any_url)) == (NEWEST, [])


class Deployment:
    """A deployment whose ledger is an earlier version's, with the files that its history names."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.settings = settings_file(folder, more=f'ledger_url = "{url}"')
        self.data = folder / "data"
        self.environment = {**os.environ, "RENKEI_SETTINGS": str(self.settings)}

    def renkei(self, *arguments: str) -> Result:
        return CliRunner(env={"RENKEI_SETTINGS": str(self.settings)}).invoke(main, arguments)

    def lay_files(self) -> None:
        """The copies in outbox and archive of what the frozen history sent and received."""
        engine = sa.create_engine(self.url)
        with engine.connect() as connection:
            rows = connection.execute(sa.select(schema.entries_table)).mappings().all()
        engine.dispose()
        own = file_store(self.data)
        for row in rows:
            content = b"half" if row["size"] == len(b"half") else f"{row['file_name']}\n".encode()
            if row["direction"] == Direction.OUTBOUND and row["state"] in SENT_STATES:
                name = f"{row['sha256'][:12]}_{row['file_name']}.p7m"
                own.put(self.data / "outbox" / row["partition"].isoformat() / name, content)
            elif row["archive_path"] is not None:
                own.put(self.data / row["archive_path"], content)


@pytest.fixture
def deployment(tmp_path: Path, any_url: str) -> Deployment:
    return Deployment(tmp_path / "town", any_url)


@pytest.mark.parametrize("earlier", EARLIER)
def test_an_operator_upgrades_and_the_audit_says_whole(deployment: Deployment, earlier: str) -> None:
    restore(deployment.url, earlier)
    before = contents(deployment.url)
    for words in (("ledger", "list"), ("audit", "verify"), ("keys", "init")):
        refused = deployment.renkei(*words)
        assert (refused.exit_code, refused.output[:7]) == (2, "KR-6109"), refused.output
    shown = deployment.renkei("ledger", "upgrade", "--dry-run")
    assert shown.exit_code == 0
    assert f"版 {earlier} → {NEWEST}" in shown.output
    assert [line.split()[0] for line in shown.output.splitlines()[1:-1]] == [
        version_number for version_number in ("0001", "0002") if version_number > earlier
    ]
    assert contents(deployment.url) == before
    done = deployment.renkei("ledger", "upgrade", "--by", "情報係")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"台帳を版 {NEWEST} にしました")
    assert deployment.renkei("ledger", "upgrade").output.endswith("することはありません\n")
    deployment.lay_files()
    whole = deployment.renkei("audit", "verify")
    assert (whole.exit_code, "不一致 0件" in whole.output) == (0, True), whole.output
    assert "ファイル 10件、判定 2件" in whole.output


def test_a_ledger_that_is_newer_is_refused_and_not_upgraded(deployment: Deployment) -> None:
    Ledger(deployment.url, noon).close()
    opened = Ledger(deployment.url, noon)
    execute(deployment.url, "UPDATE ledger_version SET version_num = '0009'")
    before = contents(deployment.url)
    for words in (("ledger", "list"), ("ledger", "upgrade"), ("ledger", "upgrade", "--dry-run"), ("keys", "init")):
        refused = deployment.renkei(*words)
        assert (refused.exit_code, refused.output[:7]) == (2, "KR-6110"), refused.output
    # Who had it open when it became newer writes nothing either.
    with pytest.raises(RenkeiError, match="KR-6110"):
        opened.recorder("試験").append_event(LedgerEvent.TYPED)
    assert contents(deployment.url) == before
    opened.close()


def test_when_two_processes_upgrade_at_once_one_does_it(deployment: Deployment) -> None:
    restore(deployment.url)
    with reach(deployment.url).upgrading(create_if_missing=True):
        both = [Started(("ledger", "upgrade"), deployment.environment) for _ in range(2)]
        time.sleep(3)
        assert all(process.works() for process in both)
    ended = [process.end(60) for process in both]
    assert [answer.returncode for answer in ended] == [0, 0], ended
    assert sorted("にしました" in answer.stdout for answer in ended) == [False, True]
    ledger = Ledger(deployment.url, noon)
    assert len(ledger.events_of(LedgerEvent.LEDGER_UPGRADED)) == 1
    assert ledger.verify_chain() == []
    ledger.close()


def test_another_municipalitys_ledger_is_not_upgraded(tmp_path: Path, any_url: str) -> None:
    restore(any_url)
    before = contents(any_url)
    place = Deployment(tmp_path / "town", any_url)
    text = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(text.replace('"990010"', '"990028"'), encoding="utf-8")
    refused = place.renkei("ledger", "upgrade")
    assert (refused.exit_code, "KR-6141" in refused.output) == (2, True)
    assert contents(any_url) == before


def test_an_upgrade_creates_no_ledger_where_files_were_sent(deployment: Deployment) -> None:
    (deployment.data / "outbox").mkdir(parents=True)
    refused = deployment.renkei("ledger", "upgrade")
    assert (refused.exit_code, "KR-6107" in refused.output) == (2, True)
    (deployment.data / "outbox").rmdir()
    assert deployment.renkei("ledger", "upgrade").exit_code == 0
    assert deployment.renkei("ledger", "list").exit_code == 0


def test_there_is_no_way_back(deployment: Deployment) -> None:
    assert "downgrade" not in deployment.renkei("ledger", "--help").output
    assert deployment.renkei("ledger", "downgrade").exit_code == 2
