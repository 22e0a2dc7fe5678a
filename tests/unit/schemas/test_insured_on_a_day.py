"""Insured on day D: start <= D < end, and what the relations of the outgoing file make of it."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from schemas.rules.periods import runs, runs_or_will
from schemas.rules.relations import nominal_head_not_insured, one_head_per_household

DAY = dt.date(2026, 4, 2)
EVE, MORROW = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "end", "insured", "later"),
    [
        (EVE, None, True, True),
        (DAY, None, True, True),
        (MORROW, None, False, True),
        (None, None, False, False),
        (EVE, EVE, False, False),
        (EVE, DAY, False, False),
        (EVE, MORROW, True, True),
        (DAY, DAY, False, False),
    ],
)
def test_a_period_is_half_open(start: dt.date | None, end: dt.date | None, insured: bool, later: bool) -> None:
    row = pl.DataFrame({"applied_on": [start], "ended_on": [end]}, schema={"applied_on": pl.Date, "ended_on": pl.Date})
    assert row.select(runs(DAY).alias("a"), runs_or_will(DAY).alias("b")).row(0) == (insured, later)


def household(head_kind: str, start: dt.date | None, end: dt.date | None) -> pl.DataFrame:
    rows = [("H1", "1", head_kind, start, end, "changed"), ("H1", "2", "member", EVE, None, "changed")]
    names = ("household_number", "resident_number", "head_kind", "applied_on", "ended_on", "update_kind")
    schema = {name: pl.Date if name in ("applied_on", "ended_on") else pl.String for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("head_kind", "start", "end", "heads"),
    [
        ("insured_head", EVE, MORROW, 1),
        ("insured_head", EVE, DAY, 0),
        ("insured_head", EVE, EVE, 0),
        ("insured_head", MORROW, None, 1),
        ("nominal_head", MORROW, None, 1),
        ("nominal_head", None, None, 1),
    ],
)
def test_a_household_has_its_head_until_the_day_on_which_the_heads_period_ends(
    head_kind: str, start: dt.date | None, end: dt.date | None, heads: int
) -> None:
    found = one_head_per_household(household(head_kind, start, end), None, DAY)
    assert found.is_empty() == (heads == 1)
    assert nominal_head_not_insured(household(head_kind, start, end), None, DAY).is_empty()


@pytest.mark.parametrize(("end", "wrong"), [(EVE, False), (DAY, False), (MORROW, True), (None, True)])
def test_a_nominal_head_is_not_insured_on_the_day(end: dt.date | None, wrong: bool) -> None:
    assert nominal_head_not_insured(household("nominal_head", EVE, end), None, DAY).is_empty() != wrong
