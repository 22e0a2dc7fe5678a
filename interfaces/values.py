"""Raw text of a file <-> the values that the program works with. Converts only; nothing is validated or repaired.

Days are `pl.Date`, months `YYYY-MM`, numbers of a type with 数の形式 plain text (`-1.25`), coded values their 意味.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl

from interfaces.date_forms import first_day_of, written_day
from interfaces.spec import Item, ItemType, Record, Specification


def parse_date(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """Text -> `pl.Date` by the type's date format; null when blank or when no such day exists (docs/sources.md 2.2)."""
    return first_day_of(column, kind.date, kind.eras)


def first_day(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """The day of a text of a dated type, for a month its first day; null as in `parse_date`."""
    return first_day_of(column, kind.date, kind.eras)


def month_of(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """The month of a text of a dated type as `YYYYMM`."""
    if kind.date_format in ("YYYYMM", "YYYY-MM"):
        return column.str.replace("-", "", literal=True)
    return first_day(column, kind).dt.strftime("%Y%m")


def digits_only(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """A date without what separates its parts: what the sentinels are compared with."""
    separators = kind.date.separators | {"-"}
    if separators == {"-"}:
        return column.str.replace_all("-", "", literal=True)
    return column.str.replace_many(sorted(separators), [""] * len(separators))


def format_date(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """`pl.Date` -> text by the type's date format; null stays null."""
    return written_day(column, kind.date, kind.eras)


def number_of(column: pl.Expr, kind: ItemType) -> pl.Expr:
    """Text -> the number, as a whole number of its smallest decimals (12.50 is 1250); null when it is no number."""
    return column.cast(pl.Int128, strict=False) if kind.number is None else kind.number.scaled(column)


def _canonical(item: Item, specification: Specification, on: dt.date) -> pl.Expr:
    column = pl.col(item.id)
    if item.type.is_date:
        date = parse_date(column, item.type)
        return date.dt.offset_by("1d") if item.period_end_inclusive else date
    if item.code_table:
        meanings = {code.value: code.meaning for code in specification.codes_on(item.code_table, on)}
        return column.replace_strict(meanings, default=None, return_dtype=pl.String)
    text = _plain(column, item.type)
    return pl.when(text == "").then(None).otherwise(text)


def _plain(column: pl.Expr, kind: ItemType) -> pl.Expr:
    if kind.number is not None:
        return kind.number.plain(column)
    if kind.date_format == "YYYYMM":
        return column.str.replace("^([0-9]{4})([0-9]{2})$", "$1-$2")
    if kind.is_month and kind.date_format != "YYYY-MM":
        return first_day(column, kind).dt.strftime("%Y-%m")
    return column


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
        text = column.replace_strict(specification.written_codes(item.code_table, on), default=column)
    else:
        text = _written(column.cast(pl.String), item, specification)
    return text.fill_null("")


def _written(column: pl.Expr, item: Item, specification: Specification) -> pl.Expr:
    """Text as the program has it -> as the type writes it; what the type cannot write stays, so that validation reports it."""
    kind = item.type
    if kind.number is not None:
        return kind.number.written(column, specification.characters(item) if kind.padding == "zero_left" else 0)
    if kind.date_format == "YYYYMM":
        return column.str.replace("-", "", literal=True)
    if kind.is_month and kind.date_format != "YYYY-MM":
        return pl.coalesce(format_date((column + "-01").str.to_date("%Y-%m-%d", strict=False), kind), column)
    return column


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
