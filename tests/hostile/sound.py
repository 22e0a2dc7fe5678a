"""Sound files of every interface, as cells; and a writer of its own that puts them back into bytes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fixtures.defects import HEADER
from fixtures.monthly_defects import SOUND, sound
from fixtures.prefecture import MUNICIPALITIES
from fixtures.world import World
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name, recognise
from interfaces.spec import Specification
from schemas.validate import Context

DAY, CUT_OFF = dt.date(2026, 4, 1), dt.date(2026, 4, 30)
MONTH = dt.date(2026, 4, 1)
THEIRS = MUNICIPALITIES[1]
# The Union asks about nobody on a first day: a list of one, made by hand.
ASKED = {
    "resident_number": ["000000000000101"],
    "verification_kind": ["different_my_number"],
    "my_number_registered_on": [DAY],
    "detected_on": [DAY],
}


@dataclass(frozen=True)
class Sound:
    """A sound file: its cells by line number (1-based, text as the file has it), and what it is checked against."""

    specification: Specification
    on: dt.date
    context: Context
    name: str
    lines: dict[int, tuple[str, list[str]]]  # line -> (record kind, cells)
    heading: list[str] | None

    def written(self, line: int, column: int, value: str) -> bytes:
        """The file with one cell changed."""
        form = self.specification.format
        rows = [self.heading] if self.heading else []
        for number, (_, cells) in sorted(self.lines.items()):
            rows.append([*cells[:column], value, *cells[column + 1 :]] if number == line else cells)
        end = {"CRLF": "\r\n", "LF": "\n"}[form.line_end]
        text = "".join(",".join(map(_quoted, row)) + end for row in rows)
        return text.encode(form.encoding)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell


def _cells(path: Path, specification: Specification, on: dt.date, context: Context) -> Sound:
    decoded = codec.read(path, specification, on)
    assert decoded.problems.is_empty(), (path.name, decoded.problems)
    lines = {}
    for kind, table in decoded.tables.items():
        columns = specification.by_kind[kind].item_ids
        for row in table.iter_rows(named=True):
            lines[row["line"]] = (kind, [row[name] or "" for name in columns])
    heading = None
    if 1 not in lines:
        heading = [item.name for item in specification.data.items]
    return Sound(specification, on, context, path.name, lines, heading)


def sound_files(folder: Path) -> dict[str, Sound]:
    """By interface: a day of a small prefecture for the daily files, the defects' sound files for the monthly ones."""
    catalogue = load_catalogue()
    world = World(folder / "union", folder / "extracts", DAY, 1, 120)
    world.live(DAY)
    world.prefecture.write_extracts(folder / "extracts" / "theirs", THEIRS.code, DAY, catalogue)
    theirs = folder / "union" / THEIRS.code
    kept = folder / "kept"
    kept.mkdir()
    for path in (theirs / "to_union").iterdir():
        (kept / path.name).write_bytes(path.read_bytes())
    world.night(DAY)
    found: dict[str, Sound] = {}
    for path in [*kept.iterdir(), *(theirs / "from_union").iterdir(), *(folder / "extracts" / "theirs").iterdir()]:
        recognised = recognise(catalogue, path.name)
        assert recognised is not None, path.name
        context = Context(THEIRS.code, THEIRS.insurer_number, "99", DAY, path.name)
        specification = catalogue.in_force(recognised[0], DAY)
        found[recognised[0]] = _cells(path, specification, DAY, context)
    asked = catalogue.in_force("verification_list", DAY)
    header = HEADER | {"created_on": DAY}
    path = kept / file_name(asked, header)
    path.write_bytes(codec.compose(asked, DAY, pl.DataFrame(ASKED), header).data)
    context = Context("999997", "990010", "99", DAY, path.name)
    found["verification_list"] = _cells(path, asked, DAY, context)
    for interface in SOUND:
        specification = catalogue.in_force(interface, CUT_OFF)
        header = HEADER | {"target_month": "2026-04", "processed_on": CUT_OFF, "created_on": CUT_OFF}
        path = kept / file_name(specification, header)
        path.write_bytes(sound(interface))
        found[interface] = _cells(path, specification, CUT_OFF, Context("999997", "990010", "99", MONTH, path.name))
    return found
