"""個人番号 in free text: recognised however they are written, and nothing else mistaken for one. By the command line.

123456789018: Σ(Pn·Qn) from the right is 1·2+0·3+9·4+8·5+7·6+6·7+5·2+4·3+3·4+2·5+1·6 = 212, 212 mod 11 = 3, 11 − 3 = 8.
100000000005: 1·6 = 6, 11 − 6 = 5. 600000000030: 6·6 + 3·2 = 42, 42 mod 11 = 9, 11 − 9 = 2, so it is none.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fixtures.defects import FOLDER
from pipelines.cli import main

GROUPED = ("1234", "5678", "9018")
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff70\uff0d\u2500"
DOTS, SPACES, UNSEEN = ".\u30fb\uff65\u00b7\uff0e", " \u3000\u00a0\u2003\u202f\t\n", "\u200b\u00ad\u2060"


@pytest.fixture(autouse=True)
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "renkei.toml").write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("RENKEI_SETTINGS", str(tmp_path / "renkei.toml"))


def rotated(reason: str) -> Result:
    return CliRunner().invoke(main, ["keys", "rotate", "records", "--reason", reason])


def in_the_ledger(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in (folder / "data").rglob("ledger.sqlite*"))


def refused(tmp_path: Path, reason: str, code: str) -> None:
    result = rotated(reason)
    assert (result.exit_code, code in result.output) == (2, True), result.output
    assert reason not in result.output
    assert not in_the_ledger(tmp_path, "key_rotated")


@pytest.mark.parametrize("separator", [*DASHES, *DOTS, *SPACES, *UNSEEN, "/", " - ", "", "－ "])
def test_a_number_is_found_whatever_is_between_its_groups(tmp_path: Path, separator: str) -> None:
    refused(tmp_path, f"{separator.join(GROUPED)} の人", "KR-6314")


@pytest.mark.parametrize(
    "text",
    [
        "123456789018",
        "１２３４５６７８９０１８",
        "①②③④⑤⑥⑦⑧⑨0１8",
        "123-456-789-018",
        "12345678 9018",
        "1 2 3 4 5 6 7 8 9 0 1 8",
        "1234-5678\u22129018",
        "3 123456789018",
        "1. 1234-5678-9018",
        "1234-5678-9018 2026-04-01",
        "2026/04/01 1234-5678-9018",
        "1234 5678 9018 2026",
        "100000000005",
        "x123456789018y",
    ],
)
def test_a_number_is_found_in_any_writing_and_beside_other_digits(tmp_path: Path, text: str) -> None:
    refused(tmp_path, f"番号 {text} の件", "KR-6314")


@pytest.mark.parametrize("text", ["123456789012", "1234-5678-9012", "１２３４　５６７８　９０１２", "600000000030"])
def test_twelve_digits_whose_check_digit_does_not_agree_are_a_question(tmp_path: Path, text: str) -> None:
    refused(tmp_path, f"受付番号 {text} の件", "KR-7121")
    reason = f"受付番号 {text} の件（個人番号ではない）"
    assert rotated(reason).exit_code == 0
    assert in_the_ledger(tmp_path, "個人番号ではない") or in_the_ledger(tmp_path, "\\u500b\\u4eba")


def test_a_number_stays_refused_whatever_a_person_says(tmp_path: Path) -> None:
    refused(tmp_path, "1234-5678-9018 は個人番号ではない", "KR-6314")


@pytest.mark.parametrize(
    "text",
    [
        "国保世帯番号 000000123456789",
        "国保世帯番号 123456789018000",
        "2026-04-01 2026-04-15",
        "20260401 20260415",
        "2026-4-1 2026-4-5",
        "2026年4月1日、2026年5月1日",
        "20260401093012",
        "12345678901",
        "1234567890189",
        "電話 03-1234-5678",
        "2026 0401 2026 0501",
    ],
)
def test_other_digits_are_no_question(text: str) -> None:
    result = rotated(f"{text} の件")
    assert result.exit_code == 0, result.output


def test_findings_hide_it_however_it_is_written(tmp_path: Path) -> None:
    """In the item of another value, where a code or a date would be shown."""
    name = "KRSID_999997_20260401_000001.csv"
    source = (FOLDER / "sound_municipal_ids" / name).read_bytes()
    (tmp_path / name).write_bytes(
        source.replace(b"K202,990010,999997,000000000000101", b"K202,1234.5678.9018,999997,000000000000101", 1)
    )
    shown = CliRunner().invoke(main, ["validate", str(tmp_path / name)])
    assert shown.exit_code == 1
    assert "9018" not in shown.output


def test_a_number_from_the_union_is_found_however_it_is_written(tmp_path: Path) -> None:
    name = "KRSID_999997_20260401_000001.csv"
    source = (FOLDER / "sound_municipal_ids" / name).read_bytes()
    for old, new in ((b"900000000011", b"1234.5678.9018"), (b"900000000012", b"1000.0000.0005")):
        source = source.replace(old, new, 1)
    (tmp_path / name).write_bytes(source)
    shown = CliRunner().invoke(main, ["validate", str(tmp_path / name)])
    assert (shown.exit_code, "KR-4004" in shown.output, "9018" in shown.output) == (1, True, False)
