"""Odd histories of small towns: at the end of every day the Union's register is the truth, and nobody is told of twice.

Hypothesis draws what happens in a town, what its clerks do, and what the Union does with its files. The town is driven
through `renkei run daily`, and its register is kept by a Union that believes whatever it accepts (fixtures/odd_histories).
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from cell import Cell
from following import INTERFACES, Following
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.odd_histories.days import FIRST_DAY, Day, Event, History, business_day_after
from fixtures.odd_histories.events import HAPPENINGS, happen
from fixtures.odd_histories.papers import Papers
from fixtures.odd_histories.town import Town, truth
from fixtures.sftp_server import Server

PROFILE = settings.get_profile("histories")
TOWNS = count(1)

SMALL = st.integers(0, 9)
EVENTS = st.builds(Event, st.sampled_from(sorted(HAPPENINGS)), SMALL, SMALL, SMALL)
DAYS = st.builds(Day, st.lists(EVENTS, max_size=3).map(tuple))
HISTORIES = st.builds(
    History,
    st.lists(st.integers(0, 3), min_size=2, max_size=4).map(tuple),
    st.lists(DAYS, min_size=3, max_size=6).map(tuple),
)


@pytest.fixture(scope="module")
def papers() -> Papers:
    return Papers()


def live(history: History, cell: Cell, papers: Papers) -> None:
    """A town lives through a history; everything that must be true is asserted on the way."""
    town, following = Town(), Following(papers)
    town.settle(history.sizes)
    day = FIRST_DAY
    for plan in history.days:
        for event in plan.events:
            happen(town, event, day)
        rows = town.rows()
        cell.write_extracts(rows, day)
        worked = cell.work(day)
        held = worked.held
        names = papers.names(day, 1)
        sheets = {interface: papers.sheet(cell.to_union / name, day) for interface, name in names.items()}
        now = truth(rows, day)
        following.sent(day, sheets, held, now, confirmed=worked.confirmed)
        answers = []
        for interface in INTERFACES:
            (cell.to_union / names[interface]).unlink()
            following.taken(len(following.sendings) - 1, interface, accepted=True)
            answers.append((names[interface], len(sheets[interface].facts), True))
        cell.answer(*papers.reception(day, 1, answers))
        following.check_register(day, held, now)
        day = business_day_after(day)


@settings(PROFILE)
@given(history=HISTORIES)
def test_the_register_is_the_truth_at_the_end_of_every_day(
    history: History, union_root: Path, union_server: Server, papers: Papers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cell = Cell(tmp_path_factory.mktemp(f"town{next(TOWNS)}"), union_server, union_root, papers)
    live(history, cell, papers)
