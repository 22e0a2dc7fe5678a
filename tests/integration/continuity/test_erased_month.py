"""A month whose tables retention has erased: every step says what holds, and makes nothing of what is left."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from fixtures.monthly_defects import SOUND
from interfaces.catalogue import DEFAULT_ROOT
from pipelines.tables.high_cost import Counts
from tests.support.deployment import settings_file
from tests.support.monthly_desk import Desk, prepared

MONTH = ("--month", "2026-04")


def soon_erased(folder: Path) -> Path:
    """A catalogue in which every table is kept for a month."""
    root = Path(shutil.copytree(DEFAULT_ROOT, folder / "catalogue"))
    path = root / "retention" / "stores.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.reader(handle))
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        csv.writer(handle).writerows([*rows[:1], *([*row[:2], "1", *row[3:]] for row in rows[1:])])
    return root


@pytest.fixture
def erased(desk: Desk, tmp_path: Path) -> Desk:
    """A month that was sent and whose candidates came in; then its tables are erased."""
    prepared(desk)
    desk.environment.store.write("high_cost_counts", "2026-04-01", Counts.empty())
    assert desk.run("run", "monthly", *MONTH, "--step", "out").exit_code == 0
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    assert desk.run("run", "monthly", *MONTH, "--step", "candidates").exit_code == 0
    settings_file(tmp_path, (), f'catalogue_folder = "{soon_erased(tmp_path)}"\n{desk.more}')
    assert desk.run("retention", "run", "--by", "合成　操作者").exit_code == 0
    assert not desk.environment.store.exists("continuity_candidates", "2026-04-01")
    return desk


@pytest.mark.parametrize(
    "command",
    [
        *(("run", "monthly", *MONTH, "--step", step) for step in ("out", "candidates", "instruction", "results")),
        ("continuity", "worksheet", *MONTH),
        ("continuity", "status", *MONTH),
    ],
    ids=" ".join,
)
def test_a_step_of_an_erased_month_says_what_holds(erased: Desk, command: tuple[str, ...], tmp_path: Path) -> None:
    before = sorted(path for path in (tmp_path / "data" / "assets").rglob("*") if path.is_file())
    result = erased.run(*command)
    assert result.exit_code == 2
    assert "KR-7210 2026-04-01 の処理に必要な" in result.stderr
    assert "2026-04-01 の分は、もう送付または取込が済んでいます（台帳" in result.stderr
    assert "対応は不要です" in result.stderr
    assert sorted(path for path in (tmp_path / "data" / "assets").rglob("*") if path.is_file()) == before


def test_a_count_of_an_erased_month_is_told_to_be_erased(erased: Desk) -> None:
    result = erased.run("high-cost", "list", *MONTH)
    assert result.exit_code == 2
    assert result.stderr.startswith("KR-7208 high_cost_counts の 2026-04-01 の表は、保存期間が過ぎたので")


def test_what_the_next_month_is_compared_with_stays(erased: Desk) -> None:
    assert erased.environment.store.exists("known_income_class", "2026-04-01")
