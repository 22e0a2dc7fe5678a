"""The file of the redacted errors, when it cannot be written itself."""

from __future__ import annotations

import logging

import pytest

from pipelines.exchange.error_redaction import ErrorLog


def test_a_log_that_cannot_be_written_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """The command reports the full disk by its code; logging's own way is a traceback before it."""
    logger = logging.getLogger("test of the error log")
    logger.propagate = False
    full = ErrorLog("/dev/full")
    logger.addHandler(full)
    try:
        logger.error("合成")
    finally:
        logger.removeHandler(full)
        full.stream = None  # type: ignore[assignment]  # closing it would try to write what is left
    assert capfd.readouterr().err == ""
