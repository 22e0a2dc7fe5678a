"""`renkei audit`: whatever is changed, removed or exchanged behind the program's back is found; the month's report."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from pipelines.configuration.calendar import TOKYO
from pipelines.configuration.settings import Settings
from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.exchange.batch import Batch
from pipelines.exchange.ledger.states import LedgerEvent, Origin
from pipelines.exchange.outbox import Outbox
from pipelines.exchange.quarantine import reject
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.operations.audit_report import SHEETS
from pipelines.operations.audit_verification import verify
from tests.support.applying import apply_monthly, receive_from
from tests.support.candidates import listed
from tests.support.deployment import MONTH, fill, opened, settings_file, type_in
from tests.support.paths import ROOT

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


def audited(*options: str) -> Result:
    result = CliRunner().invoke(main, ["audit", "verify", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_an_untouched_deployment_agrees(environment: Environment) -> None:
    found = verify(environment, "監査花子")
    assert (found.faults, found.files, found.decisions) == ([], 2, 2)
    result = audited("--by", "監査花子")
    assert result.exit_code == 0
    assert result.output.endswith("ファイル 2件、判定 2件: 不一致 0件\n")
    shown = dict(line.split(": ", 1) for line in result.output.splitlines())
    events = environment.ledger.events()
    assert shown["照合した者"] == "監査花子"
    assert shown["台帳の記録"].startswith(f"{len(events)}行（2026-05-07 10:00:00 から 2026-05-07 10:00:00 まで）")
    assert shown["最終行のハッシュ値"] == events[-1].row_hash
    assert shown["開いて照合した控え"] == "送付 1件、受領 1件（消去済みのため対象外 0件）"
    records = environment.keys.current("records")
    assert shown["控えを開いた鍵"] == f"{records.name}（証明書の SHA-256 {records.fingerprint}）"
    assert shown["連合会のフォルダ"] == "照合していない"


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


def written(folder: Path, *options: str) -> tuple[dict[str, list[list[str]]], str]:
    """The report as an Excel book, sheet by sheet, and what the command says."""
    path = folder / "監査.xlsx"
    result = CliRunner().invoke(main, ["audit", "report", *options, "--to", str(path)])
    assert result.exit_code == 0, result.output
    assert path.stat().st_mode & 0o077 == 0
    book = openpyxl.load_workbook(path)
    return {sheet.title: [[cell or "" for cell in row] for row in sheet.values] for sheet in book}, result.output


def rows(book: dict[str, list[list[str]]], name: str) -> list[dict[str, str]]:
    _, heading, *cells = book[name]
    return [dict(zip(heading, row, strict=True)) for row in cells]


BY_DEED, BY_PROCESSED = ("--month", "2026-05"), ("--target-month", "2026-04")


def test_the_report_of_a_month(environment: Environment, tmp_path: Path) -> None:
    book, said = written(tmp_path, *BY_DEED)
    assert "送付記録 1件、受領 1件、継続の判定 2件、承認 0件、手作業 2件、時間外 0件" in said
    assert tuple(book) == ("表紙", *SHEETS)
    (sent,) = rows(book, "送付記録")
    assert [sent[name] for name in ("対象", "インタフェース", "ファイル名", "件数", "現在の状態", "起動")] == [
        "2026年4月",
        "継続世帯の確定指示",
        "KRKKS_999997_202604_000001.csv",
        "2",
        "送付済み",
        "人（コマンド）",
    ]
    decided = rows(book, "継続の判定")
    assert [(row["月"], row["判定"], row["判定者"]) for row in decided] == [
        ("2026年4月", "継続", DECIDED),
        ("2026年4月", "非継続", DECIDED),
    ]
    by_hand = rows(book, "手作業")
    assert [(row["処理内容"], row["対象"]) for row in by_hand] == [
        ("入力票の取込み", "2026年4月"),
        ("判定表の取込み", "2026年4月"),
    ]


def test_the_cover_says_what_was_proved(environment: Environment, tmp_path: Path) -> None:
    cover = {row[0]: row[1] for row in written(tmp_path, *BY_DEED, "--by", "監査花子")[0]["表紙"]}
    last = environment.ledger.events()[-1]
    assert cover["市区町村"] == "市区町村コード 999997、保険者番号 990010"
    assert cover["対象"] == "2026年5月1日（金）から2026年5月31日（日）までの行為"
    assert cover["作成者"] == "監査花子"
    assert cover["最終行のハッシュ値"] == f"{last.row_hash}（{last.sequence}行目）"
    assert cover["照合の結果"] == "不一致 0件"
    assert "openssl cms -decrypt" in cover["確認 4"]
    assert "監査者（氏名・日付・印）" in cover


def test_a_fault_stands_on_the_cover(environment: Environment, tmp_path: Path) -> None:
    changed_approver(environment)
    cover = {row[0]: row[1] for row in written(tmp_path, *BY_DEED)[0]["表紙"]}
    assert cover["照合の結果"] == "不一致 1件"
    assert "KR-6402" in cover


def test_one_page_answers_what_an_auditor_asks(environment: Environment, tmp_path: Path) -> None:
    answers = {row["問い"]: row for row in rows(written(tmp_path, *BY_DEED)[0], "まとめ")}
    decided = answers["継続候補世帯をすべて判定したか"]
    assert (decided["答え"], decided["件数と内容"]) == (
        "はい",
        "2026年4月: 候補 2件、判定済み 2件（うち保留 0件）、未判定 0件",
    )
    assert answers["同じものを一度だけ送付したか"]["答え"] == "はい"
    answered = answers["送付したファイルに連合会の返事があったか"]
    assert (answered["答え"], answered["件数と内容"]) == ("要確認", "受付 0件、却下 0件、返事なし 1件")
    assert answers["手作業には理由が記録されているか"]["件数と内容"] == "入力票の取込み 1件、判定表の取込み 1件"
    assert answers["消去したものは記録されているか"]["答え"] == "該当なし"


def test_a_month_is_asked_for_by_the_deed_or_by_the_processing_month(environment: Environment, tmp_path: Path) -> None:
    for options in (BY_DEED, BY_PROCESSED):
        book, _ = written(tmp_path, *options)
        assert [len(rows(book, name)) for name in ("送付記録", "受領", "継続の判定")] == [1, 1, 2], options
    for options in (("--month", "2026-04"), ("--target-month", "2026-05")):
        book, said = written(tmp_path, *options)
        assert [len(rows(book, name)) for name in ("送付記録", "受領", "継続の判定")] == [0, 0, 0], options
        assert "記録のある行為の月: 2026年5月\n" in said
        assert "記録のある処理年月: 2026年4月\n" in said
    result = CliRunner().invoke(main, ["audit", "report", *BY_DEED, *BY_PROCESSED, "--to", str(tmp_path / "x.html")])
    assert (result.exit_code, "どちらか一つ" in result.output) == (2, True)


def test_the_page_is_the_book(environment: Environment, tmp_path: Path) -> None:
    path = tmp_path / "監査.html"
    result = CliRunner().invoke(main, ["audit", "report", *BY_DEED, "--to", str(path)])
    assert result.exit_code == 0, result.output
    page = path.read_text(encoding="utf-8")
    last = environment.ledger.events()[-1]
    for text in ("監査報告書　2026年5月（行為の月）", last.row_hash, "KRKKS_999997_202604_000001.csv", *SHEETS):
        assert text in page


def quarantined(environment: Environment) -> None:
    """A file of which nobody knows what it is, in quarantine; then a person rejects it."""
    folder = environment.settings.data_folder.parent / "from_union"
    folder.mkdir()
    path = folder / "KRKOJ_999997_20260501_000001.csv"
    path.write_bytes(b"no record\r\n")
    os.utime(path, (0, 0))  # written to the end long ago
    (received,) = receive_from(environment, LocalFolderTransport(folder), "試験担当")
    assert received.entry is not None
    reject(environment.recorder(), received.entry.id, "連合会が再送")


def test_exceptions_come_first_with_their_ending(environment: Environment, tmp_path: Path) -> None:
    quarantined(environment)
    book, _ = written(tmp_path, *BY_DEED)
    found = [row for row in rows(book, "例外") if row["種類"] in ("隔離", "却下")]
    assert [(row["種類"], row["ファイル名・対象"]) for row in found] == [
        ("却下", "KRKOJ_999997_20260501_000001.csv"),
        ("隔離", "KRKOJ_999997_20260501_000001.csv"),
    ]
    assert found[1]["その後"] == "却下。隔離したファイルの却下 2026-05-07 10:00:00 試験担当（連合会が再送）"
    answers = {row["問い"]: row for row in rows(book, "まとめ")}
    assert answers["隔離したファイルの処置を決めたか"]["答え"] == "はい"
    assert answers["例外（予定どおりでなかったこと）はないか"]["答え"] == "要確認"
    assert list(book)[:3] == ["表紙", "まとめ", "例外"]


def test_a_lost_extract_and_a_failed_run_are_exceptions(environment: Environment, tmp_path: Path) -> None:
    environment.recorder().append_event(
        LedgerEvent.LOSS_CONFIRMED, interface="insured_extract", partition=MONTH, before=100, now=60, reason="統合"
    )
    alert = {"time": "2026-05-07T18:05:00+09:00", "job": "daily_out", "partition": "2026-05-07", "run_id": "r"}
    codes = [{"code": "KR-7201", "title": "", "count": 1, "runbook": ""}]
    line = json.dumps({**alert, "codes": codes, "command": "renkei rerun --failed"})
    (environment.settings.data_folder / "alerts.log").write_text(f"{line}\n", encoding="utf-8")
    found = {row["種類"]: row for row in rows(written(tmp_path, *BY_DEED)[0], "例外")}
    assert found["抽出の減少"]["内容・理由"] == "抽出の減少の確認。100行から60行。統合"
    assert found["失敗"]["内容・理由"].startswith("KR-7201 ")
    assert found["失敗"]["日時"] == "2026-05-07 18:05:00"


NIGHT = dt.datetime(2026, 5, 7, 23, 30, tzinfo=TOKYO)
HOLIDAY = dt.datetime(2026, 5, 5, 10, 0, tzinfo=TOKYO)
NOON = dt.datetime(2026, 5, 7, 12, 0, tzinfo=TOKYO)


def at(folder: Path, now: dt.datetime, origin: Origin) -> Environment:
    return Environment.open(Settings.load(settings_file(folder)), clock=lambda: now, origin=origin)


def test_what_people_did_out_of_hours_is_summed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))
    opened(tmp_path, now=NOON)
    for now, origin in (
        (NOON, Origin.COMMAND),
        (HOLIDAY, Origin.COMMAND),
        (NIGHT, Origin.COMMAND),
        (NIGHT, Origin.SCREEN),
        (NIGHT, Origin.SCHEDULE),
    ):
        recorder = at(tmp_path, now, origin).ledger.recorder("夜の人")
        recorder.append_event(LedgerEvent.QUIET_DAY, partition=MONTH)
    found = rows(written(tmp_path, "--month", "2026-05")[0], "時間外")
    assert [list(row.values()) for row in found] == [
        ["夜の人", "人（コマンド）", "異動のない日", "2", "1", "2026-05-05 10:00:00", "2026-05-07 23:30:00"],
        ["夜の人", "人（画面）", "異動のない日", "1", "0", "2026-05-07 23:30:00", "2026-05-07 23:30:00"],
    ]


def test_of_older_records_only_what_a_person_must_have_done_is_out_of_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))
    night = opened(tmp_path, now=NIGHT)
    monkeypatch.setattr("pipelines.exchange.ledger.recording.ORIGIN", "before")  # as a program that did not record it
    night.recorder().append_event(LedgerEvent.QUIET_DAY, partition=MONTH)
    night.recorder().append_event(LedgerEvent.KEY_ROTATED, purpose="records", key="records-2", reason="年次")
    found = rows(written(tmp_path, "--month", "2026-05")[0], "時間外")
    assert [(row["処理内容"], row["起動"]) for row in found if row["起動"] == "記録なし"] == [("鍵の更新", "記録なし")]


CHECK = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.DOTALL)


def checked_without_the_program(environment: Environment, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program of docs/operations.md, on a copy of the ledger, by a Python that knows nothing of ours."""
    copy = folder / "copy.sqlite"
    with database(environment) as connection, sqlite3.connect(copy) as target:
        connection.backup(target)
    assert CHECK is not None
    return subprocess.run(
        [sys.executable, "-I", "-c", CHECK[1], str(copy)], capture_output=True, text=True, check=False
    )


