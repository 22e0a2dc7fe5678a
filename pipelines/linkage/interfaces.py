"""The files that the daily receiving applies: one entry for each, with the decision that reads it and the table that keeps it.

What a decision is, is in `matching`; in which order and transaction files are applied is in `daily`.
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
    """What a decision may look at: the transaction, the file's day, and the people whom the Union was told of."""

    environment: Environment
    work: UnitOfWork
    day: dt.date
    told: pl.DataFrame


@dataclass(frozen=True, kw_only=True)
class DailyInterface(InboundInterface):
    """match: which records of a file are taken and which are asked about; table: where those taken are kept."""

    match: Callable[[Applying, pl.DataFrame], Match]
    table: sa.Table | None = None
    group: str = GROUP
    owners: tuple[str, ...] = OWNERS


def _dates(at: Applying, received: pl.DataFrame) -> Match:
    before = state.held(at.work.connection, state.dates, at.day)
    return match_dates(received, at.told, before, state.held(at.work.connection, state.ids, at.day))


def _ids(at: Applying, received: pl.DataFrame) -> Match:
    return match_ids(received, at.told, state.history(at.work.connection, state.ids).drop("known_from"))


def _verifications(at: Applying, received: pl.DataFrame) -> Match:
    return match_verification(received, at.told)


def _receptions(at: Applying, received: pl.DataFrame) -> Match:
    return receptions(at.environment, at.work, received)


# Ids first: the later files speak of persons whom the ids name.
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
