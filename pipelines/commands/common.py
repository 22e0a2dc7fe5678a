"""Shared by all commands: error messages, common options, loading the settings. No command."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unicodedata import east_asian_width

import click

from interfaces.catalogue import DEFAULT_ROOT
from interfaces.messages import RenkeiError, reason_of
from pipelines.configuration.settings import Settings
from pipelines.exchange.dead_servers import remembering
from pipelines.exchange.error_redaction import is_disk_fault, redacted_traceback
from pipelines.exchange.operator_input import required_reason
from pipelines.operations.progress import working

if TYPE_CHECKING:
    from pipelines.deployment import Environment
    from pipelines.exchange.received_file import ReceivedFile

# Exit status: 0 done or valid, 1 findings of level file or record (or faults), 2 could not be done or judged.
FAULTS, NOT_DONE = 1, 2
SHOWN = 50  # lines: a screenful; the workbook or the report has the rest
WAITING_LOG = "pipelines.exchange.transport"
LOOKING_SECONDS = 5.0  # for listing the Union's folder when a failure does not matter
Function = TypeVar("Function", bound=Callable[..., Any])


class _Calendar(click.DateTime):
    """A day or a month within a sensible range; anything else is an error in Japanese."""

    def __init__(self, form: str, example: str) -> None:
        super().__init__(formats=[form])
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            found = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"「{value}」は日付ではありません。{self._example} の形で書いてください", param, ctx)
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            self.fail(f"{FIRST_YEAR}年から{LAST_YEAR}年までの日付を書いてください", param, ctx)
        return found


FIRST_YEAR, LAST_YEAR = 1900, 2199
DATE = _Calendar("%Y-%m-%d", "2026-04-01")
YEAR_MONTH = _Calendar("%Y-%m", "2026-04")
ENTRY = click.IntRange(1, 2**31 - 1)  # numbers of the ledger
DAY_OPTION = click.option("--date", "date", type=DATE, required=True, help="処理年月日")
MONTH_OPTION = click.option("--month", "month", type=YEAR_MONTH, required=True, help="年月 YYYY-MM")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")
BY = click.option("--by", help="操作者（既定: 設定の operator）")


def checked_reason(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """A reason that the ledger accepts, checked before anything is done."""
    try:
        return None if text is None else required_reason(text)
    except RenkeiError as error:
        raise click.UsageError(error.for_people()) from None


REASON = click.option("--reason", required=True, callback=checked_reason, help="理由（台帳に残る）")


def with_error_messages(command: Function) -> Function:
    """A RenkeiError is printed as message and remedy on standard error, with exit status 2; never a traceback.

    Of any other error only kind and place are printed (KR-7701): its text may contain a row. SIGTERM and SIGINT end the
    command cleanly (KR-7713).
    """

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            here = click.get_current_context().command_path
            with _ended_by_sigterm(), _waiting_told(), remembering(), working(here):
                return command(*arguments, **options)
        except RenkeiError as error:
            click.echo(error.for_people(), err=True)
            sys.exit(NOT_DONE)
        except KeyboardInterrupt:
            click.echo(RenkeiError("KR-7713").for_people(), err=True)
            sys.exit(NOT_DONE)
        except click.ClickException:
            raise
        except BrokenPipeError:  # the reader of the output (`| head`) has closed it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(NOT_DONE)
        except Exception as error:
            if is_disk_fault(error):
                from pipelines.deployment import disk_error

                click.echo(disk_error().for_people(), err=True)
                sys.exit(NOT_DONE)
            click.echo(f"{RenkeiError('KR-7701').for_people()}\n{redacted_traceback(error)}", err=True)
            sys.exit(NOT_DONE)

    return guarded  # type: ignore[return-value]


@contextmanager
def _waiting_told() -> Iterator[None]:
    """Meanwhile what the log says of waiting for the Union's server goes to standard error."""
    handler = _Told(logging.WARNING)
    log = logging.getLogger(WAITING_LOG)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block like SIGINT: everything that was opened is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def environment_of_settings() -> Environment:
    """The deployment of the settings. KR-6001 when there are none."""
    from pipelines.deployment import Environment

    return Environment.open(Settings.load())


def operator(environment: Environment, by: str | None) -> str:
    """The operator: the given name, else that of the settings. An empty name stays empty: the ledger refuses it."""
    return environment.settings.operator if by is None else by


CATALOGUE = click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    help="仕様データのフォルダ（既定: 設定の catalogue_folder、なければ付属のもの）",
)


def catalogue_root(named: Path | None = None) -> Path:
    """The named catalogue, else the settings' one, else the embedded one: spec commands need no deployment."""
    if named is not None:
        return named
    try:
        return Settings.load().catalogue_folder or DEFAULT_ROOT
    except RenkeiError as error:
        if error.code == "KR-6001":
            return DEFAULT_ROOT
        raise


def print_received(received: Sequence[ReceivedFile], word: str = "受領") -> bool:
    """Print the outcome of each file. False when a person must act: quarantined, vanished, or still in the folder."""
    from pipelines.transfer import receiving

    for file in received:
        click.echo(receiving.line(file, word))
    return not any(map(receiving.needs_person, received))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """For writing a report to a path that a person named: KR-6405 when it cannot be written."""
    try:
        yield
    except OSError as error:
        if is_disk_fault(error):
            raise
        raise RenkeiError("KR-6405", name=path.name, reason=reason_of(error)) from error


def padded(text: str, width: int) -> str:
    """A text filled up with spaces to some columns of a terminal, where a Japanese character takes two; negative: on the left."""
    columns = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
    room = " " * max(0, abs(width) - columns)
    return room + text if width < 0 else text + room


def say_json(value: Any) -> None:
    """Print one JSON value; dates as ISO 8601, Japanese as it is."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
