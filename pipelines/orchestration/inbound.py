"""Shared by the assets of inbound files: which files belong to a partition, and what is shown of them. Validates nothing."""

import datetime as dt
import logging
from collections.abc import Sequence

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError, message
from interfaces.words import state_in_words
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import Direction, EntryState
from pipelines.operations.inbound_interfaces import INBOUND, of_step
from pipelines.orchestration import checks
from pipelines.orchestration.partitions import Partitions, Window
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say
from pipelines.tables.files import ReceivedFiles
from pipelines.transfer import receiving
from pipelines.transfer.inbound_interface import InboundInterface
from pipelines.transfer.receiving import WaitingFile

QUARANTINED = "KR-7306"
POOL = "applying"  # one run at a time applies files
NOTHING_QUARANTINED = "no_file_is_quarantined"


def own_files(
    environment: Environment, partitions: Partitions, step: str | None, own: dt.date
) -> dict[str, list[WaitingFile]]:
    """The waiting files that a partition applies, by interface, in their order.

    KR-7309 while files of an earlier partition wait: applied after this one they would be stale.
    """
    interfaces, window = of_step(step), partitions.window(step, own)
    found: dict[str, list[WaitingFile]] = {interface: [] for interface in interfaces}
    for file in receiving.waiting(environment, interfaces):
        if file.partition in window:
            found[file.interface].append(file)
        elif window.is_earlier(file.partition):
            partition = partitions.of_file(step, file.partition)
            raise RenkeiError("KR-7309", name=file.entry.file_name, entry=file.entry.id, partition=partition, own=own)
    return found


def say_applied(context: dg.AssetExecutionContext, environment: Environment, entry: Entry, counts: str) -> None:
    """Report the outcome of a file that waited; `counts` in words."""
    say(context, f"取込 {entry.file_name}: {state_in_words(entry.state)} {counts}")
    if entry.state == EntryState.STALE:
        say(context, receiving.stale_file_error(environment, entry).for_people(), logging.WARNING)


def out(interface: InboundInterface) -> dg.AssetOut:
    """The asset of an inbound interface. It is materialised once a file of the partition is applied."""
    return dg.AssetOut(
        description=interface.description,
        group_name=interface.group,
        kinds={"sftp", "csv"},
        owners=interface.owners,
        is_required=False,
    )


def check_spec(
    interface: InboundInterface,
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
) -> dg.AssetCheckSpec:
    """The check of an inbound interface's files."""
    return checks.file_check(interface.id, interface.description.split(":")[0], partitions)


def entries(environment: Environment, interface: str, window: Window) -> list[Entry]:
    """The ledger's entries of an interface's files that belong to a partition."""
    ledger_entries = environment.ledger.entries(direction=Direction.INBOUND, interfaces={interface})
    return [entry for entry in ledger_entries if entry.partition is not None and entry.partition in window]


def checked(environment: Environment, interface: str, ledger_entries: Sequence[Entry]) -> dg.AssetCheckResult:
    """The check of the interface's files of a day (month), with those left in the Union's folder at the last listing.

    No file yet, a stale one, and one that was left are warnings; a quarantined one is an error.
    """
    if quarantined := _quarantined(ledger_entries):
        return checks.failed(interface, _refusal(quarantined[0]))
    stale = [
        receiving.stale_file_error(environment, entry) for entry in ledger_entries if entry.state == EntryState.STALE
    ]
    left = receiving.left_of(environment, interface)
    check = f"{interface}_is_valid"
    if stale or left:
        problems = [str(item) for item in stale] + [
            f"{item.code} {item.name}: {message(item.code).title}" for item in left
        ]
        advice = {"対処": stale[0].remedy} if stale else {}
        return checks.warning(
            interface, check, False, {**advice, "残ったファイル": len(left)}, description="\n".join(problems)
        )
    if not any(entry.state == EntryState.APPLIED for entry in ledger_entries):
        return checks.warning(interface, check, False, {}, description="このファイルはまだ届いていません")
    records = sum(entry.records or 0 for entry in ledger_entries)
    return dg.AssetCheckResult(passed=True, asset_key=interface, check_name=check, metadata={"検査行数": records})


def is_applied(ledger_entries: Sequence[Entry]) -> bool:
    """Whether one of an interface's files is applied, and none is quarantined."""
    return not _quarantined(ledger_entries) and any(entry.state == EntryState.APPLIED for entry in ledger_entries)


def receipts(ledger_entries: Sequence[Entry]) -> pl.DataFrame:
    """The files as a table: `ReceivedFiles`."""
    rows = [(entry.id, entry.file_name, entry.state, entry.sha256, entry.records) for entry in ledger_entries]
    return ReceivedFiles.of(rows)


def require_nothing_quarantined(environment: Environment, interfaces: Sequence[str], window: Window) -> None:
    """The last action of a step that applies files: KR-7306 while a file of the day (month) is quarantined."""
    for interface in interfaces:
        if quarantined := _quarantined(entries(environment, interface, window)):
            raise _refusal(quarantined[0])


def quarantine_check(asset: str, interfaces: Sequence[str], partitions: Partitions) -> dg.AssetsDefinition:
    """A separate step that fails the run while a file is quarantined, after everything else is done.

    asset: one that is materialised in every run; interfaces: all of one step.
    """
    step = INBOUND[interfaces[0]].step

    def no_file_is_quarantined(context: dg.AssetCheckExecutionContext, deployment: Deployment) -> dg.AssetCheckResult:
        """隔離されたファイルがあれば、ほかを全て取り込んだあとで処理を赤くする。"""
        own = context.op_execution_context.partition_time_window.start.date()
        with checks.failing_with_code():
            require_nothing_quarantined(deployment.environment, interfaces, partitions.window(step, own))
        return dg.AssetCheckResult(passed=True)

    decorate = dg.asset_check(
        asset=asset,
        name=NOTHING_QUARANTINED,
        description="届いたファイルが一つも隔離されていない",
        partitions_def=partitions.of_step(step),
    )
    return decorate(no_file_is_quarantined)


def _quarantined(ledger_entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in ledger_entries if entry.state == EntryState.QUARANTINED]


def _refusal(entry: Entry) -> RenkeiError:
    return RenkeiError(QUARANTINED, name=entry.file_name, entry=entry.id)
