"""A catalogue that was opened and saved with Excel: the linter names every table that Excel spoiled, and how."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.messages import RenkeiError
from pipelines.cli import main
from pipelines.configuration.calendar import monthly_days
from pipelines.high_cost.limits import limit_table
from tests.support.deployment import settings_file

TABLES = sorted(path.relative_to(DEFAULT_ROOT).as_posix() for path in DEFAULT_ROOT.rglob("*.csv"))


def as_excel_shows(cell: str) -> str:
    """What Excel makes of a cell of a CSV that it opens: numbers, days and months in its own form."""
    if re.fullmatch("-?[0-9]+", cell):
        return str(int(cell))
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell) and cell >= "1900":
        year, month, day = cell.split("-")
        return f"{year}/{int(month)}/{int(day)}"
    if re.fullmatch("20[0-9]{2}-(0[1-9]|1[0-2])", cell):
        return dt.date.fromisoformat(f"{cell}-01").strftime("%b-%y")
    return cell


def cells_of(table: Path) -> list[list[str]]:
    with table.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.reader(handle))


def save(table: Path, cells: list[list[str]], encoding: str = "utf-8-sig") -> None:
    with table.open("w", encoding=encoding, errors="replace", newline="") as handle:
        csv.writer(handle, delimiter="\t" if encoding == "utf-16" else ",").writerows(cells)


def as_saved(table: str) -> list[list[str]]:
    return [[as_excel_shows(cell) for cell in row] for row in cells_of(DEFAULT_ROOT / table)]


SPOILED = [table for table in TABLES if as_saved(table) != cells_of(DEFAULT_ROOT / table)]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A municipality's own copy of the catalogue, which its settings name."""
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    settings = settings_file(tmp_path, more=f'catalogue_folder = "{root}"')
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    return root


def lint() -> Result:
    result = CliRunner().invoke(main, ["spec", "lint"])
    assert result.stderr == ""
    assert "Error" not in result.stdout
    return result


def faults() -> list[str]:
    """What lint says but its notices (KR-7127)."""
    lines = lint().stdout.splitlines()
    return [line for line in lines if line.startswith("KR-") and not line.startswith("KR-7127")]


def test_the_tables_that_excel_changes_are_many() -> None:
    assert {"codes/end_reason.csv", "calendars/monthly.csv", "sentinels.csv", "limits/limits.csv"} <= set(SPOILED)


@pytest.mark.parametrize("table", SPOILED)
def test_a_table_that_excel_saved_is_named(table: str, own: Path) -> None:
    save(own / table, as_saved(table))
    name = Path(table).stem
    found = faults()
    assert found
    assert all(table in fault or f"コード表 {name} の " in fault for fault in found), found
    assert lint().exit_code == 1


def test_lost_zeros_are_reported_with_table_codes_and_every_item_that_uses_them(own: Path) -> None:
    save(own / "codes/loss_reason.csv", as_saved("codes/loss_reason.csv"))
    said = "loss_reason: コード表 loss_reason の 1・2・3・4・5・6・7・9 は2バイトに足りません（Excel は 01 を 1 に変えます）"
    assert faults() == [
        f"KR-7118 acquisition_loss_linkage/2018-04-01/data.csv 項番11 {said}",
        f"KR-7118 eligibility_individual/2018-04-01/data.csv 項番20 {said}",
        f"KR-7118 insured_extract/2018-04-01/data.csv 項番8 {said}",
    ]
    assert "テキスト ファイル ウィザード" in lint().stdout


def test_a_code_is_measured_in_the_versions_in_which_it_is_in_force(own: Path) -> None:
    old = own / "resident_extract" / "2018-04-01"
    new = own / "resident_extract" / "2026-04-01"
    shutil.copytree(old, new)
    for folder, dates in ((new, "2026-04-01"), (old, "2018-04-01\neffective_to = 2026-04-01")):
        plan = (folder / "file.toml").read_text(encoding="utf-8")
        plan = plan.replace("effective_from = 2018-04-01", f"effective_from = {dates}")
        (folder / "file.toml").write_text(plan, encoding="utf-8")
    table = own / "codes/relationship.csv"
    rows = cells_of(table)
    ended, begun = (
        ["3", "昔の続柄", "past", "", "2018-04-01", "test"],
        ["7", "新しい続柄", "new", "2026-04-01", "", "test"],
    )
    save(table, [*rows, ended, begun])
    assert [fault.split(":")[0] for fault in faults()] == [
        "KR-7118 eligibility_individual/2018-04-01/data.csv 項番15 relationship",
        "KR-7118 resident_extract/2026-04-01/data.csv 項番12 relationship",
    ]
    assert all("の 7 は2バイトに足りません" in fault for fault in faults())


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("cp932", "UTF-8 ではありません"), ("utf-16", "UTF-8 ではありません"), ("utf-8", "先頭に BOM がありません")],
)
def test_every_table_in_another_encoding_is_named(encoding: str, said: str, own: Path) -> None:
    for table in TABLES:
        save(own / table, cells_of(own / table), encoding)
    found = faults()
    assert [table for table in TABLES if not any(f" {table}: {said}" in fault for fault in found)] == []


