"""Partitions whose newest run failed, from Dagster's records. `execution` runs them again."""

from __future__ import annotations

import datetime as dt

import dagster as dg


def failed_runs(
    instance: dg.DagsterInstance, first: dt.date | None = None, last: dt.date | None = None
) -> list[tuple[str, str]]:
    """(job, partition) whose newest run failed, oldest partition first; within [first, last] when given."""
    newest: dict[tuple[str, str], dg.DagsterRun] = {}
    for run in instance.get_runs():  # newest first
        partition = run.tags.get("dagster/partition")
        if partition is not None:
            newest.setdefault((run.job_name, partition), run)
    found = [
        (partition, job)
        for (job, partition), run in newest.items()
        if run.status == dg.DagsterRunStatus.FAILURE
        and (first is None or partition >= first.isoformat())
        and (last is None or partition <= last.isoformat())
    ]
    return [(job, partition) for partition, job in sorted(found)]


def command(partition: str) -> str:
    """The command that runs a failed partition again."""
    return f"renkei rerun --failed --from {partition} --to {partition}"
