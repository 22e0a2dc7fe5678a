"""What people read for a value that the program stores: catalogue/ledger/events.csv, catalogue/words/*.csv. Messages are in
`messages`."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

CATALOGUE = Path(__file__).parent / "catalogue"


@lru_cache
def words(table: str, value: str = "値", word: str = "表示") -> dict[str, str]:
    """The words of a table by stored value, in the order of the table."""
    with (CATALOGUE / f"{table}.csv").open(encoding="utf-8-sig", newline="") as handle:
        return {row[value]: row[word] for row in csv.DictReader(handle, strict=True) if row[word]}


def job_in_words(job: str) -> str:
    """The word for a job of Dagster; an unknown one as it is named."""
    return words("words/jobs").get(job, job)


def state_in_words(state: str) -> str:
    """The word for a state of the ledger, or an outcome of sending or receiving; an unknown one as it is stored."""
    return words("ledger/events", "記録", "状態").get(state) or words("words/outcomes").get(state, str(state))


def level_in_words(level: str) -> str:
    """The word for the level of a message."""
    return words("words/levels")[level]
