"""Files of the stand-in Union that are late, wrong or there twice: quarantined, asked about or ignored, and recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.counterpart.misbehaviour import Misbehaviour
from fixtures.demo.days import business_days
from fixtures.world import OURS
from tests.support.command_town import FACTS, START, Town
from tests.support.servers import OpenSshServer

QUARANTINED = {
    Misbehaviour.truncated: "KR-1",
    Misbehaviour.wrong_count: "KR-4001",
    Misbehaviour.other_municipality: "KR-4002",
    Misbehaviour.with_my_number: "KR-4004",
}


@pytest.mark.slow
@pytest.mark.parametrize("misbehaviour", QUARANTINED)
def test_a_bad_file_is_quarantined_whole_and_the_others_go_on(
    misbehaviour: Misbehaviour, tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    town = Town(tmp_path, openssh_server, seed=3, persons=300)
    first, second, third = business_days(START, 3)
    town.day(first)
    before = town.linkage_on(first)
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
    assert town.linkage_on(second).select(dates).join(known, on="resident_number", how="semi").equals(known)
    town.renkei("quarantine", "reject", entry, "--reason", "試験", "--by", "担当")
    town.day(third)
    assert town.states()[name] == "rejected"


@pytest.mark.slow
def test_late_and_duplicate_files_do_no_harm(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=5, persons=300)
    first, second, third, fourth = business_days(START, 4)
    town.day(first)
    town.day(second, Misbehaviour.late)
    town.day(third)
    assert town.differences(third).is_empty()
    town.day(fourth, Misbehaviour.duplicate)
    assert town.differences(fourth).is_empty()


@pytest.mark.slow
def test_older_content_under_a_new_name_is_a_recorded_no_op(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=8, persons=300)
    first, second, third = business_days(START, 3)
    town.day(first)
    town.day(second)
    before = town.linkage_on(second)
    town.day(third, Misbehaviour.older_content)
    assert town.states()[f"KRSHU_{OURS.code}_{third:%Y%m%d}_000001.csv"] == "duplicate"
    assert town.linkage_on(third).join(before, on=FACTS, how="semi", nulls_equal=True).height == before.height


def test_contradictions_are_asked_about_and_not_applied(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=6, persons=300)
    (first,) = business_days(START, 1)
    town.day(first, Misbehaviour.unknown_resident)
    assert "KR-8101" in town.renkei("linkage", "discrepancies", "--date", first.isoformat())
    assert "999999999999999" not in town.linkage_on(first)["resident_number"].to_list()
    counts = json.loads(town.renkei("ledger", "list", "--json"))
    assert all(entry["state"] in ("accepted", "applied") for entry in counts)


def test_a_file_with_all_dates_reversed_is_quarantined(tmp_path: Path, openssh_server: OpenSshServer) -> None:
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
