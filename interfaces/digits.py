"""Digits as people write them: full-width, in groups, separated by dashes, dots and spaces. Does not check what they mean.

The separators are data: catalogue/separators.csv.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path

from interfaces.catalogue import DEFAULT_ROOT, read_rows
from interfaces.characters import code_points

_LONGEST_GAP = 3  # " - " between two groups
_FOUR, _GROUPS_OF_FOUR = 4, 3  # how a 個人番号 is printed on its card
NOTHING = "nothing"
SEPARATOR_KINDS = ("dash", "dot", "slash", "space", NOTHING)


@dataclass(frozen=True)
class Separators:
    """What may separate digits: kind (dash, dot, slash, space; `nothing` is invisible) by Unicode category or by character."""

    by_category: Mapping[str, str]
    by_character: Mapping[str, str]

    def kind(self, character: str) -> str | None:
        """The kind of a separator, None for any other character."""
        return self.by_character.get(character) or self.by_category.get(unicodedata.category(character))


@lru_cache(maxsize=8)
def separators(root: Path = DEFAULT_ROOT) -> Separators:
    """The separators of a catalogue; KR-7101 when the table cannot be read."""
    rows = read_rows(root / "separators.csv", ("区分", "値", "種類"))
    return Separators(
        {row["値"]: row["種類"] for row in rows if row["区分"] == "分類"},
        {code_points(row["値"]): row["種類"] for row in rows if row["区分"] == "文字"},
    )


def plain(text: str, separators: Separators) -> str:
    """Digits of any width as ASCII, spaces as a space, every other separator as `-`, invisible characters removed."""
    return "".join(_plain(character, separators) for character in text)


def _plain(character: str, separators: Separators) -> str:
    value = unicodedata.decimal(character, None)
    if value is not None:
        return str(value)
    kind = separators.kind(character)
    return character if kind is None else {NOTHING: "", "space": " "}.get(kind, "-")


@dataclass(frozen=True)
class Run:
    """Digits (ASCII) that can be read as one number, and their position in the text: [start, stop).

    `is_part`: there are more groups with the same separator next to them, so they need not belong together.
    """

    digits: str
    start: int
    stop: int
    is_part: bool = False


@dataclass(frozen=True)
class _Group:
    """Digits without separators, and the kinds of the separators before them."""

    run: Run
    gap: tuple[str, ...]


def digit(character: str) -> str | None:
    """The ASCII digit of a character, whatever its width or script; None for any other character."""
    plain = unicodedata.normalize("NFKC", character)
    value = unicodedata.digit(plain, None) if len(plain) == 1 else None
    return None if value is None else str(value)


def _clusters(text: str) -> Iterator[list[_Group]]:
    """Groups of digits with nothing but separators between them."""
    of_catalogue = separators()
    cluster: list[_Group] = []
    gap: list[str] = []
    for at, character in enumerate(text):
        kind = of_catalogue.kind(character)
        value = digit(character)
        if value is not None:
            if cluster and not gap:
                last = cluster.pop()
                run = Run(last.run.digits + value, last.run.start, at + 1)
                cluster.append(_Group(run, last.gap))
            elif cluster and len(gap) > _LONGEST_GAP:
                yield cluster
                cluster = [_Group(Run(value, at, at + 1), ())]
            else:
                cluster.append(_Group(Run(value, at, at + 1), tuple(gap)))
            gap = []
        elif kind is None:
            if cluster:
                yield cluster
            cluster, gap = [], []
        elif kind != NOTHING and cluster:
            gap.append(kind)
    if cluster:
        yield cluster


def _joined(groups: list[_Group]) -> Run:
    return Run("".join(group.run.digits for group in groups), groups[0].run.start, groups[-1].run.stop)


def runs(text: str) -> list[Run]:
    """Everything in a text that can be read as one number, each once, in order.

    A single group of digits; three groups of four; and all groups separated by the same separator together. So
    1234-5678-9018 is a number, and a date next to it is not read as part of it.
    """
    found: set[Run] = set()
    for cluster in _clusters(text):
        whole = {group.run for group in cluster}
        for _, same in groupby(pairwise(cluster), key=lambda pair: pair[1].gap):
            pairs = list(same)
            whole.add(_joined([pairs[0][0], *(after for _, after in pairs)]))
        found |= whole
        for start in range(len(cluster) - _GROUPS_OF_FOUR + 1):
            window = cluster[start : start + _GROUPS_OF_FOUR]
            if all(len(group.run.digits) == _FOUR for group in window):
                four = _joined(window)
                found |= set() if four in whole else {replace(four, is_part=True)}
    return sorted(found, key=lambda run: (run.start, run.stop))
