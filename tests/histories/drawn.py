"""How histories are drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from fixtures.odd_histories.days import Day, Event, History, Mixed, Recall
from fixtures.odd_histories.events import HAPPENINGS

_SMALL = st.integers(0, 9)
EVENTS = st.builds(Event, st.sampled_from(sorted(HAPPENINGS)), _SMALL, _SMALL, _SMALL)


def _now_and_then(strategy: st.SearchStrategy[object], usual: object = None) -> st.SearchStrategy[object]:
    """What is drawn on one day of three; else what is usual."""
    return st.integers(0, 2).flatmap(lambda which: strategy if which == 2 else st.just(usual))


RECALLS = st.builds(Recall, st.lists(EVENTS, max_size=2).map(tuple), st.booleans(), st.booleans(), st.booleans())
DAYS = st.builds(
    Day,
    events=st.lists(EVENTS, min_size=1, max_size=5, unique_by=lambda event: event.kind).map(tuple),
    skipped=_now_and_then(st.sampled_from([1, 4, 10, 11]), 0),
    rejects=_now_and_then(st.sampled_from([frozenset({0}), frozenset({1}), frozenset({0, 1})]), frozenset()),
    answers_after=_now_and_then(st.tuples(st.integers(0, 3), st.integers(0, 3)), (0, 0)),
    recall=_now_and_then(RECALLS),
    mixed=_now_and_then(st.builds(Mixed, st.integers(0, 2), st.sampled_from(["all", "one", "none"]))),
    confirms=st.booleans(),
)
HISTORIES = st.builds(
    History,
    st.lists(st.integers(0, 3), min_size=2, max_size=4).map(tuple),
    st.lists(DAYS, min_size=2, max_size=4).map(tuple),
    st.sampled_from([None, None, 1]),
)
