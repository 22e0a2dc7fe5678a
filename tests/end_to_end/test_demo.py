"""`make demo` as a newcomer has it, piped and without a Japanese locale; and then the page's own commands against `make union`."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.paths import ROOT

RENKEI = Path(sys.executable).with_name("renkei")
PLAIN = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "RENKEI_SETTINGS")}
# The last seven business days of 2026-09 and the first of 2026-10.
FIRST, LAST, NEXT = "2026-09-17", "2026-10-01", "2026-10-02"


def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=PLAIN | more, cwd=ROOT, capture_output=True, text=True, check=False)


def renkei(folder: Path, *arguments: str, status: int = 0) -> str:
    done = run(RENKEI, *arguments, RENKEI_SETTINGS=str(folder / "renkei.toml"))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@contextmanager
def union(folder: Path, *options: str) -> Iterator[Path]:
    """`make union` in a process of its own, once it listens; what it prints."""
    log = folder / "union.log"
    with log.open("w", encoding="utf-8") as out:
        command = [sys.executable, "-u", "-m", "fixtures.demo.union", "serve", "--folder", str(folder), *options]
        process = subprocess.Popen(command, env=PLAIN, cwd=ROOT, stdout=out, stderr=out)
        try:
            told(log, "待っています")
            yield log
        finally:
            process.terminate()
            process.wait()


def told(log: Path, wanted: str, seconds: float = 120) -> None:
    """Wait until the Union says something."""
    end = time.monotonic() + seconds
    while wanted not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.2)


def commands_of(page: str) -> list[str]:
    """The lines of the chapter 自分で修復する that are commands."""
    chapter = page.split("自分で修復する</h2>")[1].split("<h2>")[0]
    return [
        unescape(line) for block in re.findall(r"<pre>(.*?)</pre>", chapter, re.DOTALL) for line in block.splitlines()
    ]


@pytest.mark.slow
def test_the_demo_and_what_may_be_done_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    arguments = ("--folder", str(folder), "--first-day", FIRST, "--port", "0")
    done = run(sys.executable, "-m", "fixtures.demo", *arguments, LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stdout + done.stderr
    every_day_has_its_story_and_one_matter_is_left(folder, done.stdout)
    the_page_repairs_the_day_and_the_town_goes_on(folder)
    the_union_misbehaves_when_it_is_told_to(folder)


def every_day_has_its_story_and_one_matter_is_left(folder: Path, said: str) -> None:
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[:13]] == [f"{number}/12" for number in range(13)]
    withheld = [int(count) for count in re.findall(r"要修正 (\d+)世帯", said)]
    assert withheld == [0, 0, 2, 2, 0, 0, 0, 0]
    assert [int(count) for count in re.findall(r"取込 (\d+)件", said)] == [4, 4, 4, 4, 4, 4, 0, 3]
    entries = json.loads(renkei(folder, "ledger", "list", "--json"))
    states = {(entry["partition"], entry["interface"], entry["state"]) for entry in entries}
    assert ("2026-09-25", "eligibility_individual", "rejected") in states
    assert ("2026-09-29", "acquisition_loss_linkage", "rejected") in states  # the half one; the whole one is applied
    assert ("2026-09-29", "acquisition_loss_linkage", "applied") in states
    waiting = json.loads(renkei(folder, "quarantine", "list", "--json"))
    assert [entry["partition"] for entry in waiting] == [LAST]
    assert "不一致 0件" in renkei(folder, "audit", "verify")
    carried = json.loads(renkei(folder, "high-cost", "list", "--month", "2026-09", "--carried", "--json"))
    assert carried
    today = f"{dt.datetime.now(ZoneInfo('Asia/Tokyo')):%Y-%m-%d}"
    missing = json.loads(renkei(folder, "expected", "--on", today, "--json", status=1))
    assert [(row["code"], row["partition"]) for row in missing] == [("KR-6504", LAST)]
    for link in re.findall(r'href="([^"]+)"', (folder / "ここから.html").read_text(encoding="utf-8")):
        assert link.startswith("http") or (folder / unescape(link)).exists(), link


def the_page_repairs_the_day_and_the_town_goes_on(folder: Path) -> None:
    page = (folder / "ここから.html").read_text(encoding="utf-8")
    commands = commands_of(page)
    assert commands[0].startswith("make -C ") and commands[0].endswith(" union")
    redeliver = (sys.executable, "-m", "fixtures.demo.union", "redeliver", "--folder", folder, "--date")
    settings = ""
    with union(folder) as log:
        for command in commands[1:]:
            if command.startswith("export "):
                settings = command.removeprefix("export RENKEI_SETTINGS=").strip("'")
                continue
            if command.startswith("make "):
                done = run(*redeliver, command.split(" redeliver DATE=")[1])
            else:
                done = run("bash", "-c", command, RENKEI_SETTINGS=settings)
            assert done.returncode in ((0, 1) if " expected" in command else (0,)), (command, done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout  # the last one: nothing is missing any more
        assert json.loads(renkei(folder, "quarantine", "list", "--json")) == []

        assert run(sys.executable, "-m", "fixtures.demo.union", "next-day", "--folder", folder).returncode == 0
        assert "送付: 送付済み" in renkei(folder, "run", "daily", "--date", NEXT, "--only", "out")
        told(log, f"{NEXT} の分に答えました")
        assert renkei(folder, "run", "daily", "--date", NEXT, "--only", "in").count("取込済み") == 4


def the_union_misbehaves_when_it_is_told_to(folder: Path) -> None:
    with union(folder, "--misbehave", "wrong_count") as log:
        said = run(sys.executable, "-m", "fixtures.demo.union", "next-day", "--folder", folder).stdout
        day = said.split()[0]
        renkei(folder, "run", "daily", "--date", day, "--only", "out")
        told(log, f"{day} の分に答えました")
        assert "隔離中" in renkei(folder, "run", "daily", "--date", day, "--only", "in", status=1)
