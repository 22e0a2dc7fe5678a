"""Loading the catalogue of specifications and choosing the version in force. Soundness is proved in `lint`, not here."""

from __future__ import annotations

import csv
import datetime as dt
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from interfaces.messages import RenkeiError
from interfaces.spec import Call, Code, Era, FilePlan, Item, ItemType, Record, Sensitivity, Specification

DEFAULT_ROOT = Path(__file__).parent / "catalogue"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a catalogue CSV (UTF-8 with BOM, as Excel saves it); KR-7101 when it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RenkeiError("KR-7101", path=str(path), reason=type(error).__name__) from error
    if any(None in row or None in row.values() for row in rows):
        raise RenkeiError("KR-7101", path=str(path), reason="列の数が行によって違います")
    return rows


def _date(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


@dataclass(frozen=True)
class DictionaryEntry:
    """An item as the whole catalogue knows it: one id, one official name, one sensitivity."""

    id: str
    name: str
    sensitivity: str
    description: str


class Catalogue:
    """Every specification below one folder, with the dictionary, types, codes and characters that they share."""

    def __init__(self, root: Path = DEFAULT_ROOT) -> None:
        self.root = root
        eras = self._eras(root / "eras.csv")
        self.types = {
            row["属性"]: ItemType(
                row["属性"],
                row["正規表現"],
                row["日付形式"],
                row["詰め方"],  # type: ignore[arg-type]
                row["説明"],
                eras if row["日付形式"].startswith("G") else (),
            )
            for row in read_rows(root / "types.csv")
        }
        self.sensitivities = {
            row["秘匿区分"]: Sensitivity(row["秘匿区分"], row["伏せ方"], row["説明"])  # type: ignore[arg-type]
            for row in read_rows(root / "sensitivity.csv")
        }
        self.dictionary = {
            row["id"]: DictionaryEntry(row["id"], row["項目名"], row["秘匿区分"], row["説明"])
            for row in read_rows(root / "items.csv")
        }
        self.codes = {path.stem: self._codes(path) for path in sorted((root / "codes").glob("*.csv"))}
        self._versions: dict[str, list[Specification]] = {}
        for plan_path in sorted(root.glob("*/*/file.toml")):
            specification = self._specification(plan_path)
            self._versions.setdefault(specification.id, []).append(specification)
        for versions in self._versions.values():
            versions.sort(key=lambda s: s.plan.effective_from)

    @staticmethod
    def _eras(path: Path) -> tuple[Era, ...]:
        try:
            eras = [Era(row["元号区分"], row["元号"], dt.date.fromisoformat(row["開始日"])) for row in read_rows(path)]
        except (KeyError, ValueError) as error:
            raise RenkeiError("KR-7101", path=str(path), reason=str(error)) from error
        return tuple(sorted(eras, key=lambda era: era.start))

    @staticmethod
    def _codes(path: Path) -> tuple[Code, ...]:
        try:
            return tuple(
                Code(
                    row["コード"],
                    row["名称"],
                    row["意味"],
                    _date(row["開始日"]) or dt.date.min,
                    _date(row["終了日"]),
                    row["出典"],
                )
                for row in read_rows(path)
            )
        except (KeyError, ValueError) as error:
            raise RenkeiError("KR-7101", path=str(path), reason=str(error)) from error

    def _specification(self, plan_path: Path) -> Specification:
        try:
            plan = FilePlan.model_validate(tomllib.loads(plan_path.read_text(encoding="utf-8")))
            records = tuple(
                Record(
                    part.kind,
                    part.occurrence,
                    part.key,
                    tuple(self._item(row) for row in read_rows(plan_path.parent / part.items)),
                )
                for part in plan.records
            )
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
            raise RenkeiError("KR-7101", path=str(plan_path), reason=f"項目の誤り: {fields}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, ValueError) as error:
            raise RenkeiError("KR-7101", path=str(plan_path), reason=str(error)) from error
        return Specification(plan, records, self.codes, self.root)

    def _item(self, row: dict[str, str]) -> Item:
        return Item(
            number=int(row["項番"]),
            name=row["項目名"],
            id=row["id"],
            type=self.types[row["属性"]],
            start=int(row["開始位置"]) if row["開始位置"] else None,
            length=int(row["バイト数"]),
            required=row["必須"],
            code_table=row["コード表"],
            rules=Call.parse_list(row["規則"]),
            normalise=Call.parse_list(row["正規化"]),
            sensitivity=self.sensitivities[row["秘匿区分"]],
            source=row["出典"],
        )

    def ids(self) -> list[str]:
        """Ids of all interfaces, sorted."""
        return sorted(self._versions)

    def versions(self, interface: str) -> list[Specification]:
        """All versions of an interface, oldest first; KR-7102 when there is no such interface."""
        if interface not in self._versions:
            raise RenkeiError("KR-7102", interface=interface, known="、".join(self.ids()))
        return self._versions[interface]

    def in_force(self, interface: str, on: dt.date) -> Specification:
        """The version in force on the date that the file is *for*; KR-7103 when there is none."""
        for specification in self.versions(interface):
            plan = specification.plan
            if plan.effective_from <= on and (plan.effective_to is None or on < plan.effective_to):
                return specification
        raise RenkeiError("KR-7103", interface=interface, on=on.isoformat())

    def table(self, name: str, on: dt.date) -> list[dict[str, str]]:
        """The rows of `<root>/<name>.csv` in force on a day by their 開始日 and 終了日 ([start, end)), in file order.

        KR-7101 when the table cannot be read, KR-7107 when no row is in force: there is no nearest table.
        """
        path = self.root / f"{name}.csv"
        try:
            rows = [
                row
                for row in read_rows(path)
                if (_date(row["開始日"]) or dt.date.min) <= on < (_date(row["終了日"]) or dt.date.max)
            ]
        except (KeyError, ValueError) as error:
            raise RenkeiError("KR-7101", path=str(path), reason=str(error)) from error
        if not rows:
            raise RenkeiError("KR-7107", table=name, on=on.isoformat())
        return rows


@lru_cache(maxsize=8)
def load_catalogue(root: Path = DEFAULT_ROOT) -> Catalogue:
    """The catalogue below `root`, loaded once per process."""
    return Catalogue(root)
