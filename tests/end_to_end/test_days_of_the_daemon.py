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
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest

from fixtures.demo.days import business_days
from fixtures.world import NO_APPROVAL, OURS
from tests.support.clocks import TOKYO, Clock, Desk, Process
from tests.support.command_town import START, Town
from tests.support.paths import ROOT
from tests.support.processes import Done
from tests.support.servers import OpenSshServer

SHIPPED = ROOT / "dagster_home" / "dagster.yaml"
DAEMON = [Path(sys.executable).with_name("dagster-daemon"), "run", "-m", "pipelines.definitions"]
PATIENCE_SECONDS = 240.0  # everything comes about within a minute; the rest is for a machine that is busy
READER_PAUSE_SECONDS = 1.0
BEGINS_SECONDS = 10.0  # Dagster looks every five seconds whether a minute is over, and begins a code server then
BEFORE, FIRST, SECOND = business_days(START, 3)
SENT, ANSWERS = ("KRKOJ", "KRSET"), ("KRKAK", "KRSHU", "KRSID", "KRUKE")


def at(day: dt.date, hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute, second), TOKYO)


def names(prefixes: tuple[str, ...], day: dt.date) -> list[str]:
    return [f"{prefix}_{OURS.code}_{day:%Y%m%d}_000001.csv" for prefix in prefixes]


def inside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Municipality(Town):
    """Our municipality with a daemon, and an operator at its commands, all under one clock."""

    def __init__(self, folder: Path, server: OpenSshServer, faketime: Path) -> None:
        super().__init__(folder, server, seed=1, persons=300)
        text = self.settings.read_text(encoding="utf-8")
        self.settings.write_text(text.replace(NO_APPROVAL, ""), encoding="utf-8")
        self.home, self.log = folder / "dagster_home", folder / "daemon.log"
        self.alerts = folder / "data" / "alerts.log"
        self.home.mkdir()
        shutil.copy(SHIPPED, self.home)
        # Makes the records, as `dagster instance migrate` does.
        self.records = dg.DagsterInstance.from_config(str(self.home))
        self.environment = os.environ | {
            "RENKEI_SETTINGS": str(self.settings),
            "DAGSTER_HOME": str(self.home),
        }
        ours = server.root / OURS.code
        self.to_union, self.from_union, self.received = ours / "to_union", ours / "from_union", ours / "received"
        self.clock = Clock(folder / "clock", faketime, at(BEFORE, 18))
        self.desk = Desk(self.clock, self.environment)
        self.daemon: Process | None = None
        self._before_the_leap, self._leapt = set[int](), time.monotonic()

    def renkei(self, *arguments: str, status: int = 0) -> str:
        done = self.desk.renkei(*arguments)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start_the_daemon(self) -> None:
        """Until it keeps the time."""
        self.daemon = self.clock.start(DAEMON, self.environment, self.log)
        self._before_the_leap, self._leapt = set(), time.monotonic()
        self.until(lambda: self._knows("daily_out_schedule") and self._is_served(), "the daemon")

    def kill_the_daemon(self) -> None:
        """With all that it started: its code server, and the process of a run."""
        if self.daemon:
            self.daemon.kill()
        self.daemon = None

    def close(self) -> None:
        self.kill_the_daemon()
        self.desk.close()
        self.records.dispose()

    def until(self, is_so: Callable[[], object], what: str, look_seconds: float = 0.5) -> None:
        """Wait for what the daemon does."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come about\n{self.log.read_text(encoding='utf-8')[-5000:]}")
            time.sleep(look_seconds)

    def leap_to(self, instant: dt.datetime) -> None:
        """Now it is another time. Not while a code server starts, which would seem to need hours for it."""
        self.until(self._is_served, "the code server")
        self._before_the_leap, self._leapt = set(self._code_servers()), time.monotonic()
        self.clock.set(instant)

    def leap_before(self, instant: dt.datetime) -> None:
        """Leap to where the scheduler, which looks at the end of a minute, finds `instant`: a look is due within a minute."""
        self.leap_to(self.clock.same_second_before(instant))

    def _is_served(self) -> bool:
        """Whether every code server listens, and the daemon has had the time to begin the one that follows a leap."""
        if self.daemon is None:
            return True
        servers, waited = self._code_servers(), time.monotonic() - self._leapt
        begun = waited > BEGINS_SECONDS or bool(set(servers) - self._before_the_leap)
        return begun and bool(servers) and all(socket.exists() for socket in servers.values())

    def _code_servers(self) -> dict[int, Path]:
        running = self.daemon.running() if self.daemon else {}
        return {n: Path(said[said.index("--socket") + 1]) for n, said in running.items() if "--socket" in said}

    def runs(self) -> list[tuple[str, str, str]]:
        """Job, partition and status of every run, oldest first."""
        runs = self.records.get_runs(ascending=True)
        return [(run.job_name, run.tags["dagster/partition"], run.status.value) for run in runs]

    def until_run(self, job: str, day: dt.date, status: str = "SUCCESS") -> None:
        self.until(lambda: (job, day.isoformat(), status) in self.runs(), f"{job} {day} {status}")

    def ticks(self, name: str) -> list[str]:
        """Why a schedule or a sensor asked for no run, at each of its times."""
        known = [state for state in self.records.all_instigator_state() if state.instigator_name == name]
        ticks = [self.records.get_ticks(state.instigator_origin_id, state.selector_id) for state in known]
        return [tick.skip_reason or "" for several in ticks for tick in several]

    def _knows(self, name: str) -> bool:
        return any(state.instigator_name == name for state in self.records.all_instigator_state())

    def states_of(self, day: dt.date) -> dict[str, str]:
        """Names and states of a day's files in the ledger."""
        entries = json.loads(self.renkei("ledger", "list", "--json"))
        return {e["file_name"]: e["state"] for e in entries if e["partition"] == day.isoformat()}

    def answer(self, day: dt.date, minutes_ago: int = 0) -> None:
        """It is nine in the evening, and some minutes ago the Union left its files."""
        self.until(self._is_served, "the code server")
        self.world.night(day)
        left = at(day, 21).timestamp() - 60 * minutes_ago
        for path in self.from_union.iterdir():
            os.utime(path, (left, left))
        self.leap_to(at(day, 21))


