"""The jobs: which assets are made together. `schedules` and `sensors` start them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from pipelines.orchestration.assets import clerks, eligibility, linkage, monitoring, receiving
from pipelines.orchestration.monthly_steps import MONTHLY_STEPS
from pipelines.orchestration.partitions import Partitions

DAILY_OUT, RECEIVE, DAILY_IN = "daily_out", "receive", "daily_in"
CLERKS = "clerk_folder"
RUN_LIMIT_SECONDS = 7200  # 300,000 persons take minutes; two hours means that a run hangs
Assets = Sequence[dg.AssetsDefinition]


@dataclass(frozen=True)
class Work:
    """All assets, by the name of the job that makes them, and the jobs."""

    assets: Mapping[str, Assets]
    jobs: Mapping[str, Any]


def work(partitions: Partitions) -> Work:
    """The assets by job, and the jobs."""
    days = partitions.days
    assets: dict[str, Assets] = {
        DAILY_OUT: eligibility.assets(days),
        RECEIVE: receiving.assets(days),
        DAILY_IN: linkage.assets(partitions),
        CLERKS: clerks.assets(days),
        monitoring.WATCH_JOB: monitoring.assets(days),
        **{step.job: step.assets(partitions) for step in MONTHLY_STEPS},
    }
    descriptions = {
        DAILY_OUT: "日次の送付: 抽出 → 異動 → 資格情報ファイル → 連合会",
        RECEIVE: "受領: 連合会のフォルダ → 検証 → 控えと台帳。取込は日・月の処理が行う",
        DAILY_IN: "日次の取込: 受け取ったその日のファイル → 連携の状態と不一致",
        CLERKS: "取込フォルダの判定表 → 継続の判定と回答ファイル",
        monitoring.WATCH_JOB: "毎日の見回り: 送るはず・届くはずのもので、まだないもの。処理状況一覧",
        **{step.job: step.description for step in MONTHLY_STEPS},
    }
    return Work(assets, {name: _job(name, assets[name], text) for name, text in descriptions.items()})


def job_of(step: str | None) -> str:
    """The job that applies the files of a monthly step, or of a day (None)."""
    return DAILY_IN if step is None else f"monthly_{step}"


def _job(name: str, assets: Assets, description: str) -> Any:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
        description=description,
        tags={"dagster/max_runtime": str(RUN_LIMIT_SECONDS)},
    )
