"""A whole month at the command line, against a real sshd: what a clerk and an operator type, and what they read."""

from __future__ import annotations

import json
import re

import openpyxl
import polars as pl
import pytest

from fixtures.monthly_defects import SOUND
from tests.support.deployment import DECISION, fill
from tests.support.monthly_desk import NEW, Desk, prepared


def test_a_month_from_its_first_file_to_the_carried_count(desk: Desk) -> None:
    prepared(desk)
    out = desk.run("run", "monthly", "--month", "2026-04", "--step", "out")
    assert out.exit_code == 0, out.output
    assert "高額該当情報 0件、所得区分 1件" in out.output
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    listed = desk.run("run", "monthly", "--month", "2026-04", "--step", "candidates")
    assert listed.exit_code == 0, listed.output
    assert "候補 1件（継続 1件）" in listed.output
    early = desk.run("run", "monthly", "--month", "2026-04", "--step", "instruction")
    assert (early.exit_code, "KR-7419" in early.output) == (2, True)

    book = desk.folder / "判定表.xlsx"
    assert desk.run("continuity", "worksheet", "--month", "2026-04", "--to", str(book)).exit_code == 0
    filled = fill(book)
    taken = desk.run("continuity", "import", str(filled))
    assert (taken.exit_code, "2026-04 の判定 新しく1件" in taken.output) == (0, True)
    again = desk.run("continuity", "import", str(filled))
    assert "取り込み済み" in again.output
    sent = desk.run("run", "monthly", "--month", "2026-04", "--step", "instruction")
    assert "確定指示 1件: 送付済み" in sent.output
    assert sorted(path.name for path in (desk.server.root / "to_union").iterdir()) == [
        "KRKKS_999997_202604_000001.csv",
        "KRSKB_999997_202604_000001.csv",
    ]

    desk.deliver("continuity_result", SOUND["continuity_result"][:1])
    desk.deliver("high_cost_handover", SOUND["high_cost_handover"])
    results = desk.run("run", "monthly", "--month", "2026-04", "--step", "results")
    assert results.exit_code == 0, results.output
    assert {"引き継いだ月 2件", "回数のある世帯 1件、多数回該当 0件"} <= set(results.output.splitlines())
    counted = desk.run("high-cost", "count", "--month", "2026-04", "--household", NEW)
    assert counted.output.splitlines() == [
        "2026-04 直前11か月の該当 2回: 多数回該当ではありません",
        "  2026-02  引継 999989/000000000000021",
        "  2026-03  引継 999989/000000000000021",
        "定め: 直前11か月に3回以上の該当があれば、その月は多数回該当。外来（個人）の上限だけによる支給と"
        "平成30年3月以前の診療は数えません。継続しない世帯の月は引き継ぎません",
    ]
    unknown = desk.run("high-cost", "count", "--month", "2026-04", "--household", "000000000009999")
    assert (unknown.exit_code, unknown.output[:7]) == (2, "KR-7604")
    carried = desk.run("high-cost", "list", "--month", "2026-04", "--carried")
    assert carried.output.splitlines() == [f"{NEW}  2回（うち引継 2）", "2026-04: 1世帯"]
    state = json.loads(desk.run("continuity", "status", "--month", "2026-04", "--json").output)
    assert (state["decided"], state["results"], state["handed_over"], state["discrepancies"]) == (1, 1, 2, 0)
    assert desk.environment.ledger.verify_chain() == []


