"""When the process of a run has certainly ended, and when nobody here can know."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest

from pipelines.orchestration.dead_runs import Process, end_dead_runs, require_nobody_works


@dg.op
def nothing() -> None:
    return None


@dg.job
def idle() -> None:
    nothing()


def started(instance: dg.DagsterInstance, process: Process | None, of_run: str = "") -> dg.DagsterRun:
    """of_run: the run that the tag names, when it is another one."""
    run_id = str(uuid4())
    run = instance.create_run_for_job(idle, run_id=run_id, tags=process.tag(of_run or run_id) if process else {})
    instance.report_dagster_event(
        dg.DagsterEvent(event_type_value=dg.DagsterEventType.PIPELINE_START.value, job_name="idle"), run.run_id
    )
    return run


def gone(process: Process | None) -> bool:
    """Whether a run of that process is ended, and the next may begin."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = started(instance, process)
        ended = end_dead_runs(instance)
        now = instance.get_run_by_id(run.run_id)
        assert now is not None
        if ended:
            assert [one.run_id for one in ended] == [run.run_id]
            assert now.status == dg.DagsterRunStatus.FAILURE
            require_nobody_works(instance)
            return True
        assert now.status == dg.DagsterRunStatus.STARTED
        with pytest.raises(Exception, match="KR-7712"):
            require_nobody_works(instance)
        return False


def ended_process() -> Process:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return replace(Process.this(), number=done.pid)


def test_only_what_is_certain_ends_a_run() -> None:
    here = Process.this()
    assert not gone(None)
    assert not gone(here)
    assert not gone(replace(here, host="elsewhere"))
    assert not gone(replace(here, host="elsewhere", boot="before"))
    assert not gone(replace(ended_process(), namespace="pid:[1]"))
    assert gone(ended_process())
    assert gone(replace(here, boot="before"))
    assert gone(replace(here, started=str(int(here.started) - 1)))


def test_a_process_that_has_ended_and_was_not_buried_works_no_more() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    begun = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    assert gone(replace(Process.this(), number=child.pid, started=begun))
    child.wait()


def test_the_tag_that_a_repeated_run_took_over_says_nothing_of_its_own_process() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        repeated = started(instance, ended_process(), of_run=str(uuid4()))
        assert end_dead_runs(instance) == []
        now = instance.get_run_by_id(repeated.run_id)
        assert now is not None and now.status == dg.DagsterRunStatus.STARTED


def test_what_ended_meanwhile_keeps_its_end() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = started(instance, ended_process())
        instance.report_dagster_event(
            dg.DagsterEvent(event_type_value=dg.DagsterEventType.PIPELINE_SUCCESS.value, job_name="idle"), run.run_id
        )
        assert end_dead_runs(instance) == []
        require_nobody_works(instance)
