"""Waits for what other processes do."""

from __future__ import annotations

import fcntl
from pathlib import Path

from tests.support.servers import wait_until

PATIENCE = 12  # × 10 s of looking: a daemon and a run each import everything, on a busy machine


def eventually(ready, what: str) -> None:  # type: ignore[no-untyped-def]
    for attempt in range(PATIENCE):
        try:
            wait_until(ready, what)
            return
        except AssertionError:
            if attempt == PATIENCE - 1:
                raise


def locked(path: Path) -> bool:
    with path.open("r+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
