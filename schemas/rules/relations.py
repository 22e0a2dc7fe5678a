"""Rules across the records of a file and the files of a day. Each returns the faulty rows; specifications name them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from schemas.rules.periods import NOMINAL_HEAD, in_household, runs
from schemas.rules.registry import register_external_rule

# (own data, the other file's data or None, the file's day) -> own rows at fault. Canonical tables with `line`, and with
# FOUND where the item's own value does not show what is wrong.
Find = Callable[[pl.DataFrame, pl.DataFrame | None, dt.date], pl.DataFrame]

HEADS = ("insured_head", NOMINAL_HEAD)
FOUND = "found"


@dataclass(frozen=True)
class Relation:
    """A rule between records. item: where a fault is shown; expected: what was expected there, in Japanese.

    reads: the items that it reads, of either file. names_somebody: a faulty record still identifies its person or
    household, which is then withheld; otherwise nobody could say who is meant, and the extract stops.
    """

    name: str
    code: str
    item: str
    expected: str
    reads: frozenset[str]
    to_another_file: bool
    names_somebody: bool
    find: Find


RELATIONS: dict[str, Relation] = {}


def relation(
    code: str,
    item: str,
    expected: str,
    *,
    reads: tuple[str, ...],
    to_another_file: bool = False,
    names_somebody: bool = True,
) -> Callable[[Find], Find]:
    """Register a relation under its function's name, which specifications use.

    to_another_file: it has an argument there, the interface of the other file.
    """

    def register(find: Find) -> Find:
        name = find.__name__
        items = frozenset((item, *reads))
        RELATIONS[name] = Relation(name, code, item, expected, items, to_another_file, names_somebody, find)
        register_external_rule(name, code, "relation", ("interface",) if to_another_file else ())
        return find

    return register


def items_read() -> frozenset[str]:
    """Every item that a relation reads."""
    return frozenset().union(*(relation.reads for relation in RELATIONS.values()))


def codes_that_name_somebody() -> list[str]:
    """The codes of relations whose faulty records still identify their person or household."""
    return sorted({relation.code for relation in RELATIONS.values() if relation.names_somebody})


def _missing(own: pl.DataFrame, other: pl.DataFrame | None, key: str) -> pl.DataFrame:
    if other is None:
        return own.head(0)
    return own.filter(pl.col(key).is_not_null()).join(other.select(key), on=key, how="anti")


@relation("KR-5001", "household_number", "世帯のファイルにある番号", reads=("update_kind",), to_another_file=True)
def every_individual_has_household(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """A person whose 国保世帯番号 is not in the household file. Withdrawn persons are exempt: their household may be gone."""
    return _missing(own.filter(pl.col("update_kind").ne_missing("withdrawn")), other, "household_number")


@relation("KR-5002", "household_number", "国保世帯抽出にある番号", reads=(), to_another_file=True)
def every_insured_has_household(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """An insured person whose 国保世帯番号 is not in the household extract."""
    return _missing(own, other, "household_number")


@relation("KR-5006", "household_number", "国保世帯抽出にある番号", reads=(), to_another_file=True)
def every_benefit_has_household(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """A benefit whose 国保世帯番号 is not in the household extract."""
    return _missing(own, other, "household_number")


@relation("KR-5003", "resident_number", "住民記録・宛名抽出にある番号", reads=(), to_another_file=True)
def every_insured_is_resident(own: pl.DataFrame, other: pl.DataFrame | None, _: dt.date) -> pl.DataFrame:
    """An insured person whose 宛名番号 is not in the resident extract."""
    return _missing(own, other, "resident_number")


@relation("KR-5004", "head_kind", "世帯主1人", reads=("household_number", "update_kind", "applied_on", "ended_on"))
def one_head_per_household(own: pl.DataFrame, _: pl.DataFrame | None, on: dt.date) -> pl.DataFrame:
    """The heads of a household with several heads for kokuho, or the insured of one with none (docs/sources.md 2.3, 2.5).

    Checked over those whose period runs on the file's day or will run, and over 擬制世帯主; a household without such a
    period needs no head.
    With several heads only the heads are at fault. Without one the whole household is: any of its insured may be the head.
    """
    running = own.filter((pl.col("update_kind") != "withdrawn") & in_household(on))
    insured = running.filter(pl.col("head_kind") != NOMINAL_HEAD)["household_number"].unique()
    is_head = pl.col("head_kind").is_in(HEADS)
    counted = running.with_columns(heads=is_head.sum().over("household_number"))
    at_fault = ((pl.col("heads") > 1) & is_head) | (pl.col("heads") == 0)
    return counted.filter(pl.col("household_number").is_in(insured.implode()) & at_fault).with_columns(
        (pl.lit("世帯主") + pl.col("heads").cast(pl.String) + pl.lit("人")).alias(FOUND)
    )


@relation("KR-5005", "applied_on", "適用中でないこと", reads=("head_kind", "ended_on"))
def nominal_head_not_insured(own: pl.DataFrame, _: pl.DataFrame | None, on: dt.date) -> pl.DataFrame:
    """A 擬制世帯主 whose period runs on the file's day. Dates of a period that has ended, or begins later, are allowed."""
    return own.filter((pl.col("head_kind") == NOMINAL_HEAD) & runs(on))
