"""Our municipality at its command line, and the world around it, on a real sshd."""

from __future__ import annotations

import datetime as dt
import json
import os
from io import StringIO
from pathlib import Path

import polars as pl

from fixtures.counterpart.misbehaviour import Misbehaviour
from fixtures.counterpart.seals import Seals
from fixtures.world import OURS, World, settings_text
from tests.support.processes import renkei
from tests.support.servers import OpenSshServer

START = dt.date(2026, 4, 1)


FACTS = ["resident_number", "acquired_on", "acquisition_reason", "lost_on", "loss_reason", "applied_on", "ended_on"]


# What makes a file that is quarantined; the command then ends with status 1.
QUARANTINED = {
    Misbehaviour.truncated,
    Misbehaviour.wrong_count,
    Misbehaviour.other_municipality,
    Misbehaviour.with_my_number,
    Misbehaviour.reversed_dates,
}


class Town:
    """Our municipality at its command line, and the world around it."""

    def __init__(
        self, folder: Path, server: OpenSshServer, seed: int, ledger_url: str = "", persons: int = 900
    ) -> None:
        self.settings = folder / "renkei.toml"
        text = settings_text(server.host, server.port, server.user, server.private_key, server.host_key, ledger_url)
        text = text.replace(f'"{OURS.code}/', f'"{server.root}/{OURS.code}/')
        self.settings.write_text(text, encoding="utf-8")
        self.world = World(server.root, folder / "extracts", START, seed, persons)

    def seal(self, folder: Path) -> Path:
        """Both sides hand each other their certificates; from now on files come and go sealed. Gives the Union's."""
        self.renkei("keys", "init")
        self.world.seals = Seals(folder / "union_keys", self.settings.parent / "data" / "keys" / "transfer-1.cert.pem")
        with self.settings.open("a", encoding="utf-8") as handle:
            handle.write(f'[sealing]\npartner_certificates = ["{self.world.seals.certificate_path}"]\n')
        return self.world.seals.certificate_path

    def renkei(self, *arguments: str, status: int = 0) -> str:
        environment = os.environ | {"RENKEI_SETTINGS": str(self.settings)}
        done = renkei(arguments, environment)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def send(self, day: dt.date) -> str:
        self.world.live(day)
        return self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out")

    def receive(self, day: dt.date, status: int = 0) -> str:
        return self.renkei("run", "daily", "--date", day.isoformat(), "--only", "in", status=status)

    def day(self, day: dt.date, misbehaviour: Misbehaviour | None = None) -> None:
        self.send(day)
        self.world.night(day, misbehaviour)
        self.receive(day, status=1 if misbehaviour in QUARANTINED else 0)

    def linkage_on(self, on: dt.date) -> pl.DataFrame:
        frame = pl.read_csv(StringIO(self.renkei("linkage", "show", "--on", on.isoformat())), infer_schema=False)
        dates = [name for name in FACTS if name.endswith("_on")]
        return frame.with_columns(pl.col(dates).str.to_date("%Y-%m-%d")).sort("resident_number")

    def differences(self, day: dt.date) -> pl.DataFrame:
        """Persons of the truth whose facts differ from our records."""
        truth, recorded = self.world.truth(day).select(FACTS), self.linkage_on(day).select(FACTS)
        return truth.join(recorded, on=FACTS, how="anti", nulls_equal=True)

    def states(self) -> dict[str, str]:
        entries = json.loads(self.renkei("ledger", "list", "--json"))
        return {entry["file_name"]: entry["state"] for entry in entries}
