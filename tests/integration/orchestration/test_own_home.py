"""Dagster's own home of a deployment: made without a second variable, and brought to the release of Dagster that runs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.support.paths import ROOT
from tests.support.town import DAY, Town

NOTHING_THERE = "連合会のフォルダに、受け取るファイルはありません\n"
SHIPPED = ROOT / "dagster_home" / "dagster.yaml"


@pytest.fixture
def settled(town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("RENKEI_SETTINGS", str(town.folder / "renkei.toml"))
    return town


def receive() -> Result:
    return CliRunner().invoke(main, ("run", "daily", "--date", DAY.isoformat(), "--only", "in"))


def runs(home: Path) -> int:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return len(instance.get_runs())


def test_a_home_of_another_release_is_migrated_and_keeps_its_runs(settled: Town) -> None:
    home = settled.folder / "data" / "dagster_home"
    first = receive()
    assert (first.exit_code, first.output) == (0, NOTHING_THERE), (
        "what Dagster does to its tables is no answer of the command"
    )
    assert (home / "dagster.yaml").read_text("utf-8") == SHIPPED.read_text("utf-8")
    before = runs(home)
    (home / "made_by_dagster").write_text("1.0.0", encoding="ascii")
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n", encoding="utf-8")
    assert receive().exit_code == 0
    assert (home / "made_by_dagster").read_text("ascii") == version("dagster")
    assert (home / "dagster.yaml").read_text("utf-8") == SHIPPED.read_text("utf-8")
    assert runs(home) == 2 * before > 0
