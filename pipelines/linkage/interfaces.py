"""The files that the daily receiving applies: one entry for each, with its decision function and its table.

The decisions are in `matching`; `daily` applies the files, in order and in transactions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import sqlalchemy as sa

from pipelines.deployment import Environment
from pipelines.exchange.ledger.recording import UnitOfWork
from pipelines.linkage import state
from pipelines.linkage.matching import (
    DATES_READ,
    IDS_READ,
    RECEPTIONS_READ,
    VERIFICATION_READ,
    Match,
    match_dates,
    match_ids,
    match_verification,
)
from pipelines.linkage.receptions import receptions
from pipelines.transfer.inbound_interface import InboundInterface, StaleAfter, by_id

GROUP, OWNERS = "linkage", ("team:国保資格担当",)


@dataclass(frozen=True)
class Applying:
    """The inputs of a decision: the transaction, the file's day, and the people reported to the Union."""

    environment: Environment
    work: UnitOfWork
    day: dt.date
    reported: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class DailyInterface(InboundInterface):
    """match: decides which records of a file are applied and which are asked about; table: where applied ones are stored."""

    match: Callable[[Applying, pl.DataFrame], Match]
    table: sa.Table | None = None
    group: str = GROUP
    owners: tuple[str, ...] = OWNERS


def _dates(applying: Applying, received: pl.DataFrame) -> Match:
    before = state.current_records(applying.work.connection, state.dates, applying.day)
    return match_dates(
        received, applying.reported, before, state.current_records(applying.work.connection, state.ids, applying.day)
    )


def _ids(applying: Applying, received: pl.DataFrame) -> Match:
    return match_ids(received, applying.reported, state.history(applying.work.connection, state.ids).drop("known_from"))


def _verifications(applying: Applying, received: pl.DataFrame) -> Match:
    return match_verification(received, applying.reported)


def _receptions(applying: Applying, received: pl.DataFrame) -> Match:
    return receptions(applying.environment, applying.work, received)


# Ids first: the other files refer to persons by these ids.
INTERFACES = by_id(
    DailyInterface(
        items=IDS_READ,
        description="市町村被保険者ID連携ファイル: 宛名番号に付いたID",
        stale_after=StaleAfter.LATER_DAY,
        match=_ids,
        table=state.ids,
    ),
    DailyInterface(
        items=DATES_READ,
        description="国保資格取得喪失年月日連携ファイル: 都道府県単位の資格取得・喪失年月日",
        stale_after=StaleAfter.LATER_DAY,
        match=_dates,
        table=state.dates,
    ),
    DailyInterface(
        items=VERIFICATION_READ,
        description="確認リスト: 個人番号の相違・未設定",
        match=_verifications,
        table=state.verifications,
    ),
    DailyInterface(
        items=RECEPTIONS_READ,
        description="受付結果: 送ったファイルの受付・却下",
        match=_receptions,
    ),
)
