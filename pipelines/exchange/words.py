"""What people write into records that are kept for years: their names and their reasons. Keeps nothing itself."""

from __future__ import annotations

import re
from typing import Final

from interfaces.messages import RenkeiError

# Twelve digits, also wide ones and in groups: the shape of an individual number, which no ledger may hold.
_INDIVIDUAL_NUMBER: Final = re.compile(r"\d(?:[\s\-‐－ー]?\d){11}")


def seems_individual_number(text: str) -> bool:
    """Whether a text holds what looks like a 個人番号, whatever its check digit says."""
    return _INDIVIDUAL_NUMBER.search(text) is not None


def without_individual_numbers(text: str) -> str:
    """The text with what looks like a 個人番号 blotted out."""
    return _INDIVIDUAL_NUMBER.sub("●" * 12, text)


def required_reason(text: str) -> str:
    """The reason without the spaces around it. KR-6312 when it is empty, KR-6314 when it seems to hold a 個人番号."""
    if not text.strip():
        raise RenkeiError("KR-6312")
    if seems_individual_number(text):
        raise RenkeiError("KR-6314")
    return text.strip()
