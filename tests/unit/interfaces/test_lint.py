"""The linter: the shipped catalogue is sound, and every fault that a person can put into the data is found."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.lint import lint
from interfaces.messages import RenkeiError
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from schemas.rules.registry import Rule

FOLDER = "eligibility_individual/2018-04-01"


def faults(root: Path) -> list[str]:
    return [str(fault) for fault in lint(Catalogue(root), registered_rules(), NORMALISATIONS)]


def test_the_shipped_catalogue_is_sound() -> None:
    assert lint(load_catalogue(), registered_rules(), NORMALISATIONS) == []


def rows_of(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    heading = list(rows[0])
    change(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, heading)
        writer.writeheader()
        writer.writerows(rows)


def cell(item: str, *, table: str = f"{FOLDER}/data.csv", **cells: str) -> Callable[[Path], None]:
    """Change cells of one item of a table: the individual file's data records."""

    def apply(root: Path) -> None:
        rows_of(root / table, lambda rows: next(r for r in rows if r["id"] == item).update(cells))

    return apply


def file_toml(old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / FOLDER / "file.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return apply


def twice(item: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        rows_of(root / FOLDER / "data.csv", lambda rows: rows.append(next(r for r in rows if r["id"] == item).copy()))

    return apply


def second_version(start: str, end_of_first: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        old = root / FOLDER
        new = root / "eligibility_individual" / start
        shutil.copytree(old, new)
        for folder, text in ((new, f"effective_from = {start}"), (old, f"effective_from = 2018-04-01{end_of_first}")):
            path = folder / "file.toml"
            path.write_text(path.read_text(encoding="utf-8").replace("effective_from = 2018-04-01", text), "utf-8")

    return apply


def added(table: str, row: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / f"{table}.csv"
        path.write_text(path.read_text(encoding="utf-8-sig") + row + "\n", encoding="utf-8-sig")

    return apply


def code(table: str, row: str) -> Callable[[Path], None]:
    return added(f"codes/{table}", row)


def character(row: str) -> Callable[[Path], None]:
    return added("characters/union_cp932", row)


def text(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Change some text of a file, written back in UTF-8 as Excel does."""

    def apply(root: Path) -> None:
        before = (root / path).read_text(encoding="utf-8-sig")
        assert old in before
        (root / path).write_text(before.replace(old, new), encoding="utf-8-sig" if path.endswith("csv") else "utf-8")

    return apply


def rewritten(path: str, encoding: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        (root / path).write_text((root / path).read_text(encoding="utf-8-sig"), encoding=encoding)

    return apply


def all_of(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        for change in changes:
            change(root)

    return apply


def kind_before(following: str, kind: str, mark: str) -> Callable[[Path], None]:
    """One more record kind of one record, laid out as the end record, before another one."""

    def apply(root: Path) -> None:
        part = f'kind = "{kind}"\nitems = "more.csv"\noccurrence = "one"\n\n[[records]]\n'
        file_toml(f'kind = "{following}"', f'{part}kind = "{following}"')(root)
        shutil.copy(root / FOLDER / "end.csv", root / FOLDER / "more.csv")
        cell("record_kind", table=f"{FOLDER}/more.csv", 規則=mark)(root)

    return apply


def fixed(shift: int) -> Callable[[Path], None]:
    """Make the file fixed-length, with the start of 氏名 moved by some bytes."""

    def apply(root: Path) -> None:
        file_toml('kind = "csv"', 'kind = "fixed"')(root)
        for name in ("control.csv", "data.csv", "end.csv"):

            def place(rows: list[dict[str, str]]) -> None:
                start = 1
                for row in rows:
                    row["開始位置"] = str(start + (shift if row["id"] == "name" else 0))
                    start += int(row["バイト数"])

            rows_of(root / FOLDER / name, place)

    return apply


def wide(odd: str) -> Callable[[Path], None]:
    """Make the file UTF-16LE, with one item a byte too long."""

    def apply(root: Path) -> None:
        file_toml('encoding = "cp932"', 'encoding = "utf-16-le"')(root)

        def double(rows: list[dict[str, str]]) -> None:
            for row in rows:
                row["バイト数"] = str(2 * int(row["バイト数"]) + (row["id"] == odd))

        for name in ("control.csv", "data.csv", "end.csv"):
            rows_of(root / FOLDER / name, double)

    return apply


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "unknown rule": (cell("name", 規則="sparkles"), "sparkles という規則はありません"),
    "wrong number of arguments": (cell("lost_on", 規則="not_before"), "引数の数が違います"),
    "rule on an item that is not there": (cell("lost_on", 規則="not_before(moon)"), "moon は項目にありません"),
    "unknown code table": (cell("sex", コード表="planets"), "コード表 planets がありません"),
    "code longer than the item": (cell("acquisition_reason", バイト数="1"), "1バイトに入りません"),
    "date of a wrong length": (cell("lost_on", バイト数="6"), "属性 年月日 は8バイトです"),
    "constant longer than the item": (cell("data_kind", バイト数="3"), "K102 は4バイトで、3バイトに入りません"),
    "duplicate item": (twice("name"), "id name が2回あります"),
    "item numbers with a hole": (cell("name", 項番="99"), "項番が1からの連番ではありません"),
    "name unlike the dictionary": (cell("name", 項目名="名前"), "項目辞書の 氏名 と違います"),
    "sensitivity unlike the dictionary": (
        cell("my_number", 秘匿区分="公開"),
        "秘匿区分が項目辞書の 個人番号 と違います",
    ),
    "item outside the dictionary": (cell("name", id="nickname"), "項目辞書 items.csv にありません"),
    "unreadable requirement": (cell("name", 必須="たぶん"), "を読めません（必須・任意"),
    "required by an item that is not there": (cell("name", 必須="条件 moon"), "必須の条件の moon は項目にありません"),
    "required by a value outside the codes": (
        cell("branch_number", 必須="条件 head_kind=7"),
        "値 7 は head_kind のコード表に",
    ),
    "unknown normalisation": (cell("name", 正規化="polish"), "polish という正規化はありません"),
    "no source": (cell("name", 出典=""), "出典が空です"),
    "half a character of UTF-16LE": (wide(odd="name"), "バイト数は2の倍数が必要です（201）"),
    "zero length": (cell("name", バイト数="0"), "バイト数は1以上が必要です"),
    "overlap of versions": (second_version("2026-04-01", ""), "重なっています"),
    "gap between versions": (second_version("2026-04-01", "\neffective_to = 2026-03-01"), "空きがあります"),
    "file name with an unknown field": (file_toml("{file_number}", "{moon}"), "ファイル名の moon は項目にありません"),
    "file names alike": (file_toml("KRKOJ_", "KRSET_"), "見分けられません"),
    "my number undeclared": (
        file_toml("carries_my_number = true", "carries_my_number = false"),
        "個人番号の項目の有無",
    ),
    "my number from the Union": (
        file_toml('direction = "to_union"', 'direction = "from_union"'),
        "個人番号の項目は置けません",
    ),
    "unknown relation": (file_toml("one_head_per_household", "one_love"), "one_love という規則はありません"),
    "relation to no interface": (
        file_toml("(eligibility_household)", "(moonbase)"),
        "moonbase というインタフェースはありません",
    ),
    "missing character table": (file_toml("union_cp932", "moonscript"), "外字表 moonscript がありません"),
    "zero records wanted and forbidden": (
        file_toml("zero_records_allowed = true", "zero_records_allowed = false"),
        "0件のファイル",
    ),
    "two repeating records": (file_toml('occurrence = "one"', 'occurrence = "many"'), "ちょうど一つ必要です"),
    "key that is not there": (file_toml('key = ["resident_number"]', 'key = ["moon"]'), "キー moon は項目にありません"),
    "same code twice": (code("sex", "1,重複,double,,,test"), "同じコードの効力期間が重なっています"),
    "same meaning twice": (code("sex", "8,男２,male,,,test"), "意味 male に 1・8 があり、どれを書くか決まりません"),
    "code that ends before it starts": (code("sex", "8,昔,past,2026-04-01,2020-04-01,test"), "終了日が開始日より後"),
    "parent that is not there": (
        file_toml('kind = "data"\n', 'kind = "data"\nparent = "moon"\n'),
        "レコード種別 data の親 moon が、それより前にありません",
    ),
    "a group in a file that is sent": (
        file_toml('kind = "data"\n', 'kind = "data"\nparent = "control"\n'),
        "送るファイルは、繰り返すレコード種別が一つ",
    ),
    "mark by an item that is not there": (
        file_toml('kind = "data"\n', 'kind = "data"\nmarks = ["moon"]\n'),
        "marks の moon は項目にありません",
    ),
    "data by a kind that is not there": (
        file_toml("relations = [", 'data = "moon"\nrelations = ['),
        "data の moon というレコード種別はありません",
    ),
    "sum of a kind that is not there": (
        cell("record_kind", 規則="sum_of(moon.x)"),
        "レコード種別.項目 の形ではありません",
    ),
    "sum of an item that is not there": (cell("record_kind", 規則="sum_of(data.moon)"), "data の項目にありません"),
    "sum of a name": (cell("record_kind", 規則="sum_of(data.name)"), "数字の項目ではありません"),
    "count of a kind that is not there": (cell("record_kind", 規則="count_of(moon)"), "というレコード種別はありません"),
    "record kind twice": (kind_before("control", "end", "constant(4)"), "レコード種別 end が二回以上あります"),
    "record kinds with the same mark": (
        cell("record_kind", 規則="constant(1)"),
        "レコード種別 control と data を constant で見分けられません",
    ),
    "mark that is not ASCII": (
        cell("record_kind", 規則="constant(二)"),
        "見分ける項目に、半角の constant がありません",
    ),
    "mark without its value": (cell("record_kind", 規則="constant"), "見分ける項目に、半角の constant がありません"),
    "table without items": (lambda root: rows_of(root / FOLDER / "end.csv", list.clear), "項目が一つもありません"),
    "normalisation of a code that is sent": (
        cell("sex", 正規化="zero_fill(1)"),
        "送付ファイルで正規化できるのは、データレコードの、日付・コード・固定値でない項目だけです",
    ),
    "normalisation without argument": (
        cell("relationship", 正規化="zero_fill"),
        "data.csv 項番15 relationship 正規化: zero_fill の引数の数が違います（必要なのは1個）",
    ),
    "normalisation with too many arguments": (
        cell("name", 正規化="full_width(3)"),
        "full_width(3) の引数の数が違います",
    ),
    "normalisation with a word for a count": (
        cell("relationship", 正規化="zero_fill(two)"),
        "zero_fill(two) の two は1以上の整数ではありません",
    ),
    "normalisation to nothing": (cell("relationship", 正規化="zero_fill(0)"), "の 0 は1以上の整数ではありません"),
    "normalisation beyond the item": (
        cell("relationship", 正規化="zero_fill(3)"),
        "zero_fill(3) の 3 桁は2バイトの項目に入りません",
    ),
    "word for a count": (
        cell("branch_number", 規則="digits(x)"),
        "data.csv 項番9 branch_number 規則: digits(x) の x は1以上の整数ではありません",
    ),
    "count beyond the item": (cell("branch_number", 規則="digits(9)"), "digits(9) の 9 桁は2バイトの項目に入りません"),
    "word for a number": (cell("branch_number", 規則="between(1,x)"), "between(1,x) の x は整数ではありません"),
    "numbers in the wrong order": (
        cell("branch_number", 規則="between(9,1)"),
        "between(9,1) の数が小さい順ではありません",
    ),
    "number beyond the item": (
        cell("branch_number", 規則="between(1,100)"),
        "between(1,100) の 100 は3バイトで、2バイトに入りません",
    ),
    "number that the type cannot hold": (
        cell("branch_number", 規則="between(-1,9)"),
        "between(-1,9) の -1 は属性 数字 の値ではありません",
    ),
    "month that is none": (
        cell("lost_on", 規則="not_before_month(2018-13)"),
        "の 2018-13 は年月（YYYY-MM）ではありません",
    ),
    "value that the type cannot hold": (
        cell("branch_number", 規則="constant(ab)"),
        "constant(ab) の ab は属性 数字 の値ではありません",
    ),
    "value that the encoding cannot hold": (cell("name", 規則="constant(¢)"), "constant(¢) の ¢ は cp932 で表せません"),
    "rule between items on an item that is not there": (
        cell("loss_reason", 規則="only_with(moon)"),
        "only_with(moon) の moon は項目にありません",
    ),
    "rule of days on an item without": (
        cell("lost_on", 規則="not_before(name)"),
        "not_before(name) の name は日付の項目ではありません",
    ),
    "field that the file name lacks": (
        cell("municipality_code", table=f"{FOLDER}/control.csv", 規則="same_as_file_name(municipality)"),
        "control.csv 項番7 municipality_code 規則: same_as_file_name(municipality) の municipality はファイル名の規則",
    ),
    "外字 of two characters": (
        character("U+585A U+E0101,外字,f040,塚,test"),
        "characters/union_cp932.csv 12行目 U+585A U+E0101: 外字 f040 は6行目の文字にも使われていて",
    ),
    "外字 that the encoding lacks": (
        character("U+585A U+E0101,外字,8100,塚,test"),
        "12行目 U+585A U+E0101: 値 8100 は cp932 の外字ではありません",
    ),
    "外字 with the bytes of a letter": (
        character("U+585A U+E0101,外字,41,塚,test"),
        "値 41 は cp932 の外字ではありません",
    ),
    "外字 with the bytes of a 漢字": (
        character("U+585A U+E0101,外字,92CB,塚,test"),
        "92CB は cp932 の外字ではありません",
    ),
    "外字 of one byte": (character("U+585A U+E0101,外字,FD,塚,test"), "値 FD は cp932 の外字ではありません"),
    "private use in Unicode": (
        all_of(
            file_toml('encoding = "cp932"', 'encoding = "utf-16-le"'), character("U+585A U+E0101,外字,00E0,塚,test")
        ),
        "値 00E0 は utf-16-le の外字ではありません",
    ),
    "外字 in Unicode": (
        file_toml('encoding = "cp932"', 'encoding = "utf-16-le"'),
        "値 F040 は utf-16-le の外字ではありません",
    ),
    "substitute that the encoding gives back as another": (
        character("U+585A U+E0101,縮退,U+00A2,塚,test"),
        "値 U+00A2 を cp932 で表せません",
    ),
    "character twice": (character("U+20BB7,縮退,U+5409,吉,test"), "U+20BB7: 同じ文字が6行目にもあります"),
    "no character": (character(",縮退,U+5409,吉,test"), "文字か値を読めません"),
    "rule of days on an item that holds none": (
        cell("branch_number", 規則="partition_date"),
        "項番9 branch_number 規則: partition_date は属性 数字 の項目に置けません",
    ),
    "mark of days on an item that holds none": (
        cell("branch_number", 規則="inclusive_end"),
        "inclusive_end は属性 数字 の項目に置けません",
    ),
    "rule of months on an item that holds none": (
        cell("name", 規則="not_before_month(2018-04)"),
        "not_before_month(2018-04) は属性 漢字 の項目に置けません",
    ),
    "code that the type cannot hold": (
        code("sex", "M,男２,male_2,,,test"),
        "項番14 sex: コード表 sex の M は属性 数字 の値ではありません",
    ),
    "code that does not fit": (
        code("sex", "10,男２,male_2,,,test"),
        "コード表 sex の 10 は2バイトで、1バイトに入りません",
    ),
    "BOM that the encoding lacks": (
        file_toml('line_end = "CRLF"', 'line_end = "CRLF"\nbom = true'),
        "format: cp932 に BOM はありません",
    ),
    "heading over several record kinds": (
        file_toml('line_end = "CRLF"', 'line_end = "CRLF"\nheader = true'),
        "レコード種別が一つのファイルにだけ置けます",
    ),
    "heading of a fixed layout": (
        text("tax_extract/2018-04-01/file.toml", 'kind = "csv"', 'kind = "fixed"'),
        "tax_extract/2018-04-01 format: 見出しの行（header = true）は、固定長のファイルには置けません",
    ),
    "type twice": (added("types", "数字,[0-9]*,,zero_left,test,,"), "types.csv 17行目: 属性 数字 は2行目にもあります"),
    "sensitivity twice": (added("sensitivity", "公開,none,test"), "sensitivity.csv 6行目: 秘匿区分 公開 は5行目にも"),
    "dictionary entry twice": (added("items", "name,氏名,公開,test"), "行目: id name は18行目にもあります"),
    "unknown mask": (text("sensitivity.csv", ",last3,", ",last4,"), "sensitivity.csv 識別: 伏せ方 last4 は使えません"),
    "unknown padding": (
        text("types.csv", "zero_left,半角数字", "zeros,半角数字"),
        "types.csv 数字: 詰め方 zeros は使えません",
    ),
    "relation without its interface": (
        file_toml("(eligibility_household)", ""),
        "relations: every_individual_has_household の引数の数が違います（必要なのは1個）",
    ),
    "relation within the file with an interface": (
        file_toml("one_head_per_household", "one_head_per_household(eligibility_household)"),
        "one_head_per_household(eligibility_household) の引数の数が違います（必要なのは0個）",
    ),
    "file name with a field twice": (
        file_toml("{file_number}", "{processed_on}"),
        "ファイル名に processed_on が2回あります",
    ),
    "gap in a fixed layout": (fixed(+2), "項目がありません"),
    "overlap in a fixed layout": (fixed(-2), "前の項目と重なっています"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found(fault: str, tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    spoil, expected = FAULTS[fault]
    spoil(root)
    found = faults(root)
    assert any(expected in text for text in found), found


def test_the_registry_says_which_arguments_are_items(own_catalogue: Path) -> None:
    cell("name", 規則="sparkles(moon)")(own_catalogue)
    rules = registered_rules() | {"sparkles": Rule("sparkles", "KR-3001", "record", ("item",))}
    found = [str(fault) for fault in lint(Catalogue(own_catalogue), rules, NORMALISATIONS)]
    assert found == [f"{FOLDER}/data.csv 項番10 name 規則: sparkles(moon) の moon は項目にありません"]


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "length": (cell("name", バイト数="百"), f"{FOLDER}/data.csv 11行目 name バイト数: 百 を整数として読めません"),
    "no length": (cell("name", バイト数=""), f"{FOLDER}/data.csv 11行目 name バイト数: （空） を整数として読めません"),
    "number": (cell("name", 項番="十"), f"{FOLDER}/data.csv 11行目 name 項番: 十 を整数として読めません"),
    "start": (cell("name", 開始位置="百"), f"{FOLDER}/data.csv 11行目 name 開始位置: 百 を整数として読めません"),
    "rule": (cell("name", 規則="digits(3"), f"{FOLDER}/data.csv 11行目 name 規則: digits(3 を規則として読めません"),
    "type": (
        cell("name", 属性="象形"),
        f"{FOLDER}/data.csv 11行目 name 属性: 象形 を types.csv の属性（数字・金額・英数・漢字・カナ・文字・年月日・年月日-"
        "・和暦年月日・年月・年月-・年月日/・和暦年月日R・和暦年月・小数）として読めません",
    ),
    "sensitivity": (
        cell("name", 秘匿区分="内緒"),
        f"{FOLDER}/data.csv 11行目 name 秘匿区分: 内緒 を sensitivity.csv の秘匿区分（個人番号・個人情報・識別・公開）"
        "として読めません",
    ),
    "column": (text(f"{FOLDER}/data.csv", "バイト数", "長さ"), f"{FOLDER}/data.csv: 列 バイト数 がありません"),
    "cells": (text(f"{FOLDER}/end.csv", "1,レコード種別,", "1,"), f"{FOLDER}/end.csv: 列の数が行によって違います"),
    "table": (lambda root: (root / FOLDER / "data.csv").unlink(), f"{FOLDER}/data.csv: ありません"),
    "encoding": (
        rewritten(f"{FOLDER}/end.csv", "cp932"),
        f"{FOLDER}/end.csv: UTF-8 ではありません。Excel で「名前を付けて保存」の「CSV UTF-8（コンマ区切り）」を選んで保存してください",
    ),
    "date of a code": (
        code("sex", "8,昔,past,2026-13-01,,test"),
        "codes/sex.csv 5行目 開始日: 2026-13-01 を日付（2018-04-01 の形）として読めません",
    ),
    "plan": (
        file_toml('encoding = "cp932"', 'encoding = "ebcdic"'),
        f"{FOLDER}/file.toml: 項目の誤り: format.encoding は cp932・shift_jis_2004・utf-8・utf-16-le のどれかです",
    ),
    "file name": (
        file_toml("{file_number}", "{file_number"),
        f"{FOLDER}/file.toml: 項目の誤り: file_name の値の形が違います（使えない文字があります）",
    ),
    "TOML": (
        file_toml("zero_records_allowed = true", "zero_records_allowed ="),
        f"{FOLDER}/file.toml: 11行目を TOML として読めません",
    ),
    "types": (lambda root: (root / "types.csv").unlink(), "types.csv: ありません"),
    "characters": (
        text("characters/union_cp932.csv", "扱い", "種類"),
        "characters/union_cp932.csv: 列 扱い がありません",
    ),
}


@pytest.fixture
def own_catalogue(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_cannot_be_read_is_one_fault_at_its_place(fault: str, own_catalogue: Path) -> None:
    spoil, expected = UNREADABLE[fault]
    spoil(own_catalogue)
    assert faults(own_catalogue) == [expected]
    with pytest.raises(RenkeiError, match="KR-7101") as refused:
        load_catalogue(own_catalogue, dt.date(2026, 4, 1))
    assert str(own_catalogue / expected.split(":")[0]) in str(refused.value)


def test_the_rest_is_judged_where_something_cannot_be_read(own_catalogue: Path) -> None:
    text("tax_extract/2018-04-01/data.csv", "digits(4)", "digits(5)")(own_catalogue)
    all_of(cell("name", バイト数="百"), cell("sex", バイト数="一"))(own_catalogue)
    assert faults(own_catalogue) == [
        f"{FOLDER}/data.csv 11行目 name バイト数: 百 を整数として読めません",
        f"{FOLDER}/data.csv 15行目 sex バイト数: 一 を整数として読めません",
        "tax_extract/2018-04-01/data.csv 項番3 income_year 規則: digits(5) の 5 桁は4バイトの項目に入りません",
    ]


def test_a_version_that_cannot_be_read_is_neither_missing_nor_a_gap(own_catalogue: Path) -> None:
    second_version("2026-04-01", "\neffective_to = 2026-04-01")(own_catalogue)
    later = own_catalogue / "eligibility_individual"
    shutil.copytree(later / "2026-04-01", later / "2027-04-01")
    for folder, old, new in (
        ("2026-04-01", "effective_from = 2026-04-01", "effective_from = 2026-04-01\neffective_to = 2027-04-01"),
        ("2027-04-01", "effective_from = 2026-04-01", "effective_from = 2027-04-01"),
    ):
        text(f"eligibility_individual/{folder}/file.toml", old, new)(own_catalogue)
    assert faults(own_catalogue) == []
    cell("name", table="eligibility_individual/2026-04-01/data.csv", バイト数="百")(own_catalogue)
    assert len(faults(own_catalogue)) == 1


def test_a_relation_to_an_interface_that_cannot_be_read_is_sound(own_catalogue: Path) -> None:
    table = "eligibility_household/2018-04-01/data.csv"
    cell("household_number", table=table, バイト数="百")(own_catalogue)
    assert [fault.split(":")[1] for fault in faults(own_catalogue)] == [" 百 を整数として読めません"]
