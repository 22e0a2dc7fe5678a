"""What a person who waits sees: each pause before a server is tried again, what runs, and that there was nothing to do."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipelines.cli import main
from tests.support.village import Village

DAY = "2026-04-01"
IN, BOTH = ("run", "daily", "--date", DAY, "--only", "in"), ("run", "daily", "--date", DAY)
RENKEI = str(Path(sys.executable).with_name("renkei"))


def renkei(village: Village, *arguments: str) -> Result:
    result = CliRunner(env={"RENKEI_SETTINGS": str(village.settings_path), "DAGSTER_HOME": None}).invoke(
        main, arguments
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def dead(village: Village, first_pause_seconds: float) -> None:
    """Nobody answers at the server's port, which the settings try three times."""
    village.settings(
        f"port = {village.server.port}", f"port = 1\nattempts = 3\nfirst_pause_seconds = {first_pause_seconds}"
    )


def test_a_dead_server_is_waited_for_once_in_a_command_and_each_pause_is_told(village: Village) -> None:
    village.add(1, 1)
    village.extract(dt.date.fromisoformat(DAY))
    dead(village, 0.02)
    result = renkei(village, *BOTH)
    assert result.exit_code == 2
    pauses = re.findall(
        r"^KR-6213 (\d/\d) 回目の接続に失敗しました。([\d.]+)秒後に再試行します", result.stderr, re.MULTILINE
    )
    assert pauses == [("1/3", "0.02"), ("2/3", "0.04")]
    refusals = [line for line in result.stderr.splitlines() if line.startswith("KR-6205 ")]
    assert len(refusals) == 2, "receiving and sending each say why they stopped"


def test_the_next_command_waits_again(village: Village) -> None:
    dead(village, 0.02)
    for _ in range(2):
        assert renkei(village, *IN).stderr.count("KR-6213") == 2


def test_nothing_to_receive_is_said(village: Village) -> None:
    result = renkei(village, *IN)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "連合会のフォルダに、受け取るファイルはありません\n"


def on_a_terminal(settings: Path, *arguments: str, columns: int = 60) -> tuple[int, str]:
    """Exit status, and everything that a terminal of some columns gets, without a locale and without colours."""
    child, screen = pty.fork()
    if child == 0:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "DAGSTER"))}
        more = {"RENKEI_SETTINGS": str(settings), "TERM": "xterm", "LANG": "C", "NO_COLOR": "1"}
        os.execve(RENKEI, [RENKEI, *arguments], kept | more)  # noqa: S606  a process of its own, as at a terminal
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    while True:
        try:
            part = os.read(screen, 4096)
        except OSError:  # the child has ended, and the terminal with it
            break
        shown += part
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode("utf-8")


def test_a_terminal_of_60_columns_shows_what_runs_and_for_how_long(village: Village) -> None:
    dead(village, 1.5)
    status, shown = on_a_terminal(village.settings_path, *IN)
    assert status == 2
    moving = re.findall(r"[-\\|/] 0:00:\d\d ([^\r\n\x1b]*)", shown)
    assert f"受領 {DAY}" in {text.strip() for text in moving}
    assert "\x1b[3" not in shown
    assert shown.endswith(("\x1b[2K", "\x1b[?25h"))
    plain = re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", shown)
    seen = [line for line in re.split(r"[\r\n]+", plain) if "KR-6213" in line]
    assert len(seen) == 2
    assert all(line.startswith("KR-6213 ") for line in seen), "a message stands on a line of its own"


def test_where_nobody_looks_nothing_moves(village: Village) -> None:
    dead(village, 1.5)
    result = renkei(village, *IN)
    assert "\x1b" not in result.output
    assert "0:00:" not in result.output


@pytest.mark.parametrize("option", ["--help"])
def test_a_quick_command_shows_no_progress(village: Village, option: str) -> None:
    status, shown = on_a_terminal(village.settings_path, "ledger", "list", option)
    assert (status, "0:00:" in shown) == (0, False)
