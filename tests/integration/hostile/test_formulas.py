"""What people open in Excel or a browser: text stays text, whatever it begins with. No formula, no link, no markup."""

from __future__ import annotations

import csv
import datetime as dt
import html
import re
import shutil
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import polars as pl
import pytest
from click.testing import CliRunner

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from pipelines.cli import main
from pipelines.continuity import monthly
from pipelines.continuity.facts import HOUSEHOLDS
from pipelines.continuity.worksheet import write_worksheet
from pipelines.eligibility.withholding import OWN_FAULT
from pipelines.eligibility.worklist import workbook
from pipelines.transfer.manual_entry import write_form
from tests.support.applying import apply_monthly
from tests.support.candidates import THREE, listed
from tests.support.deployment import (
    APPROVED_BY,
    DECIDED_BY,
    MONTH,
    MONTHLY,
    REMARK,
    fill,
    opened,
    type_in,
    worksheet_of,
)
from tests.support.hostile.sound import Sound

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://example.invalid")', "=cmd|' /C calc'!A0", "{=1+1}"]
WIDE = ["＝１＋１", "＋１", "－１", "＠ＳＵＭ（Ａ１）", "　=1+1"]
LINKS = [
    "http://example.invalid/",
    "mailto:a@example.invalid",
    "file:///etc/passwd",
    "internal:判定!A1",
    "external:a.xlsx",
]
MARKUP = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "&lt;b&gt;", "{{ 7 * 7 }}"]
OUR_FORMULA = "=COUNTBLANK(判定!"  # of the worksheet: how many rows are left
IN_A_LINE = [*FORMULAS, *WIDE, *LINKS, *MARKUP]
ANYWHERE = [*IN_A_LINE, "\t=1+1", "\r=1+1", "\n=1+1"]


def texts_of(book: Path, own_formulas: int = 0) -> set[str]:
    """Every text of a workbook, in which nothing is a link, and nothing a formula but what the program counts by."""
    found: set[str] = set()
    for sheet in openpyxl.load_workbook(book):
        for cell in (cell for row in sheet.iter_rows() for cell in row):
            if cell.data_type == "f" and str(cell.value).startswith("=COUNTBLANK(判定!"):
                own_formulas -= 1
                continue
            assert cell.data_type != "f", cell.coordinate
            assert cell.hyperlink is None, cell.coordinate
            found.add(str(cell.value))
    with ZipFile(book) as archive:
        for name in archive.namelist():
            content = re.sub(rb"<f>COUNTBLANK\(.{1,60}?</f>", b"", archive.read(name))
            assert not re.search(rb"<f[ >/]|<hyperlink|TargetMode=\"External\"", content), name
    assert own_formulas == 0
    return found


def as_excel_keeps(text: str) -> str:
    return text.replace("\r", "_x000D_")


def markup_of(page: str) -> set[str]:
    """The elements of a page, by name."""
    return set(re.findall(r"<(\w+)", page))


def test_the_list_of_withheld_persons(tmp_path: Path) -> None:
    day = dt.date(2026, 4, 1)
    withheld = pl.DataFrame(
        {
            "household_number": IN_A_LINE,
            "resident_number": IN_A_LINE,
            "name": IN_A_LINE,
            "reason": OWN_FAULT,
            "change_kinds": [[text] for text in IN_A_LINE],
            "update_kind": "changed",
            "codes": [["KR-2003"]] * len(IN_A_LINE),
            "faults": [["\t".join(("KR-2003", text, text, text))] for text in IN_A_LINE],
        }
    )
    made = workbook(withheld, day, dict.fromkeys(IN_A_LINE, day), load_catalogue().calendar)
    (tmp_path / "withheld.xlsx").write_bytes(made)
    assert set(IN_A_LINE) <= texts_of(tmp_path / "withheld.xlsx")


