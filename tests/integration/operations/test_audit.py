"""`renkei audit`: whatever is changed, removed or exchanged behind the program's back is found; the month's report."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.exchange.batch import Batch
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.exchange.outbox import Outbox
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.operations.audit_report import SHEETS, report
from pipelines.operations.audit_verification import verify
from tests.support.applying import apply_monthly
from tests.support.candidates import listed
from tests.support.deployment import MONTH, fill, opened, type_in

DECIDED = "給付太郎"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A month up to its instruction: a typed list, decisions, a file sent to a folder."""
    made = opened(tmp_path, switched_off=("continuity_candidates",))
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))
    type_in(made, "continuity_candidates", listed("whole_household_moves", "member_moves_out_alone"), tmp_path)
    apply_monthly(made)
    path = monthly.make_worksheet(made, MONTH).path
    monthly.import_worksheet(made, fill(path))
    file, _ = monthly.build_instruction(made, MONTH)
    assert file is not None
    (tmp_path / "union").mkdir()
    batch = Batch(MONTH, (file,), carried_by_later=False)
    Outbox(made.recorder(), made.file_store).send(batch, LocalFolderTransport(tmp_path / "union"))
    return made


def audited() -> Result:
    result = CliRunner().invoke(main, ["audit", "verify"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_an_untouched_deployment_agrees(environment: Environment) -> None:
    found = verify(environment)
    assert (found.faults, found.files, found.decisions) == ([], 2, 2)
    result = audited()
    assert result.exit_code == 0
    assert "ファイル 2件、判定 2件: 不一致 0件" in result.output


def database(environment: Environment) -> sqlite3.Connection:
    return sqlite3.connect(environment.settings.data_folder / "ledger.sqlite")


def without_guard(environment: Environment, *statements: str) -> None:
    """As somebody would who can write the database file."""
    with database(environment) as connection:
        for name in ("events_keep_rows", "events_keep_text"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement)


def changed_event(environment: Environment) -> None:
    without_guard(environment, "UPDATE events SET operator = '別人' WHERE sequence = 3")


def removed_event(environment: Environment) -> None:
    without_guard(environment, "DELETE FROM events WHERE sequence = 4")


def swapped_events(environment: Environment) -> None:
    without_guard(
        environment,
        "UPDATE events SET sequence = 9999 WHERE sequence = 3",
        "UPDATE events SET sequence = 3 WHERE sequence = 4",
        "UPDATE events SET sequence = 4 WHERE sequence = 9999",
    )


def changed_decision(environment: Environment) -> None:
    without_guard(environment, "UPDATE continuity_decisions SET decision = 'continued' WHERE sequence = 2")


def changed_approver(environment: Environment) -> None:
    without_guard(environment, "UPDATE continuity_decisions SET approved_by = '別人' WHERE sequence = 1")


def removed_decision(environment: Environment) -> None:
    without_guard(environment, "DELETE FROM continuity_decisions WHERE sequence = 2")


def added_decision(environment: Environment) -> None:
    names = (
        "month, candidate_number, proposal, rule, decision, remark, decided_by, approved_by, facts_sha256,"
        " worksheet_sha256, at, operator"
    )
    without_guard(
        environment,
        f"INSERT INTO continuity_decisions (sequence, {names}) SELECT 99, {names} FROM continuity_decisions WHERE sequence = 1",  # noqa: S608
    )


def changed_archive(environment: Environment) -> None:
    path = next((environment.settings.data_folder / "archive").rglob("*.p7m"))
    environment.file_store.put(path, environment.file_store.read(path).replace(b"20260410", b"20260411"))


def removed_archive(environment: Environment) -> None:
    next((environment.settings.data_folder / "archive").rglob("*.p7m")).unlink()


def changed_outbox(environment: Environment) -> None:
    path = next((environment.settings.data_folder / "outbox").rglob("*.p7m"))
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (changed_event, "KR-6121"),
        (removed_event, "KR-6122"),
        (swapped_events, "KR-6121"),
        (changed_decision, "KR-6402"),
        (changed_approver, "KR-6402"),
        (removed_decision, "KR-6402"),
        (added_decision, "KR-6402"),
        (changed_archive, "KR-6313"),
        (removed_archive, "KR-6313"),
        (changed_outbox, "KR-6401"),
    ],
)
def test_what_was_touched_is_found(environment: Environment, tamper: Callable[[Environment], None], code: str) -> None:
    tamper(environment)
    result = audited()
    assert result.exit_code == 1
    assert code in result.output
    assert "対処: " in result.output


def test_the_report_of_a_month(environment: Environment, tmp_path: Path) -> None:
    path = tmp_path / "監査.xlsx"
    result = CliRunner().invoke(main, ["audit", "report", "--month", "2026-05", "--to", str(path)])
    assert result.output == (
        "送付記録 1件、受領 1件、継続の判定 2件、承認 0件、媒体管理簿 0件、鍵 0件、消去 0件、手作業 2件、時間外 0件\n"
    )
    book = openpyxl.load_workbook(path)
    assert tuple(book.sheetnames) == tuple(SHEETS)
    sent = [cell.value for cell in book["送付記録"][2]]
    assert sent[2:5] == ["継続世帯の確定指示", "KRKKS_999997_202604_000001.csv", "2"]
    assert sent[6] == "送付済み"
    decided = [[cell.value for cell in row] for row in book["継続の判定"].iter_rows(min_row=2)]
    assert [row[5] for row in decided] == ["継続", "非継続"]
    assert {row[7] for row in decided} == {DECIDED}
    assert path.stat().st_mode & 0o077 == 0
    assert report(environment, dt.date(2026, 6, 1))["送付記録"].is_empty()


def test_work_outside_business_hours_is_named(tmp_path: Path) -> None:
    night = dt.datetime(2026, 5, 7, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    holiday = dt.datetime(2026, 5, 5, 10, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    for now in (night, holiday):
        folder = tmp_path / now.strftime("%d")
        made = opened(folder, now=now)
        made.ledger.recorder("夜の人").append_event(LedgerEvent.ALREADY_SENT, month=MONTH)
        rows = report(made, dt.date(2026, 5, 1))["時間外"].rows()
        assert rows == [(now.strftime("%Y-%m-%d %H:%M:%S"), "already_sent", "2026-04-01", "夜の人")]
