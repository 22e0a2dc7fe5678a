"""What an operator does when the line is not the way: corrected resending, media, approvals, retention, the audit report."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import openpyxl

from fixtures.demo.days import business_days
from fixtures.world import OURS
from tests.support.command_town import START, Town
from tests.support.servers import OpenSshServer

FIRST, SECOND, THIRD = business_days(START, 3)
BY = ("--by", "合成　操作者", "--reason", "試験")


def hashes(town: Town, day: dt.date) -> list[str]:
    shown = town.renkei("approve", "--date", day.isoformat())
    return [f"--sha256={line.split()[-1]}" for line in shown.splitlines() if "SHA-256" in line]


def test_a_day_is_taken_back_and_sent_corrected(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=5, persons=300)
    town.day(FIRST)
    assert "KR-6135" in town.renkei("ledger", "recall", "--date", FIRST.isoformat(), *BY, status=2)
    folder = openssh_server.root / OURS.code / "to_union"
    resident = tmp_path / "extracts"
    town.send(SECOND)
    extract = next(resident.glob(f"resident*{SECOND:%Y%m%d}*"))
    right = extract.read_text(encoding="utf-8")
    extract.write_text(right.replace("合成　", "合成　訂正"), encoding="utf-8")
    date = ("--date", SECOND.isoformat())
    confirmed = ("--confirm", "氏名の一括訂正")
    assert "KR-6111" in town.renkei("run", "daily", *date, "--only", "out", *confirmed, status=2)
    for path in folder.iterdir():  # the Union puts the first pair aside, as agreed
        path.unlink()
    town.renkei("ledger", "recall", *date, *BY)
    assert "送付: 送付済み" in town.renkei("run", "daily", *date, "--only", "out", *confirmed)
    assert sorted(path.name for path in folder.iterdir()) == [
        "KRKOJ_999997_20260402_000002.csv",
        "KRSET_999997_20260402_000002.csv",
    ]
    people = (folder / "KRKOJ_999997_20260402_000002.csv").read_bytes().decode("cp932").split("\r\n")
    assert len(people) - 3 > town.world.truth(SECOND).height // 2  # nearly everybody has another name now
    town.world.night(SECOND)
    town.receive(SECOND)
    # The extract of the third day has the old names again.
    town.world.live(THIRD)
    town.renkei("run", "daily", "--date", THIRD.isoformat(), "--only", "out", *confirmed)
    town.world.night(THIRD)
    town.receive(THIRD)
    assert "KR-6135" in town.renkei("ledger", "recall", "--date", SECOND.isoformat(), *BY, status=2)
    assert town.differences(THIRD).is_empty()
    states = town.states()
    assert states["KRKOJ_999997_20260402_000001.csv"] == "recalled"
    assert states["KRKOJ_999997_20260402_000002.csv"] == "accepted"
    assert "不一致 0件" in town.renkei("audit", "verify")


def test_a_day_by_medium_there_and_back(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=6, persons=300)
    medium = tmp_path / "medium"
    medium.mkdir()
    union = openssh_server.root / OURS.code
    date = ("--date", FIRST.isoformat())

    def media(*arguments: str, status: int = 0) -> str:
        return town.renkei("media", *arguments, *BY, status=status)

    assert "KR-6602" in media("export", str(medium), *date, status=2)
    (medium / "媒体管理番号.txt").write_text("M-0001\n", encoding="utf-8")
    assert "KR-6601" in media("export", str(medium), *date, status=2)
    with town.settings.open("a", encoding="utf-8") as handle:
        handle.write('[media]\nallowed = ["M-0001"]\n')
    # The files are made, and nothing is sent: somebody must approve them first.
    text = town.settings.read_text(encoding="utf-8")
    town.settings.write_text(text.replace("first_load = false", "first_load = true"), encoding="utf-8")
    assert "KR-6131" in town.send(FIRST)
    assert "KR-6605" in media("export", str(medium), *date, status=2)
    town.seal(tmp_path)
    assert "KR-6131" in media("export", str(medium), *date, status=2)
    town.renkei("approve", *date, "--by", "合成　承認者", *hashes(town, FIRST))
    (medium / "ほかの仕事").write_text("x", encoding="utf-8")
    assert "KR-6603" in media("export", str(medium), *date, status=2)
    media("erase", str(medium))
    media("export", str(medium), *date)
    carried = sorted(path.name for path in medium.iterdir())
    assert carried == [
        "KRKOJ_999997_20260401_000001.csv.p7m",
        "KRSET_999997_20260401_000001.csv.p7m",
        "媒体管理番号.txt",
    ]
    assert {(medium / name).stat().st_mode & 0o777 for name in carried[:2]} == {0o600}
    # It is carried to the Union by hand, and its answers come back in the same way.
    for name in carried[:2]:
        (union / "to_union" / name).write_bytes((medium / name).read_bytes())
    town.renkei("ledger", "mark-sent", *date, *BY)
    assert len(media("erase", str(medium)).splitlines()) == 3
    town.world.night(FIRST)
    answers = sorted((union / "from_union").iterdir())
    for path in answers:
        path.rename(medium / path.name)
    assert media("import", str(medium)).count("検証済み") == len(answers)
    assert [path.name for path in medium.iterdir()] == ["媒体管理番号.txt"]
    town.receive(FIRST)
    assert town.differences(FIRST).is_empty()
    uses = [(row["何を"], row["媒体管理番号"]) for row in json.loads(town.renkei("media", "list", "--json"))]
    assert uses == [
        ("消去", "M-0001"),
        *[("書き出し", "M-0001")] * 2,
        *[("消去", "M-0001")] * 2,
        *[("読み取り", "M-0001")] * 4,
    ]
    town.day(SECOND)
    assert town.differences(SECOND).is_empty()

    # The auditor's report of this month names all of it.
    for name in ("report.xlsx", "report.html"):
        month = dt.datetime.now(dt.timezone(dt.timedelta(hours=9))).strftime("%Y-%m")
        told = town.renkei("audit", "report", "--month", month, "--to", str(tmp_path / name))
        assert "承認 2件" in told
        assert "媒体管理簿 9件、鍵 3件、消去 0件" in told
    book = openpyxl.load_workbook(tmp_path / "report.xlsx")
    approved = [[cell.value for cell in row] for row in book["承認"].iter_rows(min_row=3)]
    assert {tuple(row[-2:]) for row in approved} == {("試験担当", "合成　承認者")}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("合成　承認者", "M-0001", "records-1", "KRKOJ_999997_20260402_000001.csv"))


def test_what_was_kept_long_enough_is_erased_and_proved(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = Town(tmp_path, openssh_server, seed=7, persons=200)
    town.day(FIRST)
    town.send(SECOND)  # not answered yet
    data = tmp_path / "data"

    def names(store: str) -> list[str]:
        return sorted(path.name for path in (data / store).rglob("*") if path.is_file())

    before = {store: names(store) for store in ("assets/my_numbers", "assets/people", "outbox", "archive")}
    today = ("--by", "合成　操作者")
    # A day that was never sent: nobody can prove that its table did its work.
    numbers = data / "assets" / "my_numbers"
    (numbers / "2026-03-31.parquet").write_bytes((numbers / "2026-04-01.parquet").read_bytes())
    said = town.renkei("retention", "run", *today)
    assert "消去 " in said
    assert "残す assets/my_numbers/2026-03-31.parquet" in said
    assert "2026-03-31.parquet" in names("assets/my_numbers")
    (numbers / "2026-03-31.parquet").unlink()
    # 3 months for 個人番号: the first day's tables go, those of the last sent day stay as the coming day's basis.
    assert before["assets/my_numbers"] == ["2026-04-01.parquet", "2026-04-02.parquet"]
    assert names("assets/my_numbers") == ["2026-04-02.parquet"]
    assert names("assets/sent_my_numbers") == ["2026-04-02.parquet"]
    for store in ("assets/people", "outbox", "archive"):
        assert names(store) == before[store]
    assert "KR-7801" in town.renkei("retention", "run", "--on", "2040-01-01", status=2)
    seven_years = town.renkei("retention", "run", "--on", "2040-01-01", "--dry-run")
    assert "消去する outbox/2026-04-01" in seven_years
    assert "消去する archive/" in seven_years
    assert "assets/sent_people/2026-04-02" not in seven_years
    assert "残す " not in seven_years
    for store in ("assets/people", "outbox", "archive"):
        assert names(store) == before[store]
    assert "不一致 0件" in town.renkei("audit", "verify")
    town.world.night(SECOND)
    town.receive(SECOND)
    town.day(THIRD)
    assert town.differences(THIRD).is_empty()
    (data / "assets" / "my_numbers" / "2026-04-01.parquet").write_bytes(b"somebody's copy")
    assert "KR-6403" in town.renkei("audit", "verify", status=1)
