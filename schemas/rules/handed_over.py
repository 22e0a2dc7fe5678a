"""The 高額該当 months that follow a household into its next municipality: which can be needed, which still stand. Pure.

Which households continue is told in `continuity`, which months count for a limit in `high_cost`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

WINDOW_BEFORE: Final = 11  # months before a month: with it the 12 of which 多数回該当 is judged (domain.md 3.3)
_MONTH_OF_A_HOUSEHOLD = ("old_municipality_code", "old_household_number", "new_household_number", "treatment_month")


def standing(handovers: pl.DataFrame) -> pl.DataFrame:
    """The rows that stand after the Union's corrections: the last word on a month holds, `withdrawn` takes it away.

    handovers: rows of the 高額該当引継情報連携ファイル, oldest first, with _MONTH_OF_A_HOUSEHOLD and update_kind.
    """
    last = handovers.group_by(_MONTH_OF_A_HOUSEHOLD, maintain_order=True).last()
    return last.filter(pl.col("update_kind") != "withdrawn")
