"""The reports: JSON for programs, a workbook and a page for people. Nothing in them runs, and nothing names a person."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from openpyxl.cell import Cell

from schemas.report import to_json, write_json, write_xlsx
from schemas.validate import Validated
from tests.support.schema import NAME, extract, line, lines, sound_individuals, specification, validated, with_item

COLUMNS = [
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


@pytest.fixture
def faulty(tmp_path: Path) -> Validated:
    data = line(4, ",0,1,20,", ",0,=1+1,20,")(line(3, ",19820304,", ",20230229,")(sound_individuals()))
    return validated(tmp_path, line(2, "999000000016", "")(data))


@pytest.fixture
def many(tmp_path: Path) -> Validated:
    control, first, *_, end = lines(sound_individuals())
    rows = [control.replace(b",0000003,", b",0000600,")]
    for number in range(2, 602):
        row = first.replace(b"2,0000002,", b"2,%07d," % number).replace(b"000000000000101", b"%015d" % number)
        rows.append(row.replace(b"000000000000011", b"%015d" % number).replace(b",19800102,", b",19800231,"))
    return validated(tmp_path, b"".join([*rows, end.replace(b"0000005", b"0000602")]))


def test_json_contains_every_finding(faulty: Validated, tmp_path: Path) -> None:
    report = to_json(faulty)
    assert list(report) == ["interface", "version", "valid", "records", "counts_by_code", "normalised", "findings"]
    assert (report["interface"], report["version"]) == ("eligibility_individual", "2018-04-01")
    assert (report["valid"], report["records"]) == (False, 3)
    assert report["counts_by_code"] == {"KR-2003": 1, "KR-2004": 1, "KR-2015": 1}
    assert [list(finding) for finding in report["findings"]] == [COLUMNS] * 3
    assert [(finding["code"], finding["line"], finding["item_no"]) for finding in report["findings"]] == [
        ("KR-2015", 2, 8),
        ("KR-2004", 3, 12),
        ("KR-2003", 4, 14),
    ]
    write_json(faulty, tmp_path / "reports" / "one.json")
    assert json.loads((tmp_path / "reports" / "one.json").read_text(encoding="utf-8")) == report


def test_the_workbook_says_what_was_judged_and_what_to_do(faulty: Validated, tmp_path: Path) -> None:
    write_xlsx(faulty, tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    assert book.sheetnames == ["概要", "先頭500件", "集計"]
    guide = dict(book["概要"].iter_rows(values_only=True))
    assert (guide["ファイル"], guide["判定"], guide["検出事項"], guide["データ件数"]) == (
        NAME,
        "誤りがある",
        "3件",
        "3",
    )
    assert {"水準「ファイル全体」", "水準「レコード」", "水準「注意」"} <= set(guide)
    first = list(book["先頭500件"].iter_rows(values_only=True))
    assert first[0][:5] == ("行", "レコード番号", "項番", "項目名", "バイト位置")
    assert [row[0] for row in first[1:]] == [2, 3, 4]
    assert all("実在する" in row[-1] for row in first if row[5] == "KR-2004")
    assert [row[6] for row in first[1:]] == ["注意", "レコード", "レコード"]
    counted = list(book["集計"].iter_rows(values_only=True))
    assert [(row[0], row[3], row[4], row[5]) for row in counted[1:]] == [
        ("KR-2003", 14, "性別", 1),
        ("KR-2004", 12, "生年月日", 1),
        ("KR-2015", 8, "個人番号", 1),
    ]
    assert all(row[6] for row in counted)
    assert {row[1] for row in counted[1:]} == {"レコード", "注意"}
    for name in ("先頭500件", "集計"):
        needed = max(-(-len(str(cell.value)) * 2 // int(width_of(cell) - 1)) for cell in book[name][1])
        assert book[name].row_dimensions[1].height >= needed * 12, "the headings are whole"


def width_of(cell: Cell) -> float:
    return float(cell.parent.column_dimensions[cell.column_letter].width)


def test_the_workbook_says_how_many_values_were_normalised(tmp_path: Path) -> None:
    result = extract(
        tmp_path,
        "resident_extract",
        {
            "resident_number": ["000000000000101", "000000000000102"],
            "resident_household_number": ["000000000000011"] * 2,
            "resident_kind": ["1"] * 2,
            "resident_state": ["1"] * 2,
            "name": ["合成　太郎"] * 2,
            "sex": ["1"] * 2,
            "name_kana": ["ｺﾞｳｾｲ ﾀﾛｳ"] * 2,
            "born_on": ["1980-01-02"] * 2,
            "born_on_uncertain": ["0"] * 2,
            "relationship": ["2", "12"],
            "changed_on_uncertain": ["0"] * 2,
        },
    )
    write_xlsx(result, tmp_path / "book.xlsx")
    guide = list(openpyxl.load_workbook(tmp_path / "book.xlsx")["概要"].iter_rows(values_only=True))
    wanted = [("正規化した値", "氏名カナ 2件、続柄コード 1件")]
    assert [row for row in guide if row[0] == "正規化した値"] == wanted


def test_nothing_in_the_workbook_is_a_formula_or_a_link(tmp_path: Path) -> None:
    data = line(3, "K102", "=1+1")(sound_individuals())
    result = validated(
        tmp_path, line(4, "K102", "http://x.invalid/")(data), with_item(specification(), "data_kind", length=40)
    )
    write_xlsx(result, tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    values = [cell for row in book["先頭500件"].iter_rows() for cell in row]
    assert {"=1+1", "http://x.invalid/"} <= {cell.value for cell in values}
    assert {cell.data_type for cell in values} <= {"s", "n"}
    assert not any(cell.hyperlink for cell in values)


def test_the_first_five_hundred_are_shown_and_all_are_counted(many: Validated, tmp_path: Path) -> None:
    write_xlsx(many, tmp_path / "book.xlsx")
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    shown = list(book["先頭500件"].iter_rows(values_only=True))
    assert (len(shown), shown[500][0], shown[501][0]) == (502, 501, "他100件")
    assert [row[5] for row in book["集計"].iter_rows(min_row=2, values_only=True)] == [600]


def test_the_same_findings_give_the_same_bytes(faulty: Validated, tmp_path: Path) -> None:
    for write, suffix in ((write_xlsx, "xlsx"), (write_json, "json")):
        first, second = tmp_path / f"one.{suffix}", tmp_path / f"other.{suffix}"
        write(faulty, first)
        write(faulty, second)
        assert first.read_bytes() == second.read_bytes(), suffix


def test_no_report_names_a_person(tmp_path: Path) -> None:
    data = sound_individuals().replace("花子".encode("cp932"), "ﾊﾅ子".encode("cp932"))
    result = validated(tmp_path, data.replace(b"983205673214", b"983205673215").replace(b"000000000000102", b"102"))
    assert result.findings.height == 3
    book = tmp_path / "book.xlsx"
    write_xlsx(result, book)
    sheets = openpyxl.load_workbook(book)
    shown = " ".join(str(cell) for sheet in sheets for row in sheet.iter_rows(values_only=True) for cell in row)
    for text in (
        shown,
        json.dumps(to_json(result), ensure_ascii=False),
    ):
        for secret in ("98320567321", "ﾊﾅ子", "合成", "19820304"):
            assert secret not in text
