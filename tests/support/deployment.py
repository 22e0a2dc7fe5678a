"""A municipality for tests of the monthly cycle: its settings, candidates typed in, a worksheet filled as a clerk would."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import polars as pl
from click.testing import CliRunner, Result

from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.configuration.calendar import monthly_days
from pipelines.configuration.settings import Settings
from pipelines.continuity import monthly
from pipelines.continuity.lists import Paper
from pipelines.continuity.reconcile import Reconciled
from pipelines.continuity.words import Words
from pipelines.continuity.worksheet import Worksheet
from pipelines.deployment import Environment
from pipelines.operations.inbound_interfaces import INBOUND
from pipelines.tables.eligibility import SentPeople
from pipelines.transfer.entry_form import FIRST_ROW, typed_items
from pipelines.transfer.manual_entry import import_form, write_form
from schemas.tables import Table
from tests.support.entries import DELIVERED, outbound_entry
from tests.support.rings import settings_lines

MONTH = dt.date(2026, 4, 1)
NOW = dt.datetime(2026, 5, 7, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
MONTHLY = ("continuity_candidates", "continuity_instruction", "continuity_result", "high_cost_handover")
DECISION, REMARK, DECIDED_BY, APPROVED_BY = range(13, 17)  # columns of the worksheet, as Excel counts them


def settings_file(folder: Path, switched_off: tuple[str, ...] = MONTHLY, more: str = "") -> Path:
    """A settings file; data and extracts are beside it."""
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
{settings_lines()}
""".replace("'", '"'),
        encoding="utf-8",
    )
    return path


def opened(folder: Path, now: dt.datetime = NOW, **options: object) -> Environment:
    """A deployment with its own clock."""
    return Environment.open(Settings.load(settings_file(folder, **options)), clock=lambda: now)  # type: ignore[arg-type]


def renkei(environment: Environment, *arguments: object) -> Result:
    """A command in the deployment, by the machine's own clock."""
    settings = environment.settings.data_folder.parent / "renkei.toml"
    result = CliRunner(env={"RENKEI_SETTINGS": str(settings)}).invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def codes(result: Result) -> list[str]:
    """The codes with which a command's lines begin."""
    return re.findall(r"^KR-\d{4}", result.output, re.MULTILINE)


def asked(environment: Environment, day: dt.date) -> list[tuple[str, str, str]]:
    """What is to be asked about a day, as `renkei linkage discrepancies` says: code, ours, theirs."""
    result = renkei(environment, "linkage", "discrepancies", "--date", day, "--json")
    assert result.exit_code == 0, result.output
    return [(row["code"], row["ours"], row["theirs"]) for row in json.loads(result.output)]


def refused(environment: Environment, *arguments: object) -> str:
    """What a command says that could not be done."""
    result = renkei(environment, *arguments)
    assert result.exit_code == 2, result.output
    return str(result.output)


def type_in(environment: Environment, interface: str, rows: pl.DataFrame, folder: Path, month: dt.date = MONTH) -> None:
    """Fill the form of an interface with canonical rows, and enter it."""
    path = filled_form(environment, interface, rows, folder, month)
    (arrived,) = import_form(environment, INBOUND, interface, month, path, "入力太郎")
    assert arrived.state == "verified"


def filled_form(
    environment: Environment, interface: str, rows: pl.DataFrame, folder: Path, month: dt.date = MONTH
) -> Path:
    """The form of an interface, filled with canonical rows as text."""
    path = folder / f"{interface}.xlsx"
    path.unlink(missing_ok=True)
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
        for row, value in enumerate(values, FIRST_ROW):
            text = value.isoformat() if isinstance(value, dt.date) else value
            sheet.cell(row, column, words.get(text, text))
    book.save(path)
    return path


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


def write_extract(
    environment: Environment, interface: str, rows: list[dict[str, object]], month: dt.date = MONTH
) -> Path:
    """An extract file as of the month's cut-off day, in the extract folder."""
    cut_off = monthly_days(environment.catalogue, month).cut_off
    specification = environment.specification(interface, cut_off)
    header: dict[str, object] = {"municipality_code": "999997", "processed_on": cut_off}
    schema = {item.id: pl.Date() if item.type.is_date else pl.String() for item in specification.data.items}
    data = pl.DataFrame(rows, schema={name: kind for name, kind in schema.items() if any(name in row for row in rows)})
    path = environment.settings.extract_folder / file_name(specification, header)
    path.write_bytes(codec.compose(specification, cut_off, data, header).data)
    return path


def benefit(household: str, month: str, amount: object = 5000, outpatient_only: str = "no") -> dict[str, object]:
    """A row of the benefit extract."""
    return {
        "household_number": household,
        "resident_number": "000000000000901",
        "treatment_month": month,
        "outpatient_only": outpatient_only,
        "total_cost": "500000",
        "high_cost_amount": str(amount),
    }


def household(number: str) -> dict[str, object]:
    """A row of the household extract."""
    return {
        "household_number": number,
        "certificate_number": "99000011",
        "head_resident_number": "000000000000901",
        "nominal_head": "no",
        "household_applied_on": dt.date(2019, 4, 1),
        "address": "合成県合成市一丁目",
        "changed_on": dt.date(2019, 4, 1),
    }


def whole(table: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """The table with what a test says of it; all else is null."""
    return pl.concat([table.empty(), frame], how="diagonal")


def send_days(environment: Environment, people: pl.DataFrame, month: dt.date = MONTH) -> None:
    """The ledger of a deployment whose last day of the month was sent with these people."""
    day = monthly_days(environment.catalogue, month).cut_off
    environment.store.write("sent_people", day.isoformat(), whole(SentPeople, people))
    for interface in ("eligibility_household", "eligibility_individual"):
        outbound_entry(environment.ledger, interface, day, interface, DELIVERED, operator="試験担当")


def confirm(environment: Environment, month: dt.date) -> Reconciled:
    """A month's confirmation as its step does it, with the tables of the step's assets."""
    known = monthly.reconciled(environment, month)
    monthly.write_results_page(environment, month, known.accepted_handovers)
    tables = {
        "handover_taken": known.accepted_handovers,
        "households_gone": known.gone,
        monthly.DISCREPANCIES: known.discrepancies,
    }
    for asset, table in tables.items():
        environment.store.write(asset, month.isoformat(), table)
    return known


def words(month: dt.date = MONTH) -> Words:
    """How the catalogue of the program shows the values of a month."""
    return Words.of(load_catalogue(), month)


def paper(month: dt.date = MONTH) -> Paper:
    """The head of a printed list of a month."""
    return Paper(month, "999997", words(month), NOW)


def worksheet_of(cases: pl.DataFrame, municipality: str = "999997", month: dt.date = MONTH) -> Worksheet:
    """The worksheet of these cases."""
    return Worksheet(cases, month, municipality, dt.date(2026, 5, 13), words(month))
