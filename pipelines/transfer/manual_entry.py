"""Manual entry from the Union's screen for interfaces that are switched off: writes and reads a form per specification.

A filled form is converted to the file that the Union would have sent, and received like every file: archived, validated,
in the ledger. Nothing here knows what an interface means.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from interfaces import codec
from interfaces.messages import RenkeiError, message
from interfaces.naming import file_name
from interfaces.new_books import new_book
from interfaces.spec import Item, Specification
from interfaces.workbook import Cell, Rows, address, holds_anything, read_book
from pipelines.deployment import Environment
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.states import Direction, LedgerEvent
from pipelines.exchange.received_file import ReceivedFile
from pipelines.exchange.transport import InMemorySource
from pipelines.storage.files import write_durably
from pipelines.transfer import receiving
from schemas.findings import from_problems

SHEET = "入力"
ROW = "row"
# Items that the program fills in: they are the same in every record.
FILLED = frozenset({"record_kind", "record_number", "data_kind", "insurer_number", "municipality_code"})
_ROWS = 500
_SHOWN = 20


def typed_items(specification: Specification) -> list[Item]:
    """The items that a person types, in the order of the specification."""
    return [item for item in specification.data.items if item.id not in FILLED]


def write_form(environment: Environment, interface: str, month: dt.date, path: Path) -> None:
    """An empty form of an interface: one column per item, drop-downs for coded items, dates as YYYY-MM-DD.

    KR-7603 when the interface is not switched off: the form could not be imported.
    """
    _require_typed(environment, interface)
    specification = environment.specification(interface, month)
    data = BytesIO()
    with new_book(data, specification.layout.name) as book:
        sheet = book.add_worksheet(SHEET)
        bold = book.add_format({"bold": True, "bg_color": "#D9E2F3", "border": 1, "text_wrap": True})
        text = book.add_format({"num_format": "@"})
        for column, item in enumerate(typed_items(specification)):
            sheet.set_column(column, column, 18, text)
            sheet.write_string(0, column, item.name, bold)
            if item.code_table:
                names = [code.name for code in specification.codes_on(item.code_table, month)]
                sheet.data_validation(1, column, _ROWS, column, {"validate": "list", "source": names})
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
    write_durably(path, data.getvalue())


def read_form(specification: Specification, month: dt.date, path: Path) -> pl.DataFrame:
    """The typed records, canonical, with their `row` of the form. KR-7602 for anything that cannot be read, or that would
    be ignored (next to the table, on another sheet); errors of the book as in `read_book`.
    """
    sheets = read_book(path, results=True).sheets
    items = typed_items(specification)
    if SHEET not in sheets:
        raise RenkeiError("KR-7602", problems=f"シート「{SHEET}」がありません")
    rows = sheets[SHEET]
    if not rows or [cell.text for cell in rows[0][: len(items)]] != [item.name for item in items]:
        raise RenkeiError("KR-7602", problems="見出しが変わっています")
    problems = _text_outside_form(sheets, len(items))
    records = []
    for number, row in enumerate(rows[1:], 2):
        cells = row[: len(items)]
        if all(cell.is_blank for cell in cells):
            continue
        record: dict[str, object] = {ROW: number}
        for column, (item, cell) in enumerate(zip(items, cells, strict=True), 1):
            record[item.id], problem = _value(item, cell, specification, month)
            problems += [f"{_place(number, column, item.name)}: {problem}"] if problem else []
        records.append(record)
    if problems:
        raise _refusal(problems)
    schema: dict[str, pl.DataType] = {item.id: pl.Date() if item.type.is_date else pl.String() for item in items}
    return pl.DataFrame(records, schema={ROW: pl.Int64(), **schema}, orient="row")


def _place(row: int, column: int, heading: str) -> str:
    return f"{address(row, column)} {row}行目 {heading}"


def _text_outside_form(book: Mapping[str, Rows], width: int) -> list[str]:
    """Text that would be ignored: next to the columns of the form, and on other sheets."""
    beside = [
        address(number, column)
        for number, row in enumerate(book[SHEET], 1)
        for column, cell in enumerate(row, 1)
        if column > width and not cell.is_blank
    ]
    sheets = [f"シート「{name}」" for name, rows in book.items() if name != SHEET and holds_anything(rows)]
    return [message("KR-7433").render(place=place) for place in (*beside, *sheets)]


def _refusal(problems: Sequence[str]) -> RenkeiError:
    """KR-7602 with the first problems."""
    more = f" 他{len(problems) - _SHOWN}件" if len(problems) > _SHOWN else ""
    return RenkeiError("KR-7602", problems="。".join(problems[:_SHOWN]) + more)


def _value(item: Item, cell: Cell, specification: Specification, month: dt.date) -> tuple[object, str]:
    """The value of a cell in the program's form, or what is wrong with it (without the value)."""
    if cell.fault is not None:
        return None, f"{cell.fault}なので読めません。値をそのまま書いてください"
    if cell.is_blank:
        return None, ""
    text = cell.text.strip()
    if item.code_table:
        names = {code.name: code.meaning for code in specification.codes_on(item.code_table, month)}
        return names.get(text), "" if text in names else "一覧から選んでください"
    if item.type.is_date:
        day = _day(text)
        return day, "" if day else "日付は 2026-04-01 の形で書いてください"
    if isinstance(cell.value, dt.date):
        return _of_a_day(item, cell.value)
    if isinstance(cell.value, float):
        return None, "小数は書けません"
    return text, ""


