"""The worked cases of docs/sources.md 3.1 as rows of candidates lists."""

from __future__ import annotations

import datetime as dt

import polars as pl

MONTH, BORN, MOVE = dt.date(2026, 4, 1), dt.date(2019, 4, 1), dt.date(2026, 4, 10)


OURS, THEIRS = "999997", "999989"


OLD, NEW = "000000000000001", "000000000000002"


SCHEMA = {
    "candidate_number": pl.String,
    "household_side": pl.String,
    "household_municipality_code": pl.String,
    "household_number": pl.String,
    "prefecture_insured_id": pl.String,
    "head_kind": pl.String,
    "joined_on": pl.Date,
    "join_reason": pl.String,
    "left_on": pl.Date,
    "leave_reason": pl.String,
    "next_municipality_code": pl.String,
}


def was(person: str | None, kind: str = "member", **changes: object) -> dict[str, object]:
    """Somebody of the old household, who moved away with it unless said otherwise."""
    row = dict.fromkeys(SCHEMA) | {
        "candidate_number": "000001",
        "household_side": "before",
        "household_municipality_code": THEIRS,
        "household_number": OLD,
        "prefecture_insured_id": person,
        "head_kind": kind,
        "joined_on": BORN,
        "join_reason": "moved_in",
        "left_on": MOVE,
        "leave_reason": "moved_out_prefecture",
        "next_municipality_code": OURS,
    }
    return row | changes


def stays(person: str, kind: str = "member", **changes: object) -> dict[str, object]:
    return was(person, kind, left_on=None, leave_reason=None, next_municipality_code=None) | changes


def now(person: str | None, kind: str = "member", **changes: object) -> dict[str, object]:
    """Somebody of the new household, who came by the move unless said otherwise."""
    row = dict.fromkeys(SCHEMA) | {
        "candidate_number": "000001",
        "household_side": "after",
        "household_municipality_code": OURS,
        "household_number": NEW,
        "prefecture_insured_id": person,
        "head_kind": kind,
        "joined_on": MOVE,
        "join_reason": "moved_in_prefecture",
    }
    return row | changes


HEAD = "insured_head"


LATER = MOVE + dt.timedelta(days=5)


