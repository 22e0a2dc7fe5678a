"""What is taken in, what is set aside, and what is asked of the Union; the state of any day can be asked for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from pipelines.linkage import state
from pipelines.linkage.matching import Match, match_dates, match_ids, match_verification

APRIL, MAY = dt.date(2026, 4, 1), dt.date(2026, 5, 1)
TOLD = pl.DataFrame(
    {
        "resident_number": ["1", "2", "3"],
        "head_kind": ["insured_head", "member", "member"],
        "applied_on": [APRIL, APRIL, APRIL],
        "ended_on": [None, MAY, None],
    },
    schema_overrides={"ended_on": pl.Date},
)


def dates(**changes: object) -> pl.DataFrame:
    row: dict[str, object] = {
        "resident_number": "1", "municipal_insured_id": "900000000001", "acquired_on": APRIL,
        "acquisition_reason": "moved_in", "lost_on": None, "loss_reason": None, "applied_on": APRIL, "ended_on": None,
        "judgement": "sound",
    }  # fmt: skip
    types = dict.fromkeys(("acquired_on", "lost_on", "applied_on", "ended_on"), pl.Date)
    return pl.DataFrame([row | changes], schema_overrides=types)


def outcome(match: Match) -> tuple[int, list[str]]:
    return match.taken.height, match.discrepancies["code"].to_list()


def test_a_sound_record_is_taken_without_a_question() -> None:
    assert outcome(match_dates(dates(), TOLD)) == (1, [])


def test_an_unknown_person_is_set_aside() -> None:
    assert outcome(match_dates(dates(resident_number="9"), TOLD)) == (0, ["KR-8101"])


def test_acquired_after_applied_is_set_aside() -> None:
    assert outcome(match_dates(dates(acquired_on=MAY), TOLD)) == (0, ["KR-8102"])


def test_lost_before_ended_is_set_aside() -> None:
    record = dates(resident_number="2", ended_on=MAY, lost_on=APRIL)
    assert outcome(match_dates(record, TOLD)) == (0, ["KR-8103"])


def test_periods_unlike_ours_are_taken_and_asked_about() -> None:
    assert outcome(match_dates(dates(applied_on=MAY), TOLD)) == (1, ["KR-8104"])
    assert outcome(match_dates(dates(ended_on=MAY), TOLD)) == (1, ["KR-8105"])
    assert outcome(match_dates(dates(judgement="gap"), TOLD)) == (1, ["KR-8106"])
    assert outcome(match_dates(dates(lost_on=MAY), TOLD)) == (1, ["KR-8107"])


def ids(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"resident_number": n, "municipal_insured_id": i, "prefecture_insured_id": None, "assigned_on": APRIL}
            for n, i in pairs
        ],
        schema_overrides={"prefecture_insured_id": pl.String},
    )


HELD = ids(("1", "900000000001")).drop("assigned_on")
NONE_HELD = HELD.head(0)


def test_ids_that_change_owner_are_set_aside() -> None:
    assert outcome(match_ids(ids(("2", "900000000001")), TOLD, HELD)) == (0, ["KR-8108"])
    assert outcome(match_ids(ids(("1", "900000000007"), ("2", "900000000007")), TOLD, NONE_HELD)) == (
        0,
        ["KR-8109"] * 2,
    )
    assert outcome(match_ids(ids(("9", "900000000009")), TOLD, HELD)) == (0, ["KR-8101"])


def test_a_new_id_for_the_same_person_is_taken_and_asked_about() -> None:
    assert outcome(match_ids(ids(("1", "900000000002")), TOLD, HELD)) == (1, ["KR-8110"])
    assert outcome(match_ids(ids(("1", "900000000001")), TOLD, HELD)) == (1, [])


def test_every_verification_is_a_question() -> None:
    rows = pl.DataFrame(
        {
            "resident_number": ["1", "2", "9"],
            "verification_kind": ["different_my_number", "blank_my_number", "blank_my_number"],
            "my_number_registered_on": [APRIL, None, None],
            "detected_on": [APRIL] * 3,
        }
    )
    assert outcome(match_verification(rows, TOLD)) == (2, ["KR-8111", "KR-8112", "KR-8101"])


def test_yesterdays_state_can_be_asked_for(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'state.sqlite'}")
    with engine.begin() as connection:
        state.create(connection)
        state.add(connection, "municipal_id_linkage", ids(("1", "900000000001")), APRIL, 1)
        state.add(connection, "acquisition_loss_linkage", dates(), APRIL, 2)
        state.add(connection, "acquisition_loss_linkage", dates(lost_on=MAY, loss_reason="died"), MAY, 3)
        before, after = (state.linkage(connection, day).row(0, named=True) for day in (APRIL, MAY))
        nothing = state.linkage(connection, dt.date(2026, 3, 31))
    assert (before["lost_on"], after["lost_on"]) == (None, MAY)
    assert after["municipal_insured_id"] == "900000000001"
    assert nothing.is_empty()
