"""The tables that operators read: what is outstanding, and the 媒体管理簿."""

from __future__ import annotations

import polars as pl

from schemas.tables import Table, personal, public


class Outstanding(Table):
    """What is due and not there."""

    code: pl.String = public("KRコード")
    title: pl.String = public("KRコードの題")
    subject: pl.String = personal("足りないもの")
    partition: pl.Date = public("その日・月")
    due_on: pl.Date = public("期限の日")
    age: pl.Int64 = public("期限からの営業日数")
    remedy: pl.String = personal("対処")


class MediaRegister(Table):
    """The 媒体管理簿: each use of a medium."""

    at: pl.String = personal("使った日時", name="日時")
    number: pl.String = personal("媒体の番号", name="媒体管理番号")
    use: pl.String = personal("書き出し・読み取り・消去", name="何を")
    file: pl.String = personal("ファイル名", name="ファイル")
    records: pl.String = personal("データレコードの件数", name="件数")
    sha256: pl.String = personal("内容のSHA-256", name="SHA-256")
    reason: pl.String = personal("使った理由", name="理由")
    operator: pl.String = personal("使った操作者", name="操作者")
