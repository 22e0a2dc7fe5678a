"""A partition applies its own files and no other's: oldest first, a Saturday's on Monday, asked for by the ledger's sensor."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.counterpart.delivery import leave
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.definitions import defs
from pipelines.exchange.ledger.states import Direction, EntryState
from tests.support.servers import free_port
from tests.support.town import DAY, OURS, Town

NEXT, FRIDAY, SATURDAY, MONDAY = (dt.date(2026, 4, day) for day in (2, 3, 4, 6))
INTERFACE = "municipal_id_linkage"


def deliver(town: Town, *days: dt.date) -> None:
    for day in days:
        specification = load_catalogue().in_force(INTERFACE, day)
        header = {
            "municipality_code": OURS.code,
            "insurer_number": OURS.insurer_number,
            "prefecture_code": "99",
            "media_kind": "transmission",
            "created_on": day,
            "file_number": "000001",
        }
        no_recipient = pl.DataFrame({"resident_number": []}, {"resident_number": pl.String})
        content = codec.compose(specification, day, no_recipient, header).data
        leave(town.server.root / "from_union" / file_name(specification, header), content)


def damage(town: Town, number: str = "") -> None:
    """What is in the Union's folder loses its end; under another file number, when one is given."""
    for path in list((town.server.root / "from_union").iterdir()):
        leave(path.with_name(path.name.replace("000001", number or "000001")), path.read_bytes()[:-5])


def applied(town: Town) -> list[dt.date | None]:
    entries = town.deployment.environment.ledger.entries(direction=Direction.INBOUND, states={EntryState.APPLIED})
    return [entry.partition for entry in entries]


def asked(town: Town, cursor: str | None = None) -> tuple[list[tuple[str | None, str | None]], str | None, list[str]]:
    with dg.build_sensor_context(
        instance=town.instance,
        cursor=cursor,
        resources={"deployment": town.deployment},
        repository_def=town.repository,
    ) as context:
        data = defs.resolve_sensor_def("waiting_files_sensor").evaluate_tick(context)
    requests = data.run_requests or []
    return (
        [(request.job_name, request.partition_key) for request in requests],
        data.cursor,
        [str(request.run_key) for request in requests],
    )


def test_a_run_applies_no_file_of_another_day(town: Town) -> None:
    deliver(town, DAY, NEXT)
    assert town.take_in(DAY, "daily_in").success
    assert applied(town) == [DAY]
    assert town.materialised(INTERFACE) == town.materialised("linkage_state") == {DAY.isoformat()}
    assert town.deployment.environment.store.partitions("linkage_state") == [DAY.isoformat()]
    assert town.run(NEXT, "daily_in").success
    assert town.materialised(INTERFACE) == {DAY.isoformat(), NEXT.isoformat()}


def test_a_day_is_not_applied_before_an_earlier_one_that_waits(town: Town) -> None:
    deliver(town, DAY, NEXT)
    refused = town.take_in(NEXT, "daily_in")
    (failure,) = refused.get_step_failure_events()
    said = str(failure.step_failure_data.user_failure_data)
    assert all(word in said for word in ("KR-7309", DAY.isoformat(), NEXT.isoformat(), "KRSID_999997_20260401"))
    assert applied(town) == []


def test_the_command_applies_what_waits_oldest_first(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(town.folder / "renkei.toml"))
    deliver(town, NEXT, DAY)
    said = CliRunner().invoke(main, ("run", "daily", "--date", NEXT.isoformat(), "--only", "in"))
    assert said.exit_code == 0, said.output
    assert [line.split()[1] for line in said.output.splitlines() if line.startswith("取込")] == [
        "KRSID_999997_20260401_000001.csv:",
        "KRSID_999997_20260402_000001.csv:",
    ]
    assert applied(town) == [DAY, NEXT]


