"""A file -> its findings. One path for the CLI, Dagster, received files and files that we make ourselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from interfaces.codec import Decoded, read, read_file
from interfaces.messages import message
from interfaces.spec import Call, Specification
from interfaces.values import to_canonical
from schemas import compile as compilation
from schemas.findings import Faults, Findings, findings
from schemas.normalise import normalise
from schemas.rules import files, relations, totals
from schemas.rules.registry import FileContext, all_rules

# A fault in every record of a first sending (300,000 insured), and two thirds more. A finding takes about 1 kB, so a
# file of nothing but faults takes 500 MB and not all the memory there is.
MOST_FINDINGS = 500_000

__all__ = ["FileContext", "Validated", "relate", "validate", "validate_decoded", "validate_file"]


@dataclass(frozen=True)
class FileRead:
    """Which file was read, and by which version of its specification."""

    name: str
    version: str
    sha256: str


@dataclass
class Validated:
    """A validated file. data: raw data records (normalised unless the file is ours for the Union), with `line`."""

    decoded: Decoded
    data: pl.DataFrame
    findings: pl.DataFrame
    file_name: str
    normalised: dict[str, int] = field(default_factory=dict)

    @property
    def file(self) -> FileRead:
        """The file that was validated."""
        return FileRead(self.file_name, self.decoded.spec.version, self.decoded.sha256)

    @property
    def valid(self) -> bool:
        """No finding of level file or record."""
        return not self.findings["level"].is_in(["file", "record"]).any()

    @property
    def unreadable(self) -> bool:
        """Whether the file's structure is broken, so none of its records was read."""
        return _any_of_the_file(self.decoded.problems["code"])

    @property
    def records(self) -> int:
        """How many data records, including lines that should have been one; 0 for an unreadable file."""
        return 0 if self.unreadable else self.data.height + self.decoded.unread

    @property
    def counts_by_code(self) -> dict[str, int]:
        """How many findings of each code, warnings included."""
        return dict(self.findings["code"].value_counts().sort("code").rows())

    @cached_property
    def _rejected_lines(self) -> pl.Series:
        return self.findings.filter(pl.col("level") == "record")["line"].unique()

    @property
    def valid_rows(self) -> pl.DataFrame:
        """Data records without a finding of level record."""
        return self.data.filter(~pl.col("line").is_in(self._rejected_lines.implode()))

    @property
    def rejected_rows(self) -> pl.DataFrame:
        """Data records with a finding of level record."""
        return self.data.filter(pl.col("line").is_in(self._rejected_lines.implode()))


def validate(content: bytes, name: str, specification: Specification, on: dt.date, context: FileContext) -> Validated:
    """Read and validate a file's bytes; anything wrong is a finding, never an exception. `name`: of the file."""
    return validate_decoded(read(content, name, specification, on), context)


def validate_file(path: Path, specification: Specification, on: dt.date, context: FileContext) -> Validated:
    """Like `validate`, for a file on disk. KR-7104 when it cannot be read."""
    return validate_decoded(read_file(path, specification, on), context)


def validate_decoded(decoded: Decoded, context: FileContext) -> Validated:
    """Validate a decoded file. A file with a broken structure gets no follow-on findings.

    Lines that are no record do not stop the rules for the other records; checks that need every record (the count, rules
    between records) are skipped then.
    """
    specification = decoded.spec
    data = decoded.data
    normalised: dict[str, int] = {}
    if not specification.layout.is_outgoing:
        data, normalised = normalise(data, specification)
    of_structure = _with_columns(decoded.problems.with_columns(pl.lit(None, pl.String).alias("rule")))
    faults = [of_structure]
    complete = decoded.problems["item"].null_count() == 0
    if not _any_of_the_file(decoded.problems["code"]):
        reported = decoded.problems.group_by("record_kind", "item").agg("line")
        checked_records = [_no_rows()]
        for record in specification.records:
            table = data if record.kind == specification.data.kind else decoded.tables[record.kind]
            rules = compilation.compile_record(specification, record, decoded.on, context)
            of_kind = dict(reported.filter(pl.col("record_kind") == record.kind).select("item", "line").rows())
            checked_records.append(_with_columns(compilation.find_violations(table, rules, of_kind)))
        of_records = _one_per_file(pl.concat(checked_records))
        faults.append(of_records)
        faults.append(_rows(_duplicates(data, specification, of_records)))
        count_faults = _rows([*files.wrong_counts(decoded), *totals.wrong_totals(decoded)] if complete else [])
        silent = pl.concat([of_structure, of_records])
        faults.append(_one_per_file(count_faults.join(silent, on=["line", "item"], how="anti")))
        faults.append(_rows(files.my_numbers_from_the_union(decoded)))
    name = context.file_name or decoded.name
    found = findings(_placed(_bounded(pl.concat(faults)), decoded), specification, name)
    validated = Validated(decoded, data, found, name, normalised)
    within_file = [call for call in _relations(specification) if not call.arguments]
    if within_file and complete and not _broken(validated):
        own = _canonical(validated)
        within = [_related(validated, call, own, None) for call in within_file]
        validated.findings = pl.concat([found, findings(_placed(pl.concat(within), decoded), specification, name)])
    return validated


def _with_columns(frame: pl.DataFrame) -> pl.DataFrame:
    have = set(frame.columns)
    return frame.select(
        (pl.col(name) if name in have else pl.lit(None, dtype).alias(name)) for name, dtype in Faults.dtypes().items()
    )


def _rows(rows: list[dict[str, object]]) -> pl.DataFrame:
    return Faults.of(rows)


