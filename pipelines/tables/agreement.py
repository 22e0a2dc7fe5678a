"""The tables of the monthly agreement: who does not agree and why, and how many they are."""

from __future__ import annotations

import polars as pl

from schemas.tables import Table, item, personal, public


class Disagreements(Table):
    """A row for each person, or household without one, and cause."""

    household_number: pl.String = item()
    resident_number: pl.String = item()
    code: pl.String = public("原因のKRコード")
    title: pl.String = public("原因の題")
    ours: pl.String = personal("当市町村の値、または違う内容")
    theirs: pl.String = personal("連合会の値")
    remedy: pl.String = public("対処")


class AgreementTotals(Table):
    """How many persons and households each cause concerns; a month without any has no row."""

    code: pl.String = public("原因のKRコード")
    title: pl.String = public("原因の題")
    persons: pl.Int64 = public("人数")
    households: pl.Int64 = public("世帯数")
