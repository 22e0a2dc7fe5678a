"""Files on our own disk: hashing, and durable atomic writing (after a crash: the old file or the new one). No ledger here."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final

from interfaces.messages import RenkeiError, reason_of
from interfaces.private import OWNER_FILE, private_folder

CHUNK_BYTES = 1 << 20
# Such a lock is held for moments; a longer wait means that another process hangs.
LOCK_SECONDS = 30.0
_LOOK_SECONDS = 0.05
LOCAL_DISK_FAULTS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def wait_for_lock(handle: int, path: Path) -> None:
    """Lock an open file for this process; KR-6021 when another process does not release it within LOCK_SECONDS."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise RenkeiError("KR-6021", name=path.name, seconds=f"{LOCK_SECONDS:.0f}") from error
            time.sleep(_LOOK_SECONDS)
        else:
            return


def sync(handle: IO[bytes]) -> None:
    """Everything written is on the disk when this returns."""
    handle.flush()
    os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """A rename inside the folder is on the disk when this returns."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_durably(source: Path, target: Path) -> None:
    """Rename a file that is already on the disk, within one file system."""
    private_folder(target.parent)
    source.replace(target)
    sync_folder(target.parent)


def part_of(target: Path) -> Path:
    """The temporary name of a file while it is written."""
    return target.with_name(f".{target.name}.part")


def copy_durably(source: Path, target: Path) -> None:
    """Copy by temporary name, sync and rename; the copy is readable by its owner alone."""
    with source.open("rb") as reader, _replacing(target) as writer:
        shutil.copyfileobj(reader, writer, CHUNK_BYTES)


def write_durably(target: Path, data: bytes) -> None:
    """Write by temporary name, sync and rename; readable by its owner alone."""
    with _replacing(target) as writer:
        writer.write(data)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A temporary file that replaces the target when the block succeeds. Processes with the same target take turns."""
    private_folder(target.parent)
    part = part_of(target)
    with _open_locked(part) as writer:
        writer.truncate()
        yield writer
        sync(writer)
        move_durably(part, target)


def _open_locked(part: Path) -> BinaryIO:
    """The temporary file, opened and locked; opened again if another process renamed it while we waited."""
    while True:
        handle = os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY, OWNER_FILE), "wb")
        try:
            wait_for_lock(handle.fileno(), part)
            if os.path.samestat(os.fstat(handle.fileno()), part.stat()):
                return handle
        except FileNotFoundError:
            pass
        except RenkeiError:
            handle.close()
            raise
        handle.close()


@contextmanager
def erasing(place: str, name: str) -> Iterator[None]:
    """For a block that erases: KR-6606 when the disk or the medium does not allow it."""
    try:
        yield
    except OSError as error:
        raise RenkeiError("KR-6606", place=place, name=name, reason=reason_of(error)) from error


def erase_file(path: Path) -> None:
    """Overwrite the whole file with random bytes on the disk, then remove it."""
    left = path.stat().st_size
    with path.open("r+b") as handle:
        while left > 0:
            left -= handle.write(secrets.token_bytes(min(CHUNK_BYTES, left)))
        sync(handle)
    path.unlink()
    sync_folder(path.parent)