def test_the_report_of_a_judged_file(sounds: dict[str, Sound], tmp_path: Path) -> None:
    sound = sounds["eligibility_household"]
    evil = dict(zip(sound.data_lines, IN_A_LINE, strict=False))
    assert len(evil) == len(IN_A_LINE)
    path = tmp_path / "=1+1.csv"
    path.write_bytes(sound.written({(line, "data_kind"): value for line, value in evil.items()}))
    # A value that is not of its item's form is hidden: here the item takes any text, and only its constant is broken.
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    table = root / "eligibility_household" / "2018-04-01" / "data.csv"
    table.write_text(
        table.read_text(encoding="utf-8").replace("data_kind,英数,,4,", "data_kind,文字,,60,"), encoding="utf-8"
    )
    specification = Catalogue(root).in_force("eligibility_household", sound.on)
    settings = tmp_path / "renkei.toml"
    settings.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\ndata_folder = "data"\n'
        f'extract_folder = "extracts"\ncatalogue_folder = "{root}"\n',
        encoding="utf-8",
    )
    book = tmp_path / "report.xlsx"
    result = CliRunner().invoke(
        main,
        ["validate", str(path), "--interface", specification.id, "--on", "2026-04-01", "--xlsx", str(book)],
        env={"RENKEI_SETTINGS": str(settings)},
    )
    assert result.exit_code == 1
    assert {"=1+1.csv", *IN_A_LINE} <= texts_of(book)


def test_the_worksheet(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed(*THREE), tmp_path)
    apply_monthly(environment)
    cases = monthly.make_worksheet(environment, MONTH).cases
    for number, value in enumerate(ANYWHERE):
        columns = ("title", "reason", "facts_in_words", "old_people", "new_people", *HOUSEHOLDS)
        evil = cases.with_columns(pl.lit(value).alias(column) for column in columns)
        book = tmp_path / f"{number}.xlsx"
        write_worksheet(book, worksheet_of(evil, value))
        assert as_excel_keeps(value) in texts_of(book, own_formulas=1)


def test_what_people_wrote_about_their_decisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strange names and strange reasons, from the worksheet into the list for typing and the auditor's report."""
    environment = opened(tmp_path)
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))
    # What begins with = is refused in an answer, after spaces too (tests/integration/continuity/test_cells.py).
    answers = [value for value in IN_A_LINE if not value.lstrip().startswith("=")]
    names = [THREE[number % len(THREE)] for number in range(len(answers))]
    type_in(environment, "continuity_candidates", listed(*names), tmp_path)
    apply_monthly(environment)
    path = monthly.make_worksheet(environment, MONTH).path

    def change(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        for row, value in enumerate(answers, 2):
            for column, written in ((REMARK, value), (DECIDED_BY, value), (APPROVED_BY, "給付係長")):
                sheet.cell(row, column).value = written
                sheet.cell(row, column).data_type = "s"

    assert monthly.import_worksheet(environment, fill(path, change)).problems == []
    monthly.build_instruction(environment, MONTH)
    for name in ("audit.xlsx", "audit.html"):
        result = CliRunner().invoke(main, ["audit", "report", "--month", "2026-05", "--to", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
    written = {value.strip() for value in answers}
    assert written <= texts_of(tmp_path / "audit.xlsx")
    for page in (tmp_path / "audit.html", monthly.list_path(environment, "継続世帯確定指示_入力用", MONTH)):
        # The templates write a quote as &#34; and &#39;, the standard library as &quot; and &#x27;.
        shown = page.read_text(encoding="utf-8").replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
        assert all(html.escape(value) in shown for value in written), page.name
        assert not markup_of(shown) & {"script", "img"}, page.name


def test_a_form_whose_layout_is_hostile(tmp_path: Path) -> None:
    """Item and code names are data that a municipality may exchange."""
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    for table, column, key, value in (
        (root / "continuity_result" / "2018-04-01" / "data.csv", "項目名", "confirmed_on", "=1+1"),
        (root / "items.csv", "項目名", "confirmed_on", "=1+1"),
        (root / "codes" / "continuity_outcome.csv", "名称", "continued", '=HYPERLINK("http://example.invalid")'),
    ):
        with table.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
        next(row for row in rows if key in row.values())[column] = value
        with table.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    environment = opened(tmp_path, more=f'catalogue_folder = "{root}"')
    for interface in MONTHLY:
        write_form(environment, interface, MONTH, tmp_path / f"{interface}.xlsx")
        texts_of(tmp_path / f"{interface}.xlsx")
    assert "=1+1" in texts_of(tmp_path / "continuity_result.xlsx")
