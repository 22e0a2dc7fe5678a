"""What the assets of files from the Union share: taking in what lies there, and what is shown of it. Judges nothing."""

import datetime as dt
import logging
from collections.abc import Sequence

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.exchange.arrival import Arrival
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import Direction
from pipelines.orchestration import checks
from pipelines.orchestration.resources import Deployment
from pipelines.orchestration.run_log import say
from pipelines.transfer import receiving

RECEIPT_SCHEMA = {
    "entry": pl.Int64,
    "file_name": pl.String,
    "state": pl.String,
    "sha256": pl.String,
    "records": pl.Int64,
}
QUARANTINED = "KR-7306"
NOTHING_QUARANTINED = "no_file_is_quarantined"


def receive(context: dg.AssetExecutionContext, environment: Environment, interfaces: Sequence[str]) -> list[Arrival]:
    """Take in what lies in the Union's folder, unless all the interfaces are switched off, and say what became of it."""
    if set(interfaces) <= set(environment.settings.switched_off_interfaces):
        return []
    arrivals = receiving.receive(environment, context.run_id)
    for one in arrivals:
        say(context, receiving.line(one), logging.WARNING if receiving.needs_person(one) else logging.INFO)
    return arrivals


def say_applied(context: dg.AssetExecutionContext, environment: Environment, entry: Entry, counts: str) -> None:
    """Say what became of a file that waited; `counts` in words."""
    say(context, f"取込 {entry.file_name}: {entry.state} {counts}")
    if entry.state == "stale":
        say(context, receiving.overtaken(environment, entry).for_people(), logging.WARNING)


def out(interface: str, description: str, group: str, owners: Sequence[str]) -> dg.AssetOut:
    """The asset of an inbound interface. It is materialised once a file of the partition is applied."""
    return dg.AssetOut(
        description=description, group_name=group, kinds={"sftp", "csv"}, owners=owners, is_required=False
    )


def check_spec(
    interface: str,
    description: str,
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
) -> dg.AssetCheckSpec:
    """The check of an inbound interface's files."""
    return checks.file_check(interface, description.split(":")[0], partitions)


def checked(environment: Environment, interface: str, day: dt.date, arrivals: Sequence[Arrival]) -> dg.AssetCheckResult:
    """What the ledger knows of the interface's files of a day (month), and which were left in the Union's folder.

    No file yet, a stale one, and one that was left are warnings; a quarantined one is an error.
    """
    entries = _entries(environment, interface, day)
    if held := _quarantined(entries):
        return checks.failed(interface, _refusal(held[0]))
    stale = [receiving.overtaken(environment, entry) for entry in entries if entry.state == "stale"]
    missing = receiving.of_interface(environment, arrivals, interface)
    check = f"{interface}_is_valid"
    if stale or missing:
        told = "\n".join([*(str(one) for one in stale), *(one.message for one in missing)])
        advice = {"対処": stale[0].remedy} if stale else {}
        return checks.warning(interface, check, False, {**advice, "残ったファイル": len(missing)}, description=told)
    if not any(entry.state == "applied" for entry in entries):
        return checks.warning(interface, check, False, {}, description="このファイルはまだ届いていません")
    records = sum(entry.records or 0 for entry in entries)
    return dg.AssetCheckResult(passed=True, asset_key=interface, check_name=check, metadata={"検査行数": records})


def receipts(environment: Environment, interface: str, day: dt.date) -> pl.DataFrame | None:
    """The interface's files of a day (RECEIPT_SCHEMA); None before one is applied, and while one is quarantined."""
    entries = _entries(environment, interface, day)
    if _quarantined(entries) or not any(entry.state == "applied" for entry in entries):
        return None
    rows = [(entry.id, entry.file_name, entry.state, entry.sha256, entry.records) for entry in entries]
    return pl.DataFrame(rows, schema=RECEIPT_SCHEMA, orient="row")


def require_nothing_quarantined(environment: Environment, interfaces: Sequence[str], day: dt.date) -> None:
    """The last thing of a step that takes files in: KR-7306 while a file of the day (month) is quarantined."""
    for interface in interfaces:
        if held := _quarantined(_entries(environment, interface, day)):
            raise _refusal(held[0])


def quarantine_check(
    asset: str,
    interfaces: Sequence[str],
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
) -> dg.AssetsDefinition:
    """A step of its own that fails the run while a file is quarantined: what else can be done is done before it.

    asset: one that is materialised in every run.
    """

    def no_file_is_quarantined(context: dg.AssetCheckExecutionContext, deployment: Deployment) -> dg.AssetCheckResult:
        """隔離されたファイルがあれば、ほかを全て取り込んだあとで処理を赤くする。"""
        day = context.op_execution_context.partition_time_window.start.date()
        with checks.reported():
            require_nothing_quarantined(deployment.environment, interfaces, day)
        return dg.AssetCheckResult(passed=True)

    decorate = dg.asset_check(
        asset=asset,
        name=NOTHING_QUARANTINED,
        description="届いたファイルが一つも隔離されていない",
        partitions_def=partitions,
    )
    return decorate(no_file_is_quarantined)


def _entries(environment: Environment, interface: str, day: dt.date) -> list[Entry]:
    return environment.ledger.entries(direction=Direction.INBOUND, interfaces={interface}, partition=day)


def _quarantined(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.state == "quarantined"]


def _refusal(entry: Entry) -> RenkeiError:
    return RenkeiError(QUARANTINED, name=entry.file_name, entry=entry.id)
