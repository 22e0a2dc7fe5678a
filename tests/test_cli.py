"""The command line where no deployment is needed: specifications shown and listed, and errors in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from interfaces.messages import runbook as place_of
from pipelines.cli import main


def renkei(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_list_names_every_version_with_its_status() -> None:
    plans = json.loads(renkei("spec", "list", "--json").stdout)
    assert {plan["id"] for plan in plans} >= {"eligibility_household", "eligibility_individual", "verification_list"}
    assert {plan["status"] for plan in plans} == {"assumed"}
    assert "資格情報(個人)ファイル" in renkei("spec", "list").output


def test_a_specification_is_shown_as_the_printed_table() -> None:
    shown = renkei("spec", "show", "eligibility_individual", "--on", "2026-04-01")
    assert shown.exit_code == 0
    assert "個人番号  my_number  数字 12バイト" in shown.output
    whole = json.loads(renkei("spec", "show", "eligibility_individual", "--json").stdout)
    data = next(record for record in whole["records"] if record["kind"] == "data")
    assert [item["number"] for item in data["items"]] == list(range(1, len(data["items"]) + 1))
    assert all(item["source"] for item in data["items"])


def test_lint_says_what_it_looked_at() -> None:
    result = renkei("spec", "lint")
    assert (result.exit_code, "誤り0件" in result.output) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("spec", "show", "moonbase"), "KR-7102"),
        (("spec", "show", "eligibility_individual", "--on", "1999-01-01"), "KR-7103"),
        (("ledger", "list"), "KR-6001"),
        (("run", "daily", "--date", "2026-04-01"), "KR-6001"),
    ],
)
def test_errors_speak_to_people(arguments: tuple[str, ...], code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENKEI_SETTINGS", raising=False)
    result = renkei(*arguments)
    assert result.exit_code == 2
    assert code in result.stderr
    assert "対処:" in result.stderr


def test_a_closed_day_is_refused_with_the_next_open_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "renkei.toml"
    settings.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\n', encoding="utf-8",
    )  # fmt: skip
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    result = renkei("run", "daily", "--date", "2026-05-03", "--only", "out")
    assert (result.exit_code, "KR-7209" in result.stderr, "2026-05-07" in result.stderr) == (2, True, True)


def test_a_code_is_explained_and_the_runbook_is_what_the_catalogue_says() -> None:
    shown = CliRunner().invoke(main, ["explain", "KR-7306"])
    assert shown.exit_code == 0
    assert "### KR-7306 " in shown.output
    assert "**対処**" in shown.output
    unknown = CliRunner().invoke(main, ["explain", "KR-0000"])
    assert unknown.exit_code == 2
    assert unknown.output.startswith("KR-7110 KR-0000 という KR コードはありません")
    runbook = Path(__file__).parent.parent / "docs" / "runbook.md"
    assert CliRunner().invoke(main, ["explain", "--all"]).output == runbook.read_text(encoding="utf-8")
    assert place_of("KR-8110") == "docs/runbook.md#kr-8110-idが変わった"
    assert "### KR-8110 IDが変わった\n" in runbook.read_text(encoding="utf-8")


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    file, book = tmp_path / "any.csv", tmp_path / "book.xlsx"
    file.write_bytes(b"x")
    book.symlink_to("/dev/full")
    result = renkei(
        "validate", str(file), "--interface", "eligibility_household", "--on", "2026-04-01", "--xlsx", str(book)
    )
    assert result.exit_code == 2
    assert "KR-6211" in result.stderr
