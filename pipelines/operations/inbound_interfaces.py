"""Every kind of file of the Union that this program applies. The capabilities define each, and how it is applied.

The sensor, the assets, the commands and `outstanding` use this list. A file of any other interface is kept (KR-6350)
until a person says what became of it (`exchange.keeping`).
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.continuity import interfaces as continuity
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import EntryState
from pipelines.linkage import interfaces as linkage
from pipelines.transfer.inbound_interface import InboundInterface

INBOUND: Mapping[str, InboundInterface] = {**linkage.INTERFACES, **continuity.INTERFACES}


def state_of_released(entry: Entry) -> EntryState:
    """The state of a quarantined or stale file that a person releases: it is kept if nothing applies it."""
    return EntryState.RELEASED if entry.interface in INBOUND else EntryState.KEPT


def of_step(step: str | None) -> list[str]:
    """The interfaces that a monthly step applies, or the daily run (None), in their order."""
    return [interface.id for interface in INBOUND.values() if interface.step == step]
