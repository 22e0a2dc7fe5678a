"""What may be told of an error that is not ours: its kind and place. Its text may hold a row, and is never told."""

from __future__ import annotations

import logging
import os
import traceback
from typing import Any

from pipelines.storage.files import LOCAL_DISK_FAULTS


def outline(error: BaseException | None) -> str:
    """The kinds of an error and of those that caused it, each with its places in the code, innermost cause last."""
    lines: list[str] = []
    while error is not None:
        lines.append(type(error).__name__)
        lines += [f"  {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


DAGSTERS_LOGGER = "dagster.redacted_errors"  # to which Dagster gives the errors that it masks (dagster.md 3)


def tell_outlines(handler: logging.Handler) -> None:
    """From now on the errors that Dagster masks go to this handler alone, as outlines."""
    logger = logging.getLogger(DAGSTERS_LOGGER)
    for other in list(logger.handlers):
        logger.removeHandler(other)
    handler.setFormatter(OutlineFormatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False


def mask_errors() -> None:
    """From now on Dagster stores an id only of an error that is not ours (dagster.md 3); the outline goes to standard error.

    Until a deployment is opened, which has a file for it.
    """
    os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")
    tell_outlines(logging.StreamHandler())


def is_disk_fault(error: BaseException | None) -> bool:
    """Whether our own disk is to blame, for the error or one that caused it: no room, or not to be written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in LOCAL_DISK_FAULTS:
            return True
        error = error.__cause__ or error.__context__
    return False


class OutlineFormatter(logging.Formatter):
    """Formats log records with the outline of their error in place of its text."""

    def formatException(self, ei: Any) -> str:
        """See `outline`."""
        return outline(ei[1])
