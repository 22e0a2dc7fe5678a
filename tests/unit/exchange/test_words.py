"""Every kind of event and state of the ledger has its Japanese word, and no word is left over."""

from __future__ import annotations

from interfaces.catalogue import read_rows
from pipelines.exchange.ledger.states import TRANSITIONS, Direction, EntryState, LedgerEvent, Origin
from pipelines.exchange.ledger.words import ORIGINS, PATH, event_words, exception_groups

STATES: dict[Direction, set[EntryState]] = {
    direction: {*moves, *(state for to_states in moves.values() for state in to_states)}
    for direction, moves in TRANSITIONS.items()
}


def is_japanese(text: str) -> bool:
    return any("぀" <= letter <= "ヿ" or "一" <= letter <= "鿿" for letter in text)


def test_every_state_has_a_word_in_its_direction() -> None:
    assert set().union(*STATES.values()) == set(EntryState)
    without = [
        (direction, state)
        for direction, states in STATES.items()
        for state in states
        if not is_japanese(event_words(state, direction).name) or not is_japanese(event_words(state, direction).state)
    ]
    assert without == []


def test_every_event_has_a_word() -> None:
    names = {row["記録"]: row["名称"] for row in read_rows(PATH)}
    assert [event for event in LedgerEvent if not is_japanese(names.get(event, ""))] == []


def test_no_word_is_left_over() -> None:
    recorded = {state.value for state in EntryState} | {event.value for event in LedgerEvent}
    assert {row["記録"] for row in read_rows(PATH)} == recorded


def test_every_origin_has_a_word() -> None:
    assert set(ORIGINS) == {*Origin, None}


def test_an_action_of_another_program_is_called_by_its_own_name() -> None:
    assert event_words("counted", None).name == "counted"


def test_what_an_auditor_asks_for_is_a_group_of_exceptions() -> None:
    assert {"隔離", "却下", "取消し", "遅延", "抽出の減少"} <= set(exception_groups())
