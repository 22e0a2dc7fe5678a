"""Who is sent, who is withheld, and what the Union knows afterwards: worked by hand on small households."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from pipelines.eligibility import snapshot
from pipelines.eligibility.changes import Changes, changed_numbers, find_changes
from pipelines.eligibility.withholding import (
    snapshot_after_sending,
    split,
    withheld_households,
    withheld_list,
)
from pipelines.tables.eligibility import PersonsAtFault

APRIL, LATER = dt.date(2026, 4, 1), dt.date(2026, 4, 30)
NOBODY = pl.Series([], dtype=pl.String)


def resident(number: str, name: str = "合成　太郎") -> dict[str, object]:
    return {
        "resident_number": number,
        "name": name,
        "name_kana": "ゴウセイ　タロウ",
        "born_on": dt.date(1980, 1, 1),
        "born_on_uncertain": "no",
        "sex": "male",
        "relationship": "head",
        "previous_municipality_code": None,
        "next_municipality_code": None,
    }


def insured(number: str, household: str, ended_on: dt.date | None = None) -> dict[str, object]:
    return {
        "resident_number": number,
        "household_number": household,
        "branch_number": "01",
        "acquired_on": APRIL,
        "acquisition_reason": "moved_in",
        "lost_on": ended_on,
        "loss_reason": "died" if ended_on else None,
        "applied_on": APRIL,
        "application_reason": "moved_in",
        "ended_on": ended_on,
        "end_reason": "died" if ended_on else None,
        "notified_on": APRIL,
        "changed_on": APRIL,
    }


def household(number: str, head: str, nominal: bool = False, address: str = "合成市一丁目") -> dict[str, object]:
    return {
        "household_number": number,
        "certificate_symbol": "合",
        "certificate_number": "1",
        "head_resident_number": head,
        "nominal_head": "yes" if nominal else "no",
        "household_applied_on": APRIL,
        "household_ended_on": None,
        "postal_code": "1000001",
        "address": address,
        "address_detail": None,
        "changed_on": APRIL,
    }


DATES = pl.Date()
DATED = "born_on acquired_on lost_on applied_on ended_on notified_on changed_on household_applied_on household_ended_on"
TYPES = dict.fromkeys(DATED.split(), DATES)


Rows = list[dict[str, object]]


def frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: TYPES.get(name, pl.String()) for name in rows[0]})


class World:
    """A municipality's extracts by hand."""

    def __init__(self, residents: Rows, insured_: Rows, households: Rows, on: dt.date = LATER) -> None:
        self.people = snapshot.people(frame(residents), frame(insured_), frame(households), on)
        self.households = snapshot.households(frame(households), frame(insured_), on)


