"""A second person's approval of files before they are sent. The sender decides when one is needed."""

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
    """The partition's files that wait for approval: written, neither approved nor sent; in the order of their interfaces."""
    entries = ledger.entries(direction=Direction.OUTBOUND, partition=partition)
    current = ledger.current_entries(partition, {str(entry.interface) for entry in entries})
    return [current[interface] for interface in sorted(current) if current[interface].state == EntryState.WRITTEN]


@dataclass(frozen=True)
class TwoPersons:
    """How to verify that the approver is another person. titles: see persons.same_person.

    separate_accounts: the account that made a file may not approve it, even if several people may share the account.
    """

    titles: tuple[str, ...]
    separate_accounts: bool


def approve(recorder: Recorder, partition: date, hashes: Sequence[str], two_persons: TwoPersons) -> tuple[Entry, ...]:
    """Approve all waiting files or none: `hashes` must be prefixes of the SHA-256 of every waiting file, and of nothing else.

    The content is approved: files made again with other bytes wait again. The approver's account is recorded.
    Errors: KR-6134 nothing waits, KR-6132 the operator may be the person who made one of the files, KR-6151 a file was made
    from this account, KR-6133 a hash is missing, too short, or of another file.
    """
    this_account = account()
    must_differ = two_persons.separate_accounts or this_account.startswith(PERSONAL)
    with recorder.transaction() as work:
        waiting = awaiting(work, partition)
        if not waiting:
            raise RenkeiError("KR-6134", partition=partition)
        for entry in waiting:
            made = work.events(entry.id)[0]
            if same_person(made.operator, work.operator, two_persons.titles):
                raise RenkeiError("KR-6132", partition=partition, maker=made.operator)
            if must_differ and made.detail.get(ACCOUNT) == this_account:
                raise RenkeiError("KR-6151", partition=partition, account=this_account)
            if not any(_matches(entry, prefix) for prefix in hashes):
                raise RenkeiError("KR-6133", partition=partition, interface=entry.interface)
        unmatched = [prefix for prefix in hashes if not any(_matches(entry, prefix) for entry in waiting)]
        if unmatched:
            raise RenkeiError("KR-6133", partition=partition, interface="・".join(str(e.interface) for e in waiting))
        return tuple(
            work.transition(
                entry, EntryState.APPROVED, expected=EntryState.WRITTEN, sha256=entry.sha256, **{ACCOUNT: this_account}
            )
            for entry in waiting
        )


def _matches(entry: Entry, text: str) -> bool:
    return len(text) >= SHORTEST_HASH and str(entry.sha256).startswith(text.lower())
