"""The lists of the monthly agreement as Excel books for the clerks: who does not agree, and the totals over the months."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from interfaces.japanese_calendar import JapaneseCalendar
from interfaces.messages import message
from interfaces.new_books import new_list
from pipelines.deployment import Environment
from pipelines.storage.files import write_durably

LIST, SUMMARY = "整合性確認一覧", "整合性確認集計"
_COLUMNS = (
    ("done", "対応済", 7),
    ("household_number", "国保世帯番号", 17),
    ("resident_number", "宛名番号", 17),
    ("cause", "原因", 30),
    ("ours", "当市町村", 26),
    ("theirs", "連合会", 26),
    ("remedy", "対処", 60),
)


def write_lists(
    environment: Environment, month: dt.date, found: pl.DataFrame, totals: Mapping[str, pl.DataFrame]
) -> list[Path]:
    """Write both books of a month into the clerks' folder. found: `Disagreements`; totals: `AgreementTotals` by month."""
    folder, calendar = environment.settings.clerks, environment.catalogue.calendar
    books = {LIST: _list(found, month, calendar), SUMMARY: _summary(totals, month)}
    paths = []
    for title, content in books.items():
        paths.append(folder / f"{title}_{month:%Y-%m}.xlsx")
        write_durably(paths[-1], content)
    return paths


def _list(found: pl.DataFrame, month: dt.date, calendar: JapaneseCalendar) -> bytes:
    rows = [
        {
            "done": "□",
            "household_number": row["household_number"] or "－",
            "resident_number": row["resident_number"] or "（世帯）",
            "cause": f"{row['code']}\n{row['title']}",
            "ours": _in_words(row["ours"], calendar),
            "theirs": _in_words(row["theirs"], calendar),
            "remedy": message(row["code"]).advise_clerk(),
        }
        for row in found.iter_rows(named=True)
    ]
    heading = (
        f"{LIST}　{month.year}年{month.month}月分　{len(rows)}件（確認して、元データの修正か連合会への照会をします）"
    )
    return new_list(LIST, heading, _COLUMNS, rows, group="household_number")


def _in_words(value: str | None, calendar: JapaneseCalendar) -> str:
    """A day as people write it; other texts as they are."""
    if not value:
        return "－"
    try:
        return calendar.short_day(dt.date.fromisoformat(value))
    except ValueError:
        return value


def _summary(totals: Mapping[str, pl.DataFrame], month: dt.date) -> bytes:
    """A row for each cause, a column for each month: persons, and households where no person is meant."""
    titles = {code: title for table in totals.values() for code, title in table.select("code", "title").rows()}
    counted = {name: {row["code"]: row for row in table.iter_rows(named=True)} for name, table in totals.items()}
    rows = []
    for code, title in sorted(titles.items()):
        cells = {name: _cell(by_code.get(code)) for name, by_code in counted.items()}
        rows.append({"cause": f"{code} {title}", **cells})
    columns = (("cause", "原因", 40), *((name, f"{name[:7]}\n人（世帯）", 13) for name in totals))
    return new_list(SUMMARY, f"{SUMMARY}　{month.year}年{month.month}月分", columns, rows)


def _cell(row: Mapping[str, int] | None) -> str:
    return "0（0）" if row is None else f"{row['persons']:,}（{row['households']:,}）"
