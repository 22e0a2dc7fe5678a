"""Hostile Excel workbooks wherever workbooks are read: refused with a KR code, and nothing of them is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from interfaces.messages import RenkeiError
from pipelines.continuity import monthly
from pipelines.continuity.worksheet import FilledWorksheet, load_marks
from pipelines.deployment import Environment
from pipelines.transfer.entry_form import EntryForm
from pipelines.transfer.manual_entry import write_form
from tests.support.applying import apply_monthly
from tests.support.candidates import THREE, listed
from tests.support.deployment import MONTH, fill, opened, refused, settings_file, type_in, words
from tests.support.hostile.damage import Edits, edited, edits

PROFILE = settings(settings.get_profile("hostile"), max_examples=4 * settings.get_profile("hostile").max_examples)
TYPES, WORKBOOK, SHEET, STRINGS, STYLES, RELATIONS = (
    "[Content_Types].xml",
    "xl/workbook.xml",
    "xl/worksheets/sheet2.xml",
    "xl/sharedStrings.xml",
    "xl/styles.xml",
    "xl/_rels/workbook.xml.rels",
)
PARTS = (TYPES, WORKBOOK, SHEET, STRINGS, STYLES, RELATIONS)
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'
FILE = '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'

Change = Callable[[bytes], bytes]


def repacked(data: bytes, changes: Mapping[str, Change], more: Mapping[str, bytes] | None = None) -> bytes:
    """A workbook with some of its parts changed, and others added."""
    made = BytesIO()
    assert changes.keys() <= set(zipfile.ZipFile(BytesIO(data)).namelist()), "the change no longer fits the workbook"
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, bytes)(old.read(name)))
        for name, content in (more or {}).items():
            new.writestr(name, content)
    return made.getvalue()


def replaced(old: str, new: str) -> Change:
    def change(data: bytes) -> bytes:
        assert old.encode() in data, "the change no longer fits the workbook"
        return data.replace(old.encode(), new.encode(), 1)

    return change


def with_entity(document_type: str) -> Change:
    """The part with a document type, and its entity used in the part's first text or value."""

    def change(data: bytes) -> bytes:
        head, root = data.split(b"?>", 1)
        first, rest = root.split(b">", 1)
        return head + b"?>" + document_type.encode() + first + b">&l9;" + rest

    return change


def sheet(rows: str) -> Change:
    return lambda _: f'<?xml version="1.0"?><worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>'.encode()


def part(name: str, change: Change) -> Change:
    return lambda data: repacked(data, {name: change})


def beside(name: str, content: bytes) -> Change:
    return lambda data: repacked(data, {}, {name: content})


def declared(kind: str) -> Change:
    return part(
        TYPES, replaced("</Types>", f'<Override PartName="/xl/x.bin" ContentType="application/{kind}"/></Types>')
    )


def many_members(data: bytes) -> bytes:
    return repacked(data, {}, {f"xl/{number}.xml": b"<x/>" for number in range(100)})


def encrypted(data: bytes) -> bytes:
    """Every member marked as encrypted, in its own header and in the directory."""
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data = data[: at + flags] + bytes([data[at + flags] | 1]) + data[at + flags + 1 :]
            at = data.find(mark, at + 4)
    return data


