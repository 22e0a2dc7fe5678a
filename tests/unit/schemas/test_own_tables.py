"""Our own tables as models: a frame that is not such a table is refused by its columns, never by a value."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from pipelines.continuity import decisions
from pipelines.linkage import state
from pipelines.tables import continuity, eligibility, files, high_cost, linkage, operations
from pipelines.tables.registry import TABLES, stored_tables
from schemas import compile as compilation
from schemas import findings
from schemas.tables import MY_NUMBER, Records, StoredTable, Table

CATALOGUE = load_catalogue()
MODELS = sorted(
    {
        model
        for module in (continuity, eligibility, files, high_cost, linkage, operations, findings, compilation)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, Table) and model not in (Table, Records)
    },
    key=lambda model: model.__name__,
)
# A month as its first day, where a table counts with it; in files and extracts it is a text.
MONTHS_AS_DAYS = {"HistorySnapshot", "CountedMonths", "HandedOverMonths"}
NAME = "合成　太郎"
PEOPLE = 300_000


def columns_of(model: type[Table]) -> dict[str, Any]:
    return dict(model.to_schema().columns)


def marks_of(model: type[Table]) -> dict[str, str]:
    return {name: column.metadata["mark"] for name, column in columns_of(model).items()}


def faults(model: type[Table], frame: pl.DataFrame) -> str:
    return StoredTable(model, CATALOGUE).faults(frame)


def row_of(model: type[Table]) -> pl.DataFrame:
    """One row with a value in every column."""
    values: dict[type[pl.DataType], object] = {
        pl.String: NAME,
        pl.Date: dt.date(2026, 4, 1),
        pl.Boolean: True,
        pl.List: [NAME],
        **dict.fromkeys((pl.Int32, pl.Int64, pl.UInt32), 7),
    }
    return model.of([{name: values[type(kind)] for name, kind in model.dtypes().items()}])


@pytest.mark.parametrize("model", MODELS)
def test_a_table_passes_and_a_missing_an_unknown_and_a_wrongly_typed_column_are_named(model: type[Table]) -> None:
    sound = row_of(model)
    assert faults(model, model.empty()) == faults(model, sound) == ""
    assert model.checked(sound) is sound
    for name, kind in model.dtypes().items():
        assert faults(model, sound.drop(name)) == f"足りない列 {name}"
        other = pl.Float64()
        assert kind != other
        assert faults(model, sound.with_columns(pl.lit(None, other).alias(name))) == f"型の違う列 {name}"
    assert faults(model, sound.with_columns(pl.lit(NAME).alias("count_"))) == "知らない列 count_"
    with pytest.raises(RenkeiError, match="KR-7120") as caught:
        model.checked(sound.with_columns(pl.lit(NAME).alias("count_")))
    assert NAME not in caught.value.for_people()


@pytest.mark.parametrize("model", [model for model in MODELS if StoredTable(model, CATALOGUE).key_columns])
def test_a_key_is_unique_and_never_null(model: type[Table]) -> None:
    (key,) = StoredTable(model, CATALOGUE).key_columns
    sound = row_of(model)
    assert faults(model, pl.concat([sound, sound])) == f"同じ値が二度ある列 {key}"
    assert faults(model, sound.with_columns(pl.lit(None, pl.String).alias(key))) == f"空の値のある列 {key}"
    both = pl.concat([sound.with_columns(pl.lit(value).alias(key)) for value in ("2", "1")])
    assert faults(model, both) == "", "in any order"


@pytest.mark.parametrize("model", MODELS)
def test_every_column_says_what_it_is_and_an_item_says_it_in_the_catalogue_alone(model: type[Table]) -> None:
    described = {column.name: column.description for column in StoredTable(model, CATALOGUE).columns()}
    assert all(described.values())
    for name, mark in marks_of(model).items():
        if mark == "item":
            assert columns_of(model)[name].description is None
            assert described[name].startswith(CATALOGUE.dictionary[name].name)
        elif model in TABLES.values():
            assert name not in CATALOGUE.dictionary, "an item's mark is the catalogue's"


@pytest.mark.parametrize("model", MODELS)
def test_items_have_the_type_of_their_canonical_values(model: type[Table]) -> None:
    canonical: dict[str, set[pl.DataType]] = {}
    for interface in CATALOGUE.ids():
        for record in CATALOGUE.versions(interface)[-1].records:
            for item in record.items:
                canonical.setdefault(item.id, set()).add(pl.Date() if item.type.is_date else pl.String())
    for name, mark in marks_of(model).items():
        is_month = name == "treatment_month" and model.__name__ in MONTHS_AS_DAYS
        if mark == "item" and not is_month:
            assert canonical[name] == {model.dtypes()[name]}, name


def test_records_may_have_further_items_of_the_catalogue_and_nothing_else() -> None:
    extract, sound = eligibility.ResidentExtract, row_of(eligibility.ResidentExtract)
    further = sound.with_columns(address=pl.lit(NAME), changed_on=pl.lit(dt.date(2026, 4, 1)))
    assert faults(extract, further) == ""
    assert faults(extract, further.with_columns(changed_on=pl.lit("2026-04-01"))) == "型の違う列 changed_on"
    assert faults(extract, further.with_columns(remark=pl.lit(NAME))) == "知らない列 remark"
    assert faults(extract, further.with_columns(pl.lit(NAME).alias(MY_NUMBER))) == f"知らない列 {MY_NUMBER}"


@pytest.mark.parametrize(
    ("table", "model"),
    [(decisions.table, continuity.Decisions), (state.discrepancies, linkage.LinkageDiscrepancies)],
)
def test_rows_of_the_ledgers_database_have_the_columns_of_their_model(table: sa.Table, model: type[Table]) -> None:
    own = {"sequence", "entry_id", "known_from"} - set(model.names())
    kinds = {sa.Date: pl.Date(), sa.Integer: pl.Int64(), sa.Boolean: pl.Boolean()}
    stored = {
        column.name: next((kind for type_, kind in kinds.items() if isinstance(column.type, type_)), pl.String())
        for column in table.columns
        if column.name not in own
    }
    assert stored == model.dtypes()


def test_a_column_is_personal_unless_it_is_marked() -> None:
    class Unmarked(Table):
        count: pl.String

    stored = StoredTable(Unmarked, CATALOGUE)
    assert stored.public_columns(["count", "level", "sex", "sent_file_name"]) == frozenset()


def test_a_check_of_a_whole_municipality_takes_next_to_no_time() -> None:
    numbers = pl.Series("resident_number", [f"{number:015d}" for number in range(PEOPLE)])
    rows = {
        "my_numbers": pl.concat([eligibility.MyNumbers.empty(), numbers.to_frame()], how="diagonal"),
        "sent_people": pl.concat([eligibility.SentPeople.empty(), numbers.to_frame()], how="diagonal"),
    }
    for asset, frame in rows.items():
        stored, seconds = stored_tables(CATALOGUE)[asset], []
        for check in (stored.shape_faults, stored.faults):
            for _ in range(5):
                began = time.perf_counter()
                assert check(frame) == ""
                seconds.append(time.perf_counter() - began)
        assert min(seconds[:5]) < 0.02, "names and types"
        assert min(seconds[5:]) < 0.2, "and keys"
