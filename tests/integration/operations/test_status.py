"""`renkei status`: one screen on a living, an empty, a busy and a damaged deployment, as JSON, as a page and as a mail."""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from dagster._daemon.types import DaemonHeartbeat

from pipelines.deployment import Environment
from pipelines.orchestration.home import dagster_home
from pipelines.tables.eligibility import WithheldPeople
from tests.support.clocks import TOKYO, Clock, Desk
from tests.support.deployment import opened, renkei, settings_file, whole
from tests.support.entries import answered, outbound_entry, sent_day
from tests.support.servers import free_port

# Thursday and Friday; the day looked at is Monday the 13th, 10 o'clock in Tokyo.
THU, FRI, MON = dt.date(2026, 4, 9), dt.date(2026, 4, 10), dt.date(2026, 4, 13)
MORNING, EVENING = dt.datetime(2026, 4, 13, 10, 0, tzinfo=TOKYO), dt.datetime(2026, 4, 10, 18, 0, tzinfo=TOKYO)
ANSWERS = ("acquisition_loss_linkage", "municipal_id_linkage", "verification_list", "reception_result")
SINCE_THURSDAY = "first_day = 2026-04-09\n"


class Operator:
    """Somebody at the command line of a deployment, at a time of day."""

    def __init__(self, folder: Path, clock: Clock, desk: Desk) -> None:
        self.folder, self._clock, self._desk = folder, clock, desk

    def open(self, more: str = "") -> Environment:
        """The deployment in the evening of Friday; it began on Thursday."""
        return opened(self.folder, now=EVENING, switched_off=(), more=SINCE_THURSDAY + more)

    def status(self, *arguments: object, at: dt.datetime = MORNING) -> tuple[int, str, str]:
        """Exit status, output and errors of the command."""
        self._clock.set(at)
        done = self._desk.renkei("status", *map(str, arguments))
        return done.returncode, done.stdout, done.stderr

    def shown(self) -> dict[str, Any]:
        """What `--json` says."""
        shown: dict[str, Any] = json.loads(self.status("--json")[1])
        return shown


@pytest.fixture(scope="module")
def office(faketime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Clock, Desk]]:
    """One process for all commands of this module; each test puts its own folder in the place of `current`."""
    folder = tmp_path_factory.mktemp("office")
    clock = Clock(folder / "clock", faketime, MORNING)
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "DAGSTER"))}
    given |= {"RENKEI_SETTINGS": str(folder / "current" / "renkei.toml"), "TZ": "Asia/Tokyo"}
    with closing(Desk(clock, given)) as desk:
        yield folder / "current", clock, desk


@pytest.fixture
def desk(tmp_path: Path, office: tuple[Path, Clock, Desk]) -> Operator:
    current, clock, process = office
    current.unlink(missing_ok=True)
    current.symlink_to(tmp_path)
    return Operator(tmp_path, clock, process)


def withhold(environment: Environment, day: dt.date) -> None:
    """Two at fault themselves, one more with two in the same household, and a household without persons."""
    rows = [
        ("000000000000001", "h1", "本人の誤り", ["KR-2001"]),
        ("000000000000002", "h1", "同じ世帯の人の誤り", []),
        ("000000000000003", "h1", "同じ世帯の人の誤り", []),
        ("000000000000004", "h2", "本人の誤り", ["KR-2001", "KR-3003"]),
        (None, "h3", "世帯の誤り", ["KR-5004"]),
    ]
    frame = pl.DataFrame(rows, schema=["resident_number", "household_number", "reason", "codes"], orient="row")
    environment.store.write("withheld_list", day.isoformat(), whole(WithheldPeople, frame))


def test_a_sound_deployment_has_nothing_to_do(desk: Operator) -> None:
    environment = desk.open()
    for day in (THU, FRI):
        sent_day(environment.ledger, day, "accepted")
        answered(environment.ledger, day, *ANSWERS)
    ending, output, errors = desk.status()
    assert (ending, errors) == (0, ""), output
    lines = output.splitlines()
    assert lines[0] == "処理状況一覧　2026-04-13（月）10:00 現在　市町村 999997"
    assert lines[lines.index("■ 日次（新しい順）") + 1 :][:3] == [
        "04-13（月） 未送付  応答 0/4",
        "04-10（金） 受付済み 1人  応答 4/4",
        "04-09（木） 受付済み 1人  応答 4/4",
    ]
    assert "2026-04 次は 高額該当情報・所得区分の送付（期日 2026-04-30）" in lines
    assert lines[lines.index("■ 次にすること") + 1 :] == ["ありません"]


