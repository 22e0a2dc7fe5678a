"""An item table as a document prints it (.xlsx or .csv), as rows of plain text: merged cells filled, columns told by heading.

What the texts mean is decided in `drafting`. Nothing is dropped without a word: what was not read is in `notes`.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

from interfaces.messages import RenkeiError, reason_of
from interfaces.workbook import Cell, CellFault, Rows, address, read_book

NOT_AN_ITEM_TABLE = "KR-7130"
# What a column is, and the headings (half-width, without spaces) under which documents print it. 桁数 counts characters.
HEADINGS = {
    "項番": ("項番", "No", "No.", "NO", "NO.", "番号"),
    "項目名": ("項目名", "項目", "項目名称", "データ項目名", "データ項目", "名称"),
    "属性": ("属性", "文字種別", "文字種", "型", "データ型", "データ属性"),
    "バイト数": ("バイト数", "バイト", "レングス", "長さ", "項目長"),
    "桁数": ("桁数", "桁", "文字数"),
    "開始位置": ("開始位置", "位置", "開始", "バイト位置"),
    "必須": ("必須", "必須区分", "必須項目", "必須/任意", "要否"),
    "説明": ("説明", "備考", "内容", "設定内容", "記録内容", "摘要", "編集内容", "項目説明"),
}
_COLUMN_OF = {heading: column for column, headings in HEADINGS.items() for heading in headings}
_SEVERAL = ("項目名", "説明")  # several columns of these are levels of a name, or texts one after another
_FEWEST = 3  # headings that make a row a heading
_TOTAL = re.compile("^(合計|総計|計|小計|レコード長)")
_READ = (None, CellFault.MERGED)
Grid = list[list[str]]


@dataclass(frozen=True)
class PrintedRow:
    """A row of the printed table, as text. line: its number in the sheet; names: the levels of its name, outermost first.

    is_number_above: no 項番 was printed in the row itself, and the one above holds for it too.
    """

    line: int
    number: str
    names: tuple[str, ...]
    type: str
    bytes: str
    characters: str
    start: str
    required: str
    prose: str
    is_number_above: bool


@dataclass(frozen=True)
class PrintedTable:
    """The rows of one table; which columns it has; what a person must know of how it was read."""

    rows: tuple[PrintedRow, ...]
    columns: frozenset[str]
    totals: tuple[int, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Sheet:
    """The cells of a sheet as text. upper: those that another cell's merging fills, by (row, column) from 0."""

    grid: Grid
    filled: frozenset[tuple[int, int]]
    notes: tuple[str, ...]


def plain(text: str) -> str:
    """Half-width, without spaces: how headings, numbers and signs are compared."""
    return re.sub(r"\s", "", normalize("NFKC", text))


def read_printed(path: Path, sheet: str | None = None) -> PrintedTable:
    """The item table of a file; `sheet` names the sheet when several have one.

    KR-7130 when there is none, or more than one, or a cell cannot be read as printed; KR-7104, KR-7401, KR-7420, KR-7421 of
    the book.
    """
    sheets = _of_csv(path) if path.suffix.casefold() == ".csv" else _of_book(path)
    if sheet is not None and sheet not in sheets:
        raise _refusal(path, f"シート {sheet} がありません（あるシート: {'・'.join(sheets)}）")
    chosen = {name: found for name, found in sheets.items() if sheet in (None, name)}
    with_table = [name for name, found in chosen.items() if _headings_in(found.grid)]
    if not with_table:
        wanted = "・".join(headings[0] for headings in HEADINGS.values())
        raise _refusal(path, f"見出しの行が見つかりません（{wanted} のうち3つ以上の並ぶ行）")
    if len(with_table) > 1:
        raise _refusal(path, f"項目表がシート {'・'.join(with_table)} にあります。--sheet で一つを選んでください")
    return _table(path, chosen[with_table[0]])


def _refusal(path: Path, reason: str) -> RenkeiError:
    return RenkeiError(NOT_AN_ITEM_TABLE, name=path.name, reason=reason)


