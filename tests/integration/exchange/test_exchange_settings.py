"""The settings file: what it gives, and what a person reads when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from interfaces.messages import RenkeiError
from pipelines.configuration.settings import Settings
from tests.support.paths import ROOT

GOOD = """
municipality_code = "999997"
insurer_number = "990010"
prefecture_code = "99"
data_folder = "data"
extract_folder = "/srv/extracts"
operator = "test-operator"
switched_off_interfaces = ["income_class"]

[sftp]
host = "union.example"
user = "m999997"
private_key = "keys/union"
host_key = "ssh-ed25519 AAAA"
to_union_folder = "/in"
from_union_folder = "/out"

[alerts]
host = "mail.example"
from = "renkei@city.example"
to = ["duty@city.example"]
"""
ALERTS, FROM = 'host = "mail.example"', 'from = "renkei@city.example"'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "renkei.toml"
    path.write_text(text, encoding="utf-8")
    return path


def failure(tmp_path: Path, text: str) -> RenkeiError:
    with pytest.raises(RenkeiError) as caught:
        Settings.load(written(tmp_path, text))
    return caught.value


def test_a_good_file_with_its_defaults(tmp_path: Path) -> None:
    settings = Settings.load(written(tmp_path, GOOD))
    assert (settings.municipality_code, settings.lost_rows_threshold, settings.catalogue_folder) == (
        "999997",
        0.30,
        None,
    )
    assert settings.data_folder == tmp_path / "data"
    assert settings.extract_folder == Path("/srv/extracts")
    assert settings.ledger == f"sqlite:///{tmp_path}/data/ledger.sqlite"
    assert settings.switched_off_interfaces == ("income_class",)
    sftp = settings.required_sftp()
    assert settings.alerts is not None
    assert (settings.alerts.port, settings.alerts.tls, settings.alerts.ca_file) == (587, "starttls", None)
    assert (sftp.port, sftp.private_key, sftp.attempts) == (22, tmp_path / "keys" / "union", 4)


def test_the_waiting_times_add_up() -> None:
    from pipelines.configuration import settings as s

    attempt = s.CONNECT_SECONDS + s.BANNER_SECONDS + s.HANDSHAKE_SECONDS + s.AUTHENTICATION_SECONDS
    pauses = s.FIRST_PAUSE_SECONDS * (2 ** (s.ATTEMPTS - 1) - 1)
    assert s.ATTEMPTS * attempt + pauses == 395 < s.TOTAL_DEADLINE_SECONDS
    assert s.BANNER_SECONDS >= 30


def test_the_environment_names_the_file_and_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(written(tmp_path, GOOD.replace('operator = "test-operator"\n', ""))))
    monkeypatch.setenv("LOGNAME", "someone")
    monkeypatch.setenv("USER", "someone")
    assert Settings.load().operator == "someone"


def test_a_ledger_by_address(tmp_path: Path) -> None:
    text = 'ledger_url = "postgresql+psycopg2://renkei@db/renkei"\n' + GOOD
    assert Settings.load(written(tmp_path, text)).ledger == "postgresql+psycopg2://renkei@db/renkei"


def test_no_file_named_and_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENKEI_SETTINGS", raising=False)
    for path in (None, tmp_path / "missing.toml", tmp_path):
        with pytest.raises(RenkeiError) as caught:
            Settings.load(path)
        assert caught.value.code == "KR-6001"


@pytest.mark.parametrize("text", ['municipality_code = "1', "a = ", "[sftp\n"])
def test_not_toml(tmp_path: Path, text: str) -> None:
    assert failure(tmp_path, text).code == "KR-6002"


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "renkei.toml"
    path.write_bytes('operator = "担当"'.encode("cp932"))
    with pytest.raises(RenkeiError) as caught:
        Settings.load(path)
    assert caught.value.code == "KR-6002"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('municipality_code = "999997"', "", "municipality_code: ありません。書き方は6桁の全国地方公共団体コード"),
        ('"999997"', '"99999"', "municipality_code: 値が正しくありません。書き方は6桁の全国地方公共団体コード"),
        ('prefecture_code = "99"', "prefecture_code = 99", "prefecture_code: 値が正しくありません。書き方は2桁"),
        ('host = "union.example"', "", "sftp.host: ありません。書き方はサーバの名前かアドレス"),
        ("[sftp]", "[sftp]\nport = 99999", "sftp.port: 値が正しくありません。書き方は1から65535まで"),
        (
            "[sftp]",
            "[sftp]\nconnect_seconds = 0",
            "sftp.connect_seconds: 値が正しくありません。書き方は0より大きい秒数",
        ),
        ("[sftp]", '[sftp]\npassword = "x"', "sftp.password: 知らない項目です"),
        ('prefecture_code = "99"', 'prefecture_code = "99"\nmunicipalty = "x"', "municipalty: 知らない項目です"),
        ('["income_class"]', "[1]", "switched_off_interfaces.0: 値が正しくありません。書き方はインタフェースのid"),
        ('operator = "test-operator"', 'operator = ""', "operator: 値が正しくありません。書き方は操作者の名前"),
        (
            ALERTS,
            'host = "mail.example"\ntls = "none"',
            "alerts.tls: 値が正しくありません。書き方はstarttls、tls、none",
        ),
        (ALERTS, 'host = "127.0.0.1.example"\ntls = "none"', "alerts.tls: 値が正しくありません"),
        (
            ALERTS,
            'host = "mail.example"\nuser = "renkei"',
            "alerts.password_file: 値が正しくありません。書き方は本人だけ",
        ),
        (ALERTS, 'host = "mail.example"\npassword_file = "p"', "alerts.password_file: 値が正しくありません"),
        (ALERTS, 'host = "mail.example"\npassword = "p"', "alerts.password: 知らない項目です"),
        (FROM, 'from = "a@b\\nBcc: c@d"', "alerts.from: 値が正しくありません。書き方はメールアドレス"),
        (FROM, "", "alerts.from: ありません。書き方はメールアドレス"),
        ("[sftp]", "[[sftp]]", "sftp: 値が正しくありません。書き方は[sftp]"),
    ],
)
def test_a_wrong_key_is_named_with_what_to_write(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    error = failure(tmp_path, GOOD.replace(old, new, 1))
    assert error.code == "KR-6003"
    assert expected in str(error)


def test_all_wrong_keys_at_once_and_no_value_repeated(tmp_path: Path) -> None:
    error = failure(tmp_path, GOOD.replace('"999997"', '"secret-value"').replace('"990010"', '"x"'))
    assert "municipality_code" in str(error) and "insurer_number" in str(error)
    assert "secret-value" not in error.for_people()


def test_no_sftp(tmp_path: Path) -> None:
    settings = Settings.load(written(tmp_path, GOOD.split("[sftp]")[0]))
    with pytest.raises(RenkeiError) as caught:
        settings.required_sftp()
    assert caught.value.code == "KR-6004"


def test_every_code_used_has_its_text_and_every_text_is_used() -> None:
    import csv
    import re

    root = ROOT
    with (root / "interfaces/catalogue/messages/exchange.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    sources = (root / "pipelines").rglob("*.py")
    used = {code for path in sources for code in re.findall(r'"(KR-6\d{3})"', path.read_text(encoding="utf-8"))}
    assert {row["コード"] for row in rows} == used
    assert all(row[name] for row in rows for name in row if name != "担当者の対処")