def _day(text: str) -> dt.date | None:
    digits = pl.lit(text.replace("-", "") if _WRITTEN_DAY.match(text) else "")
    found: dt.date | None = pl.select(digits.str.to_date("%Y%m%d", strict=False)).item()
    return found


def _of_a_day(item: Item, day: dt.date) -> tuple[object, str]:
    """The value of a date cell where no date is expected: Excel turns a typed 2026-02 into the first of the month."""
    if item.type.date_format.startswith("YYYY") and day.day == 1:
        return f"{day:%Y%m}" if item.type.date_format == "YYYYMM" else f"{day:%Y-%m}", ""
    if item.type.date_format:
        return None, "年月は 2026-04 の形で書いてください"
    return None, "日付になっています。セルの書式を文字列にして書き換えてください"


_WRITTEN_DAY = re.compile(r"^(\d{4}-\d{2}-\d{2}|\d{8})$")


def _compose(
    environment: Environment, specification: Specification, month: dt.date, data: pl.DataFrame
) -> tuple[dict[str, object], codec.Encoded]:
    """The typed records as a file, under the first file number that is free or already belongs to the same bytes."""
    ledger = environment.ledger
    for number in count(1):
        header = environment.monthly_header(month, ledger.now().date()) | {"file_number": f"{number:06d}"}
        encoded = codec.compose(specification, month, data, header)
        earlier = ledger.entries(direction=Direction.INBOUND, file_name=file_name(specification, header))
        if not earlier or any(entry.sha256 == encoded.sha256 for entry in earlier):
            break
    return header, encoded


def _form_problems(found: Sequence[Mapping[str, Any]], specification: Specification, data: pl.DataFrame) -> list[str]:
    """The findings of the file made of a form, with their places in the form: whoever typed it never sees the file."""
    items = [item.name for item in typed_items(specification)]
    rows = dict(enumerate(data[ROW], _first_line(specification)))
    problems = []
    for finding in found:
        row, heading = rows.get(finding.get("line", 0)), finding.get("item_name")
        if row is None:
            place = specification.layout.name
        elif heading in items:
            place = _place(row, items.index(heading) + 1, heading)
        else:
            place = f"{row}行目 {heading or ''}".strip()
        written = f"（書かれた値: {finding['value']}）" if heading and finding["value"] else ""
        values = {"name": finding["file"]} | {name: value for name, value in finding.items() if value is not None}
        problems.append(f"{place}: {finding['code']} {message(finding['code']).render(**values)}{written}")
    return problems


def _first_line(specification: Specification) -> int:
    """The line of the first data record in a file: every other record kind occurs once."""
    kinds = [record.kind for record in specification.records]
    return 1 + specification.format.header + kinds.index(specification.data.kind)


def _unwritable(encoded: codec.Encoded, specification: Specification, name: str) -> list[dict[str, Any]]:
    """The values that cannot be encoded, as findings at the lines where they would be."""
    of_data = pl.col("record_kind") == specification.data.kind
    line = pl.when(of_data).then(pl.col("record_number") - 1 + _first_line(specification)).cast(pl.UInt32)
    return from_problems(encoded.problems.with_columns(line.alias("line")), specification, name).to_dicts()


def _require_typed(environment: Environment, interface: str) -> None:
    if interface not in environment.settings.switched_off_interfaces:
        raise RenkeiError("KR-7603", interface=interface)


def import_form(
    environment: Environment, applied: receiving.Interfaces, interface: str, month: dt.date, path: Path, by: str
) -> list[ReceivedFile]:
    """Import a filled form as if the Union had sent it as a file. Returns the received file.

    KR-7603 when the interface is not switched off: its data arrives as files. KR-7602 when the form, or the file made of
    it, is invalid; nothing is imported then.
    """
    _require_typed(environment, interface)
    specification = environment.specification(interface, month)
    data = read_form(specification, month, path)
    header, encoded = _compose(environment, specification, month, data)
    name = file_name(specification, header)
    if encoded.problems.height:
        raise _refusal(_form_problems(_unwritable(encoded, specification, name), specification, data))
    outcome = receiving.validate_received(environment, applied, encoded.data, name, typed=True)
    if not outcome.accepted:
        raise _refusal(_form_problems(outcome.report["findings"], specification, data))
    recorder = environment.ledger.recorder(by)
    recorder.append_event(LedgerEvent.TYPED, interface=interface, month=month, records=data.height)
    own = Inbox(
        recorder, environment.file_store, partial(receiving.validate_received, environment, applied, typed=True)
    )
    return own.receive(InMemorySource({name: encoded.data}))
