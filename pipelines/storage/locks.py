"""Lock files: one process at a time in a data folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interfaces.messages import RenkeiError
from interfaces.private import private_folder


@contextmanager
def exclusive_lock(data_folder: Path, name: str) -> Iterator[None]:
    """Hold the folder's lock of that name; KR-6114 at once when another process holds it. The kernel frees it on a crash."""
    handle = os.open(private_folder(data_folder) / f".{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RenkeiError("KR-6114", folder=str(data_folder), name=name) from error
        yield
    finally:
        os.close(handle)
