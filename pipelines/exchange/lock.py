"""One process at a time in a data folder, and folders that die with their process. Who needs them decides for himself."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interfaces.messages import RenkeiError
from pipelines.exchange.files import private_folder


@contextmanager
def exclusive(data_folder: Path, name: str) -> Iterator[None]:
    """Hold the folder's lock of that name; KR-6114 at once when another holds it. The kernel frees it on a crash."""
    handle = os.open(private_folder(data_folder) / f".{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RenkeiError("KR-6114", folder=str(data_folder), name=name) from error
        yield
    finally:
        os.close(handle)


_OWNER = ".owner"


@contextmanager
def drafts(data_folder: Path) -> Iterator[Path]:
    """A folder of its own for files that nobody else may see; it is gone when the block ends, whatever happens in it.

    What a killed process left behind is removed by the next one: an owner that lives holds a lock in its folder.
    """
    base = private_folder(data_folder / "drafts")
    door = os.open(data_folder / ".drafts.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        # One at a time: nobody takes a folder that is just being made for an orphan.
        fcntl.flock(door, fcntl.LOCK_EX)
        for left in base.iterdir():
            _remove_if_orphaned(left)
        folder = Path(tempfile.mkdtemp(dir=base))
        handle = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    finally:
        os.close(door)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(handle)


def _remove_if_orphaned(folder: Path) -> None:
    try:
        handle = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
    except FileNotFoundError:  # its owner has just removed it
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(handle)
