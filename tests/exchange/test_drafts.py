"""Drafts hold 個人番号: they are gone with their block, and those of a killed process with the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.exchange.lock import drafts

HOLDING = """
import sys, time
from pathlib import Path
from pipelines.exchange.lock import drafts
with drafts(Path(sys.argv[1])) as folder:
    (folder / "secret").write_text("123456789018")
    print("ready", flush=True)
    time.sleep(60)
"""


def files(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "drafts").rglob("*") if path.is_file())


def test_a_draft_is_gone_with_its_block(tmp_path: Path) -> None:
    with drafts(tmp_path) as folder:
        (folder / "a").write_text("x", encoding="utf-8")
        assert folder.stat().st_mode & 0o077 == 0
    assert files(tmp_path) == []
    with pytest.raises(ZeroDivisionError), drafts(tmp_path) as folder:
        (folder / "a").write_text("x", encoding="utf-8")
        raise ZeroDivisionError
    assert files(tmp_path) == []


def test_what_a_killed_process_left_is_removed_by_the_next_and_the_living_are_spared(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", HOLDING, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        assert files(tmp_path).count("secret") == 2
        with drafts(tmp_path):
            assert files(tmp_path).count("secret") == 1
        processes[1].send_signal(signal.SIGKILL)
        processes[1].wait()
        with drafts(tmp_path):
            assert "secret" not in files(tmp_path)
    finally:
        for process in processes:
            process.kill()
            process.wait()
