"""A second person's approval of what is about to leave. When one is needed is told by who sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from interfaces.messages import RenkeiError
from pipelines.exchange.ledger.entry import ACCOUNT, Entry
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import Direction, EntryState
from pipelines.exchange.persons import PERSONAL, account, same_person

SHORTEST_HASH: Final = 12  # hexadecimal digits: 48 bits, more than a person could forge by trying


def awaiting(ledger: Reader, partition: date) -> list[Entry]:
    """The partition's files that wait: written, and neither approved nor sent; in the order of their interfaces."""
    entries = ledger.entries(direction=Direction.OUTBOUND, partition=partition)
    standing = ledger.current_entries(partition, {str(one.interface) for one in entries})
    return [standing[one] for one in sorted(standing) if standing[one].state == EntryState.WRITTEN]


@dataclass(frozen=True)
class TwoPersons:
    """How it is seen that the approver is another person. titles: see persons.same_person.

    separate_accounts: the maker's account may not approve even when it is not known to be one person's.
    """

    titles: tuple[str, ...]
    separate_accounts: bool


def approve(recorder: Recorder, partition: date, hashes: Sequence[str], two_persons: TwoPersons) -> tuple[Entry, ...]:
    """Approve all that waits, or nothing: `hashes` must begin the SHA-256 of every waiting file, and of nothing else.

    What is approved is the content: files made again with other bytes wait again. The approver's account is kept.
    Errors: KR-6134 nothing waits, KR-6132 the operator may be who made one of the files, KR-6151 it was made from this account,
    KR-6133 a hash is missing, too short, or another's.
    """
    here = account()
    alone = two_persons.separate_accounts or here.startswith(PERSONAL)
    with recorder.transaction() as work:
        waiting = awaiting(work, partition)
        if not waiting:
            raise RenkeiError("KR-6134", partition=partition)
        for entry in waiting:
            made = work.events(entry.id)[0]
            if same_person(made.operator, work.operator, two_persons.titles):
                raise RenkeiError("KR-6132", partition=partition, maker=made.operator)
            if alone and made.detail.get(ACCOUNT) == here:
                raise RenkeiError("KR-6151", partition=partition, account=here)
            if not any(_begins(entry, one) for one in hashes):
                raise RenkeiError("KR-6133", partition=partition, interface=entry.interface)
        strangers = [one for one in hashes if not any(_begins(entry, one) for entry in waiting)]
        if strangers:
            raise RenkeiError("KR-6133", partition=partition, interface="・".join(str(e.interface) for e in waiting))
        return tuple(
            work.transition(
                entry, EntryState.APPROVED, expected=EntryState.WRITTEN, sha256=entry.sha256, **{ACCOUNT: here}
            )
            for entry in waiting
        )


def _begins(entry: Entry, text: str) -> bool:
    return len(text) >= SHORTEST_HASH and str(entry.sha256).startswith(text.lower())
