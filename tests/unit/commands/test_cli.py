"""The command line where no deployment is needed: specifications shown and listed, and errors in words."""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import DEFAULT_ROOT
from interfaces.messages import messages
from interfaces.messages import runbook as place_of
from pipelines.cli import COMMANDS, main
from pipelines.configuration.calendar import next_business_day, tokyo_now
from tests.support.deployment import settings_file
from tests.support.paths import ROOT


def renkei(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_list_names_every_version_with_its_status() -> None:
    layouts = json.loads(renkei("spec", "list", "--json").stdout)
    assert {layout["id"] for layout in layouts} >= {
        "eligibility_household",
        "eligibility_individual",
        "verification_list",
    }
    assert {layout["status"] for layout in layouts} == {"assumed"}
    assert "資格情報(個人)ファイル" in renkei("spec", "list").output


def test_a_specification_is_shown_as_the_printed_table() -> None:
    shown = renkei("spec", "show", "eligibility_individual", "--on", "2026-04-01")
    assert shown.exit_code == 0
    assert "個人番号  my_number  数字 12バイト" in shown.output
    whole = json.loads(renkei("spec", "show", "eligibility_individual", "--json").stdout)
    data = next(record for record in whole["records"] if record["kind"] == "data")
    assert [item["number"] for item in data["items"]] == list(range(1, len(data["items"]) + 1))
    assert all(item["source"] for item in data["items"])


def test_garbage_is_collected_again_when_a_command_has_been_imported() -> None:
    assert renkei("spec", "list").exit_code == 0
    assert gc.isenabled()


def test_lint_says_what_it_looked_at() -> None:
    result = renkei("spec", "lint")
    assert (result.exit_code, "誤り0件" in result.output) == (0, True)


def test_lint_names_the_cell_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    for table, column in (
        ("tax_extract/2018-04-01/data.csv", ",数字,,4,"),
        ("calendars/monthly.csv", "2026-05-13"),
        ("retention/stores.csv", "開始日"),
    ):
        old = (root / table).read_text(encoding="utf-8-sig")
        assert column in old
        (root / table).write_text(old.replace(column, ",数字,,百," if "数字" in column else "百"), encoding="utf-8-sig")
    settings = settings_file(tmp_path, more=f'catalogue_folder = "{root}"')
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    result = renkei("spec", "lint")
    assert (result.exit_code, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "KR-7101 tax_extract/2018-04-01/data.csv 4行目 income_year バイト数: 百 を整数として読めません"
    assert any(line.startswith("KR-7101 calendars/monthly.csv ") for line in lines)
    assert "KR-7101 retention/stores.csv: 列 開始日 がありません" in lines
    assert lines[-1].startswith("20インタフェース 20版")


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


def commands_in(text: str) -> Iterator[list[str]]:
    """Every `renkei …` of a text as its words, up to the Japanese that follows."""
    for found in re.findall(
        r"renkei ((?:[a-z][a-z-]* ?|--[a-z0-9-]+ [^ 、。（）-][^ 、。（）]* ?|--[a-z0-9-]+ ?)+)", text
    ):
        yield found.split()


@pytest.mark.parametrize("code", sorted(messages()))
def test_every_command_that_a_message_names_can_be_given_so(code: str) -> None:
    known = messages()[code]
    for words in commands_in(f"{known.template} {known.remedy}"):
        command: click.Command = main
        while isinstance(command, click.Group):
            assert words, f"{code}: {command.name} is no command by itself"
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, f"{code}: no such command"
            command = found
        given = {word for word in words if word.startswith("--")}
        options = {name: one for one in command.params if isinstance(one, click.Option) for name in one.opts}
        assert given <= set(options), f"{code}: {command.name} {given - set(options)}"
        due = {one.opts[0] for one in options.values() if one.required}
        assert not given or due <= given | {"--reason"}, f"{code}: {command.name} needs {due - given}"


def test_a_report_is_never_written_over_what_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "KRKOJ_999997_20260401_000001.csv"
    file.write_bytes(b"1\r\n")
    book = tmp_path / "book.xlsx"
    book.write_bytes(b"1\r\n")
    folder = tmp_path / "folder.xlsx"
    folder.mkdir()
    for judged, place in (
        (file, file),
        (book, book),
        (file, tmp_path / "report"),
        (file, folder),
        (file, Path("/proc/a.xlsx")),
    ):
        result = renkei("validate", str(judged), "--interface", "eligibility_individual", "--xlsx", str(place))
        assert (result.exit_code, result.stderr[:7]) == (2, "KR-6405"), place
    assert file.read_bytes() == book.read_bytes() == b"1\r\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "daily", "--date", "9999-12-31"), "1900年から2199年まで"),
        (("expected", "--on", "0001-01-01"), "1900年から2199年まで"),
        (("run", "monthly", "--step", "out", "--month", "2026-13"), "2026-04 の形で"),
        (("high-cost", "limit", "--month", "2026-04", "--class", "ア", "--cost", "-5"), "--cost"),
        (
            ("high-cost", "limit", "--month", "2026-04", "--class", "ア", "--cost", "5", "--moved-on", "2026-05-02"),
            "同じ月の日",
        ),
        (("quarantine", "show", "99999999999999999999"), "番号"),
        (("validate", "no_such_file", "--on", "2026-04-01"), "KR-7104"),
    ],
)
def test_what_nobody_can_mean_is_refused_in_words(arguments: tuple[str, ...], words: str) -> None:
    result = renkei(*arguments)
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr
    assert "KR-7701" not in result.stderr


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    for name, place in COMMANDS.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.help == place.help
    listed = renkei("--help").output
    assert all(name in listed for name in COMMANDS)


