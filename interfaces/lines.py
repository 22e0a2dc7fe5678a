"""Finds where the lines of a file begin and how many fields they have, from its bytes. `codec` reads the fields.

No byte of a multi-byte Shift_JIS or UTF-8 character is a comma, a quote or a line end, so nothing is decoded here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from interfaces.spec import Format, Specification

# The arrays made of this many bytes fit into the processor's cache.
CHUNK = 1024 * 1024
LOOKED_AT = 4096  # bytes at the beginning that show what a file is
SHOWN_LINE_ENDS = {"CRLF": "CRLF", "LF": "LF", "CR": "CR", "none": "行末の記号なし"}
BYTES_OF_BOM = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe"}
# As many malformed lines as a municipality has households (100,000): then the file has another layout. A finding takes
# about 1 kB, so a file of nothing but line ends takes 100 MB and not all the memory there is.
MOST_MISFORMED = 100_000
# A value can double (every quote twice) and be quoted (2), and every item has a comma: a longer line is no record.
_LINE_SLACK = 3
_LF, _CR, _SPACE, _QUOTE = 0x0A, 0x0D, 0x20, 0x22

Positions = NDArray[np.int64]
Units = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Lines:
    """A file's bytes as lines. `starts`: the offset of each line, and the end of the last one.

    `faults`: why the bytes cannot be read as lines, worst first (KR-1001, KR-1008, KR-1009, KR-1013, KR-1014, KR-1019,
    KR-1025). If a line is too long for any record (KR-1013), nothing of the file is kept but its `beginning`.
    """

    content: bytes = field(repr=False)
    starts: Positions = field(repr=False)
    faults: tuple[dict[str, object], ...]
    spec: Specification = field(repr=False)
    beginning: bytes = field(repr=False, default=b"")

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def _unit(self) -> np.dtype[np.unsignedinteger[Any]]:
        return _unit(self.spec)

    def line_of(self, position: int) -> int:
        """The line (1-based) in which a byte (0-based) of the file lies."""
        return int(np.searchsorted(self.starts, position, side="right"))

    def line(self, number: int) -> bytes:
        """The bytes of a line (1-based), with its line end."""
        return self.content[self.starts[number - 1] : self.starts[number]]

    def bytes_of(self, start: int, stop: int, wanted: NDArray[np.bool_]) -> bytes:
        """The bytes of the wanted ones of the lines [start, stop) (0-based), with their line ends."""
        bounds = self.starts[start : stop + 1]
        values = np.frombuffer(self.content, "u1")[bounds[0] : bounds[-1]]
        return values[np.repeat(wanted, np.diff(bounds))].tobytes()

    def have(self, text: str, at: Positions) -> NDArray[np.bool_]:
        """For each line, whether a text (ASCII) is at the given byte (0-based) of the file; -1: no such byte."""
        values = np.frombuffer(self.content, self._unit, len(self.content) // self._unit.itemsize)
        firsts = at // self._unit.itemsize
        found = at >= 0
        for place, character in enumerate(text.encode("ascii")):
            found &= values[np.minimum(firsts + place, len(values) - 1)] == character
        return found

    def starts_of_field(self, number: int) -> Positions:
        """For each line, the byte (0-based) of the file at which its field `number` (0-based) begins; -1 without such."""
        if number == 0:
            return self.starts[:-1]
        found = np.full(len(self), -1, np.int64)
        for first, last in self._chunks():
            values, bounds = self._chunk(first, last)
            separators, _ = _separators(values, bounds, self.spec.format)
            before = np.searchsorted(separators, bounds) + number - 1
            there = np.flatnonzero(before[:-1] < np.searchsorted(separators, bounds[1:]))
            begins = (separators[before[:-1][there]] + 1) * self._unit.itemsize
            found[first + there] = begins + self.starts[first]
        return found

    @cached_property
    def _fields(self) -> tuple[NDArray[np.int32], Positions]:
        counts, torn = np.ones(len(self), np.int32), np.full(len(self), -1, np.int64)
        for first, last in self._chunks():
            values, bounds = self._chunk(first, last)
            separators, misplaced = _separators(values, bounds, self.spec.format)
            counts[first:last] += np.diff(np.searchsorted(separators, bounds)).astype(np.int32)
            if len(misplaced):
                lines, firsts = np.unique(np.searchsorted(bounds, misplaced, side="right") - 1, return_index=True)
                field_starts = np.concatenate([[-1], separators])[np.searchsorted(separators, misplaced[firsts])] + 1
                torn[first + lines] = np.maximum(field_starts - bounds[lines], 0) * self._unit.itemsize
        return counts, torn

    @cached_property
    def quotes(self) -> NDArray[np.int32] | None:
        """The number of quotes in each line; None when the quotes of some field do not enclose the whole field.

        Found without looking for the fields.
        """
        counts = np.zeros(len(self), np.int32)
        for first, last in self._chunks() if self.spec.format.quote != "none" else ():
            values, bounds = self._chunk(first, last)
            at = np.flatnonzero(values == _QUOTE)
            counts[first:last] = np.diff(np.searchsorted(at, bounds))
            delimiter = ord(self.spec.format.delimiter)
            fits = _may_open(values, at[0::2], delimiter).all() and _may_close(values, at[1::2], delimiter).all()
            if not fits or (counts[first:last] % 2).any():
                return None
        return counts

    @property
    def fields(self) -> NDArray[np.int32]:
        """The number of fields in each line."""
        return self._fields[0]

    @property
    def torn(self) -> Positions:
        """For each line, the byte (0-based) of the first field that its quotes do not enclose whole; -1 if there is none."""
        return self._fields[1]

    def first_bare_field(self, passed_over: int = 0) -> int | None:
        """The line (1-based) of the first field that is not in quotes, after so many lines; None if all are."""
        for first, last in self._chunks():
            values, bounds = self._chunk(first, last)
            separators, _ = _separators(values, bounds, self.spec.format)
            begins = np.concatenate([bounds[:-1], separators + 1])
            begins = begins[begins >= bounds[max(min(passed_over, last) - first, 0)]]
            bare = begins[values[np.minimum(begins, len(values) - 1)] != _QUOTE]
            if len(bare):
                return first + int(np.searchsorted(bounds, bare.min(), side="right"))
        return None

    def byte_after_fields(self, number: int, fields: int) -> int:
        """The byte (1-based) of a line (1-based) after so many fields; the end of the line, if it has fewer."""
        values, bounds = self._chunk(number - 1, number)
        separators, _ = _separators(values, bounds, self.spec.format)
        end = len(values) - len(self.spec.format.line_end_text)
        return int(separators[fields - 1] + 1 if len(separators) >= fields else end) * self._unit.itemsize + 1

    def _chunk(self, first: int, last: int) -> tuple[Units, Positions]:
        """The characters of the lines [first, last), and the offset of each line in them with the end of the last one."""
        begin = self.starts[first]
        bounds = (self.starts[first : last + 1] - begin) // self._unit.itemsize
        return np.frombuffer(self.content, self._unit, bounds[-1], begin), bounds

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Runs of lines [first, last) of about CHUNK bytes."""
        first = 0
        while first < len(self):
            last = int(np.searchsorted(self.starts, self.starts[first] + CHUNK))
            last = min(max(last, first + 1), len(self))
            yield first, last
            first = last


