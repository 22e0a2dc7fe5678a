"""Excel books that we make: text stays text, the same content gives the same bytes, and no part of one lies in a file meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import xlsxwriter

_CREATED = dt.datetime(2018, 4, 1)  # noqa: DTZ001  a mark, not a time
# Without `in_memory` every sheet, with the names on it, would first be a temporary file.
_OPTIONS = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip


@contextmanager
def new_book(data: BytesIO, title: str) -> Iterator[Any]:
    """An xlsxwriter book, whose bytes are in `data` when the block ends."""
    with xlsxwriter.Workbook(data, _OPTIONS) as book:
        book.set_properties({"created": _CREATED, "title": title})
        yield book