HUGE = 13_000_000
# what was done to the workbook -> (how, the code that answers)
BOOKS: dict[str, tuple[Change, str]] = {
    "nothing": (lambda _: b"", "KR-7401"),
    "text": (lambda _: "候補番号,判定\r\n".encode("cp932"), "KR-7401"),
    "an old Excel workbook": (lambda _: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4096), "KR-7401"),
    "cut": (lambda data: data[: len(data) // 2], "KR-7401"),
    "encrypted": (encrypted, "KR-7401"),
    "another ZIP": (lambda _: repacked(b"PK\x05\x06" + bytes(18), {}, {"a.txt": b"a"}), "KR-7401"),
    "an empty ZIP": (lambda _: b"PK\x05\x06" + bytes(18), "KR-7401"),
    "many members": (many_members, "KR-7420"),
    "a large member": (beside("xl/x.xml", os.urandom(HUGE)), "KR-7420"),
    "a large sheet": (part(SHEET, sheet("<row/>" * (HUGE // 6))), "KR-7420"),
    "a large table of texts": (part(STRINGS, lambda _: b"<sst>" + b"<si/>" * (HUGE // 5)), "KR-7420"),
    "more than all together": (
        lambda data: repacked(data, {}, {f"xl/{n}.bin": os.urandom(9_000_000) for n in range(3)}),
        "KR-7420",
    ),
    "a bomb below the size": (beside("xl/x.xml", bytes(7_900_000)), "KR-7420"),
    "too many rows": (part(SHEET, sheet("<row/>" * 5_002)), "KR-7420"),
    "a row far below": (part(SHEET, sheet('<row r="1048576"><c r="A1048576"><v>1</v></c></row>')), "KR-7420"),
    "a row that Excel has not": (part(SHEET, sheet('<row r="99999999999999"><c/></row>')), "KR-7420"),
    "a row before the first": (part(SHEET, sheet('<row r="-5"><c r="A-5"/></row>')), "KR-7401"),
    "a column that Excel has not": (part(SHEET, sheet('<row r="1"><c r="ZZZZZZ1"><v>1</v></c></row>')), "KR-7401"),
    "a text that is not there": (part(SHEET, sheet('<row><c t="s"><v>99999999</v></c></row>')), "KR-7401"),
    "a day beyond all days": (part(SHEET, sheet('<row><c t="d"><v>99999-99-99</v></c></row>')), "KR-7401"),
    "nested deep": (part(SHEET, sheet("<x>" * 200_000)), "KR-7401"),
    "no XML": (part(SHEET, lambda _: b"\0\1\2"), "KR-7401"),
    "macros": (declared("vnd.ms-office.vbaProject"), "KR-7421"),
    "macros of Excel 4": (declared("vnd.ms-excel.macrosheet+xml"), "KR-7421"),
    "a workbook with macros by its kind": (
        part(
            TYPES,
            replaced(
                "vnd.openxmlformats-officedocument.spreadsheetml.sheet.main", "vnd.ms-excel.sheet.macroEnabled.main"
            ),
        ),
        "KR-7421",
    ),
    "external links": (declared("vnd.openxmlformats-officedocument.spreadsheetml.externalLink+xml"), "KR-7421"),
    "embedded objects": (declared("vnd.openxmlformats-officedocument.oleObject"), "KR-7421"),
    "one small entity": (part(STRINGS, with_entity('<!DOCTYPE x [<!ENTITY l9 "ha">]>')), "KR-7401"),
    **{f"entities in {name}": (part(name, with_entity(BOMB)), "KR-7401") for name in PARTS},
    **{f"a file of ours in {name}": (part(name, with_entity(FILE)), "KR-7401") for name in PARTS},
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("deployment")
    made = opened(folder)
    type_in(made, "continuity_candidates", listed(*THREE), folder)
    apply_monthly(made)
    return made


@pytest.fixture(scope="module")
def worksheet(environment: Environment) -> Path:
    """A filled worksheet, its texts in a table of their own as Excel keeps them."""
    path = monthly.make_worksheet(environment, MONTH).path
    filled = openpyxl.load_workbook(fill(path))
    saved = path.with_name("saved.xlsx")
    with xlsxwriter.Workbook(str(saved)) as book:
        for sheet in filled:
            copy = book.add_worksheet(sheet.title)
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.value is not None):
                copy.write_string(cell.row - 1, cell.column - 1, cell.value)
    return saved


@pytest.fixture(scope="module")
def form(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("form") / "form.xlsx"
    write_form(environment, "continuity_result", MONTH, path)
    return path


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(RenkeiError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        action()
    return caught.value.code


def state(environment: Environment) -> tuple[int, int]:
    return len(environment.ledger.events()), monthly.decided(environment, MONTH).height


@pytest.mark.parametrize("done", BOOKS)
def test_a_hostile_workbook_is_refused_whole(
    environment: Environment, worksheet: Path, form: Path, tmp_path: Path, done: str
) -> None:
    change, code = BOOKS[done]
    before = state(environment)
    path = tmp_path / "book.xlsx"
    for sound, take in (
        (worksheet, ("import", path)),
        (form, ("typed", "continuity_result", path, "--month", "2026-04")),
    ):
        path.write_bytes(change(sound.read_bytes()))
        assert refused(environment, "continuity", *take).startswith(code)
    assert state(environment) == before


def test_a_name_without_xlsx_or_without_a_file_is_refused(
    environment: Environment, worksheet: Path, tmp_path: Path
) -> None:
    before = state(environment)
    folder = tmp_path / "folder.xlsx"
    folder.mkdir()
    for name, code in (
        ("book.xlsm", "KR-7401"),
        ("book.xls", "KR-7401"),
        ("book", "KR-7401"),
        ("none.xlsx", "KR-7104"),
    ):
        if code == "KR-7401":
            shutil.copy(worksheet, tmp_path / name)
        assert refused(environment, "continuity", "import", tmp_path / name).startswith(code)
    assert refused(environment, "continuity", "import", folder).startswith("KR-7104")
    assert state(environment) == before


@pytest.mark.parametrize("month", ["2026-13", "2026", "四月", "2026-04-01", "=1+1"])
def test_a_worksheet_of_no_month(environment: Environment, worksheet: Path, tmp_path: Path, month: str) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(repacked(worksheet.read_bytes(), {STRINGS: replaced(">2026-04<", f">{month}<")}))
    assert refused(environment, "continuity", "import", path).startswith("KR-7402")


def test_a_sheet_that_refers_to_a_file_on_our_disk_is_not_read(worksheet: Path, tmp_path: Path) -> None:
    elsewhere = replaced("worksheets/sheet2.xml", "file:///etc/passwd")
    path = tmp_path / "book.xlsx"
    path.write_bytes(repacked(worksheet.read_bytes(), {RELATIONS: elsewhere}))
    assert refusal(lambda: FilledWorksheet.read(path)) in {"KR-7401", "KR-7402"}


@pytest.mark.slow
def test_the_largest_workbook_that_is_read_fits_in_memory(worksheet: Path, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    cells = sheet("<row>" + "<c/>" * 3_100_000 + "</row>")
    padded = {"docProps/padding.bin": os.urandom(200_000)}  # so that the ratio does not give it away
    path.write_bytes(repacked(worksheet.read_bytes(), {SHEET: cells}, padded))
    command = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2048 * 1024**2,) * 2);"
        "from pipelines.cli import main; sys.argv[0] = 'renkei'; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", command, "continuity", "import", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "RENKEI_SETTINGS": str(settings_file(tmp_path))},
    )
    assert result.returncode == 2
    assert "KR-7402" in result.stderr, result.stderr[-500:]
    assert "対処" in result.stderr
    assert "Traceback" not in result.stderr


PIECES = [b"<", b">", b"/>", b'"', b"&", b"&#0;", b"&#x1F600;", b"&l9;", b"<!DOCTYPE x>", b"<!--", b"]]>", b"<c/>",
          b"<row/>", b't="e"', b't="d"', b't="b"', b't="s"', b's="999"', b'r="A0"', b'r="XFD1048576"', b"<f>1/0</f>",
          b"<v>1e999</v>", b"<v>-1</v>", b"NaN", b"9" * 400, b"\xef\xbf\xbf", b"\xff\xfe", b"PK\x05\x06"]  # fmt: skip


def damaged(book: Path, changes: Edits, name: str | None) -> Path:
    """The workbook with changes in one of its parts, or in its raw bytes."""
    sound, damage = book.read_bytes(), partial(edited, changes=changes)
    path = book.with_name("damaged.xlsx")
    path.write_bytes(repacked(sound, {name: damage}) if name else damage(sound))
    return path


@settings(PROFILE)
@given(changes=edits(PIECES), name=st.sampled_from(PARTS) | st.none())
def test_a_damaged_worksheet_is_refused_or_its_faults_are_listed(
    environment: Environment, worksheet: Path, changes: Edits, name: str | None
) -> None:
    path = damaged(worksheet, changes, name)
    cases = monthly.build_cases(environment, MONTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answers, problems = FilledWorksheet.read(path).answers(
                cases, load_marks(environment.catalogue, MONTH), words()
            )
        except RenkeiError:
            return
    assert bool(answers) is not bool(problems)
    assert [answer.candidate_number for answer in answers] in ([], cases["candidate_number"].to_list())
    assert {answer.decision for answer in answers} <= {"continued", "not_continued", "postponed"}


@settings(PROFILE)
@given(changes=edits(PIECES), name=st.sampled_from(PARTS) | st.none())
def test_a_damaged_form_is_refused_or_read(
    environment: Environment, form: Path, changes: Edits, name: str | None
) -> None:
    path = damaged(form, changes, name)
    specification = environment.specification("continuity_result", MONTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            records = EntryForm(specification, MONTH, "令和8年4月", "999997").read(path)
        except RenkeiError:
            return
    assert records.height <= 5_000
