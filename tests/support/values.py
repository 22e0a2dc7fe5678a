"""Rows for the shared tables of a catalogue that a test writes: types, codes, and cells of item tables."""

from __future__ import annotations

import csv
from pathlib import Path


def _table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        return list(reader.fieldnames or []), list(reader)


def _save(path: Path, heading: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, heading, restval="")
        writer.writeheader()
        writer.writerows(rows)


def add_types(root: Path, *types: tuple[str, str, str, str]) -> None:
    """Types of their own: (属性, 正規表現, 詰め方, and `日付形式=`, `数の形式=` or `空の値=` with its text)."""
    heading, rows = _table(root / "types.csv")
    for name, pattern, padding, form in types:
        column, _, text = form.partition("=")
        rows.append(
            {"属性": name, "正規表現": pattern, "詰め方": padding, "説明": "試験"} | ({column: text} if form else {})
        )
    _save(root / "types.csv", heading, rows)


def set_cells(path: Path, key: str, value: str, **cells: str) -> None:
    """Change cells of the row whose column `key` is `value`; a column that the table lacks is added."""
    heading, rows = _table(path)
    heading += [column for column in cells if column not in heading]
    next(row for row in rows if row[key] == value).update(cells)
    _save(path, heading, rows)


def write_codes(root: Path, name: str, *codes: tuple[str, str, str, str]) -> None:
    """A code table: (コード, 意味, 送付, 上位コード)."""
    heading = ["コード", "名称", "意味", "開始日", "終了日", "出典", "送付", "上位コード"]
    rows = [
        {"コード": code, "名称": f"試験{code}", "意味": meaning, "出典": "試験", "送付": sent, "上位コード": parent}
        for code, meaning, sent, parent in codes
    ]
    _save(root / "codes" / f"{name}.csv", heading, rows)


def add_codes(root: Path, name: str, *codes: tuple[str, str, str, str]) -> None:
    """Codes of a table that is there: (コード, 名称, 意味, 上位コード)."""
    path = root / "codes" / f"{name}.csv"
    heading, rows = _table(path)
    rows += [
        {"コード": code, "名称": title, "意味": meaning, "出典": "試験", "上位コード": parent}
        for code, title, meaning, parent in codes
    ]
    _save(path, [*heading, "上位コード"], rows)
