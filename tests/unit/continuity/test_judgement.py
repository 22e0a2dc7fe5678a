"""The worked cases of docs/sources.md 3.1, one by one, and what the public sources leave open."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.messages import RenkeiError
from pipelines.continuity.criteria import load_criteria
from pipelines.continuity.judgement import judge
from tests.support.candidates import (
    CASES,
    HEAD,
    MONTH,
    OURS,
    frame,
    now,
    was,
)


def judged(rows: list[dict[str, object]], catalogue: Catalogue | None = None) -> pl.DataFrame:
    return judge(frame(rows), MONTH, OURS, load_criteria(catalogue or load_catalogue(), MONTH))


@pytest.mark.parametrize(("rows", "rule"), CASES.values(), ids=CASES.keys())
def test_case(rows: list[dict[str, object]], rule: str) -> None:
    (found,) = judged(rows).to_dicts()
    assert found["rule"] == rule
    assert found["proposal"] == {"A": "continued", "U": "unclear", "N": "not_continued"}.get(
        rule[0], "continued" if rule == "B1" else "not_continued"
    )
    assert found["reason"]
    assert found["facts_in_words"]


def test_one_household_is_continued_once() -> None:
    other = {"candidate_number": "000002", "household_number": "000000000000003"}
    twice = [was("a", HEAD), now("a", HEAD), was("a", HEAD, candidate_number="000002"), now("a", HEAD, **other)]
    assert judged(twice)["rule"].to_list() == ["D1", "D1"]
    merged = [
        was("a", HEAD),
        now("a", HEAD),
        was("b", HEAD, **other),
        now("b", candidate_number="000002"),
        now("a", HEAD, candidate_number="000002"),
        now("b"),
    ]
    assert judged(merged)["rule"].to_list() == ["B1", "B2"]


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [
        row
        for number, (case, _) in enumerate(CASES.values())
        for row in [
            person
            | {
                "candidate_number": f"{number:06d}",
                "household_number": f"{number:014d}{person['household_side'] == 'after':d}",
            }
            for person in case
        ]
    ]
    expected = judged(rows)
    assert expected["rule"].to_list() == [rule for _, rule in CASES.values()]
    assert judged(rows[::-1]).equals(expected)


@pytest.fixture
def own_catalogue(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))


def test_a_prefecture_may_differ_from_a_day_on(own_catalogue: Path) -> None:
    """県内の方針で、世帯主が替わった世帯の継続 (A2) を 2026年4月から人の判断に回す。"""
    path = own_catalogue / "continuity" / "criteria.csv"
    text = path.read_text(encoding="utf-8-sig")
    row = next(line for line in text.splitlines() if line.startswith("240,"))
    changed = row.replace("continued", "unclear").replace("2018-04-01,", "2026-04-01,")
    path.write_text(text.replace(row, f"{row}2026-04-01\n{changed}"), encoding="utf-8-sig")
    case = CASES["whole_household_moves_with_another_head"][0]
    assert judged(case, Catalogue(own_catalogue))["proposal"].to_list() == ["unclear"]
    before = load_criteria(Catalogue(own_catalogue), dt.date(2026, 3, 1))
    assert next(rule for rule in before.rules if rule.rule == "A2").proposal == "continued"


@pytest.mark.parametrize(
    ("old", "new"), [("!same_head", "!the_head"), ("always", "same_head & same_head"), (",unclear,", ",maybe,")]
)
def test_criteria_that_cannot_be_read_stop(own_catalogue: Path, old: str, new: str) -> None:
    path = own_catalogue / "continuity" / "criteria.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace(old, new), encoding="utf-8-sig")
    with pytest.raises(RenkeiError, match="KR-7108"):
        load_criteria(Catalogue(own_catalogue), MONTH)


def test_a_day_without_criteria_stops() -> None:
    with pytest.raises(RenkeiError, match="KR-7107"):
        load_criteria(load_catalogue(), dt.date(2018, 3, 31))
