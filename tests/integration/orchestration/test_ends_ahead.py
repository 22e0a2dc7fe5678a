"""An end entered ahead is told as a fact, and changes nothing before its day."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.support.village import HOUSEHOLD, Village, home, person

ENTERED, EVE, ENDS, AFTER = (dt.date(2026, 4, n) for n in (1, 21, 22, 23))


@pytest.mark.parametrize("registered", [False, True])
def test_an_end_in_three_weeks_is_told_today_and_changes_the_head_on_its_day(
    village: Village, registered: bool
) -> None:
    """11 will be 75: from that day on they are the 擬制世帯主 of 12, where it is registered. 21 leaves alone."""
    village.add(1, 11, 12)
    village.add(2, 21)
    assert village.send(dt.date(2026, 3, 31)).exit_code == 0
    village.end(11, ENDS, "joined_late_elderly")
    village.end(21, ENDS, "moved_out")
    if registered:
        village.households[home(1)]["nominal_head"] = "yes"
    assert village.send(ENTERED).exit_code == 0
    told = village.sent(ENTERED)
    assert {n: (row["head_kind"], row["ended_on"]) for n, row in told.items()} == {
        person(11): ("insured_head", ENDS),
        person(12): ("member", None),
        person(21): ("insured_head", ENDS),
    }
    assert {row["nominal_head"] for row in village.sent(ENTERED, HOUSEHOLD).values()} == {"no"}
    assert village.withheld(ENTERED) == {}
    assert village.send(EVE).exit_code == 0
    assert village.sent(EVE) == {}
    assert village.send(ENDS).exit_code == 0
    on_the_day = {n: row["head_kind"] for n, row in village.sent(ENDS).items()}
    if registered:
        assert on_the_day == {person(11): "nominal_head", person(12): "member", person(21): "member"}
        assert village.sent(ENDS, HOUSEHOLD)[home(1)]["nominal_head"] == "yes"
        assert village.withheld(ENDS) == {}
    else:
        assert on_the_day == {person(21): "member"}, "nobody is head of 12 from that day on: held until it is mended"
        assert village.withheld(ENDS)[person(12)] == ["KR-5004"]
    assert village.send(AFTER).exit_code == 0
    assert village.sent(AFTER) == {}


@pytest.mark.parametrize(("days", "warned"), [(59, False), (60, False), (61, True)])
def test_a_start_far_ahead_is_sent_with_a_warning(village: Village, days: int, warned: bool) -> None:
    village.add(1, 11, 12)
    village.insured[person(12)]["applied_on"] = ENTERED + dt.timedelta(days=days)
    result = village.send(ENTERED)
    assert result.exit_code == 0, result.output
    assert ("注意 KR-5007 遠い将来の日付: 1件" in result.output) == warned
    assert set(village.sent(ENTERED)) == {person(11), person(12)}
