"""Rules on months and on numbers with a range. Months are compared as the text YYYYMM. True means sound."""

from __future__ import annotations

import polars as pl

from interfaces.values import parse_date
from schemas.rules.registry import Place, rule


def _month(place: Place) -> pl.Expr:
    """The item's month as YYYYMM, whether it holds YYYYMM, YYYY-MM or a day."""
    if place.item.type.is_date:
        return parse_date(place.value, place.item.type).dt.strftime("%Y%m")
    return place.value.str.replace("-", "", literal=True)


@rule("between", "KR-2017", arguments=("number", "number"))
def between(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """A number from the first to the second argument, both included."""
    least, most = (int(argument) for argument in arguments)
    number = place.value.cast(pl.Int64, strict=False)
    return (place.value == "") | number.is_between(least, most).fill_null(False), f"{least}から{most}まで"


@rule("whole_number", "KR-2018")
def whole_number(place: Place, _: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """An amount that is not negative."""
    return (place.value == "") | (place.value.cast(pl.Int64, strict=False) >= 0).fill_null(False), "0以上の整数"


@rule("not_before_month", "KR-3007", "record", ("month",), holds="month")
def not_before_month(place: Place, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
    """Not before a month: 高額該当 carries over from 平成30年4月 only (domain.md 3.3)."""
    return _month(place) >= arguments[0].replace("-", ""), f"{arguments[0]}以後"


@rule("not_after_partition_month", "KR-3008", "record", holds="month")
def not_after_partition_month(place: Place, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """Not after the month that the file is for."""
    day = place.context.partition
    return (_month(place) <= day.strftime("%Y%m"), f"{day:%Y-%m}以前") if day else None


@rule("in_partition_month", "KR-4008", "file", holds="month")
def in_partition_month(place: Place, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """The month that the file must be for, or a day of it: the content decides, not the label."""
    day = place.context.partition
    return ((_month(place) == day.strftime("%Y%m")).fill_null(False), f"{day:%Y-%m}") if day else None
