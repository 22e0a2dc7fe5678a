"""Files and folders that really cannot be changed: the immutable mark for root, whom modes do not stop, else the mode."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def immovable(path: Path) -> Iterator[None]:
    """Nothing of a file, or in a folder, can be changed meanwhile; skipped where the file system knows no such mark."""
    if os.geteuid() == 0:
        marked = subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False)
        if marked.returncode:
            pytest.skip("this file system has no immutable files")
        try:
            yield
        finally:
            subprocess.run(["chattr", "-i", str(path)], check=True)
        return
    kept = path if path.is_dir() else path.parent
    before = kept.stat().st_mode
    kept.chmod(0o500)
    try:
        yield
    finally:
        kept.chmod(before)
