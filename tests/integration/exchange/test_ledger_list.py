"""`renkei ledger list` with its heading and filters, and what `quarantine show` says to do next."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from unicodedata import east_asian_width

import pytest

from pipelines.deployment import Environment
from tests.support.deployment import opened, renkei
from tests.support.entries import answered, outbound_entry, sent_day

WED, THU, MAY = dt.date(2026, 4, 1), dt.date(2026, 4, 2), dt.date(2026, 5, 1)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Two days of April, the month's own file of April, and a day of May."""
    found = opened(tmp_path, switched_off=())
    sent_day(found.ledger, WED, "accepted")
    sent_day(found.ledger, THU)
    outbound_entry(found.ledger, "income_class", WED, "monthly.csv", records=12345)
    sent_day(found.ledger, MAY)
    answered(found.ledger, WED, "acquisition_loss_linkage", state="quarantined")
    return found


def names(environment: Environment, *options: str) -> list[str]:
    """The names that are listed with these options, as the screen and as JSON say alike."""
    screen = renkei(environment, "ledger", "list", *options)
    assert screen.exit_code == 0, screen.output
    lines = screen.stdout.splitlines()
    assert re.split(r" {2,}", lines[0].strip()) == ["番号", "送受", "対象", "状態", "件数", "SHA-256", "ファイル名"]
    assert lines[-1] == f"{len(lines) - 2}件"
    listed = [line.split()[-1] for line in lines[1:-1]]
    told = json.loads(renkei(environment, "ledger", "list", "--json", *options).stdout)
    assert listed == [entry["file_name"] for entry in told]
    return listed


def test_the_filters_narrow_the_list_one_by_one_and_together(environment: Environment) -> None:
    household, person, answer = "eligibility_household_", "eligibility_individual_", "acquisition_loss_linkage_"
    wednesday = [f"{household}{WED}", f"{person}{WED}"]
    thursday, may = ([f"{household}{day}", f"{person}{day}"] for day in (THU, MAY))
    assert names(environment) == [*wednesday, *thursday, "monthly.csv", *may, f"{answer}{WED}"]
    assert names(environment, "--date", "2026-04-02") == thursday
    assert names(environment, "--month", "2026-04") == [*wednesday, *thursday, "monthly.csv", f"{answer}{WED}"]
    assert names(environment, "--interface", "income_class") == ["monthly.csv"]
    assert names(environment, "--state", "受付済み") == names(environment, "--state", "accepted") == wednesday
    assert names(environment, "--state", "隔離中") == [f"{answer}{WED}"]
    assert names(environment, "--last", "2") == [may[1], f"{answer}{WED}"]
    assert names(environment, "--month", "2026-04", "--state", "送付済み", "--last", "1") == [thursday[1]]
    assert names(environment, "--date", "2027-01-04") == []


def test_an_interface_that_does_not_exist_is_told(environment: Environment) -> None:
    assert renkei(environment, "ledger", "list", "--interface", "moon").stderr.startswith("KR-7102")


def test_the_columns_stand_below_their_headings(environment: Environment) -> None:
    """A Japanese character takes two columns of a terminal."""

    def columns(text: str) -> int:
        return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)

    heading, *rows, _ = renkei(environment, "ledger", "list").stdout.splitlines()
    places = {columns(heading[: heading.index("ファイル名")])}
    places |= {columns(row[: row.rindex(" ") + 1]) for row in rows}
    assert len(places) == 1
    assert "12,345" in rows[4]


def test_a_quarantined_file_is_shown_with_its_remedy_and_the_two_commands(tmp_path: Path) -> None:
    environment = opened(tmp_path, switched_off=())
    for releasable, commands in ((True, ["release", "reject"]), (False, ["reject"])):
        (day,) = (WED,) if releasable else (THU,)
        (entry,) = answered(
            environment.ledger, day, "acquisition_loss_linkage", state="quarantined", releasable=releasable
        )
        folder = environment.settings.data_folder / "quarantine" / str(entry.id)
        folder.mkdir(parents=True)
        finding = {"code": "KR-2001", "message": "KR-2001 必須の項目が空です"}
        report = {"code": "KR-6304", "message": "検証に合わない", "report": {"findings": [finding, finding]}}
        (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
        shown = renkei(environment, "quarantine", "show", entry.id).stdout
        assert re.findall(r"renkei quarantine (\w+) (\d+) --reason", shown) == [
            (command, str(entry.id)) for command in commands
        ]
        assert [line[:11] for line in shown.splitlines() if line.startswith("対処")] == [
            "対処（KR-6304）",
            "対処（KR-2001）",
        ]
    listed = renkei(environment, "quarantine", "list").stdout
    assert listed.count("隔離中") == 2
