"""A file -> its findings. The same path for the CLI, Dagster, files that arrive and files that we made ourselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from interfaces.codec import Decoded, read
from interfaces.spec import Call, Specification
from interfaces.values import to_canonical
from schemas import compile as compilation
from schemas.findings import FAULT_SCHEMA, FINDING_SCHEMA, findings
from schemas.normalise import normalise
from schemas.rules import files, relations
from schemas.rules.registry import Context

__all__ = ["Context", "Validated", "judge", "relate", "validate"]


@dataclass
class Validated:
    """A judged file. data: raw data records (normalised when the file is an extract), with `line`."""

    decoded: Decoded
    data: pl.DataFrame
    findings: pl.DataFrame
    file_name: str
    normalised: dict[str, int] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """No finding of level file or record."""
        return not self.findings["level"].is_in(["file", "record"]).any()

    @property
    def records(self) -> int:
        """Data records read."""
        return self.data.height

    @property
    def counts_by_code(self) -> dict[str, int]:
        """How many findings of each code, warnings included."""
        return dict(self.findings["code"].value_counts().sort("code").rows())

    @cached_property
    def _bad_lines(self) -> pl.Series:
        return self.findings.filter(pl.col("level") == "record")["line"].unique()

    @property
    def good(self) -> pl.DataFrame:
        """Data records without a finding of level record."""
        return self.data.filter(~pl.col("line").is_in(self._bad_lines.implode()))

    @property
    def held(self) -> pl.DataFrame:
        """Data records with a finding of level record."""
        return self.data.filter(pl.col("line").is_in(self._bad_lines.implode()))


def validate(path: Path, specification: Specification, on: dt.date, context: Context) -> Validated:
    """Read and judge a file. KR-7104 when it cannot be read; anything in it is a finding, never an exception."""
    return judge(read(path, specification, on), context)


def judge(decoded: Decoded, context: Context) -> Validated:
    """Findings of a decoded file. A file whose structure is broken gets no follow-on findings."""
    specification = decoded.spec
    data = decoded.data
    normalised: dict[str, int] = {}
    if specification.plan.direction == "extract":
        data, normalised = normalise(data, specification.data)
    faults = [_with_columns(decoded.problems.with_columns(pl.lit(None, pl.String).alias("rule")))]
    structural = set(decoded.problems["code"]) - {"KR-1024"}
    if not structural:
        for record in specification.records:
            table = data if record.kind == specification.data.kind else decoded.tables[record.kind]
            rules = compilation.compiled(specification, record, decoded.on, context)
            faults.append(_with_columns(_one_per_file(compilation.judge(table, rules))))
        faults.append(_rows(_duplicates(data, specification)))
        faults.append(_rows(files.counts(decoded)))
        faults.append(_rows(files.my_numbers_from_the_union(decoded, context)))
    name = context.file_name or decoded.path.name
    found = findings(_placed(pl.concat(faults), decoded), specification, name)
    judged = Validated(decoded, data, found, name, normalised)
    alone = [call for call in _relations(specification) if not call.arguments]
    if alone and not _broken(judged):
        own = _canonical(judged)
        within = [_related(judged, call, own, None, found) for call in alone]
        judged.findings = pl.concat([found, findings(_placed(pl.concat(within), decoded), specification, name)])
    return judged


def _with_columns(frame: pl.DataFrame) -> pl.DataFrame:
    have = set(frame.columns)
    return frame.select(
        (pl.col(name) if name in have else pl.lit(None, dtype()).alias(name)) for name, dtype in FAULT_SCHEMA.items()
    )


def _rows(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FAULT_SCHEMA)


# Rules about the whole file: the first record that breaks one stands for all (one cause, one finding).
_OF_THE_FILE = ("own_municipality", "own_insurer", "own_prefecture", "partition_date", "same_as_file_name")


def _one_per_file(faults: pl.DataFrame) -> pl.DataFrame:
    whole = pl.col("rule").is_in(_OF_THE_FILE)
    first = faults.filter(whole).unique(["record_kind", "item"], keep="first", maintain_order=True)
    return pl.concat([first, faults.filter(~whole)])


def _duplicates(data: pl.DataFrame, specification: Specification) -> list[dict[str, object]]:
    """Every record whose key stands twice in the file (KR-3004)."""
    key = list(specification.data.key)
    if not key:
        return []
    if data.select(pl.struct(key).n_unique() if len(key) > 1 else pl.col(key[0]).n_unique()).item() == data.height:
        return []
    rows = data.filter(pl.struct(key).is_duplicated() & pl.all_horizontal(pl.col(name) != "" for name in key))
    return [
        {"line": line, "record_kind": specification.data.kind, "item": key[0], "code": "KR-3004",
         "rule": "duplicate_key", "expected": "ファイルに一度だけ", "value": value}
        for line, value in rows.select("line", key[0]).rows()
    ]  # fmt: skip


def _placed(faults: pl.DataFrame, decoded: Decoded) -> pl.DataFrame:
    """Faults with their record number and, where an item is named, the byte at which it starts."""
    ahead = 1 if decoded.spec.format.header else 0
    numbered = faults.with_columns(
        pl.coalesce("record_number", (pl.col("line").cast(pl.Int64) - ahead).cast(pl.UInt32)).alias("record_number")
    )
    open_lines = numbered.filter(pl.col("item").is_not_null() & pl.col("line").is_not_null())["line"].unique()
    if open_lines.is_empty():
        return numbered
    positions = decoded.positions(open_lines)
    return (
        numbered.join(positions, on=["line", "item"], how="left", suffix="_of_item")
        .with_columns(pl.coalesce("byte_position", "byte_position_of_item").alias("byte_position"))
        .select(list(FAULT_SCHEMA))
    )


def relate(validated: Mapping[str, Validated]) -> pl.DataFrame:
    """Findings across the files of a day (FINDING_SCHEMA), by the `relations` of their specifications.

    A relation to a file that is not among them, or whose structure is broken, is not judged.
    """
    tables = {interface: _canonical(one) for interface, one in validated.items() if not _broken(one)}
    found = [pl.DataFrame(schema=FINDING_SCHEMA)]
    for interface, one in validated.items():
        if interface not in tables:
            continue
        for call in _relations(one.decoded.spec):
            if call.arguments and call.arguments[0] in tables:
                faults = _related(one, call, tables[interface], tables[call.arguments[0]], one.findings)
                found.append(findings(_placed(faults, one.decoded), one.decoded.spec, one.file_name))
    return pl.concat(found)


def _relations(specification: Specification) -> list[Call]:
    return [Call.parse(text) for text in specification.plan.relations]


def _canonical(one: Validated) -> pl.DataFrame:
    """The columns that relations look at, canonical, with `line`."""
    specification = one.decoded.spec
    record = specification.data
    looked_at = tuple(item for item in record.items if item.id in relations.LOOK_AT)
    part = replace(record, items=looked_at)
    return to_canonical(one.data.select("line", *part.item_ids), part, specification, one.decoded.on)


def _broken(one: Validated) -> bool:
    return bool((one.findings["level"] == "file").any())


def _related(
    one: Validated, call: Call, own: pl.DataFrame, other: pl.DataFrame | None, known: pl.DataFrame
) -> pl.DataFrame:
    """The rows that break a relation (FAULT_SCHEMA); silent where the item that it looks at has a finding already."""
    code, item, relation = relations.RELATIONS[call.name]
    rows = relation(own, other).filter(~pl.col("line").is_in(known.filter(pl.col("item") == item)["line"].implode()))
    kind = one.decoded.spec.data.kind
    faults = [
        {"line": line, "record_kind": kind, "item": item, "code": code, "rule": call.name, "value": value}
        for line, value in rows.select("line", pl.col(item).cast(pl.String)).rows()
    ]  # fmt: skip
    return _rows(faults)
