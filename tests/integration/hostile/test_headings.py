"""Files with headings in another order, more columns than wanted, or lines before them; and files that are packed."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import Catalogue
from interfaces.lint import lint
from pipelines.cli import main
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from schemas.validate import FileContext, Validated, validate
from tests.integration.hostile.test_physical_forms import DAY, ONE_KIND, csv_form
from tests.support.layouts import Layout

BY_HEADING = csv_form(header="true", columns='"by_heading"')
IGNORING = csv_form(header="true", columns='"by_heading"', other_columns='"ignore"')
NUMBER, WORDS = "試験number", "試験words"


def folder(root: Path, form: str, headings: dict[str, str] | None = None) -> Path:
    made = Layout(ONE_KIND, form).write(root / "catalogue")
    table = made / "foreign/2020-01-01/data.csv"
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8-sig"))))
    for row in rows:
        row["見出し"] = (headings or {}).get(row["id"], "")
    with table.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return made


def validated(root: Path, form: str, text: str, headings: dict[str, str] | None = None) -> Validated:
    made = Catalogue(folder(root, form, headings))
    assert lint(made, registered_rules(), NORMALISATIONS) == []
    content = text.replace("\n", "\r\n").encode("cp932")
    return validate(content, "FOREIGN.csv", made.in_force("foreign", DAY), DAY, FileContext())


def command(root: Path, form: str, content: bytes, name: str = "FOREIGN.csv") -> Result:
    made, file = folder(root, form), root / name
    file.write_bytes(content)
    arguments = ["validate", str(file), "--interface", "foreign", "--on", "2026-10-01", "--catalogue", str(made)]
    return CliRunner().invoke(main, arguments)


SOUND = {
    "another order": (BY_HEADING, f"{WORDS},{NUMBER}\n甲,0001\n乙,0002\n", None),
    "quoted headings": (BY_HEADING, f'"{WORDS}","{NUMBER}"\n甲,0001\n乙,0002\n', None),
    "headings of its own": (BY_HEADING, "文,番号\n甲,0001\n乙,0002\n", {"number": "番号", "words": "文"}),
    "other columns": (IGNORING, f"備考,{WORDS},,,備考,{NUMBER}\nア,甲,イ,,ウ,0001\nア,乙,イ,,ウ,0002\n", None),
    "a comma in another heading": (IGNORING, f'"備,考",{WORDS},{NUMBER}\nア,甲,0001\n"イ,",乙,0002\n', None),
    "doubled quotes in another column": (IGNORING, f'備考,{WORDS},{NUMBER}\n"ア""",甲,0001\nイ,乙,0002\n', None),
    "lines before the headings": (
        csv_form(header="true", lines_before_heading="2"),
        f"一覧表,,,\n\n{NUMBER},{WORDS}\n0001,甲\n0002,乙\n",
        None,
    ),
    "all quoted but the lines before": (
        csv_form(header="true", lines_before_heading="1", quote='"all"'),
        f'一覧表\n"{NUMBER}","{WORDS}"\n"0001","甲"\n"0002","乙"\n',
        None,
    ),
    "empty and equal headings, by place": (
        csv_form(header="true"),
        ",\n0001,甲\n0002,乙\n",
        {"number": "（空）", "words": "（空）"},
    ),
}


@pytest.mark.parametrize("case", SOUND.values(), ids=SOUND.keys())
def test_columns_are_found(tmp_path: Path, case: tuple[str, str, dict[str, str] | None]) -> None:
    read = validated(tmp_path, *case)
    assert read.findings.rows() == []
    assert read.decoded.data.columns == ["line", "number", "words"]
    assert read.decoded.data.select("number", "words").rows() == [("0001", "甲"), ("0002", "乙")]


