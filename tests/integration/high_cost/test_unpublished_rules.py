"""A month of which the rules or the codes of the classes are not published: the step stops and says what to look up.

The months from 2027-08 are such months. They are brought forward here, because the calendar of the test ends before.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT
from tests.support.monthly_desk import Desk, prepared
from tests.support.servers import OpenSshServer

UNDECLARED: dict[str, object] = {
    "declaration_kind": "undeclared",
    **dict.fromkeys(("base_income", "resident_tax", "taxable_income", "receipts", "low_income")),
}


@pytest.fixture
def desk(tmp_path: Path, openssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A deployment in which the law of 2027-08 is in force from 2026-04."""
    root = shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue")
    for table in (*(root / "limits").glob("*.csv"), *(root / "codes").glob("income_class_*.csv")):
        text = table.read_bytes().decode()
        table.write_bytes(text.replace("2027-08-01", "2026-04-01").encode())
    return Desk(tmp_path, openssh_server, monkeypatch, root)


@pytest.mark.parametrize(
    ("tax", "code", "named"),
    [
        (UNDECLARED, "KR-7502", "undeclared_under_70"),
        ({}, "KR-7504", "base_over_210"),  # declared 3,000,000: between 2,100,000 and 3,130,000
    ],
)
def test_a_rule_or_code_that_is_not_published_stops_the_step(
    desk: Desk, tax: dict[str, object], code: str, named: str
) -> None:
    prepared(desk, **tax)
    out = desk.run("run", "monthly", "--month", "2026-04", "--step", "out")
    assert out.exit_code == 2
    assert code in out.output
    assert named in out.output
    assert not list((desk.server.root / "to_union").glob("KRSKB*"))
