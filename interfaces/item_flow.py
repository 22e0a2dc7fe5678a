"""Where the items of an outgoing file come from: extracts, the header, the program. Works on specifications and expressions only.

An item without 値の元 comes from the item of the same id. Otherwise its call says from where:
`item(id)`, `part(id,start,count)`, `joined(wide_space|nothing,id,id…)`, `before_space(id)`, `after_space(id)`,
`translated(id,table)`, `header(name)`, `blank`. An id that several extracts have is written `extract.id`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.contract import FILLED, HEADER, MY_NUMBER, NEEDED, Place, contract, links
from interfaces.messages import RenkeiError
from interfaces.spec import Call, Code, Item, Record, Specification

SEPARATORS: Final = {"wide_space": "\u3000", "nothing": ""}
BLANK, FROM_HEADER, JOINED, TRANSLATED, PART, SAME = "blank", "header", "joined", "translated", "part", "item"
# What each call of 値の元 takes: how many arguments, and which of them are ids of items.
FORMS: Final[Mapping[str, tuple[int, slice]]] = {
    BLANK: (0, slice(0)),
    FROM_HEADER: (1, slice(0)),
    SAME: (1, slice(0, 1)),
    PART: (3, slice(0, 1)),
    "before_space": (1, slice(0, 1)),
    "after_space": (1, slice(0, 1)),
    JOINED: (3, slice(1, None)),  # three or more
    TRANSLATED: (2, slice(0, 1)),
}
LAST_FILLED: Final = "update_kind"  # is known only when the file is made, so no other item comes from it
_OF_RULES = ("record_sequence", "data_record_count")


@dataclass(frozen=True)
class Flow:
    """How an item of an outgoing file's data records is made of others. places: what `how` names, found."""

    item: Item
    how: Call
    places: tuple[Place, ...]


@dataclass(frozen=True)
class OnADay:
    """An outgoing file on a day: its specification, and those of the extracts that are linked with it."""

    outgoing: Specification
    extracts: Mapping[str, Specification]
    on: dt.date

    @classmethod
    def of(cls, catalogue: Catalogue, outgoing: str, on: dt.date) -> OnADay:
        """KR-7102, KR-7103 when there is no such specification; an extract without one has no items."""
        found: dict[str, Specification] = {}
        for link in links(outgoing):
            try:
                found[link.extract] = catalogue.in_force(link.extract, on)
            except RenkeiError:
                continue
        return cls(catalogue.in_force(outgoing, on), found, on)

    def places(self, name: str) -> list[Place]:
        """Where an item of that name is: `id`, or `extract.id`. Several when it must be said which is meant."""
        wanted = Place.of(name)
        if wanted.interface is None and name in self.own_ids and name != LAST_FILLED:
            return [wanted]
        return [
            Place(extract, wanted.item)
            for extract, specification in self.extracts.items()
            if wanted.interface in (None, extract) and self._is_there(specification, wanted.item)
        ]

    @property
    def own_ids(self) -> list[str]:
        """The items that the program itself fills."""
        declared = contract(self.outgoing.id).values()
        return [of.id for of in declared if of.use in (NEEDED, FILLED)]

    def source(self, place: Place) -> Item | None:
        """The item at a place; None for one that the program works out, and for one that is not there or not kept."""
        if place.interface is None:
            return None
        specification = self.extracts.get(place.interface)
        is_there = specification is not None and self._is_there(specification, place.item)
        return specification.data.by_id[place.item] if specification and is_there else None

    @staticmethod
    def _is_there(specification: Specification, item: str) -> bool:
        return item in specification.data.by_id and specification.data.by_id[item].is_kept

    def is_made_by_program(self, item: Item) -> bool:
        """Whether the program fills the item, and has of what."""
        of = contract(self.outgoing.id).get(item.id)
        if of is None:
            return False
        return not of.made_of or any(self.source(place) is not None for place in of.made_of)

    def flow(self, item: Item) -> Flow | None:
        """How an item is made of others; None when it is not, or nothing fills it."""
        how = item.value_from or Call(SAME, (item.id,))
        if how.name not in FORMS or how.name in (BLANK, FROM_HEADER) or is_of_file(item):
            return None
        if item.value_from is None and (item.id in self.own_ids or item.id in header_names(self.outgoing)):
            return None
        found = [self.places(name) for name in how.arguments[FORMS[how.name][1]]]
        if MY_NUMBER in (place.item for places in found for place in places) or not all(found):
            return None
        return Flow(item, how, tuple(places[0] for places in found))

    def flows(self) -> list[Flow]:
        """The items of the data records that are made of others."""
        return [flow for item in self.outgoing.data.items if (flow := self.flow(item)) is not None]

    def is_filled(self, record: Record, item: Item) -> bool:
        """Whether something fills an item, be it with nothing on purpose (`blank`)."""
        if item.value_from is not None:
            return True  # whether its call can be carried out is another question
        if is_of_file(item) or item.id in header_names(self.outgoing):
            return True
        if record is not self.outgoing.data:
            return False
        if item.id == MY_NUMBER:
            return bool(self.places(MY_NUMBER))
        return self.is_made_by_program(item) or self.flow(item) is not None


