"""Erasing and writing where the disk or the medium does not let it: told by its code, and nothing else is kept back."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import pytest

from fixtures.counterpart.seals import Seals
from tests.support.immovable import immovable
from tests.support.rings import key_folder
from tests.support.village import Village, person

FIRST, SECOND = dt.date(2026, 4, 1), dt.date(2026, 4, 2)
TABLE = f"assets/sent_my_numbers/{FIRST}.parquet"
BY = ("--by", "合成　操作者")


@contextmanager
def a_folder(path: Path) -> Iterator[None]:
    """A folder lies where a file is looked for."""
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
        path.write_bytes(content)


@pytest.fixture
def sent(village: Village) -> Village:
    """Two days sent, so that the first one's tables of 個人番号 may go. Keys of its own."""
    village.settings(str(key_folder()), str(shutil.copytree(key_folder(), village.folder / "keys")))
    village.add(1, 1)
    village.fill()
    assert village.send(FIRST).exit_code == 0
    village.residents[person(1)]["name"] = "合成　乙"
    assert village.send(SECOND).exit_code == 0
    return village


@pytest.mark.parametrize("kind", [immovable, a_folder], ids=["immovable", "folder"])
def test_a_table_that_cannot_be_erased_is_told_and_the_others_go(sent: Village, kind: type, tmp_path: Path) -> None:
    data = sent.folder / "data"
    with kind(data / TABLE):
        result = sent.cli("retention", "run", *BY)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"KR-6606 データのフォルダ の {TABLE} を消去できませんでした（")
        assert re.search("[A-Za-z]{4}", result.stderr.split("（")[1].split("）")[0]) is None, (
            "the reason is in Japanese"
        )
        assert "消去 1件、証明がなく残すもの 0件、消せなかったもの 1件" in result.stdout
        assert (data / TABLE).exists()
        assert not (data / f"assets/my_numbers/{FIRST}.parquet").exists()
        month = dt.datetime.now(dt.timezone(dt.timedelta(hours=9))).strftime("%Y-%m")
        assert sent.cli("audit", "report", "--month", month, "--to", str(tmp_path / "audit.xlsx")).exit_code == 0
        sheet = openpyxl.load_workbook(tmp_path / "audit.xlsx")["消去"]
        last = [cell.value for cell in sheet[sheet.max_row]]
        assert last[1] == TABLE or sheet.max_row > 3
        assert any("消せなかった（" in str(row[6].value) for row in sheet.iter_rows(min_row=3))
    again = sent.cli("retention", "run", *BY)
    assert (again.exit_code, (data / TABLE).exists()) == (0, False)
    assert "不一致 0件" in sent.cli("audit", "verify").stdout


@pytest.fixture
def medium(sent: Village, tmp_path: Path) -> Path:
    """A medium of ours; our files leave sealed."""
    folder = tmp_path / "medium"
    folder.mkdir()
    (folder / "媒体管理番号.txt").write_text("M-0001\n", encoding="utf-8")
    seals = Seals(tmp_path / "union_keys", tmp_path / "unused.pem")
    with sent.settings_path.open("a", encoding="utf-8") as handle:
        handle.write(f'[media]\nallowed = ["M-0001"]\n[sealing]\npartner_certificates = ["{seals.certificate_path}"]\n')
    return folder


def test_a_medium_that_cannot_be_erased_is_told_and_what_went_is_recorded(sent: Village, medium: Path) -> None:
    for name in ("一.csv", "二.csv"):
        (medium / name).write_bytes(name.encode())
    with immovable(medium / "二.csv"):
        result = sent.cli("media", "erase", str(medium), *BY, "--reason", "試験")
        assert result.exit_code == 2
        assert result.stderr.startswith("KR-6606 媒体 M-0001 の 二.csv を消去できませんでした（")
        assert "物理的に破壊" in result.stderr
    told = json.loads(sent.cli("media", "list", "--json").stdout)
    assert [(row["何を"], row["ファイル"]) for row in told] == [("消去", "一.csv")]


def test_a_medium_that_cannot_be_written_is_told_and_nothing_is_recorded(sent: Village, medium: Path) -> None:
    coming = dt.date(2026, 4, 3)
    sent.settings("first_load = false", "persons = 1")
    sent.residents[person(1)]["name"] = "合成　丙"
    assert "KR-6131" in sent.send(coming).output
    waiting = re.findall(r"[0-9a-f]{64}", sent.cli("approve", "--date", coming.isoformat()).stdout)
    hashes = [word for sha256 in waiting for word in ("--sha256", sha256)]
    approved = sent.cli("approve", "--date", coming.isoformat(), "--by", "合成　承認者", *hashes)
    assert approved.exit_code == 0, approved.output
    order = ("media", "export", str(medium), "--date", coming.isoformat(), *BY, "--reason", "試験")
    with immovable(medium):
        result = sent.cli(*order)
        assert result.exit_code == 2
        assert result.stderr.startswith(
            "KR-6604 媒体 M-0001 に KRSET_999997_20260403_000001.csv.p7m を書き出せませんでした（"
        )
    assert json.loads(sent.cli("media", "list", "--json").stdout) == []
    assert sent.cli(*order).exit_code == 0


def test_what_was_taken_from_a_medium_that_lets_nothing_go_is_told(sent: Village, medium: Path) -> None:
    names = ("KRSID_999997_20260401_000001.csv", "KRSID_999997_20260402_000001.csv")
    for name in names:
        (medium / name).write_bytes(b"1,2,3\r\n" + name.encode())
    with immovable(medium / names[0]):
        result = sent.cli("media", "import", str(medium), *BY, "--reason", "試験")
        assert result.exit_code == 1, result.output
        assert "KR-6606" in result.stdout
        assert "KR-7701" not in result.output
        assert all(name in result.stdout for name in names)
        assert not (medium / names[1]).exists()


def test_a_key_that_cannot_be_destroyed_is_told(sent: Village) -> None:
    assert sent.cli("keys", "rotate", "records", "--reason", "試験").exit_code == 0
    (key,) = sorted((sent.folder / "keys").glob("records-1.key.pem"))
    with immovable(key):
        result = sent.cli("keys", "retire", "records-1", "--reason", "試験")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"KR-6606 鍵のフォルダ の {key.name} を消去できませんでした（")
    assert "廃棄" not in sent.cli("keys", "list").stdout
