"""Commands run by an account whose umask removes no permission, and a look at every file and folder that appeared."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


class Seen:
    """What was below a folder when it was looked at first. `apart`: what others write, which is ignored."""

    def __init__(self, folder: Path, *apart: Path) -> None:
        self.folder, self._apart = folder, apart
        self._before = set(self._all())

    def _all(self) -> list[Path]:
        return [
            path for path in self.folder.rglob("*") if not any(other in (path, *path.parents) for other in self._apart)
        ]

    def appeared(self) -> list[Path]:
        """Files and folders that were not there."""
        return sorted(path for path in set(self._all()) - self._before if path.exists())

    def open_to_others(self) -> dict[str, str]:
        """Those of them that are not their owner's alone, with their modes."""
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in self.appeared()}
        wrong = {path: mode for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)}
        return {path.relative_to(self.folder).as_posix(): f"{mode:o}" for path, mode in wrong.items()}


def renkei(umask: int, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own under a umask."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        env={**os.environ, **environment},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        cwd=environment.get("RENKEI_SETTINGS") and str(Path(environment["RENKEI_SETTINGS"]).parent),
    )
