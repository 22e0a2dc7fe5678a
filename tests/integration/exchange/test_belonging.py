"""A data folder, a ledger and keys belong to one municipality: under the settings of another no command uses any of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.orchestration.resources import Deployment

OURS = ("999997", "990010", "99")
THEIRS = ("131041", "138040", "13")
COMMANDS = (
    ("ledger", "list"),
    ("ledger", "recall", "--date", "2026-04-01", "--reason", "試験"),
    ("audit", "verify"),
    ("quarantine", "list"),
    ("linkage", "show"),
    ("linkage", "discrepancies", "--date", "2026-04-01"),
    ("withheld", "--date", "2026-04-01"),
    ("expected",),
    ("keys", "init"),
    ("keys", "list"),
    ("media", "list"),
    ("approve", "--date", "2026-04-01"),
    ("retention", "run", "--dry-run"),
    ("high-cost", "list", "--month", "2026-04"),
    ("continuity", "status", "--month", "2026-04"),
    ("run", "daily", "--date", "2026-04-01"),
    ("run", "monthly", "--month", "2026-04", "--step", "out"),
)


class Place:
    """Settings files in a folder; each names its owner and what it uses."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch

    def settings(
        self, own: tuple[str, str, str], data: str = "data", keys: str = "keys", ledger: str = "ledger"
    ) -> Path:
        path = self.folder / "renkei.toml"
        path.write_text(
            f'municipality_code = "{own[0]}"\ninsurer_number = "{own[1]}"\nprefecture_code = "{own[2]}"\n'
            f'data_folder = "{data}"\nextract_folder = "extracts"\noperator = "試験"\n'
            f'ledger_url = "sqlite:///{self.folder / ledger / "ledger.sqlite"}"\n[keys]\nfolder = "{keys}"\n',
            encoding="utf-8",
        )
        self._monkeypatch.setenv("RENKEI_SETTINGS", str(path))
        return path

    def renkei(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == status, result.output
        return result.output

    def everything(self) -> dict[str, str]:
        """SHA-256 of every file but the settings; a ledger's own bytes may be moved by its readers."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != "renkei.toml" and "ledger.sqlite" not in path.name
        }


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment of ours that has begun, and one of another municipality beside it."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = Place(folder, monkeypatch)
        made.settings(THEIRS, "their_data", "their_keys", "their_ledger")
        made.renkei("keys", "init")
        made.settings(OURS)
        made.renkei("keys", "init")
    return folder


@pytest.fixture
def place(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    shutil.copytree(begun, tmp_path / "place")
    made = Place(tmp_path / "place", monkeypatch)
    made.settings(OURS)
    return made


OURS_SHOWN = "市町村コード 999997・保険者番号 990010・都道府県番号 99"
THEIRS_SHOWN = "市町村コード 131041・保険者番号 138040・都道府県番号 13"
# What is mixed, which part is refused, and who owns that part.
COMBINATIONS: dict[str, tuple[Callable[[Place], object], str, str]] = {
    "settings": (lambda place: place.settings(THEIRS), "データフォルダ", OURS_SHOWN),
    "insurer_number": (lambda place: place.settings((OURS[0], THEIRS[1], OURS[2])), "データフォルダ", OURS_SHOWN),
    "prefecture_code": (lambda place: place.settings((OURS[0], OURS[1], THEIRS[2])), "データフォルダ", OURS_SHOWN),
    "data_folder": (lambda place: place.settings(OURS, data="their_data"), "データフォルダ", THEIRS_SHOWN),
    "ledger_url": (lambda place: place.settings(OURS, ledger="their_ledger"), "台帳", THEIRS_SHOWN),
    "keys": (lambda place: place.settings(OURS, keys="their_keys"), "鍵", "国保連携 131041"),
}


@pytest.mark.parametrize("which", COMBINATIONS)
def test_what_belongs_to_another_municipality_is_refused_and_its_owner_named(place: Place, which: str) -> None:
    mix, what, whose = COMBINATIONS[which]
    mix(place)
    before = place.everything()
    said = place.renkei("ledger", "list", status=2)
    assert "KR-6141" in said
    assert said.startswith(f"KR-6141 {what} ")
    assert f"は {whose} のものです" in said
    assert place.everything() == before
    # Put right again, everything goes on: nothing was bound to the wrong one.
    place.settings(OURS)
    place.renkei("ledger", "list")
    place.settings(THEIRS, "their_data", "their_keys", "their_ledger")
    place.renkei("ledger", "list")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_goes_on_under_anothers_settings(place: Place, command: tuple[str, ...]) -> None:
    place.settings(THEIRS)
    before = place.everything()
    assert "KR-6141" in place.renkei(*command, status=2)
    assert place.everything() == before


def test_neither_does_dagster(place: Place) -> None:
    path = place.settings(OURS, ledger="their_ledger")
    with pytest.raises(dg.Failure, match="KR-6141"):
        _ = Deployment(settings_path=str(path)).environment


def test_the_ledger_says_whose_it_is_in_its_chain(place: Place) -> None:
    ledger = Environment.open(Settings.load()).ledger
    first = ledger.events()[0]
    assert (first.action, first.detail, first.operator) == (
        "belongs_to",
        {"municipality_code": "999997", "insurer_number": "990010", "prefecture_code": "99"},
        "試験",
    )
    assert [event.action for event in ledger.events()].count("belongs_to") == 1
    assert ledger.verify_chain() == []


def test_a_deployment_from_before_is_bound_at_its_first_use(place: Place) -> None:
    """As it was left by a program that bound nothing: a ledger with entries and a folder without the file."""
    mark = place.folder / "data" / "municipality.json"
    mark.unlink()
    place.renkei("ledger", "list")
    assert json.loads(mark.read_text(encoding="utf-8"))["municipality_code"] == "999997"
    mark.unlink()
    # A folder that is bound to no municipality admits no other one: the ledger is, and the keys are.
    place.settings(THEIRS)
    assert "KR-6141" in place.renkei("ledger", "list", status=2)
    assert not mark.exists()
    place.settings(THEIRS, ledger="new_ledger")
    assert "KR-6141" in place.renkei("ledger", "list", status=2)
    assert not mark.exists()


@pytest.mark.parametrize("damage", ["", "{}", "[1]", "{"])
def test_an_unreadable_binding_binds_to_no_municipality(place: Place, damage: str) -> None:
    mark = place.folder / "data" / "municipality.json"
    mark.write_text(damage, encoding="utf-8")
    assert "KR-6141" in place.renkei("ledger", "list", status=2)
    assert mark.read_text(encoding="utf-8") == damage


def test_the_binding_is_for_the_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = os.umask(0)
    try:
        made = Place(tmp_path, monkeypatch)
        made.settings(OURS)
        made.renkei("ledger", "list")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "data" / "municipality.json").stat().st_mode) == 0o600
