"""The line of `progress` on a terminal, made with rich. Imported only when somebody has waited."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column


class _AboveTheLine(FileProxy):
    """What is printed meanwhile. click takes a stream that names no encoding for a broken one, and writes past it."""

    encoding = "utf-8"
    errors = "strict"


class MovingLine:
    """One line at the bottom, on standard error, until `end`. What goes into a file or a pipe goes there untouched."""

    def __init__(self, text: str) -> None:
        self._console = Console(stderr=True, soft_wrap=True)
        self._progress = Progress(
            SpinnerColumn("line"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            transient=True,
        )
        self._before = sys.stdout, sys.stderr
        self._task = self._progress.add_task(text, total=None)
        sys.stderr = _AboveTheLine(self._console, sys.stderr)
        if sys.stdout.isatty():
            sys.stdout = _AboveTheLine(self._console, sys.stdout)
        self._progress.start()

    def note(self, text: str) -> None:
        """Change the text."""
        self._progress.update(self._task, description=text)

    def end(self) -> None:
        """Remove the line."""
        self._progress.stop()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = self._before
