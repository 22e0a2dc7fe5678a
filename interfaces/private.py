"""Files and folders accessible to their owner alone, whatever the umask of the process. Knows nothing of their content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OWNER_FOLDER, OWNER_FILE, OTHERS = 0o700, 0o600, 0o077


def private_folder(path: Path) -> Path:
    """The folder; it and its parents are created for their owner alone if they do not exist."""
    if not path.is_dir():
        private_folder(path.parent)
        path.mkdir(mode=OWNER_FOLDER, exist_ok=True)
    return path


def open_private(path: Path) -> BinaryIO:
    """A file opened for writing and truncated, readable by its owner alone, even if others could read it before."""
    handle = os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, OWNER_FILE), "wb")
    mode = os.fstat(handle.fileno()).st_mode
    if stat.S_ISREG(mode) and mode & OTHERS:
        os.fchmod(handle.fileno(), OWNER_FILE)
    return handle


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone can read; its folder is created if it does not exist."""
    private_folder(path.parent)
    with open_private(path) as handle:
        handle.write(data)


def close_folder(path: Path) -> None:
    """Remove other accounts' access to a folder that we own; a folder of another account is left as it is."""
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS:
        path.chmod(OWNER_FOLDER)


@contextmanager
def for_owner_alone() -> Iterator[None]:
    """Everything that this process writes within the block, by any code, is readable by its owner alone."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)
