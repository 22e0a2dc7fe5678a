"""A date or an id of the Union that is not the one sent, or not the one that it sent before, is asked about."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.counterpart.delivery import LONG_AGO, leave
from interfaces import codec
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.deployment import Environment
from pipelines.exchange.received_file import ReceivedFile
from pipelines.exchange.transport import LocalFolderTransport
from tests.support.applying import apply_daily, receive_from
from tests.support.deployment import opened

WED, THU = dt.date(2026, 4, 1), dt.date(2026, 4, 2)
BEGAN, EARLIER, LATER, MOVED = (dt.date(year, 4, 1) for year in (2020, 2018, 2022, 2025))
PERSON, ID = "000000000000001", "900000000014"
SENT: dict[str, object] = {
    "resident_number": PERSON,
    "application_reason": "left_other_insurance",
    "end_reason": None,
    "acquired_on": BEGAN,
    "lost_on": None,
    "applied_on": BEGAN,
    "ended_on": None,
}
ANSWER: dict[str, object] = {
    "resident_number": PERSON,
    "municipal_insured_id": ID,
    "acquired_on": BEGAN,
    "acquisition_reason": "left_other_insurance",
    "lost_on": None,
    "loss_reason": None,
    "applied_on": BEGAN,
    "ended_on": None,
    "judgement": "sound",
}
LOST = {"lost_on": LATER, "ended_on": LATER, "loss_reason": "joined_other_insurance"}
GONE = {"lost_on": LATER, "ended_on": LATER, "end_reason": "joined_other_insurance"}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(
        tmp_path, now=dt.datetime(2026, 4, 2, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=9))), switched_off=()
    )


def frame(row: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame([row], schema={name: pl.Date if name.endswith("_on") else pl.String for name in row})


def delivered(environment: Environment, interface: str, day: dt.date, row: Mapping[str, object]) -> ReceivedFile:
    """One record of the day's file, from the Union's folder."""
    specification = environment.specification(interface, day)
    header = {
        "municipality_code": "999997",
        "insurer_number": "990010",
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": day,
        "file_number": "000001",
    }
    folder = environment.settings.data_folder / f"union_{interface}_{day}"
    folder.mkdir(parents=True)
    content = codec.compose(specification, day, frame(row), header).data
    leave(folder / file_name(specification, header), content, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    return arrived


def asked(environment: Environment, day: dt.date) -> list[tuple[str, str, str]]:
    """What `renkei linkage discrepancies` says of the day, except that no id has come."""
    settings = environment.settings.data_folder.parent / "renkei.toml"
    shown = CliRunner().invoke(
        main, ["linkage", "discrepancies", "--date", day.isoformat(), "--json"], env={"RENKEI_SETTINGS": str(settings)}
    )
    assert shown.exit_code in (0, 1), shown.output
    rows = [row for row in json.loads(shown.stdout) if row["code"] != "KR-8113"]
    return [(row["code"], row["ours"], row["theirs"]) for row in rows]


def applied(
    environment: Environment, sent: Mapping[str, object], *records: Mapping[str, object]
) -> list[tuple[str, str, str]]:
    """The questions that the last of some days' records brings; each is applied."""
    for day, record in zip((WED, THU), records, strict=False):
        assert delivered(environment, "acquisition_loss_linkage", day, record).state == "verified"
        (file,) = apply_daily(environment, frame(sent))
        assert (file.applied_count, file.rejected_count) == (1, 0)
    return asked(environment, (WED, THU)[len(records) - 1])


def test_the_dates_that_were_sent_bring_no_question(environment: Environment) -> None:
    assert applied(environment, SENT, ANSWER, ANSWER) == []


@pytest.mark.parametrize("theirs", [BEGAN - dt.timedelta(days=1), EARLIER])
def test_another_acquisition_than_the_one_sent_is_asked_about(environment: Environment, theirs: dt.date) -> None:
    assert applied(environment, SENT, ANSWER | {"acquired_on": theirs}) == [("KR-8131", "2020-04-01", str(theirs))]


