"""Two months against the stand-in Union over a real sshd: the carried counts are the oracle's, whatever the Union does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from fixtures.counterpart.handover import MonthlyMisbehaviour
from fixtures.oracle.counts import counts
from fixtures.world import OURS
from tests.support.monthly_town import APRIL, MAY, MonthlyTown
from tests.support.servers import OpenSshServer


@pytest.mark.slow
def test_the_counts_of_two_months_are_the_oracles(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    town = MonthlyTown(tmp_path, openssh_server, seed=1, persons=3000)
    for month in (APRIL, MAY):
        town.live_month(month)
        town.decide(month)
        town.world.month_close(month)
        town.step(month, "results")
        assert town.asset("continuity_discrepancies", month).filter(pl.col("code") != "KR-8207").is_empty()
    as_of = town.world.prefecture.today
    continued, history = town.continued(APRIL, MAY), town.truth(as_of)
    counted = {row[0]: row[2:] for row in town.asset("high_cost_counts", MAY).rows()}
    households = {benefit.household for benefit in history.benefits if benefit.municipality == OURS.code} | {
        new for _, _, municipality, new, _ in continued if municipality == OURS.code
    }
    for household in households:
        wanted = counts(history, continued, OURS.code, household, MAY, as_of)
        assert counted.get(household, (0, False)) == (len(wanted.months), wanted.is_multiple), household
    assert set(counted) <= households
    carried = json.loads(town.renkei("high-cost", "list", "--month", "2026-05", "--carried", "--json"))
    assert carried, "a prefecture in which nothing is carried proves nothing"
    assert town.renkei("ledger", "list")


# What is found when the results are applied: a refused file, or a question to the Union.
EXPECTED = {
    MonthlyMisbehaviour.unknown_household: (0, "KR-8202"),
    MonthlyMisbehaviour.missing_result: (0, "KR-8201"),
    MonthlyMisbehaviour.refused_household: (0, "KR-8204"),
    MonthlyMisbehaviour.month_twice: (1, "隔離中 KR-6306"),
    MonthlyMisbehaviour.count_over_12: (1, "隔離中 KR-6306"),
    MonthlyMisbehaviour.old_month: (1, "隔離中 KR-6306"),
}


@pytest.mark.slow
def test_whatever_the_union_does_wrong_is_reported_and_does_not_count(
    tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    town = MonthlyTown(tmp_path, openssh_server, seed=2, persons=3000)
    town.live_month(APRIL)
    town.decide(APRIL)
    town.world.month_close(APRIL)
    data, folder = tmp_path / "data", town.world.union_folder / OURS.code / "from_union"
    shutil.copytree(data, tmp_path / "before")
    right = town.step(APRIL, "results")
    handed_over = town.asset("handover_taken", APRIL).height
    assert handed_over, right
    for how, (status, said) in EXPECTED.items():
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "before", data)
        for path in folder.iterdir():
            path.unlink()
        town.world.handover.answer(APRIL, {OURS.code: how})
        shown = town.step(APRIL, "results", status)
        assert said in shown, (how, shown)
        assert town.asset("handover_taken", APRIL).height <= handed_over, how
