"""An error inside any asset, with a person's row in its text and in its cause, leaks nothing of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl
import pytest
from town import DAY, Town

from pipelines.definitions import definitions
from pipelines.resources import StoreIOManager

NUMBER, NAME = "123456789018", "合成　カナリア"
ROW = pl.DataFrame({"resident_number": ["000000000000001"], "my_number": [NUMBER], "name": [NAME]})
ASSETS = [asset for asset in definitions().assets or () if isinstance(asset, dg.AssetsDefinition)]


def failing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The asset's own function, in whose place an error with everything that it was given is raised."""

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


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.node_def.name)
def test_nothing_of_a_row_reaches_dagster_or_our_log(
    town: Town, asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    compute: Any = asset.op.compute_fn
    broken = compute._replace(decorated_fn=failing(compute.decorated_fn))  # a named tuple
    monkeypatch.setattr(asset.op, "_compute_fn", broken)
    monkeypatch.setattr(StoreIOManager, "load_input", lambda *_: ROW)
    assert town.deployment.environment  # its log file is where outlines go from now on
    name, job = next(
        (job.name, job) for job in town.repository.get_all_jobs() if job.asset_layer.has(next(iter(asset.keys)))
        and job.name != "__ASSET_JOB"
    )  # fmt: skip
    partition = DAY.isoformat()
    result = job.execute_in_process(
        instance=town.instance, partition_key=partition, asset_selection=list(asset.keys), raise_on_error=False
    )
    assert not result.success, name
    failed = [event for event in result.all_events if event.is_step_failure]
    assert len(failed) == 1
    printed = "".join(capfd.readouterr())
    logs = b"".join(path.read_bytes() for path in (town.folder / "data").rglob("*.log"))
    for place in (town.everything_dagster_keeps(), logs, printed.encode()):
        assert NUMBER.encode() not in place
        assert NAME.encode() not in place
    assert b"ValueError" in logs
    assert b"KeyError" in logs
