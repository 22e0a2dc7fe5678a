"""The daily exchange against the stand-in Union over a real sshd: after any day we hold what the truth says."""

from __future__ import annotations

import datetime as dt
import json
import os
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from processes import renkei
from servers import OpenSshServer

from fixtures.counterpart.delivery import leave
from fixtures.counterpart.misbehaviour import Misbehaviour
from fixtures.counterpart.seals import Seals
from fixtures.demo import business_days
from fixtures.world import OURS, World, settings_text
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.storage.cms import decrypt_and_verify

START = dt.date(2026, 4, 1)
FACTS = ["resident_number", "acquired_on", "acquisition_reason", "lost_on", "loss_reason", "applied_on", "ended_on"]


# What makes a file that is kept apart; the command then ends with status 1.
KEPT_APART = {
    Misbehaviour.truncated, Misbehaviour.wrong_count, Misbehaviour.other_municipality, Misbehaviour.with_my_number,
    Misbehaviour.reversed_dates,
}  # fmt: skip


class Town:
    """Our municipality at its command line, and the world around it."""

    def __init__(
        self, folder: Path, server: OpenSshServer, seed: int, ledger_url: str = "", persons: int = 900
    ) -> None:
        self.settings = folder / "renkei.toml"
        text = settings_text(server.host, server.port, server.user, server.private_key, server.host_key, ledger_url)
        text = text.replace(f'"{OURS.code}/', f'"{server.root}/{OURS.code}/')
        self.settings.write_text(text, encoding="utf-8")
        self.world = World(server.root, folder / "extracts", START, seed, persons)

    def seal(self, folder: Path) -> Path:
        """Both sides hand each other their certificates; from now on files come and go sealed. Gives the Union's."""
        self.renkei("keys", "init")
        self.world.seals = Seals(folder / "union_keys", self.settings.parent / "data" / "keys" / "transfer-1.cert.pem")
        with self.settings.open("a", encoding="utf-8") as handle:
            handle.write(f'[sealing]\npartner_certificates = ["{self.world.seals.certificate_path}"]\n')
        return self.world.seals.certificate_path

    def renkei(self, *arguments: str, status: int = 0) -> str:
        environment = os.environ | {"RENKEI_SETTINGS": str(self.settings)}
        done = renkei(arguments, environment)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def send(self, day: dt.date) -> str:
        self.world.live(day)
        return self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out")

    def receive(self, day: dt.date, status: int = 0) -> str:
        return self.renkei("run", "daily", "--date", day.isoformat(), "--only", "in", status=status)

    def day(self, day: dt.date, misbehaviour: Misbehaviour | None = None) -> None:
        self.send(day)
        self.world.night(day, misbehaviour)
        self.receive(day, status=1 if misbehaviour in KEPT_APART else 0)

    def held(self, on: dt.date) -> pl.DataFrame:
        frame = pl.read_csv(StringIO(self.renkei("linkage", "show", "--on", on.isoformat())), infer_schema=False)
        dates = [name for name in FACTS if name.endswith("_on")]
        return frame.with_columns(pl.col(dates).str.to_date("%Y-%m-%d")).sort("resident_number")

    def differences(self, day: dt.date) -> pl.DataFrame:
        """Persons of the truth whose facts we do not hold just so."""
        truth, held = self.world.truth(day).select(FACTS), self.held(day).select(FACTS)
        return truth.join(held, on=FACTS, how="anti", nulls_equal=True)

    def states(self) -> dict[str, str]:
        entries = json.loads(self.renkei("ledger", "list", "--json"))
        return {entry["file_name"]: entry["state"] for entry in entries}


def test_after_any_day_we_hold_the_truth(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=1)
    for day in business_days(START, 10):
        town.day(day)
        wrong = town.differences(day)
        assert wrong.is_empty(), (day, wrong)
    assert set(town.states().values()) == {"accepted", "applied"}
    first = town.held(START)
    assert first["municipal_insured_id"].null_count() == 0
    assert first["municipal_insured_id"].is_unique().all()
    assert town.held(START).height < town.held(dt.date(2026, 4, 14)).height


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
    # A file that somebody else leaves, unsealed, is not taken.
    town.send(third)
    town.world.night(third)
    arrived = openssh_server.root / OURS.code / "from_union"
    sealed = sorted(arrived.glob("*.p7m"))
    same = Environment.open(Settings.load(town.settings))
    content = decrypt_and_verify(sealed[0].read_bytes(), same.keys, same.partners(), same.clock())
    leave(arrived / sealed[0].name.removesuffix(".p7m"), content)
    other = Seals(tmp_path / "stranger", tmp_path / "data" / "keys" / "transfer-1.cert.pem")
    leave(sealed[1], other.seal(b"1,0000001\r\n"))
    told = town.receive(third, status=1)
    assert "KR-6325" in told
    assert "KR-6322" in told
    assert list(town.states().values()).count("quarantined") == 2
    # The one that came sealed is no duplicate of the one that nobody vouched for.
    assert town.states()[sealed[0].name] == "applied"
    held = json.loads(town.renkei("quarantine", "list", "--json"))[0]["id"]
    assert "KR-6315" in town.renkei("quarantine", "release", str(held), "--reason", "電話で確認", status=2)
    town.renkei("quarantine", "reject", str(held), "--reason", "送り主が分からない")
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
    assert "送付 sent" in town.renkei("run", "daily", *date, "--only", "out")
    assert len(list(folder.iterdir())) == 2
    assert "KR-6134" in town.renkei("approve", *date, "--by", "承認者", *hashes, status=2)
    # The next day is small: nobody needs to approve it.
    town.world.night(first)
    town.receive(first)
    town.day(second)
    assert town.differences(second).is_empty()


