"""The town that the tests of this folder drive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.support.servers import OpenSshServer
from tests.support.town import Town
from tests.support.village import Village


@pytest.fixture
def town(tmp_path: Path, openssh_server: OpenSshServer) -> Iterator[Town]:
    """Dagster keeps its records in memory, which halves the time of a run."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Town(tmp_path, openssh_server, instance)


@pytest.fixture
def town_on_disk(tmp_path: Path, openssh_server: OpenSshServer) -> Iterator[Town]:
    """Dagster keeps its records in files, as it does in production."""
    (tmp_path / "dagster").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster"), overrides=quiet) as instance:
        yield Town(tmp_path, openssh_server, instance)


@pytest.fixture
def village(tmp_path: Path, openssh_server: OpenSshServer) -> Village:
    return Village(tmp_path, openssh_server)
