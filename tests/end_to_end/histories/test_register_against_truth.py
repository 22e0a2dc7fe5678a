"""Odd histories of small towns: at the end of every day the Union's register is the truth, and nobody is reported twice.

Hypothesis draws what happens in a town, what its clerks do, and what the Union does with its files. The town is driven
through `renkei`, and its register is kept by a Union that believes whatever it accepts (fixtures/odd_histories).
"""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from fixtures.odd_histories.days import History
from fixtures.odd_histories.events import HAPPENINGS
from fixtures.odd_histories.papers import Papers
from fixtures.sftp_server import Server
from tests.support.histories.cell import Cell
from tests.support.histories.drawn import HISTORIES, everything, small
from tests.support.histories.life import Life

pytestmark = pytest.mark.slow  # five minutes
PROFILE = settings.get_profile("histories")
TOWNS = count(1)
# What happened in all histories together, by kind.
MET: Counter[str] = Counter()
ODDITIES = {
    *HAPPENINGS,
    "days skipped",
    "two weeks skipped",
    "one of a pair rejected",
    "a pair rejected",
    "answers out of order",
    "recalled",
    "recalled, accepted nevertheless",
    "recalled, late",
    "recalled, late, accepted nevertheless",
    "mixed days, all stamped",
    "mixed days, one stamped",
    "mixed days, none stamped",
    "withheld",
    "person confirmed",
    "confirmed KR-7201",
    "confirmed KR-7222",
    "a day run again",
}


@pytest.fixture(scope="module")
def papers() -> Papers:
    return Papers()


@settings(PROFILE)
@given(history=HISTORIES)
@example(history=everything())
@example(history=small())
def test_the_register_is_the_truth_at_the_end_of_every_day(
    history: History, union_root: Path, union_server: Server, papers: Papers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(f"town{next(TOWNS)}")
    life = Life(Cell(folder, union_server, union_root, papers, history.floor), papers, history, MET)
    life.live()


def test_every_oddity_happened() -> None:
    """The drawn histories are odd enough: each kind of oddity is among those above."""
    if not MET:
        pytest.skip("no history was lived through in this run")
    missing = ODDITIES - {kind for kind, times in MET.items() if times}
    assert not missing
