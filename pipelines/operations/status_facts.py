"""Gathers the facts of `status`: each part by itself, so that what cannot be read does not hide the rest. Changes nothing.

Reads the last days only, and never waits for a writer of the ledger. Creates nothing, also where there is nothing yet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from dateutil.relativedelta import relativedelta

from interfaces.messages import RenkeiError
from interfaces.words import state_in_words
from pipelines.configuration.calendar import TOKYO, business_days, is_business_day, monthly_days
from pipelines.configuration.settings import Settings
from pipelines.continuity import decisions
from pipelines.deployment import Environment, disk_of, is_new_deployment
from pipelines.eligibility.withholding import WithheldCount, counted
from pipelines.exchange.ledger.baseline import current_entries
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import (
    DECIDABLE_STATES,
    SENT_STATES,
    Direction,
    EntryState,
    LedgerEvent,
)
from pipelines.operations.outstanding import grouped, never_sent, outstanding
from pipelines.operations.status import (
    LAST_DAYS,
    NEVER_SENT,
    AwaitingApproval,
    DayStatus,
    KeyStatus,
    MonthlyProgress,
    Runs,
    Status,
)
from pipelines.storage.keyring import PURPOSES
from pipelines.transfer.baseline import SENT_FILES

LOOKED_BACK_DAYS = 21  # calendar days that contain the last business days, also in May and at the turn of the year
RESULT_LATE_DAYS = 7
NO_LEDGER = "KR-6107"
Found = TypeVar("Found")


@dataclass
class _Unknown:
    """What could not be found out, gathered while the rest is looked at."""

    errors: list[RenkeiError] = field(default_factory=list)

    def of(self, look: Callable[[], Found], otherwise: Found) -> Found:
        """What `look` finds; `otherwise` when it cannot, and the reason is kept, once."""
        try:
            return look()
        except RenkeiError as error:
            if str(error) not in map(str, self.errors):
                self.errors.append(error)
            return otherwise


def gather(settings: Settings, clock: Callable[[], dt.datetime], runs: Runs | None) -> Status:
    """The facts of a deployment now. `runs`: what Dagster's records say."""
    now, unknown = clock().astimezone(TOKYO), _Unknown()
    disk = disk_of(settings)
    try:
        found = Environment.view(settings, clock)
    except RenkeiError as error:
        is_new = error.code == NO_LEDGER and is_new_deployment(settings.data_folder)
        overdue, unknown.errors = (grouped(never_sent(now.date())), []) if is_new else ([], [error])
        return Status(now, settings.municipality_code, (), (), (), overdue, (), (), disk, runs, tuple(unknown.errors))
    today = now.date()
    shown = min(today, settings.last_day or today)
    working = {work.partition for work in runs.working} if runs else set()
    overdue = unknown.of(lambda: grouped(outstanding(found, today - dt.timedelta(days=1))), [])
    began = not any(one.code == NEVER_SENT for one in overdue)
    return Status(
        now,
        settings.municipality_code,
        unknown.of(lambda: days_of(found, shown) if began else [], []),
        unknown.of(lambda: found.ledger.entries(direction=Direction.INBOUND, states=DECIDABLE_STATES), []),
        unknown.of(lambda: _awaiting(found, working), []),
        overdue,
        unknown.of(lambda: _months(found, shown) if began else [], []),
        unknown.of(lambda: keys_of(found), []),
        disk,
        runs,
        tuple(unknown.errors),
    )


def days_of(environment: Environment, today: dt.date) -> list[DayStatus]:
    """Today, if it is a business day, and the last business days before it, newest first."""
    before = list(business_days(today - dt.timedelta(days=LOOKED_BACK_DAYS), today))[-LAST_DAYS:]
    recent = environment.ledger.entries(since=before[0])
    days = [*before, *([today] if is_business_day(today) else [])]
    quiet = {event.detail.get("partition") for event in environment.ledger.events_of(LedgerEvent.QUIET_DAY)}
    off = environment.settings.switched_off_interfaces
    answers = [name for name in environment.catalogue.of_cycle("daily", "from_union") if name not in off]
    return [
        _day(environment, [e for e in recent if e.partition == day], day, day.isoformat() in quiet, answers)
        for day in reversed(days)
        if day >= environment.settings.first_day
    ]


