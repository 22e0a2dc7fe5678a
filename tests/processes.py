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
_FORKS.set_forkserver_preload([
    "pipelines.cli", "pipelines.definitions", "pipelines.continuity.monthly",
    "pandera.strategies.base_strategies", "pyarrow.dataset", "sqlalchemy.dialects.sqlite",
])  # fmt: skip


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status (negative: the signal that ended it) and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def renkei(arguments: tuple[str, ...], environment: Mapping[str, str]) -> Done:
    """Run one command to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        names = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
        process = _FORKS.Process(target=_command, args=(list(arguments), dict(environment), *names))
        process.start()
        process.join()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
        return Done(process.exitcode or 0, *texts)


def _command(arguments: list[str], environment: dict[str, str], out: str, err: str) -> None:
    for stream, name in ((sys.stdout, out), (sys.stderr, err)):
        handle = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.dup2(handle, stream.fileno())
        os.close(handle)
    os.environ.clear()
    os.environ.update(environment)
    (command,) = entry_points(group="console_scripts", name="renkei")
    command.load()(arguments, prog_name="renkei")
