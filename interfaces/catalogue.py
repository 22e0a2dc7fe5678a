"""Loading the catalogue of specifications and choosing the version in force. `lint` checks the catalogue for faults.

What cannot be read is recorded with its file, row and column, and the rest is loaded, so that `lint` can check it and
the versions that need none of it can be used.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from interfaces.completed_rows import DictionaryEntry, ItemRows, with_parents
from interfaces.japanese_calendar import JapaneseCalendar
from interfaces.layout_keys import wrong_key
from interfaces.messages import RenkeiError, reason_of
from interfaces.needed import is_everybodys, needs
from interfaces.spec import (
    Ahead,
    Call,
    Code,
    DateRange,
    Dates,
    Era,
    FileLayout,
    ItemType,
    Record,
    Sensitivity,
    Sentinel,
    Specification,
)
from interfaces.unseen import remark

DEFAULT_ROOT = Path(__file__).parent / "catalogue"
Made = TypeVar("Made")
LOCK_FILE = "~$"  # what the name of a file begins with that Excel makes beside the one that it has open
SAVE_AS = "Excel で「名前を付けて保存」の「CSV UTF-8（コンマ区切り）」を選んで保存してください"
DAY = "日付（2018-04-01 の形）"
UNREADABLE, UNSOUND = "KR-7101", "KR-7118"


@dataclass(frozen=True)
class Fault:
    """One fault of the data: where (a file with its row, or an item of an interface's table) and what, in Japanese.

    `code`: KR-7101 for data that cannot be read, KR-7118 for data that is wrong. since: the first day on which it matters.
    row: the id of the row of a shared table that it is about, if only those who use that row are concerned.
    """

    place: str
    text: str
    code: str = UNSOUND
    since: dt.date = dt.date.min
    row: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"

    @property
    def file(self) -> str:
        """The file or folder that it is in, relative to the catalogue."""
        return self.place.partition(" ")[0]

    def concerns(self, specification: Specification, on: dt.date) -> bool:
        """Whether a file by this version, for that day, would be read or written with the fault."""
        own = f"{specification.id}/{specification.version}"
        return self.since <= on and (
            self.file == own or self.file.startswith(f"{own}/") or needs(specification, self.file, self.row)
        )


@dataclass(frozen=True)
class UnreadVersion:
    """A version of which something cannot be read, and when it would be in force, [start, end), as far as that can be told."""

    interface: str
    start: dt.date
    end: dt.date | None
    fault: Fault

    def in_force(self, on: dt.date) -> bool:
        return self.start <= on and (self.end is None or on < self.end)


class Row(dict[str, str]):
    """A row of a table, by heading. It knows its file and number, for the error about a cell that cannot be read (KR-7101)."""

    def __init__(self, cells: Iterable[tuple[str, str]], path: Path, number: int) -> None:
        super().__init__(cells)
        self.path = path
        self.number = number

    def __missing__(self, column: str) -> str:
        raise RenkeiError(UNREADABLE, path=str(self.path), reason=f"列 {column} がありません")

    def read(self, column: str, how: Callable[[str], Made], form: str) -> Made:
        """A cell as `how` reads it; KR-7101 when that raises KeyError or ValueError because it is no `form`."""
        try:
            return how(self[column])
        except (KeyError, ValueError) as error:
            place = f"{self.path} {self.number}行目 {column}"
            raise RenkeiError(UNREADABLE, path=place, reason=_unlike(self[column], form)) from error

    def integer(self, column: str) -> int:
        """A whole number."""
        return self.read(column, int, "整数")

    def integer_or_none(self, column: str) -> int | None:
        """A whole number, None if the cell is empty."""
        return self.read(column, _number, "整数")

    def day(self, column: str, otherwise: dt.date | None = None) -> dt.date:
        """A day; `otherwise`, if given, when the cell is empty."""
        return otherwise if otherwise and not self[column] else self.read(column, _day, DAY)


def _unlike(cell: str, form: str) -> str:
    return f"{cell or '（空）'} を{form}として読めません{remark(cell)}"


def read_rows(path: Path, columns: Collection[str] = ()) -> list[Row]:
    """Rows of a catalogue CSV (UTF-8 with BOM, as Excel saves it); KR-7101 when it, or one of `columns`, is not there.

    Empty rows, which Excel leaves behind, are ignored.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            heading, *lines = list(csv.reader(handle, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RenkeiError(UNREADABLE, path=str(path), reason=_why_unread(error)) from error
    filled = [(number, cells) for number, cells in enumerate(lines, 2) if any(cell.strip() for cell in cells)]
    if any(len(cells) != len(heading) for _, cells in filled):
        raise RenkeiError(UNREADABLE, path=str(path), reason="列の数が行によって違います")
    missing = [column for column in columns if column not in heading]
    if missing and len(heading) == 1 and (found := re.search("[;\t]", heading[0])):
        sign = "セミコロン（;）" if found[0] == ";" else "タブ"
        raise RenkeiError(UNREADABLE, path=str(path), reason=f"{sign}で区切られています。{SAVE_AS}")
    if missing:
        raise RenkeiError(UNREADABLE, path=str(path), reason=f"列 {'・'.join(missing)} がありません")
    return [Row(zip(heading, cells, strict=True), path, number) for number, cells in filled]


def _why_unread(error: Exception) -> str:
    """Why a file of the catalogue could not be read, worded for the person who can fix it."""
    if isinstance(error, OSError):
        return reason_of(error)
    if isinstance(error, UnicodeDecodeError):
        return f"UTF-8 ではありません。{SAVE_AS}"
    if isinstance(error, ValidationError):
        return "項目の誤り: " + "。".join(map(wrong_key, error.errors()))
    if isinstance(error, tomllib.TOMLDecodeError):
        line = re.search(r"line ([0-9]+)", str(error))
        return f"{line[1]}行目を TOML として読めません" if line else "TOML として読めません（終わりが欠けています）"
    return "CSV として読めません"


class Column(NamedTuple):
    """A column of a table: heading, reader of a cell (KeyError or ValueError when it cannot be read), form in words.

    is_optional: a table without the column is read as if all its cells were empty.
    """

    heading: str
    read: Callable[[str], Any] = str
    form: str = "文字"
    is_optional: bool = False


def _day(text: str) -> dt.date:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return dt.date.fromisoformat(text)


def _date(text: str) -> dt.date | None:
    return _day(text) if text else None


def _number(text: str) -> int | None:
    return int(text) if text else None


def _call(text: str) -> Call | None:
    return Call.parse(text) if text else None


def listed(text: str) -> tuple[str, ...]:
    """The words of a cell, separated by `;`."""
    return tuple(filter(None, (word.strip() for word in text.split(";"))))


def _tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.csv") if not path.name.startswith(LOCK_FILE))


SENT: Mapping[str, bool] = {"": False, "○": True}
KEPT: Mapping[str, bool] = {"": True, "しない": False}


def _start_of(row: Row) -> dt.date:
    """The first day of a row that cannot be read as a whole: never later than the true one."""
    try:
        return _day(row["開始日"]) if "開始日" in row else dt.date.min
    except ValueError:
        return dt.date.min


def _start_of_folder(folder: Path) -> dt.date:
    """The day that a version's folder names; the first of all days when it names none."""
    try:
        return _day(folder.name)
    except ValueError:
        return dt.date.min


def _digits_of_a_day(text: str) -> str:
    if not re.fullmatch("[0-9]{7,8}", text):
        raise ValueError(text)
    return text


# field -> column of its table.
_TYPE = {
    "id": Column("属性"),
    "pattern": Column("正規表現"),
    "date_format": Column("日付形式"),
    "padding": Column("詰め方"),
    "description": Column("説明"),
    "number_format": Column("数の形式", is_optional=True),
    "blanks": Column("空の値", listed, is_optional=True),
}
_ERA = {
    "digit": Column("元号区分"),
    "name": Column("元号"),
    "letter": Column("略号"),
    "start": Column("開始日", _day, DAY),
}
_SENSITIVITY = {"id": Column("秘匿区分"), "mask": Column("伏せ方"), "description": Column("説明")}
_ENTRY = {
    "id": Column("id"),
    "name": Column("項目名"),
    "sensitivity": Column("秘匿区分"),
    "description": Column("説明"),
}
_CODE = {
    "value": Column("コード"),
    "name": Column("名称"),
    "meaning": Column("意味"),
    "start": Column("開始日", lambda text: _date(text) or dt.date.min, DAY),
    "end": Column("終了日", _date, DAY),
    "source": Column("出典"),
    "is_sent": Column("送付", SENT.__getitem__, "空か「○」", is_optional=True),
    "parent": Column("上位コード", is_optional=True),
    "width": Column("桁数", _number, "整数", is_optional=True),
}
_CHARACTER = ("文字", "扱い", "値")
_RANGE = {
    "id": Column("id"),
    "earliest": Column("下限", _day, DAY),
    "latest": Column("上限", Ahead.parse, "処理する日からの長さ（例 2年、0日）"),
    "none": Column("値なし", listed),
    "source": Column("出典"),
}
_SENTINEL = {
    "digits": Column("値", _digits_of_a_day, "7桁か8桁の数字"),
    "meaning": Column("意味"),
    "description": Column("説明"),
}


class Catalogue:
    """Every specification below one folder, with the dictionary, types, codes and characters that they share.

    `unreadable`: what could not be read. It is left out here; a specification with such a cell is left out as a whole
    (`unread_versions`). Who needs something of it is refused (`in_force`, `require`); `lint` works on the rest.
    """

    def __init__(self, root: Path = DEFAULT_ROOT) -> None:
        self.root = root
        self.unreadable: list[Fault] = []
        # In file order and with every row that stands twice, for `lint`.
        eras = tuple(sorted(self._table(root / "eras.csv", _ERA, Era), key=lambda era: era.start))
        self.calendar = JapaneseCalendar(eras)
        types = self._table(root / "types.csv", _TYPE, ItemType)
        self.all_types = tuple(replace(type_, eras=eras) if type_.date.has_era else type_ for type_ in types)
        self.all_sensitivities = self._table(root / "sensitivity.csv", _SENSITIVITY, Sensitivity)
        self.all_entries = self._table(root / "items.csv", _ENTRY, DictionaryEntry)
        self.all_ranges = self._table(root / "dates.csv", _RANGE, DateRange)
        self.all_sentinels = self._table(root / "sentinels.csv", _SENTINEL, Sentinel)
        # Without these tables no item table can be read: one fault, and not one for each item.
        needed = {"types.csv", "sensitivity.csv", "items.csv"} & {fault.file for fault in self.unreadable}
        layouts = [] if needed else sorted(root.glob("*/*/file.toml"))
        self.types = {type_.id: type_ for type_ in self.all_types}
        self.sensitivities = {sensitivity.id: sensitivity for sensitivity in self.all_sensitivities}
        self.dictionary = {entry.id: entry for entry in self.all_entries}
        self.codes = {path.stem: with_parents(self._table(path, _CODE, Code)) for path in _tables(root / "codes")}
        self.characters = {p.stem: self._rows(p, _CHARACTER) for p in _tables(root / "characters")}
        self.dates = Dates({date_range.id: date_range for date_range in self.all_ranges}, self.all_sentinels)
        self.unread_versions: list[UnreadVersion] = []
        self._versions: dict[str, list[Specification]] = {}
        for specification in filter(None, map(self._specification, layouts)):
            self._versions.setdefault(specification.id, []).append(specification)
        for versions in self._versions.values():
            versions.sort(key=lambda s: s.layout.effective_from)

    def _rows(self, path: Path, columns: Collection[str]) -> list[Row]:
        try:
            return read_rows(path, columns)
        except RenkeiError as error:
            self._add_fault(str(error.values["reason"]), path)
            return []

    def _table(self, path: Path, columns: Mapping[str, Column], make: Callable[..., Made]) -> tuple[Made, ...]:
        """An object for each row of a table. A cell that cannot be read is recorded as a fault, and its row is left out."""
        made: list[Made] = []
        required = [column.heading for column in columns.values() if not column.is_optional]
        for row in self._rows(path, required):
            values: dict[str, Any] = {}
            for field, column in columns.items():
                cell = row.get(column.heading, "") if column.is_optional else row[column.heading]
                try:
                    values[field] = column.read(cell)
                except (KeyError, ValueError):
                    within = (f"{row.number}行目", row.get("id", ""), column.heading)
                    fault = self._add_fault(_unlike(cell, column.form), path, *within)
                    self.unreadable[-1] = replace(fault, since=_start_of(row), row=row.get("id", ""))
            if len(values) == len(columns):
                made.append(make(**values))
        return tuple(made)

    def _add_fault(self, text: str, path: Path, *within: str) -> Fault:
        place = " ".join(filter(None, [path.relative_to(self.root).as_posix(), *within]))
        self.unreadable.append(Fault(place, text, UNREADABLE))
        return self.unreadable[-1]

    def _specification(self, layout_path: Path) -> Specification | None:
        before = len(self.unreadable)
        try:
            layout = FileLayout.model_validate(tomllib.loads(layout_path.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError) as error:
            self._leave_out(layout_path.parent, self._add_fault(_why_unread(error), layout_path))
            return None
        if why := self._why_elsewhere(layout, layout_path.parent):
            fault = self._add_fault(why, layout_path)
            self._leave_out(layout_path.parent, fault)
            self.unread_versions.append(UnreadVersion(layout.id, layout.effective_from, layout.effective_to, fault))
            return None
        records = tuple(
            Record(
                part.kind,
                part.occurrence,
                part.key,
                self._table(
                    layout_path.parent / part.items,
                    self.item_columns,
                    ItemRows(layout.format.kind == "fixed", self.dictionary, self.sensitivities).item,
                ),
                part.parent,
                part.marks,
                part.mixed,
            )
            for part in layout.records
        )
        if len(self.unreadable) > before:
            self._leave_out(layout_path.parent, self.unreadable[before], layout.effective_to)
            return None
        return Specification(layout, records, self.codes, self.dates, self.root)

    def _leave_out(self, folder: Path, fault: Fault, end: dt.date | None = None) -> None:
        """Record a version that is not loaded: in force from the day that its folder names, at most until the next one's."""
        start, *later = sorted(
            day
            for day in (_start_of_folder(path) for path in folder.parent.iterdir())
            if day >= _start_of_folder(folder)
        )
        self.unread_versions.append(UnreadVersion(folder.parent.name, start, end or next(iter(later), None), fault))

    def _why_elsewhere(self, layout: FileLayout, folder: Path) -> str | None:
        """Why a specification is in the wrong folder: under the name of another one it would take its place."""
        own = self.root / layout.id / layout.effective_from.isoformat()
        if own == folder:
            return None
        problem = f"フォルダの名前が id と効力開始日（{layout.id}/{layout.effective_from}）と違います"
        return f"{problem}。その名前のフォルダは別にあります" if (own / "file.toml").is_file() else problem

    @cached_property
    def unread(self) -> frozenset[str]:
        """The files, relative to the root, of which something could not be read."""
        return frozenset(fault.file for fault in self.unreadable)

    @cached_property
    def item_columns(self) -> dict[str, Column]:
        """The columns of an item table, by what they fill."""
        types = f" types.csv の属性（{'・'.join(self.types)}）"
        sensitivities = f" sensitivity.csv の秘匿区分（{'・'.join(self.sensitivities)}）"
        return {
            "number": Column("項番", _number, "整数", is_optional=True),
            "name": Column("項目名", is_optional=True),
            "id": Column("id"),
            "type": Column("属性", self.types.__getitem__, types),
            "start": Column("開始位置", _number, "整数", is_optional=True),
            "length": Column("バイト数", int, "整数"),
            "required": Column("必須"),
            "code_table": Column("コード表"),
            "rules": Column("規則", Call.parse_list, "規則"),
            "normalise": Column("正規化", Call.parse_list, "正規化"),
            "sensitivity": Column("秘匿区分", self._sensitivity, sensitivities, is_optional=True),
            "source": Column("出典"),
            "official_number": Column("公式項番", is_optional=True),
            "own_heading": Column("見出し", is_optional=True),
            "is_kept": Column("保存", KEPT.__getitem__, "空か「しない」", is_optional=True),
            "value_from": Column("値の元", _call, "値の元", is_optional=True),
            "own_blanks": Column("空の値", listed, is_optional=True),
        }

    def _sensitivity(self, text: str) -> Sensitivity | None:
        return self.sensitivities[text] if text else None

    def ids(self) -> list[str]:
        """Ids of all interfaces, sorted."""
        return sorted(self._versions)

    def of_cycle(self, cycle: str, direction: str | None = None) -> list[str]:
        """Ids of the interfaces whose newest version is exchanged in this cycle (and direction), sorted."""
        newest = {interface: self._versions[interface][-1].layout for interface in self.ids()}
        return [i for i, layout in newest.items() if layout.cycle == cycle and direction in (None, layout.direction)]

    def versions(self, interface: str) -> list[Specification]:
        """All versions of an interface that can be read, oldest first. KR-7102 when there is no such interface, KR-7101 when
        none of its versions can be read."""
        if interface not in self._versions:
            for unread in self.unread_versions:
                if unread.interface == interface:
                    raise self._refused(unread.fault)
            raise RenkeiError("KR-7102", interface=interface, known="、".join(self.ids()))
        return self._versions[interface]

    def in_force(self, interface: str, on: dt.date) -> Specification:
        """The version in force on the date that the file is for. KR-7103 when there is none; KR-7101 when it, or a table that
        it uses, cannot be read."""
        for unread in self.unread_versions:
            if unread.interface == interface and unread.in_force(on):
                raise self._refused(unread.fault)
        for specification in self.versions(interface):
            if specification.layout.in_force(on):
                for fault in self.unreadable:
                    if fault.concerns(specification, on):
                        raise self._refused(fault)
                return specification
        raise RenkeiError("KR-7103", interface=interface, on=on.isoformat())

    def require(self, on: dt.date) -> None:
        """KR-7101 when something cannot be read that any file of that day needs: what is wrong with another day's is not."""
        for unread in self.unread_versions:
            if unread.in_force(on):
                raise self._refused(unread.fault)
        for interface in self.ids():
            try:
                self.in_force(interface, on)
            except RenkeiError as error:
                if error.code == UNREADABLE:
                    raise

    def require_shared(self) -> None:
        """KR-7101 when a table that every specification needs cannot be read."""
        for fault in self.unreadable:
            if is_everybodys(fault.file, fault.row):
                raise self._refused(fault)

    def _refused(self, fault: Fault) -> RenkeiError:
        return RenkeiError(UNREADABLE, path=str(self.root / fault.place), reason=fault.text)

    def table(self, name: str, on: dt.date) -> list[Row]:
        """The rows of `<root>/<name>.csv` in force on a day by their 開始日 and 終了日 ([start, end)), in file order.

        KR-7101 when the table cannot be read, KR-7107 when no row is in force: rows of another day are never used.
        """
        rows = self.table_or_none(name, on)
        if not rows:
            raise RenkeiError("KR-7107", table=name, on=on.isoformat())
        return rows

    def table_or_none(self, name: str, on: dt.date) -> list[Row]:
        """As `table`, for a table that need not say anything on a day."""
        return [
            row
            for row in read_rows(self.root / f"{name}.csv", ("開始日", "終了日"))
            if row.day("開始日", dt.date.min) <= on < row.day("終了日", dt.date.max)
        ]


def load_catalogue(root: Path = DEFAULT_ROOT, needed_on: dt.date | None = None) -> Catalogue:
    """The catalogue below `root`, loaded once per process; KR-7101 when something cannot be read that every specification
    needs, or that files of the day `needed_on` need. The rest is refused when it is asked for (`Catalogue.in_force`)."""
    catalogue = _loaded(root)
    catalogue.require_shared()
    if needed_on is not None:
        catalogue.require(needed_on)
    return catalogue


@lru_cache(maxsize=8)
def _loaded(root: Path) -> Catalogue:
    return Catalogue(root)