def field_starts(lines: dict[int, bytes], spec: Specification) -> pl.DataFrame:
    """Columns line, field (0-based), byte_position (1-based, in its line): where each field of some lines begins."""
    unit = _unit(spec)
    sizes = [0, *(len(content) // unit.itemsize for content in lines.values())]
    bounds = np.cumsum(sizes, dtype=np.int64)
    values = np.frombuffer(b"".join(lines.values()), unit)
    separators, _ = _separators(values, bounds, spec.format)
    begins = np.sort(np.concatenate([bounds[:-1], separators + 1]))
    which = np.searchsorted(bounds, begins, side="right") - 1
    ordinal = np.arange(len(begins)) - np.searchsorted(begins, bounds[:-1])[which]
    return pl.DataFrame(
        {
            "line": np.array(list(lines), np.uint32)[which],
            "field": ordinal.astype(np.uint32),
            "byte_position": ((begins - bounds[which]) * unit.itemsize + 1).astype(np.uint32),
        }
    )


def _separators(values: Units, bounds: Positions, form: Format) -> tuple[Positions, Positions]:
    """The delimiters that separate fields, and the misplaced quotes, of the lines between `bounds`.

    A quote opens a field at its beginning and closes it at its end; in between, a doubled quote stands for one.
    """
    delimiter = ord(form.delimiter)
    delimiters = values == delimiter
    marks = np.flatnonzero(delimiters if form.quote == "none" else delimiters | (values == _QUOTE))
    is_quote = values[marks] == _QUOTE
    at = marks[is_quote]
    if len(at) == 0:
        return marks, at
    earlier = np.cumsum(is_quote, dtype=np.int32) - is_quote
    firsts = np.searchsorted(marks, bounds)
    of_earlier_lines = np.append(earlier, len(at))[firsts]
    odd = np.diff(of_earlier_lines) % 2 == 1
    if odd.any():
        earlier -= np.repeat(of_earlier_lines[:-1], np.diff(firsts))
    outside = earlier % 2 == 0
    fits = np.where(outside[is_quote], _may_open(values, at, delimiter), _may_close(values, at, delimiter))
    fits[of_earlier_lines[1:][odd] - 1] = False
    return marks[outside & ~is_quote], at[~fits]


def _may_open(values: Units, at: Positions, delimiter: int) -> NDArray[np.bool_]:
    """Whether a quote there can open a field, or is the second of a doubled quote."""
    before = values[at - 1]
    return np.asarray((before == delimiter) | (before == _QUOTE) | (before == _LF) | (before == _CR) | (at == 0))


def _may_close(values: Units, at: Positions, delimiter: int) -> NDArray[np.bool_]:
    """Whether a quote there can close a field, or is the first of a doubled quote."""
    after = values[np.minimum(at + 1, len(values) - 1)]
    ends = (after == delimiter) | (after == _QUOTE) | (after == _CR) | (after == _LF)
    return np.asarray(ends | (at + 1 == len(values)))


class _LineEnds:
    """Finds where the lines of a file end, block by block."""

    def __init__(self, spec: Specification) -> None:
        self._spec, self._unit, self._limit = spec, _unit(spec), longest_line(spec)
        self._ends: list[Positions] = [np.zeros(1, np.int64)]
        self._size = self._count = self._controls = self._quotes = 0

    def add(self, block: bytes | memoryview) -> Lines | None:
        """Look at the next CHUNK bytes. Returns the rejected file if a line is too long for any record (KR-1013)."""
        begun, self._size = self._size, self._size + len(block)
        values = np.frombuffer(block, self._unit, len(block) // self._unit.itemsize)
        control = np.flatnonzero(values < _SPACE)
        found = (self._ends_of_lines(values, control) + 1) * self._unit.itemsize + begun
        lengths = np.diff(np.concatenate([self._ends[-1][-1:], found, [self._size]]))
        if self._spec.format.line_end != "none" and lengths.max() > self._limit:
            line = self._count + int(lengths.argmax()) + 1
            fault = {"code": "KR-1013", "line": line, "value": str(lengths.max()), "expected": str(self._limit)}
            return refused(fault, self._spec, bytes(block[:LOOKED_AT]) if begun == 0 else b"")
        self._ends += [found] if len(found) else []
        self._count += len(found)
        self._controls += len(control)
        return None

    def _ends_of_lines(self, values: Units, control: Positions) -> Positions:
        """Where the lines of a block end, of its control characters."""
        form = self._spec.format
        if form.line_end == "none":
            return control[:0]
        ends = control[values[control] == (_CR if form.line_end == "CR" else _LF)]
        if not form.line_ends_in_values:
            return np.asarray(ends)
        quotes = np.flatnonzero(values == _QUOTE)
        outside = (np.searchsorted(quotes, ends) + self._quotes) % 2 == 0
        self._quotes += len(quotes)
        return np.asarray(ends[outside])

    def lines(self, content: bytes) -> Lines:
        """The file, of which every byte was added."""
        spec = self._spec
        content, has_end_of_file = _without_end_of_file(content, spec)
        starts = np.concatenate(self._ends) if spec.format.line_end != "none" else _equal_lengths(content, spec)
        controls = self._controls - (1 if has_end_of_file else 0)
        is_terminated = bool(starts[-1] == len(content))
        if not is_terminated:
            starts = np.append(starts, len(content))
        faults = _bom_faults(content, spec) + _line_faults(content, starts, is_terminated, controls, spec)
        if not content:
            faults = [{"code": "KR-1001"}]
        elif not is_terminated:
            after_last_byte = len(content) - int(starts[-2]) + 1
            faults.append({"code": "KR-1019", "line": len(starts) - 1, "byte_position": after_last_byte})
        if spec.format.end_of_file and not has_end_of_file:
            faults.append({"code": "KR-1028", "expected": f"0x{spec.format.end_of_file}"})
        if spec.format.bom and not faults:
            starts[0] = len(BYTES_OF_BOM[spec.format.encoding])
        return Lines(content, starts, tuple(faults), spec)


def _without_end_of_file(content: bytes, spec: Specification) -> tuple[bytes, bool]:
    """The content without the byte that ends the file, if the layout has one and it is there."""
    end = bytes.fromhex(spec.format.end_of_file)
    there = bool(end) and content.endswith(end)
    return (content[: -len(end)] if there else content), there


def _equal_lengths(content: bytes, spec: Specification) -> Positions:
    """Where records without line ends start: all are of one length. The last one may be cut (KR-1020, by `codec`)."""
    return np.append(np.arange(0, len(content), spec.records[0].record_length, dtype=np.int64), len(content))


def refused(fault: dict[str, object], spec: Specification, beginning: bytes = b"") -> Lines:
    """A file rejected for one reason, of which nothing is kept but, at most, its beginning."""
    return Lines(b"", np.zeros(1, np.int64), (fault,), spec, beginning)


def lines_of(content: bytes, spec: Specification) -> Lines:
    """The lines of a file's bytes. Anything in them is a fault, never an exception."""
    ends, view = _LineEnds(spec), memoryview(content)
    for begin in range(0, len(content), CHUNK):
        too_long = ends.add(view[begin : begin + CHUNK])
        if too_long is not None:
            return too_long
    return ends.lines(content)


def lines_of_file(path: Path, spec: Specification) -> Lines:
    """Like `lines_of`, for a file on disk; nothing is read after a line that is too long. OSError when it cannot be read."""
    ends, content = _LineEnds(spec), BytesIO()
    with path.open("rb") as handle:
        while block := handle.read(CHUNK):
            too_long = ends.add(block)
            if too_long is not None:
                return too_long
            content.write(block)
    return ends.lines(content.getvalue())


def _unit(spec: Specification) -> np.dtype[np.unsignedinteger[Any]]:
    return np.dtype(f"<u{spec.format.unit}")


def longest_line(spec: Specification) -> int:
    """The bytes, with the line end, above which a line is no record of the specification (KR-1013)."""
    if spec.format.kind == "fixed":
        return max(record.record_length for record in spec.records) * 2
    of_records = (
        max(sum(_LINE_SLACK * item.length + _LINE_SLACK for item in record.items) for record in spec.records) * 2
    )
    return max(of_records, CHUNK) if spec.format.other_columns == "ignore" else of_records


def _bom_faults(content: bytes, spec: Specification) -> list[dict[str, object]]:
    own = BYTES_OF_BOM.get(spec.format.encoding)
    if spec.format.bom and not (own is not None and content.startswith(own)):
        return [{"code": "KR-1009", "line": 1, "byte_position": 1, "expected": "あり"}]
    if not spec.format.bom and content.startswith((*BYTES_OF_BOM.values(), b"\xfe\xff")):
        return [{"code": "KR-1009", "line": 1, "byte_position": 1, "expected": "なし"}]
    return []


def _line_faults(
    content: bytes, starts: Positions, is_terminated: bool, controls: int, spec: Specification
) -> list[dict[str, object]]:
    """Too many empty lines (KR-1025), or the first wrong line end (KR-1008), or the first control character (KR-1014).

    `controls`: how many control characters there are.
    """
    unit, form = _unit(spec), spec.format
    blank = np.flatnonzero(np.diff(starts) <= len(form.line_end_text) * unit.itemsize)
    if len(blank) > MOST_MISFORMED:
        return [misformed(int(blank[0]) + 1, len(blank))]
    values = np.frombuffer(content, unit, len(content) // unit.itemsize)
    newlines = starts[1 : None if is_terminated else -1] // unit.itemsize - 1
    wrong, other = _other_line_ends(values, newlines, form)
    if len(wrong):
        line = int(np.searchsorted(starts, wrong[0] * unit.itemsize, side="right"))
        return [{"code": "KR-1008", "line": line, "expected": SHOWN_LINE_ENDS[form.line_end], "value": other}]
    if controls == len(newlines) * len(form.line_end_text):
        return []
    stray = _stray_controls(values, newlines, form)
    if len(stray) == 0 or (len(stray) == 1 and values[-1] == _CR):
        return []  # A file that is cut in its last line end: KR-1019 says it.
    line = int(np.searchsorted(starts, stray[0] * unit.itemsize, side="right"))
    column = int(stray[0]) * unit.itemsize - int(starts[line - 1]) + 1
    return [{"code": "KR-1014", "line": line, "byte_position": column, "value": f"0x{int(values[stray[0]]):02X}"}]


def _other_line_ends(values: Units, newlines: Positions, form: Format) -> tuple[Positions, str]:
    """The line ends that are not those of the form, and what they are."""
    if form.line_end == "none":
        ends = np.flatnonzero((values == _LF) | (values == _CR))
        return ends, "行末の記号あり"
    if form.line_end == "CR":
        after = np.minimum(newlines + 1, len(values) - 1)
        return newlines[values[after] == _LF], "CRLF"
    after_return = (values[newlines - 1] == _CR) & (newlines > 0)
    return newlines[after_return != (form.line_end == "CRLF")], "LF" if form.line_end == "CRLF" else "CRLF"


def _stray_controls(values: Units, newlines: Positions, form: Format) -> Positions:
    """The control characters that are neither line ends nor delimiters nor, where that is allowed, within quotes."""
    everywhere = np.flatnonzero(values < _SPACE)
    line_ends = np.concatenate([newlines, newlines - 1]) if form.line_end == "CRLF" else newlines
    stray = everywhere[~np.isin(everywhere, line_ends) & (values[everywhere] != ord(form.delimiter))]
    if not form.line_ends_in_values:
        return np.asarray(stray)
    quotes = np.flatnonzero(values == _QUOTE)
    within = np.searchsorted(quotes, stray) % 2 == 1
    return np.asarray(stray[~(within & np.isin(values[stray], (_LF, _CR)))])


def misformed(line: int, count: int) -> dict[str, object]:
    """The file is rejected because of `count` malformed lines, the first of them `line`, instead of a finding for each (KR-1025)."""
    return {"code": "KR-1025", "line": line, "value": str(count), "expected": str(MOST_MISFORMED)}
