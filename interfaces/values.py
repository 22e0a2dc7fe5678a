"""Raw text of a file <-> the values that the program works with. Converts only; nothing is validated or repaired."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl

from interfaces.spec import Item, ItemType, Record, Specification


def parse_date(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """Text -> `pl.Date` by the type's date format; null when blank or when no such day exists (docs/sources.md 2.2)."""
    if kind.date_format == "YYYYMMDD":
        return column.str.to_date("%Y%m%d", strict=False)
    if kind.date_format == "YYYY-MM-DD":
        return column.str.to_date("%Y-%m-%d", strict=False)
    before_first_year = {era.digit: era.year_before for era in kind.eras}
    year = column.str.slice(1, 2).cast(pl.Int32, strict=False) + column.str.slice(0, 1).replace_strict(
        before_first_year, default=None, return_dtype=pl.Int32
    )
    return (year.cast(pl.String) + column.str.slice(3, 4)).str.to_date("%Y%m%d", strict=False)


def first_day(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """The day of a text of a dated type, for a month its first day; null as in `parse_date`."""
    if kind.is_date:
        return parse_date(column, kind)
    return (column.str.replace("-", "", literal=True) + "01").str.to_date("%Y%m%d", strict=False)


def format_date(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """`pl.Date` -> text by the type's date format; null stays null."""
    if kind.date_format == "YYYYMMDD":
        return column.dt.strftime("%Y%m%d")
    if kind.date_format == "YYYY-MM-DD":
        return column.dt.strftime("%Y-%m-%d")
    era = pl.lit(None, pl.String)
    year = pl.lit(None, pl.Int32)
    for row in kind.eras:
        begun = column >= row.start
        era = pl.when(begun).then(pl.lit(row.digit)).otherwise(era)
        year = pl.when(begun).then(column.dt.year() - row.year_before).otherwise(year)
    return era + year.cast(pl.String).str.zfill(2) + column.dt.strftime("%m%d")


def _canonical(item: Item, specification: Specification, on: dt.date) -> pl.Expr:
    column = pl.col(item.id)
    if item.type.is_date:
        date = parse_date(column, item.type)
        return date.dt.offset_by("1d") if item.period_end_inclusive else date
    if item.code_table:
        meanings = {code.value: code.meaning for code in specification.codes_on(item.code_table, on)}
        return column.replace_strict(meanings, default=None, return_dtype=pl.String)
    text = column.str.replace("^([0-9]{4})([0-9]{2})$", "$1-$2") if item.type.date_format == "YYYYMM" else column
    return pl.when(text == "").then(None).otherwise(text)


def to_canonical(raw: pl.DataFrame, record: Record, specification: Specification, on: dt.date) -> pl.DataFrame:
    """Raw String columns of a record kind -> canonical values (docs/architecture.md).

    Dates become `pl.Date` (an inclusive period end becomes the day after), coded items their 意味, months `YYYY-MM`,
    blanks null. A value without meaning becomes null: validate first.
    """
    extra = [name for name in raw.columns if name not in record.by_id]
    return raw.select(*extra, *[_canonical(item, specification, on).alias(item.id) for item in record.items])


def to_stored(raw: pl.DataFrame, record: Record, specification: Specification, on: dt.date) -> pl.DataFrame:
    """As `to_canonical`, without the items that are stored nowhere (保存 しない)."""
    kept = [item for item in record.items if item.is_kept]
    without = raw.drop([item.id for item in record.items if not item.is_kept])
    return to_canonical(without, replace(record, items=tuple(kept)), specification, on)


def _raw(item: Item, dtype: pl.DataType, specification: Specification, on: dt.date) -> pl.Expr:
    column = pl.col(item.id)
    if item.type.is_date and dtype == pl.Date:
        date = column.dt.offset_by("-1d") if item.period_end_inclusive else column
        text = format_date(date, item.type)
    elif item.code_table and dtype == pl.String:
        values = {code.meaning: code.value for code in specification.codes_on(item.code_table, on)}
        text = column.replace_strict(values, default=column)
    elif item.type.date_format == "YYYYMM":
        text = column.cast(pl.String).str.replace("-", "", literal=True)
    else:
        text = column.cast(pl.String)
    return text.fill_null("")


def from_canonical(frame: pl.DataFrame, record: Record, specification: Specification, on: dt.date) -> pl.DataFrame:
    """Canonical values -> raw String columns of the record kind, in file order; an absent column is written blank.

    A meaning that the code table does not have is written as it is, so that validation reports it (never silently blank).
    """
    return frame.select(
        [
            _raw(item, frame.schema[item.id], specification, on).alias(item.id)
            if item.id in frame.columns
            else pl.lit("").alias(item.id)
            for item in record.items
        ]
    )
