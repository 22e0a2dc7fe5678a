"""A deployment of our municipality against a real sshd, driven through Dagster's own entry points."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dagster as dg

from fixtures.prefecture import MUNICIPALITIES, Prefecture
from interfaces.catalogue import load_catalogue
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.jobs import RECEIVE
from pipelines.orchestration.resources import Deployment
from tests.support.rings import settings_lines
from tests.support.servers import OpenSshServer

DAY = dt.date(2026, 4, 1)
OURS = MUNICIPALITIES[0]


class Town:
    """A deployment of our municipality against a real sshd, with one prefecture's extracts, recorded in `instance`."""

    def __init__(self, folder: Path, server: OpenSshServer, instance: dg.DagsterInstance) -> None:
        self.folder, self.server, self.instance = folder, server, instance
        (folder / "extracts").mkdir()
        (folder / "renkei.toml").write_text(
            f'municipality_code = "{OURS.code}"\ninsurer_number = "{OURS.insurer_number}"\nprefecture_code = "99"\n'
            'data_folder = "data"\nextract_folder = "extracts"\noperator = "試験"\n'
            f'[sftp]\nhost = "{server.host}"\nport = {server.port}\nuser = "{server.user}"\n'
            f'private_key = "{server.private_key}"\nhost_key = "{server.host_key}"\n'
            f'to_union_folder = "{server.root}/to_union"\nfrom_union_folder = "{server.root}/from_union"\n'
            + settings_lines(),
            encoding="utf-8",
        )
        self.prefecture = Prefecture(3, 600, DAY)
        self.deployment = Deployment(settings_path=str(folder / "renkei.toml"))
        self.definitions = definitions(self.deployment)
        self.repository = self.definitions.get_repository_def()

    def extract(self, day: dt.date) -> list[Path]:
        self.prefecture.live_through(day)
        return self.prefecture.write_extracts(self.folder / "extracts", OURS.code, day, load_catalogue())

    def take_in(self, day: dt.date, job_name: str) -> dg.ExecuteInProcessResult:
        """Receive what is in the Union's folder, then apply the files of a day (month)."""
        received = self.run(DAY, RECEIVE)
        return self.run(day, job_name) if received.success else received

    def run(self, day: dt.date, job_name: str = "daily_out") -> dg.ExecuteInProcessResult:
        job = self.repository.get_job(job_name)
        return job.execute_in_process(instance=self.instance, partition_key=day.isoformat(), raise_on_error=False)

    def sent(self) -> list[str]:
        return sorted(path.name for path in (self.server.root / "to_union").iterdir())

    def materialised(self, asset: str) -> set[str]:
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def everything_dagster_keeps(self) -> bytes:
        return b"".join(path.read_bytes() for path in (self.folder / "dagster").rglob("*") if path.is_file())
