"""Files and folders for their owner alone, whatever the umask of the process is. Nothing here knows what is in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OWNER_FOLDER, OWNER_FILE, OTHERS = 0o700, 0o600, 0o077


def private_folder(path: Path) -> Path:
    """The folder; it and the folders above it are made for their owner alone where they are not there yet."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=OWNER_FOLDER, exist_ok=True)
    return path


def open_private(path: Path) -> BinaryIO:
    """A file opened for writing anew, readable by its owner alone; also one that others could read before."""
    handle = os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, OWNER_FILE), "wb")
    mode = os.fstat(handle.fileno()).st_mode
    if stat.S_ISREG(mode) and mode & OTHERS:
        os.fchmod(handle.fileno(), OWNER_FILE)
    return handle


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone can read, in a folder that is made where it is not there yet."""
    private_folder(path.parent)
    with open_private(path) as handle:
        handle.write(data)


def close_folder(path: Path) -> None:
    """A folder of ours that somebody else made is closed to others; another account's is left as it is."""
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS:
        path.chmod(OWNER_FOLDER)


@contextmanager
def for_owner_alone() -> Iterator[None]:
    """What this process writes meanwhile, whoever's code writes it, is readable by its owner alone."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)