def test_a_deployment_that_has_ended_shows_its_last_days(desk: Operator) -> None:
    environment = desk.open("last_day = 2026-04-10\n")
    for day in (THU, FRI):
        sent_day(environment.ledger, day, "accepted")
        answered(environment.ledger, day, *ANSWERS)
    shown = desk.shown()
    assert [day["day"] for day in shown["days"]] == ["2026-04-10", "2026-04-09"]
    assert (shown["exit_status"], shown["actions"]) == (0, [])


def test_what_waits_is_counted_with_the_command_to_copy(desk: Operator) -> None:
    environment = desk.open()
    sent_day(environment.ledger, THU, "accepted")
    withhold(environment, THU)
    answered(environment.ledger, THU, *ANSWERS[:3])
    (faulty,) = answered(environment.ledger, THU, ANSWERS[3], state="quarantined")
    outbound_entry(environment.ledger, "eligibility_household", FRI, "large.csv")
    ending, output, _ = desk.status()
    assert ending == 1
    assert "04-09（木） 受付済み 1人  応答 3/4  隔離 1件  要修正 2人（同一世帯を含め4人）" in output
    for cause in ("    KR-2001 必須項目の未入力 2人", "    KR-3003 ", "    KR-5004 "):
        assert cause in output
    shown = desk.shown()
    assert shown["days"][2]["withheld"] == {
        "persons": 2,
        "with_households": 4,
        "by_code": {"KR-2001": 2, "KR-3003": 1, "KR-5004": 1},
    }
    commands = [action["command"] for action in shown["actions"]]
    assert commands == [
        f"renkei quarantine show {faulty.id}",
        "renkei approve --date 2026-04-10",
        "renkei run daily --date 2026-04-10 --only out",
        "renkei withheld --date 2026-04-09",
    ]
    assert all(command in output for command in commands)
    assert (shown["exit_status"], shown["oldest_age"]) == (1, 0)


def test_before_the_first_day_it_says_so_and_makes_nothing(desk: Operator) -> None:
    settings_file(desk.folder, ())
    before = sorted(desk.folder.rglob("*"))
    ending, output, errors = desk.status()
    assert (ending, errors) == (1, "")
    assert "まだ一度も送付していません" in output
    assert "renkei doctor" in output
    assert sorted(desk.folder.rglob("*")) == before


def test_a_ledger_that_cannot_be_read_hides_nothing_else(desk: Operator) -> None:
    environment = desk.open()
    sent_day(environment.ledger, FRI, "accepted")
    withhold(environment, FRI)
    environment.ledger.close()
    file = desk.folder / "data" / "ledger.sqlite"
    for damage in (b"no database" * 1000, None):
        for side in desk.folder.glob("data/ledger.sqlite-*"):
            side.unlink()
        file.unlink()
        if damage:
            file.write_bytes(damage)
        ending, output, errors = desk.status()
        assert (ending, errors) == (2, ""), output
        assert ("KR-6105" if damage else "KR-6107") in output
        assert "対処: " in output
        assert "ディスク: 空き " in output
        assert file.exists() == bool(damage)
        assert desk.shown()["unknown"][0]["code"] == ("KR-6105" if damage else "KR-6107")


