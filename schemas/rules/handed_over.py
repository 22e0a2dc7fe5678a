"""The 高額該当 months that follow a household into its next municipality: which are needed, which are effective. Pure.

Which households continue is decided in `continuity`, which months count for a limit in `high_cost`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

WINDOW_BEFORE: Final = 11  # months before a month: with it the 12 of which 多数回該当 is judged (docs/sources.md 3.3)
_MONTH_OF_A_HOUSEHOLD = ("old_municipality_code", "old_household_number", "new_household_number", "treatment_month")


def effective_handovers(handovers: pl.DataFrame) -> pl.DataFrame:
    """The rows in effect after the Union's corrections: the last row of a month wins, and `withdrawn` removes the month.

    handovers: rows of the 高額該当引継情報連携ファイル, oldest first, with _MONTH_OF_A_HOUSEHOLD and update_kind.
    """
    last = handovers.group_by(_MONTH_OF_A_HOUSEHOLD, maintain_order=True).last()
    return last.filter(pl.col("update_kind") != "withdrawn")
