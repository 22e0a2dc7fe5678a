"""Runs a command, or a piece of Python, and keeps what every file contained that it wrote: also a file that lives for a moment.

A program of its own (`python watched.py EVIDENCE [renkei arguments | -c code]`). Python announces every opening, renaming,
removal and truncation before it happens (audit events). At each of them, and at the end, this reads again whatever has
changed of the files written so far; a file that is removed is kept open and read again. So no content that was ever
under a name, or in a file without one, is gone before it was read. Files that other than Python code writes (SQLite's)
are read at the end.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import stat
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Events before which a file may lose its content, with the positions of the paths.
LOSING = {"os.remove": (0,), "os.rename": (0, 1), "os.truncate": (0,)}
PROCESSES = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system")
LOG = "seen.json"


@dataclass(frozen=True)
class Seen:
    """What was seen: the content of every file at every moment by its path, and what escapes this kind of watching."""

    contents: dict[bytes, set[str]]
    escaped: list[str]


class Watch:
    """An audit hook that keeps contents below `evidence`."""

    def __init__(self, evidence: Path) -> None:
        self._evidence = str(evidence)
        self._within = threading.local()
        self._lock = threading.RLock()
        self._last: dict[str, tuple[int, int, int]] = {}
        self._removed: list[tuple[str, int]] = []
        self.paths: dict[str, set[str]] = {}
        self.escaped: list[str] = []

    def __call__(self, name: str, arguments: tuple[Any, ...]) -> None:
        if getattr(self._within, "looking", False):
            return
        self._within.looking = True
        try:
            with self._lock:
                self._heard(name, arguments)
        finally:
            self._within.looking = False

    def _heard(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in PROCESSES:
            self.escaped.append(f"{name} {arguments[0]}")
        elif name == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
            self._look_at_all()
            if isinstance(arguments[0], str | bytes | os.PathLike):
                self._opened(_absolute(arguments[0], -1))
        elif name in LOSING:
            self._look_at_all()
            for position in LOSING[name]:
                if not isinstance(arguments[position], int):
                    self._losing(_absolute(arguments[position], arguments[-1]), keep=name == "os.remove")
        elif name.startswith(("os.", "shutil.", "fcntl.", "socket.")):
            self._look_at_all()

    def _opened(self, path: str) -> None:
        if Path(path).is_dir():
            self.escaped.append(f"a file without a name in {path}")
        elif not Path(path).exists() or Path(path).is_file():
            self._last.setdefault(path, (0, 0, 0))
            self._look(path)

    def _losing(self, path: str, *, keep: bool) -> None:
        if Path(path).is_file() and not Path(path).is_symlink():
            self._last.setdefault(path, (0, 0, 0))
            self._look(path)
            if keep:
                self._removed.append((path, os.open(path, os.O_RDONLY)))

    def _look_at_all(self) -> None:
        for path in list(self._last):
            self._look(path)

    def _look(self, path: str) -> None:
        try:
            found = Path(path).stat()
        except OSError:
            return
        state = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stat.S_ISREG(found.st_mode) and state != self._last[path]:
            self._last[path] = state
            handle = os.open(path, os.O_RDONLY)
            self._keep(path, handle)
            os.close(handle)

    def _keep(self, path: str, handle: int) -> None:
        content = os.pread(handle, os.fstat(handle).st_size, 0)
        name = hashlib.sha256(content).hexdigest()
        if name not in self.paths:
            kept = os.open(f"{self._evidence}/{name}", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(kept, content)
            os.close(kept)
        self.paths.setdefault(name, set()).add(path)

    def end(self) -> None:
        """The last look; then what was seen is in the evidence folder."""
        self._within.looking = True
        self._look_at_all()
        for path, handle in self._removed:
            self._keep(path, handle)
        seen = {"paths": {name: sorted(paths) for name, paths in self.paths.items()}, "escaped": self.escaped}
        Path(self._evidence, LOG).write_text(json.dumps(seen), encoding="utf-8")


def _absolute(path: Any, folder: Any) -> str:
    text = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not text.startswith("/"):
        text = f"{os.readlink(f'/proc/self/fd/{folder}')}/{text}"  # noqa: PTH115
    return os.path.abspath(text)  # noqa: PTH100


def seen(evidence: Path) -> Seen:
    """What a watched process left in the evidence folder."""
    seen = json.loads((evidence / LOG).read_text(encoding="utf-8"))
    return Seen({(evidence / name).read_bytes(): set(paths) for name, paths in seen["paths"].items()}, seen["escaped"])


def main(evidence: Path, arguments: list[str]) -> None:
    """Watch, and run."""
    watch = Watch(evidence)
    atexit.register(watch.end)
    sys.addaudithook(watch)
    if arguments[0] == "-c":
        exec(compile(arguments[1], "watched", "exec"), {"__name__": "__main__"})  # noqa: S102  what the test gives
        return
    from pipelines.cli import main as renkei

    renkei(arguments, prog_name="renkei")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
