"""Rules of a file as a whole: record count, municipality, day, and no 個人番号 from the Union. Pure."""

from __future__ import annotations

import math

import polars as pl

from interfaces import naming
from interfaces.codec import Decoded
from interfaces.values import month_of, parse_date
from schemas.rules.identifiers import digit_runs, my_number_check
from schemas.rules.registry import RuleContext, register_external_rule, rule

register_external_rule("data_record_count", "KR-4001", "file")


@rule("own_municipality", "KR-4002", "file")
def own_municipality(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """Our own 市区町村コード."""
    own = context.file.municipality_code
    return (context.value == own, own) if own else None


@rule("own_insurer", "KR-4003", "file")
def own_insurer(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """Our own 保険者番号."""
    own = context.file.insurer_number
    return (context.value == own, own) if own else None


@rule("own_prefecture", "KR-4005", "file")
def own_prefecture(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """Our own 都道府県番号."""
    own = context.file.prefecture_code
    return (context.value == own, own) if own else None


@rule("partition_date", "KR-4006", "file", item_kind="day")
def partition_date(context: RuleContext, _: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """The day that the file must be for, as its content says."""
    day = context.file.partition
    return (parse_date(context.value, context.item.type) == day, day.isoformat()) if day else None


@rule("same_as_file_name", "KR-4007", "file", ("file_name_field",))
def same_as_file_name(context: RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str] | None:
    """The same value as in the file's name."""
    fields = naming.parse(context.specification, context.file.file_name or "")
    if fields is None or arguments[0] not in fields:
        return None
    named = fields[arguments[0]]
    if context.item.type.is_date:
        value = parse_date(context.value, context.item.type).dt.strftime("%Y%m%d")
        return value == named, named
    if context.item.type.is_month:
        return month_of(context.value, context.item.type) == named, named
    return context.value == named, named


def wrong_counts(decoded: Decoded) -> list[dict[str, object]]:
    """Where the control record's count differs from the number of data records (rows of `Faults`)."""
    found: list[dict[str, object]] = []
    actual = decoded.data.height
    for record in decoded.spec.records:
        for item in record.items:
            if not item.rule("data_record_count"):
                continue
            for line, stated in decoded.tables[record.kind].select("line", item.id).rows():
                if not (stated.isascii() and stated.isdigit() and int(stated) == actual):
                    found.append(
                        {
                            "line": line,
                            "record_number": line,
                            "record_kind": record.kind,
                            "item": item.id,
                            "code": "KR-4001",
                            "rule": "data_record_count",
                            "expected": f"{actual}件",
                            "value": stated,
                        }
                    )
    return found


CERTAIN_MY_NUMBERS = "KR-4010"
_MY_NUMBER_DIGITS = 12
# By chance 1 number in 11 passes the check digit: half of at least three is unlikely in a column of other ids.
_FEW = 3
_SHARE = 0.5
# Below this probability (one column in a million) chance is excluded: 6 of 6 pass, or 10 of 18.
_BEYOND_DOUBT = 1e-6


def _by_chance(passing: int, runs: int) -> float:
    """The probability that at least `passing` of `runs` numbers pass the check digit although none is a 個人番号."""
    return sum(math.comb(runs, k) * (1 / 11) ** k * (10 / 11) ** (runs - k) for k in range(passing, runs + 1))


def my_numbers_from_the_union(decoded: Decoded) -> list[dict[str, object]]:
    """Columns of an inbound file that contain 個人番号: files from the Union contain none (評価書 別添1; docs/sources.md 1.2).

    A column is reported when, of the runs of exactly 12 digits in its values, all (fewer than 3) or at least half (3 or
    more) pass the check digit. A column of other 12-digit numbers is reported by chance with 1 run in 9 % of the files,
    with 2 in 0.8 %, with 4 in 4.4 %, with 10 in 0.1 %: the operator then releases the file (KR-4004). Where chance is
    excluded, nobody can release it (KR-4010). (Rows of `Faults`; no value.)
    """
    if decoded.spec.layout.direction != "from_union":
        return []
    found: list[dict[str, object]] = []
    for record in decoded.spec.records:
        table = decoded.tables[record.kind]
        for item in record.items:
            long = table.filter(pl.col(item.id).str.len_chars() >= _MY_NUMBER_DIGITS)
            if long.is_empty():
                continue
            runs = (
                long.select("line", run=digit_runs(long[item.id]))
                .explode("run")
                .filter(pl.col("run").str.len_bytes() == _MY_NUMBER_DIGITS)
            )
            passing = runs.filter(my_number_check(pl.col("run")))
            limit = runs.height if runs.height < _FEW else runs.height * _SHARE
            if passing.height and passing.height >= limit:
                beyond_doubt = _by_chance(passing.height, runs.height) < _BEYOND_DOUBT
                found.append(
                    {
                        "line": int(passing["line"][0]),
                        "record_number": int(passing["line"][0]),
                        "record_kind": record.kind,
                        "item": item.id,
                        "code": CERTAIN_MY_NUMBERS if beyond_doubt else "KR-4004",
                        "rule": "no_my_number",
                        "expected": "個人番号でない値",
                        "value": "",
                    }
                )
    return found


register_external_rule("no_my_number", "KR-4004", "file")
