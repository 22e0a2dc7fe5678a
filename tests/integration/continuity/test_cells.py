"""What clerks, Excel, Google Sheets and LibreOffice leave in cells besides values: refused at its cell, or read right."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result
from openpyxl.worksheet.formula import ArrayFormula

from pipelines.cli import main
from pipelines.continuity import monthly
from pipelines.continuity.receiving import stored
from pipelines.deployment import Environment
from tests.support.applying import apply_monthly
from tests.support.candidates import THREE, listed
from tests.support.deployment import (
    APPROVED_BY,
    DECIDED_BY,
    DECISION,
    MONTH,
    REMARK,
    fill,
    filled_form,
    opened,
    settings_file,
    type_in,
)
from tests.support.monthly_answers import handovers, results

Change = Callable[[Any], None]


class Desk:
    """The command line of a deployment with a month's candidates typed in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, settings_file(folder)
        self.environment: Environment = opened(folder)
        type_in(self.environment, "continuity_candidates", listed(*THREE), folder)
        apply_monthly(self.environment)
        self.sheet = monthly.make_worksheet(self.environment, MONTH).path

    def run(self, *arguments: str) -> Result:
        result = CliRunner(env={"RENKEI_SETTINGS": str(self.settings)}).invoke(main, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def hand_in(self, change: Change | None = None) -> Result:
        """Import the worksheet, decided as proposed and then changed."""
        return self.run("continuity", "import", str(fill(self.sheet, change)))

    @property
    def decided(self) -> int:
        return monthly.decided(self.environment, MONTH).height


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk at which nothing is ever taken."""
    return Desk(tmp_path_factory.mktemp("refusing"))


def put(row: int, column: int, value: object) -> Change:
    def change(sheet: Any) -> None:
        sheet.cell(row, column).value = value

    return change


def hide_row(sheet: Any) -> None:
    sheet.row_dimensions[3].hidden = True


def hide_column(sheet: Any) -> None:
    sheet.column_dimensions["P"].hidden = True


def merge(sheet: Any) -> None:
    for row in (3, 4):
        sheet.cell(row, DECIDED_BY).value = None
    sheet.merge_cells("O2:O4")


def percent(sheet: Any) -> None:
    sheet.cell(3, REMARK).value = 0.5
    sheet.cell(3, REMARK).number_format = "0%"


NOT_READ: dict[str, tuple[Change, str]] = {
    "the decider's cell": (put(2, APPROVED_BY, "=O2"), "KR-7431 2行目: 承認者（P2）は数式なので"),
    "a formula in the decider's cell": (put(3, DECIDED_BY, '=O2&""'), "KR-7431 3行目: 判定者（O3）は数式なので"),
    "a formula of the remark": (put(4, REMARK, "=N3"), "KR-7431 4行目: 備考（N4）は数式なので"),
    "a formula that decides": (put(2, DECISION, "=B2"), "KR-7431 2行目: 判定（M2）は数式なので"),
    "an array formula": (put(2, APPROVED_BY, ArrayFormula("P2:P4", "=O2:O4")), "KR-7431 2行目: 承認者（P2）は数式なので"),
    "an error value": (put(2, APPROVED_BY, "#N/A"), "KR-7431 2行目: 承認者（P2）はエラー値なので"),
    "true": (put(2, APPROVED_BY, True), "KR-7431 2行目: 承認者（P2）はTRUE か FALSEなので"),
    "a time": (put(2, REMARK, dt.time(9, 30)), "KR-7431 2行目: 備考（N2）は時刻なので"),
    "a day with a time": (put(2, REMARK, dt.datetime(2026, 5, 7, 9)), "KR-7431 2行目: 備考（N2）は時刻なので"),
    "a percentage": (percent, "KR-7431 3行目: 備考（N3）は百分率の数なので"),
    "merged deciders": (merge, "KR-7431 2行目: 判定者（O2）は結合したセルなので"),
    "a hidden row": (hide_row, "KR-7431 3行目: 判定（M3）は隠れている行か列のセルなので"),
    "a hidden column": (hide_column, "KR-7431 2行目: 承認者（P2）は隠れている行か列のセルなので"),
    **{
        f"{mark} for a name": (put(3, APPROVED_BY, mark), "KR-7432 3行目: 承認者（P3）にあるのは「同上」や✓などの印です")
        for mark in ("〃", "″", '"', "〃〃", "同上", " 同　上 ", "々", "仝", "上に同じ", "✓", "✔", "☑", "レ", "ﾚ", "○", "済", "印",
                     "ー", "ｰ", "-", "・", "⭕️", "？？", "\u200b", "承認者")
    },
    **{
        f"{mark} for a reason": (put(4, REMARK, mark), "KR-7432 4行目: 備考（N4）にあるのは")
        for mark in ("〃", "同上", "々", "✓", "-")
    },
    "writing beside the table": (put(3, 18, "保留にしたい"), "KR-7433 R3に記入がありますが"),
    "writing far beside the table": (put(2, 60, "x"), "KR-7433 BH2に記入がありますが"),
}  # fmt: skip


@pytest.mark.parametrize("done", NOT_READ)
def test_an_answer_cell_that_holds_no_answer_is_refused_at_its_cell(refusing: Desk, done: str) -> None:
    change, said = NOT_READ[done]
    result = refusing.hand_in(change)
    assert result.exit_code == 1
    assert any(line.startswith(said) for line in result.output.splitlines()), result.output
    assert "取込は行っていません" in result.output
    assert refusing.decided == 0


ANSWERS: list[tuple[int, object]] = [
    (DECIDED_BY, "林"),
    (APPROVED_BY, "職員 12345"),
    (APPROVED_BY, "佐々木"),
    (DECIDED_BY, "O'Brien"),
    (APPROVED_BY, 12345),
    (REMARK, "同上の世帯と同居"),
    (REMARK, "済生会病院に入院"),
    (REMARK, "○番地へ転居"),
    (REMARK, 2026),
    (REMARK, dt.date(2026, 4, 10)),
    (REMARK, "窓口で確認\n届出あり"),
    (REMARK, "確認済み"),
]


def test_what_only_looks_like_a_mark_is_an_answer(desk: Desk) -> None:
    for column, value in ANSWERS:
        result = desk.hand_in(put(2, column, value))
        assert (result.exit_code, "新しく" in result.output) == (0, True), (value, result.output)


def test_numbers_and_days_of_a_remark_are_kept_as_people_read_them(desk: Desk) -> None:
    def change(sheet: Any) -> None:
        sheet.cell(2, REMARK).value = 202602.0
        sheet.cell(3, REMARK).value = dt.datetime(2026, 4, 10)
        sheet.cell(4, REMARK).value = 1.5

    assert desk.hand_in(change).exit_code == 0
    assert monthly.decided(desk.environment, MONTH)["remark"].to_list() == ["202602", "2026-04-10", "1.5"]


def test_the_same_content_is_not_new_whatever_program_saved_it(desk: Desk) -> None:
    assert "新しく3件" in desk.hand_in().output
    book = openpyxl.load_workbook(fill(desk.sheet))
    book["判定"].column_dimensions["N"].width = 40
    other = desk.folder / "保存し直し.xlsx"
    book.save(other)
    assert "取り込み済み" in desk.run("continuity", "import", str(other)).output
    assert desk.decided == 3


def test_a_sheet_that_nobody_reads_is_told(desk: Desk) -> None:
    book = openpyxl.load_workbook(fill(desk.sheet))
    extra = book.create_sheet("判定 (2)", 0)
    other = desk.folder / "写し.xlsx"
    book.save(other)
    assert desk.run("continuity", "import", str(other)).exit_code == 0
    extra["A1"] = "継続"
    book.save(other)
    result = desk.run("continuity", "import", str(other))
    assert (result.exit_code, "KR-7433 シート「判定 (2)」に記入が" in result.output) == (1, True)


def test_a_name_in_several_styles_with_its_reading_is_the_name(desk: Desk) -> None:
    """Excel keeps furigana and parts of another style inside one text; only the text counts."""
    filled = fill(desk.sheet)
    rich = "<is><r><t>給付</t></r><r><rPr><b/></rPr><t>花子</t></r><rPh sb='0' eb='2'><t>キュウフ</t></rPh></is>"
    changed = with_xml(filled, r'<c r="P2"[^>]*?>.*?</c>', f'<c r="P2" t="inlineStr">{rich}</c>', sheet=2)
    assert desk.run("continuity", "import", str(changed)).exit_code == 0
    assert monthly.decided(desk.environment, MONTH)["approved_by"].to_list()[0] == "給付花子"


# --- the form that is filled from the Union's screen


def form(desk: Desk, interface: str, change: Change | None = None) -> Path:
    """A filled form, changed as a clerk or another program would."""
    rows = {
        "continuity_candidates": listed("whole_household_moves"),
        "continuity_result": results("continued", "not_continued"),
        "high_cost_handover": handovers("2026-02", "2026-03"),
    }[interface]
    path = filled_form(desk.environment, interface, rows, desk.folder)
    book = openpyxl.load_workbook(path)
    if change is not None:
        change(book["入力"])
    book.save(path)
    return path


def typed(desk: Desk, interface: str, path: Path) -> Result:
    result = desk.run("continuity", "typed", interface, str(path), "--month", "2026-04", "--by", "入力太郎")
    apply_monthly(desk.environment)
    return result


def at(heading: str, row: int, value: object, number_format: str | None = None) -> Change:
    def change(sheet: Any) -> None:
        column = [cell.value for cell in sheet[3]].index(heading) + 1
        sheet.cell(row, column).value = value
        if number_format is not None:
            sheet.cell(row, column).number_format = number_format

    return change


def both(*changes: Change) -> Change:
    def change(sheet: Any) -> None:
        for one in changes:
            one(sheet)

    return change


def hidden(row: int) -> Change:
    def change(sheet: Any) -> None:
        sheet.row_dimensions[row].hidden = True

    return change


def merged(cells: str) -> Change:
    return lambda sheet: sheet.merge_cells(cells)


TEXT, DAY, GENERAL = "@", "yyyy/m/d", "General"
REFUSED: dict[str, tuple[str, Change, str]] = {
    "a formula without a result": (
        "continuity_candidates", at("世帯所属終了年月日", 6, "=A1"), "I6 6行目 世帯所属終了年月日: 計算の結果が入っていない数式なので"),
    "a formula without a result of a code": (
        "continuity_candidates", at("世帯所属終了事由", 6, '=VLOOKUP(1,A1:B9,2)'), "J6 6行目 世帯所属終了事由: 計算の結果が"),
    "a formula without a result in a row of nothing else": (
        "continuity_result", at("異動年月日_世帯", 13, "=A1"), "G13 13行目 異動年月日_世帯: 計算の結果が"),
    "an array formula": (
        "continuity_result", at("異動年月日_世帯", 6, ArrayFormula("G6:G7", "=A1:A2")), "G6 6行目 異動年月日_世帯: 計算の結果が"),
    "an error value": ("continuity_result", at("異動年月日_世帯", 7, "#REF!"), "G7 7行目 異動年月日_世帯: エラー値なので"),
    "false": ("continuity_result", at("異動年月日_世帯", 7, False), "G7 7行目 異動年月日_世帯: TRUE か FALSEなので"),
    "merged cells": ("continuity_result", merged("B6:B7"), "B6 6行目 転出元市区町村コード: 結合したセルなので"),
    "a hidden row": ("continuity_result", hidden(7), "A7 7行目 候補番号: 隠れている行か列のセルなので"),
    "a percentage": ("continuity_result", at("高額該当回数", 6, 0.02, "0%"), "I6 6行目 高額該当回数: 百分率の数なので"),
    "a broken number": ("continuity_result", at("高額該当回数", 6, 2.5), "I6 6行目 高額該当回数: 小数は書けません"),
    "a day where a number belongs": (
        "continuity_result", at("高額該当回数", 6, dt.datetime(1900, 1, 2), DAY), "I6 6行目 高額該当回数: 日付になっています"),
    "a day and a time": (
        "continuity_result", at("確定年月日", 6, dt.datetime(2026, 5, 12, 9)), "H6 6行目 確定年月日: 時刻なので"),
    "the serial number of a day": ("continuity_result", at("確定年月日", 6, 46154), "H6 6行目 確定年月日: 日付は"),
    "a day of a month": (
        "high_cost_handover", at("診療年月", 6, dt.datetime(2026, 2, 3), DAY), "E6 6行目 診療年月: 年月は 2026-04 の形で"),
    "zeros that a program took away": (
        "continuity_result", at("候補番号", 7, 2.0), "A7 7行目 候補番号: KR-"),
    "16 digits": (
        "continuity_result", at("転出元国保世帯番号", 6, 1_000_000_000_000_000), "C6 6行目 転出元国保世帯番号: 15桁を超える数"),
    "a code that is none": (
        "continuity_result", at("転出元市区町村コード", 7, 999998.0), "B7 7行目 転出元市区町村コード: KR-2012"),
    "a month that is none": ("high_cost_handover", at("診療年月", 7, 202613.0), "E7 7行目 診療年月: KR-2004"),
    "a month too early": ("high_cost_handover", at("診療年月", 7, "201803"), "E7 7行目 診療年月: KR-"),
    "nothing where something must be": ("continuity_result", at("候補番号", 6, None), "A6 6行目 候補番号: KR-2001"),
    "only a space where something must be": ("continuity_result", at("候補番号", 6, "　"), "A6 6行目 候補番号: KR-2001"),
    "a character that no file of the Union holds": (
        "continuity_result", at("候補番号", 7, "00000😀"), "A7 7行目 候補番号: KR-1021"),
    "one row twice": ("continuity_result", at("候補番号", 7, "000001"), "7行目"),
    "a value in the column beside": ("continuity_result", put(7, 10, "02"), "J7に記入がありますが"),
}  # fmt: skip


@pytest.mark.parametrize("done", REFUSED)
def test_a_form_is_refused_at_the_clerks_own_place(refusing: Desk, done: str) -> None:
    desk = refusing
    interface, change, said = REFUSED[done]
    before = len(desk.environment.ledger.entries())
    result = typed(desk, interface, form(desk, interface, change))
    assert result.exit_code == 2
    assert "KR-7602" in result.output
    assert said in result.output, result.output
    assert "バイト目" not in result.output
    assert "項番" not in result.output
    assert ".csv" not in result.output
    assert len(desk.environment.ledger.entries()) == before


def test_of_a_written_value_only_as_much_is_shown_as_may_be_seen(desk: Desk) -> None:
    path = form(desk, "continuity_result", at("転出元市区町村コード", 7, 999998.0))
    assert "（書かれた値: 999998）" in typed(desk, "continuity_result", path).output
    path = form(desk, "continuity_result", at("転出元国保世帯番号", 7, "12345678901234"))
    shown = typed(desk, "continuity_result", path).output
    assert "C7 7行目 転出元国保世帯番号: " in shown
    assert "（書かれた値: ********234）" in shown
    assert "12345678901234" not in shown


def test_rows_keep_their_numbers_below_a_blank_row(desk: Desk) -> None:
    def change(sheet: Any) -> None:
        sheet.insert_rows(7, 2)
        sheet["A7"] = " "
        sheet["B9"] = "999998"

    shown = typed(desk, "continuity_result", form(desk, "continuity_result", change)).output
    assert "B9 9行目 転出元市区町村コード: KR-2012" in shown


TAKEN: dict[str, tuple[str, Change]] = {
    "as text": ("high_cost_handover", at("診療年月", 6, "202602")),
    "a number in a cell of text": ("high_cost_handover", at("診療年月", 6, 202602, TEXT)),
    "a month that Excel made a day of": (
        "high_cost_handover",
        at("診療年月", 6, dt.datetime(2026, 2, 1), 'yyyy"年"m"月"'),
    ),
    "a written month": ("high_cost_handover", at("診療年月", 6, "2026-02")),
    "a day as a day": ("high_cost_handover", at("引継年月日", 6, dt.datetime(2026, 5, 12), DAY)),
    "a day as a number": ("high_cost_handover", at("引継年月日", 6, 20260512.0, GENERAL)),
    "a day as text with spaces": ("high_cost_handover", at("引継年月日", 6, " 2026-05-12　")),
    "numbers for codes and counts": (
        "high_cost_handover",
        both(at("転出元市区町村コード", 6, 999989.0), at("高額該当回数", 6, 2.0)),
    ),
    "empty cells that are merged": ("high_cost_handover", merged("A12:B13")),
    "an empty row that is hidden": ("high_cost_handover", hidden(11)),
}


@pytest.mark.parametrize("done", TAKEN)
def test_what_programs_make_of_a_value_is_the_value(desk: Desk, done: str) -> None:
    interface, change = TAKEN[done]
    result = typed(desk, interface, form(desk, interface, change))
    assert result.exit_code == 0, result.output
    records = stored(desk.environment, interface, MONTH)
    assert records["treatment_month"].to_list() == ["2026-02", "2026-03"]
    assert records["handed_over_on"].to_list() == [dt.date(2026, 5, 12)] * 2
    assert [int(count) for count in records["high_cost_count"]] == [2, 2]


def test_a_form_that_google_sheets_saved_is_read(desk: Desk) -> None:
    numbers = both(
        at("診療年月", 6, 202602),
        at("引継年月日", 6, 20260512),
        at("転出元市区町村コード", 6, 999989),
        at("高額該当回数", 6, 2),
    )
    result = typed(desk, "high_cost_handover", as_google_sheets(form(desk, "high_cost_handover", numbers)))
    assert result.exit_code == 0, result.output
    assert stored(desk.environment, "high_cost_handover", MONTH)["treatment_month"][0] == "2026-02"


def test_a_formula_with_its_result_is_its_result(desk: Desk) -> None:
    path = form(desk, "continuity_result", at("異動年月日_世帯", 7, "=A1"))
    formula = r"(<f>A1</f>)<v ?/?>(</v>)?"
    calculated = with_xml(path, formula, "<f>G6</f><v>2026-04-11</v>")
    calculated = with_xml(calculated, r'(<c r="G7"[^>]*?)>', '<c r="G7" t="str">')
    assert typed(desk, "continuity_result", calculated).exit_code == 0
    assert stored(desk.environment, "continuity_result", MONTH)["moved_on"][1] == dt.date(2026, 4, 11)


def test_a_formula_whose_result_is_no_text_is_blank(desk: Desk) -> None:
    """=IF(A2="","",A2): Excel keeps the result as an empty text, which is a result."""
    path = form(desk, "continuity_result", at("異動年月日_世帯", 7, "=A1"))
    emptied = with_xml(path, r'<c r="G7"[^>]*?>.*?</c>', '<c r="G7" t="str"><f>""</f><v></v></c>')
    assert typed(desk, "continuity_result", emptied).exit_code == 0
    assert stored(desk.environment, "continuity_result", MONTH)["moved_on"][1] is None


def test_a_formula_whose_result_is_an_error_is_refused(desk: Desk) -> None:
    path = form(desk, "continuity_result", at("異動年月日_世帯", 7, "=A1"))
    failed = with_xml(path, r'<c r="G7"[^>]*?>.*?</c>', '<c r="G7" t="e"><f>NA()</f><v>#N/A</v></c>')
    assert "G7 7行目 異動年月日_世帯: エラー値なので" in typed(desk, "continuity_result", failed).output


def test_a_second_page_of_the_form_is_not_lost(desk: Desk) -> None:
    path = form(desk, "continuity_result")
    book = openpyxl.load_workbook(path)
    book.copy_worksheet(book["入力"])
    book.save(path)
    shown = typed(desk, "continuity_result", path).output
    assert "シート「入力 Copy」に記入がありますが" in shown


def as_google_sheets(path: Path) -> Path:
    """Every number with a point behind it, as Google Sheets writes whole numbers."""
    return with_xml(path, r't="n"><v>(\d+)</v>', lambda match: f't="n"><v>{match[1]}.0</v>', times=0)


def with_xml(
    path: Path, pattern: str, new: str | Callable[[re.Match[str]], str], times: int = 1, sheet: int = 1
) -> Path:
    """A copy of a book of which a sheet has other pieces of XML (`times`; 0: all), as another program would write them."""
    put_in = new if callable(new) else lambda _: new
    made = BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as book:
        for name in old.namelist():
            content = old.read(name)
            if name == f"xl/worksheets/sheet{sheet}.xml":
                text, found = re.subn(pattern, put_in, content.decode(), count=times, flags=re.DOTALL)
                assert found >= 1, "the change no longer fits the book"
                content = text.encode()
            book.writestr(name, content)
    changed = path.with_name(f"changed_{path.name}")
    changed.write_bytes(made.getvalue())
    return changed
