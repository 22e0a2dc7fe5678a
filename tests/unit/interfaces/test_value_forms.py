"""Forms of dates and numbers, read and written: against python-dateutil, the calendar of the eras, and exact decimals."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from dateutil import parser
from hypothesis import given
from hypothesis import strategies as st

from interfaces.catalogue import load_catalogue
from interfaces.date_forms import date_form, first_day_of, within_era, written_day
from interfaces.number_forms import number_form

ERAS = load_catalogue().calendar.eras
# The eras as the law has them: the first day, 元号区分, 略号 and name.
TRUE_ERAS = (
    (dt.date(2019, 5, 1), "5", "R", "令和"),
    (dt.date(1989, 1, 8), "4", "H", "平成"),
    (dt.date(1926, 12, 25), "3", "S", "昭和"),
    (dt.date(1912, 7, 30), "2", "T", "大正"),
    (dt.date(1868, 1, 25), "1", "M", "明治"),
)
DAYS = st.dates(dt.date(1868, 1, 25), dt.date(2117, 12, 31))


def in_era(day: dt.date, form: str) -> str:
    """A day in a Japanese form, by the table above."""
    start, digit, letter, name = next(era for era in TRUE_ERAS if day >= era[0])
    year = day.year - start.year + 1
    return {
        "GYYMMDD": f"{digit}{year:02}{day.month:02}{day.day:02}",
        "RYY.MM.DD": f"{letter}{year:02}.{day.month:02}.{day.day:02}",
        "RY/M/D": f"{letter}{year}/{day.month}/{day.day}",
        "元号Y年M月D日": f"{name}{year}年{day.month}月{day.day}日",
    }[form]


def read(text: str, form: str) -> dt.date | None:
    found: dt.date | None = pl.select(first_day_of(pl.lit(text), date_form(form), ERAS)).item()
    return found


def written(day: dt.date, form: str) -> str:
    return str(pl.select(written_day(pl.lit(day), date_form(form), ERAS)).item())


@given(DAYS, st.sampled_from(["YYYY/M/D", "YYYY-MM-DD", "YYYYMMDD", "YYYY/MM/DD", "D.M.YYYY", "DD/MM/YYYY"]))
def test_a_western_day_is_what_dateutil_reads(day: dt.date, form: str) -> None:
    text = written(day, form)
    assert parser.parse(text, dayfirst=form.startswith("D")).date() == day
    assert read(text, form) == day


@given(DAYS, st.sampled_from(["GYYMMDD", "RYY.MM.DD", "RY/M/D", "元号Y年M月D日"]))
def test_a_japanese_day_is_that_of_the_eras(day: dt.date, form: str) -> None:
    text = in_era(day, form)
    assert written(day, form) == text
    assert read(text, form) == day
    assert pl.select(within_era(pl.lit(text), date_form(form), ERAS)).item()


@given(st.sampled_from(["GYYMM", "RYY.MM", "YYYY/M", "YYYYMM", "MM/YYYY"]), DAYS)
def test_a_month_comes_back(form: str, day: dt.date) -> None:
    # The month in which 明治 begins has no first day in any era.
    first = day.replace(day=1) if day >= dt.date(1868, 2, 1) else dt.date(1868, 2, 1)
    assert read(written(first, form), form) == first


@pytest.mark.parametrize(
    ("text", "within"),
    [("36401", True), ("40101", True), ("40112", True), ("36402", False), ("50104", False), ("43105", False)],
)
def test_a_month_in_which_the_era_changes_is_in_both(text: str, within: bool) -> None:
    assert pl.select(within_era(pl.lit(text), date_form("GYYMM"), ERAS)).item() is within


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026/2/30", "YYYY/M/D"),
        ("2026-4-1", "YYYY/M/D"),
        ("2026/004/1", "YYYY/M/D"),
        ("X08.04.01", "RYY.MM.DD"),
        ("R08.13.01", "RYY.MM.DD"),
        ("R8.04.01", "RYY.MM.DD"),
        ("R08-04-01", "RYY.MM.DD"),
        ("60804", "GYYMM"),
        ("", "GYYMM"),
    ],
)
def test_what_no_day_is_has_no_value(text: str, form: str) -> None:
    assert read(text, form) is None


def in_form(value: Decimal, form: str) -> str:
    """A number in a form, as COBOL's pictures define it."""
    decimals = form.count("9") - 1
    digits = f"{abs(value):.{decimals}f}"
    negative = value < 0
    if "V" in form:
        digits = digits.replace(".", "")
    if form.endswith("S"):
        return digits[:-1] + ("}JKLMNOPQR" if negative else "{ABCDEFGHI")[int(digits[-1])]
    sign = "-" if negative else "+" if form.startswith("+") else ""
    return digits + sign if form.endswith("-") else sign + digits


FORMS = ["9", "-9", "9-", "9S", "9.99", "-9.99", "9.99-", "+9.9", "9V99", "-9V99", "9V999S", "9V99-", "9.99S"]


@given(st.sampled_from(FORMS), st.integers(-(10**30), 10**30))
def test_a_number_is_exact_both_ways(form: str, scaled: int) -> None:
    kind = number_form(form)
    value = Decimal(scaled if kind.is_signed else abs(scaled)).scaleb(-kind.scale)
    plain = format(value, "f")
    text = pl.select(kind.written(pl.lit(plain), 0)).item()
    padded = pl.select(kind.written(pl.lit(plain), 40)).item()
    assert text == in_form(value, form)
    assert len(padded) == 40
    for shown in (text, padded):
        assert pl.select(kind.scaled(pl.lit(shown)).cast(pl.String)).item() == str(int(value.scaleb(kind.scale)))
        again = pl.select(kind.plain(pl.lit(shown))).item()
        assert Decimal(again) == value
        # One number has one text, or the same value would count as changed.
        assert again == (format(value.normalize(), "f") if value else "0")


@pytest.mark.parametrize(
    ("value", "form"),
    [("1.255", "9V99"), ("1.255", "9.99"), ("-1", "9V99"), ("-1", "9"), ("1.5", "-9"), ("", "9.9"), ("A", "9")],
)
def test_a_number_that_cannot_be_written_stays_and_is_not_read(value: str, form: str) -> None:
    kind = number_form(form)
    assert pl.select(kind.written(pl.lit(value), 8)).item() == value
    assert pl.select(kind.scaled(pl.lit(value))).item() is None


def test_what_the_smallest_part_lacks_is_zero() -> None:
    assert pl.select(number_form("9.99").written(pl.lit("-0.00"), 0)).item() == "0.00"
    assert pl.select(number_form("9.99").plain(pl.lit("007.5"))).item() == "7.5"
