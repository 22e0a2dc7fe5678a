"""Excel books that people hand us, as plain values: looked at before they are unpacked, and never more than there is room for.

What the sheets mean is the business of whoever reads them; formulas are text here, and macros are not run.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from itertools import islice
from pathlib import Path

import openpyxl

from interfaces.messages import RenkeiError, reason_of

Rows = list[tuple[object, ...]]

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
# What only a book with a life of its own declares. None of it is ever run or followed here; a filled form has none.
_FOREIGN = {
    "macroEnabled": "マクロ", "vbaProject": "マクロ", "macrosheet": "マクロ", "externalLink": "外部リンク",
    "oleObject": "埋め込み", "activeX": "埋め込み",
}  # fmt: skip
_CONTENT_TYPES = "[Content_Types].xml"


def read_book(path: Path, *, results: bool = False) -> dict[str, Rows]:
    """The values of every sheet by its name: rows from the top, MOST_COLUMNS wide. With `results` a formula is its result.

    KR-7104 when the file cannot be read, KR-7401 when it is no sound .xlsx, KR-7420 when it is larger than any form,
    KR-7421 when it holds macros, links to other books or embedded objects. Never any other error.
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
        return _values(data, path.name, results)
    except RenkeiError:
        raise
    except Exception as error:  # the readers of ZIP, XML and Excel have no closed list of what damage makes them raise
        raise RenkeiError("KR-7401", name=path.name) from error


def _check(data: bytes, name: str) -> None:
    """What the directory of the ZIP says, before anything is unpacked; a member never unpacks to more than it says."""
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
    book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=results, keep_links=False)
    sheets: dict[str, Rows] = {}
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # as the sheet tells them; only its rows are to be believed
        rows = list(islice(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), MOST_ROWS + 1))
        _require(len(rows), MOST_ROWS, "行数", name)
        sheets[sheet.title] = rows
    return sheets
