"""The 要修正 list as an Excel book for the clerk who corrects the records: who is withheld, why, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import polars as pl

from interfaces.messages import message
from interfaces.new_books import new_list

_COLUMNS = (
    ("household_number", "国保世帯番号", 18),
    ("resident_number", "宛名番号", 18),
    ("name", "氏名", 22),
    ("change_kinds", "異動の種類", 22),
    ("reason", "保留の理由", 20),
    ("codes", "コードと題", 34),
    ("remedy", "対処", 70),
)


def worklist(withheld: pl.DataFrame) -> list[dict[str, str]]:
    """The rows of the list in words (`withheld`: withholding.withheld_list). A household without persons names nobody."""
    return [
        {
            "household_number": row["household_number"],
            "resident_number": row["resident_number"] or "（世帯）",
            "name": row["name"] or "",
            "change_kinds": "、".join(row["change_kinds"]) or ("同じ世帯の異動" if row["update_kind"] else "異動なし"),
            "reason": row["reason"],
            "codes": "\n".join(_named(code, row.get("told") or ()) for code in row["codes"]),
            "remedy": "\n".join(f"{code}: {message(code).remedy}" for code in row["codes"]),
        }
        for row in withheld.iter_rows(named=True)
    ]


def _named(code: str, details: Iterable[str]) -> str:
    """A code with its title, the items at fault, and their invalid characters."""
    places = "、".join(detail.removeprefix(f"{code} ") for detail in details if detail.startswith(f"{code} "))
    return f"{code} {message(code).title}" + (f"（{places}）" if places else "")


def workbook(rows: list[dict[str, str]], day: dt.date) -> bytes:
    """The list (rows of `worklist`) as a book of one sheet, printable on A4 landscape. Text stays text, never a formula."""
    heading = f"要修正一覧 {day}（{len(rows)}件。修正されるまで毎日また対象になります）"
    return new_list("要修正一覧", heading, _COLUMNS, rows)
