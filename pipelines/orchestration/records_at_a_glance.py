"""What `renkei status` needs of Dagster's records, read in milliseconds: importing Dagster would take longer than all else.

Reads the SQLite file that our own home uses (`home`), and no other storage: then nothing is known. `dead_runs` and
`failed_runs` ask Dagster itself.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from pipelines.configuration.calendar import TOKYO
from pipelines.configuration.settings import Settings
from pipelines.operations.status import Runs, Work

OWN_HOME = "dagster_home"
# The daemons without which nothing is sent, received or reported.
_BEATS = """SELECT MIN(timestamp) FROM daemon_heartbeats
 WHERE daemon_type IN ('SENSOR', 'SCHEDULER', 'QUEUED_RUN_COORDINATOR')"""
_NEWEST = """SELECT pipeline_name, partition FROM runs WHERE status = 'FAILURE' AND id IN
 (SELECT MAX(id) FROM runs WHERE partition IS NOT NULL GROUP BY pipeline_name, partition) ORDER BY partition, pipeline_name"""
_WORKING = """SELECT pipeline_name, partition FROM runs WHERE status IN ('STARTING', 'STARTED', 'CANCELING')
 ORDER BY id"""
BUSY_SECONDS = 1.0


def runs_of(settings: Settings) -> Runs | None:
    """What the records say; None when there is no file that can be read (Dagster was never used, or keeps them elsewhere)."""
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_folder / OWN_HOME)
    file = home / "history" / "runs.db"
    if not file.is_file():
        return None if (home / "dagster.yaml").is_file() else Runs(None)
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as records:
            (beat,) = records.execute(_BEATS).fetchone()
            failed = [Work(job, partition) for job, partition in records.execute(_NEWEST)]
            working = [Work(job, partition or "—") for job, partition in records.execute(_WORKING)]
    except sqlite3.Error:
        return None
    return Runs(_time(beat), tuple(failed), tuple(working))


def _time(beat: str | None) -> dt.datetime | None:
    """Dagster writes the time in UTC, without saying so."""
    return None if beat is None else dt.datetime.fromisoformat(beat).replace(tzinfo=dt.UTC).astimezone(TOKYO)
