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
from processes import Done
from servers import OpenSshServer
from test_ten_days import START, Town

from fixtures.demo import business_days
from fixtures.world import NO_APPROVAL, OURS

SHIPPED = Path(__file__).parents[2] / "dagster_home" / "dagster.yaml"
DAEMON = [Path(sys.executable).with_name("dagster-daemon"), "run", "-m", "pipelines.definitions"]
PATIENCE_SECONDS = 240.0  # everything comes about within a minute; the rest is for a machine that is busy
READER_PAUSE_SECONDS = 0.2
BEFORE, FIRST, SECOND = business_days(START, 3)
SENT, ANSWERS = ("KRKOJ", "KRSET"), ("KRKAK", "KRSHU", "KRSID", "KRUKE")


def at(day: dt.date, hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute, second), TOKYO)


def names(prefixes: tuple[str, ...], day: dt.date) -> list[str]:
    return [f"{prefix}_{OURS.code}_{day:%Y%m%d}_000001.csv" for prefix in prefixes]


def inside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Municipality(Town):
    """Our municipality with a daemon, and whoever sits at its commands, all under one clock."""

    def __init__(self, folder: Path, server: OpenSshServer, faketime: Path) -> None:
        super().__init__(folder, server, seed=1, persons=300)
        text = self.settings.read_text(encoding="utf-8")
        self.settings.write_text(text.replace(NO_APPROVAL, ""), encoding="utf-8")
        self.home, self.log, self.alerts = folder / "dagster_home", folder / "daemon.log", folder / "data" / "alerts.log"
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
        self.clock = Clock(folder / "clock", faketime, at(BEFORE, 18))
        self.desk = Desk(self.clock, self.environment)
        self.daemon: Process | None = None
        self._before_the_leap: set[int] = set()

    def records(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.home))

    def renkei(self, *arguments: str, status: int = 0) -> str:
        done = self.desk.renkei(*arguments)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start_the_daemon(self) -> None:
        """Until it knows its schedules, and has looked at the Union's folder or was there before."""
        self.daemon, self._before_the_leap = self.clock.start(DAEMON, self.environment, self.log), set()
        self.until(lambda: self._knows("daily_out_schedule") and self._is_served(), "the daemon")

    def kill_the_daemon(self) -> None:
        """With all that it started: its code server, and the process of a run."""
        if self.daemon:
            self.daemon.kill()
        self.daemon = None

    def until(self, is_so: Callable[[], object], what: str, look_seconds: float = 0.25) -> None:
        """Wait for what the daemon does."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come about\n{self.log.read_text(encoding='utf-8')[-5000:]}")
            time.sleep(look_seconds)

    def leap_to(self, instant: dt.datetime) -> None:
        """It is the minute before `instant`. Not while a code server starts: the daemon would take it to start for hours."""
        self.until(self._is_served, "the code server")
        self._before_the_leap = set(self._code_servers())
        self.clock.skip_to(instant)

    def _is_served(self) -> bool:
        """Whether every code server listens, and one of them is newer than the leap before: after each, Dagster starts one."""
        servers = self._code_servers()
        return all(socket.exists() for socket in servers.values()) and bool(set(servers) - self._before_the_leap)

    def _code_servers(self) -> dict[int, Path]:
        running = self.daemon.running() if self.daemon else {}
        return {n: Path(said[said.index("--socket") + 1]) for n, said in running.items() if "--socket" in said}

    def runs(self) -> list[tuple[str, str, str]]:
        """Job, partition and status of every run, oldest first."""
        with self.records() as instance:
            runs = instance.get_runs(ascending=True)
        return [(run.job_name, run.tags["dagster/partition"], run.status.value) for run in runs]

    def until_run(self, job: str, day: dt.date, status: str = "SUCCESS") -> None:
        self.until(lambda: (job, day.isoformat(), status) in self.runs(), f"{job} {day} {status}")

    def ticks(self, name: str) -> list[str]:
        """Why a schedule or a sensor asked for no run, at each of its times, the newest first."""
        with self.records() as instance:
            known = [one for one in instance.all_instigator_state() if one.instigator_name == name]
            ticks = instance.get_ticks(known[0].instigator_origin_id, known[0].selector_id) if known else []
        return [tick.skip_reason or "" for tick in ticks]

    def _knows(self, name: str) -> bool:
        with self.records() as instance:
            return any(one.instigator_name == name for one in instance.all_instigator_state())

    def states_of(self, day: dt.date) -> dict[str, str]:
        """Names and states of a day's files in the ledger."""
        entries = json.loads(self.renkei("ledger", "list", "--json"))
        return {e["file_name"]: e["state"] for e in entries if e["partition"] == day.isoformat()}

    def answer(self, day: dt.date, moment: dt.datetime) -> None:
        """The Union works, and leaves its files at a moment."""
        self.world.night(day)
        for path in self.from_union.iterdir():
            os.utime(path, (moment.timestamp(), moment.timestamp()))


