"""Two files of one day: the higher number is the newer, whichever came first."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from fixtures.counterpart.delivery import LONG_AGO, leave
from fixtures.monthly_defects import HEADER, SOUND
from interfaces import codec
from interfaces.naming import file_name
from pipelines.continuity.receiving import stored
from pipelines.deployment import Environment
from pipelines.exchange import quarantine
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.linkage import daily
from pipelines.transfer import receiving
from tests.support.applying import AppliedOfMonth, apply_daily, apply_monthly, receive_from
from tests.support.deployment import opened

DAY, MONTH = dt.date(2026, 4, 1), dt.date(2026, 4, 1)
MORNING = dt.datetime(2026, 5, 8, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
PERSON, OTHER = "000000000000001", "000000000000019"
REPORTED = pl.DataFrame({"resident_number": [PERSON, OTHER]})
FIRST, SECOND = "000001", "000002"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(tmp_path, now=MORNING, switched_off=())


def delivered(
    environment: Environment, folder: Path, interface: str, rows: pl.DataFrame, header: dict[str, object]
) -> None:
    specification = environment.specification(interface, DAY)
    content = codec.compose(specification, DAY, rows, header).data
    folder.mkdir(exist_ok=True)
    leave(folder / file_name(specification, header), content, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    assert arrived.state == "verified", arrived.message


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_second_file_of_a_day_wins_whichever_comes_first(
    environment: Environment, tmp_path: Path, order: tuple[str, str]
) -> None:
    ids = {FIRST: "900000000014", SECOND: "900000000022"}
    for number in order:
        people = [PERSON, OTHER] if number == FIRST else [PERSON]
        values = [ids[number], "900000000030"][: len(people)]
        rows = pl.DataFrame(
            {"resident_number": people, "municipal_insured_id": values, "assigned_on": [DAY] * len(people)}
        )
        header = {
            "municipality_code": "999997",
            "insurer_number": "990010",
            "prefecture_code": "99",
            "media_kind": "transmission",
            "created_on": DAY,
            "file_number": number,
        }
        delivered(environment, tmp_path / "union", "municipal_id_linkage", rows, header)
        (applied,) = apply_daily(environment, REPORTED)
        assert (applied.entry.state, applied.applied_count) == ("applied", len(people))
    ids_on_record = dict(daily.linkage_on(environment).select("resident_number", "municipal_insured_id").rows())
    assert ids_on_record == {PERSON: ids[SECOND], OTHER: "900000000030"}


def candidates(environment: Environment, folder: Path, number: str, candidate: str) -> AppliedOfMonth:
    """A list with one candidate household."""
    interface = "continuity_candidates"
    rows = [row | {"candidate_number": candidate} for row in SOUND[interface]]
    items = environment.specification(interface, MONTH).data.items
    schema = {item.id: pl.Date() if item.type.is_date else pl.String() for item in items}
    used = {name: kind for name, kind in schema.items() if any(name in row for row in rows)}
    delivered(environment, folder, interface, pl.DataFrame(rows, schema=used), {**HEADER, "file_number": number})
    (applied,) = apply_monthly(environment)
    return applied


def listed(environment: Environment) -> set[str]:
    return set(stored(environment, "continuity_candidates", MONTH)["candidate_number"])


def test_an_older_candidates_list_that_comes_late_is_stale_and_the_newer_stays(
    environment: Environment, tmp_path: Path
) -> None:
    assert candidates(environment, tmp_path / "union", SECOND, "000002").entry.state == "applied"
    late = candidates(environment, tmp_path / "union", FIRST, "000001")
    assert (late.entry.state, late.applied_count) == ("stale", 0)
    assert listed(environment) == {"000002"}
    assert [entry.id for entry in quarantine.quarantined(environment.ledger)] == [late.entry.id]
    assert "KR-7308" in str(receiving.stale_file_error(environment, late.entry))
    # A person may still release it.
    quarantine.release(environment.ledger.recorder("試験"), environment.file_store, late.entry.id, "電話で確認")
    (applied,) = apply_monthly(environment)
    assert (applied.entry.state, listed(environment)) == ("applied", {"000001"})


def test_a_newer_candidates_list_takes_the_place_of_the_old(environment: Environment, tmp_path: Path) -> None:
    assert candidates(environment, tmp_path / "union", FIRST, "000001").entry.state == "applied"
    assert candidates(environment, tmp_path / "union", SECOND, "000002").entry.state == "applied"
    assert listed(environment) == {"000002"}


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_a_corrected_result_wins_whichever_comes_first(
    environment: Environment, tmp_path: Path, order: tuple[str, str]
) -> None:
    (row, *_) = SOUND["continuity_result"]
    counts = {FIRST: "01", SECOND: "03"}
    for number in order:
        changed = [{**row, "high_cost_count": counts[number]}]
        items = environment.specification("continuity_result", MONTH).data.items
        schema = {item.id: pl.Date() if item.type.is_date else pl.String() for item in items}
        used = {name: kind for name, kind in schema.items() if name in changed[0]}
        header = {**HEADER, "file_number": number}
        delivered(environment, tmp_path / "union", "continuity_result", pl.DataFrame(changed, schema=used), header)
        apply_monthly(environment)
    kept = stored(environment, "continuity_result", MONTH)
    assert kept["high_cost_count"].to_list() == [counts[SECOND]]
