"""What a file that could not be read looks like: the cause in place of its first effect. Looks only at faulty files."""

from __future__ import annotations

from interfaces.headings import split
from interfaces.lines import LOOKED_AT, Lines
from interfaces.spec import Specification

Problem = dict[str, object]
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip"}
DELIMITERS = {",": "コンマ", ";": "セミコロン", "|": "縦線", "\t": "タブ"}
# Where headings, or the fields of a line, are not as they should be.
_OF_FIELDS = frozenset({"KR-1012", "KR-1014", "KR-1016", "KR-1030"})
_AT_THE_END = frozenset({"KR-1014", "KR-1019", "KR-1020"})
_OF_HEADINGS = frozenset({"KR-1016", "KR-1030"})
_LINES = 100
_SHARE = 0.8
# Space, digits and capital letters of EBCDIC; none of it is text in Shift_JIS or UTF-8 in such numbers.
_EBCDIC = frozenset({0x40, *range(0xF0, 0xFA), *range(0xC1, 0xCA), *range(0xD1, 0xDA), *range(0xE2, 0xEA)})


def cause(lines: Lines, first: Problem) -> Problem:
    """The problem to show for a file whose first problem is `first`: what it really looks like (KR-1033 to KR-1036, KR-1039)."""
    content = lines.content or lines.beginning
    packed = next((name for start, name in PACKED.items() if content.startswith(start)), None)
    if packed is not None:
        return {"code": "KR-1033", "value": packed}
    if _is_ebcdic(content):
        return {"code": "KR-1039"}
    code = first["code"]
    if code in _AT_THE_END and not lines.spec.format.end_of_file and content.find(b"\x1a") == len(content) - 1:
        return {"code": "KR-1036"}
    later = _later_headings(content, lines.spec) if code in _OF_HEADINGS else None
    if later is not None:
        return {"code": "KR-1035", "line": later, "expected": str(lines.spec.format.heading_lines)}
    other = _other_delimiter(content, lines.spec) if code in _OF_FIELDS else None
    if other is not None:
        own = DELIMITERS[lines.spec.format.delimiter]
        line = max(lines.spec.format.heading_lines, 1)
        return {"code": "KR-1034", "line": line, "expected": own, "value": DELIMITERS[other]}
    return first


def _is_ebcdic(content: bytes) -> bool:
    beginning = content[:LOOKED_AT]
    return sum(byte in _EBCDIC for byte in beginning) >= _SHARE * len(beginning) > 0


def _first_lines(content: bytes, spec: Specification) -> list[str]:
    text = content[: LOOKED_AT * 16].decode(spec.format.encoding, "replace").removeprefix("\ufeff")
    return text.split(spec.format.line_end_text)[:_LINES] if spec.format.line_end_text else []


def _later_headings(content: bytes, spec: Specification) -> int | None:
    """The line (1-based), below the one where headings belong, that has them all."""
    wanted = {item.heading for item in spec.data.items}
    for number, line in enumerate(_first_lines(content, spec), 1):
        if number != spec.format.heading_lines and wanted <= set(split(line, spec)):
            return number
    return None


def _other_delimiter(content: bytes, spec: Specification) -> str | None:
    """The delimiter, another than the layout's, that the first line of fields has as often as it should."""
    lines, place = _first_lines(content, spec), max(spec.format.heading_lines, 1) - 1
    wanted = len(spec.data.items if spec.format.header else spec.records[0].items) - 1
    if spec.format.kind == "fixed" or not wanted or place >= len(lines) or spec.format.delimiter in lines[place]:
        return None
    return next((other for other in DELIMITERS if lines[place].count(other) == wanted), None)
