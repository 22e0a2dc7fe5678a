"""The desk at which the tests of this folder type a month's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.monthly_desk import Desk
from tests.support.servers import OpenSshServer


@pytest.fixture
def desk(tmp_path: Path, openssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, openssh_server, monkeypatch)
