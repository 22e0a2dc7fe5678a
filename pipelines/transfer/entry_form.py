"""The 入力票: the Excel book into which a clerk types what the Union's screen shows. Written, and read back.

What is typed is checked by `manual_entry`, as the file that the Union would have sent. Nothing here knows what an interface
means: columns, marks and examples are made from its specification.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from interfaces.messages import RenkeiError, message
from interfaces.new_books import A4, HEADING_COLOUR, new_book, print_landscape, print_on_a4, row_height
from interfaces.spec import Item, Specification
from interfaces.workbook import Cell, Rows, address, holds_anything, read_book
from pipelines.configuration.settings import Settings
from pipelines.storage.files import write_durably

SHEET, GUIDE = "入力", "使い方"
ROW = "row"
# Items that the program fills in: they are the same in every record.
FILLED = frozenset({"record_kind", "record_number", "data_kind", "insurer_number", "municipality_code"})
# Rows of the sheet: title, a hint, headings, how to write, an example, then the records.
HEADINGS_AT, FIRST_ROW = 3, 6
_EARLIER_FIRST_ROW = 2  # of a form that begins with its headings, as earlier versions made it
_LAST_LISTED = 5000  # the last row with drop-downs; a longer book is not read
_SHOWN = 20
_WIDTH = 18
_MONTH_WORDS = "年月は 2026-04 の形で書いてください"
_DAY_WORDS = "日付は 2026-04-01 の形で書いてください"
_GUIDE = (
    ("これは何か", "連合会の画面に表示された内容を転記する表です。連合会からファイルで届かない情報に使います。"),
    (
        "記入する欄",
        f"「{SHEET}」シートの{FIRST_ROW}行目から下の黄色の欄です。1件を1行に記入します。見出し・書き方・例の行は変更できません。",
    ),
    ("例", f"{FIRST_ROW - 1}行目は書き方の例です。取り込みません。"),
    ("必須", "見出しが黄色の欄は、必ず記入します。"),
    ("日付", "西暦で 2026-04-01 のように記入します。年月は 2026-04 です。和暦では取り込めません。"),
    ("一覧", "「一覧から選択」の欄は、欄の右の ▼ から選びます。"),
    ("番号", "先頭の 0 も省かずに、画面に表示されたとおり記入します。"),
    ("保存", "Excel ブック（.xlsx）のまま保存します。CSV では取り込めません。"),
    (
        "記入後",
        "保存したら、転記した人の氏名を添えて係の連携担当者へ渡してください。誤りがあれば、行と項目を示して連絡があります。",
    ),
    ("個人番号", "この表にはありません。書かないでください。"),
)


def typed_items(specification: Specification) -> list[Item]:
    """The items that a person types, in the order of the specification."""
    return [item for item in specification.data.items if item.id not in FILLED]


def form_path(settings: Settings, specification: Specification, month: dt.date) -> Path:
    """Where the form of a month lies unless said otherwise: in the clerks' folder."""
    return settings.clerks / f"入力票_{specification.layout.name}_{month:%Y-%m}.xlsx"


