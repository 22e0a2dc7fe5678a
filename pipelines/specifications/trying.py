"""Which interface and version fits a file, and what speaks against it: for a new vendor's first file.

The beginning of the file is compared with the form of every version; the best candidates judge the whole file. Says
nothing of any value.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.described import DELIMITERS, ENCODINGS, LINE_ENDS, NOTHING
from interfaces.lines import BYTES_OF_BOM
from interfaces.messages import message
from interfaces.naming import date_of, parse
from interfaces.spec import Record, Specification
from interfaces.volumes import of_one
from schemas.validate import FileContext, Validated, validate_file

LOOKED_AT_BYTES: Final = 65_536
JUDGED: Final = 3  # candidates that judge the whole file
_CODES_SHOWN: Final = 5
_SURE: Final = 10  # a sign that no other interface has by chance: the name, the headings, the constant of a record


@dataclass(frozen=True)
class Sign:
    """Something that speaks for or against a version, in words. weight: how much; share: of it, where it fits in part."""

    fits: bool
    text: str
    weight: int = 1
    share: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A version and what speaks for and against it. validated: of the whole file, for the best candidates."""

    specification: Specification
    on: dt.date
    signs: tuple[Sign, ...]
    validated: Validated | None = None

    @property
    def fit(self) -> float:
        """The share of the signs that speak for it, by their weight."""
        spoken = sum(sign.weight * (1.0 if sign.fits else sign.share) for sign in self.signs)
        return spoken / sum(sign.weight for sign in self.signs)

    @property
    def is_valid(self) -> bool:
        """Whether the whole file is valid by it."""
        return self.validated is not None and self.validated.valid

    @property
    def valid_share(self) -> float:
        """The share of the file's data records that are valid, of those that were read; 0 for one that cannot be read."""
        if self.validated is None or self.validated.unreadable or not self.validated.records:
            return 1.0 if self.is_valid else 0.0
        return self.validated.valid_rows.height / self.validated.records

    def lines(self) -> Iterator[str]:
        """For the screen."""
        layout = self.specification.layout
        verdict = "合います" if self.is_valid else "合いません"
        yield f"{layout.name}（{layout.id} {self.specification.version}）: {verdict}"
        yield from (f"  {'○' if sign.fits else '×'} {sign.text}" for sign in self.signs)
        if self.validated is not None and not self.is_valid:
            yield f"  × 検証: {self._verdict()}"

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {
            "interface": self.specification.id,
            "version": self.specification.version,
            "fits": self.is_valid,
            "valid_share": round(self.valid_share, 4),
            "signs": [{"fits": sign.fits, "text": sign.text} for sign in self.signs],
            "codes": self.validated.counts_by_code if self.validated else {},
        }

    def _verdict(self) -> str:
        assert self.validated is not None  # noqa: S101  asked about judged candidates only
        wrong = self.validated.findings.filter(pl.col("level").is_in(["file", "record"]))
        counted = wrong["code"].value_counts(sort=True).head(_CODES_SHOWN).rows()
        codes = "、".join(f"{code} {message(code).title} {count}件" for code, count in counted)
        if self.validated.unreadable:
            return f"読めません（{codes}）"
        return f"データレコード{self.validated.records}件のうち正しいもの {self.valid_share:.0%}（{codes}）"


def candidates(catalogue: Catalogue, path: Path, today: dt.date) -> list[Candidate]:
    """Every version, the best first; those that tie in the order of the catalogue. Only the best have judged the file."""
    with path.open("rb") as handle:
        head = handle.read(LOOKED_AT_BYTES)
    found = [
        Candidate(specification, _day(specification, path.name, today), tuple(_signs(specification, path.name, head)))
        for interface in catalogue.ids()
        for specification in catalogue.versions(interface)
    ]
    ranked = sorted(found, key=lambda candidate: -candidate.fit)
    judged = [_judged(candidate, path) for candidate in ranked[:JUDGED]]
    judged.sort(key=lambda candidate: (-candidate.is_valid, -candidate.fit, -candidate.valid_share))
    return [*judged, *ranked[JUDGED:]]


def _judged(candidate: Candidate, path: Path) -> Candidate:
    specification = of_one(candidate.specification)
    validated = validate_file(path, specification, candidate.on, FileContext(None, None, None, None, None))
    return Candidate(candidate.specification, candidate.on, candidate.signs, validated)


def _day(specification: Specification, name: str, today: dt.date) -> dt.date:
    """The day of the name, else today, else the version's first day, whichever the version is in force on."""
    layout = specification.layout
    fields = parse(specification, name)
    for day in (date_of(fields, layout) if fields else None, today):
        if day and layout.effective_from <= day and (layout.effective_to is None or day < layout.effective_to):
            return day
    return layout.effective_from


