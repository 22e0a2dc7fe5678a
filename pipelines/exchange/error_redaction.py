"""Redaction of unexpected errors to their kind and place: the text of an error may contain a row and is never shown."""

from __future__ import annotations

import logging
import os
import sqlite3
import traceback
from typing import Any

from pipelines.storage.files import LOCAL_DISK_FAULTS


def redacted_traceback(error: BaseException | None) -> str:
    """The type of an error and of its causes, each with its places in the code, innermost cause last."""
    lines: list[str] = []
    while error is not None:
        lines.append(type(error).__name__)
        lines += [f"  {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


# Full, cannot write, cannot open: what a full or read-only disk makes of a statement.
SQLITE_DISK_FAULTS = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
)
DAGSTER_ERROR_LOGGER = "dagster.redacted_errors"  # Dagster logs the errors that it masks here (D-021)


def redirect_error_log(handler: logging.Handler) -> None:
    """Send the errors that Dagster masks to this handler alone, as redacted tracebacks."""
    logger = logging.getLogger(DAGSTER_ERROR_LOGGER)
    for other in list(logger.handlers):
        logger.removeHandler(other)
    handler.setFormatter(RedactedTracebackFormatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False


def mask_errors() -> None:
    """From now on Dagster stores an id only of an error that is not ours (D-021); the redacted one goes to standard error.

    Until a deployment is opened, which has a file for it.
    """
    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    redirect_error_log(logging.StreamHandler())


def is_disk_fault(error: BaseException | None) -> bool:
    """Whether the error or one of its causes is a fault of our own disk: full, or not writable.

    Dagster's records are databases of SQLite on that disk, and say it in a way of their own.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in LOCAL_DISK_FAULTS:
            return True
        if isinstance(error, sqlite3.Error) and _primary_code(error) in SQLITE_DISK_FAULTS:
            return True
        error = error.__cause__ or error.__context__
    return False


def _primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's result code without its extension; None when the error is not SQLite's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


class ErrorLog(logging.FileHandler):
    """The file of the redacted errors. That it cannot be written is no news: the run says what its disk lacks (KR-6211)."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing; logging's own way is a traceback on standard error."""


class RedactedTracebackFormatter(logging.Formatter):
    """Formats log records with the redacted traceback of their error instead of its text."""

    def formatException(self, ei: Any) -> str:
        """See `redacted_traceback`."""
        return redacted_traceback(ei[1])
