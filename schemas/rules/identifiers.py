"""Check digits of identifiers as integer expressions over text columns (docs/sources.md 2.1). True means valid."""

from __future__ import annotations

from enum import Enum

import polars as pl

from interfaces.digits import Run, runs

_MY_NUMBER_DIGITS = 12
# Digits of any kind: only a text with enough of them is examined character by character.
_ANY_DIGIT = r"[\p{Nd}\p{No}]"
# 総務省令85号5条: weights of the 11 digits from the left.
_MY_NUMBER_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_MUNICIPALITY_WEIGHTS = (6, 5, 4, 3, 2)


def _digit(column: pl.Expr, position: int) -> pl.Expr:
    return column.str.slice(position, 1).cast(pl.Int32, strict=False)


def _weighted(column: pl.Expr, weights: tuple[int, ...]) -> pl.Expr:
    """Σ digit × weight of the leading digits; null where one of them is no digit."""
    return pl.sum_horizontal(
        [_digit(column, position) * weight for position, weight in enumerate(weights)], ignore_nulls=False
    )


def my_number_check(column: pl.Expr) -> pl.Expr:
    """個人番号: 12 digits whose last is 0 if r ≤ 1, else 11 − r, with r = Σ(Pn·Qn) mod 11."""
    remainder = _weighted(column, _MY_NUMBER_WEIGHTS) % 11
    wanted = pl.when(remainder <= 1).then(0).otherwise(11 - remainder)
    return ((column.str.len_bytes() == 12) & (_digit(column, 11) == wanted)).fill_null(False)


def digit_runs(values: pl.Series) -> pl.Series:
    """The digits of each text that can be read as one number of 12 digits or more, as a list (see `digits.runs`)."""
    values = values.fill_null("")
    bare = values.str.contains("^[0-9]*$")
    many = ~bare & (values.str.count_matches(_ANY_DIGIT) >= _MY_NUMBER_DIGITS)
    texts = values.filter(many).unique()
    found = {text: [run.digits for run in runs(text) if len(run.digits) >= _MY_NUMBER_DIGITS] for text in texts}
    listed = pl.Series([found.get(text, []) for text in values.filter(~bare)], dtype=pl.List(pl.String))
    whole = values.filter(bare).to_frame("value").select(pl.concat_list("value")).to_series()
    order = pl.concat([bare.arg_true(), (~bare).arg_true()])
    return pl.concat([whole, listed]).gather(order.arg_sort())


class Numbers(Enum):
    """What the digits of a text may be: no 個人番号, perhaps one (with a wrong check digit), or certainly one."""

    NONE = 0
    PERHAPS = 1
    CERTAIN = 2


def _twelves(text: str) -> list[tuple[Run, bool]]:
    """Every twelve digits of a text that can be read as one number, and whether their check digit is that of a 個人番号.

    Twelve digits out of more groups, which need not belong together, are included only if it is.
    """
    twelve = [run for run in runs(text) if len(run.digits) == _MY_NUMBER_DIGITS]
    digits = pl.DataFrame({"digits": [run.digits for run in twelve]}, schema={"digits": pl.String})
    valid = digits.select(my_number_check(pl.col("digits"))).to_series()
    return [(run, agrees) for run, agrees in zip(twelve, valid, strict=True) if agrees or not run.is_part]


def my_numbers_in(text: str) -> Numbers:
    """Whether twelve digits stand together in a text, however they are written, and whether they are a 個人番号."""
    found = [agrees for _, agrees in _twelves(text)]
    return Numbers.CERTAIN if any(found) else Numbers.PERHAPS if found else Numbers.NONE


def without_my_numbers(text: str) -> str:
    """The text with every twelve digits that stand together masked, whatever the check digit says."""
    kept, after = "", 0
    for run, _ in _twelves(text):
        if run.stop > after:
            kept += text[after : max(run.start, after)] + ("●" * _MY_NUMBER_DIGITS if run.start >= after else "")
            after = run.stop
    return kept + text[after:]


def municipality_check(column: pl.Expr) -> pl.Expr:
    """全国地方公共団体コード: 6 digits whose last is the last digit of 11 − (6a+5b+4c+3d+2e) mod 11."""
    wanted = (11 - _weighted(column, _MUNICIPALITY_WEIGHTS) % 11) % 10
    return ((column.str.len_bytes() == 6) & (_digit(column, 5) == wanted)).fill_null(False)


def insurer_check(column: pl.Expr) -> pl.Expr:
    """保険者番号 of 6 or 8 digits: weights 2,1,2,1… from the digit before the last, two-digit products summed."""
    padded = column.str.zfill(8)
    total = pl.lit(0, pl.Int32)
    for position in range(7):
        product = _digit(padded, position) * (2 if position % 2 == 0 else 1)
        total = total + product // 10 + product % 10
    sized = (column.str.len_bytes() == 6) | (column.str.len_bytes() == 8)
    return (sized & (_digit(padded, 7) == (10 - total % 10) % 10)).fill_null(False)


def resident_record_code_check(column: pl.Expr) -> pl.Expr:
    """住民票コード of 11 digits by the 個人番号 weights: not a public formula (docs/sources.md 2.1), so only a warning."""
    remainder = _weighted(column, _MY_NUMBER_WEIGHTS[1:]) % 11
    wanted = pl.when(remainder <= 1).then(0).otherwise(11 - remainder)
    return ((column.str.len_bytes() == 11) & (_digit(column, 10) == wanted)).fill_null(False)
