"""Sound files of every interface, as cells; and a writer of its own that puts them back into bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from schemas.validate import FileContext

DAY, CUT_OFF = dt.date(2026, 4, 1), dt.date(2026, 4, 30)
MONTH = dt.date(2026, 4, 1)
THEIRS = MUNICIPALITIES[1]
# Records that a first day, or the small monthly files, lack: somebody asked about, a file refused, a second household.
BY_HAND = {
    "verification_list": pl.DataFrame(
        {
            "resident_number": ["000000000000101", "000000000000102"],
            "verification_kind": ["different_my_number"] * 2,
            "my_number_registered_on": [DAY] * 2,
            "detected_on": [DAY] * 2,
        }
    ),
    "reception_result": pl.DataFrame(
        {
            "sent_file_name": ["KRSET_999997_20260401_000001.csv", "KRKOJ_999997_20260401_000001.csv"],
            "sent_record_count": ["0000012", "0000034"],
            "reception_kind": ["accepted", "rejected"],
            "reception_reason": [None, "件数の相違"],
        }
    ),
    "income_class": pl.DataFrame(
        [row | {"household_number": f"{number:015d}"} for number in (31, 32) for row in SOUND["income_class"]]
    ),
}

Cells = Mapping[tuple[int, str], str]  # (line, item) -> text


@dataclass(frozen=True)
class Sound:
    """A sound file: its cells by line number (1-based, text as the file has it), and what it is checked against."""

    specification: Specification
    on: dt.date
    context: FileContext
    name: str
    lines: dict[int, tuple[str, list[str]]]  # line -> (record kind, cells)

    @property
    def data_lines(self) -> list[int]:
        return sorted(line for line, (kind, _) in self.lines.items() if kind == self.specification.data.kind)

    def _column(self, line: int, item: str) -> int:
        return self.specification.by_kind[self.lines[line][0]].item_ids.index(item)

    def cell(self, line: int, item: str) -> str:
        return self.lines[line][1][self._column(line, item)]

    def changed(self, cells: Cells) -> Sound:
        """The file with some cells changed."""
        lines = {line: (kind, list(values)) for line, (kind, values) in self.lines.items()}
        for (line, item), value in cells.items():
            lines[line][1][self._column(line, item)] = value
        return replace(self, lines=lines)

    def written(self, cells: Cells) -> bytes:
        """The bytes of the file with some cells changed."""
        form = self.specification.format
        rows = [[item.name for item in self.specification.data.items]] if form.header else []
        rows += [values for _, (_, values) in sorted(self.changed(cells).lines.items())]
        end = {"CRLF": "\r\n", "LF": "\n"}[form.line_end]
        return "".join(",".join(map(_quoted, row)) + end for row in rows).encode(form.encoding)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell


def _cells(path: Path, specification: Specification, on: dt.date, context: FileContext) -> Sound:
    decoded = codec.read_file(path, specification, on)
    assert decoded.problems.is_empty(), (path.name, decoded.problems)
    lines = {}
    for kind, table in decoded.tables.items():
        for row in table.iter_rows(named=True):
            lines[row["line"]] = (kind, [row[name] for name in specification.by_kind[kind].item_ids])
    return Sound(specification, on, context, path.name, lines)


def sound_files(folder: Path) -> dict[str, Sound]:
    """By interface: a day of a small prefecture for the daily files, the defects' sound files for the monthly ones."""
    catalogue = load_catalogue()
    world = World(folder / "union", folder / "extracts", DAY, 1, 400)
    world.live(DAY)
    extracts = folder / "extracts" / "theirs"
    world.prefecture.write_extracts(extracts, THEIRS.code, DAY, catalogue)
    union = folder / "union" / THEIRS.code
    sent = {path.name: path.read_bytes() for path in (union / "to_union").iterdir()}
    world.night(DAY)
    for name, data in sent.items():
        (extracts / name).write_bytes(data)
    found: dict[str, Sound] = {}
    for path in [*extracts.iterdir(), *(union / "from_union").iterdir()]:
        recognised = recognise(catalogue, path.name)
        assert recognised is not None, path.name
        context = FileContext(THEIRS.code, THEIRS.insurer_number, "99", DAY, path.name)
        specification = catalogue.in_force(recognised[0], DAY)
        found[recognised[0]] = _cells(path, specification, DAY, context)
    for interface in {**SOUND, **BY_HAND}:
        on = CUT_OFF if interface in SOUND else DAY
        specification = catalogue.in_force(interface, on)
        header = HEADER | {"target_month": "2026-04", "processed_on": on, "created_on": on}
        path = extracts / file_name(specification, header)
        by_hand = BY_HAND.get(interface)
        data = sound(interface) if by_hand is None else codec.compose(specification, on, by_hand, header).data
        path.write_bytes(data)
        found[interface] = _cells(path, specification, on, FileContext("999997", "990010", "99", MONTH, path.name))
    return found