def test_another_process_writing_is_not_waited_for(desk: Operator) -> None:
    environment = desk.open()
    sent_day(environment.ledger, FRI, "accepted")
    with closing(sqlite3.connect(desk.folder / "data" / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE entries SET state = 'rejected'")
        ending, output, _ = desk.status()
        other.execute("ROLLBACK")
    assert ending == 1  # Thursday was not sent
    assert "04-10（金） 受付済み" in output


def heartbeat(instance: dg.DagsterInstance, at: dt.datetime) -> None:
    for daemon in ("SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR"):
        instance.add_daemon_heartbeat(DaemonHeartbeat(at.timestamp(), daemon, "one", []))


def run_of(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, day: dt.date) -> None:
    @dg.job(name="daily_out", partitions_def=dg.DailyPartitionsDefinition("2026-04-01"))
    def job() -> None:
        """Nothing."""

    instance.create_run_for_job(job, status=status, tags={"dagster/partition": day.isoformat()})


def test_the_daemon_and_the_runs_are_read_from_its_records(desk: Operator) -> None:
    environment = desk.open()
    for day in (THU, FRI):
        sent_day(environment.ledger, day, "accepted")
        answered(environment.ledger, day, *ANSWERS)
    now = dt.datetime(2026, 4, 13, 10, 0, tzinfo=EVENING.tzinfo)
    with dg.DagsterInstance.from_config(str(dagster_home(environment.settings))) as instance:
        heartbeat(instance, now - dt.timedelta(minutes=1))
        run_of(instance, dg.DagsterRunStatus.FAILURE, THU)
        run_of(instance, dg.DagsterRunStatus.SUCCESS, THU)
        run_of(instance, dg.DagsterRunStatus.STARTED, MON)
        ending, output, _ = desk.status()
        assert "daemon: 動いています（04-13 09:59）" in output
        assert "実行中: 日次の送付 2026-04-13" in output
        assert ending == 0, output
        run_of(instance, dg.DagsterRunStatus.FAILURE, FRI)
        heartbeat(instance, now - dt.timedelta(hours=3))
        ending, output, _ = desk.status()
    assert ending == 1
    assert "daemon: 止まっています（最後の記録 04-13 07:00）" in output
    assert "renkei rerun --failed --from 2026-04-10 --to 2026-04-10" in output
    assert "2026-04-09 --to" not in output


def test_the_page_says_the_same_and_escapes_everything(desk: Operator) -> None:
    environment = desk.open()
    sent_day(environment.ledger, FRI, "accepted")
    withhold(environment, FRI)
    answered(environment.ledger, FRI, ANSWERS[0], state="quarantined")
    outbound_entry(environment.ledger, "eligibility_household", THU, "<b>.csv")
    page = desk.folder / "朝.html"
    assert desk.status("--html", page)[0] == 1
    text = page.read_text(encoding="utf-8")
    for shown in (
        "処理状況一覧",
        "することが",
        "04-10（金）",
        "KR-2001 必須項目の未入力 2人",
        "renkei quarantine show",
    ):
        assert shown in text
    assert "<b>.csv" not in text
    assert "000000000000001" not in text
    refused = desk.status("--html", "/proc/page.html")
    assert (refused[0], "KR-6405" in refused[2]) == (2, True)


class Post:
    """A mail server's memory."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.letters.append(envelope.original_content or b"")
        return "250 OK"


def test_the_mail_holds_the_screen(desk: Operator) -> None:
    assert renkei(desk.open(), "status", "--mail").stderr.startswith("KR-6009")
    post, port = Post(), free_port()
    alerts = f'[alerts]\nhost = "127.0.0.1"\nport = {port}\nfrom = "renkei@city.example"\nto = ["duty@city.example"]\n'
    environment = desk.open(alerts + 'tls = "none"\n')
    sent_day(environment.ledger, THU, "accepted")
    assert "KR-7703" in desk.status("--mail")[2]
    server = Controller(post, hostname="127.0.0.1", port=port)
    server.start()
    try:
        ending, output, _ = desk.status("--mail")
    finally:
        server.stop()
    assert ending == 1
    (letter,) = (message_from_bytes(one, policy=policy.default) for one in post.letters)
    assert str(letter["Subject"]).startswith("【国保連携】処理状況一覧 2026-04-13 することが")
    assert output.strip() in letter.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("environment", [{"LANG": "C"}, {"LC_ALL": "C", "TERM": "dumb", "COLUMNS": "60"}])
def test_a_bare_terminal_gets_the_same_lines(tmp_path: Path, environment: dict[str, str]) -> None:
    settings = settings_file(tmp_path, ())
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    command = [str(Path(sys.executable).with_name("renkei")), "status"]
    given |= {"RENKEI_SETTINGS": str(settings)} | environment
    done = subprocess.run(command, env=given, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert "まだ一度も送付していません" in done.stdout.decode("utf-8")
    assert b"\x1b" not in done.stdout


def test_a_month_says_its_step_and_the_candidates_left(desk: Operator) -> None:
    """The Union's calendar: April is cut off on the 30th, its list comes on May 1st, decisions are due on the 13th."""
    environment = desk.open()
    for day in (THU, FRI):
        sent_day(environment.ledger, day, "accepted")

    def shown(at: dt.datetime) -> list[str]:
        return [line for line in desk.status(at=at)[1].splitlines() if line.startswith("2026-0")]

    assert shown(MORNING) == ["2026-04 次は 高額該当情報・所得区分の送付（期日 2026-04-30）"]
    month = dt.date(2026, 4, 1)
    for interface in ("high_cost_history", "income_class"):
        outbound_entry(environment.ledger, interface, month, interface, ("sending", "uploaded", "sent"))
    answered(environment.ledger, month, "continuity_candidates")
    (april, may) = shown(dt.datetime(2026, 5, 7, 10, 0, tzinfo=TOKYO))
    assert april.startswith("2026-04 次は 継続の判定と確定指示の送付（期日 2026-05-13）")
    assert may.startswith("2026-05 次は 高額該当情報・所得区分の送付（期日 2026-05-29）")