CASES = {
    "whole_household_moves": ([was("a", HEAD), was("b"), now("a", HEAD), now("b")], "A1"),
    "whole_household_moves_with_another_head": ([was("a", HEAD), was("b"), now("a"), now("b", HEAD)], "A2"),
    "whole_household_moves_and_a_child_is_born": (
        [was("a", HEAD), now("a", HEAD), now("c", join_reason="born")], "A3"),
    "whole_household_moves_and_somebody_joins_other_insurance": (
        [was("a", HEAD), was("b", leave_reason="joined_other_insurance"), now("a", HEAD)], "A4"),
    "another_head_and_a_child_is_born": (
        [was("a", HEAD), was("b"), now("a"), now("b", HEAD), now("c", join_reason="born")], "A2"),
    "head_moves_out_the_rest_stays": ([was("a", HEAD), stays("b"), now("a", HEAD)], "B1"),
    "member_moves_out_alone": ([stays("a", HEAD), was("b"), now("b", HEAD)], "B2"),
    "household_moves_into_another_and_its_head_becomes_head": (
        [was("a", HEAD), now("a", HEAD), now("x", joined_on=BORN, join_reason="moved_in")], "B1"),
    "household_moves_into_another_and_is_not_head": (
        [was("a", HEAD), now("a"), now("x", HEAD, joined_on=BORN, join_reason="moved_in")], "B2"),
    "deemed_head_moves_along": ([was("a", "nominal_head"), was("b"), now("a", "nominal_head"), now("b")], "A1"),
    "deemed_head_is_left": ([stays("a", "nominal_head"), was("b"), now("b", HEAD)], "B2"),
    "head_for_kokuho_was_changed_before_the_move": (
        [was("a", HEAD, left_on=dt.date(2026, 4, 3), leave_reason="household_changed"),
         was("a", joined_on=dt.date(2026, 4, 3), join_reason="household_changed"),
         was("b", left_on=dt.date(2026, 4, 3), leave_reason="household_changed"),
         was("b", HEAD, joined_on=dt.date(2026, 4, 3), join_reason="household_changed"),
         now("a"), now("b", HEAD)], "A1"),
    "a_child_born_after_the_move_changes_nothing": (
        [was("a", HEAD), was("b"), now("a"), now("b", HEAD), now("c", join_reason="born", joined_on=LATER)], "A2"),
    "other_prefecture": ([was("a", HEAD, household_municipality_code="131041"), now("a", HEAD)], "N1"),
    "two_moves_in_a_month": (
        [was("a", HEAD, joined_on=dt.date(2026, 4, 2), join_reason="moved_in_prefecture"), now("a", HEAD)], "U6"),
    "moved_on_again_in_the_month": (
        [was("a", HEAD), now("a", HEAD, left_on=LATER, leave_reason="moved_out_prefecture")], "U6"),
    "lost_and_acquired_on_the_way": (
        [was("a", HEAD), was("b", left_on=dt.date(2026, 4, 3), leave_reason="joined_other_insurance"),
         was("b", joined_on=dt.date(2026, 4, 6), join_reason="left_other_insurance"), now("a", HEAD), now("b")], "U7"),
    "head_dies_on_the_way": (
        [was("a", HEAD, leave_reason="died", next_municipality_code=None), was("b"), now("b", HEAD)], "U8"),
    "head_died_well_before": (
        [was("a", HEAD, left_on=dt.date(2026, 4, 3), leave_reason="died"),
         was("b", left_on=dt.date(2026, 4, 3), leave_reason="household_changed"),
         was("b", HEAD, joined_on=dt.date(2026, 4, 3), join_reason="household_changed"), now("b", HEAD)], "A1"),
    "several_heads": ([was("a", HEAD), was("b", HEAD), now("a", HEAD), now("b")], "U9"),
    "no_head": ([was("a"), now("a")], "U9"),
    "gap": ([was("a", HEAD, left_on=dt.date(2026, 4, 8)), now("a", HEAD)], "U4"),
    "overlap": ([was("a", HEAD, left_on=LATER), now("a", HEAD)], "U4"),
    "end_missing": ([stays("a", HEAD), now("a", HEAD)], "U4"),
    "another_destination": ([was("a", HEAD, next_municipality_code=THEIRS), now("a", HEAD)], "U5"),
    "unlinked_member": ([was("a", HEAD), was(None), now("a", HEAD), now(None)], "U1"),
    "arrived_on_different_days": (
        [was("a", HEAD), was("b", left_on=LATER), now("a", HEAD), now("b", joined_on=LATER)], "U3"),
    "reason_that_the_criteria_do_not_name": (
        [was("a", HEAD, leave_reason="by_authority", next_municipality_code=None), was("b"), now("b", HEAD)], "U10"),
    "new_head_has_just_joined": ([was("a", HEAD), now("a"), now("c", HEAD, join_reason="left_other_insurance")], "U11"),
    "nobody_on_both_sides": ([was("a", HEAD), now("c", HEAD, join_reason="born")], "U2"),
}  # fmt: skip


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def listed(*names: str) -> pl.DataFrame:
    """Some worked cases as one list, with ids and household numbers of their own."""
    rows = []
    for number, name in enumerate(names, 1):
        for row in CASES[name][0]:
            person = row["prefecture_insured_id"]
            rows.append(
                row
                | {
                    "candidate_number": f"{number:06d}",
                    "household_number": f"{number:014d}{1 if row['household_side'] == 'before' else 2}",
                    "prefecture_insured_id": None if person is None else f"9{number:04d}{ord(str(person)):07d}",
                }
            )
    return frame(rows)


THREE = ("whole_household_moves", "member_moves_out_alone", "gap")
