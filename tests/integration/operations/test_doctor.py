"""`renkei doctor`: a sound deployment, and each part of it broken for real; nothing is sent by looking."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dagster._daemon.types import DaemonHeartbeat

from fixtures.torture.local import filled, small_disk
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from pipelines.cli import main
from pipelines.configuration.calendar import TOKYO, tokyo_now
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.operations.doctor import Check, Verdict, calendar_check, clock_check, expiry_check, time_zone_check
from pipelines.operations.status import KeyStatus
from pipelines.orchestration.home import dagster_home
from tests.support.deployment import settings_file
from tests.support.servers import OpenSshServer, free_port, write_key

SOUND, NOT_USED, ATTENTION, FAULT = "良", "対象外", "注意", "異常"
PAGE_BYTES = 4096  # of SQLite
SERVER = "連合会のサーバ（送信先 {root}/to_union）"


class Patient:
    """A deployment with a server of its own and a mail server, to be broken."""

    def __init__(self, folder: Path, server: OpenSshServer) -> None:
        self.folder, self.server, self.mail_port = folder, server, free_port()
        self.write()
        with self.mail():
            Environment.open(Settings.load(self.folder / "renkei.toml")).keys.current("records")

    def write(self, **changes: object) -> None:
        """The settings, with changes of [sftp]."""
        own = {
            "host": self.server.host,
            "port": self.server.port,
            "user": self.server.user,
            "private_key": str(self.server.private_key),
            "host_key": self.server.host_key,
            "to_union_folder": f"{self.server.root}/to_union",
            "from_union_folder": f"{self.server.root}/from_union",
        } | changes
        sftp = "\n".join(f"{name} = {json.dumps(value)}" for name, value in own.items())
        alerts = (
            f'[alerts]\nhost = "127.0.0.1"\nport = {self.mail_port}\nfrom = "a@city.example"\n'
            'to = ["b@city.example"]\ntls = "none"\n'
        )
        settings_file(self.folder, (), f"[sftp]\n{sftp}\n{alerts}")

    @contextmanager
    def mail(self) -> Iterator[None]:
        server = Controller(Sink(), hostname="127.0.0.1", port=self.mail_port)
        server.start()
        try:
            yield
        finally:
            server.stop()

    def examined(self, *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
        """Exit status, and each check's verdict with its result."""
        settings = {"RENKEI_SETTINGS": str(self.folder / "renkei.toml"), "DAGSTER_HOME": None}
        result = CliRunner(env=settings).invoke(main, ["doctor", "--json", *arguments])
        checks = {check["name"]: (check["verdict"], check["result"]) for check in json.loads(result.stdout)}
        assert all(check["remedy"] for check in json.loads(result.stdout) if check["verdict"] in (ATTENTION, FAULT))
        return result.exit_code, checks

    def fault(self, name: str) -> str:
        """The result of a check that must be a fault."""
        ending, checks = self.examined()
        verdict, result = checks[name.format(root=self.server.root)]
        assert (ending, verdict) == (2, FAULT), checks
        return result


@pytest.fixture
def patient(tmp_path: Path, openssh_server: OpenSshServer) -> Patient:
    return Patient(tmp_path, openssh_server)


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own time zone is Japan's."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_a_sound_deployment_is_sound_and_nothing_is_sent(patient: Patient) -> None:
    with patient.mail():
        ending, checks = patient.examined()
    assert {name: verdict for name, (verdict, _) in checks.items() if verdict not in (SOUND, NOT_USED)} == {}
    assert ending == 0
    assert {name for name, (verdict, _) in checks.items() if verdict == NOT_USED} == {"daemon", "担当者のフォルダ"}
    assert {"設定", "鍵", "台帳", "時計", "時間帯", "処理日程", "ディスク", "メール", "期限（records-1）"} <= set(
        checks
    )
    assert list((patient.server.root / "to_union").iterdir()) == []


def test_the_lines_say_what_is_wrong_and_what_to_do(patient: Patient) -> None:
    result = CliRunner(env={"RENKEI_SETTINGS": str(patient.folder / "renkei.toml")}).invoke(main, ["doctor"])
    lines = result.output.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("異常　メール: KR-7703 "))
    assert lines[place + 1].startswith("    対処: ")
    assert lines[-1].endswith("件")


