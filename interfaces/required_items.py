"""Which items of the files that come to us the program reads: those it cannot do without, and those that a layout may lack. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from interfaces.messages import RenkeiError


@dataclass(frozen=True)
class Read:
    """The items that the program reads of an interface. Nothing else about a layout is known to code."""

    necessary: tuple[str, ...]
    optional: tuple[str, ...]


# Whom a file is about and what it says of him is necessary. All else is null where a Union's layout does not have it.
READ: Mapping[str, Read] = {
    "municipal_id_linkage": Read(
        ("resident_number", "municipal_insured_id"), ("prefecture_insured_id", "assigned_on")
    ),
    "acquisition_loss_linkage": Read(
        ("resident_number", "acquired_on", "lost_on"),
        ("municipal_insured_id", "acquisition_reason", "loss_reason", "applied_on", "ended_on", "judgement"),
    ),
    "verification_list": Read(("resident_number", "verification_kind"), ("my_number_registered_on", "detected_on")),
    "reception_result": Read(("sent_file_name", "reception_kind"), ("sent_record_count", "reception_reason")),
    "continuity_candidates": Read(
        ("candidate_number", "household_side", "household_municipality_code", "household_number", "head_kind",
         "joined_on", "join_reason"),
        ("prefecture_insured_id", "left_on", "leave_reason", "next_municipality_code"),
    ),
    "continuity_result": Read(
        ("candidate_number", "old_municipality_code", "old_household_number", "new_municipality_code",
         "new_household_number", "continuity_outcome", "moved_on"),
        ("confirmed_on", "high_cost_count"),
    ),
    "tax_extract": Read(
        ("resident_number", "income_year", "declaration_kind", "base_income", "resident_tax", "taxable_income", "receipts",
         "low_income"),
        ("total_income", "former_household_number"),
    ),
    "high_cost_handover": Read(
        ("candidate_number", "old_municipality_code", "old_household_number", "new_household_number",
         "treatment_month", "update_kind"),
        ("high_cost_count",),
    ),
}  # fmt: skip


def completed(interface: str, received: pl.DataFrame) -> pl.DataFrame:
    """Canonical records with every item that the program reads; one that the layout lacks is null.

    KR-7117 when the layout lacks a necessary one.
    """
    read = READ[interface]
    if missing := [name for name in read.necessary if name not in received.columns]:
        raise RenkeiError("KR-7117", interface=interface, items="、".join(missing))
    absent = [name for name in read.optional if name not in received.columns]
    kinds = {name: pl.Date() if name.endswith("_on") else pl.String() for name in absent}
    return received.with_columns(pl.lit(None, kind).alias(name) for name, kind in kinds.items())
