"""The hash chain of the history: canonical text, hashes, and the search for contradictions. Pure: works on raw rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from interfaces.messages import message
from pipelines.exchange.ledger.entry import columns_set_by_event, columns_set_by_transition
from pipelines.exchange.ledger.schema import entries_table, events_table
from pipelines.exchange.ledger.states import EventKind

GENESIS: Final = "0" * 64
_FACTS: Final = tuple(column.name for column in entries_table.columns if column.name not in ("id", "state"))
_HASHED: Final = tuple(column.name for column in events_table.columns if column.name != "row_hash")
_Row = Mapping[str, Any]


@dataclass(frozen=True)
class ChainProblem:
    """One contradiction between the ledger and its own history. `text` is the message of `code`."""

    code: str
    sequence: int | None
    entry_id: int | None
    text: str


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces; dates as ISO 8601. The same value gives the same text everywhere."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"not for the ledger: {type(value).__name__}")


def row_hash(row: _Row) -> str:
    """SHA-256 over the canonical JSON of every column of an event but `row_hash` itself."""
    return hashlib.sha256(canonical_json({name: row[name] for name in _HASHED}).encode()).hexdigest()


def problems(events: Sequence[_Row], entries: Collection[_Row]) -> list[ChainProblem]:
    """Every contradiction within the history (`events`, in order), and between it and the table of entries.

    KR-6121 a row's text and hash differ, KR-6122 a row does not follow the one before (a row was removed or inserted),
    KR-6123 an entry differs from what its events say; a truncated history shows here.
    """
    found: list[ChainProblem] = []
    expected_sequence, previous = 1, GENESIS
    for row in events:
        sequence = row["sequence"]
        if row_hash(row) != row["row_hash"]:
            found.append(_problem("KR-6121", sequence=sequence))
        if sequence != expected_sequence or row["previous_hash"] != previous:
            found.append(_problem("KR-6122", sequence=sequence))
        expected_sequence, previous = sequence + 1, row["row_hash"]
    return found + _contradictions({row["id"]: row for row in entries}, _replay(events))


def _replay(events: Sequence[_Row]) -> dict[int, dict[str, Any]]:
    """The entries as rebuilt from the history, in plain text values."""
    replayed: dict[int, dict[str, Any]] = {}
    for row in events:
        detail = json.loads(row["detail"])
        if row["kind"] == EventKind.ENTERED:
            replayed[row["entry_id"]] = {name: detail.get(name) for name in _FACTS} | {"state": row["action"]}
        elif row["kind"] == EventKind.MOVED and row["entry_id"] in replayed:
            entry = replayed[row["entry_id"]]
            entry.update(columns_set_by_transition(entry, detail), state=row["action"])
        elif row["kind"] == EventKind.NOTED and row["entry_id"] in replayed:
            replayed[row["entry_id"]].update(columns_set_by_event(detail))
    return replayed


def _contradictions(entries: Mapping[int, _Row], replayed: Mapping[int, _Row]) -> list[ChainProblem]:
    """Where the entries of the table and those of the history differ."""
    found = []
    for entry_id in sorted(entries.keys() | replayed.keys()):
        stored, expected = entries.get(entry_id), replayed.get(entry_id)
        if stored is None or expected is None:
            found.append(_problem("KR-6123", entry_id=entry_id, column="登録"))
            continue
        plain = json.loads(canonical_json(stored))
        found += [
            _problem("KR-6123", entry_id=entry_id, column=name)
            for name in (*_FACTS, "state")
            if plain[name] != expected[name]
        ]
    return found


def _problem(code: str, *, sequence: int | None = None, entry_id: int | None = None, column: str = "") -> ChainProblem:
    text = message(code).render(sequence=sequence, entry_id=entry_id, column=column)
    return ChainProblem(code, sequence, entry_id, text)
