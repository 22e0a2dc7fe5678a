"""Writes the auditor's report: an Excel book with a sheet per table, or a page for a browser and A4 paper."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import jinja2
import polars as pl

from interfaces.new_books import new_book, print_on_a4
from pipelines.operations.audit_report import CHECKS, SHEETS, Report
from pipelines.storage.files import write_durably

COVER: Final = "表紙"
COVER_WIDTH: Final = 110
SIGNATURES: Final = ("作成者", "確認者", "監査者")
# Columns whose texts take more than one line, with their width in half-width characters; the others stay on one line.
WIDE: Final = {
    "理由": 30,
    "備考": 30,
    "内容・理由": 36,
    "その後": 30,
    "件数と内容": 60,
    "問い": 40,
    "インタフェース": 28,
    "ファイル名・対象": 36,
}
NUMBERS: Final = ("件数", "うち休日", "保存月数")
HASH_WIDTH, LONGEST = 36, 42  # half of a SHA-256 in hexadecimal, and a little
LINE_POINTS: Final = 15  # Excel and LibreOffice do not agree on the height of a wrapped row: it is given
_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("pipelines.operations"), autoescape=True, undefined=jinja2.StrictUndefined
)


def write_html(report: Report, path: Path) -> None:
    """The report as a page; everything in it is escaped."""
    page = _pages.get_template("report.html").render(
        report=report, sheets=SHEETS, checks=CHECKS, wide=WIDE, numbers=NUMBERS, signatures=SIGNATURES
    )
    write_durably(path, page.encode())


def write_xlsx(report: Report, path: Path) -> None:
    """The report as an Excel book; text stays text."""
    data = BytesIO()
    with new_book(data, report.title) as book:
        formats = _Formats.of(book)
        _cover(book.add_worksheet(COVER), report, formats)
        for name, table in report.tables.items():
            _sheet(book.add_worksheet(name), table, SHEETS[name].text, formats)
    write_durably(path, data.getvalue())


@dataclass(frozen=True)
class _Formats:
    """The formats of the book's cells."""

    title: Any
    caption: Any
    heading: Any
    text: Any
    hash: Any
    number: Any
    note: Any
    empty: Any

    @classmethod
    def of(cls, book: Any) -> _Formats:
        base = {"font_name": "Yu Gothic", "font_size": 10, "valign": "top"}
        boxed = {**base, "border": 1, "text_wrap": True}
        heading = {**boxed, "bold": True, "bg_color": "#D9E2F3"}
        return cls(
            title=book.add_format({**base, "bold": True, "font_size": 16}),
            caption=book.add_format(heading),
            heading=book.add_format({**heading, "valign": "vcenter"}),
            text=book.add_format(boxed),
            hash=book.add_format({**boxed, "font_name": "Consolas", "font_size": 8}),
            number=book.add_format({**boxed, "align": "right"}),
            note=book.add_format({**base, "font_color": "#444444"}),
            empty=book.add_format({**base, "border": 1}),
        )


def _cover(sheet: Any, report: Report, formats: _Formats) -> None:
    print_on_a4(sheet)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, COVER_WIDTH)
    sheet.write_string(0, 0, report.title, formats.title)
    sheet.set_row(0, 26)
    row = 2
    for caption, text in report.cover:
        sheet.write_string(row, 0, caption, formats.caption)
        sheet.write_string(row, 1, text, formats.text)
        sheet.set_row(row, LINE_POINTS * (1 + _length(text) // COVER_WIDTH))
        row += 1
    sheet.write_string(row + 1, 0, "このプログラムを使わない確認の方法", formats.note)
    row += 2
    for number, check in enumerate(CHECKS, 1):
        sheet.write_string(row, 0, f"確認 {number}", formats.caption)
        sheet.write_string(row, 1, check, formats.text)
        sheet.set_row(row, 2 * LINE_POINTS)
        row += 1
    for signature in SIGNATURES:
        row += 1
        sheet.write_string(row, 0, f"{signature}（氏名・日付・印）", formats.caption)
        sheet.write_string(row, 1, "", formats.empty)
        sheet.set_row(row, 34)


def _sheet(sheet: Any, table: pl.DataFrame, text: str, formats: _Formats) -> None:
    print_on_a4(sheet)
    sheet.write_string(0, 0, f"{text}　{table.height}件", formats.note)
    rows = table.rows()
    widths = [_width(heading, [row[column] for row in rows]) for column, heading in enumerate(table.columns)]
    for column, (heading, width) in enumerate(zip(table.columns, widths, strict=True)):
        form = formats.hash if _is_hash(heading) else formats.number if heading in NUMBERS else formats.text
        sheet.set_column(column, column, width)
        sheet.write_string(1, column, heading, formats.heading)
        for number, row in enumerate(rows, 2):
            sheet.write_string(number, column, row[column], form)
    for number, row in enumerate(rows, 2):
        lines = max(-(-_length(cell) // (width - 1)) for cell, width in zip(row, widths, strict=True))
        sheet.set_row(number, LINE_POINTS * max(lines, 1))
    sheet.freeze_panes(2, 0)
    sheet.repeat_rows(1)


def _is_hash(heading: str) -> bool:
    return "SHA-256" in heading


def _width(heading: str, cells: Sequence[str]) -> int:
    if _is_hash(heading):
        return HASH_WIDTH
    longest = max(map(_length, (heading, *cells))) + 3
    return min(longest, WIDE.get(heading, LONGEST))


def _length(text: str) -> int:
    """The length of a text in half-width characters."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WFA" else 1 for letter in text)
