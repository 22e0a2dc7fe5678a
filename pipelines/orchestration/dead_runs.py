"""Finds out which of Dagster's runs are still alive, and ends those whose process is gone. `failed_runs` lists them.

Dagster itself does not notice when the process of a run died together with its parent: the run stays STARTED, and blocks
everything that waits for its end.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason

from interfaces.messages import RenkeiError

PROCESS_TAG = "renkei/process"  # the process that executes a run; Dagster shows it with the run
CUT_OFF = "KR-7711"
_WORKING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_PROC = Path("/proc")
_STATE, _START = 0, 19  # fields of /proc/PID/stat after the name: state, start in ticks since boot
_ENDED_STATES = {"Z", "X"}


@dataclass(frozen=True)
class Process:
    """The unambiguous identity of a process: process numbers are reused, also after a restart of the machine."""

    host: str
    boot: str
    namespace: str
    number: int
    started: str

    @classmethod
    def this(cls) -> Self:
        """The current process."""
        number = os.getpid()
        return cls(
            socket.gethostname() or "localhost",
            (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
            _namespace(),
            number,
            _stat(number)[_START],
        )

    @classmethod
    def of(cls, run: dg.DagsterRun) -> Self | None:
        """The process of a run; None when the run has no valid tag of its own: Dagster copies the tags of a run that it repeats."""
        words = run.tags.get(PROCESS_TAG, "").split()
        if len(words) != 6 or not words[3].isdecimal() or words[5] != run.run_id:
            return None
        host, boot, namespace, number, started, _ = words
        return cls(host, boot, namespace, int(number), started)

    def tag(self, run_id: str) -> dict[str, str]:
        """The tag that names the process on a run."""
        return {PROCESS_TAG: f"{self.host} {self.boot} {self.namespace} {self.number} {self.started} {run_id}"}

    def is_gone(self) -> bool:
        """Whether it has certainly ended. For another machine or container nothing is certain."""
        here = self.this()
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            return True
        if self.namespace != here.namespace:
            return False
        try:
            now = _stat(self.number)
        except (FileNotFoundError, ProcessLookupError):
            return True
        return now[_START] != self.started or now[_STATE] in _ENDED_STATES


def _namespace() -> str:
    return str((_PROC / "self/ns/pid").readlink())


def _stat(number: int) -> list[str]:
    return (_PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def end_dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Mark every run whose process is gone as failed (KR-7711) and free its pool slots; returns those runs, oldest first."""
    found = [run for run in _unfinished(instance) if (process := Process.of(run)) and process.is_gone()]
    # Read again: a process that is gone now may have finished its run after the first read.
    ended = [run for run in found if (now := instance.get_run_by_id(run.run_id)) and now.status in _WORKING]
    for run in ended:
        reason = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
        instance.report_run_failed(run, str(ended_early(run)), reason)
    for run in found:
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return ended


def ended_early(run: dg.DagsterRun) -> RenkeiError:
    """The error about a run that `end_dead_runs` ended."""
    return RenkeiError(CUT_OFF, job=run.job_name, partition=_partition(run), run_id=run.run_id)


def require_nobody_works(instance: dg.DagsterInstance) -> None:
    """KR-7712 while another run is, or may be, in progress."""
    for run in _unfinished(instance):
        process = Process.of(run)
        if run.status != dg.DagsterRunStatus.NOT_STARTED or process:
            where = f"{process.host} の {process.number}" if process else "不明"
            raise RenkeiError("KR-7712", job=run.job_name, partition=_partition(run), run_id=run.run_id, process=where)


def was_terminated(result: dg.JobExecutionResult) -> bool:
    """Whether a signal ended the run."""
    failures = [event.job_failure_data for event in result.all_events if event.is_job_failure]
    return any(failure.failure_reason == RunFailureReason.UNEXPECTED_TERMINATION for failure in failures)


def _unfinished(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(statuses=_WORKING), ascending=True))


def _partition(run: dg.DagsterRun) -> str:
    return run.tags.get("dagster/partition", "対象日なし")
