"""Dates that cannot be meant: below and above the range of their item, and values in place of a date."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fixtures.defects import FOLDER
from interfaces.catalogue import Catalogue, load_catalogue
from interfaces.spec import Ahead, Item
from pipelines.cli import main

IDS = "KRSID_999997_20260401_000001.csv"


def validated(folder: Path, name: str, old: str, new: str, encoding: str = "utf-8") -> dict[str, Any]:
    """What `renkei validate` says of a sound file in whose second line `old` is written as `new`."""
    source = FOLDER / ("sound_municipal_ids" if name == IDS else "sound_town") / name
    lines = source.read_bytes().split(b"\n")
    assert lines[1].count(old.encode(encoding)) == 1
    lines[1] = lines[1].replace(old.encode(encoding), new.encode(encoding))
    (folder / name).write_bytes(b"\n".join(lines))
    result = CliRunner().invoke(main, ["validate", str(folder / name), "--json"])
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if report["valid"] else 1)
    return report


def found(report: dict[str, Any]) -> list[tuple[str, int, str]]:
    ids = {entry.name: entry.id for entry in load_catalogue().dictionary.values()}
    return [(finding["code"], finding["line"], ids[finding["item_name"]]) for finding in report["findings"]]


START = ("01,2026-04-01,01,,,2026-04-01,01,,,,2026-04-01,", "01,{},01,,,2026-04-01,01,,,,2026-04-01,")
BORN = ("1980-01-02,0,", "{},0,")


@pytest.mark.parametrize(
    ("name", "cell", "day", "expected"),
    [
        ("insured_999997_20260401.csv", START, "1938-06-30", [("KR-2051", 2, "acquired_on")]),
        ("insured_999997_20260401.csv", START, "1938-07-01", []),
        ("insured_999997_20260401.csv", START, "1938-07-02", []),
        ("insured_999997_20260401.csv", START, "0001-01-02", [("KR-2051", 2, "acquired_on")]),
        ("insured_999997_20260401.csv", START, "1800-04-01", [("KR-2051", 2, "acquired_on")]),
        ("insured_999997_20260401.csv", START, "2062-04-01", [("KR-3005", 2, "acquired_on")]),
        ("insured_999997_20260401.csv", START, "9999-12-31", [("KR-2052", 2, "acquired_on")]),
        ("insured_999997_20260401.csv", START, "99999999", [("KR-2052", 2, "acquired_on")]),
        ("insured_999997_20260401.csv", START, "0001-01-01", [("KR-2052", 2, "acquired_on")]),
        ("resident_999997_20260401.csv", BORN, "1868-01-24", [("KR-2051", 2, "born_on")]),
        ("resident_999997_20260401.csv", BORN, "1868-01-25", []),
        ("resident_999997_20260401.csv", BORN, "2026-03-31", []),
        ("resident_999997_20260401.csv", BORN, "2026-04-01", []),
        ("resident_999997_20260401.csv", BORN, "2026-04-02", [("KR-3005", 2, "born_on")]),
    ],
)
def test_a_date_outside_its_range_is_a_finding_of_its_record(
    tmp_path: Path, name: str, cell: tuple[str, str], day: str, expected: list[tuple[str, int, str]]
) -> None:
    assert found(validated(tmp_path, name, cell[0], cell[1].format(day))) == expected


ENDED = (",0,2026-04-01,,9999999,", ",0,2026-04-01,{},9999999,")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2028-03-31", []),
        ("2028-04-01", []),
        ("2028-04-02", [("KR-3005", 2, "household_ended_on")]),
        ("2999-12-30", [("KR-3005", 2, "household_ended_on")]),
    ],
)
def test_an_end_is_at_most_two_years_ahead(tmp_path: Path, day: str, expected: list[tuple[str, int, str]]) -> None:
    report = validated(tmp_path, "household_999997_20260401.csv", ENDED[0], ENDED[1].format(day))
    assert (found(report), report["normalised"]) == (expected, {})


@pytest.mark.parametrize("none", ["9999-12-31", "2999-12-31", "9999-99-99", "99999999", "00000000", "0001-01-01"])
def test_an_end_that_says_there_is_none_is_none_and_is_counted(tmp_path: Path, none: str) -> None:
    report = validated(tmp_path, "household_999997_20260401.csv", ENDED[0], ENDED[1].format(none))
    assert (found(report), report["normalised"]) == ([], {"household_ended_on": 1})


def test_no_end_is_not_accepted_where_no_value_is_meant(tmp_path: Path) -> None:
    """届出年月日 may be blank, but it has no end."""
    old, new = ",,,,2026-04-01,2026-04-01", ",,,{},2026-04-01,2026-04-01"
    insured = "insured_999997_20260401.csv"
    assert validated(tmp_path, insured, old, new.format("0001-01-01"))["normalised"] == {"notified_on": 1}
    assert found(validated(tmp_path, insured, old, new.format("9999-12-31"))) == [("KR-2052", 2, "notified_on")]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("18000401", [("KR-2051", 2, "assigned_on")]),
        ("20151004", [("KR-2051", 2, "assigned_on")]),
        ("20151005", []),
        ("20270401", []),
        ("20270402", [("KR-3005", 2, "assigned_on")]),
        ("99999999", [("KR-2052", 2, "assigned_on")]),
    ],
)
def test_what_comes_from_the_union_must_be_in_its_range_too(
    tmp_path: Path, day: str, expected: list[tuple[str, int, str]]
) -> None:
    assert found(validated(tmp_path, IDS, "900000000011,,20260401,", f"900000000011,,{day},")) == expected


OURS = "KRKOJ_999997_20260401_000001.csv"


@pytest.mark.parametrize(
    ("day", "expected"),
    [("99991231", [("KR-2052", 2, "ended_on")]), ("20280401", []), ("20280402", [("KR-3005", 2, "ended_on")])],
)
def test_our_own_file_must_be_in_its_range_and_is_never_normalised(
    tmp_path: Path, day: str, expected: list[tuple[str, int, str]]
) -> None:
    source = FOLDER / "sound" / OURS
    lines = source.read_bytes().split(b"\r\n")
    cells = lines[1].split(b",")
    cells[22], cells[23] = day.encode(), b"01"
    (tmp_path / OURS).write_bytes(b"\r\n".join([lines[0], b",".join(cells), *lines[2:]]))
    report = json.loads(CliRunner().invoke(main, ["validate", str(tmp_path / OURS), "--json"]).stdout)
    expected_lines = [finding for finding in found(report) if finding[2] == "ended_on"]
    assert (expected_lines, report["normalised"]) == (expected, {})


def test_every_date_and_month_of_every_interface_has_a_range() -> None:
    catalogue = load_catalogue()
    dated = {
        item.id
        for interface in catalogue.ids()
        for version in catalogue.versions(interface)
        for record in version.records
        for item in record.items
        if item.type.date_format
    }
    assert dated <= set(catalogue.dates.ranges)
    assert set(catalogue.dates.ranges) <= set(catalogue.dictionary)


def test_an_era_date_has_the_same_range_and_its_own_sentinels() -> None:
    """No interface has 和暦 today; an item that gets it needs nothing else."""
    catalogue: Catalogue = load_catalogue()
    end: Item = catalogue.versions("household_extract")[0].data.by_id["household_ended_on"]
    era = replace(end, type=catalogue.types["和暦年月日"])
    assert {"9999999", "5991231", "0000000"} <= set(catalogue.dates.none(era))


@pytest.mark.parametrize(
    ("text", "on", "last"),
    [
        ("2年", "2026-04-01", "2028-04-01"),
        ("1年", "2028-02-29", "2029-02-28"),
        ("0日", "2026-04-01", "2026-04-01"),
        ("0日", "2028-02-29", "2028-02-29"),
        ("30日", "2026-04-01", "2026-05-01"),
    ],
)
def test_how_far_ahead_counts_from_the_day_of_the_file(text: str, on: str, last: str) -> None:
    assert Ahead.parse(text).after(dt.date.fromisoformat(on)) == dt.date.fromisoformat(last)
