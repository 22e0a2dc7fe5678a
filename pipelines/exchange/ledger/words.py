"""The Japanese words for what the ledger records (`interfaces/catalogue/ledger/events.csv`). Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from interfaces.catalogue import DEFAULT_ROOT, read_rows
from pipelines.exchange.ledger.states import Direction, Origin

PATH: Final = DEFAULT_ROOT / "ledger" / "events.csv"
_DIRECTIONS: Final = {"送付": Direction.OUTBOUND, "受領": Direction.INBOUND, "": None}
ORIGINS: Final = {
    Origin.COMMAND: "人（コマンド）",
    Origin.SCREEN: "人（画面）",
    Origin.SCHEDULE: "予定・見張り",
    None: "記録なし",
}


class Deed(StrEnum):
    """What kind of deed an event is: done by a person, done by a run, or only a step on the way to one."""

    BY_HAND = "手作業"
    RUN = "処理"
    STEP = "途中"


@dataclass(frozen=True)
class EventWords:
    """How an action is called. `state`: the state that it leads to, if it does. `exception`: the group of exceptions that
    an auditor looks for it in, empty when it is none."""

    name: str
    state: str
    deed: Deed
    exception: str


def event_words(action: str, direction: Direction | None) -> EventWords:
    """The words for an action on a file of a direction (None: on no file). An action that the table does not have, written
    by another program, is called by its own name."""
    table = _table()
    known = table.get((action, direction)) or table.get((action, None))
    return known or EventWords(action, action, Deed.RUN, "")


def state_word(state: str, direction: Direction) -> str:
    """The word for the present state of a file."""
    return event_words(state, direction).state or state


def exception_groups() -> list[str]:
    """The groups of exceptions, in the order of the table."""
    return list(dict.fromkeys(words.exception for words in _table().values() if words.exception))


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, Direction | None], EventWords]:
    rows = read_rows(PATH, ("記録", "向き", "名称", "状態", "種別", "例外"))
    return {
        (row["記録"], row.read("向き", lambda cell: _DIRECTIONS[cell], "向き")): EventWords(
            row["名称"], row["状態"], row.read("種別", Deed, "種別"), row["例外"]
        )
        for row in rows
    }
