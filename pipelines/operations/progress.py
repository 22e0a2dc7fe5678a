"""What a command is doing, on the terminal of the person who waits: after two seconds, and never where nobody looks.

On standard error, so that the output of a command stays what it is; removed when the command is done.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_SECONDS = 2.0
_shown: list[_Display] = []


class _Display:
    """One line that moves: what is done, and for how long."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(QUIET_SECONDS, self._start)
        self._timer.daemon = True
        self._timer.start()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        with self._lock:
            if self._ended:
                return
            self._progress = Progress(
                SpinnerColumn("line"),
                TimeElapsedColumn(),
                text,
                console=Console(stderr=True),
                transient=True,
                # What goes into a file or a pipe goes there untouched.
                redirect_stdout=sys.stdout.isatty(),
            )
            self._task = self._progress.add_task(self._text, total=None)
            self._progress.start()

    def note(self, text: str) -> None:
        """What is being done now."""
        with self._lock:
            self._text = text
            if self._progress is not None and self._task is not None:
                self._progress.update(self._task, description=text)

    def end(self) -> None:
        """Remove the line."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._progress is not None:
                self._progress.stop()


@contextmanager
def working(text: str) -> Iterator[None]:
    """Meanwhile the person at the terminal sees `text`, or what `note` says, and how long it has taken."""
    if _shown or not sys.stderr.isatty():
        yield
        return
    display = _Display(text)
    _shown.append(display)
    try:
        yield
    finally:
        _shown.remove(display)
        display.end()


def note(text: str) -> None:
    """Say what is being done now, if somebody looks."""
    for display in _shown:
        display.note(text)
