"""What a person does with a file that is kept because nothing applies it. The inbox decides what is kept."""

from __future__ import annotations

from interfaces.messages import RenkeiError
from interfaces.words import state_in_words
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import EntryState
from pipelines.exchange.operator_input import required_reason


def close(recorder: Recorder, entry_id: int, reason: str) -> Entry:
    """Record what became of a kept file; the archived copy stays for its retention period.

    Errors: KR-6103 no such entry, KR-6104 no operator, KR-6312 no reason, KR-6314 the reason seems to contain a 個人番号,
    KR-6352 the entry is not kept.
    """
    entry = recorder.entry(entry_id)
    if entry.state != EntryState.KEPT:
        raise RenkeiError("KR-6352", entry_id=entry_id, state=state_in_words(entry.state))
    return recorder.transition(entry, EntryState.CLOSED, expected=entry.state, reason=required_reason(reason))
