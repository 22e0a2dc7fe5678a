"""A finding: one fault at one place, worded for the person who can fix it, with its value masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from interfaces.characters import spell
from interfaces.messages import message
from interfaces.spec import Specification
from schemas.rules.identifiers import digit_runs, my_number_check
from schemas.tables import Table, personal, public

HIDDEN = "********"
CHARACTERS = "KR-2003"
_MY_NUMBER_DIGITS = 12
# Codes whose value describes the file's form: the codec makes it, and it never contains a person's data.
_FORM_ONLY = (
    "KR-1002",
    "KR-1008",
    "KR-1012",
    "KR-1013",
    "KR-1014",
    "KR-1015",
    "KR-1016",
    "KR-1018",
    "KR-1020",
    "KR-1021",
    "KR-1022",
    "KR-1024",
    "KR-1031",
    "KR-1032",
    "KR-1033",
    "KR-1034",
    "KR-1035",
    "KR-1037",
)

# Codes of a value that does not have its item's form: it may belong to another item, and so be of any sensitivity.
_MISFITS = ("KR-2002", "KR-2003", "KR-2006")
# Such a value of a public item is shown only if it looks like a code or a date, not like a name or an identifier.
_HARMLESS = r"^([0-9A-Za-z]{1,3}|[0-9/-]{1,10})$"


class Findings(Table):
    """Faults worded for people, with their places; values masked by sensitivity."""

    file: pl.String = personal("ファイル名")
    line: pl.UInt32 = personal("行")
    record: pl.UInt32 = personal("レコード番号")
    item_no: pl.Int32 = personal("項番（何番目の項目か）")
    official_number: pl.String = personal("公式項番")
    item: pl.String = personal("項目のid")
    item_name: pl.String = personal("項目名")
    byte_position: pl.UInt32 = personal("バイト位置")
    code: pl.String = public("KRコード")
    level: pl.String = public("水準")
    rule: pl.String = personal("規則")
    expected: pl.String = personal("求める値")
    value: pl.String = personal("伏せ字にした受信値")
    message: pl.String = personal("場所と誤りの文")


class Faults(Table):
    """What rules and the codec report, before names, levels and masks are added."""

    line: pl.UInt32 = personal("行")
    record_number: pl.UInt32 = personal("レコード番号")
    record_kind: pl.String = personal("レコード種別")
    item: pl.String = personal("項目のid")
    code: pl.String = public("KRコード")
    rule: pl.String = personal("規則")
    expected: pl.String = personal("求める値")
    value: pl.String = personal("受信値")
    byte_position: pl.UInt32 = personal("バイト位置")


def masked(values: pl.Series, masks: pl.Series) -> pl.Series:
    """Values as people may see them, by their 伏せ方 (all, first1, last3, none); a 個人番号 is hidden in any item.

    A value of unknown item (mask null) is hidden. The length is never shown.
    """
    value, mask = pl.col("value"), pl.col("mask")
    shown = (
        pl.when(mask == "none")
        .then(value)
        .when(mask == "last3")
        .then(pl.lit(HIDDEN) + value.str.slice(-3))
        .when(mask == "first1")
        .then(value.str.slice(0, 1) + pl.lit(HIDDEN))
        .otherwise(pl.lit(HIDDEN))
    )
    table = pl.DataFrame({"value": values, "mask": masks}, schema={"value": pl.String, "mask": pl.String})
    numbered = pl.int_range(pl.len()).is_in(_rows_with_my_number(table).implode())
    return table.select(
        pl.when(value.is_null() | (value == "")).then(value).when(numbered).then(pl.lit(HIDDEN)).otherwise(shown)
    ).to_series()


def _rows_with_my_number(table: pl.DataFrame) -> pl.Series:
    """The rows whose value contains a 個人番号: any 12 digits in sequence if the whole value is shown, else exactly 12.

    Within a longer identifier 12 digits pass the check digit by chance too often to hide its last three for that reason.
    """
    length = pl.col("run").str.len_bytes()
    runs = (
        table.with_row_index("row")
        .filter(pl.col("value").str.len_chars() >= _MY_NUMBER_DIGITS)
        .with_columns(run=pl.col("value").map_batches(digit_runs, return_dtype=pl.List(pl.String)))
        .select("row", "mask", "run")
        .explode("run")
        .filter((length == _MY_NUMBER_DIGITS) | ((length > _MY_NUMBER_DIGITS) & (pl.col("mask") == "none")))
    )
    windows = runs.with_columns(start=pl.int_ranges(0, length - _MY_NUMBER_DIGITS + 1)).explode("start")
    number = pl.col("run").str.slice(pl.col("start"), _MY_NUMBER_DIGITS)
    return windows.filter(my_number_check(number))["row"].cast(pl.Int64).unique()


def codes_in_words(codes: Iterable[str]) -> str:
    """The codes as text for a sentence, each once."""
    return "、".join(sorted(set(codes)))


def findings(faults: pl.DataFrame, specification: Specification, file: str) -> pl.DataFrame:
    """The `Faults` of one file -> its `Findings`, in file order, values masked by sensitivity."""
    if faults.is_empty():
        return Findings.empty()
    items = pl.DataFrame(
        [
            (
                record.kind,
                item.id,
                item.number,
                item.official_number or None,
                item.name,
                item.sensitivity.mask,
                item.is_kept,
            )
            for record in specification.records
            for item in record.items
        ],
        schema={
            "record_kind": pl.String,
            "item": pl.String,
            "item_no": pl.Int32,
            "official_number": pl.String,
            "item_name": pl.String,
            "mask": pl.String,
            "is_kept": pl.Boolean,
        },
        orient="row",
    )
    codes = pl.DataFrame(
        [(code, message(code).level) for code in faults["code"].unique()],
        schema={"code": pl.String, "level": pl.String},
        orient="row",
    )
    form = pl.col("code").is_in(_FORM_ONLY)
    astray = (
        pl.col("code").is_in(_MISFITS) & (pl.col("mask") == "none") & ~pl.col("value").str.contains(_HARMLESS)
    ).fill_null(False)
    named = faults.join(items, on=["record_kind", "item"], how="left").with_columns(
        pl.when(pl.col("is_kept").not_())
        .then(pl.lit("all"))  # a finding is stored
        .when(form)
        .then(pl.lit("none"))
        .when(astray)
        .then(pl.lit("all"))
        .otherwise(pl.col("mask"))
        .alias("mask")
    )
    rows = (
        named.with_columns(
            _with_strays(named, masked(named["value"], named["mask"]), specification).alias("value"),
            pl.lit(file).alias("file"),
            pl.col("record_number").alias("record"),
        )
        .join(codes, on="code", how="left")
        .sort("line", "item_no", "code", nulls_last=False, maintain_order=True)
    )
    texts = [_sentence(row) for row in rows.iter_rows(named=True)]
    return rows.with_columns(pl.Series("message", texts, dtype=pl.String)).select(
        pl.col(name).cast(dtype) for name, dtype in Findings.dtypes().items()
    )


def _with_strays(faults: pl.DataFrame, shown: pl.Series, specification: Specification) -> pl.Series:
    """The values as they are shown. If a hidden value has a character that its type does not allow, the code point of the
    first one is added: nobody can see which dash or space it is."""
    of_characters = faults.filter(pl.col("code") == CHARACTERS).select("record_kind", "item").unique().rows()
    stray = pl.lit(None, pl.String)
    for kind, item in of_characters:
        pattern = specification.by_kind[kind].by_id[item].type.stray
        if pattern and specification.by_kind[kind].by_id[item].is_kept and _is_readable(pattern):
            here = (pl.col("code") == CHARACTERS) & (pl.col("record_kind") == kind) & (pl.col("item") == item)
            stray = pl.when(here).then(pl.col("value").str.extract(pattern)).otherwise(stray)
    table = faults.select("value", stray=stray).with_columns(shown=shown)
    hidden = pl.col("shown") != pl.col("value")
    points = {character: f"、使えない文字 {spell(character)}" for character in table["stray"].drop_nulls().unique()}
    named = pl.col("stray").replace_strict(points, default="", return_dtype=pl.String)
    return table.select(pl.when(hidden).then(pl.col("shown") + named).otherwise("shown")).to_series()


def _is_readable(pattern: str) -> bool:
    try:
        pl.select(pl.lit("").str.extract(pattern))
    except pl.exceptions.PolarsError:  # a class within a class, which `ItemType.stray` does not handle
        return False
    return True


def without_place(found: pl.DataFrame) -> pl.DataFrame:
    """The same findings without line and byte, for a file that was made again without those lines."""
    dtypes = Findings.dtypes()
    nowhere = [pl.lit(None, dtypes[name]).alias(name) for name in ("line", "record", "byte_position")]
    placed = found.with_columns(nowhere)
    texts = [_sentence(row) for row in placed.iter_rows(named=True)]
    return placed.with_columns(pl.Series("message", texts, dtype=pl.String))


def in_volumes(found: pl.DataFrame, names: Sequence[str], starts: Sequence[int]) -> pl.DataFrame:
    """The findings of a file that came as several, in the words of each: its name, and its own lines and records.

    names, starts: of each volume its name, and how many lines of the whole come before it. What is about no line names all.
    """
    volumes = pl.DataFrame({"before": starts, "name": names}, schema={"before": pl.UInt32, "name": pl.String})
    lines = found.with_row_index("at").select("at", last=pl.col("line") - 1).drop_nulls().sort("last")
    of_each = lines.join_asof(volumes, left_on="last", right_on="before").select("at", "before", "name")
    own = [(pl.col(name) - pl.col("before").fill_null(0)).cast(pl.UInt32).alias(name) for name in ("line", "record")]
    placed = (
        found.with_row_index("at")
        .join(of_each, on="at", how="left", maintain_order="left")
        .with_columns(*own, file=pl.col("name").fill_null("・".join(names)))
        .select(found.columns)
    )
    texts = [_sentence(row) for row in placed.iter_rows(named=True)]
    return placed.with_columns(pl.Series("message", texts, dtype=pl.String))


def _sentence(row: dict[str, object]) -> str:
    """Place, fault, and what was received, in one line."""
    place = str(row["file"])
    if row["line"] is not None:
        place += f" {row['line']}行目"
    if row["byte_position"] is not None:
        place += f" {row['byte_position']}バイト目"
    if row["item_name"] is not None:
        place += f" 項番{row['official_number'] or row['item_no']} {row['item_name']}"
    shown = {name: value for name, value in row.items() if value is not None}
    received = f"（受信値: {row['value']}）" if row["item_name"] is not None and row["value"] else ""
    return f"{row['code']} {place}: {message(str(row['code'])).render(**shown)}{received}"


def from_problems(problems: pl.DataFrame, specification: Specification, file: str) -> pl.DataFrame:
    """The codec's problems as findings."""
    return findings(
        problems.with_columns(pl.lit(None, pl.String).alias("rule")).select(Faults.names()), specification, file
    )
