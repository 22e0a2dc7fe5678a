"""Ledgers and folders for the tests of the exchange."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.exchange.ledger.ledger import Ledger
from tests.support.exchange import noon


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}"


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    found = Ledger(sqlite_url, noon)
    yield found
    assert found.verify_chain() == []
    found.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    """A ledger's address on each of the two databases."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
