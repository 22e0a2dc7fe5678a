"""The check digits against published numbers (docs/sources.md 2.1), and numbers that are one digit off."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from schemas.rules.identifiers import insurer_check, municipality_check, my_number_check, resident_record_code_check

VECTORS: list[tuple[Callable[[pl.Expr], pl.Expr], list[str], list[str]]] = [
    (
        my_number_check,
        ["123456789018", "983205673214"],
        ["123456789019", "123456789010", "983205673215", "12345678901", "1234567890181", "12345678901x", "", " "],
    ),
    (
        municipality_check,
        ["131041", "131016", "011002", "271004", "141003", "999997"],
        ["131042", "131014", "999999", "13104", "0131041", "13104x", ""],
    ),
    (
        insurer_check,
        ["33120015", "138016", "138024", "138040", "67138040", "00138040"],
        ["33120016", "138017", "138042", "67138041", "38040", "7138040", "13804x", ""],
    ),
    (resident_record_code_check, ["12345678903", "00000000019"], ["12345678902", "0000000019", "1234567890x", ""]),
]


@pytest.mark.parametrize(("check", "sound", "unsound"), VECTORS, ids=lambda value: getattr(value, "__name__", ""))
def test_published_numbers_pass_and_others_do_not(
    check: Callable[[pl.Expr], pl.Expr], sound: list[str], unsound: list[str]
) -> None:
    table = pl.DataFrame({"number": [*sound, *unsound]})
    assert table.select(check(pl.col("number"))).to_series().to_list() == [True] * len(sound) + [False] * len(unsound)


def test_a_remainder_of_one_or_nothing_gives_zero() -> None:
    # Eleven zeros leave 0; a last digit 6 with weight 2 makes 12, which leaves 1.
    numbers = pl.Series("number", ["000000000000", "000000000060", "000000000061"])
    assert numbers.to_frame().select(my_number_check(pl.col("number"))).to_series().to_list() == [True, True, False]
