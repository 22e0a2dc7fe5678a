"""What a recalled or rejected day told all the same is told anew; what it withdrew is known to be gone (faults.md L3, L15)."""

from __future__ import annotations

import datetime as dt

import pytest

from pipelines.exchange.ledger.states import Direction
from tests.support.village import HOUSEHOLD, Village, home, person

DAY, NEXT, THIRD, FOURTH = (dt.date(2026, 4, n) for n in (1, 2, 3, 6))
RIGHT, WRONG = "合成　正", "合成　誤"


def recalled_with_a_wrong_name(village: Village) -> None:
    """DAY told the right name, NEXT a wrong one; NEXT was taken back, and the name was mended."""
    village.add(1, 11, 12)
    village.residents[person(11)]["name"] = RIGHT
    assert village.send(DAY).exit_code == 0
    village.residents[person(11)]["name"] = WRONG
    assert village.send(NEXT).exit_code == 0
    recall = village.cli("ledger", "recall", "--date", NEXT.isoformat(), "--reason", "氏名の誤り")
    assert recall.exit_code == 0, recall.output
    village.residents[person(11)]["name"] = RIGHT


@pytest.mark.parametrize("answered", ["accepted", "rejected"])
def test_a_recalled_name_is_corrected_under_the_next_file_number(village: Village, answered: str) -> None:
    recalled_with_a_wrong_name(village)
    result = village.send(NEXT)
    assert result.exit_code == 0, result.output
    told = village.sent(NEXT, number=2)
    assert (told[person(11)]["name"], told[person(11)]["update_kind"]) == (RIGHT, "changed")
    changes = village.environment.store.read("eligibility_changes", NEXT.isoformat())
    assert changes.filter(resident_number=person(11))["change_kinds"].item().to_list() == ["氏名変更", "再通知"]
    village.answer(
        THIRD, dict.fromkeys(village.pair(NEXT), answered) | dict.fromkeys(village.pair(NEXT, 2), "accepted")
    )
    states = {e.file_name: e.state for e in village.environment.ledger.entries(direction=Direction.OUTBOUND)}
    assert [states[name] for name in (*village.pair(NEXT), *village.pair(NEXT, 2))] == ["recalled"] * 2 + [
        "accepted"
    ] * 2
    asked = village.cli("linkage", "discrepancies", "--date", THIRD.isoformat()).output
    assert ("KR-8117" in asked, "KR-8114" in asked) == ((True, False) if answered == "accepted" else (False, True))
    assert village.send(THIRD).exit_code == 0
    assert village.sent(THIRD) == {}, "told anew once is enough"
    assert village.send(NEXT).exit_code == 0, "a day that is out stays what it is"


def test_a_recalled_name_is_corrected_by_the_next_day(village: Village) -> None:
    recalled_with_a_wrong_name(village)
    village.answer(THIRD, dict.fromkeys(village.pair(NEXT), "accepted"))
    assert village.send(THIRD).exit_code == 0
    assert village.sent(THIRD)[person(11)]["name"] == RIGHT
    assert village.send(FOURTH).exit_code == 0
    assert village.sent(FOURTH) == {}


def test_a_recalled_file_and_a_rejected_second_one_leave_both_uncertain(village: Village) -> None:
    recalled_with_a_wrong_name(village)
    assert village.send(NEXT).exit_code == 0
    village.answer(
        THIRD, dict.fromkeys(village.pair(NEXT), "accepted") | dict.fromkeys(village.pair(NEXT, 2), "rejected")
    )
    assert village.send(THIRD).exit_code == 0
    assert village.sent(THIRD)[person(11)]["name"] == RIGHT


@pytest.mark.parametrize("returns", [True, False])
def test_whom_an_accepted_day_withdrew_upon_a_rejected_one_is_gone(village: Village, returns: bool) -> None:
    village.fill()
    village.add(1, 11, 12)
    village.add(2, 21)
    assert village.send(DAY).exit_code == 0
    village.residents[person(21)]["name"] = WRONG
    assert village.send(NEXT).exit_code == 0
    kept = village.insured.pop(person(12))
    assert village.send(THIRD).exit_code == 0
    assert village.sent(THIRD)[person(12)]["update_kind"] == "withdrawn"
    village.answer(
        FOURTH, dict.fromkeys(village.pair(NEXT), "rejected") | dict.fromkeys(village.pair(THIRD), "accepted")
    )
    if returns:
        village.insured[person(12)] = kept
    result = village.send(FOURTH)
    assert result.exit_code == 0, result.output
    told = village.sent(FOURTH)
    assert told[person(21)]["name"] == WRONG
    if returns:
        assert told[person(12)]["update_kind"] == "added"
    else:
        assert person(12) not in told


def test_a_withdrawal_that_nobody_accepted_is_told_again(village: Village) -> None:
    """NEXT was rejected, THIRD has no answer: whether the Union withdrew them nobody knows."""
    village.fill()
    village.add(1, 11, 12)
    village.add(2, 21)
    assert village.send(DAY).exit_code == 0
    village.residents[person(21)]["name"] = WRONG
    assert village.send(NEXT).exit_code == 0
    del village.insured[person(12)], village.insured[person(21)], village.households[home(2)]
    assert village.send(THIRD).exit_code == 0
    village.answer(FOURTH, dict.fromkeys(village.pair(NEXT), "rejected"))
    assert village.send(FOURTH).exit_code == 0
    assert {number for number, row in village.sent(FOURTH).items() if row["update_kind"] == "withdrawn"} == {
        person(12),
        person(21),
    }


def test_people_are_withdrawn_though_the_union_withdrew_their_household_already(village: Village) -> None:
    """NEXT withdrew a household with its people, and the Union took only the one half: the people are not held for it."""
    village.fill()
    village.add(2, 21, 22)
    assert village.send(DAY).exit_code == 0
    del village.insured[person(21)], village.insured[person(22)], village.households[home(2)]
    assert village.send(NEXT).exit_code == 0
    household, individual = village.pair(NEXT)
    village.answer(THIRD, {household: "accepted", individual: "rejected"})
    result = village.send(THIRD)
    assert result.exit_code == 0, result.output
    assert village.withheld(THIRD) == {}
    assert {number: row["update_kind"] for number, row in village.sent(THIRD).items()} == {
        person(21): "withdrawn",
        person(22): "withdrawn",
    }
    assert village.sent(THIRD, HOUSEHOLD) == {}
