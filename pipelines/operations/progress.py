"""What a command is doing, on the terminal of the person who waits: after two seconds, and never where nobody looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.operations.moving_line import MovingLine

QUIET_SECONDS = 2.0
_shown: list[_Progress] = []


class _Progress:
    """The text, and the line that shows it once somebody has waited."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line: MovingLine | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(QUIET_SECONDS, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        from pipelines.operations.moving_line import MovingLine

        with self._lock:
            if not self._ended:
                self._line = MovingLine(self._text)

    def note(self, text: str) -> None:
        with self._lock:
            self._text = text
            if self._line is not None:
                self._line.note(text)

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._line is not None:
                self._line.end()


@contextmanager
def working(text: str) -> Iterator[None]:
    """Meanwhile the person at the terminal sees `text`, or what `note` says, and how long it has taken."""
    if _shown or not sys.stderr.isatty():
        yield
        return
    progress = _Progress(text)
    _shown.append(progress)
    try:
        yield
    finally:
        _shown.remove(progress)
        progress.end()


def note(text: str) -> None:
    """Say what is being done now, if somebody looks."""
    for progress in _shown:
        progress.note(text)
