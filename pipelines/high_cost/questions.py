"""The list of 所得区分 that a clerk must check, as an Excel book: classes that depend on facts in no extract. Decides nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from interfaces.messages import message
from interfaces.new_books import new_list
from pipelines.deployment import Environment
from pipelines.storage.files import write_durably

_COLUMNS = (
    ("household_number", "国保世帯番号", 18),
    ("income_class", "送る所得区分（70歳以上）", 16),
    ("code", "コードと題", 34),
    ("said", "分からないこと", 60),
    ("remedy", "対処", 70),
)


def questions_path(environment: Environment, month: dt.date) -> Path:
    """The path of a month's list, in the clerks' folder."""
    return environment.settings.clerks / f"所得区分確認一覧_{month:%Y-%m}.xlsx"


def write_questions(environment: Environment, month: dt.date, asked: pl.DataFrame) -> Path | None:
    """Write the month's list. None when there is nothing to ask; a list of an earlier run is then emptied.

    asked: household_number, income_class_70_74, questions (codes).
    """
    path = questions_path(environment, month)
    if asked.is_empty() and not path.exists():
        return None
    codes = environment.catalogue.codes["income_class_70_74"]
    names = {code.meaning: code.name for code in codes if code.in_force(month)}
    rows = [
        {
            "household_number": household,
            "income_class": names[class_],
            "code": f"{code} {message(code).title}",
            "said": message(code).render(),
            "remedy": message(code).remedy,
        }
        for household, class_, codes in asked.select("household_number", "income_class_70_74", "questions").rows()
        for code in codes
    ]
    heading = f"所得区分確認一覧 {month:%Y-%m}（{len(rows)}件。確認して、元データか申請の記録を修正します）"
    write_durably(path, new_list("所得区分確認一覧", heading, _COLUMNS, rows))
    return path if rows else None
