"""Keys over their life, through the command line: made, renewed without losing anything, retired when nothing needs them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.tables.eligibility import People

NUMBERS = pl.DataFrame({"resident_number": ["000000000000001"], "my_number": ["123456789018"]})
PEOPLE = People.of([{"resident_number": "000000000000001", "name": "合成　カナリア"}])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment with keys of its own, two tables, a kept file, and a file as it was sealed for the Union."""
    (tmp_path / "renkei.toml").write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))
    environment = opened()
    environment.store.write("my_numbers", "2026-04-01", NUMBERS)
    environment.store.write("people", "2026-04-01", PEOPLE)
    environment.file_store.put(tmp_path / "data" / "archive" / "a.csv.p7m", b"synthetic")
    (tmp_path / "data" / "archive" / "a.csv.to_union.p7m").write_bytes(b"sealed for the Union")
    return tmp_path / "data"


def opened() -> Environment:
    return Environment.open(Settings.load())


def renkei(*arguments: str, status: int = 0) -> str:
    result: Result = CliRunner().invoke(main, ["keys", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def everything_is_read() -> None:
    environment = opened()
    assert environment.store.read("my_numbers", "2026-04-01").equals(NUMBERS)
    assert environment.store.read("people", "2026-04-01").equals(PEOPLE)
    assert environment.file_store.read(environment.settings.data_folder / "archive" / "a.csv.p7m") == b"synthetic"


def states() -> dict[str, tuple[bool, bool]]:
    return {row["key"]: (row["current"], row["private_key"]) for row in json.loads(renkei("list", "--json"))}


def actions() -> list[tuple[str, str]]:
    return [(e.action, str(e.detail["key"])) for e in opened().ledger.events() if e.action.startswith("key_")]


@pytest.mark.parametrize(("reason", "code"), [(" ", "KR-6312"), ("１２３４５６７８９０１８ の件", "KR-6314")])
def test_a_reason_that_the_ledger_must_not_keep_stops_the_command_before_it_does_anything(
    data: Path, reason: str, code: str
) -> None:
    before = states(), actions()
    said = renkei("rotate", "records", "--reason", reason, status=2)
    assert code in said
    assert "１２３" not in said
    assert (states(), actions()) == before


@pytest.mark.parametrize("passphrase", [None, "another"])
def test_without_its_passphrase_no_key_is_made(data: Path, passphrase: str | None) -> None:
    """The passphrase lies on a medium that is not there, or another's is: what a new key closed nobody could open."""
    place = data / "keys" / "passphrase"
    right = place.read_text(encoding="ascii")
    place.unlink()
    if passphrase is not None:
        place.touch(0o600)
        place.write_text(passphrase, encoding="ascii")
    before = states()
    said = renkei("rotate", "records", "--reason", "期限", status=2)
    assert ("KR-7112" if passphrase is None else "KR-7113") in said
    assert states() == before
    assert place.exists() is (passphrase is not None)
    place.touch(0o600)
    place.write_text(right, encoding="ascii")
    renkei("rotate", "records", "--reason", "期限")
    everything_is_read()


def test_init_makes_what_is_missing_and_says_what_to_hand_over(data: Path) -> None:
    assert states() == {"records-1": (True, True), "my_number-1": (True, True)}
    assert "transfer-1.cert.pem" in renkei("init")
    assert "作成" not in renkei("init")
    assert states()["transfer-1"] == (True, True)
    made = actions()
    assert sorted(made) == [("key_created", f"{one}-1") for one in ("my_number", "records", "transfer")]


@pytest.mark.parametrize(("purpose", "closed"), [("records", 2), ("my_number", 1)])
def test_rotation_loses_nothing_and_lets_the_old_key_go(data: Path, purpose: str, closed: int) -> None:
    reason = ("--reason", "定期の更新", "--by", "鍵担当")
    assert "KR-7116" in renkei("retire", f"{purpose}-1", *reason, status=2)
    before = {path: path.read_bytes() for path in data.rglob("*") if path.suffix in (".p7m", ".parquet")}
    assert f"再暗号化したもの {closed}件" in renkei("rotate", purpose, *reason)
    changed = [path for path, content in before.items() if path.read_bytes() != content]
    assert len(changed) == closed
    everything_is_read()
    renkei("retire", f"{purpose}-1", *reason)
    assert states()[f"{purpose}-1"] == (False, False)
    assert states()[f"{purpose}-2"] == (True, True)
    everything_is_read()
    assert actions()[-2:] == [("key_rotated", f"{purpose}-2"), ("key_retired", f"{purpose}-1")]
    assert opened().ledger.verify_chain() == []


def test_a_key_that_still_closes_something_is_not_retired(data: Path) -> None:
    renkei("rotate", "records", "--reason", "更新")
    kept = data / "archive" / "a.csv.p7m"
    content = kept.read_bytes()
    renkei("rotate", "records", "--reason", "更新")
    renkei("retire", "records-1", "--reason", "更新")
    kept.write_bytes(content)  # as a restored backup would bring it back
    assert "KR-7115" in renkei("retire", "records-2", "--reason", "更新", status=2)
    assert "再暗号化したもの 1件" in renkei("rotate", "records", "--reason", "途中で止まった更新の続き")
    assert set(states()) >= {"records-1", "records-2", "records-3"}
    assert "records-4" not in states()
    renkei("retire", "records-2", "--reason", "更新")
    everything_is_read()


def test_without_its_keys_an_old_deployment_makes_no_new_ones(data: Path) -> None:
    for path in (data / "keys").iterdir():
        path.unlink()
    environment = opened()
    with pytest.raises(Exception, match="KR-7111"):
        environment.store.write("people", "2026-04-02", PEOPLE)
    with pytest.raises(Exception, match="KR-7112"):
        environment.store.read("people", "2026-04-01")
