"""What the histories share: one server for all of them, and how many are drawn (RENKEI_FUZZ, `make fuzz`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from fixtures.sftp_server import Server, serve

EXAMPLES = os.environ.get("RENKEI_FUZZ")

# The usual run lives through the same few histories every time, and shows one that fails as it was drawn; a fuzz run
# draws as many new ones as it is asked for, and makes one that fails small.
settings.register_profile(
    "histories",
    max_examples=int(EXAMPLES or 10),
    derandomize=EXAMPLES is None,
    phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if EXAMPLES else ())),
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def union_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("union")


@pytest.fixture(scope="module")
def union_server(union_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(union_root, tmp_path_factory.mktemp("server_keys")) as server:
        yield server
