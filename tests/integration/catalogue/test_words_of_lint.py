"""What an office does to the tables by hand: lint names it in words that lead to the mending, and quickly."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.cli import main

TABLE = "tax_extract/2018-04-01/data.csv"
LAYOUT = "tax_extract/2018-04-01/file.toml"
Edit = Callable[[Path], object]


def linted(root: Path) -> str:
    return CliRunner().invoke(main, ["spec", "lint", "--catalogue", str(root)]).output


def saved(path: str, old: str, new: str, encoding: str = "utf-8-sig") -> Edit:
    def edit(root: Path) -> None:
        text = (root / path).read_bytes().decode("utf-8-sig")
        assert old in text
        (root / path).write_bytes(text.replace(old, new, 1).encode(encoding))

    return edit


def copied(root: Path) -> None:
    shutil.copytree(root / "tax_extract" / "2018-04-01", root / "tax_extract" / "2018-04-01_コピー")


def lock_file(root: Path) -> None:
    (root / "codes" / "~$sex.csv").write_bytes(b"\x05admin")


def semicolons(root: Path) -> None:
    text = (root / TABLE).read_text(encoding="utf-8-sig").replace(",", ";")
    (root / TABLE).write_text(text, encoding="utf-8-sig")


EDITS: dict[str, tuple[Edit, str]] = {
    "CP932": (saved(TABLE, "項番", "項番", "cp932"), "CSV UTF-8（コンマ区切り）"),
    "Unicode text": (saved(TABLE, "項番", "項番", "utf-16"), "CSV UTF-8（コンマ区切り）"),
    "semicolons": (semicolons, "セミコロン（;）で区切られています"),
    "day of Excel": (saved("dates.csv", "-01-01", "/1/1"), "2018-04-01 の形"),
    "trailing space": (saved(TABLE, ",income_year,", ",income_year ,"), "前か後ろに空白があります"),
    "full-width id": (saved(TABLE, ",income_year,", ",ｉｎｃｏｍｅ_year,"), "半角では income_year"),
    "full-width rule": (saved(TABLE, "digits(4)", "digits（4）"), "半角では digits(4)"),
    "sign for required": (saved(TABLE, ",必須,,", ",○,,"), "必須・任意・条件 id"),
    "unknown rule": (saved(TABLE, "digits(4)", "sparkles(4)"), "使える規則: "),
    "error value": (saved("types.csv", "年月,[0-9]{6},", "年月,#NAME?,"), "Excel の式の誤り"),
    "unknown key": (saved(LAYOUT, "relations =", "relation ="), "使えるキー: "),
    "value of a key": (saved(LAYOUT, 'cycle = "', 'cycle = "bi'), "daily・monthly・yearly・irregular のどれか"),
    "copied folder": (copied, "2018-04-01_コピー/file.toml: フォルダの名前が"),
    "lock file": (lock_file, "Excel を閉じてください"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_office_does_by_hand_is_named_with_what_is_allowed(edit: str, tmp_path: Path) -> None:
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    change, said = EDITS[edit]
    change(root)
    assert said in linted(root), linted(root)


@pytest.mark.parametrize("path", [TABLE, LAYOUT])
def test_a_bom_and_empty_rows_are_no_fault(path: str, tmp_path: Path) -> None:
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    text = (root / path).read_text(encoding="utf-8-sig")
    more = ",,,,,,,,,,,\r\n , ,,,,,,,,,,\r\n" if path == TABLE else ""
    (root / path).write_text(text + more, encoding="utf-8-sig", newline="")
    assert "誤り0件" in linted(root)


def test_a_code_table_of_12000_rows_is_linted_in_about_a_second_more(tmp_path: Path) -> None:
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    began = time.perf_counter()
    linted(root)
    without = time.perf_counter() - began
    rows = [f"{number:05d},名称{number},word_{number},2018-04-01,,合成" for number in range(12_000)]
    table = "\r\n".join(["コード,名称,意味,開始日,終了日,出典", *rows, ""])
    (root / "codes" / "long.csv").write_text(table, encoding="utf-8-sig", newline="")
    began = time.perf_counter()
    assert "誤り0件" in linted(root)
    assert time.perf_counter() - began < 4 * without + 2  # 28 s when every pair was compared
