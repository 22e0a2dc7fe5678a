"""Rules on months and on numbers with a range. Months are compared as the text YYYYMM. True means sound."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from interfaces.values import month_of, number_of
from schemas.rules.registry import RuleContext, rule


def _month(context: RuleContext) -> pl.Expr:
    """The item's month as YYYYMM, whether it holds a month or a day."""
    return month_of(context.value, context.item.type)


@rule("between", "KR-2017", arguments=("number", "number"))
def between(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """A number from the first to the second argument, both included."""
    form = context.item.type.number
    least, most = (Decimal(argument).scaleb(form.scale if form else 0) for argument in arguments)
    number = number_of(context.value, context.item.type)
    within = number.is_between(int(least), int(most)).fill_null(False)
    return (context.value == "") | within, f"{arguments[0]}から{arguments[1]}まで"


@rule("whole_number", "KR-2018")
def whole_number(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """A whole number that is not negative."""
    form, number = context.item.type.number, number_of(context.value, context.item.type)
    whole = number % 10**form.scale == 0 if form and form.scale else pl.lit(True)
    return (context.value == "") | ((number >= 0) & whole).fill_null(False), "0以上の整数"


@rule("not_before_month", "KR-3007", "record", ("month",), item_kind="month")
def not_before_month(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Not before a month: 高額該当 carries over from 平成30年4月 only (docs/sources.md 3.3)."""
    return _month(context) >= arguments[0].replace("-", ""), f"{arguments[0]}以後"


@rule("not_after_partition_month", "KR-3008", "record", item_kind="month")
def not_after_partition_month(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """Not after the month that the file is for."""
    day = context.file.partition
    return (_month(context) <= day.strftime("%Y%m"), f"{day:%Y-%m}以前") if day else None


@rule("in_partition_month", "KR-4008", "file", item_kind="month")
def in_partition_month(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """The month that the file must be for, or a day of it, as the content says."""
    day = context.file.partition
    return ((_month(context) == day.strftime("%Y%m")).fill_null(False), f"{day:%Y-%m}") if day else None
