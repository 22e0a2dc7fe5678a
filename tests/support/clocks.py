"""A clock that a test sets, for real processes that are started under it: Debian's faketime, set by a file.

The processes' own waiting is real; what they see as the time of day is the true one and a difference, which they read
again at each look. So a test lets a minute pass at its own pace and skips an hour in an instant.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.processes import Done

TOKYO = dt.timezone(dt.timedelta(hours=9))
DESK = Path(__file__).with_name("desk.py")
TRACKER = "multiprocessing.resource_tracker"
ENDS_SECONDS = 30.0
_SESSION = 3  # field of /proc/PID/stat after the name
# faketime 0.9.10 (Debian 12) and Python 3.11 do not agree about clock_nanosleep when only the time of day is faked.
SLEEP = """
import select
import time

def sleep(seconds):
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)

time.sleep = sleep
"""


class Clock:
    """The time of day in Asia/Tokyo, as every process started by `start` sees it. `faketime`: the program."""

    def __init__(self, folder: Path, faketime: Path, instant: dt.datetime) -> None:
        folder.mkdir()
        self._faketime, self._difference = faketime, folder / "difference"
        (folder / "sitecustomize.py").write_text(SLEEP, encoding="utf-8")
        self._more = {
            "FAKETIME_TIMESTAMP_FILE": str(self._difference),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(folder),
        }
        self.set(instant)

    def set(self, instant: dt.datetime) -> None:
        """Now it is `instant`, and time goes on from there."""
        self._seconds = instant.timestamp() - time.time()
        new = self._difference.with_suffix(".new")
        new.write_text(f"{self._seconds:+.3f}\n", encoding="ascii")
        new.replace(self._difference)

    def now(self) -> dt.datetime:
        """What it is now."""
        return dt.datetime.fromtimestamp(time.time() + self._seconds, TOKYO)

    def same_second_before(self, instant: dt.datetime) -> dt.datetime:
        """In the minute before `instant`, with the seconds of now: who waits for the next full minute waits for `instant`."""
        now = self.now()
        return instant - dt.timedelta(minutes=1) + dt.timedelta(seconds=now.second, microseconds=now.microsecond)

    def start(self, command: Sequence[object], environment: Mapping[str, str], log: Path | None = None) -> Process:
        """Start a process under this clock, at the head of a session of its own. `log`: what it says is added to it."""
        return Process(
            [str(self._faketime), "-m", "-f", "+0", "env", "-u", "FAKETIME", *map(str, command)],
            {**environment, **self._more},
            log,
        )


class Process:
    """A process under a clock. faketime itself stands before it, and clears up what they share."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path | None) -> None:
        with log.open("ab") if log else contextlib.nullcontext(subprocess.PIPE) as said:
            self._started = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said if log else subprocess.DEVNULL,
                start_new_session=True,
            )

    def ask(self, line: bytes) -> bytes:
        """Say a line to it, and wait for the line that it answers."""
        to_process, from_process = self._started.stdin, self._started.stdout
        assert to_process is not None
        assert from_process is not None
        to_process.write(line + b"\n")
        to_process.flush()
        return from_process.readline()

    def running(self) -> dict[int, list[str]]:
        """The process and those that it started, and those started, by number: their arguments."""
        return {number: said for number, said in _of_session(self._started.pid) if number != self._started.pid}

    def kill(self) -> None:
        """SIGKILL to all that is running, the youngest first. What Python keeps to clear up after the others ends by itself."""
        while numbers := [number for number, said in self.running().items() if TRACKER not in " ".join(said)]:
            for number in sorted(numbers, reverse=True):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        self._started.wait(ENDS_SECONDS)


def _of_session(session: int) -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                if int(fields[_SESSION]) == session and fields[0] != "Z":
                    yield int(folder.name), (folder / "cmdline").read_text(errors="replace").split("\0")


class Desk:
    """Somebody at `renkei`, one command after another, each in a process of its own under the clock."""

    def __init__(self, clock: Clock, environment: Mapping[str, str]) -> None:
        self._process = clock.start([sys.executable, DESK], environment)

    def renkei(self, *arguments: str) -> Done:
        """Run one command to its end."""
        answer = self._process.ask(json.dumps(arguments).encode())
        assert answer, "the desk is gone"
        return Done(**json.loads(answer))

    def close(self) -> None:
        """Nothing more is asked."""
        self._process.kill()