@pytest.fixture
def town(tmp_path: Path, openssh_server: OpenSshServer, faketime: Path) -> Iterator[Municipality]:
    with closing(Municipality(tmp_path, openssh_server, faketime)) as made:
        yield made


@contextmanager
def reading_the_ledger(town: Municipality) -> Iterator[None]:
    """Somebody else reads the ledger again and again, each time by a command in a process of its own."""
    stopped = threading.Event()

    def read(desk: Desk) -> list[Done]:
        done = []
        while not stopped.wait(READER_PAUSE_SECONDS):
            done.append(desk.renkei("ledger", "list"))
        return done

    with closing(Desk(town.clock, town.environment)) as desk, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, desk)
        try:
            yield
        finally:
            stopped.set()
    assert [answer.stdout + answer.stderr for answer in reading.result() if answer.returncode] == []
    assert len(reading.result()) > 50


def begin(town: Municipality) -> None:
    """The day before: the first load, which a second person approves, sent and answered by hand."""
    date = ("--date", BEFORE.isoformat())
    town.send(BEFORE)
    shown = town.renkei("approve", *date)
    hashes = [f"--sha256={line.split()[-1]}" for line in shown.splitlines() if "SHA-256" in line]
    town.renkei("approve", *date, "--by", "合成　承認者", *hashes)
    town.renkei("run", "daily", *date, "--only", "out")
    town.answer(BEFORE, minutes_ago=10)
    town.receive(BEFORE)


def a_day_that_nobody_touches(town: Municipality) -> None:
    """Extracts in, files out; answers in, as soon as they are finished; and next morning the look at all of it."""
    town.world.live(FIRST)
    town.leap_before(at(FIRST, 18))
    town.until_run("daily_out", FIRST)
    assert inside(town.to_union) == names(SENT, FIRST)
    town.answer(FIRST)
    town.until(lambda: "KR-6331" in "".join(town.ticks("arrival_sensor")), "a look at the young answers")
    assert inside(town.from_union) == names(ANSWERS, FIRST)
    town.leap_to(at(FIRST, 21, 10))
    town.until_run("daily_in", FIRST)
    town.leap_before(at(SECOND, 8, 30, 20))
    town.until_run("daily_watch", FIRST)


def a_day_in_which_it_is_killed(town: Municipality) -> None:
    """In the middle of the sending. It is started again and reports it; a person gives the command that it names."""
    town.world.live(SECOND)
    town.leap_before(at(SECOND, 18))
    town.until(lambda: inside(town.to_union), "the sending", 0.001)
    town.kill_the_daemon()
    assert town.runs()[-1] == ("daily_out", SECOND.isoformat(), "STARTED")
    assert set(town.states_of(SECOND).values()) != {"sent"}
    town.start_the_daemon()
    town.leap_to(at(SECOND, 18, 10, 30))
    town.until_run("daily_out", SECOND, "FAILURE")
    town.until(town.alerts.exists, "the alert")
    (alert,) = map(json.loads, town.alerts.read_text(encoding="utf-8").splitlines())
    assert [code["code"] for code in alert["codes"]] == ["KR-7702"]
    assert alert["command"] == f"renkei rerun --failed --from {SECOND} --to {SECOND}"
    assert "1件のうち成功 1件" in town.renkei(*alert["command"].split()[1:])
    assert inside(town.to_union) == names(SENT, SECOND)


def all_is_well(town: Municipality, day: dt.date) -> None:
    """What was sent is accepted, what came is applied; both folders of the server are empty, and our records are the truth."""
    states = dict.fromkeys(names(SENT, day), "accepted") | dict.fromkeys(names(ANSWERS, day), "applied")
    assert town.states_of(day) == states
    assert everything_in(town.to_union) == everything_in(town.from_union) == []
    sent = [name for sent_day in business_days(START, 3) if sent_day <= day for name in names(SENT, sent_day)]
    assert everything_in(town.received) == sorted(sent)
    assert town.renkei("quarantine", "list") == "決めるもの 0件\n"
    assert "不一致 0件" in town.renkei("audit", "verify")
    assert town.differences(day).is_empty()


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.slow
def test_the_days_run_unattended_until_a_run_is_killed(town: Municipality) -> None:
    begin(town)
    by_hand = town.runs()
    assert {(partition, status) for _, partition, status in by_hand} == {(BEFORE.isoformat(), "SUCCESS")}
    with reading_the_ledger(town):
        town.leap_to(at(FIRST, 17, 0, 35))
        town.start_the_daemon()
        a_day_that_nobody_touches(town)
        calm = [(job, FIRST.isoformat(), "SUCCESS") for job in ("daily_out", "daily_in", "daily_watch")]
        assert town.runs() == [*by_hand, *calm]
        assert not town.alerts.exists()
        all_is_well(town, FIRST)
        a_day_in_which_it_is_killed(town)
        town.answer(SECOND, minutes_ago=10)
        town.until_run("daily_in", SECOND)
        second = (("daily_out", "FAILURE"), ("daily_out", "SUCCESS"), ("daily_in", "SUCCESS"))
        assert town.runs() == [*by_hand, *calm, *((job, SECOND.isoformat(), status) for job, status in second)]
        all_is_well(town, SECOND)
