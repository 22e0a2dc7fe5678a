"""Two months against the stand-in Union over a real sshd: the carried counts are the oracle's, whatever the Union does."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from servers import OpenSshServer
from test_ten_days import Town

from fixtures.counterpart.handover import MonthlyMisbehaviour
from fixtures.demo import decide, months_of_days
from fixtures.oracle.counts import counts
from fixtures.oracle.history import Benefit, History
from fixtures.prefecture import MUNICIPALITIES
from fixtures.world import OURS
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment

APRIL, MAY, JUNE = (dt.date(2026, month, 1) for month in (4, 5, 6))


class MonthlyTown(Town):
    """A town that also lives through its months; it sends only some days, the later ones carry the rest."""

    def live_month(self, month: dt.date) -> None:
        """Everybody's days of a month; we send and take in on its first, its tenth and its last business day."""
        days = months_of_days(month, 1)[month]
        for number, day in enumerate(days):
            self.world.live(day)
            ours = number in (0, 10, len(days) - 1)
            if ours:
                self.renkei("run", "daily", "--date", day.isoformat(), "--only", "out")
            self.world.night(day)
            if ours:
                self.renkei("run", "daily", "--date", day.isoformat(), "--only", "in")
        self.world.month_end(month)

    def step(self, month: dt.date, step: str, status: int = 0) -> str:
        return self.renkei("run", "monthly", "--month", f"{month:%Y-%m}", "--step", step, status=status)

    def decide(self, month: dt.date) -> None:
        self.step(month, "out")
        self.step(month, "candidates")
        sheet = self.settings.parent / "clerk" / f"継続世帯判定表_{month:%Y-%m}.xlsx"
        self.renkei("continuity", "import", str(decide(sheet)))
        self.step(month, "instruction")

    def asset(self, name: str, month: dt.date) -> pl.DataFrame:
        return Environment.open(Settings.load(self.settings)).store.read(name, month.isoformat())

    def truth(self, as_of: dt.date) -> History:
        """Every decision of every municipality known on a day."""
        rows = []
        for one in MUNICIPALITIES:
            for row in self.world.prefecture.benefits(one.code, as_of).iter_rows(named=True):
                rows.append(Benefit(
                    one.code, row["household_number"], row["resident_number"],
                    dt.date.fromisoformat(f"{row['treatment_month']}-01"), int(row["high_cost_amount"]),
                    row["outpatient_only"] == "yes", row["decided_on"],
                ))  # fmt: skip
        return History(benefits=tuple(rows))

    def continued(self, *months: dt.date) -> list[tuple[str, str, str, str, dt.date]]:
        """What the Union confirmed for us, by its own results."""
        found = pl.concat([self.asset("continuity_result", month) for month in months], how="diagonal_relaxed")
        chosen = found.filter(pl.col("continuity_outcome") == "continued")
        columns = (
            "old_municipality_code",
            "old_household_number",
            "new_municipality_code",
            "new_household_number",
            "moved_on",
        )
        return [tuple(row) for row in chosen.select(columns).rows()]


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
    households = {one.household for one in history.benefits if one.municipality == OURS.code} | {
        new for _, _, municipality, new, _ in continued if municipality == OURS.code
    }
    for household in households:
        wanted = counts(history, continued, OURS.code, household, MAY, as_of)
        assert counted.get(household, (0, False)) == (len(wanted.months), wanted.is_multiple), household
    assert set(counted) <= households
    carried = json.loads(town.renkei("high-cost", "list", "--month", "2026-05", "--carried", "--json"))
    assert carried, "a prefecture in which nothing is carried proves nothing"
    assert town.renkei("ledger", "list")


# What is found when the results are taken in: a refused file, or a question to the Union.
EXPECTED = {
    MonthlyMisbehaviour.unknown_household: (0, "KR-8202"),
    MonthlyMisbehaviour.missing_result: (0, "KR-8201"),
    MonthlyMisbehaviour.refused_household: (0, "KR-8204"),
    MonthlyMisbehaviour.month_twice: (1, "quarantined KR-6306"),
    MonthlyMisbehaviour.count_over_12: (1, "quarantined KR-6306"),
    MonthlyMisbehaviour.old_month: (1, "quarantined KR-6306"),
}


def test_whatever_the_union_does_wrong_is_said_and_nothing_of_it_counts(
    tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    town = MonthlyTown(tmp_path, openssh_server, seed=2, persons=3000)
    town.live_month(APRIL)
    town.decide(APRIL)
    town.world.month_close(APRIL)
    data, folder = tmp_path / "data", town.world.union_folder / OURS.code / "from_union"
    shutil.copytree(data, tmp_path / "before")
    right = town.step(APRIL, "results")
    taken = town.asset("handover_taken", APRIL).height
    assert taken, right
    for how, (status, said) in EXPECTED.items():
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "before", data)
        for path in folder.iterdir():
            path.unlink()
        town.world.handover.answer(APRIL, {OURS.code: how})
        shown = town.step(APRIL, "results", status)
        assert said in shown, (how, shown)
        assert town.asset("handover_taken", APRIL).height <= taken, how
