"""The monthly agreement as a step: the cut-off day's tables -> who does not agree -> lists for the clerks. Decides nothing."""

from __future__ import annotations

import datetime as dt

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from pipelines.agreement.comparison import Decided, Stock, compare
from pipelines.configuration.calendar import previous_business_day
from pipelines.deployment import Environment
from pipelines.eligibility.carrying import carried
from pipelines.eligibility.daily import baseline
from pipelines.linkage import state
from pipelines.transfer import erased
from pipelines.transfer.baseline import SENT_FILES, people_sent, require_sent

DISAGREEMENTS, TOTALS = "agreement_differences", "agreement_totals"
REGISTER = ("people", "households", "my_numbers")


def disagreements(environment: Environment, month: dt.date) -> pl.DataFrame:
    """`Disagreements` at the end of a month's cut-off day.

    KR-7107 the Union's calendar does not have the month, KR-7601 a day up to the cut-off is not sent, KR-7207 the cut-off
    day was never built, KR-7210 retention has erased its tables, KR-7213 those of what was sent are other ones.
    """
    day = require_sent(environment, month)
    erased.require_kept(environment, day, REGISTER, SENT_FILES)
    people, households, my_numbers = (environment.store.read(asset, day.isoformat()) for asset in REGISTER)
    of_the_day = carried(environment.catalogue, day, people, households)
    register = Stock(people, households, my_numbers, of_the_day)
    told = baseline(environment, day + dt.timedelta(days=1))
    with environment.ledger.viewing() as view:
        now, before = state.linkage(view, day), state.periods_before(view, day)
    decided = Decided(now, before, people_sent(environment, _told_by(environment, day)))
    return compare(register, Stock(told.people, told.households, told.my_numbers), decided, day)


def business_days_of_waiting(catalogue: Catalogue, on: dt.date) -> int:
    """After how many business days somebody who was told must have a 市町村被保険者ID (`agreement/waiting.csv`).

    KR-7107 when the table has no row for the day, KR-7101 when it has no such number.
    """
    rows = catalogue.table("agreement/waiting", on)
    for row in rows:
        if row["対象"] == "municipal_insured_id":
            return row.integer("営業日数")
    raise RenkeiError("KR-7101", path="agreement/waiting.csv", reason="municipal_insured_id の行がありません")


def _told_by(environment: Environment, day: dt.date) -> dt.date:
    """The day by which somebody must have been told to have an id on `day`."""
    for _ in range(business_days_of_waiting(environment.catalogue, day)):
        day = previous_business_day(day)
    return day


def totals_by_month(environment: Environment, month: dt.date, most: int = 12) -> dict[str, pl.DataFrame]:
    """The totals (`AgreementTotals`) of the months up to `month` that have any, oldest first, at most as many."""
    known = [name for name in environment.store.partitions(TOTALS) if name <= month.isoformat()]
    return {name: environment.store.read(TOTALS, name) for name in sorted(known)[-most:]}
