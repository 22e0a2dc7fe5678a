"""Workbooks of ours contain names: they are made in memory, and the same content gives the same bytes."""

from __future__ import annotations

import re
import tempfile
from io import BytesIO
from pathlib import Path

import pytest

from interfaces.new_books import new_book
from tests.support.paths import ROOT


def workbook() -> bytes:
    data = BytesIO()
    with new_book(data, "一覧") as made:
        made.add_worksheet("一覧").write_string(0, 0, "合成　太郎")
    return data.getvalue()


def test_a_workbook_is_made_without_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = tmp_path.stat().st_mtime_ns
    assert workbook() == workbook()
    assert tmp_path.stat().st_mtime_ns == before, "no file was ever there"


def test_only_the_new_book_module_makes_workbooks() -> None:
    modules = [path for package in ("schemas", "pipelines") for path in (ROOT / package).rglob("*.py")]
    assert [path for path in modules if re.search(r"\bxlsxwriter\b", path.read_text(encoding="utf-8"))] == []
