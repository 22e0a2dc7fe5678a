"""What is applied, what is rejected, and what is asked of the Union; the state of any day can be asked for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from pipelines.exchange.ledger.ledger import Ledger
from pipelines.linkage import state
from pipelines.linkage.matching import Match, match_dates, match_ids, match_receptions, match_verification

APRIL, MAY = dt.date(2026, 4, 1), dt.date(2026, 5, 1)
REPORTED = pl.DataFrame(
    {
        "resident_number": ["1", "2", "3"],
        "head_kind": ["insured_head", "member", "member"],
        "application_reason": ["left_other_insurance", "moved_in", "moved_in_prefecture"],
        "applied_on": [APRIL, APRIL, APRIL],
        "ended_on": [None, MAY, None],
    },
    schema_overrides={"ended_on": pl.Date},
)


def dates(**changes: object) -> pl.DataFrame:
    row: dict[str, object] = {
        "resident_number": "1",
        "municipal_insured_id": "900000000001",
        "acquired_on": APRIL,
        "acquisition_reason": "moved_in",
        "lost_on": None,
        "loss_reason": None,
        "applied_on": APRIL,
        "ended_on": None,
        "judgement": "sound",
    }
    types = dict.fromkeys(("acquired_on", "lost_on", "applied_on", "ended_on"), pl.Date)
    return pl.DataFrame([row | changes], schema_overrides=types)


def outcome(match: Match) -> tuple[int, list[str]]:
    return match.applied_records.height, match.discrepancies["code"].to_list()


def test_a_sound_record_is_applied_without_a_question() -> None:
    assert outcome(match_dates(dates(), REPORTED)) == (1, [])


def test_an_unknown_person_is_rejected() -> None:
    assert outcome(match_dates(dates(resident_number="9"), REPORTED)) == (0, ["KR-8101"])


def test_acquired_after_applied_is_rejected() -> None:
    assert outcome(match_dates(dates(acquired_on=MAY), REPORTED)) == (0, ["KR-8102"])


def test_lost_before_ended_is_rejected() -> None:
    record = dates(resident_number="2", ended_on=MAY, lost_on=APRIL)
    assert outcome(match_dates(record, REPORTED)) == (0, ["KR-8103"])


def test_periods_unlike_ours_are_applied_and_asked_about() -> None:
    assert outcome(match_dates(dates(applied_on=MAY), REPORTED)) == (1, ["KR-8104"])
    assert outcome(match_dates(dates(ended_on=MAY), REPORTED)) == (1, ["KR-8105"])
    assert outcome(match_dates(dates(judgement="gap"), REPORTED)) == (1, ["KR-8106"])
    assert outcome(match_dates(dates(lost_on=MAY), REPORTED)) == (1, ["KR-8107"])


EARLIER, HOLE, LATER = dt.date(2026, 1, 5), dt.date(2026, 3, 20), dt.date(2026, 4, 3)


def periods(ended_on: dt.date | None, **changes: object) -> list[tuple[str, str, str]]:
    """Codes, our value and the Union's, when a record follows a period from EARLIER to `ended_on`."""
    number = changes.get("resident_number", "1")
    before = dates(resident_number=number, acquired_on=EARLIER, applied_on=EARLIER, ended_on=ended_on)
    match = match_dates(dates(**{"acquired_on": EARLIER, **changes}), REPORTED, before)
    assert match.applied_records.height == 1
    return match.discrepancies.select("code", "ours", "theirs").rows()


def test_a_new_period_that_begins_before_the_earlier_one_ended_is_asked_about() -> None:
    assert periods(LATER) == [("KR-8122", "2026-01-05〜2026-04-03", "2026-04-01")]
    assert periods(None) == [("KR-8122", "2026-01-05〜", "2026-04-01")]
    assert periods(None, resident_number="3") == [("KR-8122", "2026-01-05〜", "2026-04-01")]
    assert periods(APRIL) == []


