"""How a type writes a day or a month: the form of types.csv (日付形式), read and written. Which days are allowed is not here.

A form consists of letters (`LETTERS`) and of separators, which are any other characters: `YYYY/M/D`, `RYY.MM.DD`, `GYYMM`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from interfaces.spec import Era


@dataclass(frozen=True)
class Letter:
    """A letter of a form. part: era | year | month | day. pattern: its text, blank for an era's, which eras.csv has."""

    part: str
    pattern: str
    meaning: str

    @property
    def is_variable(self) -> bool:
        """Whether it can be written with more or fewer digits."""
        return "," in self.pattern


LETTERS: Final = {
    "YYYY": Letter("year", "[0-9]{4}", "西暦4桁"),
    "YY": Letter("year", "[0-9]{2}", "和暦の年2桁"),
    "Y": Letter("year", "[0-9]{1,2}", "和暦の年1〜2桁"),
    "MM": Letter("month", "[0-9]{2}", "月2桁"),
    "M": Letter("month", "[0-9]{1,2}", "月1〜2桁"),
    "DD": Letter("day", "[0-9]{2}", "日2桁"),
    "D": Letter("day", "[0-9]{1,2}", "日1〜2桁"),
    "G": Letter("era", "", "元号区分"),
    "R": Letter("era", "", "元号の略号"),
    "元号": Letter("era", "", "元号の名"),
}
ALLOWED: Final = "・".join(f"{letter} {of.meaning}" for letter, of in LETTERS.items())
_PIECES = re.compile("|".join([*LETTERS, "."]), re.DOTALL)
_STRFTIME = {"YYYY": "%Y", "MM": "%m", "DD": "%d"}


def _era_text(letter: str, era: Era) -> str:
    return {"G": era.digit, "R": era.letter, "元号": era.name}[letter]