def _day(
    environment: Environment, entries: Sequence[Entry], day: dt.date, is_quiet: bool, answers: Sequence[str]
) -> DayStatus:
    sent = current_entries(e for e in entries if e.direction == Direction.OUTBOUND and e.interface in SENT_FILES)
    inbound = [e for e in entries if e.direction == Direction.INBOUND]
    return DayStatus(
        day,
        _sending(sent.values(), is_quiet),
        next((e.records for e in sent.values() if e.interface == "eligibility_individual"), None),
        len({e.interface for e in inbound if e.state == EntryState.APPLIED} & set(answers)),
        len(answers),
        sum(e.state == EntryState.QUARANTINED for e in inbound),
        withheld_on(environment, day),
    )


def _sending(entries: Iterable[Entry], is_quiet: bool) -> str:
    """The state of a day's files in words."""
    states = list(dict.fromkeys(state_in_words(entry.state) for entry in entries))
    return "・".join(states) or ("送るものなし" if is_quiet else "未送付")


def withheld_on(environment: Environment, day: dt.date) -> WithheldCount | None:
    """How many are withheld from a day; None when it was not made, its list was erased, or this process has no key for it."""
    if not environment.store.exists("withheld_list", day.isoformat()):
        return None
    if environment.store.height("withheld_list", day.isoformat()) == 0:
        return WithheldCount(0, 0, {})
    try:
        return counted(environment.store.read("withheld_list", day.isoformat()))
    except RenkeiError as error:
        if error.code in ("KR-7112", "KR-7208"):
            return None
        raise


def _awaiting(environment: Environment, working: set[str]) -> list[AwaitingApproval]:
    """What a second person must approve. A file that a run has just made is about to be sent."""
    entries = environment.ledger.entries(direction=Direction.OUTBOUND, states={EntryState.WRITTEN})
    partitions = sorted({e.partition for e in entries if e.partition and e.partition.isoformat() not in working})
    return [
        AwaitingApproval(partition, is_monthly, len(files))
        for partition in partitions
        for is_monthly in (False, True)
        if (files := [e for e in entries if e.partition == partition and (e.interface not in SENT_FILES) == is_monthly])
    ]


def _months(environment: Environment, today: dt.date) -> list[MonthlyProgress]:
    """The months that are being worked on: last month until its result is in, and this one."""
    this = today.replace(day=1)
    found = []
    for month in (this - relativedelta(months=1), this):
        if month >= environment.settings.first_day.replace(day=1):
            try:
                days = monthly_days(environment.catalogue, month)
            except RenkeiError as error:
                if error.code != "KR-7107":
                    raise
                continue  # `renkei doctor` says that the Union's calendar does not have it
            progress = MonthlyProgress(days, *_steps_done(environment, month))
            if today <= days.result_on + dt.timedelta(days=RESULT_LATE_DAYS):
                found.append(progress)
    return found


def _steps_done(environment: Environment, month: dt.date) -> tuple[frozenset[str], int | None]:
    """The names of the steps of a month that are done, and how many candidates have no decision."""
    entries = environment.ledger.entries(partition=month)
    present = {e.interface for e in entries if e.state in SENT_STATES | {EntryState.APPLIED}}
    store, name = environment.store, month.isoformat()
    done = set()
    if {"high_cost_history", "income_class"} <= present:
        done.add("out")
    if "continuity_candidates" in present:
        done.add("candidates")
    undecided = None
    if "candidates" in done and store.exists("continuity_worksheet", name):
        with environment.ledger.viewing() as view:
            decided = decisions.current(view, month)
        undecided = max(
            0, store.height("continuity_worksheet", name) - decided.filter(decided["decision"] != "postponed").height
        )
        if store.height("continuity_worksheet", name) == 0:
            done |= {"instruction", "results"}
    if "continuity_instruction" in present or _instructed_otherwise(environment, month):
        done.add("instruction")
    if "continuity_result" in present:
        done.add("results")
    return frozenset(done), undecided


def _instructed_otherwise(environment: Environment, month: dt.date) -> bool:
    """Whether there was nothing to instruct, or a person typed it in at the Union's screen."""
    actions = (LedgerEvent.NO_INSTRUCTION, LedgerEvent.INSTRUCTION_FOR_TYPING)
    return any(
        event.detail.get("month") == month.isoformat()
        for action in actions
        for event in environment.ledger.events_of(action)
    )


def keys_of(environment: Environment) -> list[KeyStatus]:
    """The newest key of each purpose, and the Union's certificate, with their last days."""
    pairs = [pairs[0] for purpose in PURPOSES if (pairs := environment.keys.pairs(purpose))]
    own = [KeyStatus(pair.name, pair.purpose, pair.certificate.not_valid_after_utc.date()) for pair in pairs]
    partners = environment.partners()[:1]
    return own + [KeyStatus("連合会の証明書", None, one.not_valid_after_utc.date()) for one in partners]
