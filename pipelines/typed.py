"""What a clerk types from the Union's screen, for interfaces that are switched off: a form per specification, both ways.

A filled form becomes the file that the Union would have sent, and goes the way of every file that arrives: archived,
judged, in the ledger. Nothing here knows what an interface means.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import polars as pl
import xlsxwriter

from interfaces import codec
from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from interfaces.spec import Item, Specification
from pipelines import arrival
from pipelines.environment import Environment
from pipelines.exchange.files import write_durably
from pipelines.exchange.inbox import Arrival, collect
from pipelines.exchange.lock import drafts
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.workbooks import read_book

SHEET = "入力"
# What the program fills in itself: it is the same in every record.
FILLED = frozenset({"record_kind", "record_number", "data_kind", "insurer_number", "municipality_code"})
_ROWS = 500
_CREATED = dt.datetime(2018, 4, 1)  # noqa: DTZ001  no clock in a file
_SHOWN = 20


def typed_items(specification: Specification) -> list[Item]:
    """The items that a person types, in the order of the specification."""
    return [item for item in specification.data.items if item.id not in FILLED]


def write_form(environment: Environment, interface: str, month: dt.date, path: Path) -> None:
    """An empty form of an interface: one column per item, drop-downs for coded items, dates as YYYY-MM-DD.

    KR-7603 when the interface is not switched off: nobody could enter the form.
    """
    _require_typed(environment, interface)
    specification = environment.specification(interface, month)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"created": _CREATED, "title": specification.plan.name})
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
    path.chmod(0o600)


def read_form(specification: Specification, month: dt.date, path: Path) -> pl.DataFrame:
    """The typed records, canonical. KR-7602 for anything that cannot be read; errors of the book as in `read_book`."""
    book = read_book(path, results=True)
    items = typed_items(specification)
    if SHEET not in book:
        raise RenkeiError("KR-7602", problems=f"シート「{SHEET}」がありません")
    rows = [row[: len(items)] for row in book[SHEET]]
    if not rows or [str(cell or "") for cell in rows[0]] != [item.name for item in items]:
        raise RenkeiError("KR-7602", problems="見出しが変わっています")
    problems: list[str] = []
    records = [
        {
            item.id: _value(item, cell, specification, month, number, problems)
            for item, cell in zip(items, row, strict=True)
        }
        for number, row in enumerate(rows[1:], 2)
        if any(cell not in (None, "") for cell in row)
    ]
    if problems:
        more = f" 他{len(problems) - _SHOWN}件" if len(problems) > _SHOWN else ""
        raise RenkeiError("KR-7602", problems="。".join(problems[:_SHOWN]) + more)
    schema = {item.id: pl.Date() if item.type.is_date else pl.String() for item in items}
    return pl.DataFrame(records, schema=schema, orient="row")


def _value(
    item: Item, cell: object, specification: Specification, month: dt.date, row: int, problems: list[str]
) -> object:
    """One cell as the program's value; what cannot be one is a problem at its row and item, without the value."""
    if cell in (None, ""):
        return None
    text = str(cell).strip()
    if item.code_table:
        names = {code.name: code.meaning for code in specification.codes_on(item.code_table, month)}
        if text not in names:
            problems.append(f"{row}行目 {item.name}: 一覧から選んでください")
        return names.get(text)
    if not item.type.is_date:
        return text
    if isinstance(cell, dt.datetime):
        return cell.date()
    digits = pl.lit(text.replace("-", "") if _WRITTEN_DAY.match(text) else "")
    day = pl.select(digits.str.to_date("%Y%m%d", strict=False)).item()
    if day is None:
        problems.append(f"{row}行目 {item.name}: 日付は 2026-04-01 の形で書いてください")
    return day


_WRITTEN_DAY = re.compile(r"^(\d{4}-\d{2}-\d{2}|\d{8})$")


def _composed(
    environment: Environment, specification: Specification, month: dt.date, data: pl.DataFrame
) -> tuple[dict[str, object], codec.Encoded]:
    """The typed records as a file, under the first number that is free or already stands for these very bytes."""
    ledger = environment.ledger
    for number in count(1):
        header = environment.monthly_header(month, ledger.now().date()) | {"file_number": f"{number:06d}"}
        encoded = codec.compose(specification, month, data, header)
        known = ledger.entries(direction="inbound", file_name=file_name(specification, header))
        if not known or any(entry.sha256 == encoded.sha256 for entry in known):
            break
    return header, encoded


def _require_typed(environment: Environment, interface: str) -> None:
    if interface not in environment.settings.switched_off_interfaces:
        raise RenkeiError("KR-7603", interface=interface)


def enter(environment: Environment, interface: str, month: dt.date, path: Path, by: str) -> list[Arrival]:
    """Take a filled form as if the Union had sent it as a file. Gives what became of it.

    KR-7603 when the interface is not switched off: what comes as a file is not typed. KR-7602 when the form, or the
    file made of it, is wrong; nothing is taken then.
    """
    _require_typed(environment, interface)
    specification = environment.specification(interface, month)
    data = read_form(specification, month, path)
    header, encoded = _composed(environment, specification, month, data)
    name = file_name(specification, header)
    with drafts(environment.settings.data_folder) as folder:
        draft = folder / "union" / name
        write_durably(draft, encoded.data)
        judgement = arrival.judge(environment, draft, name, typed=True)
        if encoded.problems.height or not judgement.accepted:
            said = [str(one["message"]) for one in judgement.report["findings"]] or list(encoded.problems["code"])
            raise RenkeiError("KR-7602", problems="。".join(said[:_SHOWN]))
        with closing(LocalFolderTransport(draft.parent)) as transport:
            environment.ledger.note("typed", operator=by, interface=interface, month=month, records=data.height)
            return collect(
                environment.ledger, transport, environment.safe,
                partial(arrival.judge, environment, typed=True), by, None,
            )  # fmt: skip