def test_a_gap_over_which_the_qualification_continues_is_asked_about() -> None:
    assert periods(HOLE) == [("KR-8123", "2026-01-05〜2026-03-20", "2026-04-01")]
    assert periods(HOLE, acquired_on=HOLE) == [("KR-8123", "2026-01-05〜2026-03-20", "2026-04-01")]
    assert periods(HOLE, acquired_on=APRIL) == []
    assert periods(HOLE, acquired_on=HOLE + dt.timedelta(days=1)) == []


def test_a_person_who_comes_back_from_inside_the_prefecture_was_another_municipalitys_meanwhile() -> None:
    assert periods(HOLE, resident_number="3") == []


def test_the_same_period_sent_again_is_no_new_one() -> None:
    again = dates(acquired_on=EARLIER)
    assert outcome(match_dates(again, REPORTED, again)) == (1, [])
    assert outcome(match_dates(again, REPORTED, dates(acquired_on=EARLIER, applied_on=MAY))) == (1, [])
    assert outcome(match_dates(again, REPORTED, dates(resident_number="2", applied_on=EARLIER))) == (1, [])


def test_a_period_that_ends_before_it_begins_is_rejected() -> None:
    applied, codes = outcome(match_dates(dates(resident_number="2", ended_on=HOLE, acquired_on=EARLIER), REPORTED))
    assert (applied, "KR-8121" in codes) == (0, True)
    assert outcome(match_dates(dates(resident_number="2", ended_on=APRIL), REPORTED)) == (1, ["KR-8105"])


def ids(*rows: tuple[str, ...]) -> pl.DataFrame:
    """(宛名番号, 市町村被保険者ID) or (宛名番号, 市町村被保険者ID, 都道府県被保険者ID) each."""
    return pl.DataFrame(
        [
            {
                "resident_number": row[0],
                "municipal_insured_id": row[1],
                "prefecture_insured_id": row[2] if len(row) > 2 else None,
                "assigned_on": APRIL,
            }
            for row in rows
        ],
        schema_overrides={"prefecture_insured_id": pl.String},
    )


CURRENT = ids(("1", "900000000001")).drop("assigned_on")
NO_CURRENT = CURRENT.head(0)


def test_ids_that_change_owner_are_rejected() -> None:
    assert outcome(match_ids(ids(("2", "900000000001")), REPORTED, CURRENT)) == (0, ["KR-8108"])
    assert outcome(match_ids(ids(("1", "900000000007"), ("2", "900000000007")), REPORTED, NO_CURRENT)) == (
        0,
        ["KR-8109"] * 2,
    )
    assert outcome(match_ids(ids(("9", "900000000009")), REPORTED, CURRENT)) == (0, ["KR-8101"])


def test_a_new_id_for_the_same_person_is_applied_and_asked_about() -> None:
    assert outcome(match_ids(ids(("1", "900000000002")), REPORTED, CURRENT)) == (1, ["KR-8110"])
    assert outcome(match_ids(ids(("1", "900000000001")), REPORTED, CURRENT)) == (1, [])


def test_an_id_that_was_somebody_elses_once_is_applied_and_asked_about() -> None:
    owners = ids(("1", "900000000001"), ("1", "900000000002")).drop("assigned_on")
    found = match_ids(ids(("2", "900000000001")), REPORTED, owners)
    assert outcome(found) == (1, ["KR-8118"])
    assert found.discrepancies["ours"].to_list() == ["1"]
    assert outcome(match_ids(ids(("1", "900000000001")), REPORTED, owners)) == (1, ["KR-8110"])
    assert outcome(match_ids(ids(("2", "900000000002")), REPORTED, owners)) == (0, ["KR-8108"])


