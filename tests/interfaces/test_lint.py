"""The linter: the shipped catalogue is sound, and every fault that a person can put into the data is found."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.lint import lint
from schemas.normalise import NORMALISATIONS
from schemas.rules import known_rules

FOLDER = "eligibility_individual/2018-04-01"


def faults(root: Path) -> list[str]:
    return [str(fault) for fault in lint(Catalogue(root), known_rules(), frozenset(NORMALISATIONS))]


def test_the_shipped_catalogue_is_sound() -> None:
    assert lint(load_catalogue(), known_rules(), frozenset(NORMALISATIONS)) == []


def rows_of(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    change(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def cell(item: str, **cells: str) -> Callable[[Path], None]:
    """Change cells of one item of the individual file's data records."""

    def apply(root: Path) -> None:
        rows_of(root / FOLDER / "data.csv", lambda rows: next(r for r in rows if r["id"] == item).update(cells))

    return apply


def plan(old: str, new: str) -> Callable[[Path], None]:
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


def code(table: str, row: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / "codes" / f"{table}.csv"
        path.write_text(path.read_text(encoding="utf-8-sig") + row + "\n", encoding="utf-8-sig")

    return apply


def fixed(shift: int) -> Callable[[Path], None]:
    """Make the file fixed-length, with the start of 氏名 moved by some bytes."""

    def apply(root: Path) -> None:
        plan('kind = "csv"', 'kind = "fixed"')(root)
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
        plan('encoding = "cp932"', 'encoding = "utf-16-le"')(root)

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
    "constant longer than the item": (cell("data_kind", バイト数="3"), "固定値 K102 が3バイトに入りません"),
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
    "half a character of UTF-16LE": (wide(odd="name"), "バイト数は2の倍数が要ります（201）"),
    "zero length": (cell("name", バイト数="0"), "バイト数は1以上が要ります"),
    "overlap of versions": (second_version("2026-04-01", ""), "重なっています"),
    "gap between versions": (second_version("2026-04-01", "\neffective_to = 2026-03-01"), "空きがあります"),
    "file name with an unknown field": (plan("{file_number}", "{moon}"), "ファイル名の moon は項目にありません"),
    "file names alike": (plan("KRKOJ_", "KRSET_"), "見分けられません"),
    "my number undeclared": (plan("carries_my_number = true", "carries_my_number = false"), "個人番号の項目の有無"),
    "my number from the Union": (
        plan('direction = "to_union"', 'direction = "from_union"'),
        "個人番号の項目は置けません",
    ),
    "unknown relation": (plan("one_head_per_household", "one_love"), "one_love という規則はありません"),
    "relation to no interface": (
        plan("(eligibility_household)", "(moonbase)"),
        "moonbase というインタフェースはありません",
    ),
    "missing character table": (plan("union_cp932", "moonscript"), "外字表 moonscript がありません"),
    "zero records wanted and forbidden": (
        plan("zero_records_allowed = true", "zero_records_allowed = false"),
        "0件のファイル",
    ),
    "two repeating records": (plan('occurrence = "one"', 'occurrence = "many"'), "ちょうど一つ要ります"),
    "key that is not there": (plan('key = ["resident_number"]', 'key = ["moon"]'), "キー moon は項目にありません"),
    "same code twice": (code("sex", "1,重複,double,,,test"), "同じコードの効力期間が重なっています"),
    "same meaning twice": (code("sex", "8,男２,male,,,test"), "意味 male が同じ時期の二つのコードに"),
    "code that ends before it starts": (code("sex", "8,昔,past,2026-04-01,2020-04-01,test"), "終了日が開始日より後"),
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