def test_dagster_without_its_home_or_its_day_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = ("run", "daily", "--date")
    monkeypatch.delenv("RENKEI_SETTINGS", raising=False)
    assert "KR-6001" in renkei(*day, "2026-04-01").stderr
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(tmp_path)))
    for home in ("", "dagster_home", str(tmp_path / "nowhere")):
        monkeypatch.setenv("DAGSTER_HOME", home)
        assert "KR-6006" in renkei(*day, "2026-04-01").stderr
        assert "KR-6006" in renkei("rerun", "--failed").stderr
    assert "KR-6007" in renkei(*day, "2025-04-01").stderr
    assert "KR-7209" in renkei(*day, "2026-04-04").stderr


def test_before_the_first_day_there_is_nothing_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The month of the first day has begun already: its files, too, are received on a day."""
    first = tokyo_now().date() + dt.timedelta(days=2)
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(tmp_path, more=f"first_day = {first}\n")))
    for command in (
        ("daily", "--date", next_business_day(first).isoformat()),
        ("monthly", "--month", f"{first:%Y-%m}", "--step", "candidates"),
    ):
        said = renkei("run", *command)
        assert (said.exit_code, "KR-6008" in said.stderr) == (2, True), said.stderr


def test_a_closed_day_is_refused_with_the_next_open_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "renkei.toml"
    settings.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    result = renkei("run", "daily", "--date", "2026-05-03", "--only", "out")
    assert (result.exit_code, "KR-7209" in result.stderr, "2026-05-07" in result.stderr) == (2, True, True)


def test_a_code_is_explained_and_the_runbook_is_what_the_catalogue_says() -> None:
    shown = CliRunner().invoke(main, ["explain", "KR-7306"])
    assert shown.exit_code == 0
    assert "### KR-7306 " in shown.output
    for short in ("kr-7306", "7306"):
        assert renkei("explain", short).output == shown.output
    assert "**対処**" in shown.output
    unknown = CliRunner().invoke(main, ["explain", "KR-0000"])
    assert unknown.exit_code == 2
    assert unknown.output.startswith("KR-7110 KR-0000 という KR コードはありません")
    runbook = ROOT / "docs" / "runbook.md"
    assert CliRunner().invoke(main, ["explain", "--all"]).output == runbook.read_text(encoding="utf-8")
    assert place_of("KR-8110") == "docs/runbook.md#kr-8110-idが変わった"
    assert "### KR-8110 IDが変わった\n" in runbook.read_text(encoding="utf-8")


def test_a_broken_installation_is_told_by_its_kind_and_place(tmp_path: Path) -> None:
    """A package that half an update left: what it says may be anything, and is not told."""
    (tmp_path / "pandera.py").write_text('raise ImportError("合成　太郎")\n', encoding="utf-8")
    file = tmp_path / "any.csv"
    file.write_bytes(b"x")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pipelines.cli import main; main()",
            "validate",
            file,
            "--interface",
            "tax_extract",
        ],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr[:7], "対処: " in done.stderr) == (2, "KR-7701", True), done.stderr
    assert "ImportError" in done.stderr
    assert "合成" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    file, book = tmp_path / "any.csv", tmp_path / "book.xlsx"
    file.write_bytes(b"x")
    book.symlink_to("/dev/full")
    result = renkei(
        "validate", str(file), "--interface", "eligibility_household", "--on", "2026-04-01", "--xlsx", str(book)
    )
    assert result.exit_code == 2
    assert "KR-6211" in result.stderr


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m pipelines.cli spec show resident_extract | head -n 1"
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("住民記録・宛名抽出")
    assert shown.stderr == ""
