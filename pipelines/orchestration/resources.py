"""Dagster's way to the environment and the store: a resource and an IO manager, both thin. No decision is taken here."""

import datetime as dt
import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import dagster as dg
import polars as pl
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    RETRY_NUMBER_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
)
from pydantic import PrivateAttr

from interfaces.private import OWNER_FILE, close_folder
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from pipelines.exchange.error_redaction import DAGSTER_ERROR_LOGGER, ErrorLog, redirect_error_log
from pipelines.exchange.ledger.states import Origin
from pipelines.orchestration import checks
from pipelines.orchestration.dead_runs import Process
from pipelines.orchestration.table_metadata import COLUMN_SCHEMA, ROW_COUNT, TableMetadata, row_count
from pipelines.storage.tables import MY_NUMBER_ASSETS


def _keep_unexpected_errors_apart(path: Path) -> None:
    """Unexpected errors may contain a row: Dagster stores an id, and their redacted traceback goes to a file for the owner alone.

    Without this it would fall to standard error, and from there into whatever keeps that (D-021).
    """
    logger = logging.getLogger(DAGSTER_ERROR_LOGGER)
    if any(isinstance(h, logging.FileHandler) and h.baseFilename == str(path.absolute()) for h in logger.handlers):
        return
    path.touch(mode=OWNER_FILE)
    redirect_error_log(ErrorLog(path, encoding="utf-8"))


def started_by(tags: Mapping[str, str]) -> Origin:
    """What started a run of Dagster's programs. Whoever pressed Re-execute started it, whatever tags it took over."""
    is_again = PARENT_RUN_ID_TAG in tags and RETRY_NUMBER_TAG not in tags
    by_itself = SCHEDULE_NAME_TAG in tags or SENSOR_NAME_TAG in tags
    return Origin.SCHEDULE if by_itself and not is_again else Origin.SCREEN


class Deployment(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One municipality's deployment, by the path of its settings file (RENKEI_SETTINGS)."""

    settings_path: str
    by_command: bool = False  # whether the runs are those of a renkei command
    _origin: Origin = PrivateAttr(default=Origin.SCHEDULE)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Let a run say which process works for it, whoever started it. DAGSTER_HOME is its owner's alone."""
        if self.by_command:
            self._origin = Origin.COMMAND
        elif context.run is not None:
            self._origin = started_by(context.run.tags)
        if context.instance is not None and context.instance.is_persistent:
            close_folder(Path(context.instance.root_directory))
        if context.run is not None and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, Process.this().tag(context.run.run_id))

    @cached_property
    def environment(self) -> Environment:
        """Opened at first use, once per process. Settings or a ledger that cannot be opened fail the step with their code."""
        with checks.failing_with_code():
            environment = Environment.open(Settings.load(self.settings_path), origin=self._origin)
        _keep_unexpected_errors_apart(environment.settings.data_folder / "unexpected_errors.log")
        return environment

    @cached_property
    def shown(self) -> TableMetadata:
        """What the UI shows of this deployment's tables."""
        return TableMetadata(self.environment.catalogue, self.environment.store.tables)


class StoreIOManager(dg.ConfigurableIOManager):
    """Tables to and from the store, one Parquet file per asset and partition: written whole or not at all."""

    deployment: dg.ResourceDependency[Deployment]

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Write atomically; the UI gets number of records and columns, never a value."""
        asset, environment = context.asset_key.path[-1], self.deployment.environment
        with checks.failing_with_code():
            environment.store.write(asset, context.partition_key, obj)
        shown = self.deployment.shown
        if shown.shows_items(asset):
            specification = environment.specification(asset, dt.date.fromisoformat(context.partition_key))
            schema = shown.item_schema(asset, specification)
        else:
            schema = shown.column_schema(asset, obj)
        context.add_output_metadata(
            {
                ROW_COUNT: row_count(environment.store.tables[asset], obj),
                "個人番号の鍵で暗号化": asset in MY_NUMBER_ASSETS,
                COLUMN_SCHEMA: schema,
            }
        )

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """Read the same partition; KR-7207 when it was never written, KR-7112 when this process lacks its key."""
        with checks.failing_with_code():
            return self.deployment.environment.store.read(context.asset_key.path[-1], context.partition_key)