def _of_csv(path: Path) -> dict[str, _Sheet]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RenkeiError("KR-7104", path=str(path), reason=reason_of(error)) from error
    encodings = ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "cp932"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    else:
        raise _refusal(path, "文字コードが UTF-8・CP932 のどれでもありません。Excel で「CSV UTF-8」で保存してください")
    delimiter = max(",\t;", key=text.count)
    try:
        grid = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise _refusal(path, "CSV として読めません（引用符が閉じていません）") from error
    width = max(map(len, grid), default=0)
    notes = (
        () if encoding == "utf-8-sig" else (f"文字コードを {encoding} として読みました。文字化けがないか見てください",)
    )
    return {"": _Sheet([row + [""] * (width - len(row)) for row in grid], frozenset(), notes)}


def _of_book(path: Path) -> dict[str, _Sheet]:
    """Every sheet of a book, its merged cells filled. Formulas are their results; a hidden or changed cell is refused."""
    if path.suffix.casefold() == ".xls":
        raise _refusal(path, "古い形式（.xls）です。Excel で開き、「Excel ブック（.xlsx）」で保存してください")
    import openpyxl

    values, as_written = read_book(path, results=True), read_book(path)
    formulas = {name for name, rows in as_written.sheets.items() if _has(rows, CellFault.FORMULA)}
    with zipfile.ZipFile(path) as archive:
        has_pictures = any(name.startswith("xl/media/") for name in archive.namelist())
    merged = openpyxl.load_workbook(path, data_only=True, keep_links=False)
    sheets = {}
    for name, rows in values.sheets.items():
        notes = [f"シート {name} の数式は、計算の結果を読みました"] if name in formulas else []
        notes += ["図があります。図の中の文字は読んでいません"] if has_pictures else []
        grid = [
            [_text(path, cell, row, column) for column, cell in enumerate(cells, 1)]
            for row, cells in enumerate(rows, 1)
        ]
        areas = [area.bounds for area in merged[name].merged_cells.ranges]
        sheets[name] = _Sheet(*_filled(grid, areas), tuple(notes))
    return sheets


def _has(rows: Rows, fault: CellFault) -> bool:
    return any(cell.fault is fault for row in rows for cell in row)


def _text(path: Path, cell: Cell, row: int, column: int) -> str:
    if cell.fault not in _READ:
        remedy = "。再表示するか、要らなければ削除してください" if cell.fault is CellFault.HIDDEN else ""
        raise _refusal(path, f"セル {address(row, column)} が{cell.fault}です{remedy}")
    if isinstance(cell.value, dt.date):
        shown = f"{address(row, column)}（{cell.value.month}-{cell.value.day}）"
        raise _refusal(path, f"セル {shown} が日付に変わっています。書式を「文字列」にして再度入力してください")
    return cell.text.strip()


def _filled(grid: Grid, areas: Sequence[tuple[int, int, int, int]]) -> tuple[Grid, frozenset[tuple[int, int]]]:
    """The cells with the text of a merged area in each of its cells; which cells got it from above."""
    filled: set[tuple[int, int]] = set()
    height, width = len(grid), max(map(len, grid), default=0)
    for first_column, first_row, last_column, last_row in areas:
        if first_row > height or first_column > width:
            continue
        text = grid[first_row - 1][first_column - 1]
        for row in range(first_row - 1, min(last_row, height)):
            for column in range(first_column - 1, min(last_column, width)):
                grid[row][column] = text
                if row >= first_row:
                    filled.add((row, column))
    return grid, frozenset(filled)


def _headings_in(grid: Grid) -> list[int]:
    """The rows that are headings."""
    return [
        row
        for row, cells in enumerate(grid)
        if len({_COLUMN_OF.get(plain(cell)) for cell in cells} - {None}) >= _FEWEST
    ]


def _table(path: Path, sheet: _Sheet) -> PrintedTable:
    grid, headings = sheet.grid, _headings_in(sheet.grid)
    first = headings[0]
    last = first
    while last + 1 in headings:  # a heading of several rows, its cells merged downwards
        last += 1
    columns = _columns(path, [_lowest(grid, first, last, column) for column in range(len(grid[first]))])
    notes = [*sheet.notes]
    unread = [
        text
        for column in range(len(grid[first]))
        if column not in {place for places in columns.values() for place in places}
        and (text := _lowest(grid, first, last, column))
    ]
    if unread:
        notes.append(f"列 {'・'.join(dict.fromkeys(unread))} は読んでいません")
    rows: list[PrintedRow] = []
    totals: list[int] = []
    for row in range(last + 1, len(grid)):
        line, cells = row + 1, grid[row]
        if not any(cells):
            continue
        if row in headings:
            if cells != grid[last]:
                raise _refusal(
                    path, f"一つのシートに表が二つあります（{first + 1}行目と{line}行目）。シートを分けてください"
                )
            notes.append(f"{line}行目は見出しの繰り返しとして読みませんでした")
        elif _is_total(cells, columns):
            totals += [int(text) for text in (plain(_at(cells, columns, "バイト数")),) if text.isdigit()]
            notes.append(f"{line}行目は合計の行として、項目にしませんでした")
        elif not (_at(cells, columns, "属性") or _at(cells, columns, "バイト数") or _at(cells, columns, "桁数")):
            notes.append(f"{line}行目（{_short(cells)}）は属性も長さもないので、項目にしませんでした")
        else:
            rows.append(_row(line, cells, columns, rows[-1] if rows else None, sheet.filled))
    _require_one_run(path, rows)
    return PrintedTable(tuple(rows), frozenset(columns), tuple(totals), tuple(notes))


