"""Violations input through the public entry point: each small file has one defect, and gives one finding that names it. No traceback."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fixtures.defects import FOLDER, defects
from fixtures.monthly_defects import SOUND
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.naming import recognise
from pipelines.cli import main
from schemas.validate import FileContext, relate, validate_file

DAY = "2026-04-01"
# (code, line, item number, byte of the line). The bytes are counted by hand in the files: everything before it, commas
# and quotes included, two bytes a kanji or kana in CP932 and three in UTF-8. None where the line or the file is meant.
Place = tuple[str, int | None, int | None, int | None]
# defect -> the one finding that must be made of it; () is a valid file.
EXPECTED: dict[str, Place | tuple[()]] = {
    "sound": (),
    "empty_file": ("KR-1001", None, None, None),
    "control_record_only": ("KR-1004", None, None, None),
    "missing_control_record": ("KR-1002", None, None, None),
    "second_control_record": ("KR-1003", 2, None, None),
    "missing_end_record": ("KR-1004", None, None, None),
    "second_end_record": ("KR-1005", 6, None, None),
    "data_after_end_record": ("KR-1006", 4, None, None),
    "count_one_short": ("KR-4001", 1, 4, 15),
    "count_one_over": ("KR-4001", 1, 4, 15),
    "truncated_in_a_two_byte_character": ("KR-1019", 3, None, 86),  # after the half character
    "lf_instead_of_crlf": ("KR-1008", 1, None, None),
    "bom_where_none_belongs": ("KR-1009", 1, None, 1),
    "wrong_encoding": ("KR-1010", 2, None, 83),  # 合成 is E5 90, 88 E6, 88 90: the third pair is no character of CP932
    "unescaped_quote": ("KR-1011", 3, None, 78),
    "a_column_too_few": ("KR-1012", 3, None, 183),  # the end of the line
    "a_column_too_many": ("KR-1012", 3, None, 186),  # the 31st field
    "item_one_byte_too_long_in_cp932": ("KR-2002", 3, 10, 78),
    "half_width_kana_in_a_kanji_item": ("KR-2003", 3, 10, 78),
    "external_character_without_agreement": ("KR-1024", 3, 10, 78),
    "date_that_does_not_exist": ("KR-2004", 3, 12, 110),
    "uncertain_birth_date_without_its_flag": ("KR-2001", 3, 12, 110),
    "uncertain_birth_date": (),
    "my_number_with_a_wrong_check_digit": ("KR-2011", 4, 8, 62),
    "start_after_end": ("KR-3003", 4, 23, 160),
    "another_municipality_under_our_name": ("KR-4007", 1, 7, 35),
    "our_name_with_another_day_inside": ("KR-4006", 1, 10, 47),
    "a_nul": ("KR-1014", 3, None, 87),
    "unknown_record_kind": ("KR-1015", 3, None, None),
    "code_outside_the_table": ("KR-2006", 3, 14, 121),
    "formula_in_a_name": (),
    "sound_extract": (),
    "extract_column_renamed": ("KR-1016", 1, None, None),
    "extract_column_missing": ("KR-1016", 1, None, None),
    "extract_columns_reordered": ("KR-1016", 1, None, None),
    "extract_without_rows": ("KR-1017", None, None, None),
    "a_directory_in_the_inbox": ("KR-1018", None, None, None),
    "yesterdays_extract_delivered_again": ("KR-4006", 2, 20, 171),
    # Sound by themselves: a defect beside what came before. test_a_known_name_with_other_content_is_quarantined_whole
    # (tests/integration/exchange) and test_a_wrong_delivery_stops_the_day_and_loses_nothing (tests/integration/orchestration) deliver them.
    "sound_municipal_ids": (),
    "same_name_with_other_content": (),
    "sound_town": (),
    "extract_that_lost_30_percent_of_its_rows": (),
}
# No file is kept for two defects: a file name with a path in it (no file system has "/" in a name, and git on Windows
# refuses a backslash), which test_a_name_with_a_path_never_becomes_a_local_path (tests/integration/exchange) makes; and a line of
# two gigabytes, which test_a_line_of_two_gigabytes_is_never_loaded makes below as a sparse file.

# The monthly interfaces: their name says the month (or the day of the extract).
EXPECTED_MONTHLY: dict[str, Place] = {
    "candidate_of_no_side": ("KR-2006", 3, 7, 37),
    "candidate_list_of_another_month": ("KR-4008", 1, 10, 47),
    "candidate_with_a_my_number": ("KR-4004", 2, 10, 62),
    "candidate_left_before_joining": ("KR-3003", 2, 14, 89),
    "candidate_with_a_reason_but_no_date": ("KR-3006", 3, 15, 90),
    "candidate_of_an_unknown_municipality": ("KR-2012", 2, 8, 39),
    "instruction_outside_the_table": ("KR-2006", 3, 10, 76),
    "instruction_without_a_date": ("KR-2001", 3, 12, 87),
    "result_count_over_12": ("KR-2017", 3, 14, 103),
    "result_outside_the_table": ("KR-2006", 3, 11, 83),
    "handover_month_before_april_2018": ("KR-3007", 3, 10, 76),
    "handover_month_in_the_future": ("KR-3008", 3, 10, 76),
    "handover_month_that_does_not_exist": ("KR-2004", 3, 10, 76),
    "handover_count_over_12": ("KR-2017", 3, 11, 83),
    "history_month_before_april_2018": ("KR-3007", 3, 7, 46),
    "history_from_nowhere": ("KR-2006", 3, 8, 53),
    "income_class_outside_the_table": ("KR-2006", 2, 8, 53),
    "income_class_from_no_month": ("KR-2004", 2, 7, 46),
    "benefit_before_april_2018": ("KR-3007", 3, 4, 40),
    "benefit_in_the_future": ("KR-3008", 3, 4, 40),
    "benefit_that_is_negative": ("KR-2018", 3, 7, 57),
    "benefit_with_a_comma": ("KR-2003", 3, 7, 57),
    "benefit_extract_of_another_month": ("KR-4008", 2, 9, 64),
    "tax_of_a_declared_without_income": ("KR-2001", 2, 5, 31),
    "tax_that_is_negative": ("KR-2018", 2, 5, 31),
    "tax_of_a_short_year": ("KR-2007", 3, 3, 24),
}
# A fault of several records is found at each of them, so that each person waits until it is corrected.
EXPECTED_AT_EACH: dict[str, list[Place]] = {
    "duplicate_resident_number": [("KR-3004", 3, 6, 30), ("KR-3004", 4, 6, 30)],
    "two_heads": [("KR-5004", 2, 16, 126), ("KR-5004", 4, 16, 132)],  # and not at the member between them
    "no_head": [("KR-5004", 2, 16, 126), ("KR-5004", 3, 16, 126), ("KR-5004", 4, 16, 132)],
    "instruction_twice": [("KR-3004", 2, 6, 30), ("KR-3004", 3, 6, 30)],
    "result_twice": [("KR-3004", 2, 9, 60), ("KR-3004", 3, 9, 60)],
    "handover_month_twice": [("KR-3004", 2, 6, 30), ("KR-3004", 3, 6, 30)],
    "benefit_twice": [("KR-3004", 2, 2, 8), ("KR-3004", 3, 2, 8)],
}
# Tried below: one needs both its files, the other a layout of its own.
TRIED_APART = {"individual_without_household", "era_date_outside_its_era"}


def file_of(defect: str) -> Path:
    return next((FOLDER / defect).iterdir())


def validated(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(main, ["validate", str(path), "--json", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def places(report: Mapping[str, Any]) -> list[Place]:
    """Where the findings of a report are that refuse a file or a record."""
    found = [finding for finding in report["findings"] if finding["level"] != "warning"]
    return [(finding["code"], finding["line"], finding["item_no"], finding["byte_position"]) for finding in found]


@pytest.mark.parametrize("defect", EXPECTED)
def test_one_defect_is_one_finding(defect: str) -> None:
    for path in (FOLDER / defect).iterdir():
        result = validated(path)
        report = json.loads(result.stdout)
        expected = EXPECTED[defect]
        assert places(report) == ([expected] if expected else [])
        assert result.exit_code == (1 if expected else 0)
        assert report["valid"] is not bool(expected)


@pytest.mark.parametrize("defect", EXPECTED_MONTHLY)
def test_one_defect_of_a_monthly_file_is_one_finding(defect: str) -> None:
    result = validated(file_of(defect))
    report = json.loads(result.stdout)
    assert places(report) == [EXPECTED_MONTHLY[defect]]
    assert len(report["findings"]) == 1
    assert result.exit_code == 1


@pytest.mark.parametrize("defect", EXPECTED_AT_EACH)
def test_a_fault_of_several_records_is_found_at_each_of_them(defect: str) -> None:
    result = validated(file_of(defect))
    report = json.loads(result.stdout)
    assert places(report) == EXPECTED_AT_EACH[defect]
    assert len(report["findings"]) == len(EXPECTED_AT_EACH[defect])
    assert result.exit_code == 1


@pytest.mark.parametrize("interface", SOUND)
def test_a_sound_monthly_file_is_valid(interface: str) -> None:
    result = validated(file_of(f"sound_{interface}"))
    assert json.loads(result.stdout)["findings"] == []
    assert result.exit_code == 0


def test_every_file_is_tried() -> None:
    kept = {path.name for path in FOLDER.iterdir()}
    sound_monthly = {f"sound_{interface}" for interface in SOUND}
    assert kept == {*EXPECTED, *EXPECTED_MONTHLY, *EXPECTED_AT_EACH, *sound_monthly, *TRIED_APART}


@pytest.mark.parametrize(("defect", "found"), [("two_heads", "世帯主2人"), ("no_head", "世帯主0人")])
def test_a_household_without_exactly_one_head_is_reported_with_their_number(defect: str, found: str) -> None:
    for finding in json.loads(validated(file_of(defect)).stdout)["findings"]:
        assert (finding["expected"], finding["value"]) == ("世帯主1人", found)
        assert "世帯主1人" in finding["message"] and found in finding["message"]


def test_an_individual_without_household_is_found_across_the_two_files() -> None:
    judged = {}
    for path in (FOLDER / "individual_without_household").iterdir():
        assert json.loads(validated(path).stdout)["findings"] == [], "by itself each of the two files is sound"
        recognised = recognise(load_catalogue(), path.name)
        assert recognised is not None
        specification = load_catalogue().in_force(recognised[0], dt.date(2026, 4, 1))
        judged[recognised[0]] = validate_file(
            path, specification, dt.date(2026, 4, 1), FileContext(file_name=path.name)
        )
    found = relate(judged).select("code", "line", "item_no", "byte_position", "value").rows()
    assert found == [("KR-5001", 4, 7, 46, "********099")]


# What a person reads after the place.
SENTENCES = {
    "missing_control_record": "先頭に制御レコードがありません（受信: 2）",
    "unknown_record_kind": "3行目のレコード種別 9 は仕様にありません（期待: 1・2・3）",
    "data_after_end_record": "4行目のレコードの位置が違います（期待: レコード種別 2）",
    "code_outside_the_table": "性別がコード表にない値です（使用できる値: 1 男・2 女・3 未設定）（受信値: ********）",
    "candidate_of_no_side": "世帯の側がコード表にない値です（使用できる値: 1 転出元世帯・2 転入先世帯）（受信値: 3）",
}


@pytest.mark.parametrize("defect", SENTENCES)
def test_a_clerk_can_read_what_is_wrong(defect: str) -> None:
    (finding,) = json.loads(validated(file_of(defect)).stdout)["findings"]
    assert finding["message"].endswith(f": {SENTENCES[defect]}"), finding["message"]


def test_the_files_are_what_the_generator_makes() -> None:
    made = {(defect, name): data for defect, name, data in defects()}
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    kept = {tuple(path.relative_to(FOLDER).as_posix().split("/", 1)): path.read_bytes() for path in files}
    assert kept == made


def test_a_value_of_a_person_is_never_shown() -> None:
    for defect in (*EXPECTED, *EXPECTED_AT_EACH):
        shown = validated(file_of(defect)).output
        for secret in ("123456789018", "983205673214", "983205673215", "合成　", "花子", "19820304"):
            assert secret not in shown, (defect, secret)


def test_an_era_date_outside_its_era(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    table = root / "eligibility_individual" / "2018-04-01" / "data.csv"
    with table.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    next(row for row in rows if row["id"] == "born_on").update({"属性": "和暦年月日", "バイト数": "7"})
    with table.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    settings = tmp_path / "renkei.toml"
    settings.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        f'data_folder = "data"\nextract_folder = "extracts"\ncatalogue_folder = "{root}"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    report = json.loads(validated(file_of("era_date_outside_its_era"), "--on", DAY).stdout)
    # 昭和65年1月8日 is in 平成; 昭和55年 and 平成22年 are sound.
    assert places(report) == [("KR-2005", 3, 12, 110)]


def renkei(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("renkei")), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "RENKEI_SETTINGS"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_what_cannot_be_judged_is_explained_in_words(tmp_path: Path) -> None:
    missing = renkei("validate", str(tmp_path / "KRKOJ_999997_20260401_000001.csv"))
    unknown = renkei("validate", str(FOLDER / "sound" / "KRKOJ_999997_20260401_000001.csv"), "--interface", "moon")
    nameless = tmp_path / "README.txt"
    nameless.write_text("x", encoding="utf-8")
    unnamed = renkei("validate", str(nameless))
    for result, code in ((missing, "KR-7104"), (unknown, "KR-7102"), (unnamed, "KR-7302")):
        assert (result.returncode, code in result.stderr, "対処" in result.stderr) == (2, True, True), result.stderr
        assert "Traceback" not in result.stderr


def test_a_line_of_two_gigabytes_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "KRKOJ_999997_20260401_000001.csv"
    sound = file_of("sound").read_bytes()
    with path.open("wb") as handle:
        handle.write(sound.splitlines(keepends=True)[0])
        handle.truncate(2 * 1024**3)
    command = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1536 * 1024**2,) * 2);"
        "from pipelines.cli import main; sys.argv[0] = 'renkei'; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", command, "validate", str(path), "--on", DAY, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"POLARS_MAX_THREADS": "1"},
    )
    assert result.returncode == 1, result.stderr[-500:]
    assert [f["code"] for f in json.loads(result.stdout)["findings"]] == ["KR-1013"]


def test_the_workbook_counts_everything_and_contains_no_formula(tmp_path: Path) -> None:
    import openpyxl

    book = tmp_path / "report.xlsx"
    result = validated(file_of("duplicate_resident_number"), "--on", DAY, "--xlsx", str(book))
    assert result.exit_code == 1
    read = openpyxl.load_workbook(book)
    assert read.sheetnames == ["概要", "先頭500件", "集計"]
    rows = list(read["集計"].iter_rows(values_only=True))
    assert [(row[0], row[5]) for row in rows[1:]] == [("KR-3004", 2)]
    again = tmp_path / "again.xlsx"
    validated(file_of("duplicate_resident_number"), "--on", DAY, "--xlsx", str(again))
    assert book.read_bytes() == again.read_bytes()


def test_the_day_that_a_file_is_for_is_in_its_name() -> None:
    report = json.loads(validated(file_of("our_name_with_another_day_inside")).stdout)
    assert report["findings"][0]["expected"] == dt.date(2026, 4, 1).isoformat()