def test_an_impossible_acquisition_is_not_applied(environment: Environment) -> None:
    record = ANSWER | {"acquired_on": dt.date(1800, 4, 1)}
    assert delivered(environment, "acquisition_loss_linkage", WED, record).state == "quarantined"


CAME = SENT | {"application_reason": "moved_in_prefecture", "acquired_on": MOVED, "applied_on": MOVED}
CAME_ANSWER = ANSWER | {"acquisition_reason": "moved_in", "applied_on": MOVED}


def test_an_acquisition_that_changes_is_asked_about_once(environment: Environment) -> None:
    """When somebody moved in from within the prefecture, only the Union knows since when they are insured;
    but its date changed."""
    changed = CAME_ANSWER | {"acquired_on": EARLIER}
    assert applied(environment, CAME, CAME_ANSWER, changed) == [("KR-8132", "2020-04-01", "2018-04-01")]


def test_the_acquisition_that_only_the_prefecture_knows_is_no_question(environment: Environment) -> None:
    assert applied(environment, CAME, CAME_ANSWER | {"acquired_on": MOVED}, CAME_ANSWER) == []


def test_a_correction_that_the_union_follows_is_no_question(environment: Environment) -> None:
    assert applied(environment, SENT, ANSWER) == []
    corrected = SENT | {"acquired_on": EARLIER, "applied_on": EARLIER}
    delivered(environment, "acquisition_loss_linkage", THU, ANSWER | {"acquired_on": EARLIER, "applied_on": EARLIER})
    apply_daily(environment, frame(corrected))
    assert asked(environment, THU) == []


@pytest.mark.parametrize(("theirs", "said"), [(LATER + dt.timedelta(days=1), "2022-04-02"), (None, "（なし）")])
def test_another_loss_than_the_one_sent_is_asked_about(
    environment: Environment, theirs: dt.date | None, said: str
) -> None:
    record = ANSWER | LOST | {"lost_on": theirs, "loss_reason": LOST["loss_reason"] if theirs else None}
    assert applied(environment, SENT | GONE, record) == [("KR-8133", "2022-04-01", said)]


@pytest.mark.parametrize(
    ("reason", "expected"), [("moved_out_prefecture", []), ("died", [("KR-8133", "（なし）", "2025-04-01")])]
)
def test_the_loss_of_a_person_who_moved_inside_the_prefecture_is_another_municipalitys(
    environment: Environment, reason: str, expected: list[tuple[str, str, str]]
) -> None:
    left = SENT | {"ended_on": LATER, "end_reason": reason}
    assert applied(environment, left, ANSWER | LOST | {"lost_on": MOVED}) == expected


def test_a_loss_that_changes_or_disappears_is_asked_about(environment: Environment) -> None:
    left = SENT | {"ended_on": LATER, "end_reason": "moved_out_prefecture"}
    lost, again = ANSWER | LOST | {"lost_on": MOVED}, ANSWER | LOST | {"lost_on": None, "loss_reason": None}
    assert applied(environment, left, lost, again) == [("KR-8134", "2025-04-01", "（なし）")]


def test_a_qualification_acquired_after_the_loss_is_a_new_one(environment: Environment) -> None:
    again = {"acquired_on": MOVED, "applied_on": MOVED}
    assert applied(environment, SENT | again, ANSWER | LOST | {"acquired_on": BEGAN}, ANSWER | again) == []


def test_the_id_of_a_date_is_the_id_that_was_assigned(environment: Environment) -> None:
    ids = {"resident_number": PERSON, "municipal_insured_id": ID, "prefecture_insured_id": None, "assigned_on": WED}
    delivered(environment, "municipal_id_linkage", WED, ids)
    apply_daily(environment, frame(SENT))
    assert applied(environment, SENT, ANSWER) == []
    delivered(environment, "acquisition_loss_linkage", THU, ANSWER | {"municipal_insured_id": "900000000022"})
    delivered(environment, "municipal_id_linkage", THU, ids | {"assigned_on": BEGAN})
    apply_daily(environment, frame(SENT))
    assert asked(environment, THU) == [("KR-8136", "2026-04-01", "2020-04-01"), ("KR-8135", ID, "900000000022")]
