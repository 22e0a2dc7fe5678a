"""`renkei rerun --failed`: what failed last is found in Dagster's records, shown first, and run again from its intake."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.processes import renkei
from tests.support.town import DAY, Town

DAGSTER = Path(sys.executable).with_name("dagster")
NEXT = dt.date(2026, 4, 2)


class Desk:
    """The town's operator, with a Dagster home of its own."""

    def __init__(self, town: Town) -> None:
        self.town = town
        home = town.folder / "home"
        home.mkdir()
        shutil.copy(ROOT / "dagster_home" / "dagster.yaml", home)
        self.environment = os.environ | {"RENKEI_SETTINGS": str(town.folder / "renkei.toml"), "DAGSTER_HOME": str(home)}
        subprocess.run([DAGSTER, "instance", "migrate"], env=self.environment, check=True, capture_output=True)

    def renkei(self, *arguments: str) -> tuple[int, str]:
        done = renkei(arguments, self.environment)
        return done.returncode, done.stdout


@pytest.fixture
def desk(town: Town) -> Desk:
    return Desk(town)


def test_a_failed_day_is_shown_then_mended_then_run_again(desk: Desk) -> None:
    resident = next(path for path in desk.town.extract(DAY) if path.name.startswith("resident"))
    right = resident.read_bytes()
    resident.write_bytes(right.replace("氏名".encode(), "名前".encode(), 1))
    assert desk.renkei("run", "daily", "--date", "2026-04-01", "--only", "out")[0] == 2
    shown = desk.renkei("rerun", "--failed", "--dry-run")
    assert shown == (0, "再実行 daily_out 2026-04-01\n")
    assert desk.town.sent() == []
    assert desk.renkei("rerun", "--failed", "--from", "2026-04-02") == (0, "失敗したままのパーティションはありません\n")
    assert desk.renkei("rerun", "--failed")[0] == 1
    resident.write_bytes(right)
    status, said = desk.renkei("rerun", "--failed", "--to", "2026-04-01")
    assert (status, said.splitlines()[-1]) == (0, "1件のうち成功 1件")
    assert len(desk.town.sent()) == 2
    assert desk.renkei("rerun", "--failed", "--dry-run") == (0, "失敗したままのパーティションはありません\n")
