"""The files that wait, applied as the assets apply them, for tests of what happens to the records."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.continuity import interfaces, receiving
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.received_file import ReceivedFile
from pipelines.exchange.transport import Source
from pipelines.linkage import daily
from pipelines.linkage.daily import ApplyResult
from pipelines.linkage.interfaces import INTERFACES
from pipelines.operations.inbound_interfaces import INBOUND
from pipelines.transfer import receiving as inbox


def receive_from(environment: Environment, source: Source, by: str) -> list[ReceivedFile]:
    return inbox.receive_from(environment, INBOUND, source, by)


def apply_daily(environment: Environment, reported: pl.DataFrame) -> list[ApplyResult]:
    """Every daily file that waits, oldest day first."""
    return [daily.apply(environment, file, reported) for file in inbox.waiting(environment, INTERFACES)]


@dataclass(frozen=True)
class AppliedOfMonth:
    entry: Entry
    applied_count: int


def apply_monthly(environment: Environment) -> list[AppliedOfMonth]:
    """Every monthly file that waits, oldest month first."""
    waiting = inbox.waiting(environment, interfaces.INTERFACES)
    done: list[AppliedOfMonth] = []
    for month, interface in dict.fromkeys((file.partition, file.interface) for file in waiting):
        files = [file for file in waiting if (file.partition, file.interface) == (month, interface)]
        after = receiving.with_waiting(environment, interface, month, files)
        if after.records is not None:
            environment.store.write(interface, month.isoformat(), after.records)
        marked = receiving.mark(environment, after.files)
        done += [
            AppliedOfMonth(entry, counted_file.applied_count)
            for entry, counted_file in zip(marked, after.files, strict=True)
        ]
    return done
