"""Check-digit rules by name, and the warning of a blank 個人番号. The arithmetic is in `identifiers`."""

from __future__ import annotations

import polars as pl

from schemas.rules import identifiers
from schemas.rules.registry import RuleContext, rule


@rule("my_number_check_digit", "KR-2011")
def my_number_check_digit(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """個人番号 (総務省令85号5条)."""
    return identifiers.my_number_check(context.value), "正しい検査用数字"


@rule("municipality_check_digit", "KR-2012")
def municipality_check_digit(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """全国地方公共団体コード (JIS X 0401/0402)."""
    return identifiers.municipality_check(context.value), "正しい検査数字"


@rule("insurer_check_digit", "KR-2013")
def insurer_check_digit(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """保険者番号 (昭51.8.7 保発45号)."""
    return identifiers.insurer_check(context.value), "正しい検証番号"


@rule("resident_record_code_check_digit", "KR-2014")
def resident_record_code_check_digit(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """住民票コード; a warning, because the formula is not public (docs/sources.md 2.1)."""
    return identifiers.resident_record_code_check(context.value), "正しい検査用数字（算式は推定）"


@rule("blank_my_number", "KR-2015", "record")
def blank_my_number(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """A blank 個人番号 will come back on the 確認リスト (docs/sources.md 1.1): a warning."""
    return context.value != "", "個人番号"
