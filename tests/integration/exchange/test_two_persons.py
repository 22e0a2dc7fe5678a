"""Two persons: names as people write them, and the account behind them. Through the commands that ask for a second one."""

from __future__ import annotations

import datetime as dt
import getpass
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from interfaces.catalogue import load_catalogue
from pipelines.cli import main
from pipelines.configuration.settings import Settings
from pipelines.continuity import monthly
from pipelines.deployment import Environment
from pipelines.exchange.persons import load_titles, same_person
from tests.support.applying import apply_monthly
from tests.support.candidates import listed
from tests.support.deployment import APPROVED_BY, DECIDED_BY, MONTH, fill, opened, settings_file, type_in
from tests.support.entries import outbound_entry

DAY = dt.date(2026, 4, 1)
SHA256 = "ab" * 32
TITLES = load_titles(load_catalogue(), DAY)
SAME = [
    "山田太郎", "山田　太郎", "山田 太郎", "山田・太郎", "山田･太郎", "山田．太郎", "山田.太郎", "山田\u00a0太郎",
    "山田\u200b太郎", "山田太郎（課長）", "（課長）山田太郎", "山田太郎(代理)", "【係長】山田太郎", "山田太郎課長",
    "課長　山田太郎", "課長補佐 山田太郎", "山田太郎さん", "山田太郎 様", "山田", "山田課長", "山田（太郎）", "山⽥太郎",
]  # fmt: skip
# 山⽥ has U+2F65, a radical. A title alone is nobody's name, but not 山田太郎 either.
OTHER = ["山本太郎", "山田次郎", "鈴木", "山本課長", "田山太郎", "課長"]


@pytest.mark.parametrize("name", SAME)
def test_one_person_in_many_spellings(name: str) -> None:
    assert same_person("山田太郎", name, TITLES)
    assert same_person(name, "山田太郎", TITLES)


@pytest.mark.parametrize("name", OTHER)
def test_another_person(name: str) -> None:
    assert not same_person("山田太郎", name, TITLES)


def test_whoever_has_no_name_may_be_anybody() -> None:
    assert same_person("山田太郎", "・", TITLES)


def deployment(folder: Path, separate_accounts: bool = False) -> Environment:
    """A deployment whose operator is 山田太郎."""
    path = settings_file(folder)
    text = path.read_text(encoding="utf-8").replace("試験担当", "山田太郎")
    assert text.count("[approval]\n") == 1
    if separate_accounts:
        text = text.replace("[approval]\n", "[approval]\nseparate_accounts = true\n")
    path.write_text(text, encoding="utf-8")
    return Environment.open(Settings.load(path), clock=lambda: dt.datetime(2026, 4, 1, 10, tzinfo=dt.UTC))


def waiting(environment: Environment) -> int:
    """A file that waits for its approval, made from here."""
    return outbound_entry(
        environment.ledger,
        "eligibility_household",
        DAY,
        "KRSET_999997_20260401_000001.csv",
        operator=environment.settings.operator,
        sha256=SHA256,
        records=20_000,
    ).id


def approve(environment: Environment, folder: Path, by: str, sudo: str | None = None) -> Result:
    env = {"RENKEI_SETTINGS": str(folder / "renkei.toml"), "SUDO_USER": sudo}
    return CliRunner(env=env).invoke(main, ["approve", "--date", f"{DAY}", "--by", by, "--sha256", SHA256[:12]])


@pytest.mark.parametrize("name", SAME)
def test_a_maker_cannot_approve_under_another_spelling(tmp_path: Path, name: str) -> None:
    environment = deployment(tmp_path)
    entry = waiting(environment)
    result = approve(environment, tmp_path, name)
    assert (result.exit_code, "KR-6132" in result.output) == (2, True)
    assert environment.ledger.entry(entry).state == "written"


@pytest.mark.parametrize(
    ("made_by", "approved_by", "separate", "code"),
    [
        ("suzuki", "suzuki", False, "KR-6151"),  # one person's account, another name
        ("suzuki", "tanaka", False, ""),
        ("suzuki", "suzukii", False, ""),
        (None, "suzuki", False, ""),  # made by the daemon
        ("suzuki", None, False, ""),
        (None, None, False, ""),  # a shared account: names decide
        (None, None, True, "KR-6151"),
        (None, "suzuki", True, ""),
        ("suzuki", "tanaka", True, ""),
    ],
)
def test_an_account_cannot_approve_what_it_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made_by: str | None,
    approved_by: str | None,
    separate: bool,
    code: str,
) -> None:
    environment = deployment(tmp_path, separate)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if made_by:
        monkeypatch.setenv("SUDO_USER", made_by)
    entry = waiting(environment)
    result = approve(environment, tmp_path, "佐藤花子", approved_by)
    state = environment.ledger.entry(entry).state
    if code:
        assert (result.exit_code, code in result.output, state) == (2, True, "written")
        return
    assert (result.exit_code, state) == (0, "approved"), result.output
    own = f"user:{getpass.getuser()}"
    accounts = [event.detail["account"] for event in environment.ledger.events(entry)]
    assert accounts == [f"sudo:{person}" if person else own for person in (made_by, approved_by)]


def test_the_auditor_sees_both_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    environment = deployment(tmp_path)
    entry = waiting(environment)
    assert approve(environment, tmp_path, "佐藤花子", "suzuki").exit_code == 0
    book, env = tmp_path / "監査.xlsx", {"RENKEI_SETTINGS": str(tmp_path / "renkei.toml")}
    month = environment.ledger.events(entry)[-1].at[: len("2026-04")]
    assert CliRunner(env=env).invoke(main, ["audit", "report", "--month", month, "--to", str(book)]).exit_code == 0
    _, headings, row = openpyxl.load_workbook(book)["承認"].iter_rows(values_only=True)
    shown = dict(zip(headings, row, strict=True))
    own = f"user:{getpass.getuser()}"
    assert (shown["作成のアカウント"], shown["承認のアカウント"]) == (own, "sudo:suzuki")
    assert (shown["作成者"], shown["承認者"]) == ("山田太郎", "佐藤花子")


def test_a_decision_has_two_persons_whatever_their_spelling(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    type_in(environment, "continuity_candidates", listed("whole_household_moves"), tmp_path)
    apply_monthly(environment)
    path = monthly.make_worksheet(environment, MONTH).path
    runner = CliRunner(env={"RENKEI_SETTINGS": str(tmp_path / "renkei.toml")})

    def hand_in(decider: str, approver: str) -> Result:
        def names(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
            sheet.cell(2, DECIDED_BY).value, sheet.cell(2, APPROVED_BY).value = decider, approver

        return runner.invoke(main, ["continuity", "import", str(fill(path, names))])

    for name in ("山田・太郎", "山田太郎（課長）", "山田", "山田係長"):
        result = hand_in("山田太郎", name)
        assert (result.exit_code, "KR-7413 2行目" in result.output) == (1, True), (name, result.output)
    assert hand_in("山田太郎", "山本課長").exit_code == 0
