"""The tables of the daily receiving: what the Union decided about each 宛名番号, and what it must be asked."""

from __future__ import annotations

import polars as pl

from schemas.tables import Table, item, personal, public


class LinkageState(Table):
    """One row per 宛名番号: both ids, 取得/喪失年月日 and 適用 period, as known at the end of a day."""

    resident_number: pl.String = item(is_key=True)
    municipal_insured_id: pl.String = item()
    prefecture_insured_id: pl.String = item()
    assigned_on: pl.Date = item()
    acquired_on: pl.Date = item()
    acquisition_reason: pl.String = item()
    lost_on: pl.Date = item()
    loss_reason: pl.String = item()
    applied_on: pl.Date = item()
    ended_on: pl.Date = item()
    judgement: pl.String = item()


class LinkageDiscrepancies(Table):
    """What must be asked of the Union. `set_aside` marks records that are not applied."""

    interface: pl.String = personal("インタフェース")
    resident_number: pl.String = item()
    code: pl.String = public("KRコード")
    title: pl.String = public("KRコードの題")
    ours: pl.String = personal("当市町村の値")
    theirs: pl.String = personal("連合会の値")
    question: pl.String = personal("照会事項")
    set_aside: pl.Boolean = personal("取り込まなかった")


class OutboundFiles(Table):
    """The files that we sent, as the ledger knows them: what a 受付結果 is compared with."""

    file_name: pl.String = public("ファイル名")
    state: pl.String = personal("台帳の状態")
    records: pl.Int64 = public("データレコードの件数")
