"""The list of 所得区分 that a clerk must look at, as an Excel book: whose class depends on what no extract says. Decides nothing."""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from pathlib import Path

import polars as pl

from interfaces.messages import message
from interfaces.new_books import new_book
from pipelines.deployment import Environment
from pipelines.storage.files import write_durably

_COLUMNS = (
    ("household_number", "国保世帯番号", 18), ("income_class", "送る所得区分（70歳以上）", 16), ("code", "コードと題", 34),
    ("said", "分からないこと", 60), ("remedy", "対処", 70),
)  # fmt: skip


def questions_path(environment: Environment, month: dt.date) -> Path:
    """Where the list of a month lies, in the clerks' folder."""
    return environment.settings.clerks / f"所得区分確認一覧_{month:%Y-%m}.xlsx"


def write_questions(environment: Environment, month: dt.date, asked: pl.DataFrame) -> Path | None:
    """Write the month's list. None when there is nothing to ask; a list that an earlier run left is then emptied.

    asked: household_number, income_class_70_74, questions (codes).
    """
    path = questions_path(environment, month)
    if asked.is_empty() and not path.exists():
        return None
    codes = environment.catalogue.codes["income_class_70_74"]
    names = {code.meaning: code.name for code in codes if code.in_force(month)}
    rows = [
        {"household_number": household, "income_class": names[class_], "code": f"{code} {message(code).title}",
         "said": message(code).render(), "remedy": message(code).remedy}
        for household, class_, codes in asked.select("household_number", "income_class_70_74", "questions").rows()
        for code in codes
    ]  # fmt: skip
    write_durably(path, _book(rows, month))
    return path if rows else None


def _book(rows: list[dict[str, str]], month: dt.date) -> bytes:
    data = BytesIO()
    with new_book(data, "所得区分確認一覧") as book:
        bold = book.add_format({"bold": True, "bg_color": "#D9E2F3", "border": 1, "text_wrap": True, "valign": "top"})
        wrap = book.add_format({"border": 1, "text_wrap": True, "valign": "top"})
        sheet = book.add_worksheet("所得区分確認一覧")
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(1)
        sheet.freeze_panes(2, 0)
        sheet.write_string(
            0, 0, f"所得区分確認一覧 {month:%Y-%m}（{len(rows)}件。確かめて、元データか申請の記録を直します）"
        )
        for column, (name, heading, width) in enumerate(_COLUMNS):
            sheet.set_column(column, column, width)
            sheet.write_string(1, column, heading, bold)
            for number, row in enumerate(rows, 2):
                sheet.write_string(number, column, row[name], wrap)
    return data.getvalue()
