"""The folder for clerks: whatever lies in it is answered by a text beside it, in words, and is imported whole or not at all."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
from pathlib import Path

import openpyxl
import pytest

from pipelines.continuity import monthly
from pipelines.continuity.drop_folder import answer_all
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import LedgerEvent
from tests.support.applying import apply_monthly
from tests.support.candidates import THREE, listed
from tests.support.deployment import APPROVED_BY, DECISION, MONTH, NOW, fill, opened, type_in

LONG_AGO = NOW.timestamp() - 3600


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = opened(tmp_path)
    type_in(made, "continuity_candidates", listed(*THREE), tmp_path)
    apply_monthly(made)
    return made


def drop(environment: Environment, book: Path, name: str, at: float = LONG_AGO) -> Path:
    target = environment.settings.clerks / "取込" / name
    shutil.copy(book, target)
    os.utime(target, (at, at))
    return target


def answer(book: Path) -> list[str]:
    content = book.with_name(f"{book.name}_回答.txt").read_bytes()
    assert content.startswith("\ufeff".encode()), "Notepad must read it as UTF-8"
    assert b"\r\n" in content
    return content.decode("utf-8-sig").splitlines()


def test_a_filled_worksheet_is_imported_and_its_answer_says_how_far_the_month_is(environment: Environment) -> None:
    path = monthly.make_worksheet(environment, MONTH).path
    dropped = drop(environment, fill(path), "判定表 記入済.xlsx")
    assert [one.taken for one in answer_all(environment)] == [True]
    assert answer(dropped)[:2] == ["判定表 記入済.xlsx の取込結果", "令和8年5月7日 10:00"]
    assert answer(dropped)[4:] == [
        "令和8年4月の判定 3件を取り込みました。",
        "判定済み 3件（うち保留 0件）、残り 0件。確定指示期限 令和8年5月13日",
    ]
    assert monthly.decided(environment, MONTH).height == 3
    (event,) = environment.ledger.events_of(LedgerEvent.WORKSHEET_IMPORTED)
    assert (event.operator, event.detail["left_by"]) == ("試験担当", dropped.owner())


def test_a_file_is_answered_once_and_a_second_copy_changes_nothing(environment: Environment) -> None:
    path = fill(monthly.make_worksheet(environment, MONTH).path)
    drop(environment, path, "一.xlsx")
    assert len(answer_all(environment)) == 1
    assert answer_all(environment) == []
    again = drop(environment, path, "二.xlsx")
    assert len(answer_all(environment)) == 1
    assert answer(again)[4] == "令和8年4月の取込済みの判定表です。変更はありません。"
    assert monthly.decided(environment, MONTH).height == 3


def test_what_is_wrong_is_said_by_row_and_candidate_without_a_command_and_nothing_is_imported(
    environment: Environment,
) -> None:
    def spoil(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        sheet.cell(2, DECISION, "はい")
        sheet.cell(3, APPROVED_BY, "給付太郎")

    path = monthly.make_worksheet(environment, MONTH).path
    dropped = drop(environment, fill(path, spoil), "誤り.xlsx")
    assert [one.taken for one in answer_all(environment)] == [False]
    said = answer(dropped)[4:]
    assert said[0] == "令和8年4月の判定表に誤りが2件あります。取込は行っていません。"
    assert said[1].startswith("・2行目・候補番号 000001: 判定が一覧にない言葉です → 継続・非継続・保留から選択")
    assert said[2].startswith("・3行目・候補番号 000002: 判定者と承認者が同じ人です")
    assert not re.search(r"renkei |--|/", "".join(said))
    assert monthly.decided(environment, MONTH).is_empty()
    mended = drop(environment, fill(path), "誤り.xlsx")
    assert [one.taken for one in answer_all(environment)] == [True], "a mended book of the same name is another book"
    assert "判定 3件を取り込みました" in answer(mended)[4]


def test_a_file_that_is_still_being_copied_waits(environment: Environment) -> None:
    path = fill(monthly.make_worksheet(environment, MONTH).path)
    dropped = drop(environment, path, "判定表.xlsx", NOW.timestamp() - 1)
    assert answer_all(environment) == []
    os.utime(dropped, (LONG_AGO, LONG_AGO))
    assert len(answer_all(environment)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a letter", "KR-7401"),
        (b"", "KR-7401"),
        ("half", "KR-7401"),
        ("another book", "KR-7402"),
    ],
)
def test_what_is_no_whole_worksheet_is_answered_with_a_sentence(
    environment: Environment, tmp_path: Path, content: bytes | str, said: str
) -> None:
    whole = fill(monthly.make_worksheet(environment, MONTH).path)
    source = tmp_path / "source.xlsx"
    if content == "another book":
        openpyxl.Workbook().save(source)
    else:
        source.write_bytes(whole.read_bytes()[:3000] if isinstance(content, str) else content)
    dropped = drop(environment, source, "何か.xlsx")
    assert [one.taken for one in answer_all(environment)] == [False]
    lines = answer(dropped)
    assert lines[4] == "取り込めませんでした。"
    assert lines[5].startswith(said)
    assert lines[6].startswith("対処: ")
    assert "renkei continuity" not in lines[6]


def test_a_worksheet_of_a_month_without_a_list_is_answered(environment: Environment, tmp_path: Path) -> None:
    path = fill(monthly.make_worksheet(environment, MONTH).path)
    book = openpyxl.load_workbook(path)
    book["印"]["A1"] = "2026-03"
    book.save(path)
    dropped = drop(environment, path, "三月.xlsx")
    assert [one.taken for one in answer_all(environment)] == [False]
    assert answer(dropped)[5:] == [
        "KR-7418 2026-03 の継続候補世帯リストがまだありません",
        "対処: 連合会の候補リストの配信を待ち、届かないときは係の連携担当者へ連絡してください",
    ]


def test_answers_locks_and_folders_are_no_worksheets(environment: Environment) -> None:
    path = fill(monthly.make_worksheet(environment, MONTH).path)
    drop(environment, path, "~$判定表.xlsx")
    (environment.settings.clerks / "取込" / "済").mkdir()
    assert answer_all(environment) == []
    assert sorted(one.name for one in (environment.settings.clerks / "取込").iterdir()) == ["~$判定表.xlsx", "済"]


def test_the_worksheet_tells_the_clerk_the_folder_and_no_command(environment: Environment) -> None:
    guide = openpyxl.load_workbook(monthly.make_worksheet(environment, MONTH).path)["使い方"]
    texts = {str(row[0].value): str(row[1].value) for row in guide.iter_rows(min_row=2)}
    assert "「取込」フォルダに保存" in texts["取込"]
    assert (texts["確定指示期限"], texts["候補"]) == ("令和8年5月13日", "3件")
    assert texts["残り（判定の未記入）"].startswith("=COUNTBLANK(判定!")
    assert not any("renkei" in text for text in texts.values())
    assert dt.date(2026, 5, 13) == monthly.status(environment, MONTH, NOW.date()).instruction_until
