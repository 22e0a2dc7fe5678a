"""Partitions whose last completed run failed, from Dagster's records, and those that are being repaired. `execution` runs them again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg

# A run that ended so says whether the partition is sound; one that was cancelled says nothing.
_DECIDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
_STATES = {
    dg.DagsterRunStatus.QUEUED: "順番待ち",
    dg.DagsterRunStatus.NOT_STARTED: "開始前",
    dg.DagsterRunStatus.STARTING: "開始中",
    dg.DagsterRunStatus.STARTED: "実行中",
    dg.DagsterRunStatus.CANCELING: "中止の途中",
}


@dataclass(frozen=True)
class Repair:
    """A newer run of a failed partition that has not ended: the partition is not repaired yet."""

    job: str
    partition: str
    run_id: str
    state: str

    def line(self) -> str:
        """In a line for people."""
        said = f"{self.job} {self.partition} は失敗したままです: 再実行 {self.run_id[:8]} が{self.state}です"
        if self.state == _STATES[dg.DagsterRunStatus.QUEUED]:
            return f"{said}。順番が来ないときは、dagster-daemon が動いているか確認してください"
        return f"{said}。終わってから結果を確認してください"


def failed_runs(
    instance: dg.DagsterInstance, first: dt.date | None = None, last: dt.date | None = None
) -> list[tuple[str, str]]:
    """(job, partition) that failed last and that no run repairs, oldest partition first; within [first, last] when given."""
    return [key for key, runs in _failed(instance, first, last) if _in_progress(runs) is None]


def repairs(instance: dg.DagsterInstance, first: dt.date | None = None, last: dt.date | None = None) -> list[Repair]:
    """The failed partitions of which a newer run waits or is at work, oldest partition first."""
    found = [(key, _in_progress(runs)) for key, runs in _failed(instance, first, last)]
    return [Repair(*key, run.run_id, _STATES[run.status]) for key, run in found if run is not None]


def _failed(
    instance: dg.DagsterInstance, first: dt.date | None, last: dt.date | None
) -> list[tuple[tuple[str, str], list[dg.DagsterRun]]]:
    """The runs, newest first, of every job and partition whose last decided run failed, oldest partition first."""
    runs: dict[tuple[str, str], list[dg.DagsterRun]] = {}
    for run in instance.get_runs():  # newest first
        partition = run.tags.get("dagster/partition")
        if (
            partition is not None
            and (first is None or partition >= first.isoformat())
            and (last is None or partition <= last.isoformat())
        ):
            runs.setdefault((run.job_name, partition), []).append(run)
    found = {
        key: of_key
        for key, of_key in runs.items()
        if next((run.status for run in of_key if run.status in _DECIDED), None) == dg.DagsterRunStatus.FAILURE
    }
    return sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))


def _in_progress(runs: list[dg.DagsterRun]) -> dg.DagsterRun | None:
    """The newest run that has not ended and was made after the last decided one."""
    for run in runs:
        if run.status in _DECIDED:
            return None
        if run.status in _STATES:
            return run
    return None


def command(partition: str) -> str:
    """The command that runs a failed partition again."""
    return f"renkei rerun --failed --from {partition} --to {partition}"
