"""Encodings and 外字: which characters a file can represent, how many bytes they take, and what replaces the others.

Only characters that the character table (catalogue/characters/*.csv) names are ever replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from unicodedata import category

import polars as pl

from interfaces.catalogue import Row, read_rows

_SELECTORS = r"\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}"
# What takes one byte; everything else takes two. Shift_JIS-2004 has ¥ and ‾ where ASCII has \ and ~.
_ONE_BYTE = {
    "cp932": r"\x00-\x{80}\x{FF61}-\x{FF9F}\x{F8F0}-\x{F8F3}",
    "shift_jis_2004": r"\x00-\x5B\x5D-\x7D\x7F\x{A5}\x{203E}\x{FF61}-\x{FF9F}",
}
# What Shift_JIS-2004 has one code for and Unicode two.
_IN_PAIRS = (
    r"[かきくけこカキクケコセツトㇷ]\x{309A}|\x{E6}\x{300}|[\x{254}\x{259}\x{25A}\x{28C}][\x{300}\x{301}]"
    r"|\x{2E5}\x{2E9}|\x{2E9}\x{2E5}"
)
_BEYOND_BMP = r"[\x{10000}-\x{10FFFF}]"


@dataclass(frozen=True)
class CharacterTable:
    """What to do with characters that an encoding lacks: sequence of code points -> text that can be encoded.

    `external` (外字) is reversible and read back; `same` (同字) maps look-alikes of one character;
    `substitute` (縮退) loses the variant and is reported as a warning.
    """

    external: dict[str, str]
    same: dict[str, str]
    substitute: dict[str, str]

    @property
    def outgoing(self) -> dict[str, str]:
        """Every replacement made on writing, longest sequence first."""
        merged = {**self.external, **self.same, **self.substitute}
        return dict(sorted(merged.items(), key=lambda pair: -len(pair[0])))

    @property
    def incoming(self) -> dict[str, str]:
        """Replacements made on reading: 外字 back to their code points."""
        return {encoded: sequence for sequence, encoded in self.external.items()}


def code_points(text: str) -> str:
    """`U+8FBB U+E0100` -> the characters themselves; ValueError when it is not of that form."""
    return "".join(chr(int(point.removeprefix("U+"), 16)) for point in text.split())


def spell(text: str) -> str:
    """The characters as `U+8FBB U+E0100`, for messages."""
    return " ".join(f"U+{ord(character):04X}" for character in text)


@lru_cache(maxsize=16)
def load_table(root: Path, name: str, encoding: str) -> CharacterTable:
    """The character table `characters/<name>.csv`; 外字 bytes are represented by what `encoding` decodes them to."""
    kinds: dict[str, dict[str, str]] = {"外字": {}, "同字": {}, "縮退": {}}
    if name:
        for row in read_rows(root / "characters" / f"{name}.csv"):
            kind = row.read("扱い", kinds.__getitem__, "扱い")
            kind[row.read("文字", code_points, "文字（U+8FBB の形）")] = _replacement(row, encoding)
    return CharacterTable(kinds["外字"], kinds["同字"], kinds["縮退"])


def _replacement(row: Row, encoding: str) -> str:
    if row["扱い"] == "外字":
        return row.read("値", lambda value: bytes.fromhex(value).decode(encoding), "16進の外字")
    return row.read("値", code_points, "文字（U+8FBB の形）")


def byte_length(column: pl.Expr, encoding: str) -> pl.Expr:
    """The bytes of a text in a file of that encoding; a base character and its variation selector are one 外字."""
    if encoding == "utf-8":
        return column.str.len_bytes()
    if encoding == "utf-16-le":
        return (column.str.len_chars() + column.str.count_matches(_BEYOND_BMP)) * 2
    one_byte = _ONE_BYTE[encoding]
    length = column.str.count_matches(f"[{one_byte}]") + 2 * column.str.count_matches(f"[^{one_byte}{_SELECTORS}]")
    return length - 2 * column.str.count_matches(_IN_PAIRS) if encoding == "shift_jis_2004" else length


def replace_lossy(column: pl.Expr, table: CharacterTable) -> pl.Expr:
    """The text as the receiver will read it: 同字 and 縮退 replaced, 外字 still as code points."""
    pairs = {**table.same, **table.substitute}
    if not pairs:
        return column
    longest_first = sorted(pairs, key=len, reverse=True)
    return column.str.replace_many(longest_first, [pairs[key] for key in longest_first], leftmost=True)


def replace_outgoing(column: pl.Expr, table: CharacterTable) -> pl.Expr:
    """The text as it can be encoded: each sequence of the table replaced, the rest untouched."""
    pairs = table.outgoing
    if not pairs:
        return column
    return column.str.replace_many(list(pairs), list(pairs.values()), leftmost=True)


def replace_incoming(column: pl.Expr, table: CharacterTable) -> pl.Expr:
    """The text in the program's own form: 外字 of the file back to their code points."""
    pairs = table.incoming
    if not pairs:
        return column
    return column.str.replace_many(list(pairs), list(pairs.values()), leftmost=True)


def is_encodable(text: str, encoding: str) -> bool:
    """Whether the text survives encoding and decoding. CP932 encodes ¢, £ and ¬, but decodes them to their wide forms."""
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeEncodeError:
        return False


def is_external(value: bytes, encoding: str) -> bool:
    """Whether the bytes are one 外字: two bytes of an encoding of one or two that decode to a private-use character."""
    try:
        text = value.decode(encoding)
    except UnicodeDecodeError:
        return False
    return encoding in _ONE_BYTE and len(value) == 2 and list(map(category, text)) == ["Co"]


def unencodable(text: str, encoding: str) -> str:
    """The characters of `text` that cannot be encoded; a variation selector together with its base character."""
    missing: list[str] = []
    for index, character in enumerate(text):
        marked = text[index - 1 : index + 1]  # Shift_JIS-2004 has some marks only together with their base.
        if not is_encodable(character, encoding) and not (index and is_encodable(marked, encoding)):
            selects = 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
            missing.append(marked if selects and index else character)
    return "".join(missing)
