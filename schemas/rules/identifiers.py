"""Check digits of identifiers as integer expressions over text columns (domain.md 2.1). True means sound."""

from __future__ import annotations

import polars as pl

_FULL_WIDTH = {chr(0xFF10 + digit): str(digit) for digit in range(10)}
# 1234-5678-9018 and 1234 5678 9018: how a 個人番号 is printed on its card.
_IN_FOURS = r"([0-9]{4})[\s\p{Pd}−ー]([0-9]{4})[\s\p{Pd}−ー]([0-9]{4})"
# 総務省令85号5条: weights of the 11 digits from the left.
_MY_NUMBER_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_MUNICIPALITY_WEIGHTS = (6, 5, 4, 3, 2)


def _digit(column: pl.Expr, position: int) -> pl.Expr:
    return column.str.slice(position, 1).cast(pl.Int32, strict=False)


def _weighted(column: pl.Expr, weights: tuple[int, ...]) -> pl.Expr:
    """Σ digit × weight of the leading digits; null where one of them is no digit."""
    return pl.sum_horizontal(
        [_digit(column, place) * weight for place, weight in enumerate(weights)], ignore_nulls=False
    )


def my_number_check(column: pl.Expr) -> pl.Expr:
    """個人番号: 12 digits whose last is 0 if r ≤ 1, else 11 − r, with r = Σ(Pn·Qn) mod 11."""
    remainder = _weighted(column, _MY_NUMBER_WEIGHTS) % 11
    wanted = pl.when(remainder <= 1).then(0).otherwise(11 - remainder)
    return ((column.str.len_bytes() == 12) & (_digit(column, 11) == wanted)).fill_null(False)


def digit_runs(column: pl.Expr) -> pl.Expr:
    """The runs of digits in a text, as a list: full-width digits count, and a number printed in fours is one run."""
    ascii_digits = column.str.replace_many(list(_FULL_WIDTH), list(_FULL_WIDTH.values()))
    return ascii_digits.str.replace_all(_IN_FOURS, "$1$2$3").str.extract_all("[0-9]+")


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
    """住民票コード of 11 digits by the 個人番号 weights: not a public formula (domain.md 2.1), so only a warning."""
    remainder = _weighted(column, _MY_NUMBER_WEIGHTS[1:]) % 11
    wanted = pl.when(remainder <= 1).then(0).otherwise(11 - remainder)
    return ((column.str.len_bytes() == 11) & (_digit(column, 10) == wanted)).fill_null(False)
