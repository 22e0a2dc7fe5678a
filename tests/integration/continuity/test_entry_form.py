"""The 入力票 as a clerk meets it: what it says, what can be changed, and what of it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from pipelines.deployment import Environment
from tests.support.deployment import filled_form, opened, refused, renkei
from tests.support.monthly_answers import handovers, results

APRIL = ("--month", "2026-04")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(tmp_path)


def made(environment: Environment, interface: str) -> Path:
    result = renkei(environment, "continuity", "form", interface, *APRIL)
    assert result.exit_code == 0, result.output
    return Path(result.output.strip().removeprefix("入力票 "))


def typed(environment: Environment, path: Path, interface: str = "continuity_result", month: str = "2026-04") -> str:
    result = renkei(environment, "continuity", "typed", interface, path, "--month", month, "--by", "入力太郎")
    return str(result.output)


def changed(path: Path, change: Callable[[Worksheet], object]) -> Path:
    book = openpyxl.load_workbook(path)
    change(book["入力"])
    book.save(path)
    return path


def test_without_a_place_it_is_made_in_the_clerks_folder_and_never_over_another(environment: Environment) -> None:
    path = made(environment, "continuity_result")
    assert path == environment.settings.clerks / "入力票_継続世帯確定結果_2026-04.xlsx"
    content = path.read_bytes()
    assert "KR-6405" in refused(environment, "continuity", "form", "continuity_result", *APRIL)
    assert path.read_bytes() == content


def test_it_says_what_it_is_what_must_be_filled_in_and_how(environment: Environment) -> None:
    sheet = openpyxl.load_workbook(made(environment, "continuity_candidates"))["入力"]
    assert sheet["A1"].value == "継続候補世帯リスト 入力票　令和8年4月"
    columns = {cell[0]: cell[1:] for cell in sheet.iter_cols(min_row=3, max_row=5, values_only=True)}
    assert columns["候補番号"] == ("必須\n数字6桁", "例 000001")
    assert columns["世帯の側"] == ("必須\n一覧から選択", "例 転出元世帯")
    assert columns["世帯所属終了年月日"] == ("任意\n日付（西暦）", "例 2026-04-10")
    assert columns["世帯所属終了事由"][0] == "「世帯所属終了年月日」を記入したとき必須\n一覧から選択"
    assert columns["転出先市区町村コード"] == ("任意\n数字6桁まで", "例 999997")


def test_its_guide_tells_the_clerk_what_to_do_next_and_no_command(environment: Environment) -> None:
    guide = openpyxl.load_workbook(made(environment, "high_cost_handover"))["使い方"]
    texts = dict(guide.iter_rows(min_row=2, max_col=2, values_only=True))
    assert "係の連携担当者へ渡してください" in texts["記入後"]
    assert "2026-04-01" in texts["日付"]
    assert not re.search(r"renkei |--|/", "".join(texts.values()))


def test_only_the_cells_of_the_records_can_be_changed(environment: Environment) -> None:
    book = openpyxl.load_workbook(made(environment, "continuity_result"))
    sheet = book["入力"]
    assert sheet.protection.sheet
    assert book["使い方"].protection.sheet
    assert all(cell.protection.locked for row in sheet["A3:I5"] for cell in row)
    assert all(sheet.row_dimensions[row].s for row in (1, 2)), "rows of the title have a locked format of their own"
    columns = sheet.column_dimensions["A"]
    assert (columns.min, columns.max, columns.protection.locked) == (1, 9, False)


def test_the_example_is_not_read(environment: Environment) -> None:
    said = typed(environment, made(environment, "continuity_result"))
    assert "入力 " in said
    (entry,) = environment.ledger.entries(interfaces={"continuity_result"})
    assert entry.records == 0


def test_what_is_written_over_the_example_is_not_lost(environment: Environment, tmp_path: Path) -> None:
    path = filled_form(environment, "continuity_result", results("continued", "not_continued"), tmp_path)
    changed(path, lambda sheet: sheet.cell(5, 1, "000003"))
    assert "5行目に記入がありますが、この欄は取り込みません" in typed(environment, path)
    assert environment.ledger.entries(interfaces={"continuity_result"}) == []


def test_a_form_of_another_month_is_refused(environment: Environment, tmp_path: Path) -> None:
    path = filled_form(environment, "high_cost_handover", handovers("2026-02"), tmp_path)
    said = typed(environment, path, "high_cost_handover", "2026-05")
    assert "「高額該当引継情報連携ファイル 入力票　令和8年5月」ではありません" in said
    assert environment.ledger.entries(interfaces={"high_cost_handover"}) == []


def test_a_form_that_begins_with_its_headings_is_read(environment: Environment, tmp_path: Path) -> None:
    """As earlier versions made it."""
    path = filled_form(environment, "continuity_result", results("continued", "not_continued"), tmp_path)

    def as_before(sheet: Worksheet) -> None:
        sheet.delete_rows(4, 2)
        sheet.delete_rows(1, 2)

    said = typed(environment, changed(path, as_before))
    (entry,) = environment.ledger.entries(interfaces={"continuity_result"})
    assert (entry.records, "KR-" in said) == (2, False), said
