"""What the Union has according to the outbound entries: the effective baseline, and the uncertain entries. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import POSSIBLY_OUT_STATES, SENT_STATES, EntryState


def current_entries(entries: Iterable[Entry]) -> dict[str, Entry]:
    """By interface, the newest of a partition's entries (oldest first) that was not withdrawn."""
    return {str(entry.interface): entry for entry in entries if entry.state != EntryState.WITHDRAWN}


def effective_baseline(entries: Iterable[Entry], before: date | None = None) -> date | None:
    """The newest partition (before `before`, if given) that the Union can be assumed to have (D-007, D-008).

    A partition is effective when each of its files is sent or accepted, and its own baseline is None or effective. So a
    rejected day makes every day built on it ineffective. `entries`: outbound, oldest first.
    """
    by_partition: dict[date, list[Entry]] = {}
    for entry in entries:
        if entry.partition is not None:
            by_partition.setdefault(entry.partition, []).append(entry)
    effective: set[date] = set()
    for partition in sorted(by_partition):
        files = current_entries(by_partition[partition]).values()
        if files and all(e.state in SENT_STATES and (e.baseline is None or e.baseline in effective) for e in files):
            effective.add(partition)
    return max((day for day in effective if before is None or day < before), default=None)


def uncertain_entries(entries: Iterable[Entry], before: date | None, rebuilt: date | None = None) -> list[Entry]:
    """Files that are, or may be, at the Union although no effective baseline contains them, oldest partition first.

    Later than the newest effective partition and before `before`: files of a day built on a rejected one, of a pair whose
    other file is not out, of a sending that a crash interrupted, and recalled files, which the Union may have imported
    nevertheless. `rebuilt`: the partition that is being made again; its recalled files count too. The next sending
    reports everybody in these files again. `entries`: outbound, oldest first.
    """
    outbound = list(entries)
    effective = effective_baseline(outbound, before) or date.min
    states = POSSIBLY_OUT_STATES | {EntryState.RECALLED}
    later = [
        (e, e.partition) for e in outbound if e.state in states and e.partition is not None and e.partition > effective
    ]
    uncertain = [
        (e, partition)
        for e, partition in later
        if partition < (before or date.max) or (e.state == EntryState.RECALLED and partition == rebuilt)
    ]
    return [e for e, _ in sorted(uncertain, key=lambda pair: (pair[1], pair[0].id))]


def later_sent(entries: Iterable[Entry], partition: date) -> date | None:
    """The newest later partition with an outbound file that is, or may be, at the Union; None when there is none."""
    out = (e.partition for e in entries if e.state in POSSIBLY_OUT_STATES and e.partition is not None)
    return max((later for later in out if later > partition), default=None)
