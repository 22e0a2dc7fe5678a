"""Excel books that people give us, as plain values: checked before they are unpacked, and limited in size.

The callers know what the sheets mean. Only text, numbers and days are values; any other content of a cell is reported and
never read as text. Macros are not run. openpyxl is imported on use: it takes 0.2 s, and most commands read no book.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import iterparse

from interfaces.messages import RenkeiError, reason_of

# 1 % of 300,000 insured move within the prefecture in a month: 3,000 candidates at most, and two thirds more; a heading.
MOST_ROWS = 5_000 + 1
MOST_COLUMNS = 64  # our widest sheet has 16, four times over
# A row of our widest sheet takes about 1,600 bytes with its texts, whether they stand in it or in a part of their own.
LARGEST_MEMBER = MOST_ROWS * 2_500  # 12.5 MB; 1 GB of memory while it is read when it is nothing but empty cells
LARGEST_CONTENT = 2 * LARGEST_MEMBER  # 25 MB: as much again for the other sheets, the style and the theme
LARGEST_FILE = LARGEST_CONTENT  # nobody gains by packing
MOST_MEMBERS = 100  # Excel writes about 20 for three sheets
# Books of ours are packed to a twelfth, saved by other programs to a twentieth; a bomb to a thousandth.
MOST_RATIO = 200
MOST_DIGITS = 15  # of a number: Excel keeps no more of them
# Active content that a book may declare. None of it is ever run or followed here, and a filled form has none.
_FOREIGN = {
    "macroEnabled": "マクロ",
    "vbaProject": "マクロ",
    "macrosheet": "マクロ",
    "externalLink": "外部リンク",
    "oleObject": "埋め込み",
    "activeX": "埋め込み",
}
_CONTENT_TYPES = "[Content_Types].xml"
_TRUE = ("1", "true")


class CellFault(StrEnum):
    """Why a cell may not be read, in the words of the messages."""

    FORMULA = "数式"
    NO_RESULT = "計算の結果が入っていない数式"
    ERROR = "エラー値"
    BOOLEAN = "TRUE か FALSE"
    TIME = "時刻"
    PERCENT = "百分率の数"
    TOO_LONG = f"{MOST_DIGITS}桁を超える数（Excel は後ろの桁を落とします）"
    MERGED = "結合したセル"
    HIDDEN = "隠れている行か列のセル"


@dataclass(frozen=True, slots=True)
class Cell:
    """The content of a cell: text, a number or a day. `fault`: why it may not be read."""

    value: str | int | float | dt.date | None = None
    fault: CellFault | None = None

    @property
    def text(self) -> str:
        """The value as text: a whole number without a point, a day as YYYY-MM-DD, line ends as \\n."""
        if isinstance(self.value, dt.date):
            return self.value.isoformat()
        # Excel for the web and other programs write a line end as \r\n.
        return "" if self.value is None else str(self.value).replace("_x000D_", "").replace("\r\n", "\n")

    @property
    def is_blank(self) -> bool:
        """Whether nothing was written: no value, or only spaces."""
        return self.fault is None and not self.text.strip()


Rows = list[tuple[Cell, ...]]
_NOTHING = Cell()


@dataclass(frozen=True)
class Book:
    """A book that was read. sheets: the cells by the sheet's name, from the top, MOST_COLUMNS wide; sha256: of its bytes."""

    sheets: dict[str, Rows]
    sha256: str


def address(row: int, column: int) -> str:
    """The name of a cell as Excel shows it; row and column from 1."""
    from openpyxl.utils.cell import get_column_letter

    return f"{get_column_letter(column)}{row}"


def holds_anything(rows: Rows) -> bool:
    """Whether anything was written on a sheet."""
    return any(not cell.is_blank for row in rows for cell in row)


def read_book(path: Path, *, results: bool = False) -> Book:
    """The book in a file. With `results` a formula is its result.

    KR-7104 when the file cannot be read, KR-7401 when it is no valid .xlsx, KR-7420 when it is larger than any form,
    KR-7421 when it contains macros, links to other books or embedded objects. Never any other error.
    """
    if path.suffix.casefold() != ".xlsx":
        raise RenkeiError("KR-7401", name=path.name)
    try:
        with path.open("rb") as handle:
            data = handle.read(LARGEST_FILE + 1)
    except OSError as error:
        raise RenkeiError("KR-7104", path=str(path), reason=reason_of(error)) from error
    try:
        _check(data, path.name)
        return Book(_values(data, path.name, results), sha256(data).hexdigest())
    except RenkeiError:
        raise
    except (
        Exception
    ) as error:  # the readers of ZIP, XML and Excel document no complete list of errors for damaged files
        raise RenkeiError("KR-7401", name=path.name) from error