WRONG = {
    "a heading is missing": (BY_HEADING, f"{WORDS}\n甲\n", "KR-1030", NUMBER),
    "a wanted heading twice": (IGNORING, f"{WORDS},{NUMBER},{WORDS}\n甲,0001,乙\n", "KR-1031", WORDS),
    "a column too many": (BY_HEADING, f"{WORDS},{NUMBER},ヒミツ\n甲,0001,ア\n", "KR-1032", "3列目"),
    "semicolons": (BY_HEADING, f"{NUMBER};{WORDS}\n0001;甲\n", "KR-1034", "セミコロン"),
    "tabs": (csv_form(header="true"), f"{NUMBER}\t{WORDS}\n0001\t甲\n", "KR-1034", "タブ"),
    "lines before the headings": (
        csv_form(header="true"),
        f"ヒミツ\n\n{NUMBER},{WORDS}\n0001,甲\n",
        "KR-1035",
        "3行目",
    ),
    "no headings at all": (BY_HEADING, "ヒミツ,0001\n", "KR-1030", NUMBER),
    "the last byte": (BY_HEADING, f"{WORDS},{NUMBER}\n甲,0001\n\x1a", "KR-1036", 'end_of_file = "1A"'),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_with_the_headings_is_said(tmp_path: Path, case: tuple[str, str, str, str]) -> None:
    form, text, code, named = case
    said = command(tmp_path, form, text.replace("\n", "\r\n").encode("cp932"))
    assert said.exit_code == 1, said.output
    advice = CliRunner().invoke(main, ["explain", code]).output
    assert code in said.output
    assert named in said.output + advice
    assert "ヒミツ" not in said.output


def test_a_finding_names_the_byte_of_its_column_and_no_other_value(tmp_path: Path) -> None:
    text = f"備考,{WORDS},{NUMBER}\nヒミツ,甲,000X\nヒミツ,乙\n"
    found = validated(tmp_path, IGNORING, text).findings
    assert found.select("code", "line", "item", "byte_position").rows() == [
        ("KR-2003", 2, "number", len("ヒミツ,甲,".encode("cp932")) + 1),
        ("KR-1012", 3, None, len("ヒミツ,乙".encode("cp932")) + 1),
    ]
    assert "ヒミツ" not in str(found.to_dicts())


UNSOUND = {
    "by heading without headings": csv_form(columns='"by_heading"'),
    "lines before no heading": csv_form(lines_before_heading="1"),
    "ignored by place": csv_form(header="true", other_columns='"ignore"'),
}


@pytest.mark.parametrize("form", UNSOUND.values(), ids=UNSOUND.keys())
def test_a_form_that_says_nothing_is_a_fault(tmp_path: Path, form: str) -> None:
    assert lint(Catalogue(folder(tmp_path, form)), registered_rules(), NORMALISATIONS)


@pytest.mark.parametrize("heading", ["同じ", "（空）"])
def test_headings_that_find_no_column_are_a_fault(tmp_path: Path, heading: str) -> None:
    made = Catalogue(folder(tmp_path, BY_HEADING, {"number": heading, "words": heading}))
    assert any("見出し" in fault.text for fault in lint(made, registered_rules(), NORMALISATIONS))


TEXT = "0001,甲\r\n0002,乙\r\n".encode("cp932")


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def encrypted() -> bytes:
    """A zip whose member says that it is encrypted, in both of its headers."""
    content = bytearray(zipped(("FOREIGN.csv", TEXT)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        ("gzip", "FOREIGN.csv.gz", gzip.compress(TEXT)),
        ("zip", "FOREIGN.csv.zip", zipped(("FOREIGN.csv", TEXT))),
        ("zip", "FOREIGN.zip", zipped(("FOREIGN.csv", TEXT))),
    ],
    ids=["gzip", "zip", "zip with another suffix"],
)
def test_a_packed_file_is_read_and_its_hash_is_that_of_what_came(
    tmp_path: Path, form: str, name: str, content: bytes
) -> None:
    made = Catalogue(folder(tmp_path, csv_form(wrapped_in=f'"{form}"')))
    read = validate(content, name, made.in_force("foreign", DAY), DAY, FileContext())
    assert read.findings.rows() == []
    assert read.decoded.data["words"].to_list() == ["甲", "乙"]
    assert read.file.sha256 == hashlib.sha256(content).hexdigest()
    assert (
        "2件: 正しいファイルです" in command(tmp_path / "again", csv_form(wrapped_in=f'"{form}"'), content, name).output
    )


BLANKS = b" " * 8_000_000
REFUSED = {
    "a bomb in gzip": ("gzip", gzip.compress(BLANKS), "限度"),
    "a bomb in zip": ("zip", zipped(("FOREIGN.csv", BLANKS)), "限度"),
    "cut gzip": ("gzip", gzip.compress(TEXT)[:-9], "途中"),
    "two in gzip": ("gzip", gzip.compress(TEXT) * 2, "二つ以上"),
    "not packed": ("gzip", TEXT, "読めません"),
    "cut zip": ("zip", zipped(("FOREIGN.csv", TEXT))[:-5], "読めません"),
    "two members": ("zip", zipped(("FOREIGN.csv", TEXT), ("B.csv", TEXT)), "2個"),
    "no member": ("zip", zipped(), "0個"),
    "another name": ("zip", zipped(("OTHER.csv", TEXT)), "名前"),
    "a name with a folder": ("zip", zipped(("../FOREIGN.csv", TEXT)), "名前"),
    "encrypted": ("zip", encrypted(), "パスワード"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_a_packed_file_beyond_the_limits_is_refused(tmp_path: Path, case: tuple[str, bytes, str]) -> None:
    form, content, why = case
    said = command(tmp_path, csv_form(wrapped_in=f'"{form}"'), content, "FOREIGN.csv.zip")
    assert said.exit_code == 1
    assert "KR-1037" in said.output
    assert why in said.output


@pytest.mark.parametrize("content", [gzip.compress(TEXT), zipped(("FOREIGN.csv", TEXT))], ids=["gzip", "zip"])
def test_a_packed_file_where_none_is_foreseen_is_named(tmp_path: Path, content: bytes) -> None:
    assert "KR-1033" in command(tmp_path, csv_form(), content).output


@pytest.mark.parametrize("end", [b"", b"\x25", b"\r\n"], ids=["none", "its own", "CRLF"])
def test_a_host_code_is_named(tmp_path: Path, end: bytes) -> None:
    content = b"".join(f"{number:04}  GOSEI TARO".encode("cp037") + end for number in range(500))
    said = command(tmp_path, csv_form(), content)
    assert said.exit_code == 1
    assert "KR-1039" in said.output
