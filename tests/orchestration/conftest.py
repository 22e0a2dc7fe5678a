"""The town that the tests of this folder drive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import OpenSshServer
from town import Town
from village import Village


@pytest.fixture
def town(tmp_path: Path, openssh_server: OpenSshServer) -> Iterator[Town]:
    one = Town(tmp_path, openssh_server)
    with one.instance:
        yield one


@pytest.fixture
def village(tmp_path: Path, openssh_server: OpenSshServer) -> Village:
    return Village(tmp_path, openssh_server)