def _signs(specification: Specification, name: str, head: bytes) -> Iterator[Sign]:
    layout, form = specification.layout, specification.format
    if parse(specification, name) is not None:
        yield Sign(True, f"ファイル名が {layout.file_name} の規則に合う", _SURE)
    else:
        yield Sign(False, f"ファイル名が {layout.file_name} の規則に合わない", _SURE)
    mark = BYTES_OF_BOM.get(form.encoding, b"")
    has_mark = bool(mark) and head.startswith(mark)
    if mark and has_mark != form.bom:
        yield Sign(False, "BOM がある（仕様はなし）" if has_mark else "BOM がない（仕様はあり）")
    found = {encoding: text for encoding in ENCODINGS if (text := _decoded(head, encoding)) is not None}
    if not found:
        yield Sign(False, "文字コードが分からない", 3)
        return
    known = form.encoding if form.encoding in found else next(iter(found))
    text = found[known]
    wanted = "" if known == form.encoding else f"（仕様は {ENCODINGS[form.encoding]}）"
    yield Sign(not wanted, f"文字コードは {ENCODINGS[known]}{wanted}", 3)
    ends = _line_ends(text)
    fits = form.line_end in ends if form.line_end != "none" else not ends
    wanted = f"（仕様は {LINE_ENDS[form.line_end]}）" if not fits else ""
    yield Sign(fits, f"行末は {'・'.join(ends) or LINE_ENDS['none']}{wanted}")
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines:
        yield Sign(False, "空のファイル")
    elif form.kind == "csv":
        yield from _csv_signs(specification, lines)
    else:
        yield from _fixed_signs(specification, lines)


def _decoded(head: bytes, encoding: str) -> str | None:
    """The beginning as text; None when it is not of that encoding. The last characters may be cut off."""
    for cut in range(4):
        try:
            return head[: len(head) - cut].decode(encoding)
        except UnicodeDecodeError as error:
            if error.start < len(head) - 4:
                return None
    return None


def _line_ends(text: str) -> list[str]:
    """Which line ends there are."""
    pairs = text.count("\r\n")
    counts = {"CRLF": pairs, "LF": text.count("\n") - pairs, "CR": text.count("\r") - pairs}
    return [name for name, count in counts.items() if count]


def _fields(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _csv_signs(specification: Specification, lines: Sequence[str]) -> Iterator[Sign]:
    form = specification.format
    delimiter = max(DELIMITERS, key=lambda one: len(_fields(lines[0], one)))
    if delimiter != form.delimiter:
        yield Sign(False, f"区切りは{DELIMITERS[delimiter]}（仕様は{DELIMITERS[form.delimiter]}）")
    first = _fields(lines[0], delimiter)
    if form.header:
        wanted = [item.heading for item in specification.data.items]
        known = [name for name in wanted if name in first]
        text = f"見出し {len(wanted)}個のうち {len(known)}個がある"
        missing = [name for name in wanted if name not in first]
        named = f"（ない: {'・'.join(missing[:5])}{' など' if len(missing) > 5 else ''}）" if missing else ""
        yield Sign(not missing, text + named, _SURE, len(known) / len(wanted))
        further = [name for name in first if name not in wanted]
        if further and not missing:
            yield Sign(False, f"仕様にない見出しが {len(further)}個ある")
        rows, kinds = lines[1:2] if known else lines[:1], [specification.data]
    else:
        rows, kinds = lines[:1], list(specification.records)
    if not rows:
        return
    row = _fields(rows[0], delimiter)
    counts = sorted({len(record.items) for record in kinds})
    fits = len(row) in counts
    wanted_count = "・".join(map(str, counts))
    text = f"{DELIMITERS[delimiter]}で区切った列は {len(row)}個" + ("" if fits else f"（仕様は {wanted_count}個）")
    yield Sign(fits, text, 3)
    if any(item.constant for item in specification.records[0].marked_items):
        yield _mark_sign(specification, [dict(zip(record.item_ids, row, strict=False)) for record in kinds], kinds)


def _mark_sign(specification: Specification, rows: Sequence[dict[str, str]], kinds: Sequence[Record]) -> Sign:
    """Whether the first line is of the first kind that can stand there."""
    for record, row in zip(kinds, rows, strict=True):
        constants = [item for item in record.items if item.constant is not None]
        if constants and all(row.get(item.id) == item.constant for item in constants):
            return Sign(True, f"先頭の行は {record.kind} レコード（{record.mark}）", _SURE)
    return Sign(False, f"先頭の行の固定値が、どのレコード種別（{specification.records[0].mark} など）でもない", _SURE)


def _fixed_signs(specification: Specification, lines: Sequence[str]) -> Iterator[Sign]:
    encoding = specification.format.encoding
    lengths = sorted({record.record_length for record in specification.records})
    wanted = "・".join(map(str, lengths))
    if specification.format.line_end == "none":
        length, line = lengths[-1], lines[0].encode(encoding)[: lengths[-1]]
    else:
        line = lines[0].encode(encoding)
        length = len(line)
    yield Sign(length in lengths and len(line) in lengths, f"レコード長は {len(line)}バイト（仕様は {wanted}）", 3)
    first = specification.records[0]
    row = {
        item.id: line[item.start - 1 : item.start - 1 + item.length].decode(encoding, "replace")
        for item in first.items
        if item.start is not None
    }
    if any(item.constant for item in first.items):
        yield _mark_sign(specification, [row], [first])


def what_was_looked_at(count: int) -> str:
    """The line below the best candidates."""
    return f"ほかの{count}版は、もっと合いません" if count > 0 else NOTHING
