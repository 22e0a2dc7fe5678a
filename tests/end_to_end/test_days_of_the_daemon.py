"""A real dagster-daemon with everything as shipped: a day that nobody touches, then one in whose sending it is killed."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from clocks import TOKYO, Clock, Desk, Process
from dagster._core.scheduler.instigation import TickStatus
from servers import OpenSshServer
from test_ten_days import START, Town

from fixtures.demo import business_days
from fixtures.world import NO_APPROVAL, OURS

SHIPPED = Path(__file__).parents[2] / "dagster_home" / "dagster.yaml"
DAEMON = [Path(sys.executable).with_name("dagster-daemon"), "run", "-m", "pipelines.definitions"]
PATIENCE_SECONDS = 240.0  # for a machine that is busy with other things; everything is there within a minute
BEFORE, FIRST, SECOND = business_days(START, 3)
NAMES = ("KRKOJ", "KRSET")
ANSWERS = ("KRKAK", "KRSHU", "KRSID", "KRUKE")


def at(day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), TOKYO)


class Municipality(Town):
    """Our municipality with a daemon, and whoever sits at its commands, all under one clock."""

    def __init__(self, folder: Path, server: OpenSshServer, faketime: Path) -> None:
        super().__init__(folder, server, seed=1, persons=300)
        text = self.settings.read_text(encoding="utf-8")
        self.settings.write_text(text.replace(NO_APPROVAL, ""), encoding="utf-8")
        self.folder, self.home = folder, folder / "dagster_home"
        self.home.mkdir()
        shutil.copy(SHIPPED, self.home)
        with self.records():
            pass  # makes them, as `dagster instance migrate` does
        self.environment = os.environ | {
            "RENKEI_SETTINGS": str(self.settings),
            "DAGSTER_HOME": str(self.home),
            "RENKEI_FIRST_DAY": START.isoformat(),
        }
        ours = server.root / OURS.code
        self.to_union, self.from_union, self.received = ours / "to_union", ours / "from_union", ours / "received"
        self.clock = Clock(folder / "clock", faketime, at(BEFORE, 17))
        self.desk = Desk(self.clock, self.environment)
        self._log = (folder / "daemon.log").open("ab")
        self._daemon: Process | None = None

    def records(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home))

    def renkei(self, *arguments: str, status: int = 0) -> str:
        done = self.desk.renkei(*arguments)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start_the_daemon(self) -> None:
        self._daemon = self.clock.start(DAEMON, self.environment, self._log)

    def kill_the_daemon(self) -> None:
        """With everything that it started: its code server, and the process of the run."""
        if self._daemon:
            self._daemon.kill()
        self._daemon = None

    def close(self) -> None:
        self.kill_the_daemon()
        self.desk.close()
        self._log.close()

    def until(self, is_so: Callable[[], object], what: str, look_seconds: float = 0.25) -> None:
        """Wait for the daemon."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            said = (self.folder / "daemon.log").read_text(encoding="utf-8")[-5000:]
            assert time.monotonic() < end, f"{what} did not come about\n{said}"
            time.sleep(look_seconds)

    def runs(self) -> list[tuple[str, str, str]]:
        """Job, partition and status of every run, oldest first."""
        with self.records() as instance:
            runs = instance.get_runs(ascending=True)
        return [(run.job_name, run.tags["dagster/partition"], run.status.value) for run in runs]

    def until_run(self, job: str, day: dt.date, status: str = "SUCCESS") -> None:
        self.until(lambda: (job, day.isoformat(), status) in self.runs(), f"{job} {day} {status}")

    def ticks(self, name: str) -> list[tuple[TickStatus, str]]:
        """What a schedule or a sensor did at each of its times: its status, and the reason when it asked for no run."""
        with self.records() as instance:
            (state,) = [one for one in instance.all_instigator_state() if one.instigator_name == name] or [None]
            if state is None:
                return []
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
        return [(tick.status, tick.skip_reason or "") for tick in reversed(ticks)]

    def is_ready(self) -> bool:
        """Whether the scheduler has looked at the clock, and the sensors at the world."""
        with self.records() as instance:
            known = {one.instigator_name for one in instance.all_instigator_state()}
        return "daily_out_schedule" in known and bool(self.ticks("arrival_sensor"))

    def night(self, day: dt.date) -> None:
        """The Union leaves its answers at this moment."""
        self.world.night(day)
        for path in self.from_union.iterdir():
            os.utime(path, (self.clock.now().timestamp(),) * 2)

    def entries(self, day: dt.date) -> dict[str, str]:
        """Names and states of a day's files in the ledger."""
        entries = json.loads(self.renkei("ledger", "list", "--json"))
        return {e["file_name"]: e["state"] for e in entries if e["partition"] == day.isoformat()}


