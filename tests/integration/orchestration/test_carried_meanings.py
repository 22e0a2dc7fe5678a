"""What the program only carries on may be called otherwise: a day and a month run right, whatever the words are."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import openpyxl

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.continuity import monthly
from tests.support.applying import apply_monthly
from tests.support.candidates import frame, listed
from tests.support.deployment import MONTH, opened, type_in
from tests.support.village import Village, person

DAY = dt.date(2026, 4, 1)
CARRIED = ("acquisition_reason", "loss_reason", "relationship", "resident_kind", "resident_state", "sex")
Row = dict[str, str]


def catalogue(folder: Path, change: Callable[[list[Row]], list[Row]], *tables: str) -> Path:
    """A copy of the catalogue with changed code tables."""
    root = shutil.copytree(DEFAULT_ROOT, folder / "catalogue")
    for table in tables:
        path = root / "codes" / f"{table}.csv"
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(change(rows))
    return root


def other_words(rows: list[Row]) -> list[Row]:
    return [row | {"意味": f"word_{number}"} for number, row in enumerate(rows)]


def test_a_day_with_other_words_for_all_that_is_carried(village: Village, tmp_path: Path) -> None:
    root = catalogue(tmp_path, other_words, *CARRIED)
    village.settings("operator", f'catalogue_folder = "{root}"\noperator')
    village.add(1, 11, 12)
    assert village.cli("spec", "lint").exit_code == 0
    village.end(12, DAY, "died")
    assert village.send(DAY).exit_code == 0
    told = village.sent(DAY)  # read by the words of the catalogue that the extracts were written by
    facts = ("relationship", "sex", "acquisition_reason")
    assert {number: tuple(row[name] for name in facts) for number, row in told.items()} == {
        person(11): ("head", "male", "moved_in"),
        person(12): ("wife", "female", "moved_in"),
    }
    assert told[person(12)]["loss_reason"] == "died"
    assert village.withheld(DAY) == {}


def with_new_reason(rows: list[Row]) -> list[Row]:
    return [*rows, rows[-1] | {"コード": "08", "名称": "新しい事由", "意味": "emigrated"}]


def test_a_month_with_a_reason_that_nobody_decided_on(tmp_path: Path) -> None:
    """Without a decision the clerk is asked; the other candidates are proposed as ever."""
    root = catalogue(tmp_path, with_new_reason, "end_reason")
    environment = opened(
        tmp_path / "place", switched_off=("continuity_candidates",), more=f'catalogue_folder = "{root}"'
    )
    rows = listed("whole_household_moves", "whole_household_moves").to_dicts()
    leaver = next(row for row in rows if row["household_side"] == "before")
    rows.append(leaver | {"prefecture_insured_id": "900019999999", "head_kind": "member", "leave_reason": "emigrated"})
    type_in(environment, "continuity_candidates", frame(rows), tmp_path)
    apply_monthly(environment)
    sheet = openpyxl.load_workbook(monthly.make_worksheet(environment, MONTH).path)["判定"]
    proposed = {row[0].value: row[1].value for row in sheet.iter_rows(min_row=2)}
    assert list(proposed.values()) == ["要確認", "継続"]
