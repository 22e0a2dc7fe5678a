"""The municipality at its command line living through its months."""

from __future__ import annotations

import datetime as dt

import polars as pl

from fixtures.demo.days import months_of_days
from fixtures.demo.municipality import decide
from fixtures.oracle.history import Benefit, History
from fixtures.prefecture import MUNICIPALITIES
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from tests.support.command_town import Town

APRIL, MAY, JUNE = (dt.date(2026, month, 1) for month in (4, 5, 6))


class MonthlyTown(Town):
    """A town that also lives through its months; it sends only some days, the later ones carry the rest."""

    def live_month(self, month: dt.date) -> None:
        """Everybody's days of a month; we send and receive on its first, its tenth and its last business day."""
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
        for municipality in MUNICIPALITIES:
            for row in self.world.prefecture.benefits(municipality.code, as_of).iter_rows(named=True):
                rows.append(
                    Benefit(
                        municipality.code,
                        row["household_number"],
                        row["resident_number"],
                        dt.date.fromisoformat(f"{row['treatment_month']}-01"),
                        int(row["high_cost_amount"]),
                        row["outpatient_only"] == "yes",
                        row["decided_on"],
                    )
                )
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
