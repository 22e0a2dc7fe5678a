"""A day whose tables retention has erased is not made again: the commands say what holds, and bring no 個人番号 back."""

from __future__ import annotations

import datetime as dt

import pytest

from pipelines.operations.retention import run
from tests.support.town import DAY as TOWN_DAY
from tests.support.town import Town
from tests.support.village import Village, person

# Longer ago than the three months of the tables of 個人番号.
FIRST, SECOND, MISSED, LAST = (dt.date(2026, 4, day) for day in (1, 2, 3, 6))
NUMBERS = ("my_numbers", "sent_my_numbers")


@pytest.fixture
def erased(village: Village) -> Village:
    """Three days sent and one missed; then the first two are erased."""
    village.add(1, 1)
    village.fill()
    village.residents[person(1)]["my_number"] = "123456789018"
    assert village.send(FIRST).exit_code == 0
    for day, name in ((SECOND, "合成　乙"), (LAST, "合成　丙")):
        village.residents[person(1)]["name"] = name
        assert village.send(day).exit_code == 0
    said = village.cli("retention", "run", "--by", "合成　操作者").stdout
    assert "消去 4件" in said
    return village


def today(village: Village) -> str:
    events = [event for event in village.environment.ledger.events() if event.action == "erased"]
    return dt.datetime.fromisoformat(events[-1].at).astimezone(dt.timezone(dt.timedelta(hours=9))).date().isoformat()


def numbers_of(village: Village, day: dt.date) -> list[str]:
    return [asset for asset in NUMBERS if village.environment.store.exists(asset, day.isoformat())]


def test_a_sent_day_is_told_to_be_sent_and_stays_erased(erased: Village) -> None:
    for day, table, entries in (
        (FIRST, FIRST, "台帳 1、2"),
        (SECOND, SECOND, "台帳 3、4"),
        (LAST, SECOND, "台帳 5、6"),
    ):
        is_told_and_stays_erased(erased, day, table, entries)


def is_told_and_stays_erased(erased: Village, day: dt.date, table: dt.date, entries: str) -> None:
    before = erased.names()
    kept = numbers_of(erased, day)
    result = erased.send(day)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"KR-7210 {day} の処理に必要な sent_my_numbers の {table} の表は")
    assert f"保存期間が過ぎたので {today(erased)} に消去しました" in result.stderr
    assert f"{day} の分は、もう送付または取込が済んでいます（{entries}）" in result.stderr
    assert "対応は不要です" in result.stderr
    assert "先に" not in result.stderr
    assert (erased.names(), numbers_of(erased, day)) == (before, kept)
    assert "不一致 0件" in erased.cli("audit", "verify").stdout


def test_the_day_after_an_erased_one_is_told_to_be_carried(erased: Village) -> None:
    result = erased.send(MISSED)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"KR-7210 {MISSED} の処理に必要な sent_my_numbers の {SECOND} の表は")
    assert f"{MISSED} の分は、{LAST} の送付に含まれています" in result.stderr
    assert numbers_of(erased, MISSED) == []


def test_a_day_without_extracts_is_told_so_too(erased: Village) -> None:
    for path in (erased.folder / "extracts").iterdir():
        path.unlink()
    assert erased.cli("run", "daily", "--date", FIRST.isoformat(), "--only", "out").stderr.startswith("KR-7210")


def test_a_day_that_was_sent_by_other_means_is_no_exception(erased: Village) -> None:
    result = erased.cli("ledger", "mark-sent", "--date", FIRST.isoformat(), "--by", "合成", "--reason", "試験")
    assert result.exit_code == 2
    assert result.stderr.startswith("KR-7210")


def test_where_the_basis_itself_is_gone_nobody_is_told_to_make_it_again(erased: Village) -> None:
    assert erased.cli("ledger", "recall", "--date", LAST.isoformat(), "--reason", "試験").exit_code == 0
    result = erased.send(dt.date(2026, 4, 7))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"KR-7208 sent_my_numbers の {SECOND} の表は、保存期間が過ぎたので {today(erased)}")
    assert "保守担当" in result.stderr


def test_the_coming_day_goes_on_from_what_stays(erased: Village) -> None:
    coming = dt.date(2026, 4, 7)
    erased.residents[person(1)]["name"] = "合成　丁"
    result = erased.send(coming)
    assert result.exit_code == 0, result.output
    assert erased.sent(coming)[person(1)]["name"] == "合成　丁"


def test_a_run_of_dagster_says_it_too(town: Town) -> None:
    days = (TOWN_DAY, dt.date(2026, 4, 2))
    for day in days:
        town.extract(day)
        assert town.run(day).success
    environment = town.deployment.environment
    assert run(environment, environment.clock().date(), "合成　操作者").gone
    again = town.run(days[0])
    assert not again.success
    assert any("KR-7210" in str(event.event_specific_data) for event in again.all_events)
    assert not environment.store.exists("sent_my_numbers", days[0].isoformat())
