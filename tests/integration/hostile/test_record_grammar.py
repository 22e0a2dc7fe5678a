"""Files whose records stand in groups: read, and what breaks the order, a count, a sum or a shared value named there."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from interfaces.catalogue import Catalogue
from interfaces.lint import lint
from pipelines.cli import main
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from schemas.validate import FileContext, Validated, validate
from tests.support.layouts import Layout, Part

DAY = dt.date(2026, 10, 1)


def kind(mark: str) -> tuple[str, str, int, str]:
    return ("mark", "英数", len(mark), f"constant({mark})")


# Notices of a pension payer: a head, its data and a trailer with count and sum; several notices in one file.
NOTICES = Layout(
    (
        Part("head", "many", (kind("1"), ("notice", "数字", 2, ""), ("blank", "英数", 9, ""))),
        Part(
            "detail",
            "many",
            (kind("2"), ("notice", "数字", 2, "equal_to(head.notice)"), ("amount", "数字", 9, "")),
            'parent = "head"',
        ),
        Part(
            "trailer",
            "one",
            (
                kind("3"),
                ("notice", "数字", 2, "equal_to(head.notice)"),
                ("count", "数字", 3, "count_of(detail)"),
                ("total", "数字", 6, "sum_of(detail.amount)"),
            ),
            'parent = "head"',
        ),
    ),
    form='kind = "fixed"\nencoding = "cp932"\nline_end = "CRLF"',
    head='data = "detail"',
    optional=frozenset({"blank"}),
)

# Claims: a control record, statements of two sorts told by three items, each with inner kinds below it, and an end record.
INNER = ("inner", "数字", 2, "constant(01)")
CLAIMS = Layout(
    (
        Part("control", "one", (kind("1"), ("count", "数字", 5, "count_of(statement)"), ("total", "数字", 9, ""))),
        Part(
            "summary",
            "many",
            (kind("2"), ("exchange", "数字", 4, "constant(7111)"), ("amount", "数字", 9, "")),
            'marks = ["mark", "exchange"]',
        ),
        Part(
            "statement",
            "many",
            (
                kind("2"),
                ("exchange", "数字", 4, "constant(7131)"),
                INNER,
                ("lines", "数字", 3, "count_of(service)"),
                ("amount", "数字", 9, "sum_of(service.amount)"),
            ),
            'marks = ["mark", "exchange", "inner"]',
        ),
        Part(
            "service",
            "many",
            (
                kind("2"),
                ("exchange", "数字", 4, "constant(7131)"),
                ("inner", "数字", 2, "constant(02)"),
                ("amount", "数字", 9, ""),
            ),
            'parent = "statement"\nmarks = ["mark", "exchange", "inner"]',
        ),
        Part("end", "one", (kind("3"),)),
    ),
    head='data = "statement"',
)

# Receipts: an office, receipts with an optional insurer and diseases, and a last record that counts and sums them.
RECEIPTS = Layout(
    (
        Part("office", "one", (kind("IR"), ("office", "数字", 7, ""))),
        Part("receipt", "many", (kind("RE"), ("number", "数字", 6, ""))),
        Part("insurer", "optional", (kind("HO"), ("points", "数字", 8, "")), 'parent = "receipt"'),
        Part("disease", "many", (kind("SY"), ("disease", "数字", 7, "")), 'parent = "receipt"'),
        Part(
            "bill",
            "one",
            (kind("GO"), ("count", "数字", 6, "count_of(receipt)"), ("total", "数字", 9, "sum_of(insurer.points)")),
        ),
    ),
    head='data = "receipt"',
)

# Bank transfers: a head, data, a trailer and an end, each once.
TRANSFERS = Layout(
    (
        Part("head", "one", (kind("1"), ("blank", "英数", 12, ""))),
        Part("detail", "many", (kind("2"), ("amount", "数字", 10, ""), ("blank", "英数", 2, ""))),
        Part(
            "trailer",
            "one",
            (kind("8"), ("count", "数字", 2, "count_of(detail)"), ("total", "数字", 10, "sum_of(detail.amount)")),
        ),
        Part("end", "one", (kind("9"), ("blank", "英数", 12, ""))),
    ),
    form='kind = "fixed"\nencoding = "cp932"\nline_end = "CRLF"',
    optional=frozenset({"blank"}),
)

LAYOUTS = {"notices": NOTICES, "claims": CLAIMS, "receipts": RECEIPTS, "transfers": TRANSFERS}

SOUND = {
    "notices": """
        |101         |
        |201000000010|
        |201000000005|
        |301002000015|
        |102         |
        |302000000000|""",
    "claims": """
        1,2,0
        2,7111,400
        2,7111,5
        2,7131,01,2,300
        2,7131,02,100
        2,7131,02,200
        2,7131,01,0,0
        3""",
    "receipts": """
        IR,0000001
        RE,000001
        HO,00000120
        SY,0000001
        SY,0000002
        RE,000002
        RE,000003
        HO,00000030
        GO,000003,000000150""",
    "transfers": """
        |1            |
        |20000000010  |
        |20000000020  |
        |8020000000030|
        |9            |""",
}


def lines_of(name: str) -> list[str]:
    return [line.strip().strip("|") for line in SOUND[name].strip().splitlines()]


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalogue]:
    root = tmp_path_factory.mktemp("layouts")
    return {name: Catalogue(layout.write(root / name)) for name, layout in LAYOUTS.items()}


def validated(catalogue: Catalogue, lines: list[str]) -> Validated:
    content = "".join(f"{line}\r\n" for line in lines).encode("cp932")
    specification = catalogue.in_force("foreign", DAY)
    return validate(content, "FOREIGN.csv", specification, DAY, FileContext())


def found(catalogue: Catalogue, lines: list[str]) -> list[tuple[str, int | None, str | None]]:
    return validated(catalogue, lines).findings.select("code", "line", "item").rows()


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_file_in_groups_is_read_whole(catalogues: dict[str, Catalogue], name: str) -> None:
    assert lint(catalogues[name], registered_rules(), NORMALISATIONS) == []
    lines = lines_of(name)
    whole = validated(catalogues[name], lines)
    assert whole.findings.rows() == []
    read = pl.concat([table.select("line") for table in whole.decoded.tables.values()])
    assert sorted(read["line"]) == list(range(1, len(lines) + 1))


def test_each_record_is_in_the_table_of_its_kind(catalogues: dict[str, Catalogue]) -> None:
    tables = validated(catalogues["claims"], lines_of("claims")).decoded.tables
    assert {kind: table["line"].to_list() for kind, table in tables.items()} == {
        "control": [1],
        "summary": [2, 3],
        "statement": [4, 7],
        "service": [5, 6],
        "end": [8],
    }
    assert tables["service"]["amount"].to_list() == ["100", "200"]
    assert tables["summary"]["amount"].to_list() == ["400", "5"]


# What is done to the sound file (lines count from 1), and what is found: code, line, item.
WRONG = {
    "a trailer is missing within the file": ("notices", lambda lines: lines.pop(3), ("KR-1006", 4, None)),
    "the last trailer is missing": ("notices", lambda lines: lines.pop(), ("KR-1027", 5, None)),
    "data before the first head": ("notices", lambda lines: lines.insert(0, lines[1]), ("KR-1006", 1, None)),
    "data after the trailer": ("notices", lambda lines: lines.insert(4, lines[1]), ("KR-1006", 5, None)),
    "another notice than its head's": (
        "notices",
        lambda lines: lines.__setitem__(2, "202000000005"),
        ("KR-4013", 3, "notice"),
    ),
    "a count of its own notice": (
        "notices",
        lambda lines: lines.__setitem__(5, "302001000000"),
        ("KR-4001", 6, "count"),
    ),
    "a sum of its own notice": ("notices", lambda lines: lines.__setitem__(3, "301002000014"), ("KR-4012", 4, "total")),
    "an inner record without its outer one": ("claims", lambda lines: lines.insert(1, lines[4]), ("KR-1006", 2, None)),
    "an unknown inner kind": (
        "claims",
        lambda lines: lines.__setitem__(4, "2,7131,99,100"),
        ("KR-1015", 5, None),
    ),
    "a line count below a statement": (
        "claims",
        lambda lines: lines.__setitem__(3, "2,7131,01,3,300"),
        ("KR-4001", 4, "lines"),
    ),
    "a sum where there is nothing": (
        "claims",
        lambda lines: lines.__setitem__(6, "2,7131,01,0,1"),
        ("KR-4012", 7, "amount"),
    ),
    "an insurer twice": ("receipts", lambda lines: lines.insert(2, lines[2]), ("KR-1006", 4, None)),
    "an insurer after the diseases": (
        "receipts",
        lambda lines: lines.insert(4, lines.pop(2)),
        ("KR-1006", 5, None),
    ),
    "no bill": ("receipts", lambda lines: lines.pop(), ("KR-1004", None, None)),
    "a bill twice": ("receipts", lambda lines: lines.append(lines[-1]), ("KR-1005", 10, None)),
    "a receipt after the bill": ("receipts", lambda lines: lines.append(lines[5]), ("KR-1006", 9, None)),
    "a receipt too few": ("receipts", lambda lines: lines.pop(5), ("KR-4001", 8, "count")),
    "no trailer before the end": ("transfers", lambda lines: lines.pop(3), ("KR-1006", 4, None)),
    "trailer and end in the wrong order": (
        "transfers",
        lambda lines: lines.append(lines.pop(3)),
        ("KR-1006", 4, None),
    ),
    "a sum of the whole file": (
        "transfers",
        lambda lines: lines.__setitem__(3, "8020000000031"),
        ("KR-4012", 4, "total"),
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_what_breaks_a_group_is_named(
    catalogues: dict[str, Catalogue], case: tuple[str, object, tuple[str, int | None, str | None]]
) -> None:
    name, change, wanted = case
    lines = lines_of(name)
    assert callable(change)
    change(lines)
    assert found(catalogues[name], lines) == [wanted]


@pytest.mark.parametrize(("name", "code"), [("notices", "KR-4013"), ("claims", "KR-4012")])
def test_the_command_says_where_a_sum_or_a_shared_value_is_wrong(tmp_path: Path, name: str, code: str) -> None:
    catalogue = LAYOUTS[name].write(tmp_path / "catalogue")
    lines = lines_of(name)
    line = 3 if name == "notices" else 7
    lines[line - 1] = {"notices": "202000000005", "claims": "2,7131,01,0,1"}[name]
    file = tmp_path / "FOREIGN.csv"
    file.write_bytes("".join(f"{text}\r\n" for text in lines).encode("cp932"))
    said = CliRunner().invoke(main, ["validate", str(file), "--on", "2026-10-01", "--catalogue", str(catalogue)])
    assert said.exit_code == 1
    assert f"{code} FOREIGN.csv {line}行目" in said.output
    sound = CliRunner().invoke(main, ["spec", "lint", "--catalogue", str(catalogue)])
    assert "誤り0件" in sound.output, sound.output


def test_a_sum_of_many_large_amounts_does_not_overflow(tmp_path: Path) -> None:
    detail = Part("detail", "many", (kind("2"), ("amount", "数字", 18, "")))
    end = Part("end", "one", (kind("3"), ("total", "数字", 22, "sum_of(detail.amount)")))
    catalogue = Catalogue(Layout((detail, end)).write(tmp_path / "large"))
    lines = [f"2,{'9' * 18}"] * 20
    assert found(catalogue, [*lines, f"3,{20 * (10**18 - 1)}"]) == []
    # What 64 bits would have made of it.
    assert found(catalogue, [*lines, f"3,{20 * (10**18 - 1) % 2**64}"]) == [("KR-4012", 21, "total")]
