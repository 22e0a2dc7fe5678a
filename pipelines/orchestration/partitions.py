"""Which days and months exist as Dagster partitions, in Asia/Tokyo. The calendar itself is `configuration.calendar`."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass

import dagster as dg

from pipelines.configuration.calendar import TOKYO, holidays, next_business_day

WEEKENDS = "0 0 * * 0,6"
_CALENDAR_AHEAD = dt.timedelta(days=400)  # a year and a month: definitions are reloaded more often than that


@dataclass(frozen=True)
class Window:
    """The days whose files a partition applies: those later than `after` (None: however early), up to `until`."""

    after: dt.date | None
    until: dt.date

    def is_earlier(self, day: dt.date) -> bool:
        """Whether a day's files belong to an earlier partition."""
        return self.after is not None and day <= self.after

    def __contains__(self, day: dt.date) -> bool:
        return day <= self.until and not self.is_earlier(day)


@dataclass(frozen=True)
class Partitions:
    """The business days and the months (処理対象年月, by their first day) of a deployment.

    Days exclude weekends, public holidays and the turn of the year. A partition ends at midnight: day D can be run from
    D+1 0:00, or by name on D itself (`end_offset=1`); a month from its own first day on. The Union's calendar and the
    ledger decide which steps of a month have work, never a partition mapping.
    """

    days: dg.DailyPartitionsDefinition
    months: dg.MonthlyPartitionsDefinition

    @classmethod
    def since(cls, first: dt.date, today: dt.date, last: dt.date | None = None) -> Partitions:
        """The partitions from the first to the last day that the deployment sends (None: it goes on).

        A month of which the last business day is not sent is not there. Holidays are included up to `_CALENDAR_AHEAD` from today.
        """
        following = next_business_day(last) if last else None
        holiday_dates = holidays(first, max(today, first) + _CALENDAR_AHEAD)
        days = dg.DailyPartitionsDefinition(
            start_date=first.isoformat(),
            end_date=following.isoformat() if following else None,
            timezone="Asia/Tokyo",
            end_offset=1,
            exclusions=[WEEKENDS, *(dt.datetime.combine(day, dt.time(), TOKYO) for day in holiday_dates)],
        )
        months = dg.MonthlyPartitionsDefinition(
            start_date=first.replace(day=1).isoformat(),
            end_date=following.replace(day=1).isoformat() if following else None,
            timezone="Asia/Tokyo",
            end_offset=1,
        )
        return cls(days, months)

    def of_step(self, step: str | None) -> dg.TimeWindowPartitionsDefinition:
        """The partitions of a monthly step, or of the daily runs (None)."""
        return self.days if step is None else self.months

    def of_file(self, step: str | None, day: dt.date) -> str | None:
        """The partition that applies a file for `day`: of a monthly step, or of the daily run (None).

        The first at or after the file's day, so that a Saturday's file is Monday's; None while that has not begun.
        """
        keys = self.of_step(step).get_partition_keys()
        place = bisect_left(keys, day.isoformat())
        return keys[place] if place < len(keys) else None

    def window(self, step: str | None, own: dt.date) -> Window:
        """The days whose files `of_file` assigns to a partition. Call it once for many files: it lists every partition."""
        keys = self.of_step(step).get_partition_keys()
        place = bisect_left(keys, own.isoformat())
        return Window(dt.date.fromisoformat(keys[place - 1]) if place else None, own)


def days_of_month(asset: str) -> dg.AssetDep:
    """The lineage from a daily asset to a monthly one, for display; the ledger decides which days count (`baseline`)."""
    return dg.AssetDep(
        asset, partition_mapping=dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
    )


def keys(*assets: str) -> set[dg.AssetKey]:
    """The keys of assets: what one output of a step comes from, where its others come from something else."""
    return {dg.AssetKey(asset) for asset in assets}


def all_partitions_of(asset: str) -> dg.AssetDep:
    """The lineage from every partition of an asset, of which the effective baseline is read (`baseline`)."""
    return dg.AssetDep(asset, partition_mapping=dg.AllPartitionMapping())