def header_names(specification: Specification) -> tuple[str, ...]:
    """The names of the values that a file's header has."""
    return HEADER.get(specification.layout.cycle, HEADER["daily"])


def is_of_file(item: Item) -> bool:
    """Whether a rule of the item fills it: a constant, a number of the record, a count."""
    return item.constant is not None or any(item.rule(name) for name in _OF_RULES)


def can_be_normalised(item: Item) -> bool:
    """Whether an outgoing item is text as the register has it: neither a date, nor a code, nor filled by a rule."""
    return not item.type.date_format and not item.code_table and not is_of_file(item)


@lru_cache(maxsize=64)
def flows_of(catalogue: Catalogue, outgoing: str, on: dt.date) -> tuple[Flow, ...]:
    """The items of an outgoing file's data records that are made of others on a day; once for each day."""
    return tuple(OnADay.of(catalogue, outgoing, on).flows())


def with_stated_values(
    data: pl.DataFrame, header: Mapping[str, object], specification: Specification
) -> tuple[pl.DataFrame, dict[str, object]]:
    """Data and header of an outgoing file with the items that the layout leaves blank, or takes from the header by name."""
    columns: list[pl.Expr] = []
    of_file = dict(header)
    for record in specification.records:
        for item in record.items:
            how = item.value_from
            if how is None or how.name not in (BLANK, FROM_HEADER):
                continue
            stated = header[how.arguments[0]] if how.name == FROM_HEADER else None
            if record is specification.data:
                columns.append(pl.lit(stated, None if stated is not None else pl.String()).alias(item.id))
            else:
                of_file[item.id] = stated
    return data.with_columns(columns), of_file


def value(flow: Flow, codes: Mapping[str, tuple[Code, ...]], on: dt.date) -> pl.Expr:
    """The canonical value of an item, of columns named as its places are; null when it is nothing."""
    columns = [pl.col(str(place)) for place in flow.places]
    first, name, arguments = columns[0], flow.how.name, flow.how.arguments
    if name == PART:
        made = first.str.slice(int(arguments[1]) - 1, int(arguments[2]))
    elif name == JOINED:
        made = pl.concat_str(columns, separator=SEPARATORS[arguments[0]], ignore_nulls=True)
    elif name == "before_space":
        made = first.str.extract(r"^([^ \x{3000}]*)")
    elif name == "after_space":
        made = first.str.extract(r"^[^ \x{3000}]*[ \x{3000}]+(.*)$")
    elif name == TRANSLATED:
        words = {code.value: code.meaning for code in codes[arguments[1]] if code.in_force(on)}
        made = first.replace(words)
    else:
        made = first
    wanted = pl.Date() if flow.item.type.is_date else pl.String()
    made = made.cast(wanted, strict=False)
    return made if flow.item.type.is_date else pl.when(made != "").then(made)