@dataclass(frozen=True)
class EntryForm:
    """The form of an interface for a month. month_in_words: 令和8年4月; municipality_code: for the example."""

    specification: Specification
    month: dt.date
    month_in_words: str
    municipality_code: str

    @property
    def title(self) -> str:
        """The first line of the form, by which a form of another kind or month is noticed."""
        return f"{self.specification.layout.name} 入力票　{self.month_in_words}"

    @property
    def items(self) -> list[Item]:
        """The items that are typed: its columns."""
        return typed_items(self.specification)

    def place(self, row: int, heading: str) -> str:
        """The cell of a row (of the sheet) under a heading, in words."""
        names = [item.name for item in self.items]
        cell = f"{address(row, names.index(heading) + 1)} " if heading in names else ""
        return f"{cell}{row}行目 {heading}".strip()

    def write(self, path: Path) -> None:
        """The empty form: one column per item, drop-downs for coded items; only the cells of the records can be changed."""
        data = BytesIO()
        with new_book(data, self.title) as book:
            self._entry_sheet(book)
            self._guide_sheet(book)
        write_durably(path, data.getvalue())

    def _entry_sheet(self, book: Any) -> None:
        sheet = book.add_worksheet(SHEET)
        frame = {"border": 1, "border_color": "#808080", "valign": "top", "text_wrap": True}
        heading = book.add_format(frame | {"bold": True, "bg_color": HEADING_COLOUR})
        required = book.add_format(frame | {"bold": True, "bg_color": "#FFE699"})
        note = book.add_format(frame | {"font_size": 9})
        example = book.add_format(
            frame | {"font_size": 9, "italic": True, "font_color": "#7F7F7F", "bg_color": "#EDEDED"}
        )
        entry = book.add_format(frame | {"num_format": "@", "locked": False, "bg_color": "#FFFBE6"})
        plain = book.add_format({"valign": "vcenter"})
        for row, height in ((0, 24), (1, 18)):
            sheet.set_row(row, height, plain)
        sheet.write_string(0, 0, self.title, book.add_format({"bold": True, "font_size": 14, "valign": "vcenter"}))
        hint = f"{FIRST_ROW}行目から下の黄色の欄に、連合会の画面から転記してください。記入後のことは「{GUIDE}」シートにあります。"
        sheet.write_string(1, 0, hint, plain)
        rows = list(zip(range(HEADINGS_AT - 1, FIRST_ROW - 1), self._fixed_rows(), strict=True))
        for row, texts in rows:
            sheet.set_row(row, row_height((text, _WIDTH) for text in texts))
        for column, item in enumerate(self.items):
            sheet.set_column(column, column, _WIDTH, entry)
            forms = (required if item.required == "必須" else heading, note, example)
            for (row, texts), form in zip(rows, forms, strict=True):
                sheet.write_string(row, column, texts[column], form)
            if item.code_table:
                names = [code.name for code in self.specification.codes_on(item.code_table, self.month)]
                words = {"error_title": "一覧", "error_message": "一覧から選択してください"}
                sheet.data_validation(
                    FIRST_ROW - 1, column, _LAST_LISTED, column, {"validate": "list", "source": names} | words
                )
        sheet.protect("", {"select_locked_cells": True, "format_rows": True, "format_columns": True})
        sheet.freeze_panes(FIRST_ROW - 1, 1)
        sheet.repeat_rows(0, FIRST_ROW - 2)
        sheet.set_header("&R取扱注意（個人情報）")
        print_landscape(sheet, A4)

    def _guide_sheet(self, book: Any) -> None:
        guide = book.add_worksheet(GUIDE)
        wrap = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "border_color": "#808080"})
        bold = book.add_format({"bold": True, "valign": "top", "bg_color": HEADING_COLOUR, "border": 1})
        guide.set_column(0, 0, 16)
        guide.set_column(1, 1, 90)
        guide.write_string(0, 0, self.title, book.add_format({"bold": True, "font_size": 14}))
        for row, (name, text) in enumerate(_GUIDE, 1):
            guide.set_row(row, row_height([(text, 90)]))
            guide.write_string(row, 0, name, bold)
            guide.write_string(row, 1, text, wrap)
        guide.protect()
        print_on_a4(guide)

    def _fixed_rows(self) -> list[list[str]]:
        """The texts above the records: headings, how to write each item, an example of each."""
        return [
            [item.name for item in self.items],
            [f"{self._required(item)}\n{_how(item)}" for item in self.items],
            [f"例 {self._example(item)}" for item in self.items],
        ]

    def _required(self, item: Item) -> str:
        """必須, 任意, or the condition (条件 id, or 条件 id=値|値) in words."""
        if not item.required.startswith("条件 "):
            return item.required
        other_id, _, values = item.required.removeprefix("条件 ").partition("=")
        other = self.specification.data.by_id[other_id]
        if not values:
            return f"「{other.name}」を記入したとき必須"
        names = {code.value: code.name for code in self.specification.codes_on(other.code_table, self.month)}
        return f"「{other.name}」が{'・'.join(names.get(value, value) for value in values.split('|'))}のとき必須"

    def _example(self, item: Item) -> str:
        if item.code_table:
            return next((code.name for code in self.specification.codes_on(item.code_table, self.month)), "")
        if item.type.date_format:
            return f"{self.month:%Y-%m}-10" if item.type.is_date else f"{self.month:%Y-%m}"
        return self.municipality_code if item.rule("municipality_check_digit") else "1".zfill(item.length)

    def read(self, path: Path) -> pl.DataFrame:
        """The typed records, canonical, with their `row` of the form. KR-7602 for anything that cannot be read, or that
        would be ignored (next to the table, over the example, on another sheet); errors of the book as in `read_book`.

        A form of an earlier version, whose first row are the headings, is read as well.
        """
        sheets = read_book(path, results=True).sheets
        if SHEET not in sheets:
            raise RenkeiError("KR-7602", problems=f"シート「{SHEET}」がありません")
        rows, items = sheets[SHEET], self.items
        first_row = self._first_row(rows)
        problems = _text_outside_form(sheets, len(items))
        if first_row == FIRST_ROW:
            problems += self._changed(rows)
        records = []
        for number, row in enumerate(rows[first_row - 1 :], first_row):
            cells = row[: len(items)]
            if all(cell.is_blank for cell in cells):
                continue
            record: dict[str, object] = {ROW: number}
            for item, cell in zip(items, cells, strict=True):
                record[item.id], problem = _value(item, cell, self.specification, self.month)
                problems += [f"{self.place(number, item.name)}: {problem}"] if problem else []
            records.append(record)
        if problems:
            raise refusal(problems)
        schema: dict[str, pl.DataType] = {item.id: pl.Date() if item.type.is_date else pl.String() for item in items}
        return pl.DataFrame(records, schema={ROW: pl.Int64(), **schema}, orient="row")

    def _first_row(self, rows: Rows) -> int:
        """The row of the first record, by where the headings are. KR-7602 without them, or for another kind or month."""
        names = [item.name for item in self.items]
        if _texts(rows, 1, len(names)) == names:
            return _EARLIER_FIRST_ROW
        if _texts(rows, HEADINGS_AT, len(names)) != names:
            raise RenkeiError("KR-7602", problems="見出しが変わっています")
        if _texts(rows, 1, 1) != [self.title]:
            raise RenkeiError(
                "KR-7602", problems=f"「{self.title}」ではありません。対象月と入力票の種類を確認してください"
            )
        return FIRST_ROW

    def _changed(self, rows: Rows) -> list[str]:
        """Rows above the records that are not as they were made: what is written there would be ignored."""
        return [
            message("KR-7433").render(place=f"{number}行目")
            for number, texts in enumerate(self._fixed_rows(), HEADINGS_AT)
            if _texts(rows, number, len(texts)) != texts
        ]


