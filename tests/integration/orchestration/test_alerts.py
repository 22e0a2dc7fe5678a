"""Who is told when a run fails: through the sensor of the definitions, against a real mail server, with its accidents."""

from __future__ import annotations

import datetime as dt
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pipelines.orchestration.assembly import definitions
from tests.support.servers import free_port, write_certificate
from tests.support.town import DAY, Town

NEXT = dt.date(2026, 4, 2)
TO = ["duty@city.example", "second@city.example"]
CANARY_NUMBER, CANARY_NAME = "123456789018", "合成　鳴子"


class Post:
    """A mail server's memory. `refuses`: recipients that it does not take."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []
        self.refuses: set[str] = set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: object
    ) -> str:
        if address in self.refuses:
            return f"550 no such person {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.letters.append(envelope.original_content or b"")
        return "250 OK"

    def read(self) -> list[tuple[str, str]]:
        """Subject and text of every letter."""
        opened = [message_from_bytes(letter, policy=policy.default) for letter in self.letters]
        return [(str(one["Subject"]), one.get_content()) for one in opened]


class Duty:
    """Somebody on duty: the town, its mail server's address, and the sensor's memory between ticks."""

    def __init__(self, town: Town) -> None:
        self.town, self.port = town, free_port()
        self.cursor: str | None = None
        self.post = Post()
        write_certificate(town.folder)
        self.trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.trusted.load_cert_chain(town.folder / "certificate.pem", town.folder / "key.pem")
        self.settings = (town.folder / "renkei.toml").read_text(encoding="utf-8")
        self.set()
        self.tick()

    def set(self, more: str = 'ca_file = "certificate.pem"') -> None:
        """The town's settings with [alerts], and what is said more of it."""
        (self.town.folder / "renkei.toml").write_text(
            f'{self.settings}\n[alerts]\nhost = "127.0.0.1"\nport = {self.port}\n'
            f'from = "renkei@city.example"\nto = {json.dumps(TO)}\n{more}\n',
            encoding="utf-8",
        )

    @contextmanager
    def office(self, tls: str = "starttls", **options: Any) -> Iterator[None]:
        """The mail server is open, for letters under STARTTLS, within TLS, or in the clear."""
        ways: dict[str, dict[str, Any]] = {
            "starttls": {"tls_context": self.trusted, "require_starttls": True},
            "tls": {"ssl_context": self.trusted},
            "none": {},
        }
        server = Controller(self.post, hostname="127.0.0.1", port=self.port, **ways[tls], **options)
        server.start()
        try:
            yield
        finally:
            server.stop()

    def tick(self) -> str:
        sensor = self.town.repository.get_sensor_def("failure_alerts")
        resources = {"deployment": self.town.deployment}
        with dg.build_sensor_context(
            instance=self.town.instance, cursor=self.cursor, repository_def=self.town.repository, resources=resources
        ) as context:
            done = sensor.evaluate_tick(context)
        self.cursor = done.cursor
        return done.skip_message or ""

    def log(self) -> list[dict[str, Any]]:
        path = self.town.folder / "data" / "alerts.log"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def everything(self) -> str:
        """All that an alert leaves anywhere: letters as read, letters as sent, log, cursor."""
        read = "".join(subject + text for subject, text in self.post.read())
        raw = b"".join(self.post.letters).decode("ascii")
        return read + raw + json.dumps(self.log(), ensure_ascii=False) + str(self.cursor)


@pytest.fixture
def duty(openssl: Path, town: Town) -> Duty:
    return Duty(town)


def test_a_failed_run_is_told_once_by_mail_and_log(duty: Duty) -> None:
    result = duty.town.run(DAY)
    assert not result.success
    with duty.office():
        assert duty.tick() == "通知 1件、未送信 0件"
        assert duty.tick() == "通知 0件、未送信 0件"
    ((subject, text),) = duty.post.read()
    assert subject == "【国保連携】daily_out 2026-04-01"
    assert "KR-7202 抽出がない 1件 → docs/runbook.md#kr-7202-抽出がない" in text
    assert "renkei rerun --failed --from 2026-04-01 --to 2026-04-01" in text
    assert result.run_id in text
    told, sent = duty.log()
    time = dt.datetime.fromisoformat(told.pop("time"))
    assert time.utcoffset() == dt.timedelta(hours=9)
    assert told == {
        "job": "daily_out",
        "partition": "2026-04-01",
        "run_id": result.run_id,
        "codes": [
            {"code": "KR-7202", "title": "抽出がない", "count": 1, "runbook": "docs/runbook.md#kr-7202-抽出がない"}
        ],
        "command": "renkei rerun --failed --from 2026-04-01 --to 2026-04-01",
    }
    assert (sent["sent"], sent["refused_recipients"]) == (1, 0)
    assert (duty.town.folder / "data" / "alerts.log").stat().st_mode & 0o777 == 0o600


