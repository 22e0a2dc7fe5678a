"""The tables of the monthly high-cost steps: extracts, what the Union knows, which months count and how many they are."""

from __future__ import annotations

from typing import Annotated

import polars as pl

from pipelines.tables.files import Manifest
from schemas.tables import Records, Table, item, personal, public


class BenefitExtract(Records):
    """高額療養費 as it is paid at present."""

    household_number: pl.String = item()
    treatment_month: pl.String = item()
    outpatient_only: pl.String = item()
    high_cost_amount: pl.String = item()


class TaxExtract(Records):
    """The tax records that decide 所得区分."""

    resident_number: pl.String = item()
    income_year: pl.String = item()
    declaration_kind: pl.String = item()
    base_income: pl.String = item()
    resident_tax: pl.String = item()
    taxable_income: pl.String = item()
    receipts: pl.String = item()
    low_income: pl.String = item()


class WithheldKeys(Table):
    """Whose record of a monthly extract has a fault: nothing new about them is sent to the Union."""

    key: pl.String = personal("誤りのある行の国保世帯番号または宛名番号")


class MonthlyManifest(Manifest):
    """The row that names a file of the month, what it must hold and what it belongs to: the month that it was compared with, and
    the table of what the Union then knows. No row: nothing to send."""

    known_sha256: pl.String = personal("送付後に連合会が知る内容の表の指紋")


class HistorySnapshot(Table):
    """The months that the Union knows of households that moved away; a month is its first day."""

    household_number: pl.String = item()
    treatment_month: pl.Date = item()
    month_source: pl.String = item()
    moved_out_on: pl.Date = item()


class ClassesSnapshot(Table):
    """The 所得区分 that the Union knows."""

    household_number: pl.String = item()
    income_class_under_70: pl.String = item()
    income_class_70_74: pl.String = item()
    income_year: pl.String = item()


class MonthlyDispatch(Table):
    """What became of the month's files."""

    interface: pl.String = personal("インタフェース")
    result: pl.String = personal("送付の結果")
    file_name: pl.String = public("ファイル名")
    state: pl.String = personal("台帳の状態")


class HandedOverMonths(Table):
    """The months that the Union handed over, after its own corrections; a month is its first day."""

    household_number: pl.String = item()
    treatment_month: pl.Date = item()
    source: pl.String = personal("引き継いだ元の市区町村コードと国保世帯番号")


class CountedMonths(Table):
    """Every month that counts for a household, with where it is known from; a month is its first day."""

    household_number: pl.String = item()
    treatment_month: pl.Date = item()
    own: pl.Boolean = personal("当市町村が支給した月")
    handed_over_from: Annotated[pl.List, pl.String] = personal("引き継いだ元（市区町村コードと国保世帯番号）")
    counts_until: pl.Date = personal("この診療年月まで数える（空は終わりなし）")


class Counts(Table):
    """Per household the number of months before the 診療年月 that count, and whether its limit drops."""

    household_number: pl.String = item(is_key=True)
    month: pl.Date = personal("診療年月の初日")
    count: pl.Int32 = public("直前11か月の該当回数")
    is_multiple: pl.Boolean = public("多数回該当")