def base() -> World:
    """H1: 1 (insured head) and 2; H2: 3 is the 擬制世帯主 of 4."""
    return World(
        [resident(n) for n in "1234"],
        [insured("1", "H1"), insured("2", "H1"), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )


def baseline(known: pl.DataFrame, key: str, doubted: str = "") -> pl.DataFrame:
    """What the Union knows; of those in `doubted` it may know other facts."""
    return (
        known
        if "uncertain" in known.columns
        else known.with_columns(pl.col(key).is_in(list(doubted)).alias("uncertain"))
    )


def changes(before: World, after: World, numbers: pl.Series = NOBODY, doubted: str = "") -> Changes:
    people, households = (
        baseline(before.people, "resident_number", doubted),
        baseline(before.households, "household_number"),
    )
    return find_changes(people, households, after.people, after.households, numbers, LATER)


def sent(found: Changes) -> dict[str, tuple[str, list[str]]]:
    return {
        row["resident_number"]: (row["update_kind"], row["change_kinds"]) for row in found.people.iter_rows(named=True)
    }


def test_heads_are_heads_for_kokuho() -> None:
    kinds = dict(base().people.select("resident_number", "head_kind").rows())
    assert kinds == {"1": "insured_head", "2": "member", "3": "nominal_head", "4": "member"}


def test_nothing_changed_is_nothing_sent() -> None:
    found = changes(base(), base())
    assert found.people.is_empty()
    assert found.households.is_empty()


def test_the_first_sending_is_everyone() -> None:
    nothing = World.__new__(World)
    nothing.people, nothing.households = base().people.head(0), base().households.head(0)
    found = changes(nothing, base())
    assert {number: kind for number, (kind, _) in sent(found).items()} == dict.fromkeys("1234", "added")
    assert found.households["update_kind"].to_list() == ["added", "added"]


def test_one_change_takes_the_household_with_it() -> None:
    after = World(
        [resident("1"), resident("2", "合成　花子"), resident("3"), resident("4")],
        [insured("1", "H1"), insured("2", "H1"), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )
    found = changes(base(), after)
    assert sent(found) == {"1": ("changed", []), "2": ("changed", ["氏名変更"])}
    assert found.households["household_number"].to_list() == ["H1"]


def test_the_nominal_head_goes_with_the_insured_and_the_past_do_not() -> None:
    after = World(
        [resident("1"), resident("2"), resident("3"), resident("4", "合成　次郎")],
        [insured("1", "H1"), insured("2", "H1"), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )
    assert sent(changes(base(), after)) == {"3": ("changed", []), "4": ("changed", ["氏名変更"])}
    past = World(
        [resident(n) for n in "1234"],
        [insured("1", "H1"), insured("2", "H1", ended_on=dt.date(2026, 4, 5)), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )
    moved = World(
        [resident(n) for n in "1234"],
        [insured("1", "H1"), insured("2", "H1", ended_on=dt.date(2026, 4, 5)), insured("4", "H2")],
        [household("H1", "1", address="合成市二丁目"), household("H2", "3", nominal=True)],
    )
    assert set(sent(changes(past, moved))) == {"1"}


def test_a_household_change_alone_sends_the_household() -> None:
    after = World(
        [resident(n) for n in "1234"],
        [insured("1", "H1"), insured("2", "H1"), insured("4", "H2")],
        [household("H1", "1", address="合成市二丁目"), household("H2", "3", nominal=True)],
    )
    found = changes(base(), after)
    assert sent(found) == {"1": ("changed", []), "2": ("changed", [])}


def test_a_person_who_moves_between_households_brings_both() -> None:
    after = World(
        [resident(n) for n in "1234"],
        [insured("1", "H1"), insured("2", "H2"), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )
    found = changes(base(), after)
    assert set(sent(found)) == {"1", "2", "3", "4"}
    assert sent(found)["2"] == ("changed", ["世帯異動"])


def test_a_person_who_is_gone_is_withdrawn_with_what_was_last_sent() -> None:
    after = World(
        [resident(n) for n in "134"],
        [insured("1", "H1"), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )
    found = changes(base(), after)
    assert sent(found) == {"1": ("changed", []), "2": ("withdrawn", ["取消"])}
    assert found.people.filter(pl.col("resident_number") == "2")["applied_on"].to_list() == [APRIL]


def test_a_changed_number_is_found_without_showing_it() -> None:
    schema = {"resident_number": pl.String, "my_number": pl.String}
    before = pl.DataFrame({"resident_number": ["1", "2"], "my_number": ["123456789018", None]}, schema=schema)
    now = pl.DataFrame({"resident_number": ["1", "2"], "my_number": ["123456789018", "983205673214"]}, schema=schema)
    numbers = changed_numbers(before, now)
    assert numbers.to_list() == ["2"]
    assert sent(changes(base(), base(), numbers))["2"] == ("changed", ["個人番号変更"])


def test_an_insured_head_who_leaves_becomes_the_nominal_head_with_their_last_period() -> None:
    left = dt.date(2026, 4, 2)
    after = World(
        [resident(n) for n in "1234"],
        [insured("1", "H1", ended_on=left), insured("2", "H1"), insured("4", "H2")],
        [household("H1", "1", nominal=True), household("H2", "3", nominal=True)],
    )
    row = after.people.filter(pl.col("resident_number") == "1").row(0, named=True)
    assert (row["head_kind"], row["ended_on"], row["household_number"]) == ("nominal_head", left, "H1")


def at_fault(person: str, household: str | None = None) -> pl.DataFrame:
    return PersonsAtFault.of([(person, household, "KR-3004", None, None, None)])


def test_the_household_named_in_a_persons_other_row_waits_too() -> None:
    """2 is listed twice: the row that is kept leaves the person in H1, the other one puts them into H2."""
    withheld = withheld_households(base().people, base().people, at_fault("2", "H2"))
    assert withheld.to_list() == ["H1", "H2"]
    listed = withheld_list(
        changes(base(), base()), at_fault("2", "H2"), base().people, baseline(base().people, "resident_number")
    )
    assert listed.select("household_number", "resident_number", "update_kind", "change_kinds", "reason").rows() == [
        ("H1", "2", None, [], "本人の誤り")
    ]


def test_withheld_persons_wait_with_their_household_and_all_tied_to_it() -> None:
    before, after = (
        base(),
        World(
            [resident(n) for n in "1234"],
            [insured("1", "H1"), insured("2", "H2"), insured("4", "H2")],
            [household("H1", "1"), household("H2", "3", nominal=True)],
        ),
    )
    withheld = withheld_households(before.people, after.people, at_fault("4"))
    assert withheld.to_list() == ["H1", "H2"]
    found = changes(before, after)
    kept, waiting = split(found, before.people, withheld)
    assert kept.people.is_empty()
    assert waiting.people["resident_number"].to_list() == ["1", "2", "3", "4"]


def test_withheld_persons_are_checked_again_every_day_until_they_pass() -> None:
    before = base()
    after = World(
        [resident("1"), resident("2", "合成　花子"), resident("3"), resident("4", "合成　次郎")],
        [insured("1", "H1"), insured("2", "H1"), insured("4", "H2")],
        [household("H1", "1"), household("H2", "3", nominal=True)],
    )
    withheld = withheld_households(before.people, after.people, at_fault("2"))
    kept, waiting = split(changes(before, after), before.people, withheld)
    assert set(kept.people["resident_number"]) == {"3", "4"}
    assert set(waiting.people["resident_number"]) == {"1", "2"}
    tomorrow = World.__new__(World)
    people, households = (
        baseline(before.people, "resident_number", "1"),
        baseline(before.households, "household_number"),
    )
    tomorrow.people = snapshot_after_sending(people, after.people, "resident_number", withheld)
    tomorrow.households = snapshot_after_sending(households, after.households, "household_number", withheld)
    names = dict(tomorrow.people.select("resident_number", "name").rows())
    assert names == {"1": "合成　太郎", "2": "合成　太郎", "3": "合成　太郎", "4": "合成　次郎"}
    assert tomorrow.people.height == len(names)
    again = changes(tomorrow, after)
    assert sent(again) == {"1": ("changed", ["再通知"]), "2": ("changed", ["氏名変更"])}


def test_a_person_whom_the_union_may_know_otherwise_is_reported_again_though_nothing_changed() -> None:
    found = changes(base(), base(), doubted="4")
    assert sent(found) == {"3": ("changed", []), "4": ("changed", ["再通知"])}
    assert found.households["household_number"].to_list() == ["H2"]


def test_the_members_of_an_uncertain_household_are_reported_too() -> None:
    households = baseline(base().households, "household_number").with_columns(
        uncertain=pl.col("household_number") == "H1"
    )
    found = find_changes(
        baseline(base().people, "resident_number"), households, base().people, base().households, NOBODY, LATER
    )
    assert sent(found) == {"1": ("changed", []), "2": ("changed", [])}
    assert found.households["household_number"].to_list() == ["H1"]


def test_the_list_says_whose_fault_it_is_and_forgets_no_household() -> None:
    """H3's only member has left; its address changed to one that cannot be sent. Nobody waits, but the household does."""
    before = World(
        [resident(n) for n in "12345"],
        [insured("1", "H1"), insured("2", "H1"), insured("5", "H3", APRIL)],
        [household("H1", "1"), household("H3", "5")],
    )
    after = World(
        [resident("1", "合成　別名"), *(resident(n) for n in "2345")],
        [insured("1", "H1"), insured("2", "H1"), insured("5", "H3", APRIL)],
        [household("H1", "1"), household("H3", "5", address="合成県別市")],
    )
    faults = PersonsAtFault.of(
        [
            ("1", None, "KR-2003", "氏名", "（非表示）、使えない文字 U+00A0", "文字"),
            ("1", None, "KR-2002", None, None, None),
            (None, "H3", "KR-1021", "住所", "U+9AD9", "cp932"),
        ]
    )
    withheld = withheld_households(before.people, after.people, faults)
    kept, waiting = split(changes(before, after), before.people, withheld)
    assert kept.people.is_empty() and kept.households.is_empty()
    listed = withheld_list(waiting, faults, after.people, baseline(before.people, "resident_number"))
    assert listed.select("household_number", "resident_number", "reason", "codes").rows() == [
        ("H1", "1", "本人の誤り", ["KR-2002", "KR-2003"]),
        ("H1", "2", "同じ世帯の人の誤り", []),
        ("H3", None, "世帯の誤り", ["KR-1021"]),
    ]


def leaving(on: dt.date, ended_on: dt.date, nominal: bool = False) -> World:
    """H1: 1 (insured head, ends on `ended_on`) and 2; `nominal`: registered as 擬制世帯主 already. H2: 5 alone, ends too."""
    return World(
        [resident(n) for n in "125"],
        [insured("1", "H1", ended_on), insured("2", "H1"), insured("5", "H2", ended_on)],
        [household("H1", "1", nominal=nominal), household("H2", "5")],
        on,
    )


MAY = dt.date(2026, 5, 20)
ONE = dt.timedelta(days=1)


@pytest.mark.parametrize("nominal", [False, True])
def test_an_end_ahead_changes_nobodys_kind_before_its_day(nominal: bool) -> None:
    before, day, after = (leaving(on, MAY, nominal) for on in (MAY - ONE, MAY, MAY + ONE))
    kinds = [dict(world.people.select("resident_number", "head_kind").rows()) for world in (before, day, after)]
    assert kinds[0] == {"1": "insured_head", "2": "member", "5": "insured_head"}
    assert kinds[1] == kinds[2] == {"1": "nominal_head" if nominal else "member", "2": "member", "5": "member"}
    heads = [dict(world.households.select("household_number", "nominal_head").rows()) for world in (before, day)]
    assert heads == [{"H1": "no", "H2": "no"}, {"H1": "yes" if nominal else "no", "H2": "no"}]
    on_the_day = find_changes(
        baseline(before.people, "resident_number"),
        baseline(before.households, "household_number"),
        day.people,
        day.households,
        NOBODY,
        MAY,
    )
    expected = {"1": ("changed", ["世帯主変更"]), "5": ("changed", ["世帯主変更"])}
    assert sent(on_the_day) == expected | {"2": ("changed", [])}


@pytest.mark.parametrize(("flag", "kind"), [(False, "insured_head"), (True, "nominal_head")])
def test_a_head_whose_period_begins_later_is_still_the_head(flag: bool, kind: str) -> None:
    """2's household needs its head today; 1 is insured from MAY on, and 擬制世帯主 until then where registered as such."""
    rows = [resident("1"), resident("2")], [insured("1", "H1") | {"applied_on": MAY}, insured("2", "H1")]
    kinds = [
        World(*rows, [household("H1", "1", nominal=flag)], on).people["head_kind"].to_list() for on in (MAY - ONE, MAY)
    ]
    assert kinds == [[kind, "member"], ["insured_head", "member"]]
