"""A small part of `make torture`: days killed at random instants end as days that nobody disturbed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.torture import Outcome, differences, live


@pytest.mark.slow
def test_killed_days_end_like_calm_ones(tmp_path: Path) -> None:
    calm = live(tmp_path / "calm", 2, 600, 2, None, month=False)
    assert len(calm.received) == 4
    killed = live(tmp_path / "killed", 2, 600, 2, random.Random(7), month=False)
    assert sum(killed.kills.values()) >= 3
    assert differences(calm, killed) == []


def test_the_comparison_sees_what_is_lost_doubled_or_left() -> None:
    calm = Outcome("[]", {"a": "1"}, "x", "", [], "不一致 0件")
    assert differences(calm, replace(calm, received={})) == ["received"]
    assert differences(calm, replace(calm, register="[1]")) == ["register"]
    assert differences(calm, replace(calm, left_over=["drafts/a"])) == ["left over: drafts/a"]
    assert differences(calm, replace(calm, audit="不一致 1件")) == ["audit"]
