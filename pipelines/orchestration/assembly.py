"""Assembles all Dagster definitions for tests, command line, web server and daemon alike. The parts are in their own modules."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import dagster as dg

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.messages import RenkeiError
from pipelines.configuration.calendar import tokyo_now
from pipelines.configuration.settings import ENVIRONMENT_KEY, FIRST_DAY, Settings
from pipelines.exchange.error_redaction import mask_errors
from pipelines.orchestration.alerts import failure_alerts
from pipelines.orchestration.assets.outside import systems
from pipelines.orchestration.jobs import work
from pipelines.orchestration.partitions import Partitions
from pipelines.orchestration.resources import Deployment, StoreIOManager
from pipelines.orchestration.run_log import QUIET, quiet
from pipelines.orchestration.schedules import schedules
from pipelines.orchestration.sensors import applications, arrivals, worksheets
from pipelines.orchestration.specification_metadata import with_specifications
from pipelines.orchestration.table_metadata import TableMetadata, with_column_schemas
from pipelines.specifications.book import BOOK
from pipelines.tables.registry import stored_tables


def definitions(deployment: Deployment | None = None) -> dg.Definitions:
    """All definitions; tests pass a deployment of their own, the others take RENKEI_SETTINGS.

    Without readable settings, days and specifications are the embedded ones; the runs themselves report what is wrong.
    """
    mask_errors()
    chosen = deployment or Deployment(settings_path=dg.EnvVar(ENVIRONMENT_KEY))
    try:
        settings = Settings.load(deployment.settings_path if deployment else os.environ.get(ENVIRONMENT_KEY))
        first_day, last_day = settings.first_day, settings.last_day
        catalogue, book = load_catalogue(settings.catalogue_folder or DEFAULT_ROOT), settings.data_folder / BOOK
    except RenkeiError:
        first_day, last_day, catalogue, book = FIRST_DAY, None, load_catalogue(), None
    with warnings.catch_warnings():
        for category in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", category)
        return _assembled(chosen, Partitions.since(first_day, tokyo_now().date(), last_day), catalogue, book)


def _assembled(chosen: Deployment, partitions: Partitions, catalogue: Catalogue, book: Path | None) -> dg.Definitions:
    made, shown = work(partitions), TableMetadata(catalogue, stored_tables(catalogue))
    return dg.Definitions(
        assets=[
            *systems(),
            *(
                with_column_schemas(with_specifications(asset, catalogue, book), shown)
                for assets in made.assets.values()
                for asset in assets
            ),
        ],
        jobs=list(made.jobs.values()),
        schedules=schedules(made, partitions),
        sensors=[
            arrivals(made, partitions),
            applications(made, partitions),
            worksheets(made, partitions),
            failure_alerts,
        ],
        resources={"deployment": chosen, "io_manager": StoreIOManager(deployment=chosen)},
        executor=dg.in_process_executor,
        loggers={QUIET: dg.LoggerDefinition(quiet)},
    )
