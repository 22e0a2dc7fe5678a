"""Whether the tables of limits/ name the same 所得区分 on every day. Reads the catalogue and nothing else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import chain

from interfaces.catalogue import Catalogue, Fault, Row, read_rows
from interfaces.meanings import BREACH
from interfaces.messages import RenkeiError

CLASSES = "limits/classes"
GROUP, CLASS, NAME = "年齢群", "所得区分", "名称"
# The tables that must have a row for every class, and those that may name only some.
WHOLE = ("limits/limits", "limits/income_borders")
PARTLY = ("limits/income_exceptions", "limits/yearly_exceptions")
CODES = {"under_70": "income_class_under_70", "from_70": "income_class_70_74"}
UNPUBLISHED = "未公表"  # nobody has published the code of the class: a month's file with it stops (KR-7504)
WITHOUT_BORDER = ("非課税", "低所得Ⅱ", "低所得Ⅰ")  # kinds that no income border decides


def lint_classes(catalogue: Catalogue) -> list[Fault]:
    """Classes that a table of limits/ names and that the month does not have, or lacks; names that stand twice."""
    try:
        days = sorted({day for name in (CLASSES, *WHOLE) for day in _first_days(catalogue, name)})
        return list(dict.fromkeys(chain.from_iterable(_on_day(catalogue, day) for day in days)))
    except RenkeiError:
        return []  # a table that cannot be read: the linter of the tables says so


def _first_days(catalogue: Catalogue, name: str) -> list[dt.date]:
    every = read_rows(catalogue.root / f"{name}.csv", ("開始日", "終了日"))
    return [row.day("開始日", dt.date.min) for row in every] + [row.day("終了日") for row in every if row["終了日"]]


def _on_day(catalogue: Catalogue, day: dt.date) -> Iterator[Fault]:
    rows = catalogue.table_or_none(CLASSES, day)
    known = {(row[GROUP], row[CLASS]): row for row in rows}
    for name in sorted({row[NAME] for row in rows}):
        if [row[NAME] for row in rows].count(name) > 1:
            yield Fault(f"{CLASSES}.csv {day}", f"名称 {name} が同じ日に二つの区分にあります")
    yield from _codes(catalogue, day, rows)
    for table in WHOLE:
        named = {(row[GROUP], row[CLASS]) for row in catalogue.table_or_none(table, day)}
        needed = {key for key, row in known.items() if table != WHOLE[1] or row["種類"] not in WITHOUT_BORDER}
        yield from (
            Fault(f"{table}.csv {day}", f"区分 {'・'.join(key)} の行がありません") for key in sorted(needed - named)
        )
        yield from _unknown(table, day, named - set(known))
    classes = {name for _, name in known}
    for table in PARTLY:
        named = {(row.get(GROUP, ""), row[CLASS]) for row in catalogue.table_or_none(table, day) if row[CLASS]}
        yield from _unknown(table, day, {key for key in named if key[1] not in classes})


def _codes(catalogue: Catalogue, day: dt.date, rows: list[Row]) -> Iterator[Fault]:
    """Each class has a code from which the file is written, unless the table says that there is none yet."""
    for group, table in CODES.items():
        coded = {code.meaning for code in catalogue.codes.get(table, ()) if code.in_force(day)}
        for row in rows:
            if row[GROUP] == group and row[CLASS] not in coded and row["コード"] != UNPUBLISHED:
                text = f"区分 {row[CLASS]} のコードが {day} にありません（公表されていなければ {CLASSES}.csv のコードを {UNPUBLISHED} に）"
                yield Fault(f"codes/{table}.csv", text, BREACH)


def _unknown(table: str, day: dt.date, keys: set[tuple[str, str]]) -> Iterator[Fault]:
    for key in sorted(keys):
        shown = "・".join(filter(None, key))
        yield Fault(f"{table}.csv {day}", f"区分 {shown} は {CLASSES}.csv にありません")
