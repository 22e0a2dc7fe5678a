"""How fast `renkei status` looks at a deployment of a year: its ledger and its 要修正 lists, without the files.

`python -m bench.year` measures it alone.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from fixtures.prefecture import MUNICIPALITIES
from pipelines.configuration.calendar import business_days, tokyo_now
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import OutboundFacts
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import EntryState
from pipelines.tables.eligibility import WithheldPeople
from pipelines.transfer.baseline import SENT_FILES

DAYS, ENTRIES_A_DAY, WITHHELD = 250, 12, 40
LOOKS = 5
OURS = MUNICIPALITIES[0]
SETTINGS = (
    f'municipality_code = "{OURS.code}"\ninsurer_number = "{OURS.insurer_number}"\nprefecture_code = "99"\n'
    'data_folder = "data"\nextract_folder = "extracts"\noperator = "計測"\n'
)


def status_seconds() -> tuple[float, float]:
    """The best of some looks at a deployment of a year, each a process of its own: seconds, and seconds of the processor."""
    with tempfile.TemporaryDirectory() as name:
        year_of_days(Path(name) / "year").ledger.close()
        environment = os.environ | {"RENKEI_SETTINGS": str(Path(name) / "year" / "renkei.toml")}
        command = [str(Path(sys.executable).with_name("renkei")), "status"]
        looks = []
        for _ in range(LOOKS):
            before, start = os.times(), time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            after = os.times()
            if done.returncode not in (0, 1):
                raise RuntimeError(done.stderr.decode())
            processor = sum(after[2:4]) - sum(before[2:4])
            looks.append((time.perf_counter() - start, processor))
    return min(look[0] for look in looks), min(look[1] for look in looks)


def year_of_days(folder: Path) -> Environment:
    """A deployment whose last 250 business days before today were sent and answered: 3,000 entries."""
    today = tokyo_now().date()
    days = list(business_days(today - dt.timedelta(days=400), today))[-DAYS:]
    folder.mkdir(parents=True)
    (folder / "extracts").mkdir()
    settings = folder / "renkei.toml"
    settings.write_text(f"first_day = {days[0]}\n{SETTINGS}", encoding="utf-8")
    environment = Environment.open(Settings.load(settings))
    answers = environment.catalogue.of_cycle("daily", "from_union")
    names = [answers[number % len(answers)] for number in range(ENTRIES_A_DAY - len(SENT_FILES))]
    with environment.recorder().transaction() as work:
        for day in days:
            for interface in SENT_FILES:
                _sent(work, interface, day)
            for number, interface in enumerate(names):
                _applied(work, interface, day, number)
    for day in days:
        environment.store.write("withheld_list", day.isoformat(), _withheld())
    return environment


def _sent(work: Recorder, interface: str, day: dt.date) -> None:
    facts = OutboundFacts(interface, day, f"{interface}_{day:%Y%m%d}_000001.csv", "0" * 64, 1, 100)
    entry = work.create_outbound_entry(facts)
    for state in ("sending", "uploaded", "sent", "accepted"):
        entry = work.transition(entry, EntryState(state))


def _applied(work: Recorder, interface: str, day: dt.date, number: int) -> None:
    entry = work.create_inbound_entry(f"{interface}_{day:%Y%m%d}_{number:06d}.csv")
    entry = work.transition(entry, EntryState.CLAIMED)
    entry = work.transition(entry, EntryState.RECEIVED, sha256=f"{day:%Y%m%d}{number:056d}", size=1)
    entry = work.transition(entry, EntryState.VERIFIED, interface=interface, partition=day, records=100)
    work.transition(entry, EntryState.APPLIED)


def _withheld() -> pl.DataFrame:
    rows = [
        {
            "resident_number": f"{number:015d}",
            "household_number": f"{number // 3:015d}",
            "reason": "同じ世帯の人の誤り" if number % 3 else "本人の誤り",
            "codes": [] if number % 3 else ["KR-2001"],
        }
        for number in range(WITHHELD)
    ]
    return pl.concat([WithheldPeople.empty(), pl.DataFrame(rows)], how="diagonal_relaxed")


if __name__ == "__main__":
    print("renkei status: {:.2f} s, {:.2f} s of the processor".format(*status_seconds()))
