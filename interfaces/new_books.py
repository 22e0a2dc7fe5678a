"""Excel books that we make: text stays text, the same content gives the same bytes, and no temporary file is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from io import BytesIO
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

_CREATED = dt.datetime(2018, 4, 1)  # noqa: DTZ001  a mark, not a time
# Without `in_memory` every sheet, with the names on it, would first be a temporary file.
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    # Without a Japanese font Excel takes another one for every second letter.
    "default_format_properties": {"font_name": "游ゴシック", "font_size": 10},
}
A4, A3 = 9, 8
HEADING_COLOUR = "#D9E2F3"
_LINE_HEIGHT, _PADDING = 1.3, 4.0  # of a line by the size of its letters; points


@contextmanager
def new_book(data: BytesIO, title: str) -> Iterator[Any]:
    """An xlsxwriter book; its bytes are in `data` when the block ends."""
    # A copy: xlsxwriter changes the properties that it is given, and the next book would differ.
    with xlsxwriter.Workbook(data, deepcopy(_OPTIONS)) as book:
        book.set_properties({"created": _CREATED, "title": title})
        yield book


def print_on_a4(sheet: Any) -> None:
    """Set a sheet to print on A4 landscape, one page wide."""
    print_landscape(sheet, A4)


def print_landscape(sheet: Any, paper: int) -> None:
    """Set a sheet to print on A4 or A3 landscape, one page wide, with the page numbers below."""
    sheet.set_landscape()
    sheet.set_paper(paper)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    sheet.set_footer("&C&P / &N")


def column_letters(number: int, *, fixed: bool = False) -> str:
    """The letters of a column (0-based) for a formula: `AB`, or `$AB` when it must not move."""
    return str(xl_col_to_name(number, col_abs=fixed))


def row_height(cells: Iterable[tuple[str, float]], font_size: float = 10) -> float:
    """The height (points) of a row with wrapped texts. cells: text, width of its column in half-width characters."""
    lines = max((_lines(text, width) for text, width in cells), default=1)
    return lines * font_size * _LINE_HEIGHT + _PADDING


def _lines(text: str, width: float) -> int:
    """How many lines a text takes in a column: a full-width character is as wide as two, as in CP932."""
    room = max(1, int(width) - 1)
    return sum(max(1, -(-len(line) // room)) for line in text.encode("cp932", "replace").split(b"\n"))


def new_list(
    title: str,
    heading: str,
    columns: Sequence[tuple[str, str, float]],
    rows: Sequence[Mapping[str, str]],
    *,
    group: str | None = None,
) -> bytes:
    """A printable book of one sheet: a heading above a table. columns: name in `rows`, heading, width in characters.

    group: the column whose equal values belong together; every second group is shaded.
    """
    data = BytesIO()
    with new_book(data, title) as book:
        frame = {"border": 1, "border_color": "#808080", "text_wrap": True, "valign": "top"}
        bold = book.add_format(frame | {"bold": True, "bg_color": HEADING_COLOUR})
        forms = (book.add_format(frame), book.add_format(frame | {"bg_color": "#F2F2F2"}))
        sheet = book.add_worksheet(title)
        print_on_a4(sheet)
        sheet.set_header("&R取扱注意（個人情報）")
        sheet.repeat_rows(1)
        sheet.freeze_panes(2, 0)
        sheet.write_string(0, 0, heading, book.add_format({"bold": True, "font_size": 12}))
        for column, (_, text, width) in enumerate(columns):
            sheet.set_column(column, column, width)
            sheet.write_string(1, column, text, bold)
        shade = 0
        for number, row in enumerate(rows, 2):
            shade ^= group is not None and number > 2 and row[group] != rows[number - 3][group]
            sheet.set_row(number, row_height((row[name], width) for name, _, width in columns))
            for column, (name, *_) in enumerate(columns):
                sheet.write_string(number, column, row[name], forms[shade])
    return data.getvalue()
