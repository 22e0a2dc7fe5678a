"""A file that may still be being written, with the default settle_seconds: at the sensor, the command and a medium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipelines.configuration.settings import Settings
from tests.support.entries import moved
from tests.support.quirky import DAY, INTERFACE, NAME, RECEIVE, Place, quirky_place, sound_ids


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with quirky_place(tmp_path, monkeypatch) as found:
        yield found


def test_the_defaults_are_what_is_tested(place: Place) -> None:
    assert Settings.load(place.settings).settle_seconds == 60


def test_a_young_file_is_asked_for_at_a_later_tick_and_received(place: Place) -> None:
    place.written(sound_ids(), at=0)
    for seconds in (1, 59):
        asked, said = place.tick(seconds)
        assert (asked, "KR-6331" in said, NAME in said, f"{seconds}秒前" in said) == ([], True, True, True)
    asked, said = place.tick(60)
    assert [request.job_name for request in asked] == ["receive"], said
    assert place.run(asked[0]).success
    assert place.states() == ["applied"]
    assert place.tick(360) == ([], "新しいファイルはありません")


def test_a_file_that_grows_is_young_again(place: Place) -> None:
    place.written(sound_ids()[:-5], at=0)
    assert place.tick(50)[0] == []
    place.written(sound_ids(), at=55)
    assert place.tick(114)[0] == []
    (asked,) = place.tick(115)[0]
    assert place.run(asked).success
    assert place.states() == ["applied"]


def test_a_file_that_a_run_did_not_receive_is_asked_for_again_within_the_hour(place: Place) -> None:
    place.written(sound_ids(), at=-600)
    (asked,) = place.tick(0)[0]
    # The run never happened. The same listing is asked for again when an hour is over, and no earlier.
    assert place.tick(300)[0] == []
    assert place.tick(3599)[0] == []
    (again,) = place.tick(3600)[0]
    assert again.run_key != asked.run_key
    assert place.run(again).success
    assert place.states() == ["applied"]


def test_the_same_delivery_again_after_it_was_received_is_a_new_run(place: Place) -> None:
    place.written(sound_ids(), at=-600)
    (first,) = place.tick(0)[0]
    assert place.run(first).success
    assert place.tick(300)[0] == []
    place.written(sound_ids(), at=-600)
    (second,) = place.tick(600)[0]
    assert place.run(second).success
    assert place.states() == ["applied", "duplicate"]


@pytest.mark.parametrize("partition", ["20260404", "20990401"])
def test_a_file_for_a_day_that_dagster_does_not_have_is_received_by_the_newest_days_run(
    place: Place, partition: str
) -> None:
    """A Saturday, and a day in the future: nobody would ever ask for them."""
    place.written(sound_ids(), at=-600, name=f"KRSID_999997_{partition}_000001.csv")
    (asked,) = place.tick(0)[0]
    place.run(asked)
    assert place.states() == ["quarantined"]


@pytest.mark.parametrize(
    ("quirk", "code", "expected"), [("hours_ahead", "KR-6332", "9時間0分"), ("no_times", "KR-6333", "")]
)
def test_without_a_usable_time_two_equal_looks_decide_at_the_sensor(
    place: Place, quirk: str, code: str, expected: str
) -> None:
    setattr(place.faults, quirk, 9 if quirk == "hours_ahead" else True)
    place.written(sound_ids()[:-5], at=0)
    asked, said = place.tick(0)
    assert (asked, code in said, expected in said) == ([], True, True)
    assert place.tick(59)[0] == []
    place.written(sound_ids(), at=0)
    assert place.tick(60)[0] == [], "it grew, so it is another look"
    assert place.tick(119)[0] == []
    (request,) = place.tick(120)[0]
    assert place.run(request).success
    assert place.states() == ["applied"]


def test_the_command_says_what_it_leaves_and_remembers_it_for_the_next_time(place: Place) -> None:
    place.faults.hours_ahead = 9
    place.written(sound_ids(), at=0)
    status, said = place.renkei(*RECEIVE)
    assert (status, f"受領 {NAME}: 書き終わり待ち KR-6332" in said, "9時間0分" in said) == (1, True, True), said
    place.clock.at(59)
    assert place.renkei(*RECEIVE)[0] == 1
    assert place.states() == []
    place.clock.at(60)
    assert place.renkei(*RECEIVE)[0] == 0
    assert place.states() == ["applied"]


def test_sensor_and_command_share_the_memory(place: Place) -> None:
    place.faults.hours_ahead = 9
    place.written(sound_ids(), at=0)
    assert place.tick(0)[0] == []
    place.clock.at(60)
    assert place.renkei(*RECEIVE)[0] == 0
    assert place.states() == ["applied"]


def test_a_dagster_run_that_leaves_a_file_warns_with_the_reason(place: Place) -> None:
    place.written(sound_ids(), at=0)
    place.clock.at(10)
    assert place.run(dg.RunRequest(job_name="receive", partition_key=DAY.isoformat())).success
    result = place.run(dg.RunRequest(job_name="daily_in", partition_key=DAY.isoformat()))
    assert result.success
    (check,) = (c for c in result.get_asset_check_evaluations() if c.check_name == f"{INTERFACE}_is_valid")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert all(said in str(check.description) for said in ("KR-6331", NAME))
    others = {c.description for c in result.get_asset_check_evaluations() if c is not check and not c.passed}
    assert others == {"このファイルはまだ届いていません"}


def test_a_medium_has_the_same_rule(place: Place, tmp_path: Path) -> None:
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "媒体管理番号.txt").write_text("M-0001", encoding="utf-8")
    place.inbox = medium
    place.written(sound_ids(), at=0)
    take = ("media", "import", str(medium), "--reason", "連合会の媒体")
    place.clock.at(59)
    status, said = place.renkei(*take)
    assert (status, "KR-6331" in said, (medium / NAME).exists()) == (1, True, True)
    place.clock.at(60)
    assert place.renkei(*take)[0] == 0
    assert not (medium / NAME).exists()
    assert place.states() == ["verified"]


def test_receiving_from_a_medium_does_not_disturb_a_started_fetch_from_the_union(place: Place, tmp_path: Path) -> None:
    """A fetch from the Union's server that a crash cut off does not concern a medium that lacks the file."""
    medium = tmp_path / "medium"
    medium.mkdir()
    (medium / "媒体管理番号.txt").write_text("M-0001", encoding="utf-8")
    ledger = place.environment.ledger
    moved(ledger, ledger.recorder("試験").create_inbound_entry(NAME), "claimed", size_on_server=1)
    assert place.renkei("media", "import", str(medium), "--reason", "連合会の媒体")[0] == 0
    assert place.states() == ["claimed"]
