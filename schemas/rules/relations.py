"""Rules across the records of a file and the files of a day. Each gives the faulty rows; their names are data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import polars as pl

from schemas.rules.periods import NOMINAL_HEAD, in_household, runs
from schemas.rules.registry import known

# (own data, the other file's data or None, the file's day) -> own rows at fault. Canonical tables with `line`, and with
# FOUND where the item's value does not say what was found.
Relation = Callable[[pl.DataFrame, pl.DataFrame | None, dt.date], pl.DataFrame]

HEADS = ("insured_head", NOMINAL_HEAD)
FOUND = "found"

# Every column that a relation reads.
LOOK_AT = frozenset({"household_number", "resident_number", "head_kind", "applied_on", "ended_on", "update_kind"})


def _missing(own: pl.DataFrame, other: pl.DataFrame | None, key: str) -> pl.DataFrame:
    if other is None:
        return own.head(0)
    return own.filter(pl.col(key).is_not_null()).join(other.select(key), on=key, how="anti")


def every_individual_has_household(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """A person whose 国保世帯番号 is not in the household file. Who is withdrawn may be: his household may be gone already."""
    return _missing(own.filter(pl.col("update_kind").ne_missing("withdrawn")), other, "household_number")


def every_insured_has_household(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """An insured person whose 国保世帯番号 is not in the household extract."""
    return _missing(own, other, "household_number")


def every_benefit_has_household(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """A benefit whose 国保世帯番号 is not in the household extract."""
    return _missing(own, other, "household_number")


def every_insured_is_resident(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """An insured person whose 宛名番号 is not in the resident extract."""
    return _missing(own, other, "resident_number")


def one_head_per_household(own: pl.DataFrame, _: pl.DataFrame | None, on: dt.date) -> pl.DataFrame:
    """The heads of a household with several heads for kokuho, or the insured of one with none (domain.md 2.3, 2.5).

    Judged over those whose period runs on the file's day or will run, and over 擬制世帯主; a household without such a
    period has no head to show.
    Of several heads nobody but they is at fault. Of none the whole household is: any of its insured may be the head.
    """
    running = own.filter((pl.col("update_kind") != "withdrawn") & in_household(on))
    insured = running.filter(pl.col("head_kind") != NOMINAL_HEAD)["household_number"].unique()
    is_head = pl.col("head_kind").is_in(HEADS)
    counted = running.with_columns(heads=is_head.sum().over("household_number"))
    at_fault = ((pl.col("heads") > 1) & is_head) | (pl.col("heads") == 0)
    return counted.filter(pl.col("household_number").is_in(insured.implode()) & at_fault).with_columns(
        (pl.lit("世帯主") + pl.col("heads").cast(pl.String) + pl.lit("人")).alias(FOUND)
    )


def nominal_head_not_insured(own: pl.DataFrame, _: pl.DataFrame | None, on: dt.date) -> pl.DataFrame:
    """A 擬制世帯主 whose period runs on the file's day; one whose period has ended, or begins later, may have its dates."""
    return own.filter((pl.col("head_kind") == NOMINAL_HEAD) & runs(on))


# name -> code, item at which a fault is shown, what was expected, relation: to the file of the interface that is its argument …
TO_ANOTHER_FILE: Mapping[str, tuple[str, str, str, Relation]] = {
    "every_individual_has_household": (
        "KR-5001", "household_number", "世帯のファイルにある番号", every_individual_has_household,
    ),
    "every_insured_has_household": (
        "KR-5002", "household_number", "国保世帯抽出にある番号", every_insured_has_household,
    ),
    "every_benefit_has_household": (
        "KR-5006", "household_number", "国保世帯抽出にある番号", every_benefit_has_household,
    ),
    "every_insured_is_resident": (
        "KR-5003", "resident_number", "住民記録・宛名抽出にある番号", every_insured_is_resident,
    ),
}  # fmt: skip
# … and within the file, without argument.
WITHIN_THE_FILE: Mapping[str, tuple[str, str, str, Relation]] = {
    "one_head_per_household": ("KR-5004", "head_kind", "世帯主1人", one_head_per_household),
    "nominal_head_not_insured": ("KR-5005", "applied_on", "適用中でないこと", nominal_head_not_insured),
}
RELATIONS = {**TO_ANOTHER_FILE, **WITHIN_THE_FILE}
for _name, (_code, *_) in RELATIONS.items():
    known(_name, _code, "relation", ("interface",) if _name in TO_ANOTHER_FILE else ())
