"""The Dagster asset of a file from the Union, one factory for all: taken in, or quarantined and red. Judges nothing."""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg
import polars as pl

from interfaces.messages import RenkeiError
from pipelines import arrival, checks
from pipelines.environment import Environment
from pipelines.exchange.inbox import Arrival
from pipelines.resources import Deployment

RECEIPT_SCHEMA = {
    "entry": pl.Int64,
    "file_name": pl.String,
    "state": pl.String,
    "sha256": pl.String,
    "records": pl.Int64,
}
Apply = Callable[[Environment, str, str], None]


def inbound_asset(
    interface: str,
    description: str,
    group: str,
    owners: Sequence[str],
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
    apply: Apply,
    table: Callable[[Environment, str, pl.DataFrame], pl.DataFrame],
    deps: Sequence[str | dg.AssetDep],
) -> dg.AssetsDefinition:
    """The asset of one inbound interface.

    `apply(environment, interface, run id)` applies what waits; `table(environment, partition, receipts)` is what the
    asset holds. Nothing is materialised before a file of the partition is applied: that is a warning of the check, not a failed run. So
    is a stale file, whose data the asset lacks, and a file that was left in the Union's folder, with the reason. A
    quarantined file fails the step.
    """

    @dg.multi_asset(
        name=interface,
        partitions_def=partitions,
        pool="sftp",
        outs={
            interface: dg.AssetOut(
                description=description,
                group_name=group,
                kinds={"sftp", "csv"},
                owners=owners,
                is_required=False,
            )
        },
        deps=list(deps),
        check_specs=[checks.file_check(interface, description.split(":")[0], partitions)],
    )
    def inbound(
        context: dg.AssetExecutionContext, deployment: Deployment
    ) -> Iterator[dg.AssetCheckResult | dg.Output[pl.DataFrame]]:
        environment, day = deployment.environment, context.partition_time_window.start.date()
        arrivals: list[Arrival] = []
        try:
            if interface not in environment.settings.switched_off_interfaces:
                arrivals = arrival.receive(environment, context.run_id)
            apply(environment, interface, context.run_id)
        except RenkeiError as error:
            raise checks.stop(error) from None
        for one in arrivals:
            if one.code:
                context.log.warning(f"{one.name}: {one.state} {one.message}")
        entries = environment.ledger.entries(direction="inbound", interfaces={interface}, partition=day)
        held = [entry for entry in entries if entry.state == "quarantined"]
        if held:
            refusal = RenkeiError("KR-7306", name=held[0].file_name, entry=held[0].id)
            yield checks.failed(interface, refusal)
            raise checks.stop(refusal)
        stale = [arrival.overtaken(environment, entry) for entry in entries if entry.state == "stale"]
        missing = arrival.of_interface(environment, arrivals, interface)
        applied = any(entry.state == "applied" for entry in entries)
        check = f"{interface}_is_valid"
        if stale or missing:
            told = "\n".join([*(str(one) for one in stale), *(one.message for one in missing)])
            advice = {"対処": stale[0].remedy} if stale else {}
            yield checks.warning(interface, check, False, {**advice, "残ったファイル": len(missing)}, description=told)
        elif not applied:
            yield checks.warning(interface, check, False, {}, description="このファイルはまだ届いていません")
        else:
            records = sum(e.records or 0 for e in entries)
            yield dg.AssetCheckResult(
                passed=True, asset_key=interface, check_name=check, metadata={"検査行数": records}
            )
        if applied:
            rows = [(e.id, e.file_name, e.state, e.sha256, e.records) for e in entries]
            receipts = pl.DataFrame(rows, schema=RECEIPT_SCHEMA, orient="row")
            yield dg.Output(table(environment, day.isoformat(), receipts), output_name=interface)

    return inbound
