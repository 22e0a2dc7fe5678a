"""Which KR- codes the suite provoked at a public entry point: what commands print, what Dagster shows of its runs, letters, files.

A whole run fails when a code of the catalogue was never seen there, and names it. A run of some tests only says nothing.
Nothing counts that people do not see: no exception, and no code that `renkei explain` was asked for.
"""

from __future__ import annotations

import functools
import os
import re
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster._core.events.log import EventLogEntry

from fixtures.torture import town
from interfaces.messages import messages
from tests.support import processes

CODE = re.compile(r"KR-\d{4}")
ENCYCLOPEDIA = "explain"  # prints any code that it is asked for; what it refuses is its own
# Options with which pytest runs some of the tests, or none; `make test` is whole, and its choice of marks no selection.
MAKE_TEST = "not slow"
SELECTIONS = (
    "keyword",
    "lf",
    "stepwise",
    "maxfail",
    "deselect",
    "ignore",
    "ignore_glob",
    "collectonly",
    "setuponly",
)
BOOKS, PAGES = ".xlsx", (".html", "alerts.log")
LARGEST_PART_BYTES = 10_000_000  # of a workbook; only hostile ones, which the tests make, have larger ones


class Provoked:
    """Watches the entry points during a run, gathers the codes of all workers, and names those that a whole run missed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_poor = False
        self.seen: set[str] = set()
        self._watch()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker is done: its codes are ours."""
        self.seen |= set(getattr(node, "workeroutput", {}).get("provoked", ()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that needs a program which this machine lacks may be the only one to provoke a code."""
        self._is_poor |= report.skipped

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A worker hands its codes over; a whole run that missed a code fails."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["provoked"] = sorted(self.seen)
        elif exitstatus == pytest.ExitCode.OK and self._is_whole() and self.missing() and not self._is_poor:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """The codes that no test provoked, by name."""
        is_run = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if is_run and self._is_whole() and self.missing():
            terminalreporter.section("codes that no test provokes at a public entry point", red=True)
            terminalreporter.write_line(" ".join(self.missing()))
            if self._is_poor:
                terminalreporter.write_line("(tests were skipped: they may be those that provoke them)")

    def missing(self) -> list[str]:
        """The codes of the catalogue that were not seen."""
        return sorted(set(messages()) - self.seen)

    def look_into(self, folder: Path) -> None:
        """The workbooks, pages and alerts that the program left for people below a folder."""
        for place, _, names in os.walk(folder):
            for path in (Path(place, name) for name in names):
                if path.is_symlink() or not path.is_file():  # a link to a device, of which reading has no end
                    continue
                if path.suffix == BOOKS:
                    self._hear(*_parts(path))
                elif path.name.endswith(PAGES):
                    self._hear(path.read_text(encoding="utf-8", errors="replace"))

    def _is_whole(self) -> bool:
        option = self._config.option
        chosen = any(getattr(option, name, None) for name in SELECTIONS) or option.markexpr not in ("", MAKE_TEST)
        return not chosen and self._config.args_source is pytest.Config.ArgsSource.TESTPATHS

    def _hear(self, *texts: str | bytes | None) -> None:
        for text in texts:
            said = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
            self.seen |= set(CODE.findall(said))

    def _watch(self) -> None:
        def invoked(result: Result, *arguments: Any, **named: Any) -> None:
            asked = named.get("args") or (arguments[2] if len(arguments) > 2 else ())
            self._hear(result.stderr, None if _answers(asked, result.exit_code) else result.stdout)

        def communicated(streams: tuple[Any, Any], process: subprocess.Popen[Any], *_: Any, **__: Any) -> None:
            out, err = streams
            self._hear(err, None if _answers(process.args, process.returncode) else out)

        def ended(done: processes.Done, *_: Any) -> None:
            self._hear(done.stdout, done.stderr)

        def answered(answers: list[town.Answer], *_: Any) -> None:
            self._hear(*(text for answer in answers for text in (answer.out, answer.err)))

        def recorded(_: None, _instance: dg.DagsterInstance, event: EventLogEntry, **__: Any) -> None:
            self._hear(*_shown(event))

        def delivered(_: object, _server: smtplib.SMTP, letter: Any, *__: Any, **___: Any) -> None:
            self._hear(letter["Subject"], letter.get_content())

        _after(CliRunner, "invoke", invoked)
        _after(subprocess.Popen, "communicate", communicated)
        _after(processes.Started, "end", ended)
        _after(town.Town, "ended", answered)
        _after(dg.DagsterInstance, "handle_new_event", recorded)
        _after(smtplib.SMTP, "send_message", delivered)


def _after(holder: type, name: str, look: Callable[..., None]) -> None:
    """After each call of `holder.name` that gave something, `look` sees what it gave, and the arguments."""
    inner = getattr(holder, name)

    @functools.wraps(inner)
    def looked_at(*arguments: Any, **named: Any) -> Any:
        result = inner(*arguments, **named)
        look(result, *arguments, **named)
        return result

    is_static = isinstance(holder.__dict__.get(name), staticmethod)
    setattr(holder, name, staticmethod(looked_at) if is_static else looked_at)


def _answers(command: Any, status: int) -> bool:
    """Whether this was `renkei explain`, which says what it was asked for."""
    words = [os.fspath(word) for word in command or () if isinstance(word, str | os.PathLike)]
    return status == 0 and ENCYCLOPEDIA in words


def _shown(event: EventLogEntry) -> Iterator[str]:
    """What Dagster's pages show of an event: its message, a check's result, a failure's description, no stack."""
    yield event.user_message
    if event.dagster_event is not None:
        yield str(event.dagster_event.message)
        data = event.dagster_event.event_specific_data
        for name in ("description", "metadata", "user_failure_data"):
            yield str(getattr(data, name, ""))


def _parts(book: Path) -> Iterator[bytes]:
    """The texts of an Excel workbook; nothing of any other file."""
    try:
        with ZipFile(book) as parts:
            for part in parts.infolist():
                if (
                    part.filename.startswith(("xl/sharedStrings", "xl/worksheets/"))
                    and part.file_size < LARGEST_PART_BYTES
                ):
                    yield parts.read(part)
    except (BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        return
