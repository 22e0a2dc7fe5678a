"""Checks the effective-dated tables (criteria, limits, calendar …) on every day on which one of them changes."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import sqlalchemy as sa

from interfaces.catalogue import UNREADABLE, Catalogue, Fault, read_rows
from interfaces.meanings import BREACH, lint_meanings
from interfaces.messages import RenkeiError
from pipelines.agreement.monthly import business_days_of_waiting
from pipelines.configuration.calendar import monthly_days
from pipelines.continuity.criteria import load_criteria
from pipelines.continuity.worksheet import load_marks
from pipelines.exchange.persons import load_titles
from pipelines.high_cost.class_tables import lint_classes
from pipelines.high_cost.income_class import load_borders
from pipelines.high_cost.limits import limit_table
from pipelines.linkage import state
from pipelines.operations.media_register import system_names
from pipelines.operations.retention import load_rules

# table -> the columns whose values must be unique on a day.
KEYS: Mapping[str, tuple[str, ...]] = {
    "continuity/criteria": ("規則",),
    "continuity/reasons": ("側", "事由"),
    "limits/limits": ("年齢群", "所得区分"),
    "limits/floors": ("年齢群",),
    "limits/income_borders": ("年齢群", "所得区分"),
    "limits/income_exceptions": ("名前",),
    "limits/minors": ("何歳未満",),
    "limits/classes": ("年齢群", "所得区分"),
    "limits/yearly_exceptions": ("年齢群", "所得区分"),
    "calendars/monthly": ("対象年月",),
    "agreement/waiting": ("対象",),
    "retention/stores": ("保管場所",),
    "worksheet/marks": ("印",),
    "persons/titles": ("役職・敬称",),
    "media/system_names": ("名前",),
    "municipalities": ("市区町村コード",),
}
# Readers that must succeed on every day on which a table has rows.
READERS: Mapping[str, Callable[[Catalogue, dt.date], object]] = {
    "continuity/criteria": load_criteria,
    "limits/limits": limit_table,
    "retention/stores": load_rules,
    "media/system_names": system_names,
    "limits/income_borders": load_borders,
    "limits/income_exceptions": load_borders,
    "limits/minors": load_borders,
    "limits/classes": load_borders,
    "worksheet/marks": load_marks,
    "persons/titles": load_titles,
    "calendars/monthly": lambda catalogue, day: monthly_days(catalogue, day.replace(day=1)),
    "agreement/waiting": business_days_of_waiting,
}


def lint_tables(catalogue: Catalogue) -> list[Fault]:
    """Every fault of the tables: an invalid date, an end before its start, two rows with one key on one day, a rule that
    cannot be read, days of a month in the wrong order; a meaning that the program or a rule needs and no code table has,
    one that nothing decides on, one that the ledger's columns cannot hold."""
    of_tables = [fault for name in KEYS for fault in _table(catalogue, name)]
    return list(dict.fromkeys([*of_tables, *lint_classes(catalogue), *lint_meanings(catalogue), *_too_long(catalogue)]))


def _table(catalogue: Catalogue, name: str) -> Iterator[Fault]:
    try:
        rows = read_rows(catalogue.root / f"{name}.csv", ("開始日", "終了日", *KEYS[name]))
    except RenkeiError as error:
        yield _unread(catalogue, error)
        return
    periods: list[tuple[dt.date, dt.date, tuple[str, ...]]] = []
    for row in rows:
        try:
            start, end = row.day("開始日"), row.day("終了日", dt.date.max)
        except RenkeiError as error:
            yield _unread(catalogue, error)
            continue
        if end <= start:
            yield Fault(f"{name}.csv {row.number}行目", "終了日が開始日より後ではありません")
        periods.append((start, end, tuple(row[column] for column in KEYS[name])))
    changes = sorted({start for start, _, _ in periods} | {end for _, end, _ in periods if end != dt.date.max})
    for day in changes:
        here = Counter(key for start, end, key in periods if start <= day < end)
        for key, times in here.items():
            if times > 1:
                yield Fault(f"{name}.csv {day}", f"{'・'.join(key)} の行が{times}つあります")
        if here and all(times == 1 for times in here.values()):
            yield from _readable(catalogue, name, day)


def _readable(catalogue: Catalogue, name: str, day: dt.date) -> Iterator[Fault]:
    try:
        if name in READERS:
            READERS[name](catalogue, day)
        if name == "calendars/monthly":
            days = monthly_days(catalogue, day)
            order = [days.cut_off, days.candidates_on, days.instruction_until, days.result_on]
            if order != sorted(order) or days.cut_off.replace(day=1) != days.month:
                yield Fault(f"{name}.csv {day}", "締め日・配信日・期限・結果の順になっていません")
    except RenkeiError as error:
        yield _unread(catalogue, error) if error.code == UNREADABLE else Fault(f"{name}.csv {day}", str(error))


def _unread(catalogue: Catalogue, error: RenkeiError) -> Fault:
    """The fault of a table that could not be read, with its path relative to the root."""
    return Fault(str(error.values["path"]).removeprefix(f"{catalogue.root}/"), str(error.values["reason"]), error.code)


def _too_long(catalogue: Catalogue) -> Iterator[Fault]:
    """Meanings and items that a column of the linkage state cannot hold: PostgreSQL refuses them, SQLite does not."""
    widths = {
        column.name: column.type.length
        for table in state.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.String) and column.type.length
    }
    versions = (version for interface in catalogue.ids() for version in catalogue.versions(interface))
    for specification in (version for version in versions if version.layout.direction == "from_union"):
        for item in (item for record in specification.records for item in record.items if item.id in widths):
            most = widths[item.id]
            if not item.code_table and item.length > most:
                place = f"{specification.id} {specification.layout.effective_from} {item.id}"
                yield Fault(place, f"台帳の列に入りません（{item.length}バイト、{most}文字まで）", BREACH)
            for code in catalogue.codes.get(item.code_table, ()):
                if len(code.meaning) > most:
                    text = f"意味 {code.meaning} は台帳の列に入りません（{len(code.meaning)}文字、{most}文字まで）"
                    yield Fault(f"codes/{item.code_table}.csv {code.value}", text, BREACH)
