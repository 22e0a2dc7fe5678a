"""How histories are drawn, and one that is not: it has every kind of oddity in it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from fixtures.odd_histories.days import Day, Event, History, Mixed, Recall
from fixtures.odd_histories.events import HAPPENINGS

_SMALL = st.integers(0, 9)
EVENTS = st.builds(Event, st.sampled_from(sorted(HAPPENINGS)), _SMALL, _SMALL, _SMALL)


def _now_and_then(strategy: st.SearchStrategy[object], usual: object = None) -> st.SearchStrategy[object]:
    """What is drawn on one day of three; else what is usual."""
    return st.integers(0, 2).flatmap(lambda which: strategy if which == 2 else st.just(usual))


RECALLS = st.builds(
    Recall, st.lists(EVENTS, max_size=2).map(tuple), st.booleans(), st.booleans(), st.booleans(), st.booleans()
)
DAYS = st.builds(
    Day,
    events=st.lists(EVENTS, min_size=1, max_size=5, unique_by=lambda event: event.kind).map(tuple),
    skipped=_now_and_then(st.sampled_from([1, 4, 10, 11]), 0),
    rejects=_now_and_then(st.sampled_from([frozenset({0}), frozenset({1}), frozenset({0, 1})]), frozenset()),
    answers_after=_now_and_then(st.tuples(st.integers(0, 3), st.integers(0, 3)), (0, 0)),
    recall=_now_and_then(RECALLS),
    mixed=_now_and_then(st.builds(Mixed, st.integers(0, 2), st.sampled_from(["all", "one", "none"]))),
    confirms=st.booleans(),
    runs_again=_now_and_then(st.booleans(), False),
)
HISTORIES = st.builds(
    History,
    st.lists(st.sampled_from([2, 3, 1, 0]), min_size=2, max_size=4).map(tuple),
    st.lists(DAYS, min_size=2, max_size=4).map(tuple),
    st.sampled_from([None, None, 1]),
)


def everything() -> History:
    """Every kind of event, and everything that clerks and the Union can do with a day."""
    renamed, moved = (Event("is_renamed", 1, 2, 4),), (Event("moves", 2, 1),)
    plans = [
        Day(answers_after=(2, 0), runs_again=True),
        Day(rejects=frozenset({1}), answers_after=(0, 1)),
        Day(recall=Recall(renamed, accepted=True, undone=True), mixed=Mixed(1, "none")),
        Day(skipped=10, recall=Recall(moved, again=False), mixed=Mixed(0, "all")),
        Day(recall=Recall(moved, late=True), rejects=frozenset({0, 1}), mixed=Mixed(2, "one"), confirms=True),
        Day(recall=Recall(renamed, late=True, again=False)),
    ]
    kinds = sorted([*HAPPENINGS, *("stands_twice", "vanishes") * 2])
    events = [Event(kind, place, place + 1, place % 8) for place, kind in enumerate(kinds)]
    days = [replace(plan, events=tuple(events[n :: len(plans)])) for n, plan in enumerate(plans)]
    return History((3, 2, 0, 1), tuple(days))


def small() -> History:
    """A town in which one name is too much at once, and one household a loss of rows; somebody moves who is not a head."""
    changes = (Event("is_renamed", 3, 1, 3), Event("moves", 1, 0))
    return History((2, 1, 1), (Day(), Day(changes), Day((Event("household_is_removed"),))), floor=0)