def test_the_chain_is_checked_without_this_program(environment: Environment, tmp_path: Path) -> None:
    last = environment.ledger.events()[-1]
    assert checked_without_the_program(environment, tmp_path).stdout == f"{last.sequence} {last.row_hash}\n"


@pytest.mark.parametrize("tamper", [changed_event, removed_event, swapped_events])
def test_without_this_program_too_what_was_touched_is_found(
    environment: Environment, tmp_path: Path, tamper: Callable[[Environment], None]
) -> None:
    tamper(environment)
    found = checked_without_the_program(environment, tmp_path)
    assert (found.returncode, "AssertionError: row" in found.stderr) == (1, True)


def test_a_copy_is_checked_without_this_program(environment: Environment, openssl: Path, tmp_path: Path) -> None:
    (sent,) = rows(written(tmp_path, *BY_DEED)[0], "送付記録")
    copy = next((environment.settings.data_folder / "outbox").rglob("*.p7m"))
    pair = environment.keys.current("records")
    certificate = pair.key_path.with_name("records-1.cert.pem")
    passphrase = environment.settings.passphrase_file
    decrypting: list[str | Path] = [
        openssl,
        "cms",
        "-decrypt",
        "-binary",
        "-inform",
        "DER",
        "-in",
        copy,
        "-recip",
        certificate,
    ]
    content = subprocess.run(
        [*decrypting, "-inkey", pair.key_path, "-passin", f"file:{passphrase}"], capture_output=True, check=True
    ).stdout
    assert hashlib.sha256(content).hexdigest() == sent["SHA-256"]


def test_a_list_that_has_not_come_is_not_decided(environment: Environment, tmp_path: Path) -> None:
    """The candidates of March were due in April: nothing of them is there."""
    answers = {row["問い"]: row for row in rows(written(tmp_path, "--target-month", "2026-03")[0], "まとめ")}
    decided = answers["継続候補世帯をすべて判定したか"]
    assert decided["答え"] == "要確認"
    assert decided["件数と内容"].startswith("2026年3月: 継続候補世帯リストは未着")
