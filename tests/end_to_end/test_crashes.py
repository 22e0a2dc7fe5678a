"""A small part of `make torture`: a day killed at random instants ends as one that nobody disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.torture.chance import by_chance
from fixtures.torture.town import Outcome, differences


@pytest.mark.slow
def test_a_killed_day_ends_like_a_calm_one(tmp_path: Path) -> None:
    row = by_chance(tmp_path, rounds=1, persons=600, month=False)
    assert row.tries >= 3
    assert row.differences == []


@pytest.mark.slow
def test_the_command_starts_its_parts_in_processes_of_their_own(tmp_path: Path) -> None:
    """As `make torture` does; the smallest part has one kill."""
    command = [sys.executable, "-m", "fixtures.torture", "--part", "continuity import"]
    done = subprocess.run(command, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "SIGKILL" in line]
    assert row.endswith("| 1 | run again: done (ledger 1) | 0 |")


def test_the_comparison_sees_what_is_lost_doubled_or_left() -> None:
    calm = Outcome("[]", {"a": "1"}, "sent", "x", "", "不一致 0件")
    assert differences(calm, replace(calm, received={})) == ["received"]
    assert differences(calm, replace(calm, register="[1]")) == ["register"]
    assert differences(calm, replace(calm, ledger="sending")) == ["ledger"]
    assert differences(calm, replace(calm, left_over=["data/.a.part"])) == ["left over: data/.a.part"]
    assert differences(calm, replace(calm, audit="不一致 1件")) == ["audit"]