def test_what_the_union_answers_otherwise_is_asked_about(desk: Desk) -> None:
    """Another outcome than instructed, a month handed over that is too old, and a household that moved in and is on no list."""
    prepared(desk)
    people = desk.environment.store.read("sent_people", "2026-04-30")
    stranger = people.with_columns(
        resident_number=pl.lit("000000000000902"), household_number=pl.lit("000000000000032")
    )
    desk.environment.store.write("sent_people", "2026-04-30", pl.concat([people, stranger]))
    step = ("run", "monthly", "--month", "2026-04", "--step")
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    desk.run(*step, "candidates")
    (book,) = (desk.environment.settings.clerks).glob("継続世帯判定表_*.xlsx")

    def refuse(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        sheet.cell(2, DECISION, "非継続")
        sheet.cell(2, DECISION + 1, "申出により")

    desk.run("continuity", "import", str(fill(book, refuse)))
    desk.run(*step, "instruction")
    desk.deliver("continuity_result", SOUND["continuity_result"][:1])
    desk.deliver(
        "high_cost_handover", [row | {"treatment_month": "2025-04"} for row in SOUND["high_cost_handover"][:1]]
    )
    said = desk.run(*step, "results").output
    assert set(re.findall(r"^(KR-8\d{3}).* 候補 (\S+):", said, re.MULTILINE)) == {
        ("KR-8203", "000001"),
        ("KR-8205", "000001"),
        ("KR-8206", "000001"),
        ("KR-8207", "—"),
    }, said


def test_what_nobody_instructed_and_what_nobody_answered_are_asked_about(desk: Desk) -> None:
    """The result of another candidate, and months handed over of a household that is not confirmed as continued."""
    prepared(desk)
    step = ("run", "monthly", "--month", "2026-04", "--step")
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    desk.run(*step, "candidates")
    (book,) = (desk.environment.settings.clerks).glob("継続世帯判定表_*.xlsx")
    desk.run("continuity", "import", str(fill(book)))
    desk.run(*step, "instruction")
    desk.deliver("continuity_result", [row | {"candidate_number": "000009"} for row in SOUND["continuity_result"][:1]])
    desk.deliver("high_cost_handover", SOUND["high_cost_handover"][:1])
    said = desk.run(*step, "results").output
    assert set(re.findall(r"^(KR-8\d{3}).* 候補 (\S+):", said, re.MULTILINE)) >= {
        ("KR-8201", "000001"),
        ("KR-8202", "000009"),
        ("KR-8204", "000001"),
    }, said


def test_a_worksheet_with_faults_is_refused_row_by_row(desk: Desk) -> None:
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    desk.run("run", "monthly", "--month", "2026-04", "--step", "candidates")
    book = desk.folder / "判定表.xlsx"
    desk.run("continuity", "worksheet", "--month", "2026-04", "--to", str(book))

    def spoil(sheet: openpyxl.worksheet.worksheet.Worksheet) -> None:
        sheet.cell(2, DECISION, "はい")
        sheet.cell(2, DECISION + 3, "給付太郎")

    result = desk.run("continuity", "import", str(fill(book, spoil)))
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "KR-7411 2行目: 判定が一覧にない言葉です → 継続・非継続・保留から選択してください"
    assert lines[1].startswith("KR-7413 2行目: 判定者と承認者が同じ人です → 別の人の承認を受け")
    assert lines[2].startswith("KR-7416 判定表に誤りが2件あります。取込は行っていません")
    assert "判定待ち 1件" in desk.run("continuity", "status", "--month", "2026-04").output


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("continuity", "worksheet", "--month", "2026-04"), "KR-7418"),
        (("continuity", "import", "nowhere.xlsx"), "KR-7104"),
        (("continuity", "status", "--month", "2035-01"), "KR-7107"),
        (("run", "monthly", "--month", "2026-04", "--step", "out"), "KR-7202"),
        (("high-cost", "count", "--month", "2026-04", "--household", NEW), "KR-7207"),
        (("high-cost", "limit", "--month", "2018-07", "--class", "現役並みⅢ", "--cost", "1"), "KR-7501"),
        (("high-cost", "limit", "--month", "2027-08", "--class", "ウ", "--cost", "1"), "KR-7501"),
        (
            (
                *("high-cost", "limit", "--month", "2026-04", "--class", "ウ", "--cost", "1"),
                *("--moved-on", "2026-04-10", "--born-on", "1951-04-15"),
            ),
            "KR-7503",
        ),
    ],
)
def test_what_cannot_be_done_says_what_to_do(desk: Desk, command: tuple[str, ...], code: str) -> None:
    result = desk.run(*command)
    assert result.exit_code == 2
    assert result.output.startswith(code)
    assert "対処: " in result.output


def test_limits_at_the_command_line(desk: Desk) -> None:
    asked = ("high-cost", "limit", "--month", "2026-04", "--class", "ウ", "--cost", "1000000")

    def said(*more: str) -> list[str]:
        return desk.run(*asked, *more).output.splitlines()

    assert said() == [
        "87,430円",
        "定め: ウ、80,100円＋（医療費総額－267,000円）×1%。半分にする定めに当たりません",
    ]
    assert said("--multiple")[0] == "44,400円"
    assert said("--moved-on", "2026-04-10")[0] == "48,715円"
    assert "県内転居の月（世帯の限度額が半分" in said("--moved-on", "2026-04-10")[1]
    assert said("--moved-on", "2026-04-01")[0] == "87,430円"
    assert "1日付けの県内転居（半分にしない）" in said("--moved-on", "2026-04-01")[1]
    assert said("--split-on", "2026-04-10")[0] == "87,430円"
    assert said("--born-on", "1951-04-15")[0] == "その人の限度額 48,715円（世帯の合算 87,430円）"
    assert said("--born-on", "1951-04-01")[0] == "87,430円"
    assert said("--by-disability-on", "2026-04-15")[0] == "87,430円"
    assert said("--joined-after-75-on", "2026-04-15")[0] == "その人の限度額 48,715円（世帯の合算 87,430円）"


def test_limits_of_a_year_at_the_command_line(desk: Desk) -> None:
    asked = ("high-cost", "limit", "--month", "2026-08", "--cost", "0", "--class")
    assert desk.run(*asked, "エ").output.splitlines()[2:] == [
        "年間上限（8月から翌年7月） 530,000円",
        "  所得 860,000円以下なら 410,000円（推定: 施行令では未確認）",
    ]
    assert desk.run(*asked, "低所得Ⅱ").output.splitlines()[2:] == [
        "年間上限（8月から翌年7月） 290,000円",
        "外来（個人ごと）の上限 11,000円、年間 96,000円",
    ]
