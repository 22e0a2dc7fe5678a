"""The printed lists in a real browser (Debian's Chromium): A4 landscape, headings on every page, nothing cut, as PDF."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import polars as pl
import pytest

from pipelines.continuity import monthly
from pipelines.continuity.lists import candidates_page, results_page
from tests.support.applying import apply_monthly
from tests.support.candidates import CASES, listed
from tests.support.deployment import MONTH, confirm, fill, opened, paper, type_in

A4_LANDSCAPE = (842, 595)  # points: 297 mm × 210 mm × 72 / 25.4


def pdf_of(page: Path, chromium: Path, folder: Path) -> Path:
    target = folder / f"{page.stem}.pdf"
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder / 'chromium'}",
            f"--print-to-pdf={target}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return target


def text_of(pdf: Path) -> list[str]:
    """The text of every page, without white space."""
    done = subprocess.run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True)
    return ["".join(page.split()) for page in done.stdout.decode().split("\f")[:-1]]


def size_of(pdf: Path) -> tuple[int, int]:
    output = subprocess.run(["pdfinfo", pdf], check=True, capture_output=True).stdout.decode()
    found = re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", output)
    assert found
    return round(float(found[1])), round(float(found[2]))


def test_the_candidates_list_prints(chromium: Path, tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed(*CASES), tmp_path)
    apply_monthly(environment)
    found = monthly.make_worksheet(environment, MONTH).cases
    pdf = pdf_of(monthly.list_path(environment, "継続候補世帯リスト", MONTH), chromium, tmp_path)
    pages = text_of(pdf)
    assert size_of(pdf) == A4_LANDSCAPE
    assert len(pages) > 2
    assert all("転入先の世帯の人" in page and "判定案" in page for page in pages)
    assert sum(page.count("要確認") for page in pages) == found.filter(pl.col("proposal") == "unclear").height + 1
    together = "".join(pages)
    assert all(number in together for number in found["new_household_number"])
    assert "担当係長" in pages[0]
    assert "30件" in pages[0]


def test_the_instruction_and_the_results_print(chromium: Path, tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed("whole_household_moves", "gap"), tmp_path)
    apply_monthly(environment)
    path = monthly.make_worksheet(environment, MONTH).path
    monthly.import_worksheet(environment, fill(path))
    monthly.build_instruction(environment, MONTH)
    (text,) = text_of(pdf_of(monthly.list_path(environment, "継続世帯確定指示_入力用", MONTH), chromium, tmp_path))
    assert "給付太郎係長花子□" in text
    assert "転出元に確認済み" in text
    confirm(environment, MONTH)
    (empty,) = text_of(pdf_of(monthly.list_path(environment, "継続世帯確定リスト", MONTH), chromium, tmp_path))
    assert "この月の確定結果はありません" in empty


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "<img src=http://example.invalid/x>", '"><b>x</b>'])
def test_nothing_in_a_name_becomes_markup(evil: str, tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed("whole_household_moves"), tmp_path)
    apply_monthly(environment)
    found = monthly.build_cases(environment, MONTH).with_columns(pl.lit(evil).alias("new_people"))
    assert evil not in candidates_page(found, paper())
    results = pl.DataFrame(
        {
            "candidate_number": ["000001"],
            "new_municipality_code": ["999997"],
            "continuity_outcome": ["continued"],
            "moved_on": [MONTH],
            "old_municipality_code": ["999989"],
            "old_household_number": ["1"],
            "new_household_number": ["2"],
            "confirmed_on": [MONTH],
            "high_cost_count": ["01"],
        }
    )
    assert evil not in results_page(results, {"000001": evil}, paper())
