"""Checks what people write into long-lived records: their reasons. Stores nothing itself."""

from __future__ import annotations

from typing import Final

from interfaces.messages import RenkeiError
from schemas.rules.identifiers import Numbers, my_numbers_in

# A person adds this to twelve digits that are no 個人番号. It answers KR-7121 and is stored with the text.
NO_INDIVIDUAL_NUMBER: Final = "個人番号ではない"


def seems_individual_number(text: str) -> bool:
    """Whether a text contains what looks like a 個人番号, whatever its check digit says."""
    return my_numbers_in(text) is not Numbers.NONE


def individual_number_in(text: str) -> Numbers:
    """What the digits of a text may be: CERTAIN is refused, PERHAPS is asked about unless the text already answers it."""
    found = my_numbers_in(text)
    return Numbers.NONE if found is Numbers.PERHAPS and NO_INDIVIDUAL_NUMBER in text else found


def required_reason(text: str) -> str:
    """The reason without surrounding spaces.

    KR-6312 when it is empty, KR-6314 when it contains a 個人番号, KR-7121 when it contains twelve digits that may be one.
    """
    if not text.strip():
        raise RenkeiError("KR-6312")
    found = individual_number_in(text)
    if found is not Numbers.NONE:
        raise RenkeiError("KR-6314" if found is Numbers.CERTAIN else "KR-7121")
    return text.strip()
