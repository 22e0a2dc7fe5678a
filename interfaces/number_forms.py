"""How a type writes a number: the form of types.csv (数の形式), read and written exactly. What a number may be is not here.

A form is a sign, `9` for the digits before the point, a point with a 9 for each decimal, and a sign: `9` `-9.99` `9V99S`.
`.` stands in the text; `V` does not (9V99: 00125 is 1.25). `-` before or after: only where negative; `+` before: always;
`S`: in the last digit (zoned: `{`, A to I for +0 to +9, `}`, J to R for -0 to -9; a plain digit is positive) [memory].
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import polars as pl

ALLOWED: Final = "9・9.99・9V99 の形。符号は前に - か +、後ろに - か S（末尾の桁に重ねる）"
_FORM = re.compile(r"([-+]?)9(?:([.V])(9{1,18}))?(-|S)?")
_POSITIVE, _NEGATIVE = "{ABCDEFGHI", "}JKLMNOPQR"
_PLAIN = r"^(?P<sign>-?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?$"


@dataclass(frozen=True)
class NumberForm:
    """A form as types.csv has it. ValueError at the first use of one that is none."""

    text: str

    @cached_property
    def _parts(self) -> re.Match[str]:
        found = _FORM.fullmatch(self.text)
        if found is None or (found[1] and found[4]):
            raise ValueError(f"not a form of numbers: {self.text!r}")
        return found

    @property
    def is_valid(self) -> bool:
        """Whether it is a form at all."""
        try:
            return bool(self._parts)
        except ValueError:
            return False

    @property
    def scale(self) -> int:
        """How many decimals."""
        return len(self._parts[3] or "")

    @property
    def _has_point(self) -> bool:
        return self._parts[2] == "."

    @property
    def is_signed(self) -> bool:
        """Whether a negative number can be written."""
        return bool(self._parts[1] or self._parts[4])

    @property
    def _is_zoned(self) -> bool:
        return self._parts[4] == "S"

    @cached_property
    def pattern(self) -> str:
        """A regular expression of its texts, with the groups before, whole, part and after."""
        before = {"": "", "-": "-?", "+": "[-+]"}[self._parts[1]]
        last = rf"(?P<after>[0-9{re.escape(_POSITIVE + _NEGATIVE)}])" if self._is_zoned else ""
        whole = "[0-9]*" if self._is_zoned else "[0-9]+"
        part = rf"(?:\.(?P<part>[0-9]{{1,{self.scale}}}))?" if self._has_point else ""
        if self._has_point and self._is_zoned:  # the last digit is a decimal then
            part = rf"\.(?P<part>[0-9]{{{self.scale - 1}}})"
        after = "(?P<after>-?)" if self._parts[4] == "-" else last
        return f"^(?P<before>{before})(?P<whole>{whole}){part}{after}$"

    def scaled(self, column: pl.Expr) -> pl.Expr:
        """Text -> the number times ten to the power of `scale`, a whole number; null when the text has another form."""
        sign, digits = self._sign_and_digits(column)
        return (sign + digits).cast(pl.Int128, strict=False)

    def plain(self, column: pl.Expr) -> pl.Expr:
        """Text -> the number as the program has it: `-1.25`, `3`, without needless zeros; null as in `scaled`."""
        sign, digits = self._sign_and_digits(column)
        padded = digits.str.zfill(self.scale + 1)
        decimals = padded.str.tail(self.scale).str.strip_chars_end("0") if self.scale else pl.lit("")
        whole = (padded.str.head(-self.scale) if self.scale else padded).str.strip_chars_start("0")
        point = pl.when(decimals != "").then(pl.lit(".")).otherwise(pl.lit(""))
        shown_sign = pl.when((whole + decimals) == "").then(pl.lit("")).otherwise(sign)
        return shown_sign + pl.when(whole == "").then(pl.lit("0")).otherwise(whole) + point + decimals

    def _sign_and_digits(self, column: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        """`-` or nothing, and the digits without the point; both null when the text has another form."""
        groups = column.str.extract_groups(self.pattern)
        digits = groups.struct.field("whole")
        if self._has_point:
            decimals = groups.struct.field("part").fill_null("")
            digits = digits + (decimals if self._is_zoned else decimals.str.pad_end(self.scale, "0"))
        negative = groups.struct.field("before") == "-"
        if self._parts[4] == "-":
            negative = groups.struct.field("after") == "-"
        elif self._is_zoned:
            last = groups.struct.field("after")
            values = {sign: str(digit) for signs in (_POSITIVE, _NEGATIVE) for digit, sign in enumerate(signs)}
            digits = digits + last.replace(values)
            negative = last.is_in(list(_NEGATIVE))
        return pl.when(negative).then(pl.lit("-")).otherwise(pl.lit("")), digits

    def written(self, column: pl.Expr, width: int) -> pl.Expr:
        """The number as the program has it -> text, with zeros to `width` characters (0: as few as can be).

        Text that is no number, is negative without a place for the sign, or has more decimals stays: the rules report it.
        """
        groups = column.str.extract_groups(_PLAIN)
        decimals = groups.struct.field("part").fill_null("").str.strip_chars_end("0")
        whole = groups.struct.field("whole").str.strip_chars_start("0")
        digits = whole + decimals.str.pad_end(self.scale, "0")
        is_zero = digits.str.strip_chars("0") == ""
        negative = (groups.struct.field("sign") == "-") & ~is_zero
        fits = (decimals.str.len_chars() <= self.scale) & (pl.lit(self.is_signed) | ~negative)
        shown = self._with_signs(digits.str.zfill(self.scale + 1), negative, width)
        return pl.when(fits).then(shown).otherwise(column)

    def _with_signs(self, digits: pl.Expr, negative: pl.Expr, width: int) -> pl.Expr:
        minus = pl.when(negative).then(pl.lit("-")).otherwise(pl.lit("+" if self._parts[1] == "+" else ""))
        before = minus if self._parts[1] else pl.lit("")
        after = minus if self._parts[4] == "-" else pl.lit("")
        if self._is_zoned:
            last = digits.str.tail(1)
            signs = [last.replace({str(digit): sign for digit, sign in enumerate(of)}) for of in (_NEGATIVE, _POSITIVE)]
            digits = digits.str.head(-1) + pl.when(negative).then(signs[0]).otherwise(signs[1])
        if self._has_point:
            digits = digits.str.head(-self.scale) + "." + digits.str.tail(self.scale)
        room = pl.lit(width, pl.Int64) - before.str.len_chars().cast(pl.Int64) - after.str.len_chars().cast(pl.Int64)
        zeros = (room - digits.str.len_chars().cast(pl.Int64)).clip(lower_bound=0)
        return before + pl.lit("0").repeat_by(zeros).list.join("") + digits + after


@lru_cache(maxsize=64)
def number_form(text: str) -> NumberForm:
    """The form of a text of types.csv."""
    return NumberForm(text)
