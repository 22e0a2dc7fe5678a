"""The daily exchange against the stand-in Union over a real sshd: after any day our records are the truth."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from fixtures.counterpart.delivery import leave
from fixtures.counterpart.misbehaviour import Misbehaviour
from fixtures.counterpart.seals import Seals
from fixtures.demo.days import business_days
from fixtures.world import OURS
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.storage.cms import decrypt_and_verify
from tests.support.command_town import START, Town
from tests.support.servers import OpenSshServer


@pytest.mark.slow
def test_after_any_day_our_records_are_the_truth(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=1)
    for day in business_days(START, 10):
        town.day(day)
        wrong = town.differences(day)
        assert wrong.is_empty(), (day, wrong)
    assert set(town.states().values()) == {"accepted", "applied"}
    first = town.linkage_on(START)
    assert first["municipal_insured_id"].null_count() == 0
    assert first["municipal_insured_id"].is_unique().all()
    assert town.linkage_on(START).height < town.linkage_on(dt.date(2026, 4, 14)).height


@pytest.mark.slow
def test_the_ledger_on_postgresql(tmp_path: Path, openssh_server: OpenSshServer, postgres_url: str) -> None:
    town = Town(tmp_path, openssh_server, seed=2, ledger_url=postgres_url, persons=300)
    for day in business_days(START, 2):
        town.day(day)
        assert town.differences(day).is_empty()
    assert set(town.states().values()) == {"accepted", "applied"}


def test_sealed_both_ways(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=3, persons=300)
    certificate = town.seal(tmp_path)
    first, second, third, fourth = business_days(START, 4)
    town.send(first)
    names = [path.name for path in (openssh_server.root / OURS.code / "to_union").iterdir()]
    assert sorted(names) == ["KRKOJ_999997_20260401_000001.csv.p7m", "KRSET_999997_20260401_000001.csv.p7m"]
    town.world.night(first)
    town.receive(first)
    town.day(second)
    assert town.differences(second).is_empty()
    assert set(town.states().values()) == {"accepted", "applied"}
    assert "不一致 0件" in town.renkei("audit", "verify")
    # A file that somebody else leaves, unsealed, is not accepted.
    town.send(third)
    town.world.night(third)
    arrived = openssh_server.root / OURS.code / "from_union"
    sealed = sorted(arrived.glob("*.p7m"))
    same = Environment.open(Settings.load(town.settings))
    content = decrypt_and_verify(sealed[0].read_bytes(), same.keys, same.partners(), same.clock())
    leave(arrived / sealed[0].name.removesuffix(".p7m"), content)
    other = Seals(tmp_path / "stranger", tmp_path / "data" / "keys" / "transfer-1.cert.pem")
    leave(sealed[1], other.seal(b"1,0000001\r\n"))
    output = town.receive(third, status=1)
    assert "KR-6325" in output
    assert "KR-6322" in output
    assert list(town.states().values()).count("quarantined") == 2
    # The one that came sealed is no duplicate of the one that nobody vouched for.
    assert town.states()[sealed[0].name] == "applied"
    quarantined = json.loads(town.renkei("quarantine", "list", "--json"))[0]["id"]
    assert "KR-6315" in town.renkei("quarantine", "release", str(quarantined), "--reason", "電話で確認", status=2)
    town.renkei("quarantine", "reject", str(quarantined), "--reason", "送り主が分からない")
    # Nothing is sealed for a certificate that has expired.
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    expired = Seals(tmp_path / "old", tmp_path / "data" / "keys" / "transfer-1.cert.pem", long_ago).certificate_path
    settings = town.settings.read_text(encoding="utf-8")
    town.settings.write_text(settings.replace(str(certificate), str(expired)), encoding="utf-8")
    before = sorted(path.name for path in (openssh_server.root / OURS.code / "to_union").iterdir())
    town.world.live(fourth)
    assert "KR-6324" in town.renkei("run", "daily", "--date", fourth.isoformat(), "--only", "out", status=2)
    assert sorted(path.name for path in (openssh_server.root / OURS.code / "to_union").iterdir()) == before


def test_a_first_load_waits_for_a_second_person(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=4, persons=300)
    settings = town.settings.read_text(encoding="utf-8").replace("first_load = false", "first_load = true")
    town.settings.write_text(settings, encoding="utf-8")
    folder = openssh_server.root / OURS.code / "to_union"
    first, second = business_days(START, 2)
    assert "KR-6131" in town.send(first)
    assert list(folder.iterdir()) == []
    assert set(town.states().values()) == {"written"}
    date = ("--date", first.isoformat())
    entries = json.loads(town.renkei("ledger", "list", "--json"))
    seen = [f"--sha256={entry['sha256']}" for entry in entries]
    shown = town.renkei("approve", *date)
    assert all(entry["sha256"] in shown for entry in entries)
    assert "KR-6132" in town.renkei("approve", *date, "--by", "試験　担当", *seen, status=2)
    assert "KR-6133" in town.renkei("approve", *date, "--by", "承認者", seen[0], status=2)
    assert "KR-6133" in town.renkei("approve", *date, "--by", "承認者", *seen, "--sha256=" + "0" * 64, status=2)
    assert "KR-6131" in town.renkei("run", "daily", *date, "--only", "out")
    assert list(folder.iterdir()) == []
    # Other content than what was seen waits again.
    extract = next((tmp_path / "extracts").glob("resident*"))
    town.renkei("approve", *date, "--by", "承認者", *seen)
    assert set(town.states().values()) == {"approved"}
    text = extract.read_text(encoding="utf-8")
    extract.write_text(text.replace("合成　", "合成　新"), encoding="utf-8")
    assert "KR-6131" in town.renkei("run", "daily", *date, "--only", "out")
    assert list(folder.iterdir()) == []
    extract.write_text(text, encoding="utf-8")
    town.renkei("run", "daily", *date, "--only", "out")
    shown = town.renkei("approve", *date)
    hashes = [f"--sha256={line.split()[-1]}" for line in shown.splitlines() if "SHA-256" in line]
    town.renkei("approve", *date, "--by", "承認者", *hashes)
    assert "送付: 送付済み" in town.renkei("run", "daily", *date, "--only", "out")
    assert len(list(folder.iterdir())) == 2
    assert "KR-6134" in town.renkei("approve", *date, "--by", "承認者", *hashes, status=2)
    # The next day is small: nobody needs to approve it.
    town.world.night(first)
    town.receive(first)
    town.day(second)
    assert town.differences(second).is_empty()


def test_a_rejected_day_is_carried_by_the_next(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=4)
    first, second, third = business_days(START, 3)
    town.day(first)
    town.day(second, Misbehaviour.nack)
    assert town.states()[f"KRKOJ_{OURS.code}_{second:%Y%m%d}_000001.csv"] == "rejected"
    assert "KR-8114" in town.renkei("linkage", "discrepancies", "--date", second.isoformat())
    town.day(third)
    assert town.differences(third).is_empty()


def test_a_missed_day_is_carried_by_the_next(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=7)
    first, second, third = business_days(START, 3)
    town.day(first)
    town.world.live(second)
    town.world.night(second)
    town.receive(second)
    town.day(third)
    assert town.differences(third).is_empty()
    again = town.renkei("run", "daily", "--date", second.isoformat(), "--only", "out")
    assert "後の日に含む" in again
    assert f"KRKOJ_{OURS.code}_{second:%Y%m%d}_000001.csv" not in {
        name for name, state in town.states().items() if state in ("sent", "accepted")
    }
