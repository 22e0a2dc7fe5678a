"""多数回該当: the window, what counts, what is handed over, corrections."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from pipelines.high_cost.counts import counted_months, counts, handed_over_months, qualifying_months

HOME = "000000000000001"
NOBODY = pl.DataFrame(schema={"household_number": pl.String, "treatment_month": pl.Date, "source": pl.String})
STAYED = pl.DataFrame(schema={"household_number": pl.String, "until": pl.Date})


def months(*texts: str) -> pl.DataFrame:
    days = [dt.date.fromisoformat(f"{text}-01") for text in texts]
    return pl.DataFrame(
        {"household_number": [HOME] * len(days), "treatment_month": days},
        schema={"household_number": pl.String, "treatment_month": pl.Date},
    )


def benefit(month: str, amount: object = "1000", outpatient_only: str = "no") -> dict[str, object]:
    return {
        "household_number": HOME,
        "treatment_month": month,
        "outpatient_only": outpatient_only,
        "high_cost_amount": amount,
    }


@pytest.mark.parametrize(
    ("paid", "month", "count", "multiple"),
    [
        (("2026-01", "2026-02", "2026-03"), "2026-04", 3, True),
        (("2026-01", "2026-02"), "2026-04", 2, False),
        (("2025-05", "2026-02", "2026-03"), "2026-04", 3, True),
        (("2025-04", "2026-02", "2026-03"), "2026-04", 2, False),
        (("2026-02", "2026-03", "2026-04"), "2026-04", 2, False),
        (("2025-12", "2026-01", "2026-12"), "2027-01", 1, False),
    ],
)
def test_the_window_is_the_eleven_months_before(paid: tuple[str, ...], month: str, count: int, multiple: bool) -> None:
    counted = counted_months(months(*paid), NOBODY, STAYED)
    (found,) = counts(counted, dt.date.fromisoformat(f"{month}-01")).to_dicts()
    assert (found["count"], found["is_multiple"]) == (count, multiple)


def test_what_counts() -> None:
    rows = pl.DataFrame(
        [
            benefit("2026-01"),
            benefit("2026-01"),
            benefit("2026-02", "0"),
            benefit("2026-03", "500", "yes"),
            benefit("2018-03"),
            benefit("2018-04"),
        ]
    )
    assert qualifying_months(rows)["treatment_month"].to_list() == [dt.date(2018, 4, 1), dt.date(2026, 1, 1)]


def handover(month: str, sequence: int = 1, kind: str = "added") -> dict[str, object]:
    return {
        "sequence": sequence,
        "new_household_number": HOME,
        "old_municipality_code": "999989",
        "old_household_number": "000000000000009",
        "treatment_month": month,
        "update_kind": kind,
    }


def test_a_month_that_both_paid_counts_once_and_keeps_both_sources() -> None:
    from_handover = handed_over_months(pl.DataFrame([handover("2026-02"), handover("2026-03")]))
    counted = counted_months(months("2026-03", "2026-04"), from_handover, STAYED)
    (found,) = counts(counted, dt.date(2026, 5, 1)).to_dicts()
    assert (found["count"], found["is_multiple"]) == (3, True)
    assert counted.select("own", "handed_over_from").rows() == [
        (False, ["999989/000000000000009"]),
        (True, ["999989/000000000000009"]),
        (True, None),
    ]


def test_a_late_correction_takes_a_handed_over_month_away_and_gives_it_back() -> None:
    rows = [handover("2026-02"), handover("2026-03"), handover("2026-02", 2, "withdrawn")]
    assert handed_over_months(pl.DataFrame(rows))["treatment_month"].to_list() == [dt.date(2026, 3, 1)]
    rows.append(handover("2026-02", 3))
    assert handed_over_months(pl.DataFrame(rows)[::-1]).height == 2


def test_those_who_stay_in_the_old_household_start_again() -> None:
    gone = pl.DataFrame({"household_number": [HOME], "until": [dt.date(2026, 4, 1)]})
    counted = counted_months(months("2026-02", "2026-03", "2026-04", "2026-05"), NOBODY, gone)
    counts_by_month = {
        month: counts(counted, month)["count"].to_list()
        for month in (dt.date(2026, 4, 1), dt.date(2026, 5, 1), dt.date(2026, 6, 1))
    }
    # In the month of the move the old place still needs them; afterwards only what came after it counts.
    assert list(counts_by_month.values()) == [[2], [], [1]]