def test_settings_that_cannot_be_read_are_the_only_check(tmp_path: Path) -> None:
    missing = CliRunner(env={"RENKEI_SETTINGS": str(tmp_path / "none.toml")}).invoke(main, ["doctor", "--json"])
    (check,) = json.loads(missing.stdout)
    assert (missing.exit_code, check["name"], check["result"][:7]) == (2, "設定", "KR-6001")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"port": 1}, "KR-6205"),
        ({"host_key": "other"}, "KR-6201"),
        ({"private_key": "other"}, "KR-6202"),
        ({"to_union_folder": "/no/such/folder"}, "KR-6204"),
    ],
)
def test_a_server_that_does_not_let_us_work_is_told(patient: Patient, change: dict[str, object], code: str) -> None:
    other = write_key(patient.folder / "other")
    answers = {"host_key": other, "private_key": str(patient.folder / "other")}
    patient.write(**{name: answers[name] if value == "other" else value for name, value in change.items()})
    name = "連合会のサーバ（送信先 /no/such/folder）" if code == "KR-6204" else SERVER
    assert patient.fault(name).startswith(code)
    _, checks = patient.examined()
    asked = [name for name in checks if name.startswith("連合会のサーバ")]
    assert len(asked) == (2 if code == "KR-6204" else 1), "one dead server is asked once"


def test_folders_are_closed_there_and_readable(patient: Patient) -> None:
    data = patient.folder / "data"
    data.chmod(0o755)
    assert patient.fault("データのフォルダ").startswith("KR-7811 データのフォルダ")
    data.chmod(0o700)
    (patient.folder / "extracts").rmdir()
    assert "ありません" in patient.fault("抽出のフォルダ")
    (patient.folder / "extracts").write_text("")
    assert "フォルダではありません" in patient.fault("抽出のフォルダ")


def test_keys_that_cannot_be_used_are_told(patient: Patient) -> None:
    """On a copy of the keys, which other tests share."""
    settings = patient.folder / "renkei.toml"
    shared = Settings.load(settings).key_folder
    keys = Path(shutil.copytree(shared, patient.folder / "keys"))
    settings.write_text(settings.read_text(encoding="utf-8").replace(str(shared), str(keys)), encoding="utf-8")
    key = keys / "records-1.key.pem"
    key.chmod(0o644)
    assert patient.fault("鍵").startswith("KR-7106")
    key.unlink()
    assert patient.fault("鍵").startswith("KR-7112")
    key.write_bytes(b"no key")
    key.chmod(0o600)
    assert patient.fault("鍵").startswith("KR-7113")


def test_a_ledger_of_another_version_or_damaged_is_told(patient: Patient) -> None:
    file = patient.folder / "data" / "ledger.sqlite"
    with closing(sqlite3.connect(file)) as ledger:
        ledger.execute("UPDATE ledger_version SET version_num = '9999'")
        ledger.commit()
    assert patient.fault("台帳").startswith("KR-6110")
    file.write_bytes(b"damaged" * 1000)
    assert patient.fault("台帳").startswith("KR-6105")


