"""What a file writes where an item has no value: 00000000, 99999999, blanks (空の値). Read as no value, written as declared.

Unlike the sentinels of sentinels.csv, which are habits of systems, these are said by the layout, and nothing is counted.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from interfaces.spec import Item, Record, Specification

SPACES, ZEROS, NINES = "空白", "0埋め", "9埋め"
ALLOWED: Final = f"{SPACES}・{ZEROS}（項目の長さだけの0）・{NINES}・値そのもの を ; で区切り、先頭のものを書く"


def blank_texts(item: Item, specification: Specification) -> tuple[str, ...]:
    """The texts in a file that mean that the item has no value; the first one is written."""
    length = specification.characters(item)
    filled = {SPACES: "", ZEROS: "0" * length, NINES: "9" * length}
    return tuple(filled.get(word, word) for word in item.blanks)


def without_blanks(table: pl.DataFrame, record: Record, specification: Specification) -> pl.DataFrame:
    """A raw table as read, with nothing in place of each text that means no value."""
    columns = []
    for item in record.items:
        if texts := blank_texts(item, specification):
            text = pl.col(item.id)
            means_none = text.is_in(texts) | (pl.lit("" in texts) & (text.str.strip_chars() == ""))
            columns.append(pl.when(means_none).then(pl.lit("")).otherwise(text).alias(item.id))
    return table.with_columns(columns)


def with_blanks(table: pl.DataFrame, record: Record, specification: Specification) -> pl.DataFrame:
    """A raw table as written: each item without value has the text that says so."""
    columns = []
    for item in record.items:
        if (texts := blank_texts(item, specification)) and texts[0]:
            text = pl.col(item.id)
            columns.append(pl.when(text == "").then(pl.lit(texts[0])).otherwise(text).alias(item.id))
    return table.with_columns(columns)
