"""Instruction, result and handover against each other: what agrees counts, what doesn't is a question."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from pipelines.continuity.reconcile import Reconciled, arrivals_not_listed, reconcile
from tests.support.deployment import confirm, opened, send_days

OURS, THEIRS = "999997", "999989"
MOVE = dt.date(2026, 4, 10)
PAIR = {
    "candidate_number": "000001",
    "old_municipality_code": THEIRS,
    "old_household_number": "1",
    "new_household_number": "2",
}
DECISION = {**dict.fromkeys(PAIR, pl.String), "decision": pl.String}
RESULT = {
    **dict.fromkeys(PAIR, pl.String),
    "new_municipality_code": pl.String,
    "continuity_outcome": pl.String,
    "moved_on": pl.Date,
    "high_cost_count": pl.String,
}
HANDOVER = {
    **dict.fromkeys(PAIR, pl.String),
    "treatment_month": pl.String,
    "high_cost_count": pl.String,
    "update_kind": pl.String,
}
CONTINUED = {name: RESULT[name] for name in (*list(PAIR)[1:], "moved_on")}


def decision(**changes: object) -> dict[str, object]:
    return PAIR | {"decision": "continued"} | changes


def result(**changes: object) -> dict[str, object]:
    return (
        PAIR
        | {"new_municipality_code": OURS, "continuity_outcome": "continued", "moved_on": MOVE, "high_cost_count": "02"}
        | changes
    )


def handover(month: str, **changes: object) -> dict[str, object]:
    return PAIR | {"treatment_month": month, "high_cost_count": "02", "update_kind": "added"} | changes


def run(
    decisions: list[dict[str, object]],
    results: list[dict[str, object]],
    handovers: list[dict[str, object]],
    before: list[dict[str, object]] | None = None,
    continued: list[dict[str, object]] | None = None,
) -> Reconciled:
    return reconcile(
        pl.DataFrame(decisions, schema=DECISION),
        pl.DataFrame(results, schema=RESULT),
        pl.DataFrame(handovers, schema=HANDOVER),
        pl.DataFrame(before or [], schema=HANDOVER),
        pl.DataFrame(continued or [], schema=CONTINUED),
        OURS,
    )


TWO = [handover("2026-03"), handover("2026-04")]
OTHER = {"candidate_number": "000002", "old_household_number": "8", "new_household_number": "9"}


def test_what_agrees_is_accepted_without_a_question() -> None:
    found = run([decision()], [result()], TWO)
    assert found.accepted_handovers["treatment_month"].to_list() == ["2026-03", "2026-04"]
    assert found.discrepancies.is_empty()


@pytest.mark.parametrize(
    ("decisions", "results", "handovers", "codes", "accepted"),
    [
        ([decision()], [], [], ["KR-8201"], 0),
        ([], [result()], TWO, ["KR-8202", "KR-8204"], 0),
        ([decision()], [result(), result(**OTHER, high_cost_count="00")], TWO, ["KR-8202"], 2),
        ([decision(decision="not_continued")], [result()], TWO, ["KR-8203"], 2),
        ([decision()], [result(continuity_outcome="not_continued")], TWO, ["KR-8203", "KR-8204"], 0),
        ([decision()], [result(continuity_outcome="not_instructed", high_cost_count="00")], [], ["KR-8203"], 0),
        (
            [decision(decision="not_continued")],
            [result(continuity_outcome="not_continued", high_cost_count="00")],
            TWO,
            ["KR-8204"],
            0,
        ),
        ([decision()], [result()], [*TWO, handover("2026-01", **OTHER)], ["KR-8204"], 2),
        ([decision()], [result()], [*TWO, handover("2025-04")], ["KR-8205"], 2),
        ([decision()], [result()], [*TWO, handover("2026-05")], ["KR-8205"], 2),
        ([decision()], [result(high_cost_count="03")], TWO, ["KR-8206"], 2),
        ([decision()], [result()], TWO[:1], ["KR-8206"], 1),
        (
            [decision(decision="postponed")],
            [result(continuity_outcome="not_instructed", high_cost_count="00")],
            [],
            [],
            0,
        ),
        ([decision()], [result(new_municipality_code=THEIRS)], [], ["KR-8201"], 0),
    ],
)
def test_what_does_not_agree_is_a_question(
    decisions: list[dict[str, object]],
    results: list[dict[str, object]],
    handovers: list[dict[str, object]],
    codes: list[str],
    accepted: int,
) -> None:
    found = run(decisions, results, handovers)
    assert found.discrepancies["code"].to_list() == codes
    assert found.accepted_handovers.height == accepted
    assert found.discrepancies["question"].str.len_chars().min() or not codes


def test_the_first_and_the_last_month_of_the_window() -> None:
    found = run([decision()], [result()], [handover("2025-05"), handover("2026-04")])
    assert found.discrepancies.is_empty()
    assert found.accepted_handovers.height == 2


def test_a_late_correction_belongs_to_what_an_earlier_month_confirmed() -> None:
    earlier = [{name: result()[name] for name in CONTINUED}]
    late = [handover("2026-03", update_kind="withdrawn", high_cost_count="01", candidate_number="000007")]
    found = run([], [], late, TWO, earlier)
    assert found.discrepancies.is_empty()
    assert found.accepted_handovers["update_kind"].to_list() == ["withdrawn"]
    wrong = run([], [], [handover("2026-03", update_kind="withdrawn", high_cost_count="02")], TWO, earlier)
    assert wrong.discrepancies["code"].to_list() == ["KR-8206"]


def test_our_household_that_was_continued_elsewhere_is_gone() -> None:
    elsewhere = result(new_municipality_code=THEIRS, old_municipality_code=OURS, old_household_number="5")
    refused = elsewhere | {"continuity_outcome": "not_continued", "old_household_number": "6"}
    assert run([], [elsewhere, refused], []).gone.to_dicts() == [
        {"household_number": "5", "until": dt.date(2026, 4, 1)}
    ]


APRIL, MAY = dt.date(2026, 4, 1), dt.date(2026, 5, 1)
NOBODY = pl.DataFrame(schema={"household_number": pl.String, "applied_on": pl.Date})


def arrivals(*rows: tuple[str, dt.date, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=["household_number", "applied_on", "application_reason"], orient="row")


def on_a_list(household: str, month: dt.date = APRIL, side: str = "after") -> pl.DataFrame:
    return pl.DataFrame({"household_side": [side], "household_number": [household], "month": [month]})


def test_arrivals_that_the_list_does_not_name() -> None:
    moved = "moved_in_prefecture"
    people = arrivals(("2", MOVE, moved), ("3", MOVE, moved), ("4", dt.date(2026, 3, 31), moved), ("5", MOVE, "born"))
    found = arrivals_not_listed(people, on_a_list("2"), NOBODY, APRIL, MAY)
    assert found.select("code", "new_household_number", "ours").rows() == [("KR-8207", "3", "2026-04-10")]
    assert arrivals_not_listed(people, on_a_list("2", side="before"), NOBODY, APRIL, MAY).height == 2


def test_an_arrival_is_asked_once_and_a_list_names_those_of_earlier_months() -> None:
    people = arrivals(("2", MOVE, "moved_in_prefecture"))
    june = dt.date(2026, 6, 1)
    assert arrivals_not_listed(people, on_a_list("9"), NOBODY, APRIL, june).height == 1
    assert arrivals_not_listed(people, on_a_list("2", MAY), NOBODY, APRIL, june).is_empty()
    assert arrivals_not_listed(people, on_a_list("2", dt.date(2026, 3, 1)), NOBODY, APRIL, june).height == 1
    asked = people.select("household_number", "applied_on")
    assert arrivals_not_listed(people, on_a_list("9"), asked, APRIL, june).is_empty()


def test_a_move_that_is_notified_after_its_month_is_asked_about_once(tmp_path: Path) -> None:
    environment = opened(tmp_path)

    def sent(month: dt.date, *households: str) -> list[str]:
        """The households that are asked about once the month, with these arrivals of April, is confirmed."""
        people = arrivals(*((household, MOVE, "moved_in_prefecture") for household in households))
        names = pl.Series("resident_number", [f"{number:015d}" for number in range(people.height)], pl.String)
        send_days(environment, people.with_columns(names, pl.lit("合成　太郎").alias("name")), month)
        return confirm(environment, month).discrepancies["new_household_number"].to_list()

    assert sent(APRIL, "2") == ["2"]
    assert sent(MAY, "2", "3") == ["3"]
    assert sent(dt.date(2026, 6, 1), "2", "3") == []
