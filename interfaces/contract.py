"""What the program needs of each layout, declared once: the items that it reads, fills and cannot do without. Reads no file's content.

Two tables declare it, `catalogue/reading/items.csv` and `carried.csv`. They belong to the program: they are always the
embedded ones. `item_flow` works out from them where each item of an outgoing file comes from, `contract_lint` compares
them with the layouts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from interfaces.catalogue import DEFAULT_ROOT, Row, read_rows
from interfaces.required_items import ItemsRead
from interfaces.spec import Specification

ITEMS: Final = DEFAULT_ROOT / "reading" / "items.csv"
CARRIED: Final = DEFAULT_ROOT / "reading" / "carried.csv"
# The layout must have the item; it may lack it, and then it is null; the program fills it where an outgoing layout has it.
NEEDED, OPTIONAL, FILLED = "必要", "任意", "供給"
MY_NUMBER: Final = "my_number"
# The values that a file's control record and every record can take from the deployment and the day, by cycle.
_OF_EVERY_FILE = ("municipality_code", "insurer_number", "prefecture_code", "media_kind", "processed_on", "file_number")
HEADER: Final = {"daily": _OF_EVERY_FILE, "monthly": (*_OF_EVERY_FILE, "target_month", "created_on")}


@dataclass(frozen=True)
class Place:
    """An item of an extract; interface is None for one that the program itself works out."""

    interface: str | None
    item: str

    @classmethod
    def of(cls, text: str) -> Place:
        """From `insured_extract.changed_on`."""
        interface, _, item = text.rpartition(".")
        return cls(interface or None, item)

    def __str__(self) -> str:
        return f"{self.interface}.{self.item}" if self.interface else self.item


@dataclass(frozen=True)
class ContractItem:
    """A row of items.csv. made_of: the items of extracts of which the program makes it; it is filled if one is there."""

    id: str
    use: str
    made_of: tuple[Place, ...]


@dataclass(frozen=True)
class Link:
    """A row of carried.csv: an extract whose items go into an outgoing file, and the item by which records belong together."""

    extract: str
    key: str


@lru_cache(maxsize=1)
def _contracts() -> dict[str, dict[str, ContractItem]]:
    found: dict[str, dict[str, ContractItem]] = {}
    for row in read_rows(ITEMS, ("インタフェース", "項目", "扱い", "元")):
        of = ContractItem(row["項目"], row["扱い"], tuple(map(Place.of, row["元"].split())))
        found.setdefault(row["インタフェース"], {})[of.id] = of
    return found


@lru_cache(maxsize=1)
def _links() -> dict[str, tuple[Link, ...]]:
    found: dict[str, tuple[Link, ...]] = {}
    rows: list[Row] = read_rows(CARRIED, ("送付ファイル", "抽出", "結び付ける項目"))
    for row in rows:
        found[row["送付ファイル"]] = (*found.get(row["送付ファイル"], ()), Link(row["抽出"], row["結び付ける項目"]))
    return found


def contract(interface: str) -> dict[str, ContractItem]:
    """The declared items of an interface's data records, by id; empty for an interface that no code knows."""
    return _contracts().get(interface, {})


def links(outgoing: str) -> tuple[Link, ...]:
    """The extracts whose items go into an outgoing file; none for a file that is made of something else."""
    return _links().get(outgoing, ())


def outgoing_of(extract: str) -> list[str]:
    """The outgoing files that items of an extract go into."""
    return [outgoing for outgoing, found in _links().items() if any(link.extract == extract for link in found)]


def items_read(interface: str) -> ItemsRead:
    """The items that the program reads of an extract or an inbound file."""
    by_use: dict[str, list[str]] = {NEEDED: [], OPTIONAL: []}
    for of in contract(interface).values():
        by_use[of.use].append(of.id)
    return ItemsRead(interface, tuple(by_use[NEEDED]), tuple(by_use[OPTIONAL]))


def missing_items(specification: Specification) -> list[str]:
    """The items of the data records that the layout must have and lacks."""
    declared = contract(specification.id).values()
    return [of.id for of in declared if of.use == NEEDED and of.id not in specification.data.by_id]