def test_rows_without_a_value_are_no_rows(own: Path) -> None:
    for table in TABLES:
        rows = cells_of(own / table)
        save(own / table, [*rows, *[[""] * len(rows[0])] * 3])
    assert faults() == []


def test_a_plan_saved_by_an_editor_with_bom_is_read(own: Path) -> None:
    plan = own / "reception_result" / "2018-04-01" / "file.toml"
    plan.write_text(plan.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert faults() == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("文字,U+2212,dash", "文字,2212,dash", "2行目: 値 2212 を読めません（分類は Pd、文字は U+2212 の形）"),
        ("分類,Pd,dash", "分類,ダッシュ,dash", "値 ダッシュ を読めません"),
        ("分類,Zs,space", "種別,Zs,space", "区分 種別 は使えません"),
        ("U+30FB,dot", "U+30FB,point", "種類 point は使えません（dash・dot・slash・space・nothing）"),
    ],
)
def test_a_fault_of_the_separators_is_named(old: str, new: str, said: str, own: Path) -> None:
    table = own / "separators.csv"
    text = table.read_text(encoding="utf-8-sig")
    assert old in text
    table.write_text(text.replace(old, new), encoding="utf-8-sig")
    assert [fault for fault in faults() if said.removeprefix("2行目: ") in fault]


def test_what_excel_spoiled_is_refused_in_words_at_work_too(own: Path) -> None:
    for table in ("calendars/monthly.csv", "limits/limits.csv", "limits/floors.csv"):
        save(own / table, as_saved(table))
    catalogue = load_catalogue(own)
    for read, table in ((monthly_days, "calendars/monthly.csv"), (limit_table, "limits/floors.csv")):
        with pytest.raises(RenkeiError, match="KR-7101") as refused:
            read(catalogue, dt.date(2026, 4, 1))
        assert f"{table} 2行目 開始日 を仕様データとして読めません: 20" in str(refused.value)
        assert "/1/1 を日付（2018-04-01 の形）として読めません" in str(refused.value)


@pytest.mark.parametrize("copied", ["eligibility_individual - コピー", "resident_extract"])
def test_a_folder_that_would_take_precedence_over_another_is_refused_with_both_names(copied: str, own: Path) -> None:
    version = own / copied / "2019-04-01"
    shutil.copytree(own / "eligibility_individual" / "2018-04-01", version)
    said = "フォルダの名前が id と効力開始日（eligibility_individual/2018-04-01）と違います。その名前のフォルダは別にあります"
    assert faults() == [f"KR-7101 {copied}/2019-04-01/file.toml: {said}"]
    for command in (
        ["spec", "list"],
        ["spec", "show", "eligibility_individual"],
        ["run", "daily", "--date", "2026-04-01"],
    ):
        refused = CliRunner().invoke(main, command)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("KR-7101")
        assert f"{copied}/2019-04-01/file.toml" in refused.stderr
        assert said in refused.stderr


def test_a_folder_that_was_renamed_is_refused(own: Path) -> None:
    (own / "tax_extract").rename(own / "taxes")
    assert faults() == [
        "KR-7101 taxes/2018-04-01/file.toml: フォルダの名前が id と効力開始日（tax_extract/2018-04-01）と違います"
    ]


def test_folders_where_no_specification_is_looked_for_are_named(own: Path) -> None:
    (own / "tax_extract" / "2018-04-01" / "file.toml").rename(own / "tax_extract" / "2018-04-01" / "file.toml.txt")
    shutil.copytree(own / "benefit_extract", own / "benefit_extract" / "benefit_extract")
    found = faults()
    assert "KR-7118 tax_extract/2018-04-01: file.toml がありません" in found
    assert (
        "KR-7118 benefit_extract/benefit_extract/2018-04-01/file.toml: id/効力開始日/file.toml という場所にないので読みません"
        in found
    )
