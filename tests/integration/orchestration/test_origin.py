"""Who started what the ledger records: a person at the command line, a person in the UI, or the daemon."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from pipelines.exchange.ledger.states import LedgerEvent, Origin
from pipelines.orchestration.resources import Deployment
from tests.support.deployment import opened, renkei

SCHEDULED = {"dagster/schedule_name": "daily_out_schedule"}
SENSED = {"dagster/sensor_name": "arrival_sensor"}
RUNS: list[tuple[dict[str, str], Origin]] = [
    ({}, Origin.SCREEN),
    (SCHEDULED, Origin.SCHEDULE),
    (SENSED, Origin.SCHEDULE),
    ({"dagster/backfill": "abcdefgh"}, Origin.SCREEN),
    (SCHEDULED | {"dagster/parent_run_id": "1"}, Origin.SCREEN),  # somebody pressed Re-execute
    (SENSED | {"dagster/parent_run_id": "1", "dagster/retry_number": "1"}, Origin.SCHEDULE),  # the daemon tried again
]


@dg.op
def a_step(deployment: Deployment) -> None:
    """What any step of a run does: it writes for the operator of the settings."""
    deployment.environment.recorder("run").append_event(LedgerEvent.QUIET_DAY, partition="2026-04-01")


@dg.job
def a_job() -> None:
    a_step()


def recorded(folder: Path) -> list[tuple[str, Origin | None]]:
    events = opened(folder).ledger.events()
    return [(event.action, event.origin) for event in events if event.action != LedgerEvent.BELONGS_TO]


@pytest.mark.parametrize(("tags", "origin"), RUNS)
def test_the_history_says_what_started_a_run(tmp_path: Path, tags: dict[str, str], origin: Origin) -> None:
    opened(tmp_path)
    resource = Deployment(settings_path=str(tmp_path / "renkei.toml"))
    loaded = dg.Definitions(jobs=[a_job], resources={"deployment": resource})
    with dg.DagsterInstance.ephemeral() as instance:
        loaded.get_repository_def().get_job("a_job").execute_in_process(instance=instance, tags=tags)
    assert recorded(tmp_path)[-1] == (LedgerEvent.QUIET_DAY, origin)


def test_a_command_is_a_person_at_the_keyboard(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    renkei(environment, "keys", "rotate", "transfer", "--reason", "試験")
    assert recorded(tmp_path)[-1] == (LedgerEvent.KEY_ROTATED, Origin.COMMAND)


def test_the_origin_is_a_link_of_the_chain(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    events = environment.ledger.events()
    assert {event.origin for event in events} == {Origin.COMMAND}
    assert all("origin" not in event.detail for event in events)
    assert environment.ledger.verify_chain() == []
