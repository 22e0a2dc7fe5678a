"""Which days and months exist as Dagster partitions, in Asia/Tokyo. The calendar itself is `calendar`."""

from __future__ import annotations

import datetime as dt
import os

import dagster as dg

from pipelines.calendar import TOKYO, closed_days

# The first day that this deployment may send; older days would be grey for ever.
FIRST_DAY_KEY = "RENKEI_FIRST_DAY"
DEFAULT_FIRST_DAY = dt.date(2026, 4, 1)
WEEKENDS = "0 0 * * 0,6"
_CALENDAR_AHEAD = dt.timedelta(days=400)  # a year and a month: definitions are reloaded more often than that


def business_day_partitions() -> dg.DailyPartitionsDefinition:
    """Daily partitions without weekends, public holidays and the turn of the year.

    A partition ends at midnight: day D can be run from D+1 0:00, or by name on D itself (`end_offset=1`).
    """
    first = dt.date.fromisoformat(os.environ.get(FIRST_DAY_KEY, DEFAULT_FIRST_DAY.isoformat()))
    today = dt.datetime.now(TOKYO).date()
    closed = closed_days(first, max(today, first) + _CALENDAR_AHEAD)
    return dg.DailyPartitionsDefinition(
        start_date=first.isoformat(),
        timezone="Asia/Tokyo",
        end_offset=1,
        exclusions=[WEEKENDS, *(dt.datetime.combine(day, dt.time(), TOKYO) for day in closed)],
    )


def month_partitions() -> dg.MonthlyPartitionsDefinition:
    """処理対象年月, by their first day, from the month of the first business day on.

    A month can be run from its own first day on (`end_offset=1`): which of its steps have work is told by the Union's
    calendar and the ledger, never by a partition mapping (dagster.md 0, trap 6).
    """
    first = dt.date.fromisoformat(os.environ.get(FIRST_DAY_KEY, DEFAULT_FIRST_DAY.isoformat()))
    return dg.MonthlyPartitionsDefinition(
        start_date=first.replace(day=1).isoformat(), timezone="Asia/Tokyo", end_offset=1
    )


MONTHS = month_partitions()


def days_of_month(asset: str) -> dg.AssetDep:
    """The lineage from a daily asset to a monthly one. It shows; which days count is told by the ledger (`known`)."""
    return dg.AssetDep(
        asset, partition_mapping=dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    )


BUSINESS_DAYS = business_day_partitions()