@pytest.fixture
def town(tmp_path: Path, openssh_server: OpenSshServer, faketime: Path) -> Iterator[Municipality]:
    made = Municipality(tmp_path, openssh_server, faketime)
    try:
        yield made
    finally:
        made.kill_the_daemon()
        made.desk.close()


@contextmanager
def reading_the_ledger(town: Municipality) -> Iterator[None]:
    """Somebody else reads the ledger again and again, each time by a command in a process of its own."""
    stopped, done = threading.Event(), list[Done]()
    desk = Desk(town.clock, town.environment)

    def read() -> None:
        while not stopped.wait(READER_PAUSE_SECONDS):
            done.append(desk.renkei("ledger", "list"))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        desk.close()
    assert [one.stdout + one.stderr for one in done if one.returncode] == []
    assert len(done) > 50


def begin(town: Municipality) -> None:
    """The day before: the first load, which a second person approves, sent and answered by hand."""
    date = ("--date", BEFORE.isoformat())
    town.send(BEFORE)
    shown = town.renkei("approve", *date)
    hashes = [f"--sha256={line.split()[-1]}" for line in shown.splitlines() if "SHA-256" in line]
    town.renkei("approve", *date, "--by", "合成　承認者", *hashes)
    town.renkei("run", "daily", *date, "--only", "out")
    town.answer(BEFORE, at(BEFORE, 21))
    town.clock.set(at(BEFORE, 22))
    town.receive(BEFORE)


def a_day_that_nobody_touches(town: Municipality) -> None:
    """Extracts in, files out, answers in when they are finished, and the look at all of it next morning."""
    town.world.live(FIRST)
    town.leap_to(at(FIRST, 18))
    town.until_run("daily_out", FIRST)
    assert inside(town.to_union) == names(SENT, FIRST)
    answered = at(FIRST, 20, 59)
    town.until(town._is_served, "")
    town.answer(FIRST, answered)
    town.clock.set(answered)
    town.until(lambda: "KR-6331" in town.ticks("arrival_sensor")[0], "a look at the young answers")
    town.leap_to(at(FIRST, 21, 12))
    town.until_run("daily_in", FIRST)
    town.leap_to(at(SECOND, 8, 30))
    town.until_run("daily_watch", FIRST)


def a_day_in_which_it_is_killed(town: Municipality) -> str:
    """In the middle of the sending. Started again it tells of it; a person runs the day again with the words that it says."""
    town.leap_to(at(SECOND, 18))
    town.until(lambda: inside(town.to_union), "the sending", 0.001)
    town.kill_the_daemon()
    assert town.runs()[-1] == ("daily_out", SECOND.isoformat(), "STARTED")
    assert set(town.states_of(SECOND).values()) != {"sent"}
    town.start_the_daemon()
    town.leap_to(at(SECOND, 18, 10))
    town.until(lambda: town.alerts.exists() and town.alerts.read_text(), "the alert")
    (told,) = map(json.loads, town.alerts.read_text(encoding="utf-8").splitlines())
    print(told)
    return town.renkei(*told["command"].split()[1:])


@pytest.mark.slow
def test_days_of_the_daemon(town: Municipality) -> None:
    T0 = time.monotonic()
    def lap(what): print(f"LAP {time.monotonic()-T0:.1f} {town.clock.now():%m-%d %H:%M:%S} {what}", flush=True)
    begin(town)
    lap("begun")
    with reading_the_ledger(town):
        town.clock.set(at(FIRST, 17, 0, 25))
        town.start_the_daemon()
        lap("started")
        a_day_that_nobody_touches(town)
        lap("day")
        print(town.runs())
        print(town.states_of(FIRST))
        print(town.renkei("audit", "verify"))
        lap("looked")
        town.world.live(SECOND)
        print(a_day_in_which_it_is_killed(town))
        lap("rerun")
        print(town.runs(), list(town.to_union.iterdir()), town.states_of(SECOND))
        town.answer(SECOND, town.clock.now())
        town.clock.skip_to(at(SECOND, 22, 7))
        town.receive(SECOND)
        lap("taken")
        print(town.renkei("audit", "verify"))
        print(town.differences(FIRST), town.differences(SECOND), list(town.received.rglob("*")))
        lap("end")
