"""Bytes <-> tables, per specification. Reports where the bytes break the form; values are validated in `schemas`.

A line is a record: no value holds a line end. Fixed-length records are cut in bytes before decoding.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from interfaces.blanks import with_blanks, without_blanks
from interfaces.catalogue import DEFAULT_ROOT
from interfaces.characters import (
    CharacterTable,
    byte_length,
    is_encodable,
    load_table,
    replace_incoming,
    replace_lossy,
    replace_outgoing,
    spell,
    unencodable,
)
from interfaces.grammar import Grammar, Kinds
from interfaces.headings import Columns, columns_of
from interfaces.likeness import cause
from interfaces.lines import (
    BYTES_OF_BOM,
    MOST_MISFORMED,
    Lines,
    Positions,
    field_starts,
    lines_of,
    lines_of_file,
    misformed,
    refused,
)
from interfaces.messages import RenkeiError, reason_of
from interfaces.spec import Record, Specification
from interfaces.values import from_canonical
from interfaces.wrapping import NotUnpacked, unpacked

PROBLEM_SCHEMA: dict[str, type[pl.DataType]] = {
    "line": pl.UInt32,
    "record_number": pl.UInt32,
    "record_kind": pl.String,
    "item": pl.String,
    "code": pl.String,
    "expected": pl.String,
    "value": pl.String,
    "byte_position": pl.UInt32,
}

# What fills a fixed-length text: it is no part of the value.
BLANKS = " 　"
# Problems of a value that keep its file from being written at all.
UNWRITABLE = ("KR-1021", "KR-2002")
# CP932 encodes any of these as 外字 bytes: one that the table does not name would be read as another character.
_PRIVATE_USE = r"[\x{E000}-\x{F8FF}\x{F0000}-\x{10FFFF}]"
_BOM = BYTES_OF_BOM["utf-8"]
_TEXTS = pl.col(pl.String)
_WIDE = _TEXTS.str.len_bytes() != _TEXTS.str.len_chars()
_NEEDS_QUOTES = r"[^!#-+\-./0-~]"


def _problems(rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PROBLEM_SCHEMA)


@dataclass
class Decoded:
    """A file as raw text tables, one per record kind (String columns by item id, plus `line`), and its problems."""

    name: str
    spec: Specification
    on: dt.date
    tables: dict[str, pl.DataFrame]
    problems: pl.DataFrame
    _content: bytes = field(repr=False)
    _starts: Positions = field(repr=False)
    _columns: tuple[str, ...] = field(repr=False, default=())

    @property
    def data(self) -> pl.DataFrame:
        """The raw table of the record kind that repeats."""
        return self.tables[self.spec.data.kind]

    @cached_property
    def sha256(self) -> str:
        """The hash of the file's bytes."""
        return hashlib.sha256(self._content).hexdigest()

    @property
    def unread(self) -> int:
        """How many lines are no record, in a file whose structure is valid."""
        return self.problems.filter(pl.col("item").is_null() & pl.col("line").is_not_null())["line"].n_unique()

    def lines(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """The bytes of some lines (1-based) with their line end."""
        return {
            number: self._content[self._starts[number - 1] : self._starts[number]]
            for number in sorted(set(numbers))
            if 1 <= number < len(self._starts)
        }

    def positions(self, numbers: Iterable[int]) -> pl.DataFrame:
        """Columns line, item, byte_position: where each item starts (1-based byte) in the given lines."""
        found = [pl.DataFrame(schema={"line": pl.UInt32, "item": pl.String, "byte_position": pl.UInt32})]
        wanted = pl.DataFrame({"line": pl.Series(list(numbers), dtype=pl.UInt32)})
        for record in self.spec.records:
            lines = wanted.join(self.tables[record.kind], on="line", how="semi")
            columns = self._columns or record.item_ids
            items = pl.DataFrame({"field": np.arange(len(columns), dtype=np.uint32), "item": columns})
            items = items.filter(pl.col("item").is_in(record.item_ids))
            if self.spec.format.kind == "fixed":
                starts = pl.Series("byte_position", [item.start or 1 for item in record.items], pl.UInt32)
                placed = lines.join(items.with_columns(starts), how="cross")
            elif lines.height:
                placed = field_starts(self.lines(lines["line"]), self.spec).join(items, on="field")
            else:
                continue
            found.append(placed.select("line", "item", "byte_position"))
        return pl.concat(found)

    @property
    def line_count(self) -> int:
        """How many lines the file has, headings included; 0 for one of which nothing was kept."""
        return len(self._starts) - 1


def joined(parts: Sequence[Decoded], spec: Specification) -> Decoded:
    """Files of one specification as one: the lines of each count on from those of the file before. `spec`: of the whole."""
    before = np.cumsum([0, *(part.line_count for part in parts)])
    begins = np.cumsum([0, *(len(part._content) for part in parts)])
    on = [pl.col("line") + pl.lit(int(lines), pl.UInt32) for lines in before]
    tables = {
        record.kind: pl.concat([part.tables[record.kind].with_columns(on[n]) for n, part in enumerate(parts)])
        for record in spec.records
    }
    numbered = pl.col("record_number")
    problems = [
        part.problems.with_columns(on[n], numbered + pl.lit(int(before[n]), pl.UInt32)) for n, part in enumerate(parts)
    ]
    starts = [part._starts[:-1] + begins[n] for n, part in enumerate(parts)]
    content = b"".join(part._content for part in parts)
    name = "・".join(part.name for part in parts)
    ends = np.concatenate([*starts, begins[-1:]])
    return Decoded(name, spec, parts[0].on, tables, pl.concat(problems), content, ends)


def _empty_tables(spec: Specification) -> dict[str, pl.DataFrame]:
    return {
        record.kind: pl.DataFrame(schema={"line": pl.UInt32, **dict.fromkeys(record.item_ids, pl.String)})
        for record in spec.records
    }


def read(content: bytes, name: str, spec: Specification, on: dt.date) -> Decoded:
    """Read a file's bytes by its specification: raw tables and structural problems (KR-1xxx).

    Never raises because of the file's content. `name`: of the file, for people.
    """
    if spec.format.wrapped_in:
        return _unwrapped(content, name, spec, on)
    return _decoded(lines_of(content, spec), name, on)


def _unwrapped(content: bytes, name: str, spec: Specification, on: dt.date) -> Decoded:
    """The one file that is packed in another; its hash is that of what was received. KR-1037 when it cannot be unpacked."""
    try:
        inner = unpacked(content, name, spec.format.wrapped_in)
    except NotUnpacked as error:
        fault: dict[str, object] = {"code": "KR-1037", "expected": spec.format.wrapped_in, "value": str(error)}
        decoded = _rejected(refused(fault, spec), name, on)
    else:
        decoded = _decoded(lines_of(inner, spec), name, on)
    decoded.sha256 = hashlib.sha256(content).hexdigest()
    return decoded


def read_file(path: Path, spec: Specification, on: dt.date) -> Decoded:
    """As `read`, of a file on disk. RenkeiError KR-7104 when it cannot be read at all.

    Only a regular file is opened (KR-1018), and a line too long for any record is never loaded (KR-1013).
    """
    try:
        if not path.is_file() or path.is_symlink():
            if not path.exists():
                raise RenkeiError("KR-7104", path=path.name, reason="ありません")
            return _rejected(refused({"code": "KR-1018", "value": path.name}, spec), path.name, on)
        if spec.format.wrapped_in:
            return _unwrapped(path.read_bytes(), path.name, spec, on)
        lines = lines_of_file(path, spec)
    except OSError as error:
        raise RenkeiError("KR-7104", path=path.name, reason=reason_of(error)) from error
    return _decoded(lines, path.name, on)


def _decoded(lines: Lines, name: str, on: dt.date) -> Decoded:
    spec = lines.spec
    if lines.faults:
        return _rejected(lines, name, on)
    columns = columns_of(lines) if spec.format.header else Columns(())
    tables, problems = _read_fixed(lines) if spec.format.kind == "fixed" else _read_csv(lines, columns)
    if not problems and not spec.layout.zero_records_allowed and tables[spec.data.kind].height == 0:
        problems = [{"code": "KR-1017"}]
    first = cause(lines, problems[0]) if problems else None
    if first is not None and first is not problems[0]:
        problems, tables = [first], _empty_tables(spec)
    tables = {record.kind: without_blanks(tables[record.kind], record, spec) for record in spec.records}
    return Decoded(name, spec, on, tables, _problems(problems), lines.content, lines.starts, columns.names)


def _rejected(lines: Lines, name: str, on: dt.date) -> Decoded:
    # A file truncated in its last line lacks its end record too: one cause, one finding.
    first = _problems([cause(lines, fault) for fault in lines.faults[:1]])
    return Decoded(name, lines.spec, on, _empty_tables(lines.spec), first, lines.content, lines.starts)


@dataclass(frozen=True)
class _Block:
    """The lines (0-based, ascending) of a record kind. first, stop: the whole run [first, stop) if nothing is in between.

    columns: the names of the columns of these lines, which are the items' ids unless columns are found by heading.
    """

    record: Record
    at: Positions
    columns: Sequence[str]

    @property
    def first(self) -> int:
        return int(self.at[0])

    @property
    def stop(self) -> int:
        return int(self.at[-1]) + 1

    @property
    def is_run(self) -> bool:
        return self.stop - self.first == len(self.at)


def _read_csv(lines: Lines, columns: Columns) -> tuple[dict[str, pl.DataFrame], list[dict[str, object]]]:
    spec = lines.spec
    headings = spec.format.heading_lines
    blocks, problems = _record_kinds(lines, headings, columns.names)
    problems = [*columns.problems, *problems]
    if spec.format.quote == "all" and (bare := lines.first_bare_field(spec.format.lines_before_heading)) is not None:
        problems = [*problems, {"code": "KR-1029", "line": bare}]
    try:
        if problems:
            _text(lines, 0, len(lines))
            blocks = []
        # The heading goes with the first block. A line that is no record does not affect the reading of another block.
        begins = [0 if block.first == headings else block.first for block in blocks]
        texts = [_block_text(lines, begin, block) for begin, block in zip(begins, blocks, strict=True)]
    except UnicodeDecodeError as error:
        return _empty_tables(spec), [_undecodable(lines, error.start)]
    tables = _empty_tables(spec)
    for block, begin, text in zip(blocks, begins, texts, strict=True):
        tables[block.record.kind], faults = _csv_block(text, block.first - begin if block.is_run else 0, lines, block)
        problems += faults
    return tables, problems


def _block_text(lines: Lines, begin: int, block: _Block) -> bytes:
    """The lines of a block, from line `begin` on if they are a run, in UTF-8; UnicodeDecodeError as `_text`."""
    if block.is_run:
        return _text(lines, begin, block.stop)
    try:
        return _as_utf8(lines.bytes_of(0, len(lines), _mask(lines, block.at)), lines.spec.format.encoding)
    except UnicodeDecodeError:
        _text(lines, 0, len(lines))  # says where in the file
        raise


def _mask(lines: Lines, at: Positions) -> NDArray[np.bool_]:
    mask = np.zeros(len(lines), np.bool_)
    mask[at] = True
    return mask


def _text(lines: Lines, start: int, stop: int) -> bytes:
    """The lines [start, stop) (0-based) in UTF-8; UnicodeDecodeError with the byte's place in the file."""
    begin = int(lines.starts[start])
    try:
        return _as_utf8(lines.content[begin : lines.starts[stop]], lines.spec.format.encoding)
    except UnicodeDecodeError as error:
        place = (error.start + begin, error.end + begin)
        raise UnicodeDecodeError(error.encoding, lines.content, *place, error.reason) from None


def _undecodable(lines: Lines, position: int) -> dict[str, object]:
    line = lines.line_of(position)
    return {
        "code": "KR-1010",
        "line": line,
        "expected": lines.spec.format.encoding,
        "byte_position": position - int(lines.starts[line - 1]) + 1,
    }


def _as_utf8(content: bytes, encoding: str) -> bytes:
    """The same text in UTF-8; UnicodeDecodeError where a byte cannot be read."""
    if encoding == "utf-8":
        whole = np.array([0, len(content)], np.int64)
        buffers = [None, pa.py_buffer(whole), pa.py_buffer(content)]
        try:
            pa.Array.from_buffers(pa.large_string(), 1, buffers).validate(full=True)
            return content
        except pa.ArrowInvalid:
            pass  # Python's codec says where.
    return content.decode(encoding).encode()


def _record_kinds(
    lines: Lines, headings: int = 0, columns: Sequence[str] = ()
) -> tuple[list[_Block], list[dict[str, object]]]:
    """The lines of each record kind that occurs, or what is wrong with their order. columns: of a file with headings."""
    spec = lines.spec
    if len(spec.records) == 1:
        at = np.arange(headings, len(lines), dtype=np.int64)
        return [_Block(spec.data, at, columns or spec.data.item_ids)] if len(at) else [], []
    kinds = np.full(len(lines), -1, np.int16)
    for number, record in enumerate(spec.records):
        kinds[_marked(lines, record)] = number
    problems = _order_problems(lines, kinds)
    if problems:
        return [], problems
    found = [(record, np.flatnonzero(kinds == number)) for number, record in enumerate(spec.records)]
    return [_Block(record, at, record.item_ids) for record, at in found if len(at)], []


def _order_problems(lines: Lines, kinds: Kinds) -> list[dict[str, object]]:
    spec = lines.spec
    unknown = np.flatnonzero(kinds < 0)
    if len(unknown):
        line = int(unknown[0]) + 1
        expected = "・".join(record.mark for record in spec.records)
        where = {"line": line, "record_number": line, "value": _shown_mark(lines, line)}
        return [{"code": "KR-1015", "expected": expected} | where]
    problems = _once_problems(lines, kinds)
    misplaced = None if problems else Grammar(spec.records).misplaced(kinds)
    if misplaced is None:
        return problems
    expected = f"レコード種別 {'・'.join(spec.by_kind[kind].mark for kind in misplaced.expected)}"
    line = misplaced.line + 1
    if misplaced.line == len(lines):
        return [{"code": "KR-1027", "line": len(lines), "record_number": len(lines), "expected": expected}]
    return [{"code": "KR-1006", "line": line, "record_number": line, "expected": expected}]


def _once_problems(lines: Lines, kinds: Kinds) -> list[dict[str, object]]:
    """A first or last record (制御レコード, エンドレコード) that is missing, or there twice."""
    records, problems = lines.spec.records, list[dict[str, object]]()
    for number, missing, twice in ((0, "KR-1002", "KR-1003"), (len(records) - 1, "KR-1004", "KR-1005")):
        record = records[number]
        if record.occurrence != "one" or record.parent is not None:
            continue
        at = np.flatnonzero(kinds == number)
        if len(at) == 0:
            shown = _shown_mark(lines, 1) if number == 0 else None
            problems.append({"code": missing, "value": shown, "record_kind": record.kind})
        elif len(at) > 1:
            problems.append({"code": twice, "line": int(at[1]) + 1, "record_kind": record.kind})
    return problems


def _marked(lines: Lines, record: Record) -> NDArray[np.bool_]:
    """Of each line, whether it has the marks of a record kind, quoted or not."""
    found = np.ones(len(lines), np.bool_)
    for item in record.marked_items:
        mark = str(item.constant)
        if lines.spec.format.kind == "fixed":
            found &= lines.have(mark, lines.starts[:-1] + (item.start or 1) - 1)
            continue
        at = lines.starts_of_field(record.items.index(item))
        ways = [
            lines.have(value + end, at) for value in (mark, f'"{mark}"') for end in f"{lines.spec.format.delimiter}\r\n"
        ]
        found &= np.logical_or.reduce(ways)
    return found


def _shown_mark(lines: Lines, number: int) -> str:
    """What a line has in place of its record mark; not shown when it is too long to be a mark, or not ASCII."""
    spec = lines.spec
    width = spec.characters(spec.records[0].marked_items[0])
    line = lines.line(number).decode(spec.format.encoding, "replace").rstrip("\r\n")
    shown = line[:width] if spec.format.kind == "fixed" else line.partition(spec.format.delimiter)[0].strip('"')
    if not shown:
        return "（空）"
    return shown if len(shown) <= width and shown.isascii() else "（種別でない値）"


def _csv_block(text: bytes, skipped: int, lines: Lines, block: _Block) -> tuple[pl.DataFrame, list[dict[str, object]]]:
    """The records of a block as a raw table; lines that are no record of the kind are problems.

    `text`: these lines in UTF-8, after `skipped` others.
    """
    spec, record, at = lines.spec, block.record, block.at
    numbers = pl.Series("line", (at + 1).astype(np.uint32))
    problems: list[dict[str, object]] = []
    frame = _parsed(text, skipped, lines, block)
    if frame is None:
        sound = (lines.fields[at] == len(block.columns)) & (lines.torn[at] < 0)
        malformed = at[~sound]
        if len(malformed) > MOST_MISFORMED:
            return _empty_tables(spec)[record.kind], [misformed(int(malformed[0]) + 1, len(malformed))]
        problems = [_line_problem(int(line), lines, block) for line in malformed]
        numbers = numbers.filter(pl.Series(sound))
        if len(numbers) == 0:
            return _empty_tables(spec)[record.kind], problems
        whole = lines.bytes_of(0, len(lines), _mask(lines, at[sound]))
        frame = _parse(_as_utf8(whole, spec.format.encoding), 0, block.columns, spec)
    frame, strays = _incoming(frame.select(record.item_ids), numbers, record, spec)
    return frame.select(numbers, *record.item_ids), problems + strays


def _parse(text: bytes, skipped: int, columns: Sequence[str], spec: Specification) -> pl.DataFrame:
    begin = _offset_after_lines(text, skipped)
    if text.startswith(_BOM, begin):  # polars takes one away where it begins to read; none belongs here
        text, skipped = _BOM + text[begin:], 0
    return pl.read_csv(
        text,
        has_header=False,
        separator=spec.format.delimiter,
        eol_char="\r" if spec.format.line_end == "CR" else "\n",
        infer_schema=False,
        empty_string_is_null=False,
        quote_char=None if spec.format.quote == "none" else '"',
        skip_lines=skipped,
        schema=dict.fromkeys(columns, pl.String),
    )


def _offset_after_lines(text: bytes, count: int) -> int:
    """The offset after the first `count` lines of a text."""
    offset = 0
    for _ in range(count):
        offset = text.index(b"\n", offset) + 1
    return offset


def _parsed(text: bytes, skipped: int, lines: Lines, block: _Block) -> pl.DataFrame | None:
    """The lines of a block if each of them is a record of the kind; None if some line is not, or cannot be proved to be.

    Each byte of a valid text belongs to a value, a comma, a quote or a line end: a line with too few fields lacks commas,
    and polars rejects one with too many. A doubled quote within a value is the case that cannot be proved.
    """
    spec, quotes = lines.spec, lines.quotes
    begin = _offset_after_lines(text, skipped)
    of_a_line = len(block.columns) - 1 + len(spec.format.line_end_text)
    of_values = len(text) - begin - len(block.at) * of_a_line
    if quotes is None or of_values < 0:
        return None
    try:
        frame = _parse(text, skipped, block.columns, spec)
    except pl.exceptions.PolarsError:
        return None
    found = sum(frame.select(_TEXTS.str.len_bytes().sum()).row(0)) + int(quotes[block.at].sum())
    return frame if found == of_values else None


def _line_problem(index: int, lines: Lines, block: _Block) -> dict[str, object]:
    number = index + 1 - lines.spec.format.heading_lines
    base: dict[str, object] = {"line": index + 1, "record_number": number, "record_kind": block.record.kind}
    if lines.torn[index] >= 0:
        return base | {"code": "KR-1011", "byte_position": int(lines.torn[index]) + 1}
    wanted = len(block.columns)
    return base | {
        "code": "KR-1012",
        "expected": str(wanted),
        "value": str(lines.fields[index]),
        "byte_position": lines.byte_after_fields(index + 1, wanted),
    }


def _incoming(
    frame: pl.DataFrame, numbers: pl.Series, record: Record, spec: Specification
) -> tuple[pl.DataFrame, list[dict[str, object]]]:
    """外字 of the file back to their code points; one that the table does not name is a problem (KR-1024)."""
    table, problems = _table(spec), []
    if spec.format.encoding.startswith("utf"):
        return frame, []
    columns = []
    for name in _columns_where(frame.select(_columns_where(frame, _WIDE)), _TEXTS.str.contains(_PRIVATE_USE)):
        column = frame[name]
        wide = column.str.len_bytes() != column.str.len_chars()
        columns.append(replace_incoming(pl.col(name), table))
        strays = _strays(column.filter(wide), list(table.incoming))
        for line, stray in zip(numbers.filter(wide).filter(strays != ""), strays.filter(strays != ""), strict=True):
            problems.append(
                {
                    "line": line,
                    "record_number": line,
                    "record_kind": record.kind,
                    "item": name,
                    "code": "KR-1024",
                    "value": stray.encode(spec.format.encoding).hex().upper(),
                    "expected": "外字表にある外字",
                }
            )
    return frame.with_columns(columns), problems


def _read_fixed(lines: Lines) -> tuple[dict[str, pl.DataFrame], list[dict[str, object]]]:
    spec = lines.spec
    blocks, problems = _record_kinds(lines)
    if problems:
        return _empty_tables(spec), problems
    end = len(spec.format.line_end_text) * spec.format.unit
    bounds = pairwise(lines.starts.tolist())
    one_character_per_byte = pl.Series([lines.content[start : stop - end].decode("latin-1") for start, stop in bounds])
    tables = _empty_tables(spec)
    for block in blocks:
        record, texts = block.record, one_character_per_byte.gather(block.at)
        numbers = pl.Series("line", (block.at + 1).astype(np.uint32))
        right = texts.str.len_chars() == record.record_length
        if (~right).sum() > MOST_MISFORMED:
            return _empty_tables(spec), [misformed(int(numbers.filter(~right)[0]), int((~right).sum()))]
        for line, length in zip(numbers.filter(~right), texts.filter(~right).str.len_chars(), strict=True):
            problems.append(
                {
                    "code": "KR-1020",
                    "line": line,
                    "record_number": line,
                    "value": str(length),
                    "expected": str(record.record_length),
                }
            )
        tables[record.kind], faults = _cut(texts.filter(right), numbers.filter(right), record, spec)
        problems += faults
    return tables, problems


def _cut(
    block: pl.Series, numbers: pl.Series, record: Record, spec: Specification
) -> tuple[pl.DataFrame, list[dict[str, object]]]:
    """Cut fixed-length records, seen as one character per byte, into items and decode each item."""
    problems: list[dict[str, object]] = []
    columns: list[pl.Series] = [numbers]
    for item in record.items:
        cells = block.str.slice((item.start or 1) - 1, item.length)
        texts: dict[str, str] = {}
        for cell in cells.unique():
            try:
                texts[cell] = cell.encode("latin-1").decode(spec.format.encoding)
            except UnicodeDecodeError:
                texts[cell] = ""
                for line in numbers.filter(cells == cell):
                    problems.append(
                        {
                            "code": "KR-1026",
                            "line": line,
                            "record_number": line,
                            "record_kind": record.kind,
                            "item": item.id,
                            "expected": spec.format.encoding,
                            "byte_position": item.start,
                        }
                    )
        decoded = cells.replace_strict(texts, return_dtype=pl.String) if texts else cells
        padded = decoded.str.strip_chars_end(BLANKS if item.type.padding == "space_right" else " ")
        columns.append(padded.alias(item.id))
    frame, strays = _incoming(pl.DataFrame(columns), numbers, record, spec)
    return frame.select("line", *record.item_ids), problems + strays


def _table(spec: Specification) -> CharacterTable:
    return load_table(spec.root, spec.format.external_characters, spec.format.encoding)


@dataclass(frozen=True)
class Encoded:
    """A file as bytes, the values that could not be written unchanged (KR-1021, KR-1022, KR-2002), and the raw tables as read back."""

    data: bytes
    problems: pl.DataFrame
    raw: dict[str, pl.DataFrame]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def with_header(data: pl.DataFrame, record: Record, header: Mapping[str, object]) -> pl.DataFrame:
    """The data with the header's values added for the items that it lacks (市区町村コード, 処理年月日 …)."""
    absent = [name for name in record.item_ids if name in header and name not in data.columns]
    return data.with_columns([pl.lit(header[name]).alias(name) for name in absent])


def _character_problems(raw: pl.DataFrame, wide: Iterable[str], record: Record, spec: Specification) -> pl.DataFrame:
    """The values of some columns that the encoding cannot represent (KR-1021) or only by an agreed substitute (KR-1022).

    `record_number` is the row's 1-based position in `raw`. The value shown is the code points, never the whole text.
    """
    table = _table(spec)
    unicode = spec.format.encoding.startswith("utf")
    found: list[dict[str, object]] = []
    for name in wide:
        column = raw[name]
        rows = (column.str.len_bytes() != column.str.len_chars()).arg_true()
        texts = column.gather(rows)
        encoded = pl.select(replace_outgoing(pl.lit(texts), table)).to_series()
        private = not unicode and texts.str.contains(_PRIVATE_USE).any()
        if private or not is_encodable(encoded.str.join("\n").item(), spec.format.encoding):
            strays = _strays(texts, list(table.outgoing)) if private else texts.clear(texts.len()).fill_null("")
            for row, text, stray in zip(rows, encoded, strays, strict=True):
                missing = stray or unencodable(text, spec.format.encoding)
                if missing:
                    found.append(_cell(row, record, name, "KR-1021", spec.format.encoding, spell(missing)))
        if table.substitute:
            touched = texts.str.contains_any(list(table.substitute))
            for row, text in zip(rows.filter(touched), texts.filter(touched), strict=True):
                named = next(key for key in table.substitute if key in text)
                found.append(_cell(row, record, name, "KR-1022", spell(table.substitute[named]), spell(named)))
    return _problems(found)


def _as_read(raw: pl.DataFrame, wide: Iterable[str], record: Record, spec: Specification) -> pl.DataFrame:
    """The raw table as the receiver will read it: substitutes applied, and no trailing blanks in a fixed-length item."""
    read = raw.with_columns(replace_lossy(pl.col(name), _table(spec)) for name in wide)
    if spec.format.kind != "fixed":
        return read
    padded = [item.id for item in record.items if item.type.padding == "space_right"]
    return read.with_columns(pl.col(padded).str.strip_chars_end(BLANKS))


def _overlong(raw: pl.DataFrame, record: Record, spec: Specification) -> pl.DataFrame:
    """The values too long for their place in a fixed-length record (KR-2002); a CSV value can have any length."""
    found: list[dict[str, object]] = []
    for item in record.items if spec.format.kind == "fixed" else ():
        length = byte_length(replace_outgoing(pl.col(item.id), _table(spec)), spec.format.encoding)
        rows = raw.select(length > item.length).to_series().arg_true()
        found += [_cell(row, record, item.id, "KR-2002", f"{item.length}バイト以内", raw[item.id][row]) for row in rows]
    return _problems(found)


def _strays(texts: pl.Series, named: list[str]) -> pl.Series:
    """The private-use characters of each text that belong to no sequence of the character table."""
    rest = texts.str.replace_many(named, [""] * len(named), leftmost=True) if named else texts
    return rest.str.extract_all(_PRIVATE_USE).list.join("")


def _cell(row: int, record: Record, item: str, code: str, expected: str, value: str) -> dict[str, object]:
    return {
        "record_number": row + 1,
        "record_kind": record.kind,
        "item": item,
        "code": code,
        "expected": expected,
        "value": value,
    }


def compose(spec: Specification, on: dt.date, data: pl.DataFrame, header: Mapping[str, object]) -> Encoded:
    """Canonical data and header values -> the bytes of a file (docs/architecture.md).

    Constants, record numbers and the record count are filled from the specification. Values that cannot be encoded, and
    those longer than their place in a fixed-length record, are problems and leave `data` empty: nothing is half-written.
    """
    raws: dict[str, pl.DataFrame] = {}
    wide: dict[str, list[str]] = {}
    problems: list[pl.DataFrame] = []
    rows = {record.kind: data.height if record.occurrence == "many" else 1 for record in spec.records}
    number = 1
    for record in spec.records:
        source = data if record.occurrence == "many" else pl.DataFrame({"_": [None]})
        raw = from_canonical(with_header(source, record, header), record, spec, on)
        raw = _filled(raw, record, spec, number, rows[spec.data.kind])
        number += raw.height
        wide[record.kind] = _columns_where(raw, _WIDE)
        problems.append(_character_problems(raw, wide[record.kind], record, spec))
        problems.append(_overlong(raw, record, spec))
        raws[record.kind] = _as_read(raw, wide[record.kind], record, spec)
    found = pl.concat(problems)
    if found["code"].is_in(UNWRITABLE).any():
        return Encoded(b"", found, raws)
    parts = [_header_line(spec)] if spec.format.header else []
    written = {record.kind: with_blanks(raws[record.kind], record, spec) for record in spec.records}
    parts += [_lines(written[record.kind], wide[record.kind], record, spec) for record in spec.records]
    mark = BYTES_OF_BOM[spec.format.encoding] if spec.format.bom else b""
    return Encoded(mark + b"".join(parts) + bytes.fromhex(spec.format.end_of_file), found, raws)


def _filled(raw: pl.DataFrame, record: Record, spec: Specification, first_number: int, data_rows: int) -> pl.DataFrame:
    filled: list[pl.Expr | pl.Series] = []
    for item in record.items:
        if item.constant is not None:
            filled.append(pl.lit(item.constant).alias(item.id))
        elif item.rule("record_sequence"):
            sequence = pl.int_range(first_number, first_number + raw.height, eager=True).cast(pl.String)
            filled.append(sequence.str.zfill(spec.characters(item)).alias(item.id))
        elif item.rule("data_record_count"):
            filled.append(pl.lit(str(data_rows).zfill(spec.characters(item))).alias(item.id))
    return raw.with_columns(filled)


def _header_line(spec: Specification) -> bytes:
    names = spec.format.delimiter.join(item.heading for item in spec.data.items)
    before = spec.format.line_end_text * spec.format.lines_before_heading
    return (before + names + spec.format.line_end_text).encode(spec.format.encoding)


def _lines(raw: pl.DataFrame, wide: Sequence[str], record: Record, spec: Specification) -> bytes:
    if raw.height == 0:
        return b""
    table = _table(spec)
    if spec.format.kind == "fixed":
        return _fixed_lines(raw, record, spec, table)
    needs_quotes = f"{_NEEDS_QUOTES}|{re.escape(spec.format.delimiter)}"
    needing = _TEXTS.str.contains(needs_quotes)
    quoted = set(record.item_ids) if spec.format.quote == "all" else set(_columns_where(raw, needing))
    columns = []
    for name in record.item_ids:
        column = replace_outgoing(pl.col(name), table) if name in wide else pl.col(name)
        if spec.format.quote != "none" and name in quoted:
            inner = pl.lit('"') + column.str.replace_all('"', '""', literal=True) + pl.lit('"')
            wanted = pl.lit(True) if spec.format.quote == "all" else pl.col(name).str.contains(needs_quotes)
            column = pl.when(wanted).then(inner).otherwise(column)
        columns.append(column.alias(name))
    buffer = BytesIO()
    raw.select(columns).write_csv(
        buffer,
        include_header=False,
        separator=spec.format.delimiter,
        quote_style="never",
        line_terminator=spec.format.line_end_text,
    )
    if spec.format.encoding == "utf-8":
        return buffer.getvalue()
    return buffer.getvalue().decode("utf-8").encode(spec.format.encoding)


def _columns_where(frame: pl.DataFrame, holds: pl.Expr) -> list[str]:
    """The columns in which an expression on `_TEXTS` is true of some value."""
    return [column.name for column in frame.select(holds.any()) if column.item()]


def _fixed_lines(raw: pl.DataFrame, record: Record, spec: Specification, table: CharacterTable) -> bytes:
    encoding, end = spec.format.encoding, spec.format.line_end_text
    columns: list[pl.Expr] = []
    for item in record.items:
        text = replace_outgoing(pl.col(item.id), table)
        short = (item.length - byte_length(text, encoding).cast(pl.Int64)).clip(lower_bound=0) // spec.format.unit
        blank = pl.col(item.id) == ""
        if item.type.padding == "zero_left":
            columns.append(
                pl.when(blank)
                .then(pl.lit(" " * spec.characters(item)))
                .otherwise(pl.lit("0").repeat_by(short).list.join("") + text)
            )
        else:
            columns.append(text + pl.lit(" ").repeat_by(short).list.join(""))
    joined = raw.select(pl.concat_str(columns)).to_series()
    return "".join(line + end for line in joined).encode(encoding)


__all__ = [
    "DEFAULT_ROOT",
    "PROBLEM_SCHEMA",
    "UNWRITABLE",
    "Decoded",
    "Encoded",
    "compose",
    "joined",
    "read",
    "read_file",
    "with_header",
]
