"""Instruction, result and handover against each other: what agrees counts, what doesn't is a question."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from pipelines.continuity.reconcile import Reconciled, arrivals_not_listed, reconcile

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
    **dict.fromkeys(PAIR, pl.String), "new_municipality_code": pl.String, "continuity_outcome": pl.String,
    "moved_on": pl.Date, "high_cost_count": pl.String,
}  # fmt: skip
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


def test_what_agrees_is_taken_without_a_question() -> None:
    found = run([decision()], [result()], TWO)
    assert found.taken["treatment_month"].to_list() == ["2026-03", "2026-04"]
    assert found.discrepancies.is_empty()


@pytest.mark.parametrize(
    ("decisions", "results", "handovers", "codes", "taken"),
    [
        ([decision()], [], [], ["KR-8201"], 0),
        ([], [result()], TWO, ["KR-8202", "KR-8204"], 0),
        ([decision()], [result(), result(**OTHER, high_cost_count="00")], TWO, ["KR-8202"], 2),
        ([decision(decision="not_continued")], [result()], TWO, ["KR-8203"], 2),
        ([decision()], [result(continuity_outcome="not_continued")], TWO, ["KR-8203", "KR-8204"], 0),
        ([decision()], [result(continuity_outcome="not_instructed", high_cost_count="00")], [], ["KR-8203"], 0),
        ([decision(decision="not_continued")], [result(continuity_outcome="not_continued", high_cost_count="00")], TWO, ["KR-8204"], 0),
        ([decision()], [result()], [*TWO, handover("2026-01", **OTHER)], ["KR-8204"], 2),
        ([decision()], [result()], [*TWO, handover("2025-04")], ["KR-8205"], 2),
        ([decision()], [result()], [*TWO, handover("2026-05")], ["KR-8205"], 2),
        ([decision()], [result(high_cost_count="03")], TWO, ["KR-8206"], 2),
        ([decision()], [result()], TWO[:1], ["KR-8206"], 1),
        ([decision(decision="postponed")], [result(continuity_outcome="not_instructed", high_cost_count="00")], [], [], 0),
        ([decision()], [result(new_municipality_code=THEIRS)], [], ["KR-8201"], 0),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_a_question(
    decisions: list[dict[str, object]],
    results: list[dict[str, object]],
    handovers: list[dict[str, object]],
    codes: list[str],
    taken: int,
) -> None:
    found = run(decisions, results, handovers)
    assert found.discrepancies["code"].to_list() == codes
    assert found.taken.height == taken
    assert found.discrepancies["question"].str.len_chars().min() or not codes


def test_the_first_and_the_last_month_of_the_window() -> None:
    found = run([decision()], [result()], [handover("2025-05"), handover("2026-04")])
    assert found.discrepancies.is_empty()
    assert found.taken.height == 2


def test_a_late_correction_belongs_to_what_an_earlier_month_confirmed() -> None:
    earlier = [{name: result()[name] for name in CONTINUED}]
    late = [handover("2026-03", update_kind="withdrawn", high_cost_count="01", candidate_number="000007")]
    found = run([], [], late, TWO, earlier)
    assert found.discrepancies.is_empty()
    assert found.taken["update_kind"].to_list() == ["withdrawn"]
    wrong = run([], [], [handover("2026-03", update_kind="withdrawn", high_cost_count="02")], TWO, earlier)
    assert wrong.discrepancies["code"].to_list() == ["KR-8206"]


def test_our_household_that_was_continued_elsewhere_is_gone() -> None:
    elsewhere = result(new_municipality_code=THEIRS, old_municipality_code=OURS, old_household_number="5")
    refused = elsewhere | {"continuity_outcome": "not_continued", "old_household_number": "6"}
    assert run([], [elsewhere, refused], []).gone.to_dicts() == [
        {"household_number": "5", "until": dt.date(2026, 4, 1)}
    ]


def test_arrivals_that_the_list_does_not_name() -> None:
    people = pl.DataFrame(
        {
            "household_number": ["2", "3", "4", "5"],
            "applied_on": [MOVE, MOVE, dt.date(2026, 3, 31), MOVE],
            "application_reason": ["moved_in_prefecture"] * 3 + ["born"],
        }
    )
    listed = pl.DataFrame({"household_side": ["after"], "household_number": ["2"]})
    found = arrivals_not_listed(people, listed, dt.date(2026, 4, 1), dt.date(2026, 5, 1))
    assert found.select("code", "new_household_number", "ours").rows() == [("KR-8207", "3", "2026-04-10")]
