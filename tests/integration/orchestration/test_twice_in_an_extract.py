"""Whoever is listed twice in an extract is withheld and listed for correction, whichever row comes first."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.support.village import HOUSEHOLD, Village, home, person

DAY, NEXT = dt.date(2026, 4, 1), dt.date(2026, 4, 2)
TWICE = ["KR-3004"]


def place(village: Village, order: str, interface: str, row: dict[str, object]) -> None:
    """The other row of somebody, before or after their row in the extract."""
    (village.before if order == "other_first" else village.after).setdefault(interface, []).append(row)


@pytest.mark.parametrize("order", ["other_first", "known_first"])
def test_a_person_listed_twice_in_the_insured_extract_waits_with_both_households(village: Village, order: str) -> None:
    village.add(1, 11, 12)
    village.add(2, 21)
    village.add(3, 31)
    assert village.send(DAY).exit_code == 0
    village.add(4, 41)
    moved = village.insured[person(12)] | {"household_number": home(4), "changed_on": NEXT}
    place(village, order, "insured_extract", moved)
    village.residents[person(31)]["name"] = "合成　改"
    result = village.send(NEXT)
    assert result.exit_code == 0, result.output
    assert set(village.sent(NEXT)) == {person(31)}
    assert set(village.sent(NEXT, HOUSEHOLD)) == {home(3)}
    withheld = village.withheld(NEXT)
    assert withheld[person(12)] == TWICE
    assert person(41) in withheld, "the new household does not leave without them"
    assert "要修正一覧" in result.output


@pytest.mark.parametrize("order", ["other_first", "known_first"])
@pytest.mark.parametrize(
    ("interface", "other"),
    [("resident_extract", {"name": "合成　改"}), ("insured_extract", {"ended_on": NEXT, "end_reason": "died"})],
)
def test_a_person_whose_kept_row_is_unchanged_is_listed_every_day(
    village: Village, order: str, interface: str, other: dict[str, object]
) -> None:
    village.add(1, 11, 12)
    assert village.send(DAY).exit_code == 0
    own = village.residents if interface == "resident_extract" else village.insured
    place(village, order, interface, own[person(12)] | other)
    for day in (NEXT, dt.date(2026, 4, 3)):
        result = village.send(day)
        assert result.exit_code == 0, result.output
        assert village.sent(day) == {}
        assert village.withheld(day)[person(12)] == TWICE
    shown = village.cli("withheld", "--date", NEXT.isoformat())
    assert f"宛名番号 …{person(12)[-3:]} 本人の誤り KR-3004" in shown.output
    place_of_rows = village.before if order == "other_first" else village.after
    corrected = place_of_rows.pop(interface)[0]
    own[person(12)] = corrected
    assert village.send(dt.date(2026, 4, 6)).exit_code == 0
    assert village.withheld(dt.date(2026, 4, 6)) == {}
    assert person(12) in village.sent(dt.date(2026, 4, 6))


@pytest.mark.parametrize("order", ["other_first", "known_first"])
@pytest.mark.parametrize("other", [{"address": "合成県合成市二丁目"}, {"head_resident_number": person(12)}])
def test_a_household_that_is_listed_twice_waits(village: Village, order: str, other: dict[str, object]) -> None:
    village.add(1, 11, 12)
    village.add(2, 21)
    assert village.send(DAY).exit_code == 0
    place(village, order, "household_extract", village.households[home(1)] | other)
    village.residents[person(21)]["name"] = "合成　改"
    assert village.send(NEXT).exit_code == 0
    assert set(village.sent(NEXT, HOUSEHOLD)) == {home(2)}
    withheld = village.withheld(NEXT)
    assert TWICE in withheld.values()
    assert not {person(21), home(2)} & set(withheld)


def test_a_resident_who_is_not_insured_may_be_listed_twice(village: Village) -> None:
    """A person unknown to the Union: there is nothing to withhold, and nothing for this list."""
    village.add(1, 11)
    village.residents[person(99)] = village.residents[person(11)] | {"resident_number": person(99)}
    village.after["resident_extract"] = [village.residents[person(99)] | {"name": "合成　改"}]
    assert village.send(DAY).exit_code == 0
    assert set(village.sent(DAY)) == {person(11)}
    assert village.withheld(DAY) == {}
