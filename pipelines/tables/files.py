"""The tables that several capabilities keep of files: what was received, and what was sent."""

from __future__ import annotations

import polars as pl

from schemas.tables import Table, personal, public


class ReceivedFiles(Table):
    """The files of an interface that a day applied, as the ledger knows them."""

    entry: pl.Int64 = personal("台帳の番号")
    file_name: pl.String = public("ファイル名")
    state: pl.String = personal("台帳の状態")
    sha256: pl.String = public("内容のSHA-256")
    records: pl.Int64 = public("データレコードの件数")


class SentFiles(Table):
    """The files that a step sent, as the ledger knows them."""

    entry: pl.Int64 = personal("台帳の番号")
    file_name: pl.String = public("ファイル名")
    state: pl.String = personal("台帳の状態")


class Manifest(Table):
    """The row that names a file, what it must hold, and the partition that it was compared with."""

    file_name: pl.String = public("ファイル名")
    sha256: pl.String = public("内容のSHA-256")
    size: pl.Int64 = public("バイト数")
    records: pl.Int64 = public("データレコードの件数")
    baseline: pl.Date = public("比較の基準にした日・月")
