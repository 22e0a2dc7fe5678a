"""The order of the record kinds of a file: which kind may come first, last and after which. Pure; reads no bytes.

A kind occurs once, at most once or repeatedly, and its children follow it: `H (D* T)` is a kind H with the children D and
T. Neighbouring kinds may be mixed: `(SI | IY)*`. Each kind is listed once, so a file is valid exactly if its first kind,
its last kind and each pair of neighbours are allowed (a local language, as in Glushkov's construction): one look at each
pair of lines, and no search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from interfaces.spec import Record

Kinds = NDArray[np.int16]


@dataclass(frozen=True)
class Misplaced:
    """The first line (0-based) whose kind may not stand there. `line` is the number of lines if the file ends too early.

    expected: the kinds that may stand there, in the order of the specification.
    """

    line: int
    expected: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """A piece of the grammar: whether it may be absent, and which kinds it can begin and end with."""

    optional: bool
    first: frozenset[int]
    last: frozenset[int]


class Grammar:
    """The grammar of the record kinds of a specification, in their order there; a kind follows its parent."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = tuple(records)
        self._numbers = {record.kind: number for number, record in enumerate(records)}
        self._follow: set[tuple[int, int]] = set()
        whole = self._sequence([record for record in records if record.parent is None])
        self._first, self._last, self._may_be_empty = whole.first, whole.last, whole.optional
        self._allowed = np.zeros((len(records), len(records)), np.bool_)
        for before, after in self._follow:
            self._allowed[before, after] = True

    def misplaced(self, kinds: Kinds) -> Misplaced | None:
        """The first line that breaks the order; None for a valid file. kinds: for each line, the number of its kind."""
        if len(kinds) == 0:
            return None if self._may_be_empty else Misplaced(0, self._named(self._first))
        if int(kinds[0]) not in self._first:
            return Misplaced(0, self._named(self._first))
        wrong = np.flatnonzero(~self._allowed[kinds[:-1], kinds[1:]])
        if len(wrong):
            return self._at(kinds, int(wrong[0]))
        if int(kinds[-1]) not in self._last:
            return Misplaced(len(kinds), self._after(int(kinds[-1])))
        return None

    def _at(self, kinds: Kinds, line: int) -> Misplaced:
        """Which of two neighbours is misplaced: the second one, unless nothing may follow the first one."""
        after = self._after(int(kinds[line]))
        if after or line == 0:
            return Misplaced(line + 1, after)
        here = self._records[int(kinds[line])].kind
        return Misplaced(line, tuple(kind for kind in self._after(int(kinds[line - 1])) if kind != here))

    def _after(self, kind: int) -> tuple[str, ...]:
        return self._named(frozenset(after for before, after in self._follow if before == kind))

    def _named(self, numbers: frozenset[int]) -> tuple[str, ...]:
        return tuple(self._records[number].kind for number in sorted(numbers))

    def _sequence(self, records: Sequence[Record]) -> _Part:
        """Parts one after another: what ends a part is followed by what begins the next one that is there."""
        whole = _Part(True, frozenset(), frozenset())
        for part in self._parts(records):
            self._follow |= {(before, after) for before in whole.last for after in part.first}
            whole = _Part(
                whole.optional and part.optional,
                whole.first | part.first if whole.optional else whole.first,
                whole.last | part.last if part.optional else part.last,
            )
        return whole

    def _parts(self, records: Sequence[Record]) -> Iterator[_Part]:
        """Each kind with its children, or those that share a `mixed` as one part."""
        for _, neighbours in groupby(records, key=lambda record: record.mixed or record.kind):
            parts = [self._group(record) for record in neighbours]
            first = frozenset[int]().union(*(part.first for part in parts))
            last = frozenset[int]().union(*(part.last for part in parts))
            if len(parts) > 1:
                self._follow |= {(before, after) for before in last for after in first}
            yield _Part(all(part.optional for part in parts), first, last)

    def _group(self, record: Record) -> _Part:
        """A record with its children, as often as it may occur."""
        own = frozenset({self._numbers[record.kind]})
        children = self._sequence([child for child in self._records if child.parent == record.kind])
        self._follow |= {(before, after) for before in own for after in children.first}
        last = children.last | own if children.optional else children.last
        if record.occurrence == "many":
            self._follow |= {(before, after) for before in last for after in own}
        return _Part(record.occurrence != "one", own, last)
