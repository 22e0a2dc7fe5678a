"""An error inside any asset, with a person's row in its text and in its cause, leaks nothing of the row."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl
import pytest

from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.resources import StoreIOManager
from tests.support.town import DAY, Town

NUMBER, NAME = "123456789018", "合成　カナリア"
ROW = pl.DataFrame({"resident_number": ["000000000000001"], "my_number": [NUMBER], "name": [NAME]})


def steps(made: dg.Definitions) -> dict[str, dg.AssetsDefinition]:
    """The assets, and the checks that are steps of their own, by the name of their step."""
    return {asset.node_def.name: asset for asset in made.assets or () if isinstance(asset, dg.AssetsDefinition)}


def made_with(town: Town, step: dg.AssetsDefinition) -> list[dg.AssetKey]:
    """The assets that are made when the step runs: its own, or those that it checks."""
    if step.keys:
        return list(step.keys)
    checked = next(iter(step.check_keys)).asset_key
    return next(list(other.keys) for other in steps(town.definitions).values() if checked in other.keys)


def failing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The asset's own function, replaced by one that raises an error with everything that it was given."""

    def fail(given: object) -> None:
        try:
            {}[str(ROW.to_dicts())]  # type: ignore[index]
        except KeyError as error:
            raise ValueError(f"{given} {ROW.to_dicts()}") from error

    @functools.wraps(function)
    def plain(*arguments: Any, **named: Any) -> Any:
        fail(named)

    @functools.wraps(function)
    def generating(*arguments: Any, **named: Any) -> Any:
        fail(named)
        yield

    return generating if inspect.isgeneratorfunction(function) else plain


@pytest.mark.parametrize("name", steps(definitions()))
def test_nothing_of_a_row_reaches_dagster_or_our_log(
    town_on_disk: Town, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    step = steps(town_on_disk.definitions)[name]
    compute: Any = step.op.compute_fn
    broken = compute._replace(decorated_fn=failing(compute.decorated_fn))  # a named tuple
    monkeypatch.setattr(step.op, "_compute_fn", broken)
    monkeypatch.setattr(StoreIOManager, "load_input", lambda *_: ROW)
    assert town_on_disk.deployment.environment  # its log file is where outlines go from now on
    assets = made_with(town_on_disk, step)
    job = next(
        job
        for job in town_on_disk.repository.get_all_jobs()
        if assets[0] in job.asset_layer.selected_asset_keys and job.name != "__ASSET_JOB"
    )
    partition = DAY.isoformat()
    result = job.execute_in_process(
        instance=town_on_disk.instance, partition_key=partition, asset_selection=assets, raise_on_error=False
    )
    assert not result.success, name
    failed = [event for event in result.all_events if event.is_step_failure]
    assert len(failed) == 1
    printed = "".join(capfd.readouterr())
    logs = b"".join(path.read_bytes() for path in (town_on_disk.folder / "data").rglob("*.log"))
    for place in (town_on_disk.everything_dagster_keeps(), logs, printed.encode()):
        assert NUMBER.encode() not in place
        assert NAME.encode() not in place
    assert b"ValueError" in logs
    assert b"KeyError" in logs
