"""Days and months whose tables retention has erased: they are done, and are not made again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.exchange.erased import erased_files, table_file
from pipelines.exchange.ledger.states import SENT_STATES, EntryState


def require_kept(
    environment: Environment,
    partition: dt.date,
    assets: Collection[str],
    interfaces: Collection[str],
    of: dt.date | None = None,
) -> None:
    """KR-7210 when retention has erased one of `assets` that the work of a partition needs (`of`: of another partition).

    Then the work was done (its files are of `interfaces`), or a later sending carries it: nothing is to be done again.
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
    """What the ledger says about the work of a day or a month, in words."""
    states = SENT_STATES | {EntryState.APPLIED}
    done = environment.ledger.entries(partition=partition, interfaces=interfaces, states=states)
    if done:
        numbers = "、".join(str(entry.id) for entry in done)
        return f"{partition} の分は、もう送付または取込が済んでいます（台帳 {numbers}）"
    later = environment.ledger.effective_baseline(interfaces=interfaces)
    if later is not None and later > partition:
        return f"{partition} の分は、{later} の送付に含まれています"
    return f"{partition} の送付や取込の記録はありません"