def test_prefecture_ids_that_two_have_or_that_change_are_applied_and_asked_about() -> None:
    owners = ids(("1", "900000000001", "800000000001")).drop("assigned_on")
    again = ids(("1", "900000000001", "800000000001"))
    assert outcome(match_ids(again, REPORTED, owners)) == (1, [])
    another = match_ids(ids(("2", "900000000002", "800000000001")), REPORTED, owners)
    assert outcome(another) == (1, ["KR-8119"])
    assert another.discrepancies["ours"].to_list() == ["1"]
    both = ids(("2", "900000000002", "800000000002"), ("3", "900000000003", "800000000002"))
    assert outcome(match_ids(both, REPORTED, owners)) == (2, ["KR-8119"] * 2)
    assert outcome(match_ids(ids(("1", "900000000001", "800000000009")), REPORTED, owners)) == (1, ["KR-8120"])
    assert outcome(match_ids(ids(("1", "900000000001")), REPORTED, owners)) == (1, [])


def answer(name: str, count: str, kind: str = "accepted", reason: str | None = None) -> pl.DataFrame:
    row = {"sent_file_name": name, "sent_record_count": count, "reception_kind": kind, "reception_reason": reason}
    return pl.DataFrame([row], schema=dict.fromkeys(row, pl.String))


def files(state: str, records: int = 12) -> pl.DataFrame:
    return pl.DataFrame({"file_name": ["a.csv"], "state": [state], "records": [records]})


def test_answers_of_the_union_about_our_files() -> None:
    for known in ("sent", "uploaded"):
        assert outcome(match_receptions(answer("a.csv", "0000012"), files(known))) == (1, [])
    assert outcome(match_receptions(answer("a.csv", "0000012"), files("accepted"))) == (1, [])
    refused = match_receptions(answer("a.csv", "0000012", "rejected", "件数の相違"), files("sent"))
    assert outcome(refused) == (1, ["KR-8114"])
    assert refused.discrepancies["theirs"].to_list() == ["却下: 件数の相違"]
    assert outcome(match_receptions(answer("b.csv", "0000012"), files("sent"))) == (0, ["KR-8115"])


def test_an_acceptance_of_another_count_is_not_applied() -> None:
    found = match_receptions(answer("a.csv", "0000011"), files("sent"))
    assert outcome(found) == (0, ["KR-8116"])
    assert found.discrepancies.select("ours", "theirs").rows() == [("a.csv", "受付 11件（送付 12件）")]
    assert outcome(match_receptions(answer("a.csv", "0000000", "rejected"), files("sent"))) == (1, ["KR-8114"])


def test_an_answer_that_contradicts_the_ledger_is_not_applied() -> None:
    for known in ("written", "sending", "recalled", "withdrawn", "rejected"):
        assert outcome(match_receptions(answer("a.csv", "0000012"), files(known))) == (0, ["KR-8117"])
    assert outcome(match_receptions(answer("a.csv", "0000012", "rejected"), files("accepted"))) == (0, ["KR-8117"])


def test_every_verification_is_a_question() -> None:
    rows = pl.DataFrame(
        {
            "resident_number": ["1", "2", "9"],
            "verification_kind": ["different_my_number", "blank_my_number", "blank_my_number"],
            "my_number_registered_on": [APRIL, None, None],
            "detected_on": [APRIL] * 3,
        }
    )
    assert outcome(match_verification(rows, REPORTED)) == (2, ["KR-8111", "KR-8112", "KR-8101"])


def test_yesterdays_state_can_be_asked_for(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}").recorder("試験").transaction() as work:
        connection = work.connection
        state.add(connection, state.ids, ids(("1", "900000000001")), APRIL, 1)
        state.add(connection, state.dates, dates(), APRIL, 2)
        state.add(connection, state.dates, dates(lost_on=MAY, loss_reason="died"), MAY, 3)
        before, after = (state.linkage(connection, day).row(0, named=True) for day in (APRIL, MAY))
        nothing = state.linkage(connection, dt.date(2026, 3, 31))
    assert (before["lost_on"], after["lost_on"]) == (None, MAY)
    assert after["municipal_insured_id"] == "900000000001"
    assert nothing.is_empty()
