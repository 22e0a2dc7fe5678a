"""Nothing waits for ever: not for a file's lock, not for the ledger's database."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from interfaces.messages import RenkeiError
from pipelines.cli import main
from pipelines.exchange.ledger import database
from pipelines.exchange.ledger.database import WRITER_LOCK
from pipelines.storage import files
from pipelines.storage.files import write_durably
from pipelines.storage.keyring import KeyRing
from tests.support.deployment import settings_file

PATIENCE = 1.0


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_SECONDS", PATIENCE)


def _key(folder: Path) -> None:
    KeyRing(folder, folder / "passphrase", "試験").create("transfer")


def _file(folder: Path) -> None:
    write_durably(folder / "report.json", b"{}")


WAYS = [(".lock", _key), (".report.json.part", _file)]


@pytest.mark.parametrize(("name", "work"), WAYS)
def test_a_lock_that_is_never_released_is_reported(tmp_path: Path, name: str, work: Callable[[Path], None]) -> None:
    with (tmp_path / name).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        began = time.monotonic()
        with pytest.raises(RenkeiError, match="KR-6021") as caught:
            work(tmp_path)
        assert PATIENCE <= time.monotonic() - began < 10 * PATIENCE
        assert name in str(caught.value)


@pytest.mark.parametrize(("name", "work"), WAYS)
def test_a_lock_that_is_released_in_time_is_waited_for(tmp_path: Path, name: str, work: Callable[[Path], None]) -> None:
    other = (tmp_path / name).open("w")
    fcntl.flock(other, fcntl.LOCK_EX)
    threading.Timer(PATIENCE / 2, other.close).start()
    work(tmp_path)
    assert other.closed


def test_a_command_says_which_lock_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "renkei.toml"
    settings.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    keys = tmp_path / "data" / "keys"
    keys.mkdir(parents=True)
    with (keys / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = CliRunner().invoke(main, ["keys", "init"])
    assert done.exit_code == 2
    assert "KR-6021" in done.output


def test_a_postgresql_ledger_that_another_writer_locks_is_reported(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", int(PATIENCE * 1000))
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(tmp_path, more=f'ledger_url = "{postgres_url}"')))
    recall = ["ledger", "recall", "--date", "2026-04-01", "--reason", "打合せ済み"]
    assert CliRunner().invoke(main, recall).output.startswith("KR-6135")
    address = sa.make_url(postgres_url)
    with psycopg2.connect(
        host=address.host, port=address.port, user=address.username, dbname=address.database
    ) as other:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
        kept = CliRunner().invoke(main, recall)
    other.close()
    assert (kept.exit_code, kept.output[:7]) == (2, "KR-6108")
    assert CliRunner().invoke(main, recall).output.startswith("KR-6135")
