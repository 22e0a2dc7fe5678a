"""What retention has erased, and what holds of a day or a month whose tables are gone. Erases nothing itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from interfaces.messages import RenkeiError
from pipelines.calendar import TOKYO
from pipelines.exchange.ledger import SENT_STATES, Ledger

if TYPE_CHECKING:
    from pipelines.environment import Environment

ERASED, NOT_ERASED = "erased", "not_erased"


def table_file(asset: str, partition: str) -> str:
    """A table's path from the data folder, as the ledger names it."""
    return f"assets/{asset}/{partition}.parquet"


def erased_files(ledger: Ledger) -> dict[str, dt.date]:
    """Paths from the data folder that the ledger says are erased, and on which day (the last time)."""
    return {
        str(event.detail["file"]): dt.datetime.fromisoformat(event.at).astimezone(TOKYO).date()
        for event in ledger.notes(ERASED)
    }


def require_kept(
    environment: Environment,
    partition: dt.date,
    assets: Collection[str],
    interfaces: Collection[str],
    of: dt.date | None = None,
) -> None:
    """KR-7210 when retention has erased one of `assets` that the work of a day or a month needs (`of`: another's).

    Then the work was done (its files are of `interfaces`), or a later sending carries it: there is nothing to do again.
    """
    needed = of or partition
    missing = [asset for asset in assets if not environment.store.exists(asset, needed.isoformat())]
    gone = erased_files(environment.ledger) if missing else {}
    for asset in missing:
        on = gone.get(table_file(asset, needed.isoformat()))
        if on is not None:
            state = _state(environment, partition, interfaces)
            raise RenkeiError("KR-7210", partition=partition, asset=asset, of=needed, on=on, state=state)


def _state(environment: Environment, partition: dt.date, interfaces: Collection[str]) -> str:
    """What the ledger knows of the work of a day or a month."""
    done = environment.ledger.entries(partition=partition, interfaces=interfaces, states=SENT_STATES | {"applied"})
    if done:
        numbers = "、".join(str(entry.id) for entry in done)
        return f"{partition} の分は、もう送付または取込が済んでいます（台帳 {numbers}）"
    later = environment.ledger.effective_baseline(interfaces=interfaces)
    if later is not None and later > partition:
        return f"{partition} の分は、{later} の送付に含まれています"
    return f"{partition} の送付や取込の記録はありません"
