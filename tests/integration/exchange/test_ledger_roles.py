"""PostgreSQL with an owner and a daily role, made by the SQL of docs/operations.md: the daily role works, and owns nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg2
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from psycopg2.errors import InsufficientPrivilege

from pipelines.cli import main
from pipelines.continuity import decisions
from pipelines.exchange.batch import Batch
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import EntryState, LedgerEvent
from pipelines.exchange.left_behind import left_behind
from pipelines.exchange.outbox import Outbox
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.linkage import state
from pipelines.tables.continuity import Decisions
from tests.support.deployment import settings_file
from tests.support.exchange import HOUSEHOLD, INDIVIDUAL, MONDAY, TUESDAY, accept, noon, outbound
from tests.support.ledgers import restore
from tests.support.paths import ROOT
from tests.support.rings import file_store, ring

SECTION = re.compile(r"^## PostgreSQL: who owns.*?(?=^## )", re.MULTILINE | re.DOTALL)
OWNER, DAILY = "renkei_owner", "renkei_daily"
FORBIDDEN = (
    "ALTER TABLE events ADD COLUMN more TEXT",
    "ALTER TABLE entries DROP COLUMN state",
    "ALTER TABLE events DISABLE TRIGGER events_keep",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events OWNER TO renkei_daily",
    "DROP TRIGGER events_keep ON events",
    "DROP FUNCTION events_append_only() CASCADE",
    "CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "SET session_replication_role = replica",
    "UPDATE events SET operator = 'x'",
    "DELETE FROM events",
    "TRUNCATE events",
    "TRUNCATE events, entries CASCADE",
    "DROP TABLE events",
    "DELETE FROM entries",
    "UPDATE linkage_dates SET lost_on = NULL",
    "DELETE FROM linkage_discrepancies",
    "UPDATE continuity_decisions SET decision = 'x'",
    "UPDATE ledger_version SET version_num = '0001'",
    "CREATE TABLE mine (line INTEGER)",
    "CREATE TEMPORARY TABLE mine (line INTEGER)",
)


class Server:
    """The database `renkei` of a PostgreSQL server, as the documentation sets it up."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        section = SECTION.search((ROOT / "docs" / "operations.md").read_text(encoding="utf-8"))
        assert section is not None
        blocks = re.findall(r"^```sql\n(.*?)^```", section.group(), re.MULTILINE | re.DOTALL)
        self.roles, self.schema, self.handing_over, self.grants = blocks

    def url(self, role: str) -> str:
        return self._url.set(username=role, database="renkei").render_as_string()

    def execute(self, text: str, role: str | None = None, database: str = "renkei") -> None:
        """Statement by statement, each at once, as an administrator at a prompt would; None: the administrator."""
        connection = psycopg2.connect(
            host=self._url.host, port=self._url.port, user=role or self._url.username, dbname=database
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in text.split(";\n"):
                    if statement.strip():
                        cursor.execute(statement)
        finally:
            connection.close()


@pytest.fixture
def server(postgres_url: str) -> Iterator[Server]:
    made = Server(postgres_url)
    made.execute(made.roles, database="postgres")
    made.execute(made.schema)
    yield made
    made.execute(
        "DROP DATABASE renkei WITH (FORCE);\nDROP ROLE renkei_owner;\nDROP ROLE renkei_daily", database="postgres"
    )


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> Path:
    return settings_file(tmp_path, more=f'ledger_url = "{server.url(DAILY)}"')


def renkei(settings: Path, *arguments: str) -> Result:
    return CliRunner(env={"RENKEI_SETTINGS": str(settings)}).invoke(main, arguments)


def work_a_day(ledger: Ledger, folder: Path) -> None:
    """Send a pair under seal, receive a file and apply it, leave one, take decisions."""
    for name in ("to_union", "from_union"):
        (folder / name).mkdir(parents=True)
    recorder = ledger.recorder("日々の人", "run-1")
    files = tuple(
        outbound(folder / "out", interface, f"synthetic {interface}\n".encode())
        for interface in (HOUSEHOLD, INDIVIDUAL)
    )
    outbox = Outbox(recorder, file_store(folder / "data"), lambda: ring().current("transfer").certificate)
    outcome = outbox.send(Batch(TUESDAY, files, None, "5a" * 32), LocalFolderTransport(folder / "to_union"))
    assert (outcome.kind, len(list((folder / "to_union").iterdir()))) == ("sent", 2)
    (folder / "from_union" / "dates.csv").write_bytes(b"synthetic\n")
    (folder / "from_union" / "a_folder").mkdir()
    inbox = Inbox(recorder, file_store(folder / "data"), accept)
    arrivals = inbox.receive(LocalFolderTransport(folder / "from_union"))
    assert [arrival.state for arrival in arrivals] == ["refused", "verified"]
    assert [left.code for left in left_behind(ledger)] == ["KR-6302"]
    received = pl.DataFrame({"resident_number": ["000000000000017"], "municipal_insured_id": ["A1"]})
    found = dict.fromkeys(("interface", "resident_number", "code", "title", "ours", "theirs", "question"), "")
    with recorder.transaction() as work:
        entry = work.entries(states={EntryState.VERIFIED})[0]
        for table in (state.dates, state.ids, state.verifications):
            state.add(work.connection, table, received, MONDAY, entry.id)
        state.list_discrepancies(work.connection, pl.DataFrame([found | {"set_aside": True}]), MONDAY, entry.id)
        work.transition(entry, EntryState.APPLIED, taken=1)
    columns = dict.fromkeys(Decisions.names(), "x") | {"month": MONDAY, "moved_on": MONDAY}
    with recorder.transaction() as work:
        kept = decisions.add(work.connection, [columns])
        digest = decisions.digest(work.connection, *kept)
        work.append_event(LedgerEvent.WORKSHEET_IMPORTED, new=1, rows=list(kept), rows_sha256=digest)


def test_the_daily_role_lives_a_day_and_cannot_touch_the_history(
    server: Server, settings: Path, tmp_path: Path
) -> None:
    made = renkei(settings, "ledger", "upgrade", "--url", server.url(OWNER))
    assert made.exit_code == 0, made.output
    lacking = renkei(settings, "ledger", "list")
    assert (lacking.exit_code, lacking.output[:7], "InsufficientPrivilege" in lacking.output) == (2, "KR-6105", True)
    server.execute(server.grants, OWNER)
    for command in (("keys", "init"), ("ledger", "list"), ("audit", "verify")):
        assert renkei(settings, *command).exit_code == 0, command
    ledger = Ledger(server.url(DAILY), noon)
    work_a_day(ledger, tmp_path / "day")
    events = ledger.events()
    for forbidden in FORBIDDEN:
        with pytest.raises(InsufficientPrivilege):
            server.execute(forbidden, DAILY)
    assert (ledger.events(), ledger.verify_chain()) == (events, [])
    ledger.close()


def test_what_the_daily_role_owned_is_handed_over_and_upgraded_by_the_owner_alone(
    server: Server, settings: Path
) -> None:
    server.execute("GRANT CREATE ON SCHEMA public TO renkei_daily")
    restore(server.url(DAILY))
    server.execute("REVOKE CREATE ON SCHEMA public FROM renkei_daily")
    server.execute(server.handing_over)
    assert renkei(settings, "ledger", "list").output[:7] == "KR-6109"
    refused = renkei(settings, "ledger", "upgrade")
    assert (refused.exit_code, "InsufficientPrivilege" in refused.output) == (2, True), refused.output
    assert renkei(settings, "ledger", "upgrade", "--url", server.url(OWNER)).exit_code == 0
    server.execute(server.grants, OWNER)
    assert renkei(settings, "ledger", "list").exit_code == 0
    for forbidden in FORBIDDEN:
        with pytest.raises(InsufficientPrivilege):
            server.execute(forbidden, DAILY)
    ledger = Ledger(server.url(DAILY), noon)
    ledger.recorder("日々の人").append_event(LedgerEvent.TYPED)
    assert ledger.verify_chain() == []
    ledger.close()
