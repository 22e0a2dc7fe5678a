"""Rules between the records of a file that belong together: counts, sums and values that are equal. Pure.

Which records belong together is in the record grammar (`interfaces.grammar`): the records below the same record of the
nearest kind that both kinds stand below, or the whole file if there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from interfaces.codec import Decoded
from interfaces.spec import Call, Item, Record, Specification
from interfaces.values import number_of
from schemas.rules.registry import register_external_rule

register_external_rule("count_of", "KR-4001", "file", ("record_kind",))
register_external_rule("sum_of", "KR-4012", "file", ("number_of_kind",))
register_external_rule("equal_to", "KR-4013", "file", ("item_of_kind",))

Wanted = Callable[["_Bound"], pl.DataFrame]


@dataclass(frozen=True)
class _Bound:
    """A rule at an item of a record kind. other: the kind that its argument names; other_item: the item, if it names one."""

    decoded: Decoded
    record: Record
    item: Item
    call: Call

    @property
    def other(self) -> Record:
        return self.decoded.spec.by_kind[self.call.arguments[0].partition(".")[0]]

    @property
    def other_item(self) -> str:
        return self.call.arguments[0].partition(".")[2]

    def with_groups(self, record: Record) -> pl.DataFrame:
        """The table of a record kind with `group`: the line of the record that both kinds belong to, 0 for the file."""
        table = self.decoded.tables[record.kind].sort("line")
        common = _nearest_common(self.decoded.spec, self.record, self.other)
        if common is None:
            return table.with_columns(group=pl.lit(0, pl.UInt32))
        heads = self.decoded.tables[common].select("line", group="line").sort("line")
        return table.join_asof(heads, on="line", strategy="backward")


def _nearest_common(specification: Specification, one: Record, other: Record) -> str | None:
    """The kind below which both stand, which may be one of them; None if that is the file."""
    above = _with_parents(specification, other)
    return next((kind for kind in _with_parents(specification, one) if kind in above), None)


def _with_parents(specification: Specification, record: Record) -> list[str]:
    kinds = [record.kind]
    while (parent := specification.by_kind[kinds[-1]].parent) is not None:
        kinds.append(parent)
    return kinds


def _counts(bound: _Bound) -> pl.DataFrame:
    return bound.with_groups(bound.other).group_by("group").agg(wanted=pl.len().cast(pl.Int128))


def _sums(bound: _Bound) -> pl.DataFrame:
    # A sum of 300,000 amounts of 15 digits does not fit in 64 bits.
    amount = number_of(pl.col(bound.other_item), bound.other.by_id[bound.other_item].type)
    table = bound.with_groups(bound.other).group_by("group").agg(wanted=amount.sum(), unread=amount.is_null().any())
    return table.filter(~pl.col("unread")).drop("unread")


def _values(bound: _Bound) -> pl.DataFrame:
    table = bound.with_groups(bound.other)
    return table.group_by("group", maintain_order=True).agg(wanted=pl.col(bound.other_item).last())


_TOTALS: dict[str, Wanted] = {"count_of": _counts, "sum_of": _sums}
_CODES = {"count_of": "KR-4001", "sum_of": "KR-4012", "equal_to": "KR-4013"}
_EXPECTED = {"count_of": "{}件", "sum_of": "{}", "equal_to": "{}"}


def wrong_totals(decoded: Decoded) -> list[dict[str, object]]:
    """Where an item is not the count, the sum or the value that its rule names (rows of `Faults`).

    A group in which an amount cannot be read as a number has a finding there, and no sum.
    """
    return [row for bound in _bound(decoded) for row in _wrong(bound)]


def _bound(decoded: Decoded) -> Iterator[_Bound]:
    for record in decoded.spec.records:
        for item in record.items:
            for call in item.rules:
                if call.name in _CODES:
                    yield _Bound(decoded, record, item, call)


def _wrong(bound: _Bound) -> Iterator[dict[str, object]]:
    stated = bound.with_groups(bound.record).select("line", "group", value=bound.item.id)
    if bound.call.name == "equal_to":
        compared = stated.join(_values(bound), on="group")
        wrong = compared.filter(pl.col("value") != pl.col("wanted"))
    else:
        totals = _TOTALS[bound.call.name](bound)
        none = stated.join(totals, on="group", how="left")
        # A group without any such record has the total 0; one whose total is not known was left out above.
        known = none.filter(pl.col("wanted").is_not_null() | ~_has_records(bound, none))
        compared = known.with_columns(pl.col("wanted").fill_null(0))
        wrong = _unequal(bound, compared)
    for line, value, wanted in wrong.sort("line").select("line", "value", "wanted").rows():
        yield {
            "line": line,
            "record_number": line,
            "record_kind": bound.record.kind,
            "item": bound.item.id,
            "code": _CODES[bound.call.name],
            "rule": bound.call.name,
            "expected": _EXPECTED[bound.call.name].format(wanted),
            "value": value,
        }


def _unequal(bound: _Bound, compared: pl.DataFrame) -> pl.DataFrame:
    """The rows whose value is another number than the total; `wanted` as text, with the decimals of what was added up."""
    own = bound.item.type.number
    added = bound.other.by_id[bound.other_item].type.number if bound.other_item else None
    have, want = (form.scale if form else 0 for form in (own, added))
    value = number_of(pl.col("value"), bound.item.type) * pl.lit(10 ** max(want - have, 0), pl.Int128)
    total = pl.col("wanted") * pl.lit(10 ** max(have - want, 0), pl.Int128)
    wrong = compared.filter(value.ne_missing(total))
    texts = [format(Decimal(int(total)).scaleb(-want), "f") for total in wrong["wanted"]]
    return wrong.with_columns(wanted=pl.Series(texts, dtype=pl.String))


def _has_records(bound: _Bound, stated: pl.DataFrame) -> pl.Series:
    groups = bound.with_groups(bound.other)["group"].unique()
    return stated["group"].is_in(groups.implode())
