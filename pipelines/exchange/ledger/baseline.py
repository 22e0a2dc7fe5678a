"""What outbound entries say the Union has: which day it can be taken to know, and what is in doubt. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import POSSIBLY_OUT_STATES, SENT_STATES, EntryState


def standing(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Per interface the newest of a partition's entries (oldest first) that was not withdrawn."""
    return {str(entry.interface): entry for entry in entries if entry.state != EntryState.WITHDRAWN}


def effective_baseline(entries: Iterable[Entry], before: date | None = None) -> date | None:
    """The newest partition (before `before`, if given) that the Union can be taken to have (design.md 4.4).

    Effective: each of its files is sent or accepted, and its own baseline is None or itself effective. So a
    rejected day makes every day built upon it ineffective. `entries`: outbound, oldest first.
    """
    by_partition: dict[date, list[Entry]] = {}
    for entry in entries:
        if entry.partition is not None:
            by_partition.setdefault(entry.partition, []).append(entry)
    effective: set[date] = set()
    for partition in sorted(by_partition):
        files = standing(by_partition[partition]).values()
        if files and all(e.state in SENT_STATES and (e.baseline is None or e.baseline in effective) for e in files):
            effective.add(partition)
    return max((day for day in effective if before is None or day < before), default=None)


def in_doubt(entries: Iterable[Entry], before: date | None, remade: date | None = None) -> list[Entry]:
    """What is, or may be, at the Union although no effective baseline says so, oldest partition first.

    Files later than the newest effective partition and before `before`: of a day built upon a rejected one, of a pair
    whose other file is not out, of a sending that a crash cut off, and those that were taken back: the Union may have
    taken one in all the same. `remade`: the partition that is being made again; what was taken back of it counts too.
    Whom they tell of, the next sending tells anew. `entries`: outbound, oldest first.
    """
    known = list(entries)
    effective = effective_baseline(known, before) or date.min
    states = POSSIBLY_OUT_STATES | {EntryState.RECALLED}
    later = [
        (e, e.partition) for e in known if e.state in states and e.partition is not None and e.partition > effective
    ]
    doubtful = [
        (e, partition)
        for e, partition in later
        if partition < (before or date.max) or (e.state == EntryState.RECALLED and partition == remade)
    ]
    return [e for e, _ in sorted(doubtful, key=lambda one: (one[1], one[0].id))]


def later_sent(entries: Iterable[Entry], partition: date) -> date | None:
    """The newest later partition of which an outbound file is, or may be, at the Union; None when there is none."""
    out = (e.partition for e in entries if e.state in POSSIBLY_OUT_STATES and e.partition is not None)
    return max((one for one in out if one > partition), default=None)
