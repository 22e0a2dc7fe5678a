"""Values of foreign layouts as data, through the command: forms of dates and numbers, texts for no value, codes, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.support.layouts import Layout, Part
from tests.support.values import add_types, set_cells, write_codes

# One flat record of each kind of value.
ITEMS = (
    ("mark", "英数", 1, "constant(2)"),
    ("born_on", "和暦年月日R", 9, ""),
    ("acquired_on", "年月日/", 10, ""),
    ("target_month", "和暦年月", 5, ""),
    ("rate", "率", 6, "between(0,100)"),
    ("price", "暗黙", 5, "between(0.5,500)"),
    ("change", "重ね", 5, ""),
    ("lost_on", "年月日", 8, ""),
    ("reason", "英数", 2, ""),
    ("判定", "英数", 1, ""),
    ("remark", "英数", 4, ""),
)
LAYOUT = Layout((Part("data", "many", ITEMS),), optional=frozenset({"lost_on", "判定", "remark"}))
SOUND = "2,R08.04.01,2026/4/1,50804,12.50,00125,0012E,20260401,21,1,"


def catalogue(folder: Path) -> Path:
    root = LAYOUT.write(folder / "catalogue")
    add_types(
        root,
        ("率", r"[0-9.]*", "space_right", "数の形式=9.99"),
        ("暗黙", "[0-9]*", "zero_left", "数の形式=9V99"),
        ("重ね", "[0-9]*[0-9{}A-R]", "zero_left", "数の形式=9V99S"),
    )
    write_codes(root, "foreign_reason", ("02", "left", "", ""), ("21", "", "", "02"), ("22", "", "", "02"))
    table = root / "foreign/2020-01-01/data.csv"
    set_cells(table, "id", "lost_on", 空の値="0埋め;9埋め;空白", 公式項番="2-1")
    set_cells(table, "id", "reason", コード表="foreign_reason")
    set_cells(table, "id", "remark", 必須="条件 判定=9")
    return root


def validate(root: Path, *lines: str) -> tuple[int, list[dict[str, object]]]:
    path = root.parent / "FOREIGN.csv"
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode("cp932"))
    arguments = ["validate", str(path), "--on", "2026-04-01", "--catalogue", str(root), "--json"]
    said = CliRunner().invoke(main, arguments)
    assert said.exit_code in (0, 1), said.output
    return said.exit_code, json.loads(said.output)["findings"]


def lint(root: Path) -> str:
    said = CliRunner().invoke(main, ["spec", "lint", "--catalogue", str(root)])
    assert said.exit_code == (0 if "誤り0件" in said.output else 1)
    return said.output


def test_values_of_every_declared_form_are_read(tmp_path: Path) -> None:
    root = catalogue(tmp_path)
    assert "誤り0件" in lint(root)
    others = (
        "2,S64.01.07,2026/12/31,43104,0,00050,0012N,00000000,22,1,",
        "2,H31.04.30,2026/04/01,50105,100.00,50000,00000,99999999,02,1,",
        "2,H01.01.08,2026/4/1,43004,99.9,00125,0000},,02,9,ABCD",
    )
    assert validate(root, SOUND, *others) == (0, [])


FAULTY: dict[str, tuple[str, str, str]] = {
    "no such day": ("R08.04.01", "R08.02.30", "KR-2004"),
    "another separator": ("R08.04.01", "R08/04/01", "KR-2003"),
    "before the era": ("R08.04.01", "R01.04.30", "KR-2005"),
    "after the era": ("R08.04.01", "S64.01.08", "KR-2005"),
    "year 0 of an era": ("R08.04.01", "R00.04.01", "KR-2005"),
    "a month that is none": ("50804", "50813", "KR-2004"),
    "a month before its era": ("50804", "50104", "KR-2005"),
    "a month after its era": ("50804", "43105", "KR-2005"),
    "a day that is none": ("2026/4/1", "2026/4/31", "KR-2004"),
    "a sentinel with its separators": ("2026/4/1", "9999/12/31", "KR-2052"),
    "more than the most": ("12.50", "100.01", "KR-2017"),
    "too many decimals": ("12.50", "12.555", "KR-2010"),
    "two points": ("12.50", "1.2.3", "KR-2010"),
    "less than the least, implied": ("00125", "00049", "KR-2017"),
    "more than the most, implied": ("00125", "50001", "KR-2017"),
    "zeros where no value is declared": (",00125,0012E,20260401", ",00125,0012E,00000001", "KR-2004"),
    "a code of no table": (",21,", ",23,", "KR-2006"),
    "required by an item with a Japanese id": (",1,", ",9,", "KR-2001"),
}


@pytest.mark.parametrize(("old", "new", "code"), FAULTY.values(), ids=FAULTY)
def test_each_value_out_of_its_form_is_found(old: str, new: str, code: str, tmp_path: Path) -> None:
    assert old in SOUND
    status, found = validate(catalogue(tmp_path), SOUND, SOUND.replace(old, new))
    assert (status, [(one["code"], one["line"]) for one in found]) == (1, [(code, 2)])


def test_the_official_number_stands_in_findings_and_in_the_specification(tmp_path: Path) -> None:
    root = catalogue(tmp_path)
    _, (found,) = validate(root, SOUND.replace("20260401", "20260431"))
    assert (found["item_no"], found["official_number"]) == (8, "2-1")
    assert "項番2-1 試験lost_on" in str(found["message"])
    shown = ["spec", "show", "foreign", "--on", "2026-04-01", "--catalogue", str(root)]
    assert "2-1 試験lost_on" in CliRunner().invoke(main, shown).output
    items = json.loads(CliRunner().invoke(main, [*shown, "--json"]).output)["records"][0]["items"]
    assert [(item["official_number"], item["blank_values"]) for item in items if item["id"] == "lost_on"] == [
        ("2-1", ["00000000", "99999999", ""])
    ]


def test_cells_that_can_be_computed_may_be_empty(tmp_path: Path) -> None:
    layout = Layout((Part("data", "many", ITEMS[:3]),), form='kind = "fixed"\nencoding = "cp932"\nline_end = "CRLF"')
    root = layout.write(tmp_path / "catalogue")
    for item, _, _, _ in ITEMS[:3]:
        set_cells(root / "foreign/2020-01-01/data.csv", "id", item, 項番="", 開始位置="", 項目名="", 秘匿区分="")
    assert "誤り0件" in lint(root)
    status, found = validate(root, "2R08.04.012026/04/01", "2R08.04.0120260401  ")
    assert (status, [(one["item_no"], one["item_name"], one["byte_position"]) for one in found]) == (
        1,
        [(3, "試験acquired_on", 11)],
    )


AMOUNTS = Layout(
    (
        Part("head", "one", (("mark", "英数", 1, "constant(1)"), ("note", "英数", 1, ""))),
        Part("detail", "many", (("mark", "英数", 1, "constant(2)"), ("amount", "重ね", 5, ""))),
        Part("end", "one", (("mark", "英数", 1, "constant(3)"), ("total", "合計", 9, "sum_of(detail.amount)"))),
    )
)


TOTAL = "sum_of(detail.amount)"


@pytest.mark.parametrize(("total", "expected"), [("0.150", None), ("0.15", None), ("0.151", "0.15"), ("15", "0.15")])
def test_sums_of_decimals_are_exact(total: str, expected: str | None, tmp_path: Path) -> None:
    root = AMOUNTS.write(tmp_path / "catalogue")
    add_types(
        root,
        ("重ね", "[0-9]*[0-9{}A-R]", "zero_left", "数の形式=9V99S"),
        ("合計", "[-0-9.]*", "space_right", "数の形式=-9.999"),
    )
    assert "誤り0件" in lint(root)
    # 0.10 + 0.20 - 0.15
    status, found = validate(root, "1,A", "2,0001{", "2,0002{", "2,0001N", f"3,{total}")
    assert [(one["code"], one["expected"]) for one in found] == ([("KR-4012", expected)] if expected else [])
    assert status == (1 if expected else 0)


def test_a_total_without_decimals_is_compared_with_those_of_its_amounts(tmp_path: Path) -> None:
    layout = Layout(
        (*AMOUNTS.parts[:2], Part("end", "one", (*AMOUNTS.parts[2].items[:1], ("total", "数字", 9, TOTAL))))
    )
    root = layout.write(tmp_path / "catalogue")
    add_types(root, ("重ね", "[0-9]*[0-9{}A-R]", "zero_left", "数の形式=9V99S"))
    for total, amount, expected in (("000000003", "0010{", None), ("000000003", "0011{", "3.10")):
        _, found = validate(root, "1,A", "2,0020{", f"2,{amount}", f"3,{total}")
        assert [one["expected"] for one in found] == ([expected] if expected else [])


def of_type(**cells: str) -> Callable[[Path], None]:
    return lambda root: set_cells(root / "types.csv", "属性", "和暦年月日R", **cells)


def of_item(item: str, **cells: str) -> Callable[[Path], None]:
    return lambda root: set_cells(root / "foreign/2020-01-01/data.csv", "id", item, **cells)


def of_code(code: str, **cells: str) -> Callable[[Path], None]:
    return lambda root: set_cells(root / "codes/foreign_reason.csv", "コード", code, **cells)


def of_file(old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "foreign/2020-01-01/file.toml"
        assert old in path.read_text(encoding="utf-8")
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    return change


UNSOUND: dict[str, tuple[Callable[[Path], None], str]] = {
    "letter that is none": (of_type(日付形式="RYY.MM.HH"), "H は使えません（YYYY 西暦4桁・YY 和暦の年2桁"),
    "year without era": (of_type(日付形式="YY.MM.DD"), "YY は元号（G・R・元号）と一緒に書きます"),
    "western year with era": (of_type(日付形式="GYYYYMMDD"), "元号のある年は YY か Y です"),
    "no month": (of_type(日付形式="RYY.DD"), "月がありません"),
    "month twice": (of_type(日付形式="RYY.MM.MM"), "月が2回あります"),
    "no separator": (of_type(日付形式="RYY.MD"), "M と D の間に区切りがない"),
    "too short for the date": (of_item("born_on", バイト数="8"), "属性 和暦年月日R は9バイトです（8）"),
    "too short for the longest date": (of_item("acquired_on", バイト数="9"), "属性 年月日/ は10バイト要ります（9）"),
    "pattern of another form": (of_type(正規表現="[0-9]{7}"), "は属性 和暦年月日R の値ではありません"),
    "number form that is none": (of_type(日付形式="", 数の形式="9(3)V99"), "数の形式 9(3)V99 は使えません（9・9.99"),
    "two signs": (of_type(日付形式="", 数の形式="-9.99S"), "数の形式 -9.99S は使えません"),
    "date and number": (of_type(数の形式="9"), "どちらか一つです"),
    "blank twice": (of_item("lost_on", 空の値="0埋め;00000000"), "空の値 00000000 が2回あります"),
    "blank too long": (of_item("lost_on", 空の値="000000000"), "空の値 000000000 は8バイトに入りません"),
    "blank in full width": (of_item("lost_on", 空の値="なし"), "空の値 なし は半角ではありません"),
    "blank that is a code": (
        of_item("reason", 空の値="02"),
        "空の値 02 は、コード表 foreign_reason のコードでもあります",
    ),
    "argument with too many decimals": (
        of_item("rate", 規則="between(0,1.234)"),
        "1.234 は小数2桁までの数ではありません",
    ),
    "argument that cannot be negative": (of_item("rate", 規則="between(-1,1)"), "-1 は数の形式 9.99 で書けません"),
    "arguments out of order": (of_item("rate", 規則="between(1.5,1.25)"), "数が小さい順ではありません"),
    "parent that is not there": (of_code("21", 上位コード="03"), "上位コード 03 はこの表の別のコードではありません"),
    "lost zeros of a code": (of_code("02", コード="2", 桁数="2"), "1桁で、桁数 2 と違います"),
    "error of Excel": (of_type(正規表現="#NAME?"), "#NAME? は Excel の式の誤りです"),
    "star in the name": (of_file("FOREIGN.csv", "FOREIGN*.csv"), "ファイル名に * は使えません"),
    "slash in the name": (of_file("FOREIGN.csv", "A/FOREIGN.csv"), "ファイル名に / は使えません"),
    "letters next to letters": (of_file("FOREIGN", "{remark}X{reason}"), "remark と reason の間に、英数字でない文字"),
    "condition on no item": (of_item("remark", 必須="条件 区分=9"), "必須の条件の 区分 は項目にありません"),
}


@pytest.mark.parametrize(("change", "said"), UNSOUND.values(), ids=UNSOUND)
def test_lint_tells_what_is_wrong_and_what_is_allowed(
    change: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    root = catalogue(tmp_path)
    change(root)
    assert said in lint(root)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (("", "", ""), "意味 left に 02・21・22 があり、どれを書くか決まりません"),
        (("○", "○", ""), "意味 left の 送付 が、同じ時期に二つ以上あります"),
        (("", "○", ""), ""),
    ],
)
def test_a_layout_that_is_sent_needs_one_code_to_write_for_a_meaning(
    sent: tuple[str, str, str], said: str, tmp_path: Path
) -> None:
    root = catalogue(tmp_path)
    marks = zip(("02", "21", "22"), sent, strict=True)
    write_codes(root, "foreign_reason", *[(code, "left", mark, "") for code, mark in marks])
    assert "どれを書くか" not in lint(root)  # what only comes in may have many
    of_file("from_union", "to_partner")(root)
    assert said in lint(root)
    assert ("誤り0件" in lint(root)) == (not said)


def test_rules_take_japanese_ids(tmp_path: Path) -> None:
    root = catalogue(tmp_path)
    of_item("remark", 規則="only_with(判定)")(root)
    assert [one["code"] for one in validate(root, SOUND, f"{SOUND}AB", f"{SOUND[:-2]},AB")[1]] == ["KR-3006"]


def test_names_take_japanese_ids(tmp_path: Path) -> None:
    root = catalogue(tmp_path)
    of_file("FOREIGN.csv", "J{判定}.csv")(root)
    assert "誤り0件" in lint(root)
    path = tmp_path / "JA.csv"
    path.write_bytes(f"{SOUND}\r\n".encode())
    said = CliRunner().invoke(main, ["validate", str(path), "--on", "2026-04-01", "--catalogue", str(root)])
    assert said.exit_code == 0, said.output


@pytest.mark.parametrize("name", ["J202604OFFICE01.csv", "J202604A.csv"])
def test_a_name_with_letters_is_recognised(name: str, tmp_path: Path) -> None:
    layout = Layout((Part("data", "many", (*ITEMS[:1], ("target_month", "年月", 6, ""), ("office", "英数", 10, ""))),))
    root = layout.write(tmp_path / "catalogue")
    of_file("FOREIGN.csv", "J{target_month}{office}.csv")(root)
    assert "誤り0件" in lint(root)
    path = tmp_path / name
    path.write_bytes(b"2,202604,A\r\n")
    said = CliRunner().invoke(main, ["validate", str(path), "--catalogue", str(root)])
    assert said.exit_code == 0, said.output
