"""The fingerprint of tables: SHA-256 over a text format of our own, the same in every release of polars. Stores nothing.

The ledger keeps such hashes for years (snapshot_sha256), so the format is fixed here and must never change: UTF-8, a line
of column names and one per row, each ended by LF, with commas between the fields. Null is nothing, the empty string is "",
days are YYYY-MM-DD, Booleans true and false, integers their digits. A string that is empty or contains a comma, a quote,
CR or LF is quoted, with quotes doubled. polars 2.1.0 writes the same as CSV: the first hashes were made with that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import polars as pl

ROWS_AT_ONCE = 20_000  # some megabytes of text
_QUOTED_FOR = '[,"\r\n]'


def fingerprint(frames: Iterable[pl.DataFrame]) -> str:
    """SHA-256 over the texts of tables, concatenated."""
    digest = hashlib.sha256()
    for frame in frames:
        for part in text(frame):
            digest.update(part)
    return digest.hexdigest()


def text(frame: pl.DataFrame) -> Iterator[bytes]:
    """A table's text in parts: the names, then ROWS_AT_ONCE rows each. Columns of strings, days, Booleans and integers.

    TypeError for a column of another type.
    """
    names = {str(number): [name] for number, name in enumerate(frame.columns)}
    for part in (pl.DataFrame(names), *frame.iter_slices(ROWS_AT_ONCE)):
        yield _rows(part)
        yield b"\n"


def _rows(part: pl.DataFrame) -> bytes:
    is_awkward = part.select(pl.col(pl.String).str.contains(_QUOTED_FOR).any() | (pl.col(pl.String) == "").any())
    awkward = [name for name in is_awkward.columns if is_awkward[name].item()]
    fields = [_field(name, dtype, quoted=name in awkward) for name, dtype in part.schema.items()]
    rows: bytes = part.select(pl.concat_str(fields, separator=",").str.join("\n").cast(pl.Binary)).item()
    return rows


def _field(name: str, dtype: pl.DataType, *, quoted: bool) -> pl.Expr:
    """A column's values as they appear in the text. quoted: some of its strings must be quoted."""
    value = pl.col(name)
    if isinstance(dtype, pl.String):
        written = _quoted(value) if quoted else value
    elif isinstance(dtype, pl.Date):
        written = value.dt.strftime("%Y-%m-%d")
    elif isinstance(dtype, pl.Boolean):
        written = pl.when(value).then(pl.lit("true")).when(~value).then(pl.lit("false"))
    elif dtype.is_integer():
        written = value.cast(pl.String)
    else:
        raise TypeError(f"{name}: no text for {dtype}")
    return written.fill_null("")


def _quoted(value: pl.Expr) -> pl.Expr:
    quotes = pl.lit('"')
    quoted = pl.concat_str(quotes, value.str.replace_all('"', '""', literal=True), quotes)
    return pl.when((value == "") | value.str.contains(_QUOTED_FOR)).then(quoted).otherwise(value)
