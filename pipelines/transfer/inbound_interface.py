"""The definition of a kind of file that the Union sends: one entry for each, written by the capability that applies it.

All entries together are in `operations.inbound_interfaces`; the capabilities define what the records of a file mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from interfaces.required_items import ItemsRead


class StaleAfter(StrEnum):
    """Which newer file makes a waiting file stale, so that it is not applied (D-049)."""

    NOTHING = "nothing"  # a file is only about its own day or month and never becomes stale
    LATER_DAY = "later_day"  # an applied file of a later day
    HIGHER_NUMBER = "higher_number"  # an applied file of the same month with a higher file number


@dataclass(frozen=True, kw_only=True)
class InboundInterface:
    """One kind of file. description: Japanese, for the UI; step: the monthly step that applies it, None for the daily run."""

    items: ItemsRead
    description: str
    group: str
    owners: tuple[str, ...]
    stale_after: StaleAfter = StaleAfter.NOTHING
    step: str | None = None

    @property
    def id(self) -> str:
        """The interface's name in the catalogue."""
        return self.items.interface


Kind = TypeVar("Kind", bound=InboundInterface)


def by_id(*entries: Kind) -> dict[str, Kind]:
    """Entries by interface id, in the order in which the files of one day (month) are applied."""
    return {entry.id: entry for entry in entries}
