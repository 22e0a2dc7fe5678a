"""The steps of a month, in their order: purpose, due days, and the assets that each makes.

Jobs, schedules and the command line are made from this; `inbound_interfaces` says which files a step applies. The work
itself is in the capabilities.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from pipelines.configuration.calendar import MonthlyDays
from pipelines.orchestration.assets import agreement, continuity, high_cost
from pipelines.orchestration.partitions import Partitions

LATE_RESULT_DAYS = 7  # a late result is still looked for during a week


@dataclass(frozen=True)
class MonthlyStep:
    """One step. description: Japanese, for the UI; is_due: whether it is tried on a business day."""

    name: str
    description: str
    is_due: Callable[[MonthlyDays, dt.date], bool]
    assets: Callable[[Partitions], list[dg.AssetsDefinition]]

    @property
    def job(self) -> str:
        """The name of its job."""
        return f"monthly_{self.name}"


def _result_assets(partitions: Partitions) -> list[dg.AssetsDefinition]:
    return [*continuity.result_assets(partitions), *high_cost.count_assets(partitions)]


# Candidates and the instruction are tried until they succeed.
MONTHLY_STEPS = (
    MonthlyStep(
        "out",
        "月次の送付: 給付・税の抽出 → 高額該当情報・所得区分 → 連合会",
        lambda days, day: day == days.cut_off,
        high_cost.out_assets,
    ),
    MonthlyStep(
        "agreement",
        "整合性確認: 締め日の全員を、送付した内容・連合会の決定と比べる",
        lambda days, day: day == days.cut_off,
        agreement.assets,
    ),
    MonthlyStep(
        "candidates",
        "継続候補の取込: 候補リスト → 判定案 → 判定表",
        lambda days, day: days.candidates_on <= day < days.instruction_until,
        continuity.candidate_assets,
    ),
    MonthlyStep(
        "instruction",
        "確定指示: 承認された判定 → 連合会。判定待ちは待つ",
        lambda days, day: days.candidates_on < day <= days.result_on,
        continuity.instruction_assets,
    ),
    MonthlyStep(
        "results",
        "確定結果と引継の取込: 突合 → 高額該当回数",
        lambda days, day: days.result_on <= day <= days.result_on + dt.timedelta(days=LATE_RESULT_DAYS),
        _result_assets,
    ),
)
