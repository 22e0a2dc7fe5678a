"""One process at a time in a data folder, and folders that die with their process. Who needs them decides for himself."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from interfaces.messages import RenkeiError
from interfaces.private import private_folder
from pipelines.exchange.files import wait_for_lock


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
    with _door(data_folder):
        base = _base(data_folder)
        for left in base.iterdir():
            _remove_if_orphaned(left)
        folder = Path(tempfile.mkdtemp(dir=base))
        handle = os.open(folder / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        with _door(data_folder):
            shutil.rmtree(folder)
            os.close(handle)
            if base.is_symlink() and not any(base.iterdir()):
                memory = base.resolve()
                base.unlink()
                memory.rmdir()


@contextmanager
def _door(data_folder: Path) -> Iterator[None]:
    """One at a time: nobody takes a folder that is just being made for an orphan. KR-6021."""
    lock = private_folder(data_folder) / ".drafts.lock"
    handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        wait_for_lock(handle, lock)
        yield
    finally:
        os.close(handle)


# Drafts hold personal data in plain form: they lie in memory where there is such a file system, and never on a disk.
_MEMORY = Path("/dev/shm")  # noqa: S108  only a private folder in it is used


def _base(data_folder: Path) -> Path:
    """`drafts` in the data folder: a link to a private folder in memory, or a folder where the system has none."""
    base = data_folder / "drafts"
    if base.is_dir() and base.stat().st_uid == os.geteuid():
        return base
    if not os.access(_MEMORY, os.W_OK):
        return private_folder(base)
    # One name is enough, because the door is ours; what a killed process left under it is found here.
    link = data_folder / ".drafts.new"
    if link.is_symlink():
        with suppress(OSError):
            link.resolve().rmdir()
        link.unlink()
    link.symlink_to(tempfile.mkdtemp(prefix="renkei-", dir=_MEMORY))
    link.replace(base)
    return base


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
