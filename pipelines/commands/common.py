"""What all commands share: how an error is told, the options that recur, where settings come from. No command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from interfaces.catalogue import DEFAULT_ROOT
from interfaces.messages import RenkeiError
from pipelines.exchange.words import required_reason
from pipelines.settings import Settings
from pipelines.unexpected import is_disk_fault, outline

if TYPE_CHECKING:
    from pipelines.environment import Environment

# Exit status: 0 done or valid, 1 findings of level file or record (or faults), 2 could not be done or judged.
FAULTS, NOT_DONE = 1, 2
SHOWN = 50  # lines: a screenful; the workbook or the report holds the rest
Function = TypeVar("Function", bound=Callable[..., Any])

DATE = click.DateTime(formats=["%Y-%m-%d"])
MONTH = click.DateTime(formats=["%Y-%m"])
DAY_OPTION = click.option("--date", "date", type=DATE, required=True, help="処理年月日")
MONTH_OPTION = click.option("--month", "month", type=MONTH, required=True, help="年月 YYYY-MM")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="JSON で出力する")
BY = click.option("--by", help="操作者（既定: 設定の operator）")


def checked_reason(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """A reason that the ledger may keep, before anything is done because of it."""
    try:
        return None if text is None else required_reason(text)
    except RenkeiError as error:
        raise click.UsageError(error.for_people()) from None


REASON = click.option("--reason", required=True, callback=checked_reason, help="理由（台帳に残る）")


def speaks_to_people(command: Function) -> Function:
    """A RenkeiError becomes its sentence and remedy on standard error, and exit status 2; never a traceback.

    Of any other error only kind and place are told (KR-7701): its text may hold a row.
    """

    @wraps(command)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except RenkeiError as error:
            click.echo(error.for_people(), err=True)
            sys.exit(NOT_DONE)
        except click.ClickException:
            raise
        except Exception as error:
            if is_disk_fault(error):
                click.echo(RenkeiError("KR-6211", name="処理の結果").for_people(), err=True)
                sys.exit(NOT_DONE)
            click.echo(f"{RenkeiError('KR-7701').for_people()}\n{outline(error)}", err=True)
            sys.exit(NOT_DONE)

    return guarded  # type: ignore[return-value]


def environment_of_settings() -> Environment:
    """The deployment that the settings describe. Raises KR-6001 when there are none."""
    from pipelines.environment import Environment

    return Environment.open(Settings.load())


def operator(environment: Environment, by: str | None) -> str:
    """Who does it: the name given, else that of the settings."""
    return by or environment.settings.operator


def catalogue_root() -> Path:
    """The settings' catalogue when there are settings, else the embedded one: spec commands need no deployment."""
    try:
        return Settings.load().catalogue_folder or DEFAULT_ROOT
    except RenkeiError as error:
        if error.code == "KR-6001":
            return DEFAULT_ROOT
        raise


def say_json(value: Any) -> None:
    """Print one JSON value; dates as ISO 8601, Japanese as it is."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
