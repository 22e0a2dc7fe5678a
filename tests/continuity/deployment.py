"""A municipality for tests of the monthly cycle: its settings, candidates typed in, a worksheet filled as a clerk would."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import openpyxl
import polars as pl

from pipelines.environment import Environment
from pipelines.settings import Settings
from pipelines.typed import enter, typed_items, write_form

MONTH = dt.date(2026, 4, 1)
NOW = dt.datetime(2026, 5, 7, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
MONTHLY = ("continuity_candidates", "continuity_instruction", "continuity_result", "high_cost_handover")
DECISION, REMARK, DECIDED_BY, APPROVED_BY = range(13, 17)  # columns of the worksheet, as Excel counts them


def settings_file(folder: Path, switched_off: tuple[str, ...] = MONTHLY, more: str = "") -> Path:
    """A settings file; data and extracts lie beside it."""
    (folder / "extracts").mkdir(parents=True, exist_ok=True)
    path = folder / "renkei.toml"
    path.write_text(
        f"""municipality_code = "999997"
insurer_number = "990010"
prefecture_code = "99"
data_folder = "data"
extract_folder = "extracts"
operator = "試験担当"
switched_off_interfaces = {list(switched_off)}
{more}
""".replace("'", '"'),
        encoding="utf-8",
    )
    return path


def opened(folder: Path, now: dt.datetime = NOW, **options: object) -> Environment:
    """A deployment with its own clock."""
    return Environment.open(Settings.load(settings_file(folder, **options)), clock=lambda: now)  # type: ignore[arg-type]


def type_in(environment: Environment, interface: str, rows: pl.DataFrame, folder: Path, month: dt.date = MONTH) -> None:
    """Fill the form of an interface with canonical rows, and enter it."""
    path = folder / f"{interface}.xlsx"
    write_form(environment, interface, month, path)
    specification = environment.specification(interface, month)
    book = openpyxl.load_workbook(path)
    sheet = book["入力"]
    for column, item in enumerate(typed_items(specification), 1):
        words = (
            {code.meaning: code.name for code in specification.codes_on(item.code_table, month)}
            if item.code_table
            else {}
        )
        values = rows[item.id].to_list() if item.id in rows.columns else [None] * rows.height
        for row, value in enumerate(values, 2):
            text = value.isoformat() if isinstance(value, dt.date) else value
            sheet.cell(row, column, words.get(text, text))
    book.save(path)
    (arrived,) = enter(environment, interface, month, path, "入力太郎")
    assert arrived.state == "verified"


def fill(path: Path, change: Callable[[openpyxl.worksheet.worksheet.Worksheet], None] | None = None) -> Path:
    """Decide everything as proposed (要確認 as 非継続, with a reason), then change the sheet as a test wants."""
    book = openpyxl.load_workbook(path)
    sheet = book["判定"]
    for row in range(2, sheet.max_row + 1):
        proposal = sheet.cell(row, 2).value
        unclear = proposal == "要確認"
        answers = ("非継続" if unclear else proposal, "転出元に確認済み" if unclear else None, "給付太郎", "係長花子")
        for column, value in enumerate(answers, DECISION):
            sheet.cell(row, column, value)
    if change is not None:
        change(sheet)
    filled = path.with_name(f"filled_{path.name}")
    book.save(filled)
    return filled
