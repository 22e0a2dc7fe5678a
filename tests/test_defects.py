"""Bad input through the public door: each small file has one defect, and gives one finding that names it. No traceback."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fixtures.defects import FOLDER, defects
from fixtures.monthly_defects import DEFECTS, SOUND
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.naming import recognise
from pipelines.cli import main
from schemas.validate import Context, relate, validate

DAY = "2026-04-01"
# defect -> the one finding (code, line, item number) that must be made of it; () is a valid file.
EXPECTED: dict[str, tuple[str, int | None, int | None] | tuple[()]] = {
    "sound": (),
    "empty_file": ("KR-1001", None, None),
    "control_record_only": ("KR-1004", None, None),
    "missing_control_record": ("KR-1002", None, None),
    "second_control_record": ("KR-1003", 2, None),
    "missing_end_record": ("KR-1004", None, None),
    "second_end_record": ("KR-1005", 6, None),
    "data_after_end_record": ("KR-1006", 4, None),
    "count_one_short": ("KR-4001", 1, 4),
    "count_one_over": ("KR-4001", 1, 4),
    "truncated_in_a_two_byte_character": ("KR-1019", 3, None),
    "lf_instead_of_crlf": ("KR-1008", 1, None),
    "bom_where_none_belongs": ("KR-1009", 1, None),
    "wrong_encoding": ("KR-1010", 2, None),
    "unescaped_quote": ("KR-1011", 3, None),
    "a_column_too_few": ("KR-1012", 3, None),
    "a_column_too_many": ("KR-1012", 3, None),
    "item_one_byte_too_long_in_cp932": ("KR-2002", 3, 10),
    "half_width_kana_in_a_kanji_item": ("KR-2003", 3, 10),
    "external_character_without_agreement": ("KR-1024", 3, 10),
    "date_that_does_not_exist": ("KR-2004", 3, 12),
    "uncertain_birth_date_without_its_flag": ("KR-2001", 3, 12),
    "uncertain_birth_date": (),
    "my_number_with_a_wrong_check_digit": ("KR-2011", 4, 8),
    "start_after_end": ("KR-3003", 4, 23),
    "another_municipality_under_our_name": ("KR-4007", 1, 7),
    "our_name_with_another_day_inside": ("KR-4006", 1, 10),
    "a_nul": ("KR-1014", 3, None),
    "unknown_record_kind": ("KR-1015", 3, None),
    "code_outside_the_table": ("KR-2006", 3, 14),
    "formula_in_a_name": (),
    "sound_extract": (),
    "extract_column_renamed": ("KR-1016", 1, None),
    "extract_column_missing": ("KR-1016", 1, None),
    "extract_columns_reordered": ("KR-1016", 1, None),
    "extract_of_yesterday": ("KR-4006", 2, 20),
    "extract_without_rows": ("KR-1017", None, None),
}

# The monthly interfaces: their name says the month (or the day of the extract).
EXPECTED_MONTHLY: dict[str, tuple[str, int, int]] = {
    "candidate_of_no_side": ("KR-2006", 3, 7),
    "candidate_list_of_another_month": ("KR-4008", 1, 10),
    "candidate_with_a_my_number": ("KR-4004", 2, 10),
    "candidate_left_before_joining": ("KR-3003", 2, 14),
    "candidate_with_a_reason_but_no_date": ("KR-3006", 3, 15),
    "candidate_of_an_unknown_municipality": ("KR-2012", 2, 8),
    "instruction_outside_the_table": ("KR-2006", 3, 10),
    "instruction_without_a_date": ("KR-2001", 3, 12),
    "result_count_over_12": ("KR-2017", 3, 14),
    "result_outside_the_table": ("KR-2006", 3, 11),
    "handover_month_before_april_2018": ("KR-3007", 3, 10),
    "handover_month_in_the_future": ("KR-3008", 3, 10),
    "handover_month_that_does_not_exist": ("KR-2004", 3, 10),
    "handover_count_over_12": ("KR-2017", 3, 11),
    "history_month_before_april_2018": ("KR-3007", 3, 7),
    "history_from_nowhere": ("KR-2006", 3, 8),
    "income_class_outside_the_table": ("KR-2006", 2, 8),
    "income_class_from_no_month": ("KR-2004", 2, 7),
    "benefit_before_april_2018": ("KR-3007", 3, 4),
    "benefit_in_the_future": ("KR-3008", 3, 4),
    "benefit_that_is_negative": ("KR-2018", 3, 7),
    "benefit_with_a_comma": ("KR-2003", 3, 7),
    "benefit_extract_of_another_month": ("KR-4008", 2, 9),
    "tax_of_a_declared_without_income": ("KR-2001", 2, 5),
    "tax_that_is_negative": ("KR-2018", 2, 5),
    "tax_of_a_short_year": ("KR-2007", 3, 3),
}
TWICE = ("instruction_twice", "result_twice", "handover_month_twice", "benefit_twice")


def file_of(defect: str) -> Path:
    return next((FOLDER / defect).iterdir())


def validated(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(main, ["validate", str(path), "--json", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("defect", EXPECTED)
def test_one_defect_is_one_finding(defect: str) -> None:
    result = validated(file_of(defect), "--on", DAY)
    report = json.loads(result.stdout)
    found = [(f["code"], f["line"], f["item_no"]) for f in report["findings"] if f["level"] != "warning"]
    expected = EXPECTED[defect]
    assert found == ([expected] if expected else [])
    assert result.exit_code == (1 if expected else 0)
    assert report["valid"] is not bool(expected)


@pytest.mark.parametrize("defect", EXPECTED_MONTHLY)
def test_one_defect_of_a_monthly_file_is_one_finding(defect: str) -> None:
    result = validated(file_of(defect))
    found = [(f["code"], f["line"], f["item_no"]) for f in json.loads(result.stdout)["findings"]]
    assert found == [EXPECTED_MONTHLY[defect]]
    assert result.exit_code == 1


@pytest.mark.parametrize("defect", TWICE)
def test_a_key_that_stands_twice_is_found_at_both_records(defect: str) -> None:
    found = json.loads(validated(file_of(defect)).stdout)["findings"]
    assert [(f["code"], f["line"]) for f in found] == [("KR-3004", 2), ("KR-3004", 3)]


@pytest.mark.parametrize("interface", SOUND)
def test_a_sound_monthly_file_is_valid(interface: str) -> None:
    result = validated(file_of(f"sound_{interface}"))
    assert json.loads(result.stdout)["findings"] == []
    assert result.exit_code == 0


def test_every_monthly_defect_is_expected() -> None:
    assert set(DEFECTS) == {*EXPECTED_MONTHLY, *TWICE}


def test_two_faults_of_two_records_are_two_findings() -> None:
    for defect, code in (("duplicate_resident_number", "KR-3004"), ("two_heads", "KR-5004")):
        report = json.loads(validated(file_of(defect), "--on", DAY).stdout)
        assert {f["code"] for f in report["findings"]} == {code}, defect
        assert report["valid"] is False


def test_an_individual_without_household_is_found_across_the_two_files() -> None:
    judged = {}
    for path in (FOLDER / "individual_without_household").iterdir():
        recognised = recognise(load_catalogue(), path.name)
        assert recognised is not None
        specification = load_catalogue().in_force(recognised[0], dt.date(2026, 4, 1))
        judged[recognised[0]] = validate(path, specification, dt.date(2026, 4, 1), Context(file_name=path.name))
    found = relate(judged).select("code", "line", "item_no", "value").rows()
    assert found == [("KR-5001", 2, 7, "********099")]


def test_the_files_are_what_the_generator_makes() -> None:
    made = {(defect, name): data for defect, name, data in defects()}
    kept = {(path.parent.name, path.name): path.read_bytes() for path in FOLDER.glob("*/*")}
    assert kept == made


def test_a_value_of_a_person_is_never_shown() -> None:
    for defect in EXPECTED:
        shown = validated(file_of(defect), "--on", DAY).output
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
    # 昭和65年1月8日 lies in 平成; 昭和55年 and 平成22年 are sound.
    assert [(f["code"], f["line"], f["item_no"]) for f in report["findings"]] == [("KR-2005", 3, 12)]


def renkei(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("renkei")), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "RENKEI_SETTINGS"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_what_cannot_be_judged_is_said_in_words(tmp_path: Path) -> None:
    missing = renkei("validate", str(tmp_path / "KRKOJ_999997_20260401_000001.csv"))
    unknown = renkei("validate", str(FOLDER / "sound" / "KRKOJ_999997_20260401_000001.csv"), "--interface", "moon")
    nameless = tmp_path / "README.txt"
    nameless.write_text("x", encoding="utf-8")
    unnamed = renkei("validate", str(nameless))
    for result, code in ((missing, "KR-7104"), (unknown, "KR-7102"), (unnamed, "KR-7302")):
        assert (result.returncode, code in result.stderr, "対処" in result.stderr) == (2, True, True), result.stderr
        assert "Traceback" not in result.stderr


def test_a_directory_under_a_files_name(tmp_path: Path) -> None:
    path = tmp_path / "KRKOJ_999997_20260401_000001.csv"
    path.mkdir()
    report = json.loads(validated(path, "--on", DAY).stdout)
    assert [f["code"] for f in report["findings"]] == ["KR-1018"]


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
        capture_output=True, text=True, check=False, env=os.environ | {"POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 1, result.stderr[-500:]
    assert [f["code"] for f in json.loads(result.stdout)["findings"]] == ["KR-1013"]


def test_the_workbook_counts_everything_and_holds_no_formula(tmp_path: Path) -> None:
    import openpyxl

    book = tmp_path / "report.xlsx"
    result = validated(file_of("duplicate_resident_number"), "--on", DAY, "--xlsx", str(book))
    assert result.exit_code == 1
    read = openpyxl.load_workbook(book)
    assert read.sheetnames == ["使い方", "先頭500件", "集計"]
    rows = list(read["集計"].iter_rows(values_only=True))
    assert [(row[0], row[5]) for row in rows[1:]] == [("KR-3004", 2)]
    again = tmp_path / "again.xlsx"
    validated(file_of("duplicate_resident_number"), "--on", DAY, "--xlsx", str(again))
    assert book.read_bytes() == again.read_bytes()


def test_the_day_that_a_file_is_for_is_told_by_its_name() -> None:
    report = json.loads(validated(file_of("our_name_with_another_day_inside")).stdout)
    assert report["findings"][0]["expected"] == dt.date(2026, 4, 1).isoformat()
