"""A finding: one fault at one place, in words for the person who can mend it, with its value masked."""

from __future__ import annotations

import polars as pl

from interfaces.messages import message
from interfaces.spec import Specification
from schemas.rules.identifiers import my_number_check

FINDING_SCHEMA: dict[str, type[pl.DataType]] = {
    "file": pl.String,
    "line": pl.UInt32,
    "record": pl.UInt32,
    "item_no": pl.Int32,
    "item": pl.String,
    "item_name": pl.String,
    "byte_position": pl.UInt32,
    "code": pl.String,
    "level": pl.String,
    "rule": pl.String,
    "expected": pl.String,
    "value": pl.String,
    "message": pl.String,
}
# What a rule or the codec reports before names, levels and masks are added.
FAULT_SCHEMA: dict[str, type[pl.DataType]] = {
    "line": pl.UInt32,
    "record_number": pl.UInt32,
    "record_kind": pl.String,
    "item": pl.String,
    "code": pl.String,
    "rule": pl.String,
    "expected": pl.String,
    "value": pl.String,
    "byte_position": pl.UInt32,
}
HIDDEN = "********"
# Codes whose value says what was seen of the file's form, made by the codec itself and never a person's data.
_FORM_ONLY = (
    "KR-1008",
    "KR-1012",
    "KR-1013",
    "KR-1014",
    "KR-1016",
    "KR-1018",
    "KR-1020",
    "KR-1021",
    "KR-1022",
    "KR-1024",
)


def masked(value: pl.Expr, mask: pl.Expr) -> pl.Expr:
    """A value as people may see it, by its 伏せ方 (all, first1, last3, none); 個人番号 is hidden wherever it stands.

    A value of unknown place (mask null) is hidden. Length is never told.
    """
    twelve = value.str.extract(r"(?:^|[^0-9])([0-9]{12})(?:[^0-9]|$)", 1)
    numbered = twelve.is_not_null() & my_number_check(twelve)
    shown = (
        pl.when(mask == "none")
        .then(value)
        .when(mask == "last3")
        .then(pl.lit(HIDDEN) + value.str.slice(-3))
        .when(mask == "first1")
        .then(value.str.slice(0, 1) + pl.lit(HIDDEN))
        .otherwise(pl.lit(HIDDEN))
    )
    return pl.when(value.is_null() | (value == "")).then(value).when(numbered).then(pl.lit(HIDDEN)).otherwise(shown)


def findings(faults: pl.DataFrame, specification: Specification, file: str) -> pl.DataFrame:
    """Faults (FAULT_SCHEMA) of one file -> findings (FINDING_SCHEMA), in file order, values masked by sensitivity."""
    if faults.is_empty():
        return pl.DataFrame(schema=FINDING_SCHEMA)
    items = pl.DataFrame(
        [
            (record.kind, item.id, item.number, item.name, item.sensitivity.mask)
            for record in specification.records
            for item in record.items
        ],
        schema={
            "record_kind": pl.String,
            "item": pl.String,
            "item_no": pl.Int32,
            "item_name": pl.String,
            "mask": pl.String,
        },
        orient="row",
    )
    codes = pl.DataFrame(
        [(code, message(code).level) for code in faults["code"].unique()],
        schema={"code": pl.String, "level": pl.String},
        orient="row",
    )
    form = pl.col("code").is_in(_FORM_ONLY)
    rows = (
        faults.join(items, on=["record_kind", "item"], how="left")
        .join(codes, on="code", how="left")
        .with_columns(
            masked(pl.col("value"), pl.when(form).then(pl.lit("none")).otherwise(pl.col("mask"))).alias("value"),
            pl.lit(file).alias("file"),
            pl.col("record_number").alias("record"),
        )
        .sort("line", "item_no", "code", nulls_last=False, maintain_order=True)
    )
    texts = [_sentence(row) for row in rows.iter_rows(named=True)]
    return rows.with_columns(pl.Series("message", texts, dtype=pl.String)).select(
        pl.col(name).cast(dtype) for name, dtype in FINDING_SCHEMA.items()
    )


def _sentence(row: dict[str, object]) -> str:
    """Place, fault, and what was received, in one line."""
    place = str(row["file"])
    if row["line"] is not None:
        place += f" {row['line']}行目"
    if row["byte_position"] is not None:
        place += f" {row['byte_position']}バイト目"
    if row["item_name"] is not None:
        place += f" 項番{row['item_no']} {row['item_name']}"
    shown = {name: value for name, value in row.items() if value is not None}
    received = f"（受信値: {row['value']}）" if row["item_name"] is not None and row["value"] else ""
    return f"{row['code']} {place}: {message(str(row['code'])).render(**shown)}{received}"


def from_problems(problems: pl.DataFrame, specification: Specification, file: str) -> pl.DataFrame:
    """The codec's problems as findings."""
    return findings(
        problems.with_columns(pl.lit(None, pl.String).alias("rule")).select(list(FAULT_SCHEMA)), specification, file
    )
