"""要修正一覧 as a clerk reads it: which item, its value, what is expected, since when, in a clerk's words."""

from __future__ import annotations

import datetime as dt
import re

import openpyxl
import pytest

from tests.support.village import Village, cells, home, person

DAYS = (dt.date(2026, 4, 1), dt.date(2026, 4, 2), dt.date(2026, 4, 3))
LISTED = "修正が確認されるまで毎営業日、送付対象として再判定します"


@pytest.fixture
def faulty(village: Village) -> Village:
    """Three days: a household whose person has two errors, one with an error of the household, ten without any."""
    village.add(1, 101, 102, 103)
    village.add(2, 111, 112)
    village.fill()
    for day in DAYS:
        for earlier in (village.folder / "extracts").iterdir():
            earlier.unlink()
        village.extract(day)
        if day != DAYS[0]:
            cells(village, "insured", "資格取得年月日", "宛名番号", {person(101): "2026-02-30"})
            cells(village, "resident", "性別", "宛名番号", {person(101): "7"})
            cells(village, "household", "郵便番号", "国保世帯番号", {home(2): "99-98888"})
        result = village.cli("run", "daily", "--date", day.isoformat(), "--only", "out", "--confirm", "初回")
        assert result.exit_code == 0, result.output
    return village


def book(village: Village, day: dt.date) -> list[list[str]]:
    path = village.folder / "clerk" / f"要修正一覧_{day}.xlsx"
    sheet = openpyxl.load_workbook(path)["要修正一覧"]
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize, sheet.cell(3, 1).font.name) == (
        "landscape",
        9,
        "游ゴシック",
    )
    assert all(cell.alignment.wrap_text for cell in sheet[2])
    return [[str(value or "") for value in row] for row in sheet.iter_rows(values_only=True)]


def test_a_clerk_reads_which_item_its_value_what_is_expected_and_since_when(faulty: Village) -> None:
    shown = faulty.cli("withheld", "--date", DAYS[2].isoformat())
    heading, names, *rows = book(faulty, DAYS[2])
    assert heading[0] == f"要修正一覧　令和8年4月3日　3人（同一世帯を含め5人）、2世帯　（{LISTED}）"
    assert names == [
        "対応済",
        "国保世帯番号",
        "宛名番号",
        "氏名",
        "異動",
        "誤りの項目",
        "現在の値",
        "期待される内容",
        "誤りの内容",
        "保留開始",
        "対処",
    ]
    first = [row for row in rows if row[1] == home(1)]
    assert [row[2] for row in first] == [person(101)] * 2 + ["（ほか2人）"]
    assert {row[5]: (row[6], row[7]) for row in first[:2]} == {
        "資格取得年月日": ("2026-02-30", "実在する日付"),
        "性別": ("（非表示）", "1 男・2 女・3 未設定"),
    }
    assert first[2][3:9] == ["合成　丙\n合成　丁", "", "", "", "", "誤りなし。同一世帯のため保留しています"]
    assert next((row[2], row[5], row[6]) for row in rows if row[1] == home(2)) == (
        "（世帯）",
        "郵便番号",
        "（非表示）、使えない文字 U+002D",
    )
    assert {row[9] for row in rows} == {"R8.4.2\n（2営業日目）"}
    assert [row[0] for row in rows] == ["□"] * len(rows)
    assert "要修正 3人（同一世帯を含め5人）" in shown.output
    texts = [cell for row in rows for cell in row]
    assert [text for text in texts if re.search(r"renkei|interfaces/|\.csv|--", text)] == []
    assert any("業務システムで日付を修正してください" in text for text in texts)
    assert [text for text in texts if "99-98888" in text] == [], "a value that its sensitivity hides"


def test_the_run_says_the_number_of_the_list_and_a_household_new_on_it_is_held_for_one_day(faulty: Village) -> None:
    again = faulty.cli("run", "daily", "--date", DAYS[2].isoformat(), "--only", "out")
    assert "要修正一覧 3人（同一世帯を含め5人）" in again.output
    faulty.cli("withheld", "--date", DAYS[1].isoformat())
    assert {row[9] for row in book(faulty, DAYS[1])[2:]} == {"R8.4.2\n（1営業日目）"}
