"""Our own tables as schemas: for each table its columns, their types, what they are in Japanese, and which are public.

A column is personal unless it is marked as public. A column that is an item of the catalogue takes its name and its mark
from the catalogue's dictionary. Public columns are stored as plaintext, all others encrypted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import pandera.polars as pa
import polars as pl

from interfaces.catalogue import Catalogue, load_catalogue
from interfaces.messages import RenkeiError

_MARK, _IS_KEY = "mark", "is_key"
_ITEM, _PUBLIC, _PERSONAL = "item", "public", "personal"
MY_NUMBER = "my_number"  # is kept in tables of its own, and never among the records of an interface


def item(*, is_key: bool = False) -> Any:
    """A column that is an item of the catalogue: the dictionary says what it is and whether it is public.

    is_key: no two rows have the same value, and none lacks it.
    """
    return pa.Field(nullable=not is_key, metadata={_MARK: _ITEM, _IS_KEY: is_key})


def public(description: str, *, name: str | None = None) -> Any:
    """A column of our own that identifies no person: stored as plaintext. name: of a column that is no identifier."""
    return pa.Field(nullable=True, description=description, alias=name, metadata={_MARK: _PUBLIC})


def personal(description: str, *, name: str | None = None) -> Any:
    """A column of our own that is encrypted: it may lead to a person, or nobody needs it as plaintext."""
    return pa.Field(nullable=True, description=description, alias=name, metadata={_MARK: _PERSONAL})


class Table(pa.DataFrameModel):
    """A table with exactly these columns. Its class says all that is known of it; `StoredTable` adds the catalogue."""

    class Config:
        strict = True
        coerce = False

    @classmethod
    def dtypes(cls) -> dict[str, pl.DataType]:
        """Column -> its Polars type, in order."""
        return {name: _instance(column.dtype.type) for name, column in cls.to_schema().columns.items()}

    @classmethod
    def names(cls) -> list[str]:
        """The columns, in order."""
        return list(cls.to_schema().columns)

    @classmethod
    def empty(cls, *names: str) -> pl.DataFrame:  # type: ignore[override]  # a plain frame: it is concatenated and typed
        """The table without a row; of these columns alone, when some are named."""
        dtypes = cls.dtypes()
        return pl.DataFrame(schema={name: dtypes[name] for name in names or dtypes})

    @classmethod
    def of(cls, rows: Iterable[Any]) -> pl.DataFrame:
        """The table with these rows: tuples in the order of the columns, or dicts; a column that a dict lacks is null."""
        return pl.DataFrame(list(rows), schema=cls.dtypes(), orient="row")

    @classmethod
    def checked(cls, frame: pl.DataFrame, catalogue: Catalogue | None = None) -> pl.DataFrame:
        """The frame itself; KR-7120 when it is not such a table."""
        stored = StoredTable(cls, catalogue or load_catalogue())
        if faults := stored.faults(frame):
            raise RenkeiError("KR-7120", table=cls.__name__, faults=faults)
        return frame


class Records(Table):
    """The canonical records of an interface: the items that the program reads, and whatever else the layout has of items."""

    class Config:
        strict = False
        coerce = False


@dataclass(frozen=True)
class Column:
    """A column in words. is_public: stored as plaintext. is_key: no value is there twice."""

    name: str
    dtype: pl.DataType
    description: str
    is_public: bool
    is_key: bool


@dataclass(frozen=True)
class StoredTable:
    """A table as it is stored by a deployment: the model, and the catalogue whose dictionary knows the items."""

    model: type[Table]
    catalogue: Catalogue

    def public_columns(self, columns: Iterable[str]) -> frozenset[str]:
        """Those of `columns` that are stored as plaintext."""
        return frozenset(name for name in columns if self._is_public(name))

    def columns(self, frame: pl.DataFrame | None = None) -> list[Column]:
        """The columns in words: those of the model, or all that a frame has."""
        dtypes = self.model.dtypes() if frame is None else dict(frame.schema)
        return [
            Column(name, kind, self._description(name), self._is_public(name), name in self.key_columns)
            for name, kind in dtypes.items()
        ]

    def shape_faults(self, frame: pl.DataFrame) -> str:
        """In words, which columns are missing, unknown or wrongly typed; empty when none is. Looks at no value."""
        expected = self.model.dtypes()
        further = [name for name in frame.columns if name not in expected]
        allowed = _item_types(self.catalogue) if issubclass(self.model, Records) else {}
        found = {
            "足りない列": [name for name in expected if name not in frame.columns],
            "知らない列": [name for name in further if name not in allowed],
            "型の違う列": [
                *(name for name, kind in expected.items() if name in frame.columns and frame.schema[name] != kind),
                *(name for name in further if name in allowed and frame.schema[name] not in allowed[name]),
            ],
        }
        return _in_words(found)

    def faults(self, frame: pl.DataFrame) -> str:
        """As `shape_faults`, and which columns break the model otherwise: a key twice or null. Never a value."""
        if faults := self.shape_faults(frame):
            return faults
        try:
            self.model.to_schema().validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            return _in_words({"空の値のある列": sorted({str(fault.schema.name) for fault in error.schema_errors})})
        return _in_words({"同じ値が二度ある列": [key for key in self.key_columns if not _is_unique(frame[key])]})

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of which no value stands twice."""
        columns = self.model.to_schema().columns
        return tuple(name for name, column in columns.items() if (column.metadata or {}).get(_IS_KEY))

    def _mark(self, name: str) -> str:
        column = self.model.to_schema().columns.get(name)
        if column is None:
            return _ITEM if issubclass(self.model, Records) else _PERSONAL
        return str((column.metadata or {}).get(_MARK, _PERSONAL))

    def _is_public(self, name: str) -> bool:
        mark, entry = self._mark(name), self.catalogue.dictionary.get(name)
        if mark != _ITEM:
            return mark == _PUBLIC
        return entry is not None and self.catalogue.sensitivities[entry.sensitivity].mask == "none"

    def _description(self, name: str) -> str:
        entry = self.catalogue.dictionary.get(name)
        if self._mark(name) == _ITEM and entry is not None:
            return f"{entry.name}。{entry.description}" if entry.description else entry.name
        column = self.model.to_schema().columns.get(name)
        return str(column.description or "") if column is not None else ""


def _instance(kind: Any) -> pl.DataType:
    made: pl.DataType = kind() if isinstance(kind, type) else kind
    return made


def _is_unique(values: pl.Series) -> bool:
    """Whether no value stands twice. Most tables are sorted by their key, and then one comparison says so."""
    return bool((values > values.shift()).all()) or values.n_unique() == len(values)


def _in_words(found: Mapping[str, list[str]]) -> str:
    return "、".join(f"{what} {'・'.join(names)}" for what, names in found.items() if names)


@lru_cache(maxsize=8)
def _item_types(catalogue: Catalogue) -> Mapping[str, frozenset[pl.DataType]]:
    """Item -> the types that its canonical values have in the interfaces of a catalogue; of one in no interface, both."""
    found: dict[str, set[pl.DataType]] = {}
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            for record in specification.records:
                for item in record.items:
                    found.setdefault(item.id, set()).add(pl.Date() if item.type.is_date else pl.String())
    either = {pl.Date(), pl.String()}
    return {name: frozenset(found.get(name, either)) for name in catalogue.dictionary if name != MY_NUMBER}