def names(prefixes: tuple[str, ...], day: dt.date, number: int = 1) -> list[str]:
    return [f"{prefix}_{OURS.code}_{day:%Y%m%d}_{number:06d}.csv" for prefix in prefixes]


@pytest.fixture
def town(tmp_path: Path, openssh_server: OpenSshServer, faketime: Path) -> Iterator[Municipality]:
    made = Municipality(tmp_path, openssh_server, faketime)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def reading_the_ledger(town: Municipality) -> Iterator[None]:
    """Somebody else reads the ledger again and again, each time by a command in a process of its own."""
    stopped, failed, desk = threading.Event(), list[str](), Desk(town.clock, town.environment)
    count = 0

    def read() -> None:
        nonlocal count
        while not stopped.is_set():
            done = desk.renkei("ledger", "list")
            failed.extend([done.stdout + done.stderr] if done.returncode else [])
            count += 1

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        desk.close()
    assert failed == []
    print("READS", count)


def begin(town: Municipality) -> None:
    """The day before: the first load, which a second person approves, sent and answered by hand."""
    date = ("--date", BEFORE.isoformat())
    town.send(BEFORE)
    shown = town.renkei("approve", *date)
    hashes = [f"--sha256={line.split()[-1]}" for line in shown.splitlines() if "SHA-256" in line]
    town.renkei("approve", *date, "--by", "合成　承認者", *hashes)
    town.renkei("run", "daily", *date, "--only", "out")
    town.world.night(BEFORE)
    for path in town.from_union.iterdir():
        os.utime(path, (town.clock.now().timestamp() - 600,) * 2)
    town.receive(BEFORE)


@pytest.mark.slow
def test_days_of_the_daemon(town: Municipality) -> None:
    T0 = time.monotonic()
    def lap(what): print(f"LAP {time.monotonic()-T0:.1f} {town.clock.now():%m-%d %H:%M:%S} {what}", flush=True)
    begin(town)
    lap("begun")
    with reading_the_ledger(town):
        town.clock.set(at(FIRST, 17))
        town.start_the_daemon()
        town.until(town.is_ready, "the daemon")
        lap("ready")
        town.world.live(FIRST)
        town.clock.skip_to(at(FIRST, 18))
        lap("skipped")
        town.until_run("daily_out", FIRST)
        lap("sent")
        assert sorted(path.name for path in town.to_union.iterdir()) == names(NAMES, FIRST)
        town.clock.set(at(FIRST, 22))
        town.night(FIRST)
        town.until(lambda: "KR-6331" in town.ticks("arrival_sensor")[-1][1], "a look at the young answers")
        lap("young")
        town.clock.set(at(FIRST, 22, 7))
        town.until_run("daily_in", FIRST)
        lap("taken")
        town.clock.skip_to(at(SECOND, 8, 30))
        town.until_run("daily_watch", FIRST)
        lap("watched")
        print(town.runs())
        print(town.entries(FIRST), town.entries(BEFORE))
        for name in ("arrival_sensor", "daily_out_schedule", "failure_alerts", "daily_watch_schedule", "monthly_out_schedule"):
            print(name, town.ticks(name))
        lap("looked")
        town.world.live(SECOND)
        town.clock.skip_to(at(SECOND, 18))
        lap("skipped")
        town.until(lambda: any(town.to_union.iterdir()), "the sending", 0.001)
        town.kill_the_daemon()
        lap("killed")
        print(town.runs(), list(town.to_union.iterdir()), town.entries(SECOND))
        town.start_the_daemon()
        alerts = town.folder / "data" / "alerts.log"
        town.until(lambda: alerts.exists() and alerts.read_text(), "the alert")
        lap("alert")
        print(alerts.read_text(), town.runs())
        command = json.loads(alerts.read_text().splitlines()[0])["command"].split()
        print(town.renkei(*command[1:]))
        lap("rerun")
        print(town.runs(), list(town.to_union.iterdir()), town.entries(SECOND))
        town.clock.set(at(SECOND, 22))
        town.night(SECOND)
        town.clock.set(at(SECOND, 22, 7))
        town.until_run("daily_in", SECOND)
        lap("taken")
        print(town.renkei("audit", "verify"))
        print(town.differences(FIRST), town.differences(SECOND), list(town.received.rglob("*")))
        lap("end")
