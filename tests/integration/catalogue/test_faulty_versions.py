"""A version with faults: one in force is refused with the command to run; a later one is told and stops nothing today."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.cli import main
from tests.support.deployment import settings_file

FILE = Path("tests/data/defects/date_that_does_not_exist/KRKOJ_999997_20260401_000001.csv")
OWN = "eligibility_individual"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalogue with a version from 2199 on."""
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    [old] = (root / OWN).iterdir()
    new = Path(shutil.copytree(old, root / OWN / "2199-04-01"))
    text = (old / "file.toml").read_text(encoding="utf-8")
    start = f"effective_from = {old.name}"
    (old / "file.toml").write_text(text.replace(start, f"{start}\neffective_to = 2199-04-01"), encoding="utf-8")
    (new / "file.toml").write_text(text.replace(start, "effective_from = 2199-04-01"), encoding="utf-8")
    assert "誤り0件" in run("spec", "lint", "--catalogue", root).output
    return root


def spoil(table: Path, column: str, value: str) -> None:
    with table.open(encoding="utf-8-sig", newline="") as handle:
        heading, *rows = csv.reader(handle)
    rows[8][heading.index(column)] = value
    with table.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows([heading, *rows])


@pytest.mark.parametrize(("column", "value"), [("必須", "○"), ("バイト数", "百")])
def test_a_later_version_is_told_and_stops_nothing(column: str, value: str, root: Path) -> None:
    spoil(root / OWN / "2199-04-01" / "data.csv", column, value)
    assert run("spec", "lint", "--catalogue", root).exit_code == 1
    assert run("validate", FILE, "--catalogue", root).exit_code == 1  # the findings of the file
    listed = run("spec", "list", "--catalogue", root)
    assert listed.exit_code == 0
    assert "KR-7133" in listed.output
    assert run("spec", "show", OWN, "--on", "2199-05-01", "--catalogue", root).exit_code == (2 if value == "百" else 0)


def test_a_version_in_force_is_refused_with_the_command_to_run(root: Path) -> None:
    [old] = set((root / OWN).iterdir()) - {root / OWN / "2199-04-01"}
    spoil(old / "data.csv", "必須", "○")
    refused = run("validate", FILE, "--catalogue", root)
    assert refused.exit_code == 2
    assert "KR-7132" in refused.output
    assert "renkei spec lint" in refused.output


def test_a_row_of_a_shared_table_that_only_a_later_version_uses_stops_nothing(root: Path) -> None:
    with (root / "codes" / "sex.csv").open("a", encoding="utf-8", newline="") as handle:
        handle.write("2,女（新）,female,2199-04-01,,合成\r\n")
    assert run("spec", "lint", "--catalogue", root).exit_code == 1
    assert run("validate", FILE, "--catalogue", root).exit_code == 1
    assert "KR-7132" in run("validate", FILE, "--on", "2199-05-01", "--catalogue", root).output


def test_doctor_tells_of_a_later_version(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(root / OWN / "2199-04-01" / "data.csv", "必須", "○")
    settings = settings_file(tmp_path, more=f'catalogue_folder = "{root}"')
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    assert "KR-7133" in run("doctor").output
