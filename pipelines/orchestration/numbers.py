"""What the Dagster UI plots and shows of an asset over days and months: counts, codes, versions. Never a value of a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from interfaces.messages import message
from pipelines.configuration.calendar import business_days_between, tokyo_time
from pipelines.deployment import Environment
from pipelines.eligibility.changes import ADDED, CHANGE_KINDS, NUMBER_CHANGED, RENOTIFY, WITHDRAWN
from pipelines.exchange.ledger.entry import Entry

Shown = dict[str, str | int]
VERSION, SHA256 = "仕様の版", "SHA-256"
AGE = "応答までの営業日数"
_KINDS = (
    *CHANGE_KINDS,
    NUMBER_CHANGED,
    RENOTIFY,
    ADDED,
    WITHDRAWN,
)  # all, so that a day without one has a point in its plot


def of_file(version: str, sha256: Sequence[str]) -> Shown:
    """The version of the specification of a file, and its hash; several when the Union delivered several."""
    return {VERSION: version, SHA256: "、".join(sha256) or "なし"}


def of_findings(findings: pl.DataFrame) -> Shown:
    """How many findings of each code: `Findings`, and the total."""
    return {"検出件数": findings.height, **by_code(findings["code"])}


def of_changes(changes: pl.DataFrame) -> Shown:
    """How many people changed in which way, and how many are sent because their household is: `ChangedPeople`."""
    counted = dict(changes["change_kinds"].explode().drop_nulls().value_counts().iter_rows())
    alone = changes.filter(pl.col("change_kinds").list.len() == 0).height
    kinds = {f"異動 {kind}": int(counted.get(kind, 0)) for kind in _KINDS}
    return {**kinds, "異動した人": changes.height - alone, "同じ世帯の人": alone}


def of_withheld(withheld: pl.DataFrame) -> Shown:
    """How many people are withheld, in how many households, and by which code: `WithheldPeople`."""
    people = withheld["resident_number"].drop_nulls().n_unique()
    households = withheld["household_number"].drop_nulls().n_unique()
    return {"保留した人": people, "保留した世帯": households, **by_code(withheld["codes"].explode().drop_nulls())}


def by_code(codes: pl.Series) -> Shown:
    """How often each code stands there, with its title."""
    counted = sorted(codes.value_counts().iter_rows())
    return {f"{code} {message(code).title}": int(count) for code, count in counted}


def of_received(
    environment: Environment, interface: str, day: dt.date, applied: Sequence[Entry], due: dt.date
) -> Shown:
    """The applied files of a day or month: version, hashes, and how many business days after `due` the last one came."""
    shown = of_file(environment.specification(interface, day).version, [str(entry.sha256) for entry in applied])
    ages = [business_days_between(due, tokyo_time(entry.created_at).date()) for entry in applied]
    return {**shown, AGE: max(ages)} if ages else shown
