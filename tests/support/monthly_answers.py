"""What the Union answers in a month, as tables."""

from __future__ import annotations

import datetime as dt

import polars as pl

MOVE = dt.date(2026, 4, 10)


OLD, NEW = f"{1:014d}1", f"{1:014d}2"


def results(*outcomes: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "candidate_number": f"{n:06d}",
                "old_municipality_code": "999989",
                "old_household_number": f"{n:014d}1",
                "new_municipality_code": "999997",
                "new_household_number": f"{n:014d}2",
                "continuity_outcome": outcome,
                "moved_on": MOVE,
                "confirmed_on": dt.date(2026, 5, 12),
                "high_cost_count": "02" if outcome == "continued" else "00",
            }
            for n, outcome in enumerate(outcomes, 1)
        ]
    )


def handovers(*months: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "candidate_number": "000001",
                "old_municipality_code": "999989",
                "old_household_number": OLD,
                "new_household_number": NEW,
                "treatment_month": month.replace("-", ""),
                "high_cost_count": "02",
                "update_kind": "added",
                "handed_over_on": dt.date(2026, 5, 12),
            }
            for month in months
        ]
    )
