"""What cannot be seen in a cell, in words: spaces at its ends, full-width letters, signs without width. Pure."""

from __future__ import annotations

import re
from unicodedata import category, normalize

_LOOK_ALIKE = re.compile("[！-～　]")  # the full-width forms of ASCII


def remark(text: str) -> str:
    """What a person who looks at the text cannot see, in brackets; empty when there is nothing of the kind."""
    found = []
    if text != text.strip():
        found.append("前か後ろに空白があります")
    if any(category(character) == "Cf" for character in text):
        found.append("見えない文字（BOM など）があります")
    if _LOOK_ALIKE.search(text) and (plain := normalize("NFKC", text).strip()).isascii():
        found.append(f"全角の文字です。半角では {plain}")
    return f"（{'。'.join(found)}）" if found else ""