def _check(data: bytes, name: str) -> None:
    """Check the directory of the ZIP before anything is unpacked; no member unpacks to more than its stated size."""
    _require(len(data), LARGEST_FILE, "ファイルのバイト数", name)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        content = sum(member.file_size for member in members)
        _require(len(members), MOST_MEMBERS, "中のファイルの数", name)
        _require(max(member.file_size for member in members), LARGEST_MEMBER, "中のファイルのバイト数", name)
        _require(content, LARGEST_CONTENT, "中のファイルの合計のバイト数", name)
        _require(content // len(data), MOST_RATIO, "圧縮の倍率", name)
        declared = archive.read(_CONTENT_TYPES).replace(b"\0", b"").lower()
    for word, what in _FOREIGN.items():
        if word.lower().encode() in declared:
            raise RenkeiError("KR-7421", name=name, what=what)


def _require(found: int, most: int, what: str, name: str) -> None:
    if found > most:
        raise RenkeiError("KR-7420", name=name, what=what, found=found, most=most)


def _values(data: bytes, name: str, results: bool) -> dict[str, Rows]:
    import openpyxl

    book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    sheets: dict[str, Rows] = {}
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # those that the sheet states may be wrong; only its rows count
        found = list(islice(_rows(sheet), MOST_ROWS + 1))
        _require(len(found), MOST_ROWS, "行数", name)
        layout = _layout(sheet)
        sheets[sheet.title] = [
            tuple(layout.checked(row, column, cell, results) for column, cell in enumerate(cells, 1))
            for row, cells in enumerate(found, 1)
        ]
    return sheets


def _rows(sheet: Any) -> Iterator[tuple[Cell, ...]]:
    for row in sheet.iter_rows(max_col=MOST_COLUMNS):
        yield tuple(_NOTHING if cell.value is None else _cell(cell) for cell in row)


def _cell(cell: Any) -> Cell:
    """A cell by the kind of its value; formulas, merging and hiding are checked later."""
    value = cell.value
    if cell.data_type == "e":
        return Cell(None, CellFault.ERROR)
    if isinstance(value, bool):
        return Cell(None, CellFault.BOOLEAN)
    if isinstance(value, dt.time | dt.timedelta):
        return Cell(None, CellFault.TIME)
    if isinstance(value, dt.datetime):
        return Cell(value.date(), None if value.time() == dt.time() else CellFault.TIME)
    if isinstance(value, int | float):
        return _number(value, cell.number_format)
    text = str(value)
    return Cell(text, CellFault.FORMULA if text.lstrip().startswith("=") else None)


def _number(value: float, form: str | None) -> Cell:
    if "%" in (form or ""):
        return Cell(value, CellFault.PERCENT)
    if abs(value) >= 10**MOST_DIGITS:
        return Cell(None, CellFault.TOO_LONG)
    return Cell(int(value) if value == int(value) else value)


@dataclass
class _Layout:
    """The properties of a sheet's cells besides their values. `formulas`: whether each has a stored result."""

    formulas: dict[tuple[int, int], bool] = field(default_factory=dict)
    merged: set[tuple[int, int]] = field(default_factory=set)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)

    def checked(self, row: int, column: int, cell: Cell, results: bool) -> Cell:
        """The cell with the first reason why it may not be read."""
        has_result = self.formulas.get((row, column))
        if has_result is not None and not results:
            return Cell(None, CellFault.FORMULA)
        if has_result is False:
            return Cell(None, CellFault.NO_RESULT)
        if cell.fault is not None or cell.is_blank:
            return cell
        if (row, column) in self.merged:
            return Cell(cell.value, CellFault.MERGED)
        if row in self.hidden_rows or column in self.hidden_columns:
            return Cell(cell.value, CellFault.HIDDEN)
        return cell


def _layout(sheet: Any) -> _Layout:
    """Formulas, merged and hidden cells of a sheet, from its XML: the reader of values reports none of them."""
    from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries

    found = _Layout()
    row = column = 0
    with sheet._get_source() as source:
        for event, element in iterparse(source, events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start" and tag == "row":
                row, column = int(float(element.get("r", row + 1))), 0
                if element.get("hidden") in _TRUE:
                    found.hidden_rows.add(row)
            elif event == "end" and tag == "c":
                place = element.get("r")
                column = coordinate_to_tuple(place)[1] if place else column + 1
                if column <= MOST_COLUMNS and (parts := _parts(element)).keys() & {"f"}:
                    found.formulas[row, column] = "v" in parts and (bool(parts["v"]) or element.get("t") == "str")
                element.clear()
            elif event == "end" and tag == "col" and element.get("hidden") in _TRUE:
                found.hidden_columns |= set(
                    range(int(element.get("min")), min(int(element.get("max")), MOST_COLUMNS) + 1)
                )
            elif event == "end" and tag == "mergeCell":
                first_column, first_row, last_column, last_row = range_boundaries(element.get("ref"))
                if (first_column, first_row) != (last_column, last_row):
                    found.merged.add((first_row, first_column))
            elif event == "end" and tag == "row":
                element.clear()
    return found


def _parts(cell: Any) -> dict[str, str]:
    return {part.tag.rpartition("}")[2]: part.text or "" for part in cell}