def test_the_command_applies_nothing_that_waits_when_it_cannot_receive(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that it could not see may be older than the waiting ones."""
    settings = town.folder / "renkei.toml"
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings))
    deliver(town, NEXT)
    assert town.run(NEXT, "receive").success
    reached = settings.read_text(encoding="utf-8")
    settings.write_text(reached.replace(f"port = {town.server.port}", f"port = {free_port()}"), encoding="utf-8")
    said = CliRunner().invoke(main, ("run", "daily", "--date", NEXT.isoformat(), "--only", "in"))
    assert (said.exit_code, applied(town)) == (2, []), said.output
    settings.write_text(reached, encoding="utf-8")
    assert CliRunner().invoke(main, ("run", "daily", "--date", NEXT.isoformat(), "--only", "in")).exit_code == 0
    assert applied(town) == [NEXT]


def test_the_sensor_asks_for_the_oldest_day_and_then_for_the_next(town: Town) -> None:
    deliver(town, DAY, NEXT)
    assert town.run(DAY, "receive").success
    first, cursor, keys = asked(town)
    again, cursor, same = asked(town, cursor)
    assert first == again == [("daily_in", DAY.isoformat())]
    assert keys == same, "the same run key: Dagster starts it once"
    assert town.run(DAY, "daily_in").success
    assert asked(town, cursor)[0] == [("daily_in", NEXT.isoformat())]
    assert town.run(NEXT, "daily_in").success
    assert asked(town, cursor)[0] == []


def test_the_command_names_a_received_file_until_a_run_applies_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENKEI_SETTINGS", str(town.folder / "renkei.toml"))
    deliver(town, DAY)
    assert town.run(DAY, "receive").success
    expected = ("expected", "--on", town.deployment.environment.clock().date().isoformat())
    waiting = [line for line in CliRunner().invoke(main, expected).output.splitlines() if "KR-6514" in line]
    assert ["KRSID_999997_20260401" in line and "--only in" in line for line in waiting] == [True]
    assert town.run(DAY, "daily_in").success
    assert "KR-6514" not in CliRunner().invoke(main, expected).output


def test_a_quarantined_file_is_asked_for_once(town: Town) -> None:
    deliver(town, DAY)
    damage(town)
    assert town.run(DAY, "receive").success
    first, cursor, _ = asked(town)
    assert first == [("daily_in", DAY.isoformat())]
    again, cursor, _ = asked(town, cursor)
    assert again == []
    assert not town.run(DAY, "daily_in").success
    assert asked(town, cursor)[0] == []


def test_a_quarantined_file_beside_a_sound_one_is_shown_by_the_run_of_the_sound_one(town: Town) -> None:
    """Two runs would be two red partitions and two letters about one file."""
    deliver(town, DAY)
    damage(town, "000002")
    assert town.run(DAY, "receive").success
    first, cursor, _ = asked(town)
    assert first == [("daily_in", DAY.isoformat())]
    assert not town.run(DAY, "daily_in").success
    assert asked(town, cursor)[0] == []


def test_the_partitions_are_counted_as_often_for_many_files_as_for_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting them takes longer every year; a day that looks at every file of years must not do it for each."""
    counted = 0
    keys = dg.DailyPartitionsDefinition.get_partition_keys

    def counting(*arguments: Any, **named: Any) -> Any:
        nonlocal counted
        counted += 1
        return keys(*arguments, **named)

    monkeypatch.setattr(dg.DailyPartitionsDefinition, "get_partition_keys", counting)
    counts = []
    for days in ((DAY,), (NEXT,), (FRIDAY, SATURDAY, MONDAY)):
        deliver(town, *days)
        assert town.run(DAY, "receive").success
        for day in days:
            if day != SATURDAY:
                counted = 0
                assert town.run(day, "daily_in").success
                counts.append(counted)
    assert len(applied(town)) == 5
    assert len(set(counts)) == 1, counts


def test_a_saturdays_file_is_mondays(town: Town) -> None:
    deliver(town, SATURDAY)
    assert town.take_in(FRIDAY, "daily_in").success
    assert applied(town) == []
    assert asked(town)[0] == [("daily_in", MONDAY.isoformat())]
    assert town.run(MONDAY, "daily_in").success
    assert applied(town) == [SATURDAY]
    receipts = town.deployment.environment.store.read(INTERFACE, MONDAY.isoformat())
    assert receipts["file_name"].to_list() == ["KRSID_999997_20260404_000001.csv"]