QUARANTINED = {
    Misbehaviour.truncated: "KR-1",
    Misbehaviour.wrong_count: "KR-4001",
    Misbehaviour.other_municipality: "KR-4002",
    Misbehaviour.with_my_number: "KR-4004",
}


@pytest.mark.parametrize("misbehaviour", QUARANTINED)
def test_a_bad_file_is_quarantined_whole_and_the_others_go_on(
    misbehaviour: Misbehaviour, tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    town = Town(tmp_path, openssh_server, seed=3, persons=300)
    first, second, third = business_days(START, 3)
    town.day(first)
    before = town.held(first)
    town.day(second, misbehaviour)
    name = f"KRSHU_{OURS.code}_{second:%Y%m%d}_000001.csv"
    states = town.states()
    assert states[name] == "quarantined"
    assert states[f"KRSID_{OURS.code}_{second:%Y%m%d}_000001.csv"] == "applied"
    entry = town.renkei("quarantine", "list").split()[0]
    report = town.renkei("quarantine", "show", entry, "--json")
    codes = [finding["code"] for finding in json.loads(report)["report"]["findings"] if finding["level"] != "warning"]
    assert codes, report
    assert all(code.startswith(QUARANTINED[misbehaviour]) for code in codes)
    dates = ["resident_number", "acquired_on", "lost_on"]
    known = before.select(dates)
    assert town.held(second).select(dates).join(known, on="resident_number", how="semi").equals(known)
    town.renkei("quarantine", "reject", entry, "--reason", "試験", "--by", "担当")
    town.day(third)
    assert town.states()[name] == "rejected"


def test_a_rejected_day_is_carried_by_the_next(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=4)
    first, second, third = business_days(START, 3)
    town.day(first)
    town.day(second, Misbehaviour.nack)
    assert town.states()[f"KRKOJ_{OURS.code}_{second:%Y%m%d}_000001.csv"] == "rejected"
    assert "KR-8114" in town.renkei("linkage", "discrepancies", "--date", second.isoformat())
    town.day(third)
    assert town.differences(third).is_empty()


def test_late_and_duplicate_files_do_no_harm(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=5, persons=300)
    first, second, third, fourth = business_days(START, 4)
    town.day(first)
    town.day(second, Misbehaviour.late)
    town.day(third)
    assert town.differences(third).is_empty()
    town.day(fourth, Misbehaviour.duplicate)
    assert town.differences(fourth).is_empty()


def test_older_content_under_a_new_name_is_a_recorded_no_op(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=8, persons=300)
    first, second, third = business_days(START, 3)
    town.day(first)
    town.day(second)
    before = town.held(second)
    town.day(third, Misbehaviour.older_content)
    assert town.states()[f"KRSHU_{OURS.code}_{third:%Y%m%d}_000001.csv"] == "duplicate"
    assert town.held(third).join(before, on=FACTS, how="semi", nulls_equal=True).height == before.height


def test_contradictions_are_asked_about_and_not_taken_in(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=6, persons=300)
    (first,) = business_days(START, 1)
    town.day(first, Misbehaviour.unknown_resident)
    assert "KR-8101" in town.renkei("linkage", "discrepancies", "--date", first.isoformat())
    assert "999999999999999" not in town.held(first)["resident_number"].to_list()
    counts = json.loads(town.renkei("ledger", "list", "--json"))
    assert all(entry["state"] in ("accepted", "applied") for entry in counts)


def test_a_file_whose_every_date_is_turned_round_is_quarantined(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=10, persons=300)
    (first,) = business_days(START, 1)
    town.day(first, Misbehaviour.reversed_dates)
    assert town.states()[f"KRSHU_{OURS.code}_{first:%Y%m%d}_000001.csv"] == "quarantined"
    entry = town.renkei("quarantine", "list").split()[0]
    assert "KR-3003" in town.renkei("quarantine", "show", entry)
    town.renkei("quarantine", "release", entry, "--reason", "連合会に確認済み")
    town.receive(first)
    assert town.states()[f"KRSHU_{OURS.code}_{first:%Y%m%d}_000001.csv"] == "applied"
    differing = town.differences(first)
    assert differing.height == 1


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
    assert "superseded" in again
    assert f"KRKOJ_{OURS.code}_{second:%Y%m%d}_000001.csv" not in {
        name for name, state in town.states().items() if state in ("sent", "accepted")
    }