@dataclass(frozen=True)
class DateForm:
    """A form as types.csv has it. Reading and writing assume that it has no fault (`faults`)."""

    text: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The letters and the separators, in order."""
        return tuple(_PIECES.findall(self.text))

    @cached_property
    def letters(self) -> dict[str, str]:
        """The letter of each part."""
        return {LETTERS[piece].part: piece for piece in self.pieces if piece in LETTERS}

    @cached_property
    def separators(self) -> frozenset[str]:
        """The characters between the digits, the letters and names of eras not among them."""
        return frozenset(piece for piece in self.pieces if piece not in LETTERS)

    @property
    def has_day(self) -> bool:
        return "day" in self.letters

    @property
    def has_era(self) -> bool:
        return "era" in self.letters

    @cached_property
    def strftime(self) -> str | None:
        """The form as polars takes it; None for one that only `pattern` can read."""
        if set(self.letters.values()) - set(_STRFTIME):
            return None
        return "".join(_STRFTIME.get(piece, piece.replace("%", "%%")) for piece in self.pieces)

    def longest(self, eras: Sequence[Era]) -> str:
        """A longest text of the form, whose bytes are the least length of an item."""
        digits = {"YYYY": "2026", "YY": "10", "Y": "10", "MM": "10", "M": "10", "DD": "10", "D": "10"}
        names = [
            max((_era_text(piece, era) for era in eras), key=len, default="")
            if LETTERS[piece].part == "era"
            else digits[piece]
            for piece in self.pieces
            if piece in LETTERS
        ]
        return "".join(names.pop(0) if piece in LETTERS else piece for piece in self.pieces)

    @property
    def is_of_one_length(self) -> bool:
        """Whether every text of the form is equally long."""
        return not any(LETTERS[letter].is_variable for letter in self.letters.values())

    def faults(self) -> Iterator[str]:
        """What is wrong with the form, in Japanese."""
        for piece in dict.fromkeys(self.pieces):
            if piece not in LETTERS and piece.isascii() and piece.isalnum():
                yield f"{piece} は使えません（{ALLOWED}）"
        parts = [LETTERS[piece].part for piece in self.pieces if piece in LETTERS]
        for part, name in (("era", "元号"), ("year", "年"), ("month", "月"), ("day", "日")):
            if parts.count(part) > 1:
                yield f"{name}が{parts.count(part)}回あります"
            elif part in ("year", "month") and part not in parts:
                yield f"{name}がありません（{ALLOWED}）"
        year = self.letters.get("year")
        if year in ("YY", "Y") and not self.has_era:
            yield f"{year} は元号（G・R・元号）と一緒に書きます。西暦は YYYY です"
        if year == "YYYY" and self.has_era:
            yield "元号のある年は YY か Y です"
        for piece, following in zip(self.pieces, self.pieces[1:], strict=False):
            if piece in LETTERS and LETTERS[piece].is_variable and following in LETTERS:
                yield f"{piece} と {following} の間に区切りがないので、どこまでが {piece} か決まりません"

    def pattern(self, eras: Sequence[Era]) -> str:
        """A regular expression with the groups era, year, month and day."""
        return f"^{''.join(self._group(piece, eras) for piece in self.pieces)}$"

    @staticmethod
    def _group(piece: str, eras: Sequence[Era]) -> str:
        letter = LETTERS.get(piece)
        if letter is None:
            return re.escape(piece)
        texts = letter.pattern or "|".join(re.escape(_era_text(piece, era)) for era in eras)
        return f"(?P<{letter.part}>{texts})"


@lru_cache(maxsize=64)
def date_form(text: str) -> DateForm:
    """The form of a text of types.csv."""
    return DateForm(text)


def first_day_of(column: pl.Expr, form: DateForm, eras: Sequence[Era]) -> pl.Expr:
    """Text -> `pl.Date`, of a month its first day; null when the text has another form or when no such day exists."""
    if form.strftime is not None:
        day, rest = ("", "") if form.has_day else ("%d", "01")
        return (column + rest if rest else column).str.to_date(form.strftime + day, strict=False)
    groups = column.str.extract_groups(form.pattern(eras))
    year = groups.struct.field("year").cast(pl.Int32, strict=False)
    if form.has_era:
        before = {_era_text(form.letters["era"], era): era.year_before for era in eras}
        year += groups.struct.field("era").replace_strict(before, default=None, return_dtype=pl.Int32)
    month = groups.struct.field("month").str.zfill(2)
    day_of_month = groups.struct.field("day").str.zfill(2) if form.has_day else pl.lit("01")
    return (year.cast(pl.String).str.zfill(4) + month + day_of_month).str.to_date("%Y%m%d", strict=False)


def within_era(column: pl.Expr, form: DateForm, eras: Sequence[Era]) -> pl.Expr:
    """Whether the day, or some day of the month, of a text with an era is in that era."""
    era = column.str.extract_groups(form.pattern(eras)).struct.field("era")
    begins = {_era_text(form.letters["era"], row): row.start for row in eras}
    ends = {_era_text(form.letters["era"], row): later.start for row, later in zip(eras, list(eras)[1:], strict=False)}
    first = first_day_of(column, form, eras)
    last = first if form.has_day else first.dt.month_end()
    start = era.replace_strict(begins, default=None, return_dtype=pl.Date)
    end = era.replace_strict(ends, default=None, return_dtype=pl.Date)
    return (last >= start) & (end.is_null() | (first < end))


def written_day(column: pl.Expr, form: DateForm, eras: Sequence[Era]) -> pl.Expr:
    """`pl.Date` -> text; null for null and for a day before the first era. A month has the era of its first day."""
    if form.strftime is not None:
        return column.dt.strftime(form.strftime)
    era = pl.lit(None, pl.String)
    year = column.dt.year()
    if form.has_era:
        year = pl.lit(None, pl.Int32)
        for row in eras:
            begun = column >= row.start
            era = pl.when(begun).then(pl.lit(_era_text(form.letters["era"], row))).otherwise(era)
            year = pl.when(begun).then(column.dt.year() - row.year_before).otherwise(year)
    of_parts = {"year": year, "month": column.dt.month(), "day": column.dt.day()}
    texts = [_written(piece, era, of_parts) for piece in form.pieces]
    return pl.concat_str(texts)


def _written(piece: str, era: pl.Expr, of_parts: dict[str, pl.Expr]) -> pl.Expr:
    letter = LETTERS.get(piece)
    if letter is None:
        return pl.lit(piece)
    if letter.part == "era":
        return era
    number = of_parts[letter.part].cast(pl.String)
    return number if letter.is_variable else number.str.zfill(len(piece))
