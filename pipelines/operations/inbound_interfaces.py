"""Every kind of file of the Union that this program applies. The capabilities define each, and how it is applied.

The sensor, the assets, the commands and `outstanding` use this list. A file of any other interface is refused (KR-6337).
"""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.continuity import interfaces as continuity
from pipelines.linkage import interfaces as linkage
from pipelines.transfer.inbound_interface import InboundInterface

INBOUND: Mapping[str, InboundInterface] = {**linkage.INTERFACES, **continuity.INTERFACES}


def of_step(step: str | None) -> list[str]:
    """The interfaces that a monthly step applies, or the daily run (None), in their order."""
    return [interface.id for interface in INBOUND.values() if interface.step == step]