def test_what_failed_before_the_first_look_alarms_nobody(town: Town) -> None:
    town.run(DAY)
    duty = Duty(town)
    assert (duty.tick(), duty.log()) == ("通知 0件、未送信 0件", [])


def test_a_server_that_is_down_delays_and_loses_nothing(duty: Duty) -> None:
    duty.town.run(DAY)
    assert duty.tick() == "通知 1件、未送信 1件"
    duty.town.run(NEXT)
    assert duty.tick() == "通知 1件、未送信 2件"
    attempts = [line for line in duty.log() if "reason" in line]
    assert [(line["code"], line["unsent"]) for line in attempts] == [("KR-7703", 1), ("KR-7703", 2)]
    assert "ConnectionRefusedError" in attempts[0]["reason"]
    with duty.office():
        assert duty.tick() == "通知 0件、未送信 0件"
        duty.tick()
    ((subject, text),) = duty.post.read()
    assert subject == "【国保連携】daily_out 2026-04-01 ほか1件"
    assert "daily_out 2026-04-01" in text and "daily_out 2026-04-02" in text
    assert [line["partition"] for line in duty.log() if "job" in line] == ["2026-04-01", "2026-04-02"]


def test_a_server_that_refuses_is_asked_again_and_its_words_are_not_kept(duty: Duty) -> None:
    duty.town.run(DAY)
    duty.post.refuses = set(TO)
    with duty.office():
        assert duty.tick() == "通知 1件、未送信 1件"
        assert "SMTPRecipientsRefused" in duty.log()[-1]["reason"]
        assert not any(word in json.dumps(duty.log()) for word in ("no such person", "city.example"))
        duty.post.refuses = {TO[1]}
        assert duty.tick() == "通知 0件、未送信 0件"
    assert duty.log()[-1]["refused_recipients"] == 1
    assert len(duty.post.letters) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd does not count TLS from the first byte
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_an_account_of_the_mail_server(duty: Duty, tls: str) -> None:
    asked: list[tuple[bytes, bytes]] = []

    def known(*arguments: Any) -> AuthResult:
        asked.append((arguments[-1].login, arguments[-1].password))
        return AuthResult(success=arguments[-1] == LoginPassword(b"renkei", b"door-password"))

    password = duty.town.folder / "password"
    password.write_text("door-password\n")
    password.chmod(0o644)
    duty.set(f'ca_file = "certificate.pem"\ntls = "{tls}"\nuser = "renkei"\npassword_file = "password"')
    duty.town.run(DAY)
    with duty.office(tls, authenticator=known, auth_required=True, auth_require_tls=tls == "starttls"):
        duty.tick()
        assert (duty.log()[-1]["code"], asked) == ("KR-7106", [])
        password.chmod(0o600)
        assert duty.tick() == "通知 0件、未送信 0件"
    assert asked[-1] == (b"renkei", b"door-password")
    assert len(duty.post.letters) == 1
    assert "door-password" not in duty.everything()


@pytest.mark.parametrize(
    ("office", "more", "reason"),
    [
        ("starttls", "", "SSLCertVerificationError"),
        ("tls", 'tls = "tls"', "SSLCertVerificationError"),
        ("none", 'ca_file = "certificate.pem"', "SMTPNotSupportedError"),
    ],
)
def test_nothing_goes_to_a_server_that_is_not_trusted_or_does_not_encrypt(
    duty: Duty, office: str, more: str, reason: str
) -> None:
    duty.town.run(DAY)
    duty.set(more)
    with duty.office(office):
        assert duty.tick() == "通知 1件、未送信 1件"
    assert reason in duty.log()[-1]["reason"]
    assert duty.post.letters == []


def test_on_this_machine_a_letter_may_go_in_the_clear(duty: Duty) -> None:
    duty.town.run(DAY)
    duty.set('tls = "none"')
    with duty.office("none"):
        assert duty.tick() == "通知 1件、未送信 0件"
    assert len(duty.post.letters) == 1


def test_without_alerts_in_the_settings_there_is_the_log(duty: Duty) -> None:
    (duty.town.folder / "renkei.toml").write_text(duty.settings, encoding="utf-8")
    duty.town.run(DAY)
    assert duty.tick() == "通知 1件、未送信 0件"
    assert [line["codes"][0]["code"] for line in duty.log()] == ["KR-7202"]


