"""What was reported to the Union: the last effective sending, and which days of a month were sent. Read from the ledger."""

from __future__ import annotations

import datetime as dt

import polars as pl

from interfaces.messages import RenkeiError
from pipelines.configuration.calendar import business_days, monthly_days
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import SENT_STATES, TERMINAL_OUTBOUND_STATES, Direction, EntryState, LedgerEvent
from pipelines.tables.eligibility import SentPeople
from pipelines.transfer.sending import records_of

SENT_FILES = ("eligibility_household", "eligibility_individual")
SENT_KEYS = {"eligibility_household": "household_number", "eligibility_individual": "resident_number"}


def people_sent(environment: Environment, on: dt.date | None = None) -> pl.DataFrame:
    """The people of the last effective sending (at the end of `on`; None: now), as the Union knows them.

    A person whom a later file reported is included with the facts of that file, where that file is, or may be, at the
    Union (`ledger.baseline.uncertain_entries`).
    """
    before = on + dt.timedelta(days=1) if on else None
    partition = environment.ledger.effective_baseline(before=before, interfaces=SENT_FILES)
    baseline = SentPeople.empty()
    if partition is not None:
        baseline = environment.store.read("sent_people", partition.isoformat())
    reported = uncertain_reports(environment, before).get("eligibility_individual")
    return baseline if reported is None else overlaid(baseline, reported, "resident_number")


def uncertain_reports(
    environment: Environment, before: dt.date | None, *, rebuilt: dt.date | None = None
) -> dict[str, pl.DataFrame]:
    """The records of files that are, or may be, at the Union without being a baseline (`ledger.baseline.uncertain_entries`).

    By interface (SENT_FILES): the newest canonical record of each person or household, with `uncertain` true and `gone`.
    `gone`: withdrawn by a file that the Union accepted, so the Union does not know the person any more. An interface
    without such a file is absent. KR-6115 when our copy of a file is not what the ledger says.
    """
    reported: dict[str, list[pl.DataFrame]] = {}
    for entry in environment.ledger.uncertain_entries(before, SENT_FILES, rebuilt=rebuilt):
        records = records_of(environment, entry)
        withdrawn = pl.col("update_kind") == "withdrawn" if "update_kind" in records.columns else pl.lit(False)
        gone = withdrawn & pl.lit(entry.state == EntryState.ACCEPTED)
        reported.setdefault(str(entry.interface), []).append(records.with_columns(uncertain=pl.lit(True), gone=gone))
    return {
        interface: pl.concat(frames, how="diagonal").unique(SENT_KEYS[interface], keep="last", maintain_order=True)
        for interface, frames in reported.items()
    }


def overlaid(baseline: pl.DataFrame, reported: pl.DataFrame, key: str) -> pl.DataFrame:
    """`baseline` with its rows replaced by the rows of `reported` with the same key, without those that are `gone`; sorted by
    the key, with the columns of `baseline`."""
    missing_columns = [
        pl.lit(None, baseline.schema[name]).alias(name) for name in baseline.columns if name not in reported.columns
    ]
    kept_reports = reported.filter(~pl.col("gone")).with_columns(missing_columns).select(baseline.columns)
    return pl.concat([baseline.join(reported, on=key, how="anti"), kept_reports]).sort(key)


def first_month_sent(environment: Environment) -> dt.date | None:
    """The month (its first day) of the deployment's first daily sending; another system handled the time before."""
    entries = environment.ledger.entries(direction=Direction.OUTBOUND, interfaces=SENT_FILES)
    return min((e.partition.replace(day=1) for e in entries if e.partition is not None), default=None)


def days_not_sent(environment: Environment, first: dt.date, last: dt.date) -> list[dt.date]:
    """The business days of [first, last] that were neither sent, nor carried by a later day, nor without changes.

    Days before the deployment's first sending, or after the `last_day` of the settings, are not included. A day with a
    rejected file, or that was recalled, is carried by the next day that reaches the Union.
    """
    entries = environment.ledger.entries(direction=Direction.OUTBOUND, interfaces=SENT_FILES)
    current_states: dict[dt.date | None, dict[str | None, EntryState]] = {}
    for entry in entries:
        if entry.state != EntryState.WITHDRAWN:
            current_states.setdefault(entry.partition, {})[entry.interface] = entry.state
    out = SENT_STATES | {EntryState.SUPERSEDED}
    carried_by = environment.ledger.effective_baseline(interfaces=SENT_FILES)
    done = {
        day
        for day, states in current_states.items()
        if out.issuperset(states.values())
        or (day and carried_by and day < carried_by and not TERMINAL_OUTBOUND_STATES.isdisjoint(states.values()))
    }
    quiet = {e.detail.get("partition") for e in environment.ledger.events_of(LedgerEvent.QUIET_DAY)}
    began = min((e.partition for e in entries if e.partition is not None), default=first)
    ends = min(last, environment.settings.last_day or last)
    days = business_days(max(first, began), ends + dt.timedelta(days=1))
    return [day for day in days if day not in done and day.isoformat() not in quiet]


def require_sent(environment: Environment, month: dt.date) -> dt.date:
    """The cut-off day of a month, if everything up to it was sent or carried; KR-7601 names the days that were not."""
    cut_off = monthly_days(environment.catalogue, month).cut_off
    missing = days_not_sent(environment, month, cut_off)
    if cut_off in missing:
        days = "、".join(day.isoformat() for day in missing)
        raise RenkeiError("KR-7601", month=f"{month:%Y-%m}", day=cut_off, missing=days)
    return cut_off
