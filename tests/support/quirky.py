"""A deployment with default settings against the stand-in server with its quirks, a clock set by hand, and its doors."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.prefecture import MUNICIPALITIES
from fixtures.sftp_server import Faults, Server, serve
from fixtures.world import settings_text
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.definitions import defs
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import Direction
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.resources import Deployment
from tests.support.rings import settings_lines

OURS, DAY = MUNICIPALITIES[0], dt.date(2026, 4, 1)
INTERFACE, NAME = "municipal_id_linkage", "KRSID_999997_20260401_000001.csv"
START = dt.datetime(2026, 11, 20, 8, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
RECEIVE = ("run", "daily", "--date", DAY.isoformat(), "--only", "in")
SEND = ("run", "daily", "--date", DAY.isoformat(), "--only", "out")


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now

    def at(self, seconds: float) -> None:
        self.now = START + dt.timedelta(seconds=seconds)


def sound_ids(number: str = "000001", day: dt.date = DAY) -> bytes:
    """An ids file with nobody in it: sound, and another one for each number and day."""
    specification = load_catalogue().in_force(INTERFACE, day)
    header = {
        "municipality_code": OURS.code,
        "insurer_number": OURS.insurer_number,
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": day,
        "file_number": number,
    }
    assert file_name(specification, header) == NAME.replace("000001", number).replace("20260401", f"{day:%Y%m%d}")
    no_recipient = pl.DataFrame({"resident_number": []}, {"resident_number": pl.String})
    return codec.compose(specification, day, no_recipient, header).data


class Place:
    """A deployment with default settings against the stand-in server, its sensor's memory, and the runs it asked for."""

    def __init__(
        self, folder: Path, server: Server, faults: Faults, clock: Hands, instance: dg.DagsterInstance
    ) -> None:
        self.faults, self.clock, self.instance = faults, clock, instance
        self.folder, self.server = folder, server
        self.inbox, self.outbox = (folder / "union" / OURS.code / name for name in ("from_union", "to_union"))
        self.settings = folder / "renkei.toml"
        self.settings.write_text(
            settings_text(server.host, server.port, server.user, server.private_key, server.host_key, more="")
            + settings_lines()
            + '[media]\nallowed = ["M-0001"]\n',
            encoding="utf-8",
        )
        (folder / "extracts").mkdir()
        self.deployment = Deployment(settings_path=str(self.settings))
        self.repository = definitions(self.deployment).get_repository_def()
        self.cursor: str | None = None
        self.keys: set[str | None] = set()

    @property
    def environment(self) -> Environment:
        return self.deployment.environment

    def written(self, content: bytes, at: float, name: str = NAME) -> None:
        """A file on the server whose true time is `at` seconds after START."""
        (self.inbox / name).write_bytes(content)
        moment = START.timestamp() + at
        os.utime(self.inbox / name, (moment, moment))

    def tick(self, seconds: float) -> tuple[list[dg.RunRequest], str]:
        """What the sensor asks for at a moment, without what a run key keeps from running again; and what it says."""
        self.clock.at(seconds)
        data = self._evaluated("arrival_sensor", self.cursor)
        self.cursor = data.cursor
        fresh = [request for request in data.run_requests or [] if request.run_key not in self.keys]
        self.keys |= {request.run_key for request in fresh}
        return fresh, data.skip_message or ""

    def _evaluated(self, sensor: str, cursor: str | None) -> dg.SensorExecutionData:
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=cursor,
            resources={"deployment": self.deployment},
            repository_def=self.repository,
        ) as context:
            return defs.resolve_sensor_def(sensor).evaluate_tick(context)

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """The run, and those that the sensor of the waiting files asks for then; the first that failed, or the last."""
        result = self._run(request)
        while result.success and (requests := self._applying()):
            result = self._run(requests[0])
        return result

    def _run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        job = self.repository.get_job(str(request.job_name))
        return job.execute_in_process(instance=self.instance, partition_key=request.partition_key, raise_on_error=False)

    def _applying(self) -> list[dg.RunRequest]:
        data = self._evaluated("waiting_files_sensor", None)
        fresh = [request for request in data.run_requests or [] if request.run_key not in self.keys]
        self.keys |= {request.run_key for request in fresh}
        return fresh

    def states(self) -> list[str]:
        return [entry.state for entry in self.environment.ledger.entries(direction=Direction.INBOUND)]

    def through(self, port: int) -> None:
        """The server is reached by another port from now on."""
        text = self.settings.read_text(encoding="utf-8")
        self.settings.write_text(text.replace(f"port = {self.server.port}", f"port = {port}"), encoding="utf-8")

    def renkei(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, list(arguments))
        return result.exit_code, result.output


@contextmanager
def quirky_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The place, served until the block ends; commands find it by RENKEI_SETTINGS."""
    (folder / "union" / OURS.code / "from_union").mkdir(parents=True)
    (folder / "union" / OURS.code / "to_union").mkdir()
    faults, clock = Faults(), Hands()
    opened = Environment.open
    monkeypatch.setattr(Environment, "open", lambda settings, *_, **more: opened(settings, clock, **more))
    with (
        serve(folder / "union", folder / "keys", faults) as server,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        found = Place(folder, server, faults, clock, instance)
        monkeypatch.setenv("RENKEI_SETTINGS", str(found.settings))
        yield found
