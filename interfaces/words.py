"""What people read for a value that the program stores: catalogue/words/*.csv. Messages are in `messages`."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "catalogue" / "words"


@lru_cache
def words(table: str) -> dict[str, str]:
    """The words of a table by stored value."""
    with (FOLDER / f"{table}.csv").open(encoding="utf-8-sig", newline="") as handle:
        return {row["値"]: row["表示"] for row in csv.DictReader(handle, strict=True)}


def job_in_words(job: str) -> str:
    """The word for a job of Dagster; an unknown one as it is named."""
    return words("jobs").get(job, job)


def state_in_words(state: str) -> str:
    """The word for a state of the ledger or an outcome of sending or receiving; an unknown one as it is stored."""
    return words("states").get(state, str(state))
