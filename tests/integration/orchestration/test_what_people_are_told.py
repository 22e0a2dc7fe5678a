"""What a day's commands tell of a substituted character, of a quarantined file that nobody has dealt with, and of a rule that crashes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.counterpart.delivery import leave
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.configuration.calendar import TOKYO
from schemas.rules import relations
from tests.support.village import INDIVIDUAL, OWN, Village, person

DAY = dt.date(2026, 4, 1)


def test_an_agreed_substitute_is_told_and_sent(village: Village) -> None:
    village.add(1, 11)
    village.residents[person(11)]["name"] = "合成　邉\U000e0101"
    said = village.send(DAY).output
    assert "注意 KR-1022 縮退: 1件" in said
    assert village.sent(DAY)[person(11)]["name"] == "合成　邉"


def test_a_quarantined_file_that_nobody_has_dealt_with_is_expected(village: Village) -> None:
    village.add(1, 11)
    village.send(DAY)
    specification = village.catalogue.in_force("municipal_id_linkage", DAY)
    header = OWN | {"created_on": DAY, "file_number": "000001"}
    leave(village.server.root / "from_union" / file_name(specification, header), b"synthetic\r\n")
    assert village.cli("run", "daily", "--date", DAY.isoformat(), "--only", "in").exit_code == 1
    today = dt.datetime.now(TOKYO).date()
    assert "KR-6504" in village.cli("expected", "--on", today.isoformat()).output


def test_a_rule_that_crashes_is_a_finding_of_the_command(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(own: pl.DataFrame, other: pl.DataFrame | None, on: dt.date) -> pl.DataFrame:
        raise ValueError("983205673214")

    village.add(1, 11)
    assert village.send(DAY).exit_code == 0
    (sent,) = (path for path in (village.server.root / "to_union").iterdir() if path.name.startswith("KRKOJ"))
    crashing = replace(relations.RELATIONS["one_head_per_household"], find=crash)
    monkeypatch.setitem(relations.RELATIONS, "one_head_per_household", crashing)
    result = CliRunner().invoke(main, ["validate", str(sent), "--interface", INDIVIDUAL])
    assert result.exit_code == 1
    assert "KR-9001" in result.output
    assert "983205673214" not in result.output
