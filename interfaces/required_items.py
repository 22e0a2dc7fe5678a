"""Which items the program reads of an inbound file: the necessary ones, and those that a layout may lack. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from interfaces.messages import RenkeiError


@dataclass(frozen=True)
class ItemsRead:
    """The items that the program reads of an interface. Code assumes nothing else about a layout.

    necessary: whom a file is about and what it states about them. optional: null if a Union's layout does not have it.
    """

    interface: str
    necessary: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def completed(self, received: pl.DataFrame) -> pl.DataFrame:
        """Canonical records with every item that the program reads; one that the layout lacks is null.

        KR-7117 when the layout lacks a necessary one.
        """
        if missing := [name for name in self.necessary if name not in received.columns]:
            raise RenkeiError("KR-7117", interface=self.interface, items="、".join(missing))
        absent = [name for name in self.optional if name not in received.columns]
        kinds = {name: pl.Date() if name.endswith("_on") else pl.String() for name in absent}
        return received.with_columns(pl.lit(None, kind).alias(name) for name, kind in kinds.items())