def _is_total(cells: Sequence[str], columns: dict[str, list[int]]) -> bool:
    """Whether a row adds up the others: 合計 in place of a 項番, or of the name of a row without one."""
    number = plain(_at(cells, columns, "項番"))
    return _TOTAL.match(number or plain(_at(cells, columns, "項目名"))) is not None


def _short(cells: Sequence[str]) -> str:
    text = next(cell for cell in cells if cell)
    return text[:20] + ("…" if len(text) > 20 else "")


def _lowest(grid: Grid, first: int, last: int, column: int) -> str:
    """The lowest heading of a column that has a meaning, else the lowest one."""
    texts = [plain(grid[row][column]) for row in range(last, first - 1, -1)]
    return next((text for text in texts if text in _COLUMN_OF), next(filter(None, texts), ""))


def _columns(path: Path, headings: Sequence[str]) -> dict[str, list[int]]:
    columns: dict[str, list[int]] = {}
    for place, heading in enumerate(headings):
        if heading in _COLUMN_OF:
            columns.setdefault(_COLUMN_OF[heading], []).append(place)
    for name, places in columns.items():
        if len(places) > 1 and name not in _SEVERAL:
            raise _refusal(
                path, f"{name} の列が{len(places)}つあります（見出し {headings[places[0]]}・{headings[places[1]]}）"
            )
    if "項目名" not in columns:
        raise _refusal(path, f"項目名の列がありません（使える見出し: {'・'.join(HEADINGS['項目名'])}）")
    return columns


def _at(cells: Sequence[str], columns: dict[str, list[int]], name: str) -> str:
    return next((cells[place] for place in columns.get(name, ())), "")


def _row(
    line: int,
    cells: Sequence[str],
    columns: dict[str, list[int]],
    above: PrintedRow | None,
    filled: frozenset[tuple[int, int]],
) -> PrintedRow:
    def own(name: str) -> str:
        """The cell's text, nothing if it is the length of several rows together."""
        is_shared = any((line - 1, place) in filled or (line, place) in filled for place in columns.get(name, ()))
        return "" if is_shared else _at(cells, columns, name)

    number = plain(_at(cells, columns, "項番"))
    is_above = above is not None and (
        not number or any((line - 1, place) in filled for place in columns.get("項番", ()))
    )
    levels = [cells[place] for place in columns["項目名"]]
    if above is not None and not levels[0] and any(levels):  # a merged name, of which a CSV keeps the first row only
        levels[0] = above.names[0]
    return PrintedRow(
        line,
        above.number if above is not None and not number else number,
        tuple(dict.fromkeys(filter(None, (re.sub(r"[\r\n]+", "", level).strip() for level in levels)))),
        plain(_at(cells, columns, "属性")),
        plain(own("バイト数")),
        plain(own("桁数")),
        plain(own("開始位置")),
        plain(_at(cells, columns, "必須")),
        "\n".join(dict.fromkeys(cells[place] for place in columns.get("説明", ()) if cells[place])),
        is_above,
    )


def _require_one_run(path: Path, rows: Sequence[PrintedRow]) -> None:
    """One table counts upwards once: a 項番 that begins again is a second table."""
    if not rows:
        raise _refusal(path, "見出しの下に項目がありません")
    numbers = [(row.line, int(row.number)) for row in rows if row.number.isdigit()]
    for (_, before), (line, after) in pairwise(numbers):
        if after < before:
            raise _refusal(path, f"{line}行目で項番が{after}に戻っています。表が二つなら、シートを分けてください")
