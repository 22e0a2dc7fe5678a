"""The report of a validated file: JSON for programs, an Excel book for people. Never the source of truth.

Both are readable by their owner alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from interfaces.messages import message
from interfaces.new_books import HEADING_COLOUR, new_book, print_on_a4, row_height
from interfaces.private import write_private
from interfaces.words import level_in_words
from schemas.validate import Validated

SHOWN = 500  # as many as a person can read; the summary counts everything
_PUBLIC = [
    "file",
    "line",
    "record",
    "item_no",
    "official_number",
    "item_name",
    "byte_position",
    "code",
    "level",
    "expected",
    "value",
    "message",
]
# Heading and width (in half-width characters) of the columns of the findings, and of what is counted.
_FOUND = {
    "line": ("行", 7),
    "record": ("レコード番号", 9),
    "item_no": ("項番", 6),
    "item_name": ("項目名", 20),
    "byte_position": ("バイト位置", 8),
    "code": ("コード", 9),
    "level": ("水準", 13),
    "expected": ("期待", 20),
    "value": ("受信値（伏せ字）", 20),
    "message": ("文面", 60),
}
_COUNTED = {
    "コード": 9,
    "水準": 13,
    "題": 26,
    "項番": 6,
    "項目名": 20,
    "件数": 8,
    "対処": 80,
}
_LEVELS = {
    "file": "ファイル全体を受け入れません",
    "record": "そのレコードを保留します",
    "warning": "受け入れます。確認のみ必要です",
}
_SUMMARY, _FIRST, _COUNTS = "概要", f"先頭{SHOWN}件", "集計"


def to_json(validated: Validated) -> dict[str, Any]:
    """interface, version, valid, records, counts_by_code, normalised (values by item), findings[] (values masked)."""
    specification = validated.decoded.spec
    return {
        "interface": specification.id,
        "version": specification.version,
        "valid": validated.valid,
        "records": validated.records,
        "counts_by_code": validated.counts_by_code,
        "normalised": validated.normalised,
        "findings": validated.findings.select(_PUBLIC).to_dicts(),
    }


def write_json(validated: Validated, path: Path) -> None:
    """The JSON report as a file."""
    write_private(path, json.dumps(to_json(validated), ensure_ascii=False, indent=1).encode())


def write_xlsx(validated: Validated, path: Path) -> None:
    """An Excel book: 概要, 先頭500件, 集計. Text is written as text; nothing becomes a formula or a link."""
    # Made in memory: a book whose disk is full would still complain when the process ends.
    data = BytesIO()
    with new_book(data, "検証報告書") as book:
        frame = {"text_wrap": True, "valign": "top", "border": 1, "border_color": "#808080"}
        bold = book.add_format(frame | {"bold": True, "bg_color": HEADING_COLOUR})
        wrap = book.add_format(frame)
        _summary(book.add_worksheet(_SUMMARY), validated, wrap, bold)
        found, last = validated.findings, min(validated.findings.height, SHOWN) + 1
        first = book.add_worksheet(_FIRST)
        _table(first, dict(_FOUND.values()), _shown(found.head(SHOWN)), wrap, bold)
        if found.height > SHOWN:
            first.write_string(last, 0, f"他{found.height - SHOWN}件", bold)
        _table(book.add_worksheet(_COUNTS), _COUNTED, _counted(found), wrap, bold)
    write_private(path, data.getvalue())


def _facts(validated: Validated) -> list[tuple[str, str]]:
    """What was validated, and the result, as (name, text)."""
    specification, layout = validated.decoded.spec, validated.decoded.spec.layout
    return [
        ("ファイル", validated.decoded.name),
        ("インタフェース", f"{layout.name}（{layout.id}）"),
        ("仕様の版", f"{specification.version}（{'公式' if layout.status == 'official' else '仮定'}）"),
        ("データ件数", f"{validated.records}"),
        ("判定", "正しい" if validated.valid else "誤りがある"),
        ("検出事項", f"{validated.findings.height}件"),
        ("正規化した値", normalised(validated)),
        *((f"水準「{level_in_words(level)}」", meaning) for level, meaning in _LEVELS.items()),
    ]


def _summary(sheet: Any, validated: Validated, wrap: Any, bold: Any) -> None:
    rows = [
        *_facts(validated),
        (_FIRST, f"見つかった順に{SHOWN}件まで。値は秘匿区分により伏せ字"),
        (_COUNTS, "全件をコードと項目で数えたもの。対処もここにある"),
    ]
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 90)
    for row, (name, text) in enumerate(rows):
        sheet.set_row(row, row_height(((name, 24), (text, 90))))
        sheet.write_string(row, 0, name, bold)
        sheet.write_string(row, 1, text, wrap)
    print_on_a4(sheet)


def normalised(validated: Validated) -> str:
    """How many values of which items were normalised (full-width digits, half-width kana, lost zeros, sentinel dates)."""
    names = {item.id: item.name for item in validated.decoded.spec.data.items}
    return "、".join(f"{names[item]} {count}件" for item, count in validated.normalised.items()) or "なし"


def _table(sheet: Any, columns: Mapping[str, float], rows: Sequence[Sequence[Any]], wrap: Any, bold: Any) -> None:
    """A table with its headings. columns: heading -> width. No row is lower than its longest text needs."""
    widths = list(columns.values())
    for row, cells in enumerate((list(columns), *rows)):
        sheet.set_row(row, row_height((str(value or ""), width) for value, width in zip(cells, widths, strict=True)))
        for column, value in enumerate(cells):
            form = wrap if row else bold
            if isinstance(value, int):
                sheet.write_number(row, column, value, form)
            else:
                sheet.write_string(row, column, value or "", form)
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    print_on_a4(sheet)


def _shown(found: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The findings under the headings of _FOUND."""
    level = pl.col("level").map_elements(level_in_words, return_dtype=pl.String)
    rows = found.with_columns(level).iter_rows(named=True)
    return [tuple(_number(row) if name == "item_no" else row[name] for name in _FOUND) for row in rows]


def _number(row: Mapping[str, Any]) -> int | str | None:
    """項番 for people: the document's own where it is given."""
    official: str | None = row["official_number"]
    place: int | None = row["item_no"]
    return official or place


def _counted(found: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Everything by code and item, under the headings of _COUNTED."""
    counted = (
        found.group_by("code", "level", "item_no", "official_number", "item_name")
        .agg(pl.len().alias("count"))
        .sort("code", "item_no", "item_name")
    )
    return [
        (
            row["code"],
            level_in_words(row["level"]),
            message(row["code"]).title,
            _number(row),
            row["item_name"],
            row["count"],
            message(row["code"]).remedy,
        )
        for row in counted.iter_rows(named=True)
    ]