def _no_rows() -> pl.DataFrame:
    return Faults.empty()


def _bounded(faults: pl.DataFrame) -> pl.DataFrame:
    """At most MOST_FINDINGS faults; if there are more, with one that rejects the whole file (KR-4009)."""
    if faults.height <= MOST_FINDINGS:
        return faults
    refused = _rows([{"code": "KR-4009", "expected": str(MOST_FINDINGS), "value": str(faults.height)}])
    return pl.concat([refused, faults.head(MOST_FINDINGS)])


def _any_of_the_file(codes: Iterable[str]) -> bool:
    return any(message(code).level == "file" for code in set(codes))


def _one_per_file(faults: pl.DataFrame) -> pl.DataFrame:
    """Only the first line that breaks a rule about the whole file, whatever its kind (one cause, one finding)."""
    whole = pl.col("rule").is_in([name for name, rule in all_rules().items() if rule.scope == "file"])
    first = faults.filter(whole).sort("line").unique(["rule", "item"], keep="first", maintain_order=True)
    return pl.concat([first, faults.filter(~whole)])


def _duplicates(data: pl.DataFrame, specification: Specification, reported: pl.DataFrame) -> list[dict[str, object]]:
    """Every record whose key occurs twice in the file (KR-3004), unless the key already has a finding."""
    key = list(specification.data.key)
    if not key:
        return []
    if data.select(pl.struct(key).n_unique() if len(key) > 1 else pl.col(key[0]).n_unique()).item() == data.height:
        return []
    silent = reported.filter((pl.col("record_kind") == specification.data.kind) & pl.col("item").is_in(key))["line"]
    rows = data.filter(
        pl.struct(key).is_duplicated()
        & pl.all_horizontal(pl.col(name) != "" for name in key)
        & ~pl.col("line").is_in(silent.implode())
    )
    return [
        {
            "line": line,
            "record_kind": specification.data.kind,
            "item": key[0],
            "code": "KR-3004",
            "rule": "duplicate_key",
            "expected": "ファイルに一度だけ",
            "value": value,
        }
        for line, value in rows.select("line", key[0]).rows()
    ]


def _placed(faults: pl.DataFrame, decoded: Decoded) -> pl.DataFrame:
    """Faults with their record number and, where they name an item, the byte at which it starts."""
    headings = decoded.spec.format.heading_lines
    record = pl.when(pl.col("line") > headings).then(pl.col("line") - headings).cast(pl.UInt32)
    numbered = faults.with_columns(pl.coalesce("record_number", record).alias("record_number"))
    open_lines = numbered.filter(pl.col("item").is_not_null() & pl.col("line").is_not_null())["line"].unique()
    if open_lines.is_empty():
        return numbered
    positions = decoded.positions(open_lines)
    return (
        numbered.join(positions, on=["line", "item"], how="left", suffix="_of_item")
        .with_columns(pl.coalesce("byte_position", "byte_position_of_item").alias("byte_position"))
        .select(Faults.names())
    )


def relate(validated: Mapping[str, Validated]) -> pl.DataFrame:
    """Findings across the files of a day (`Findings`), by the `relations` of their specifications.

    A relation to a file that is not among them, or whose structure is broken, is skipped.
    """
    tables = {interface: _canonical(file) for interface, file in validated.items() if not _broken(file)}
    found = [Findings.empty()]
    for interface, file in validated.items():
        if interface not in tables:
            continue
        for call in _relations(file.decoded.spec):
            if call.arguments and call.arguments[0] in tables:
                faults = _related(file, call, tables[interface], tables[call.arguments[0]])
                found.append(findings(_placed(faults, file.decoded), file.decoded.spec, file.file_name))
    return pl.concat(found)


def _relations(specification: Specification) -> list[Call]:
    return [Call.parse(text) for text in specification.layout.relations]


def _canonical(validated: Validated) -> pl.DataFrame:
    """The columns that relations read, canonical, with `line`."""
    specification = validated.decoded.spec
    record = specification.data
    looked_at = tuple(item for item in record.items if item.id in relations.items_read())
    part = replace(record, items=looked_at)
    return to_canonical(validated.data.select("line", *part.item_ids), part, specification, validated.decoded.on)


def _broken(validated: Validated) -> bool:
    return _any_of_the_file(validated.findings["code"])


def _related(validated: Validated, call: Call, own: pl.DataFrame, other: pl.DataFrame | None) -> pl.DataFrame:
    """The rows that break a relation (`Faults`), except where its item already has a finding.

    A relation that crashes is a finding (KR-9001), not an exception.
    """
    kind = pl.lit(validated.decoded.spec.data.kind).alias("record_kind")
    rule = pl.lit(call.name).alias("rule")
    try:
        relation = relations.RELATIONS[call.name]
        item = relation.item
        reported = validated.findings.filter(pl.col("item") == item)["line"]
        faulty = relation.find(own, other, validated.decoded.on).filter(~pl.col("line").is_in(reported.implode()))
        has_found = relations.FOUND in faulty.columns
        values = (
            faulty.select("line", value=relations.FOUND) if has_found else validated.data.select("line", value=item)
        )
        broken = values.join(faulty, on="line", how="semi").select(
            "line",
            "value",
            kind,
            rule,
            item=pl.lit(item),
            code=pl.lit(relation.code),
            expected=pl.lit(relation.expected),
        )
    except Exception as error:
        broken = pl.select(kind, pl.lit("KR-9001").alias("code"), rule, pl.lit(type(error).__name__).alias("expected"))
    return _with_columns(broken)
