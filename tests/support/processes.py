"""`renkei` in a process of its own for each command, forked from one that has imported the program already."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

_FORKS = multiprocessing.get_context("forkserver")
# The commands import what they need when they need it; a suite of hundreds of commands would import for minutes.
PRELOADED = [
    "pipelines.cli",
    "pipelines.orchestration.execution",
    "pipelines.commands.running",
    "pipelines.continuity.monthly",
    "pandera.strategies.base_strategies",
    "pyarrow.dataset",
    "sqlalchemy.dialects.sqlite",
]
_FORKS.set_forkserver_preload(PRELOADED)


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status (negative: the signal that ended it) and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Started:
    """A command at work."""

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._files = [tempfile.TemporaryFile() for _ in ("out", "err")]  # noqa: SIM115  `end` closes them
        names = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in self._files]
        self._process = _FORKS.Process(target=run_command, args=(list(arguments), dict(environment), *names))
        self._process.start()

    def signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def works(self) -> bool:
        return self._process.is_alive()

    def end(self, within_seconds: float | None = None) -> Done:
        """Wait for its end. AssertionError, and it is killed, when it does not end in time."""
        self._process.join(within_seconds)
        in_time = not self.works()
        self._process.kill()
        self._process.join()
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode())
            file.close()
        assert in_time, ("it did not end", *texts)
        return Done(self._process.exitcode or 0, *texts)


def renkei(arguments: tuple[str, ...], environment: Mapping[str, str]) -> Done:
    """Run one command to its end."""
    return Started(arguments, environment).end()


def run_command(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    """Be the command: what it prints goes to two files, by name, and it ends this process."""
    for stream, name in ((sys.stdout, out), (sys.stderr, err)):
        handle = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.dup2(handle, stream.fileno())
        os.close(handle)
    os.environ.clear()
    os.environ.update(environment)
    (command,) = entry_points(group="console_scripts", name="renkei")
    command.load()(arguments, prog_name="renkei")
