"""Dates that cannot be meant, in the extracts of a day that is really sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.support.town import DAY, Town

HOUSEHOLDS = "KRSET_999997_20260401_000001.csv"
PEOPLE = "KRKOJ_999997_20260401_000001.csv"


def run(town: Town, *arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"RENKEI_SETTINGS": str(town.folder / "renkei.toml")})


def send(town: Town) -> None:
    result = run(town, "run", "daily", "--date", DAY.isoformat(), "--only", "out")
    assert result.exit_code == 0, result.output


def edit(town: Town, kind: str, change: Callable[[dict[str, str]], None]) -> None:
    """Change the rows of an extract of the day."""
    path = next(path for path in (town.folder / "extracts").iterdir() if path.name.startswith(kind))
    heading, *lines = path.read_text(encoding="utf-8").splitlines()
    names = heading.split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines]
    for row in rows:
        change(row)
    path.write_text("\n".join([heading, *(",".join(row.values()) for row in rows)]) + "\n", encoding="utf-8")


def sent_records(town: Town, name: str) -> list[list[str]]:
    """The data records of a file as the Union has it."""
    text = (town.server.root / "to_union" / name).read_bytes().decode("cp932")
    return [line.split(",") for line in text.splitlines() if line.startswith("2,")]


def report(town: Town, extract: str) -> dict[str, dict[str, int]]:
    path: Path = town.deployment.environment.reports(DAY) / f"{extract}.json"
    found: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("none", ["9999-12-31", "2999-12-31", "99999999"])
def test_a_household_without_end_is_sent_without_one(town: Town, none: str) -> None:
    town.extract(DAY)
    running: list[str] = []

    def endless(row: dict[str, str]) -> None:
        if not row["世帯適用終了年月日"]:
            running.append(row["国保世帯番号"])
            row["世帯適用終了年月日"] = none

    edit(town, "household", endless)
    send(town)
    ends = {cells[5]: cells[11] for cells in sent_records(town, HOUSEHOLDS)}
    assert len(running) > 10
    assert {ends[number] for number in running if number in ends} == {""}
    assert len([number for number in running if number in ends]) > 10
    assert report(town, "household_extract")["normalised"]["household_ended_on"] == len(running)


@pytest.mark.parametrize(
    ("day", "code"), [("0001-02-01", "KR-2051"), ("1800-04-01", "KR-2051"), ("2062-04-01", "KR-3005")]
)
def test_a_person_with_an_impossible_acquisition_date_is_withheld_and_listed_and_the_rest_is_sent(
    town: Town, day: str, code: str
) -> None:
    town.extract(DAY)
    persons: list[str] = []

    def impossible(row: dict[str, str]) -> None:
        if not persons and not row["資格喪失年月日"]:
            persons.append(row["宛名番号"])
            row["資格取得年月日"] = day
            if day > row["適用開始年月日"]:
                row["適用開始年月日"] = day

    edit(town, "insured", impossible)
    send(town)
    assert persons[0] not in {cells[5] for cells in sent_records(town, PEOPLE)}
    assert len(sent_records(town, PEOPLE)) > 100
    withheld = json.loads(run(town, "withheld", "--date", DAY.isoformat(), "--json").stdout)
    (mine,) = [row for row in withheld if row["resident_number"] == persons[0]]
    assert code in json.dumps(mine, ensure_ascii=False)


def test_a_person_who_lost_the_qualification_but_is_still_insured_is_withheld_and_listed(town: Town) -> None:
    town.extract(DAY)
    persons: list[str] = []

    def lost(row: dict[str, str]) -> None:
        if not persons and not row["適用終了年月日"]:
            persons.append(row["宛名番号"])
            row["資格喪失年月日"], row["資格喪失事由"] = row["適用開始年月日"], "02"

    edit(town, "insured", lost)
    send(town)
    assert persons[0] not in {cells[5] for cells in sent_records(town, PEOPLE)}
    withheld = json.loads(run(town, "withheld", "--date", DAY.isoformat(), "--json").stdout)
    (mine,) = [row for row in withheld if row["resident_number"] == persons[0]]
    assert mine["codes"] == "KR-2001 必須項目の未入力（適用終了年月日）"
