"""The report of a validated file: JSON for programs, an Excel book for people. Never the source of truth.

Both are readable by their owner alone.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from interfaces.messages import message
from interfaces.new_books import new_book, print_on_a4
from interfaces.private import write_private
from schemas.validate import Validated

SHOWN = 500  # as many as a person can read; the summary counts everything
_PUBLIC = [
    "file",
    "line",
    "record",
    "item_no",
    "item_name",
    "byte_position",
    "code",
    "level",
    "expected",
    "value",
    "message",
]
_HEADINGS = {
    "line": "行",
    "record": "レコード番号",
    "item_no": "項番",
    "item_name": "項目名",
    "byte_position": "バイト位置",
    "code": "コード",
    "level": "水準",
    "expected": "期待",
    "value": "受信値（伏せ字）",
    "message": "文面",
}
_SUMMARY = ("コード", "水準", "題", "項番", "項目名", "件数", "対処")
_LEVELS = {"file": "ファイル全体を受け入れない", "record": "その記録を保留する", "warning": "受け入れる。確認だけ"}


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
    """An Excel book: 使い方, 先頭500件, 集計. Text is written as text; nothing becomes a formula or a link."""
    # Made in memory: a book whose disk is full would still complain when the process ends.
    data = BytesIO()
    with new_book(data, "検証報告書") as book:
        bold = book.add_format({"bold": True, "bg_color": "#D9E2F3", "border": 1, "text_wrap": True, "valign": "top"})
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        _guide(book.add_worksheet("使い方"), validated, wrap, bold)
        _first(book.add_worksheet("先頭500件"), validated.findings, wrap, bold)
        _summary(book.add_worksheet("集計"), validated.findings, wrap, bold)
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
        *((f"水準 {level}", meaning) for level, meaning in _LEVELS.items()),
    ]


def _guide(sheet: Any, validated: Validated, wrap: Any, bold: Any) -> None:
    rows = [
        *_facts(validated),
        ("先頭500件", "見つかった順に500件まで。値は秘匿区分により伏せ字"),
        ("集計", "全件をコードと項目で数えたもの。対処もここにある"),
    ]
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 90)
    for row, (name, text) in enumerate(rows):
        sheet.write_string(row, 0, name, bold)
        sheet.write_string(row, 1, text, wrap)
    print_on_a4(sheet)


def normalised(validated: Validated) -> str:
    """How many values of which items were normalised (full-width digits, half-width kana, lost zeros, sentinel dates)."""
    names = {item.id: item.name for item in validated.decoded.spec.data.items}
    return "、".join(f"{names[item]} {count}件" for item, count in validated.normalised.items()) or "なし"


def _first(sheet: Any, found: pl.DataFrame, wrap: Any, bold: Any) -> None:
    for column, (name, heading) in enumerate(_HEADINGS.items()):
        sheet.write_string(0, column, heading, bold)
        for row, value in enumerate(found[name].head(SHOWN), 1):
            if isinstance(value, int):
                sheet.write_number(row, column, value, wrap)
            else:
                sheet.write_string(row, column, value or "", wrap)
    if found.height > SHOWN:
        sheet.write_string(SHOWN + 1, 0, f"他{found.height - SHOWN}件", bold)
    sheet.set_column(0, len(_HEADINGS) - 2, 12)
    sheet.set_column(len(_HEADINGS) - 1, len(_HEADINGS) - 1, 80)
    sheet.freeze_panes(1, 0)
    print_on_a4(sheet)


def _counted(found: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Everything by code and item, under the headings of _SUMMARY."""
    counted = (
        found.group_by("code", "level", "item_no", "item_name")
        .agg(pl.len().alias("count"))
        .sort("code", "item_no", "item_name")
    )
    return [
        (code, level, message(code).title, number, name, count, message(code).remedy)
        for code, level, number, name, count in counted.rows()
    ]


def _summary(sheet: Any, found: pl.DataFrame, wrap: Any, bold: Any) -> None:
    for column, heading in enumerate(_SUMMARY):
        sheet.write_string(0, column, heading, bold)
    for row, cells in enumerate(_counted(found), 1):
        for column, value in enumerate(cells):
            if isinstance(value, int):
                sheet.write_number(row, column, value, wrap)
            else:
                sheet.write_string(row, column, value or "", wrap)
    sheet.set_column(0, 5, 14)
    sheet.set_column(6, 6, 80)
    sheet.freeze_panes(1, 0)
    print_on_a4(sheet)
