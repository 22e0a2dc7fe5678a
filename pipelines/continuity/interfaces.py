"""The monthly files that are applied here: one entry for each, with how a new file's records join the earlier ones of the month.

`judgement` and `reconcile` interpret the records; `receiving` applies the files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from interfaces.contract import items_read
from pipelines.tables.continuity import Candidates, Handovers, MonthlyRecords, Results
from pipelines.transfer.inbound_interface import InboundInterface, StaleAfter, by_id

GROUP, OWNERS = "continuity", ("team:国保給付担当",)
ENTRY = "entry"  # the ledger's number of the file that a record came in
CANDIDATES, RESULT, HANDOVER = "continuity_candidates", "continuity_result", "high_cost_handover"


@dataclass(frozen=True, kw_only=True)
class MonthlyInterface(InboundInterface):
    """records: the table of a month's records.

    joined: the month's records before a file, and the file's own, both with ENTRY -> the month's records after it.

    unique_by: of records with the same values in these columns only the one of the file with the highest name is kept,
    whichever came first; empty: all are kept.
    """

    joined: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
    records: type[MonthlyRecords] = MonthlyRecords
    unique_by: tuple[str, ...] = ()
    group: str = GROUP
    owners: tuple[str, ...] = OWNERS


def _replaced(before: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    return new


def _added(before: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([before, new], how="diagonal_relaxed") if before.height else new


INTERFACES = by_id(
    MonthlyInterface(
        items=items_read(CANDIDATES),
        records=Candidates,
        description="継続候補世帯リスト: 県内で異動した世帯の、前後の二つの世帯の人",
        stale_after=StaleAfter.HIGHER_NUMBER,
        step="candidates",
        joined=_replaced,
    ),
    MonthlyInterface(
        items=items_read(RESULT),
        records=Results,
        description="継続世帯確定結果: 連合会が確定した継続",
        step="results",
        joined=_added,
        unique_by=("new_municipality_code", "candidate_number"),
    ),
    MonthlyInterface(
        items=items_read(HANDOVER),
        records=Handovers,
        description="高額該当引継情報連携ファイル: 転出元で高額療養費に該当した月",
        step="results",
        joined=_added,
    ),
)