def test_a_ledger_that_is_down_silences_nothing(duty: Duty) -> None:
    duty.settings = f'ledger_url = "postgresql+psycopg2://renkei@127.0.0.1:{free_port()}/renkei"\n' + duty.settings
    duty.set()
    duty.town.run(DAY)
    with duty.office():
        duty.tick()
    assert [line["codes"][0]["code"] for line in duty.log() if "job" in line] == ["KR-6105"]
    assert len(duty.post.letters) == 1


def test_no_person_reaches_mail_or_log(duty: Duty) -> None:
    """A refused extract, an error that quotes a row, and a failure that poses as ours with a row for a code."""
    resident = next(path for path in duty.town.extract(DAY) if path.name.startswith("resident"))
    rows = resident.read_text(encoding="utf-8")
    resident.write_bytes(resident.read_bytes().replace("氏名".encode(), "名前".encode(), 1))

    @dg.asset
    def quotes_a_row() -> None:
        raise ValueError(f"{CANARY_NAME} {CANARY_NUMBER}")

    @dg.asset
    def poses() -> None:
        raise dg.Failure(f"{CANARY_NAME} {CANARY_NUMBER}", metadata={"KRコード": f"KR-{CANARY_NUMBER} {CANARY_NAME}"})

    assert not duty.town.run(DAY).success
    for asset in (quotes_a_row, poses):
        assert not dg.materialize([asset], instance=duty.town.instance, raise_on_error=False).success
    with duty.office():
        duty.tick()
    codes = [line["codes"][0]["code"] for line in duty.log() if "job" in line]
    assert codes == ["KR-7203", "KR-7701", "KR-7701"]
    numbers = set(re.findall(r"\d{12}", rows))
    assert numbers
    told = duty.everything()
    assert not [secret for secret in {CANARY_NUMBER, CANARY_NAME, "合成", *numbers} if secret in told]


def test_a_run_that_was_cut_off(duty: Duty) -> None:
    job = duty.town.repository.get_job("daily_out")
    run = duty.town.instance.create_run_for_job(job, tags={"dagster/partition": "2026-04-01"})
    duty.town.instance.report_run_failed(run)
    duty.tick()
    assert [code["code"] for code in duty.log()[0]["codes"]] == ["KR-7702"]


def test_the_daily_watch_tells_its_totals_once_a_day(duty: Duty) -> None:
    duty.town.extract(DAY)
    assert duty.town.run(DAY).success
    assert not duty.town.run(NEXT).success
    duty.tick()
    before = len(duty.log())
    watched = duty.town.run(NEXT, "daily_watch")
    assert watched.success
    with duty.office():
        duty.tick()
        duty.town.run(NEXT, "daily_watch")
        assert duty.tick() == "通知 0件、未送信 0件"
    (told,) = [line for line in duty.log()[before:] if "job" in line]
    # The second day is not sent and its run failed; the first day's two files have no 受付結果, and its answers did not come.
    assert {code["code"]: code["count"] for code in told["codes"]} == {
        "KR-6501": 1,
        "KR-6502": 4,
        "KR-6503": 2,
        "KR-7704": 1,
    }
    assert told["command"] == "renkei expected --on 2026-04-02"


def test_the_watch_lists_what_failed_last_until_it_is_run_again(duty: Duty) -> None:
    def left() -> dg.AssetCheckEvaluation:
        result = duty.town.run(NEXT, "daily_watch")
        return next(c for c in result.get_asset_check_evaluations() if c.check_name == "no_failed_partition_left")

    assert left().passed
    duty.town.run(DAY)
    found = left()
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert {name: value.value for name, value in found.metadata.items()} == {
        "KR-7704 失敗したままの処理": 1,
        "daily_out 2026-04-01": "renkei rerun --failed --from 2026-04-01 --to 2026-04-01",
    }
    duty.town.extract(DAY)
    assert duty.town.run(DAY).success
    assert left().passed


def test_a_failed_file_check_leads_to_the_runbook(duty: Duty) -> None:
    resident = next(path for path in duty.town.extract(DAY) if path.name.startswith("resident"))
    resident.write_bytes(resident.read_bytes().replace("氏名".encode(), "名前".encode(), 1))
    (check,) = [c for c in duty.town.run(DAY).get_asset_check_evaluations() if not c.passed]
    place = "docs/runbook.md#kr-7203-抽出が受け入れられない"
    assert check.metadata["手引"].value == f"renkei explain KR-7203（{place}）"
    assert "### KR-7203 抽出が受け入れられない\n" in Path("docs/runbook.md").read_text(encoding="utf-8")


def test_the_alarm_is_on_by_itself() -> None:
    sensor = definitions().get_repository_def().get_sensor_def("failure_alerts")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
