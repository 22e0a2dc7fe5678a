"""Both readers agree about forms that no shipped interface has: forms of dates and numbers, headings, BOM, packed files.

As test_second_reader.py, with layouts written for the test.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fixtures.second_reader.document import Document
from fixtures.second_reader.making import Maker, Sound
from fixtures.second_reader.mutants import of_bytes, of_items, of_single_items, of_structure
from fixtures.second_reader.physical import Finding
from fixtures.second_reader.reading import is_valid, judge
from pipelines.cli import main
from tests.integration.hostile.test_physical_forms import csv_form, fixed_form
from tests.support.layouts import Layout, Part
from tests.support.values import add_types, set_cells, write_codes

DAY = dt.date(2026, 6, 15)
VALUES = (
    ("mark", "英数", 1, "constant(2)"),
    ("born_on", "和暦年月日R", 9, ""),
    ("acquired_on", "年月日/", 10, ""),
    ("target_month", "和暦年月", 5, ""),
    ("rate", "率", 6, "between(0,100)"),
    ("price", "暗黙", 5, "between(0.5,500)"),
    ("change", "重ね", 5, ""),
    ("behind", "後ろ", 6, ""),
    ("signed", "符号", 6, "whole_number"),
    ("lost_on", "年月日", 8, ""),
    ("reason", "英数", 2, ""),
    ("remark", "英数", 4, ""),
)
FLAT = (Part("data", "many", VALUES),)
PLAIN = (Part("data", "many", (("number", "数字", 4, ""), ("words", "文字", 40, ""), ("born_on", "年月日", 8, ""))),)
GROUPS = (
    Part("top", "one", (("mark", "数字", 1, "constant(1)"), ("whole", "数字", 6, "count_of(data)"))),
    Part("head", "many", (("mark", "数字", 1, "constant(2)"), ("town", "数字", 6, "digits(6)"))),
    Part(
        "data",
        "many",
        (("mark", "数字", 1, "constant(3)"), ("town", "数字", 6, "equal_to(head.town)"), ("amount", "率", 6, "")),
        'parent = "head"\nmixed = "rows"',
    ),
    Part(
        "note",
        "many",
        (("mark", "数字", 1, "constant(4)"), ("words", "文字", 12, "")),
        'parent = "head"\nmixed = "rows"',
    ),
    Part(
        "sum",
        "optional",
        (("mark", "数字", 1, "constant(5)"), ("total", "率", 9, "sum_of(data.amount)")),
        'parent = "head"',
    ),
)
LAYOUTS: dict[str, Layout] = {
    "values": Layout(FLAT, csv_form()),
    "values of fixed length": Layout(FLAT, fixed_form(line_end='"none"')),
    "by heading": Layout(PLAIN, csv_form(header="true", columns='"by_heading"', lines_before_heading="2")),
    "other columns": Layout(PLAIN, csv_form(header="true", columns='"by_heading"', other_columns='"ignore"')),
    "by place below lines": Layout(PLAIN, csv_form(header="true", lines_before_heading="1", delimiter='";"')),
    "BOM": Layout(PLAIN, csv_form(encoding='"utf-8"', bom="true", line_end='"LF"', delimiter=r'"\t"')),
    "CR": Layout(PLAIN, csv_form(line_end='"CR"', quote='"none"', end_of_file='"1A"')),
    "all quoted": Layout(PLAIN, csv_form(quote='"all"', delimiter='"|"')),
    "fixed": Layout(PLAIN, fixed_form(end_of_file='"1A"')),
    "gzip": Layout(PLAIN, csv_form(wrapped_in='"gzip"')),
    "zip": Layout(PLAIN, csv_form(wrapped_in='"zip"', header="true")),
    "groups": Layout(GROUPS, csv_form(), 'data = "data"'),
    "groups of fixed length": Layout(GROUPS, fixed_form(line_end='"LF"'), 'data = "data"'),
}
Judged = tuple[bool, set[Finding]]


def written(layout: Layout, folder: Path) -> Path:
    """A catalogue with the layout and the types, codes and texts for no value that it names."""
    root = layout.write(folder / "catalogue")
    add_types(
        root,
        ("率", "[0-9.]*", "space_right", "数の形式=9.99"),
        ("暗黙", "[0-9]*", "zero_left", "数の形式=9V99"),
        ("重ね", "[0-9]*[0-9{}A-R]", "zero_left", "数の形式=9V99S"),
        ("後ろ", "[0-9.-]*", "space_right", "数の形式=9.9-"),
        ("符号", "[0-9+-]*", "space_right", "数の形式=+9"),
    )
    write_codes(root, "foreign_reason", ("02", "left", "", ""), ("21", "", "", "02"), ("22", "", "", "02"))
    table = root / "foreign/2020-01-01/data.csv"
    if layout.parts is FLAT:
        set_cells(table, "id", "lost_on", 空の値="0埋め;9埋め;空白", 必須="任意")
        set_cells(table, "id", "reason", コード表="foreign_reason")
        set_cells(table, "id", "remark", 必須="任意", 保存="しない" if "extract" in layout.head else "")
    return root


@pytest.fixture(params=LAYOUTS, scope="module")
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(LAYOUTS[request.param], tmp_path_factory.mktemp("forms"))


@pytest.fixture(scope="module")
def document(root: Path) -> Document:
    shown = CliRunner().invoke(
        main, ["spec", "show", "foreign", "--on", "2026-06-15", "--catalogue", str(root), "--json"]
    )
    return Document(shown.stdout, DAY)


def packed(content: bytes, document: Document, name: str) -> bytes:
    """The content as the layout wraps it."""
    wrapped_in = document.form["wrapped_in"]
    if wrapped_in != "zip":
        return gzip.compress(content, mtime=0) if wrapped_in else content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def seen(root: Path, content: bytes, name: str) -> Judged:
    path = root.parent / name
    path.write_bytes(content)
    arguments = [
        "validate",
        str(path),
        "--interface",
        "foreign",
        "--on",
        DAY.isoformat(),
        "--catalogue",
        str(root),
        "--json",
    ]
    report = json.loads(CliRunner().invoke(main, arguments).stdout)
    return report["valid"], {Finding(one["line"], one["item_no"], one["code"]) for one in report["findings"]}


def compare(root: Path, sound: Sound, content: bytes, expected: list[Finding], what: str = "") -> bool:
    """Both readings find the same, and what any right reading must find. Whether the file is valid."""
    whole = packed(content, sound.document, sound.name)
    ours = judge(whole, sound.document, sound.name)
    assert set(expected) <= ours, (what, set(expected) - ours)
    valid, theirs = seen(root, whole, sound.name)
    assert (ours - theirs, theirs - ours, is_valid(ours, sound.document)) == (set(), set(), valid), (what, content)
    return valid


def test_sound_files_are_valid_for_both(root: Path, document: Document) -> None:
    for seed, records in ((1, 0), (2, 2), (3, 6)):
        sound = Maker(document, seed).file(records)
        assert compare(root, sound, sound.written(all_quoted=seed == 2), []), seed


def test_changes_of_items_are_found_at_their_line_and_item(root: Path, document: Document) -> None:
    for sound, expected in of_items(Maker(document, 1), 100):
        compare(root, sound, sound.written(), expected)
    for sound, expected in of_single_items(Maker(document, 1), 3):
        compare(root, sound, sound.written(), expected)


def test_damage_is_found(root: Path, document: Document) -> None:
    maker = Maker(document, 1)
    sound = maker.file(3)
    every = [*of_structure(sound), *of_bytes(sound, maker.random, 2)]
    for damage in maker.random.sample(every, 10):
        expected = [damage.expected] if damage.expected else []
        compare(root, sound, damage.content, expected, damage.name)


OTHERWISE: dict[str, Callable[[bytes], bytes]] = {
    "packed": lambda content: gzip.compress(content, mtime=0),
    "EBCDIC": lambda content: content.decode("cp932").encode("cp037", "ignore"),
    "end of file mark": lambda content: content + b"\x1a",
    "another delimiter": lambda content: content.replace(b",", b";"),
    "a line before the headings": lambda content: "表題\r\n".encode("cp932") + content,
    "a column twice": lambda content: content.replace(b"\r\n", b",\x8e\x8e\x8c\xb1number\r\n", 1),
    "a column too many": lambda content: content.replace(b"\r\n", b",x\r\n", 1),
    "a column renamed": lambda content: content.replace(b"number", b"numbers", 1),
    "columns in another order": lambda content: b"".join(
        b",".join(reversed(line.split(b","))) + b"\r\n" for line in content.removesuffix(b"\r\n").split(b"\r\n")
    ),
}


@pytest.mark.parametrize("form", ["by heading", "other columns"])
@pytest.mark.parametrize("what", OTHERWISE)
def test_what_a_file_looks_like_is_said_alike(form: str, what: str, tmp_path: Path) -> None:
    root = written(LAYOUTS[form], tmp_path)
    shown = CliRunner().invoke(
        main, ["spec", "show", "foreign", "--on", "2026-06-15", "--catalogue", str(root), "--json"]
    )
    maker = Maker(Document(shown.stdout, DAY), 1)
    sound = maker.file(2)
    plain = sound.with_values(0, words="甲").with_values(1, words="乙")
    compare(root, plain, OTHERWISE[what](plain.written()), [], what)
