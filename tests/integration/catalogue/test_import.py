"""`renkei spec import`: a printed item table becomes a sound specification, and whatever it did not say is asked."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result
from openpyxl.worksheet.worksheet import Worksheet

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.cli import main

# The trailer of the notice of 年金特別徴収 (MHLW, t_doc 00tc1976): 1+2+3+3+2+1+1+8+9+33+437 bytes, as it is printed there.
TRAILER = [
    ["１", "レコード区分", "", "数字", "１", "“３”が設定される"],
    ["２", "都道府県コード", "", "数字", "２", ""],
    ["３", "市区町村コード", "", "数字", "３", ""],
    ["４", "合計", "件数上位", "数字", "３", ""],
    ["", "", "件数中位", "数字", "２", ""],
    ["", "", "件数下位", "数字", "１", ""],
    ["５", "通知区分", "", "英数字", "１", ""],
    ["６", "作成年月日", "", "数字", "８", ""],
    ["７", "金額の合計", "", "数字", "９", ""],
    ["８", "予備", "", "英数字", "３３", "空白"],
    ["９", "予備", "", "英数字", "４３７", "空白"],
]
LENGTHS = [1, 2, 3, 3, 2, 1, 1, 8, 9, 33, 437]
HEADING = ["項番", "項目名", "", "文字種別", "バイト数", "説明"]


def book(path: Path, spoil: Callable[[Worksheet], None] = lambda sheet: None) -> Path:
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    for row in [["トレーラレコード"], HEADING, *TRAILER]:
        sheet.append([cell or None for cell in row])
    sheet.merge_cells("B2:C2")
    sheet.merge_cells("A6:A8")
    sheet.merge_cells("B6:B8")
    spoil(sheet)
    made.save(path)
    return path


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert "KR-7701" not in result.output
    return result


def imported(table: Path, root: Path, *more: object) -> Result:
    return run("spec", "import", table, "--interface", "trailer", "--from", "2027-04-01", "--catalogue", root, *more)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))


def answer(folder: Path, answers: dict[tuple[str, str], str]) -> Path:
    """Answer everything with yes, but for `answers`."""
    path = folder / "確認事項.csv"
    rows = rows_of(path)
    for row in rows:
        row["回答"] = row["回答"] or answers.get((row["項番"], row["列"]), "はい")
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_printed_trailer_is_a_sound_specification_once_its_decisions_are_answered(
    root: Path, tmp_path: Path
) -> None:
    first = imported(book(tmp_path / "別紙.xlsx"), root)
    assert first.exit_code == 1, first.output
    folder = root / "trailer" / "2027-04-01"
    items = rows_of(folder / "data.csv")
    assert [int(item["バイト数"]) for item in items] == LENGTHS
    assert [int(item["開始位置"]) for item in items] == [1 + sum(LENGTHS[:place]) for place in range(len(LENGTHS))]
    assert [item["公式項番"] for item in items][3:] == ["4-1", "4-2", "4-3", "5", "6", "7", "8", "9"]
    assert [item["項目名"] for item in items][3:6] == ["合計・件数上位", "合計・件数中位", "合計・件数下位"]
    assert [item["項目名"] for item in items][-2:] == ["予備", "予備"]
    assert items[0]["規則"] == "", "a constant is offered, and not used unasked"
    asked = {(row["項番"], row["列"]): row["案"] for row in rows_of(folder / "確認事項.csv")}
    assert asked["1", "規則"] == "constant(3)"
    ids = {
        (row["項番"], row["列"]): f"trailer_{int(row['項番']):03d}"
        for row in rows_of(folder / "確認事項.csv")
        if row["列"] == "id"
    }
    second = imported(tmp_path / "別紙.xlsx", root, "--answers", answer(folder, ids))
    assert "秘匿区分" in second.output, "an id that the dictionary does not know asks for its 秘匿区分"
    third = imported(tmp_path / "別紙.xlsx", root, "--answers", answer(folder, ids))
    assert third.exit_code == 0, third.output
    assert rows_of(folder / "data.csv")[0]["規則"] == "constant(3)"
    linted = run("spec", "lint", "--catalogue", root)
    assert linted.exit_code == 0, linted.output
    shown = run("spec", "show", "trailer", "--on", "2027-04-01", "--catalogue", root)
    assert "437バイト" in shown.output


def test_a_draft_is_not_overwritten_unasked(root: Path, tmp_path: Path) -> None:
    table = book(tmp_path / "t.xlsx")
    imported(table, root)
    again = imported(table, root)
    assert again.exit_code == 2
    assert "KR-7131" in again.output


def hidden(sheet: Worksheet) -> None:
    sheet.column_dimensions["F"].hidden = True


def two_tables(sheet: Worksheet) -> None:
    sheet.append([])
    for row in (["項番", "名称", "", "型", "長さ", "備考"], ["１", "別", "", "数字", "1", ""]):
        sheet.append(row)


REFUSED: dict[str, tuple[Callable[[Worksheet], None], str]] = {
    "hidden column": (hidden, "隠れている行か列"),
    "two tables": (two_tables, "表が二つあります"),
    "error value": (lambda sheet: sheet.__setitem__("E5", "#REF!"), "エラー値"),
    "no heading": (lambda sheet: sheet.delete_rows(2), "見出しの行が見つかりません"),
    "formula without a result": (lambda sheet: sheet.__setitem__("E5", "=1+2"), "数式"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_table_that_cannot_be_read_as_printed_is_refused_with_its_cell(what: str, root: Path, tmp_path: Path) -> None:
    spoil, said = REFUSED[what]
    result = imported(book(tmp_path / "t.xlsx", spoil), root)
    assert result.exit_code == 2
    assert "KR-7130" in result.output
    assert said in result.output
    assert "対処" in result.output


def test_an_old_book_is_refused_with_the_form_to_save_it_in(root: Path, tmp_path: Path) -> None:
    (tmp_path / "t.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    assert "Excel ブック（.xlsx）" in imported(tmp_path / "t.xls", root).output


def test_totals_and_signs_of_a_cp932_csv_are_read_and_told(root: Path, tmp_path: Path) -> None:
    lines = [
        "No,項目名,属性,開始位置,必須,備考",
        "1,区分,X(2),1,○,",
        "2,漢字名,N(10),3,△,",
        "3,金額,9(8),30,－,「1」又は「2」を設定",
        "合計,,,,,",
    ]
    table = tmp_path / "表.csv"
    table.write_bytes("\r\n".join(lines).encode("cp932"))
    result = imported(table, root)
    folder = root / "trailer" / "2027-04-01"
    items = rows_of(folder / "data.csv")
    assert [item["属性"] for item in items] == ["英数", "漢字", "数字"]
    assert [item["バイト数"] for item in items] == ["2", "20", "8"]
    assert [item["必須"] for item in items] == ["必須", "要確認", "任意"]
    asked = {(row["項番"], row["列"]) for row in rows_of(folder / "確認事項.csv")}
    assert {("2", "バイト数"), ("2", "必須"), ("3", "開始位置"), ("3", "コード表")} <= asked
    assert "cp932" in result.output
    assert "合計の行" in result.output
    assert "必須の書き方 '要確認'" in run("spec", "lint", "--catalogue", root).output
