"""Upgrades the deployment's ledger to the version of the program, after checking whose it is and whether it may be created.
The upgrade itself is in `exchange.ledger.upgrading`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from interfaces.private import private_folder
from pipelines.configuration.calendar import tokyo_now
from pipelines.configuration.settings import Settings
from pipelines.deployment import is_new_deployment
from pipelines.exchange.belonging import Municipality, require_own_folder, require_own_ledger
from pipelines.exchange.ledger.database import shown
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.upgrading import Upgrade, upgrade


def upgrade_ledger(
    settings: Settings, url: str, operator: str, clock: Callable[[], dt.datetime] = tokyo_now
) -> Upgrade:
    """Upgrade the ledger at `url`: the settings' own, or the same one under the name of the database's owner.

    KR-6141 when folder or ledger belong to another municipality; else as `upgrading.upgrade`.
    """
    folder, own = private_folder(settings.data_folder), Municipality.of(settings)
    require_own_folder(folder, own)

    def require(ledger: Reader) -> None:
        require_own_ledger(ledger, shown(url), own)

    return upgrade(url, operator, clock, create_if_missing=is_new_deployment(folder), require=require)
