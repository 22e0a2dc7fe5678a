"""What a run says to people: lines of Dagster's run log, which the command line shows alone.

A line of level warning is for a person to see to; one of level error says that what was asked for was not done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

Listener = Callable[[str, int], None]
QUIET = "quiet"  # the name of the logger in a job's configuration
_listeners: list[Listener] = []


def say(context: dg.AssetExecutionContext, line: str, level: int = logging.INFO) -> None:
    """Write a line into the run's log, and hand it to whoever listens in this process."""
    context.log.log(level, line)
    for listen in _listeners:
        listen(line, level)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Meanwhile `listener` (line, level) gets what the runs of this process say."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def quiet(_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger that prints nothing: a run whose configuration names it stays silent on the console."""
    return logging.Logger(QUIET, logging.CRITICAL + 1)