def test_a_ledger_with_damaged_pages_is_told_by_doctor_and_status(patient: Patient) -> None:
    """The file is a database still, and its newest rows can be read."""
    ledger = Environment.open(Settings.load(patient.folder / "renkei.toml")).ledger
    with ledger.recorder("試験").transaction() as work:
        for number in range(300):
            work.create_inbound_entry(f"file_{number:06d}.csv")
    ledger.close()
    file = patient.folder / "data" / "ledger.sqlite"
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 2 // PAGE_BYTES * PAGE_BYTES, len(content) * 3 // 4, PAGE_BYTES):
        content[place : place + PAGE_BYTES // 2] = b"\xff" * (PAGE_BYTES // 2)
    file.write_bytes(content)
    assert patient.fault("台帳").startswith("KR-6108")
    seen = CliRunner(env={"RENKEI_SETTINGS": str(patient.folder / "renkei.toml")}).invoke(main, ["status"])
    assert seen.exit_code == 2
    assert "KR-6108" in seen.stdout
    assert "次の数は分かった範囲のものです" in seen.stdout
    assert "ディスク: 空き" in seen.stdout


def test_a_clock_behind_the_ledger_is_told(patient: Patient) -> None:
    later = tokyo_now() + dt.timedelta(hours=2)
    ahead = Environment.open(Settings.load(patient.folder / "renkei.toml"), clock=lambda: later)
    ahead.recorder().append_event(LedgerEvent.QUIET_DAY, partition=later.date())
    assert patient.fault("時計").startswith("KR-7815")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_told_with_figures(patient: Patient) -> None:
    data = patient.folder / "data"
    kept = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    for path in kept:
        path.unlink()
    with small_disk(data):
        for path, content in kept.items():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(content)
            path.chmod(0o600)
        assert patient.fault("ディスク").startswith("KR-7814")
        with filled(data, 0):
            answer = patient.fault("ディスク")
            assert "空きは 0 MB です（一日の処理に必要 200 MB）" in answer
            settings = {"RENKEI_SETTINGS": str(patient.folder / "renkei.toml")}
            result = CliRunner(env=settings).invoke(main, ["keys", "init"])
            assert result.exit_code == 2
            assert result.stderr.startswith("KR-6211")
            assert "空き 0 MB、必要 200 MB" in result.stderr


def test_a_silent_daemon_is_reported(patient: Patient) -> None:
    settings = Settings.load(patient.folder / "renkei.toml")
    now = tokyo_now()
    with dg.DagsterInstance.from_config(str(dagster_home(settings))) as instance:
        for minutes, verdict in ((1, SOUND), (30, FAULT)):
            at = (now - dt.timedelta(minutes=minutes)).timestamp()
            for daemon in ("SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR"):
                instance.add_daemon_heartbeat(DaemonHeartbeat(at, daemon, "one", []))
            _, checks = patient.examined()
            assert checks["daemon"][0] == verdict
    assert checks["daemon"][1].startswith("KR-7818")


def test_the_time_zone_of_the_machine_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        _, checks = patient.examined()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert checks["時間帯"] == (ATTENTION, "KR-7816 この機械の時間帯は日本時間ではありません（UTC+05:30）")


def test_a_calendar_that_ends_soon_is_told(patient: Patient) -> None:
    """The calendar of a catalogue of the deployment's own, without the months that come."""
    root = Path(shutil.copytree(DEFAULT_ROOT, patient.folder / "catalogue"))
    path = root / "calendars" / "monthly.csv"
    rows = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    this = f"{tokyo_now():%Y-%m}"
    path.write_text("".join(row for row in rows if not row[:7] > this or row.startswith("対象")), encoding="utf-8-sig")
    settings = patient.folder / "renkei.toml"
    settings.write_text(f'catalogue_folder = "{root}"\n' + settings.read_text(encoding="utf-8"), encoding="utf-8")
    ending, checks = patient.examined()
    assert ending == 2  # no mail server
    assert checks["処理日程"][0] == ATTENTION
    assert checks["処理日程"][1].startswith(f"KR-7817 連合会の処理日程は {this} 分まで")


@pytest.mark.parametrize(
    ("days", "verdict", "code"), [(400, SOUND, ""), (10, ATTENTION, "KR-7812"), (-1, FAULT, "KR-7813")]
)
def test_the_end_of_a_certificate_of_the_union_is_told_before_and_after(
    patient: Patient, days: int, verdict: str, code: str
) -> None:
    path = patient.folder / "union.pem"
    path.write_bytes(certificate_until(tokyo_now() + dt.timedelta(days=days)))
    settings = patient.folder / "renkei.toml"
    sealing = f'[sealing]\npartner_certificates = ["{path}"]\n'
    settings.write_text(settings.read_text(encoding="utf-8") + sealing, encoding="utf-8")
    _, checks = patient.examined()
    found, result = checks["期限（連合会の証明書）"]
    assert (found, result.startswith(code)) == (verdict, True)


def certificate_until(end: dt.datetime) -> bytes:
    """A certificate of somebody else, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "合成の連合会")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(end - dt.timedelta(days=500)).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_verdicts_at_their_limits() -> None:
    today = dt.date(2026, 4, 1)

    def of(days: int) -> Check:
        return expiry_check(KeyStatus("records-1", "records", today + dt.timedelta(days=days)), today)

    assert [of(days).verdict for days in (-1, 0, 92, 93)] == [
        Verdict.FAULT,
        Verdict.ATTENTION,
        Verdict.ATTENTION,
        Verdict.SOUND,
    ]
    assert of(-1).result.startswith("KR-7813")
    assert of(0).result.startswith("KR-7812")
    now = dt.datetime(2026, 4, 1, 9, 0, tzinfo=TOKYO)
    assert clock_check(now, now.isoformat()).verdict is Verdict.SOUND
    assert clock_check(now, (now + dt.timedelta(seconds=1)).isoformat()).verdict is Verdict.FAULT
    assert time_zone_check(dt.timedelta(hours=9)).verdict is Verdict.SOUND
    assert calendar_check(load_catalogue(), dt.date(2026, 4, 1)).verdict is Verdict.SOUND