def _texts(rows: Rows, number: int, width: int) -> list[str]:
    """The texts of a row of the sheet (from 1), as many as `width`; none when the sheet ends before it."""
    return [cell.text for row in rows[number - 1 : number] for cell in row[:width]]


def _how(item: Item) -> str:
    if item.code_table:
        return "一覧から選択"
    if item.type.date_format:
        return "日付（西暦）" if item.type.is_date else "年月（西暦）"
    exact = item.rule("digits")
    return f"数字{exact.arguments[0]}桁" if exact else f"{item.type.id}{item.length}桁まで"


def _text_outside_form(book: Mapping[str, Rows], width: int) -> list[str]:
    """Text that would be ignored: next to the columns of the form, and on other sheets."""
    beside = [
        address(number, column)
        for number, row in enumerate(book[SHEET], 1)
        for column, cell in enumerate(row, 1)
        if column > width and not cell.is_blank
    ]
    sheets = [f"シート「{name}」" for name, rows in book.items() if name not in (SHEET, GUIDE) and holds_anything(rows)]
    return [message("KR-7433").render(place=place) for place in (*beside, *sheets)]


def refusal(problems: Sequence[str]) -> RenkeiError:
    """KR-7602 with the first problems."""
    more = f" 他{len(problems) - _SHOWN}件" if len(problems) > _SHOWN else ""
    return RenkeiError("KR-7602", problems="。".join(problems[:_SHOWN]) + more)


def _value(item: Item, cell: Cell, specification: Specification, month: dt.date) -> tuple[object, str]:
    """The value of a cell in the program's form, or what is wrong with it (without the value)."""
    if cell.fault is not None:
        return None, f"{cell.fault}なので読めません。値をそのまま書いてください"
    if cell.is_blank:
        return None, ""
    text = cell.text.strip()
    if item.code_table:
        names = {code.name: code.meaning for code in specification.codes_on(item.code_table, month)}
        return names.get(text), "" if text in names else "一覧から選んでください"
    if item.type.is_date:
        day = _day(text)
        return day, "" if day else _DAY_WORDS
    if isinstance(cell.value, dt.date):
        return _of_a_day(item, cell.value)
    if isinstance(cell.value, float):
        return None, "小数は書けません"
    return text, ""


def _day(text: str) -> dt.date | None:
    digits = pl.lit(text.replace("-", "") if _WRITTEN_DAY.match(text) else "")
    found: dt.date | None = pl.select(digits.str.to_date("%Y%m%d", strict=False)).item()
    return found


def _of_a_day(item: Item, day: dt.date) -> tuple[object, str]:
    """The value of a date cell where no date is expected: Excel turns a typed 2026-02 into the first of the month."""
    if item.type.is_month and day.day == 1:
        return f"{day:%Y%m}" if item.type.date_format == "YYYYMM" else f"{day:%Y-%m}", ""
    if item.type.date_format:
        return None, _MONTH_WORDS
    return None, "日付になっています。セルの書式を文字列にして書き換えてください"


_WRITTEN_DAY = re.compile(r"^(\d{4}-\d{2}-\d{2}|\d{8})$")
