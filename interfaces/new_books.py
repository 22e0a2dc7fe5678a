"""Excel books that we make: text stays text, the same content gives the same bytes, and no temporary file is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import xlsxwriter

_CREATED = dt.datetime(2018, 4, 1)  # noqa: DTZ001  a mark, not a time
# Without `in_memory` every sheet, with the names on it, would first be a temporary file.
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


@contextmanager
def new_book(data: BytesIO, title: str) -> Iterator[Any]:
    """An xlsxwriter book; its bytes are in `data` when the block ends."""
    with xlsxwriter.Workbook(data, _OPTIONS) as book:
        book.set_properties({"created": _CREATED, "title": title})
        yield book


def print_on_a4(sheet: Any) -> None:
    """Set a sheet to print on A4 landscape, one page wide."""
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)


def new_list(
    title: str, heading: str, columns: Sequence[tuple[str, str, float]], rows: Sequence[Mapping[str, str]]
) -> bytes:
    """A printable book of one sheet: a heading above a table. columns: name in `rows`, heading, width in characters."""
    data = BytesIO()
    with new_book(data, title) as book:
        bold = book.add_format({"bold": True, "bg_color": "#D9E2F3", "border": 1, "text_wrap": True, "valign": "top"})
        wrap = book.add_format({"border": 1, "text_wrap": True, "valign": "top"})
        sheet = book.add_worksheet(title)
        print_on_a4(sheet)
        sheet.repeat_rows(1)
        sheet.freeze_panes(2, 0)
        sheet.write_string(0, 0, heading)
        for column, (name, text, width) in enumerate(columns):
            sheet.set_column(column, column, width)
            sheet.write_string(1, column, text, bold)
            for number, row in enumerate(rows, 2):
                sheet.write_string(number, column, row[name], wrap)
    return data.getvalue()
