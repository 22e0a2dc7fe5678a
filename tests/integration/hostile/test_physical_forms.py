"""Files in another physical form: delimiters, line ends, a last byte, quotes around everything, line ends within quotes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from interfaces.catalogue import Catalogue
from interfaces.lines import CHUNK
from interfaces.lint import lint
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from schemas.validate import FileContext, Validated, validate
from tests.support.layouts import Layout, Part

DAY = dt.date(2026, 10, 1)
ONE_KIND = (Part("data", "many", (("number", "数字", 4, ""), ("words", "文字", 40, ""))),)
FIXED = (Part("data", "many", (("number", "数字", 4, ""), ("letters", "英数", 6, ""))),)


def catalogue(root: Path, form: str, parts: tuple[Part, ...] = ONE_KIND) -> Catalogue:
    return Catalogue(Layout(parts, form).write(root / "catalogue"))


def validated(root: Path, form: str, content: bytes, parts: tuple[Part, ...] = ONE_KIND) -> Validated:
    made = catalogue(root, form, parts)
    assert lint(made, registered_rules(), NORMALISATIONS) == []
    return validate(content, "FOREIGN.csv", made.in_force("foreign", DAY), DAY, FileContext())


def csv_form(**more: str) -> str:
    lines = {"kind": '"csv"', "encoding": '"cp932"', "line_end": '"CRLF"'} | more
    return "\n".join(f"{name} = {value}" for name, value in lines.items())


def fixed_form(**more: str) -> str:
    return csv_form(**({"kind": '"fixed"'} | more))


SOUND = {
    "tab": (csv_form(delimiter=r'"\t"'), '0001\t甲\r\n0002\t"乙\t丙"\r\n', [("0001", "甲"), ("0002", "乙\t丙")]),
    "semicolon": (csv_form(delimiter='";"'), '0001;甲,乙\r\n0002;"丙;丁"\r\n', [("0001", "甲,乙"), ("0002", "丙;丁")]),
    "carriage return": (csv_form(line_end='"CR"'), "0001,甲\r0002,乙\r", [("0001", "甲"), ("0002", "乙")]),
    "last byte": (csv_form(end_of_file='"1A"'), "0001,甲\r\n\x1a", [("0001", "甲")]),
    "all quoted": (csv_form(quote='"all"'), '"0001","甲"\r\n"0002","乙""丙"\r\n', [("0001", "甲"), ("0002", '乙"丙')]),
    "line ends in values": (
        csv_form(line_ends_in_values="true"),
        '0001,"甲\r\n乙"\r\n0002,"丙\n"\r\n0003,丁\r\n',
        [("0001", "甲\r\n乙"), ("0002", "丙\n"), ("0003", "丁")],
    ),
}


@pytest.mark.parametrize("case", SOUND.values(), ids=SOUND.keys())
def test_a_sound_file_of_the_form_is_read(tmp_path: Path, case: tuple[str, str, list[tuple[str, str]]]) -> None:
    form, text, values = case
    read = validated(tmp_path, form, text.encode("cp932"))
    assert read.decoded.problems.rows() == []
    assert read.decoded.data.select("number", "words").rows() == values


def test_records_without_line_ends_are_cut_by_their_length(tmp_path: Path) -> None:
    form = fixed_form(line_end='"none"', end_of_file='"1A"')
    read = validated(tmp_path, form, b"0001abc   0002defghi\x1a", FIXED)
    assert read.findings.rows() == []
    assert read.decoded.data.rows() == [(1, "0001", "abc"), (2, "0002", "defghi")]


def test_a_value_with_line_ends_may_lie_across_the_blocks_of_reading(tmp_path: Path) -> None:
    """Quotes are counted on from block to block: the first one opens in a block and closes in the next."""
    row = b'0001,"ab"\r\n'
    content = row * (CHUNK // len(row) - 1) + b'0002,"' + b"a\r\n" * 8 + b'b"\r\n0003,c\r\n'
    read = validated(tmp_path, csv_form(line_ends_in_values="true"), content).decoded
    assert read.problems.rows() == []
    assert read.data["number"].to_list()[-2:] == ["0002", "0003"]


WRONG = {
    "commas instead of tabs": (csv_form(delimiter=r'"\t"'), b"0001,a\r\n", ("KR-1034", 1)),
    "tabs instead of commas": (csv_form(), b"0001\ta\r\n", ("KR-1034", 1)),
    "CRLF instead of CR": (csv_form(line_end='"CR"'), b"0001,a\r\n0002,b\r\n", ("KR-1008", 1)),
    "the last byte is missing": (csv_form(end_of_file='"1A"'), b"0001,a\r\n", ("KR-1028", None)),
    "the file is cut before its last byte": (csv_form(end_of_file='"1A"'), b"0001,a\r\n0002", ("KR-1019", 2)),
    "a last byte that is not foreseen": (csv_form(), b"0001,a\r\n\x1a", ("KR-1036", None)),
    "the last byte in the middle": (csv_form(end_of_file='"1A"'), b"0001,a\r\n\x1a0002,b\r\n\x1a", ("KR-1014", 2)),
    "a field without quotes": (csv_form(quote='"all"'), b'"0001","a"\r\n"0002",b\r\n', ("KR-1029", 2)),
    "a line end in a value": (csv_form(), b'0001,"a\r\nb"\r\n', ("KR-1011", 1)),
    "NUL within quotes": (csv_form(line_ends_in_values="true"), b'0001,"a\r\n\x00b"\r\n', ("KR-1014", 1)),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_another_form_is_named(tmp_path: Path, case: tuple[str, bytes, tuple[str, int | None]]) -> None:
    form, content, first = case
    found = validated(tmp_path, form, content).findings
    assert found.select("code", "line").row(0) == first
    assert found["code"].n_unique() == 1


@pytest.mark.parametrize(
    ("content", "first"),
    [
        pytest.param(b"0001abc   0002def", ("KR-1020", 2), id="the last record is cut"),
        pytest.param(b"0001abc   \r\n0002def   \r\n", ("KR-1008", 2), id="line ends that are not foreseen"),
    ],
)
def test_a_file_without_line_ends_that_is_wrong(tmp_path: Path, content: bytes, first: tuple[str, int]) -> None:
    assert (
        validated(tmp_path, fixed_form(line_end='"none"'), content, FIXED).findings.select("code", "line").row(0)
        == first
    )


TWO_LENGTHS = (
    Part("head", "one", (("mark", "数字", 1, "constant(1)"),)),
    Part("data", "many", (("mark", "数字", 1, "constant(2)"), ("letters", "英数", 6, ""))),
)
UNSOUND = {
    "no line ends in a CSV": (csv_form(line_end='"none"'), ONE_KIND, "すべてのレコードが同じ長さの固定長だけ"),
    "no line ends and two lengths": (
        fixed_form(line_end='"none"'),
        TWO_LENGTHS,
        "すべてのレコードが同じ長さの固定長だけ",
    ),
    "line ends in values without quotes": (
        csv_form(line_ends_in_values="true", quote='"none"'),
        ONE_KIND,
        "引用符のある CSV だけ",
    ),
    "a heading that ends in CR": (csv_form(line_end='"CR"', header="true"), ONE_KIND, "行末が CR"),
}


@pytest.mark.parametrize("case", UNSOUND.values(), ids=UNSOUND.keys())
def test_a_form_that_cannot_be_read_is_refused_by_lint(tmp_path: Path, case: tuple[str, tuple[Part, ...], str]) -> None:
    form, parts, text = case
    faults = lint(catalogue(tmp_path, form, parts), registered_rules(), NORMALISATIONS)
    assert [text in fault.text for fault in faults] == [True]
