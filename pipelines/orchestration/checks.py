"""File checks for Dagster, one per interface file from one factory. The validation itself is in `schemas`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
import polars as pl
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._utils.error import USER_FACING_ERROR_ID_ATTR_NAME
from dagster_shared.error import SerializableErrorInfo

from interfaces.messages import RenkeiError, message, runbook
from pipelines.deployment import disk_error
from pipelines.exchange.error_redaction import is_disk_fault

CODE = "KRコード"  # the metadata by which alerts identify a failure
NOTHING_AWAITS_APPROVAL = "nothing_awaits_approval"


def file_check(
    interface: str,
    name: str,
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
) -> dg.AssetCheckSpec:
    """The check of one interface file, by partition: bytes, records, counts and rules of its specification."""
    return dg.AssetCheckSpec(
        name=f"{interface}_is_valid",
        asset=interface,
        description=f"{name}が外部インタフェース仕様に合う（バイト・件数・規則・読み返し）",
        partitions_def=partitions,
    )


def spec(
    asset: str,
    name: str,
    description: str,
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
) -> dg.AssetCheckSpec:
    """A check of an asset, by partition."""
    return dg.AssetCheckSpec(name=name, asset=asset, description=description, partitions_def=partitions)


def approval_check(
    asset: str,
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
) -> dg.AssetCheckSpec:
    """The check that a sending does not wait for a second person."""
    return spec(asset, NOTHING_AWAITS_APPROVAL, "大量・初回の送付が、二人目の人の承認を待っていない", partitions)


def warning(
    asset: str, name: str, passed: bool, metadata: Mapping[str, str | int], *, description: str = "", late: bool = False
) -> dg.AssetCheckResult:
    """A check that a person should look at; it stops nothing. `late`: shown as an error, but still stops nothing."""
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if late else dg.AssetCheckSeverity.WARN,
        asset_key=asset,
        check_name=name,
        description=description or None,
        metadata=dict(metadata),
    )


def counts_differ(asset: str, error: RenkeiError) -> dg.AssetCheckResult:
    """The counts of changed persons do not add up (sent + withheld): nothing is made (KR-7204)."""
    return dg.AssetCheckResult(
        passed=False,
        asset_key=asset,
        check_name="counts_add_up",
        description=str(error),
        metadata=_error_metadata(error),
    )


def summary(findings: pl.DataFrame) -> dict[str, dg.MetadataValue]:
    """Findings as metadata: counts by code and item and the first line. Never a value."""
    table = (
        findings.group_by("code", "level", "item_name")
        .agg(pl.len().alias("count"), pl.col("line").min().alias("first"))
        .sort("code", "item_name")
        if findings.height
        else pl.DataFrame(
            schema={
                "code": pl.String,
                "level": pl.String,
                "item_name": pl.String,
                "count": pl.UInt32,
                "first": pl.UInt32,
            }
        )
    )
    records = [
        dg.TableRecord(
            {
                "コード": row["code"],
                "題": message(row["code"]).title,
                "水準": row["level"],
                "項目": row["item_name"] or "—",
                "件数": row["count"],
                "先頭行": row["first"] or 0,
            }
        )
        for row in table.iter_rows(named=True)
    ]
    columns = [dg.TableColumn(name) for name in ("コード", "題", "水準", "項目")]
    columns += [dg.TableColumn(name, "int") for name in ("件数", "先頭行")]
    wrong = findings.filter(pl.col("level").is_in(["file", "record"])).height
    return {
        "仕様違反": dg.MetadataValue.table(records, schema=dg.TableSchema(columns)),
        "違反件数": dg.MetadataValue.int(wrong),
        "注意件数": dg.MetadataValue.int(findings.height - wrong),
    }


def passed(interface: str, findings: pl.DataFrame, records: int) -> dg.AssetCheckResult:
    """A file that may be used; invalid records of an extract are withheld, not a failure."""
    return dg.AssetCheckResult(
        passed=True,
        asset_key=interface,
        check_name=f"{interface}_is_valid",
        metadata={"検査行数": records, **summary(findings)},
    )


def failed(interface: str, error: RenkeiError) -> dg.AssetCheckResult:
    """A file that may not be used, with message and remedy for the person who can fix it."""
    return dg.AssetCheckResult(
        passed=False,
        asset_key=interface,
        check_name=f"{interface}_is_valid",
        description=str(error),
        metadata=_error_metadata(error),
    )


class _OwnText(DagsterUserCodeProcessError):
    """An error whose text is ours: Dagster neither masks it nor adds a stack trace."""

    def __init__(self, text: str) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            text, user_code_process_error_infos=[SerializableErrorInfo(f"{text}\n", [], None)]
        )

    def __setattr__(self, name: str, value: object) -> None:
        if name != USER_FACING_ERROR_ID_ATTR_NAME:  # the mark of what is to be masked
            super().__setattr__(name, value)


class Stopped(dg.Failure, _OwnText):
    """The failure of a step with a message and a remedy of the catalogue."""


def stop(error: RenkeiError) -> dg.Failure:
    """The failure that leaves no file and a red partition; it is never retried."""
    return Stopped(description=error.for_people(), metadata=_error_metadata(error), allow_retries=False)


@contextmanager
def failing_with_code() -> Iterator[None]:
    """A RenkeiError fails the step with its message and code instead of an error id, and so does a full disk (KR-6211)."""
    try:
        yield
    except RenkeiError as error:
        raise stop(error) from None
    except Exception as error:
        if is_disk_fault(error):
            raise stop(disk_error()) from None
        raise


def _error_metadata(error: RenkeiError) -> dict[str, str]:
    return {CODE: error.code, "対処": error.remedy, "手引": f"renkei explain {error.code}（{runbook(error.code)}）"}


def of_file(findings: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The findings of some files."""
    return findings.filter(pl.col("file").is_in(list(names)))
