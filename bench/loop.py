"""The rival of the benchmark: a program that does the first day's work row by row with Python's `csv` alone.

The same specifications, the same rules; faults are only counted. Nothing here is used by the program.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from interfaces.catalogue import load_catalogue
from interfaces.digits import separators
from interfaces.spec import Call, Item, Record, Specification
from schemas.normalise import NORMALISATIONS

Row = dict[str, str]
Check = Callable[[Row], bool]


def _date(text: str) -> dt.date | None:
    digits = text.replace("-", "")
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _check_digit(weights: Sequence[int], digit_of: Callable[[int], int]) -> Callable[[str], bool]:
    def sound(number: str) -> bool:
        total = sum(int(digit) * weight for digit, weight in zip(number[:-1], weights, strict=False))
        return len(number) == len(weights) + 1 and int(number[-1]) == digit_of(total)

    return sound


MY_NUMBER = _check_digit((6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2), lambda total: 0 if total % 11 <= 1 else 11 - total % 11)
MUNICIPALITY = _check_digit((6, 5, 4, 3, 2), lambda total: (11 - total % 11) % 10)


def _insurer(number: str) -> bool:
    total = sum(sum(divmod(int(digit) * weight, 10)) for digit, weight in zip(number, (2, 1, 2, 1, 2), strict=False))
    return (10 - total % 10) % 10 == int(number[-1])


def python_pattern(item: Item) -> str:
    """The pattern of an item's type in Python's spelling of code points."""
    return re.sub(r"\\u\{(\w+)\}", r"\\u\1", item.type.pattern)


def _checks_of(item: Item, spec: Specification, on: dt.date, own: Mapping[str, str]) -> list[Check]:
    """What an item with a value must be; a blank one is judged by `_required` alone."""
    name, encoding, limit = item.id, spec.format.encoding, item.length
    pattern = re.compile(python_pattern(item))
    checks: list[Check] = [
        lambda row: len(row[name].encode(encoding, "replace")) <= limit,
        lambda row: pattern.fullmatch(row[name]) is not None,
    ]
    if item.type.is_date:
        limits = load_catalogue().dates.ranges[name]
        latest = limits.latest.after(on)
        checks.append(lambda row: limits.earliest <= (_date(row[name]) or dt.date.min) <= latest)
    if item.code_table:
        codes = {code.value for code in load_catalogue().codes[item.code_table] if code.in_force(on)}
        checks.append(lambda row: row[name] in codes)
    named = (_named(call, name, on, own) for call in item.rules)
    return checks + [check for check in named if check]


def _named(call: Call, name: str, on: dt.date, own: Mapping[str, str]) -> Check | None:
    """A rule that the item names, where it is one of a single row."""
    first = call.arguments[0] if call.arguments else ""
    checks: dict[str, Check] = {
        "digits": lambda row: len(row[name]) == int(first) and row[name].isdecimal(),
        "my_number_check_digit": lambda row: MY_NUMBER(row[name]),
        "municipality_check_digit": lambda row: MUNICIPALITY(row[name]),
        "insurer_check_digit": lambda row: _insurer(row[name]),
        "own_municipality": lambda row: row[name] == own["municipality"],
        "own_insurer": lambda row: row[name] == own["insurer"],
        "partition_date": lambda row: _date(row[name]) == on,
        "not_before": lambda row: not row[first] or row[name] >= row[first],
        "only_with": lambda row: row[first] != "",
        "constant": lambda row: row[name] == first,
    }
    return checks.get(call.name)


def _required(item: Item) -> Check | None:
    name, words = item.id, item.required
    if words == "任意":
        return None
    other, _, values = words.removeprefix("条件 ").partition("=")
    wanted = set(values.split("|"))
    if words == "必須":
        return lambda row: row[name] != ""
    return lambda row: row[name] != "" or (row[other] not in wanted if values else row[other] == "")


class Judge:
    """The rules of a record kind, to be asked row by row."""

    def __init__(self, spec: Specification, record: Record, on: dt.date, own: Mapping[str, str]) -> None:
        self._rules = [(item.id, _required(item), _checks_of(item, spec, on, own)) for item in record.items]

    def faults(self, row: Row) -> int:
        """How many rules a row breaks."""
        found = 0
        for name, required, checks in self._rules:
            if required is not None and not required(row):
                found += 1
            elif row[name]:
                found += sum(not check(row) for check in checks)
        return found


class Loop:
    """The whole day, row by row: read, judge, join, compare with nothing, write, read back, judge, compare, hash."""

    def __init__(self, folder: Path, on: dt.date, own: Mapping[str, str]) -> None:
        self.folder, self.on, self.own = folder, on, own
        self.faults = 0

    def spec(self, interface: str) -> Specification:
        return load_catalogue().in_force(interface, self.on)

    def read(self, interface: str, path: Path) -> dict[str, Row]:
        """An extract by its key, judged."""
        spec = self.spec(interface)
        judge, ids = Judge(spec, spec.data, self.on, self.own), spec.data.item_ids
        normalised = [(item.id, item.normalise) for item in spec.data.items if item.normalise]
        rows: dict[str, Row] = {}
        with path.open(encoding="utf-8", newline="") as handle:
            lines = csv.reader(handle)
            next(lines)
            for line in lines:
                row = dict(zip(ids, line, strict=True))
                for name, calls in normalised:
                    for call in calls:
                        row[name] = NORMALISATIONS[call.name].make(row[name], separators(), *call.arguments)
                self.faults += judge.faults(row) + (row[spec.data.key[0]] in rows)
                rows[row[spec.data.key[0]]] = row
        hashlib.sha256(path.read_bytes()).hexdigest()
        return rows

    def run(self, paths: Sequence[Path]) -> int:
        """The number of faults found; the files are written to the folder."""
        residents, insured, households = (
            self.read(interface, path)
            for interface, path in zip(("resident_extract", "insured_extract", "household_extract"), paths, strict=True)
        )
        heads = {
            row["head_resident_number"]: number for number, row in households.items() if row["nominal_head"] == "1"
        }
        people = []
        for number in sorted(insured.keys() | heads.keys()):
            resident, own = residents.get(number), insured.get(number, {})
            household = households.get(own.get("household_number", ""))
            self.faults += resident is None or (household is None and number in insured)
            row = {**(resident or {}), "household_number": heads.get(number, ""), **own}
            running = bool(own.get("applied_on")) and not own.get("ended_on")
            is_head = household is not None and household["head_resident_number"] == number
            row["head_kind"] = ("1" if is_head else "0") if running else "2"
            people.append(row)
        self.write("eligibility_household", list(households.values()))
        self.write("eligibility_individual", people)
        return self.faults

    def write(self, interface: str, rows: Sequence[Row]) -> None:
        """The file, read back, judged and compared, and its hash."""
        spec = self.spec(interface)
        items = spec.data.items
        dates = {item.id for item in items if item.type.is_date}
        table = []
        for number, row in enumerate(rows, 2):
            out = []
            for item in items:
                value = item.constant or row.get(item.id, "")
                if item.rule("record_sequence"):
                    value = str(number).zfill(item.length)
                elif item.id == "insurer_number":
                    value = self.own["insurer"]
                elif item.id == "update_kind":
                    value = "1"
                elif item.id in dates or item.id == "postal_code":
                    value = value.replace("-", "")
                out.append(value)
            table.append(out)
        path = self.folder / f"loop_{interface}.csv"
        with path.open("w", encoding="cp932", errors="replace", newline="") as handle:
            csv.writer(handle).writerows(table)
        judge, ids = Judge(spec, spec.data, self.on, self.own), spec.data.item_ids
        seen: set[str] = set()
        with path.open(encoding="cp932", newline="") as handle:
            for written, back in zip(table, csv.reader(handle), strict=True):
                row = dict(zip(ids, back, strict=True))
                self.faults += judge.faults(row) + (row[spec.data.key[0]] in seen) + (written != back)
                seen.add(row[spec.data.key[0]])
        hashlib.sha256(path.read_bytes()).hexdigest()
