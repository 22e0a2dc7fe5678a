"""The clerk's worksheet: written, filled, read back; whatever is wrong with it is said, and nothing is half-taken."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import polars as pl
import pytest

from interfaces.messages import RenkeiError, message
from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.tables.linkage import LinkageState
from tests.support.applying import apply_monthly
from tests.support.candidates import HEAD, MOVE, THREE, frame, listed, now, was
from tests.support.deployment import (
    APPROVED_BY,
    DECIDED_BY,
    DECISION,
    MONTH,
    REMARK,
    codes,
    fill,
    opened,
    refused,
    renkei,
    send_days,
    type_in,
    whole,
    worksheet_of,
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = opened(tmp_path)
    type_in(made, "continuity_candidates", listed(*THREE), tmp_path)
    apply_monthly(made)
    return made


def test_the_decisions_of_a_filled_worksheet_are_taken(environment: Environment) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    taken = monthly.import_worksheet(environment, fill(path))
    assert (taken.new, taken.problems) == (3, [])
    made = monthly.decided(environment, MONTH)
    assert made["decision"].to_list() == ["continued", "not_continued", "not_continued"]
    assert set(made["decided_by"]) == {"給付太郎"}
    assert set(made["approved_by"]) == {"係長花子"}
    assert set(made["at"]) == {"2026-05-07T10:00:00+09:00"}
    assert made["facts_sha256"].str.len_chars().unique().to_list() == [64]
    state = monthly.status(environment, MONTH, dt.date(2026, 5, 8))
    assert (state.decided, state.undecided, state.waiting_days) == (3, 0, None)


def test_importing_twice_changes_nothing(environment: Environment) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    filled = fill(path)
    assert monthly.import_worksheet(environment, filled).new == 3
    assert monthly.import_worksheet(environment, filled).new == 0
    assert monthly.decided(environment, MONTH).height == 3
    imports = [event for event in environment.ledger.events() if event.action == "worksheet_imported"]
    assert [event.detail["new"] for event in imports] == [3, 0]


def test_a_changed_mind_is_kept_beside_what_was_decided_before(environment: Environment) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    monthly.import_worksheet(environment, fill(path))

    def change(sheet: Any) -> None:
        sheet.cell(2, DECISION, "非継続")
        sheet.cell(2, REMARK, "申出により")

    assert monthly.import_worksheet(environment, fill(path, change)).new == 1
    made = monthly.decided(environment, MONTH)
    assert made["decision"].to_list() == ["not_continued"] * 3
    assert made["sequence"].to_list() == [4, 2, 3]


def deleted(sheet: Any) -> None:
    sheet.delete_rows(3)


def added(sheet: Any) -> None:
    for column in range(1, 17):
        sheet.cell(5, column, sheet.cell(2, column).value)
    sheet.cell(5, 1, "000099")


def doubled(sheet: Any) -> None:
    for column in range(1, 17):
        sheet.cell(5, column, sheet.cell(2, column).value)


def swapped(sheet: Any) -> None:
    for column in range(1, 17):
        one, other = sheet.cell(2, column).value, sheet.cell(3, column).value
        sheet.cell(2, column, other)
        sheet.cell(3, column, one)


def cell(row: int, column: int, value: object) -> Callable[[Any], None]:
    def change(sheet: Any) -> None:
        sheet.cell(row, column).value = value

    return change


def told(environment: Environment, filled: Path) -> list[str]:
    """The codes of what must be mended in a worksheet, each with its remedy; it is not taken."""
    result = renkei(environment, "continuity", "import", filled)
    assert result.exit_code == 1, result.output
    *problems, end = codes(result)
    assert end == "KR-7416"
    assert all(message(code).remedy in line for code, line in zip(problems, result.output.splitlines(), strict=False))
    return problems


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (deleted, ["KR-7405"]),
        (added, ["KR-7406"]),
        (doubled, ["KR-7407", "KR-7407"]),
        (swapped, ["KR-7408"]),
        (cell(3, 2, "継続"), ["KR-7409"]),
        (cell(2, 7, "2026-04-11"), ["KR-7409"]),
        (cell(2, 10, "世帯主 別の人"), ["KR-7409"]),
        (cell(2, DECISION, None), ["KR-7410"]),
        (cell(2, DECISION, "けいぞく"), ["KR-7411"]),
        (cell(2, DECIDED_BY, None), ["KR-7412"]),
        (cell(2, APPROVED_BY, " "), ["KR-7412"]),
        (cell(2, APPROVED_BY, "給付　太郎"), ["KR-7413"]),
        (cell(4, REMARK, None), ["KR-7414"]),
        (cell(2, DECISION, "保留"), ["KR-7414"]),
        (cell(2, DECISION, "非継続"), ["KR-7414"]),
        (cell(2, REMARK, "あ" * 201), ["KR-7415"]),
        (cell(2, REMARK, "１２３４ ５６７８ ９０１８ の人と同居"), ["KR-7422"]),
        (cell(2, REMARK, "１２３４ ５６７８ ９０１２ の人と同居"), ["KR-7122"]),
        (cell(2, REMARK, "1234-5678-9018 は個人番号ではない"), ["KR-7422"]),
        (cell(2, DECIDED_BY, "123456789018"), ["KR-7422"]),
        (cell(2, DECIDED_BY, "123456789012"), ["KR-7122"]),
    ],
    ids=lambda value: getattr(value, "__name__", None) or "-".join(value),
)
def test_what_is_wrong_is_said_and_nothing_is_taken(
    environment: Environment, change: Callable[[Any], None], wanted: list[str]
) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    assert told(environment, fill(path, change)) == wanted
    assert monthly.decided(environment, MONTH).is_empty()


def test_twelve_digits_are_taken_when_the_clerk_says_what_they_are_not(environment: Environment) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    remark = "受付番号 1234-5678-9012（個人番号ではない）、世帯 000000000012345、2026-04-01 2026-04-15"
    assert monthly.import_worksheet(environment, fill(path, cell(2, REMARK, remark))).problems == []
    assert not monthly.decided(environment, MONTH).is_empty()


def test_a_postponed_candidate_is_not_instructed(environment: Environment) -> None:
    path = monthly.make_worksheet(environment, MONTH).path

    def change(sheet: Any) -> None:
        sheet.cell(4, DECISION, "保留")

    assert monthly.import_worksheet(environment, fill(path, change)).problems == []
    assert monthly.status(environment, MONTH, dt.date(2026, 5, 8)).postponed == 1
    file, made = monthly.build_instruction(environment, MONTH)
    assert file is None
    assert made["candidate_number"].to_list() == ["000001", "000002"]
    page = monthly.list_path(environment, "継続世帯確定指示_入力用", MONTH).read_text(encoding="utf-8")
    assert page.count("□") == 3  # two rows and the note that explains the sign


def test_a_worksheet_made_before_newer_data_is_stale(environment: Environment, tmp_path: Path) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    filled = fill(path)
    type_in(environment, "continuity_candidates", listed(*THREE, "end_missing"), tmp_path)
    apply_monthly(environment)
    assert told(environment, filled) == ["KR-7404"]


def test_a_decision_made_on_older_facts_is_open_again(environment: Environment, tmp_path: Path) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    monthly.import_worksheet(environment, fill(path))
    changed = listed("whole_household_moves_with_another_head", *THREE[1:])
    type_in(environment, "continuity_candidates", changed, tmp_path)
    apply_monthly(environment)
    assert monthly.status(environment, MONTH, dt.date(2026, 5, 8)).undecided == 1
    with pytest.raises(RenkeiError, match="KR-7419"):
        monthly.build_instruction(environment, MONTH)


def test_a_worksheet_of_another_month(environment: Environment, tmp_path: Path) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    book = openpyxl.load_workbook(fill(path))
    book["印"]["A1"] = "2026-05"
    other = tmp_path / "may.xlsx"
    book.save(other)
    assert refused(environment, "continuity", "import", other).startswith("KR-7418 2026-05")
    may = dt.date(2026, 5, 1)
    rows = frame(
        [
            was("a" * 12, HEAD, joined_on=dt.date(2020, 1, 1), left_on=dt.date(2026, 5, 10)),
            now("a" * 12, HEAD, joined_on=dt.date(2026, 5, 10)),
        ]
    )
    rows = rows.with_columns(pl.lit("900000000011").alias("prefecture_insured_id"))
    type_in(environment, "continuity_candidates", rows, tmp_path, may)
    apply_monthly(environment)
    assert told(environment, other) == ["KR-7404"]


def test_a_book_that_a_clerk_began_is_never_written_over(environment: Environment, tmp_path: Path) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    fill(path).replace(path)
    begun = path.read_bytes()
    monthly.make_worksheet(environment, MONTH)
    assert path.read_bytes() == begun
    type_in(environment, "continuity_candidates", listed(*THREE, "whole_household_moves"), tmp_path)
    apply_monthly(environment)
    monthly.make_worksheet(environment, MONTH)
    (aside,) = path.parent.glob("継続世帯判定表_2026-04_前の版_*.xlsx")
    assert aside.read_bytes() == begun
    assert openpyxl.load_workbook(path)["判定"].max_row == 5
    path.write_bytes(b"no book at all")
    monthly.make_worksheet(environment, MONTH)
    assert len(list(path.parent.glob("*_前の版_*"))) == 2


def test_saved_as_csv_by_excel(environment: Environment, tmp_path: Path) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    rows = openpyxl.load_workbook(fill(path))["判定"].iter_rows(values_only=True)
    text = "\r\n".join(",".join(str(value or "").replace("\n", " ") for value in row) for row in rows)
    for name in ("判定表.csv", "判定表.xlsx"):
        (tmp_path / name).write_bytes(text.encode("cp932", "replace"))
        said = refused(environment, "continuity", "import", tmp_path / name)
        assert said.startswith("KR-7401")
        assert "Excel ブックのまま" in said


@pytest.mark.parametrize("sheet", ["判定", "印"])
def test_a_book_that_is_no_worksheet(environment: Environment, tmp_path: Path, sheet: str) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    book = openpyxl.load_workbook(path)
    book[sheet].title = "表"
    book.save(tmp_path / "other.xlsx")
    assert refused(environment, "continuity", "import", tmp_path / "other.xlsx").startswith("KR-7402")
    book = openpyxl.load_workbook(path)
    book["判定"]["B1"] = "案"
    book.save(tmp_path / "headings.xlsx")
    assert refused(environment, "continuity", "import", tmp_path / "headings.xlsx").startswith("KR-7402")


def test_the_book_is_protected_prints_on_a3_landscape_and_is_the_same_every_time(
    environment: Environment, tmp_path: Path
) -> None:
    worksheet = monthly.make_worksheet(environment, MONTH)
    path, found = worksheet.path, worksheet.cases
    again = monthly.make_worksheet(environment, MONTH, tmp_path / "again.xlsx").path
    assert path.read_bytes() == again.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    sheet = openpyxl.load_workbook(path)["判定"]
    assert sheet.protection.sheet
    for row in sheet.iter_rows(min_row=2, max_row=1 + found.height):
        assert [one.column for one in row if not one.protection.locked] == [DECISION, REMARK, DECIDED_BY, APPROVED_BY]
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 8)
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    (choice,) = [v for v in sheet.data_validations.dataValidation if v.type == "list"]
    assert choice.formula1 == '"継続,非継続,保留"'
    assert str(choice.sqref) == "M2:M4"
    assert sheet.print_title_rows == "$1:$1"


def test_text_stays_text(environment: Environment, tmp_path: Path) -> None:
    """A name that looks like a formula must not be one in the clerk's Excel."""
    worksheet = monthly.make_worksheet(environment, MONTH)
    path, found = worksheet.path, worksheet.cases
    from pipelines.continuity.worksheet import write_worksheet

    evil = found.with_columns(pl.lit('=HYPERLINK("http://x")').alias("new_people"))
    write_worksheet(tmp_path / "evil.xlsx", worksheet_of(evil))
    with ZipFile(tmp_path / "evil.xlsx") as book:
        sheets = b"".join(book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet"))
    assert re.findall(rb"<f>(.*?)</f>", sheets) == [b'COUNTBLANK(\xe5\x88\xa4\xe5\xae\x9a!M2:M4)&amp;"\xe4\xbb\xb6"']
    assert path.exists()


def test_names_are_shown_only_of_those_whom_we_know(environment: Environment) -> None:
    """都道府県被保険者ID -> 宛名番号 -> 氏名 by what the Union linked; nobody's name is guessed."""
    store = environment.store
    known = pl.DataFrame({"resident_number": ["000000000000123"], "prefecture_insured_id": [f"90001{ord('a'):07d}"]})
    store.write("linkage_state", "2026-04-30", whole(LinkageState, known))
    send_days(environment, pl.DataFrame({"resident_number": ["000000000000123"], "name": ["合成　太郎"]}))
    found = monthly.build_cases(environment, MONTH)
    assert "世帯主（被保険者） 合成　太郎（000000000000123）\n　2026-04-10 県内転入〜" in found["new_people"][0]
    assert "世帯員 ID 90001" in found["new_people"][0]
    assert found["facts_in_words"][0] == "異動日 2026-04-10。世帯主が同じ人"
    assert MOVE.isoformat() in found["old_people"][0]
    sheet = openpyxl.load_workbook(monthly.make_worksheet(environment, MONTH).path)["判定"]
    shown = "".join(str(cell.value) for row in sheet.iter_rows(min_row=2) for cell in row if cell.value)
    assert "\n　R8.4.10 県内転入〜" in shown
    assert "異動日 R8.4.10。世帯主が同じ人" in shown
    assert not re.search(r"\d{4}-\d{2}-\d{2}", shown)
