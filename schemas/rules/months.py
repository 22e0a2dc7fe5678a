"""Rules on months and on numbers with a range. Months are compared as the text YYYYMM. True means sound."""

from __future__ import annotations

import polars as pl

from interfaces.values import parse_date
from schemas.rules.registry import RuleContext, rule


def _month(context: RuleContext) -> pl.Expr:
    """The item's month as YYYYMM, whether it holds YYYYMM, YYYY-MM or a day."""
    if context.item.type.is_date:
        return parse_date(context.value, context.item.type).dt.strftime("%Y%m")
    return context.value.str.replace("-", "", literal=True)


@rule("between", "KR-2017", arguments=("number", "number"))
def between(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """A number from the first to the second argument, both included."""
    least, most = (int(argument) for argument in arguments)
    number = context.value.cast(pl.Int64, strict=False)
    return (context.value == "") | number.is_between(least, most).fill_null(False), f"{least}から{most}まで"


@rule("whole_number", "KR-2018")
def whole_number(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """An amount that is not negative."""
    return (context.value == "") | (context.value.cast(pl.Int64, strict=False) >= 0).fill_null(False), "0以上の整数"


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
