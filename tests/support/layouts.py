"""Layouts that no municipality sends yet, written for a test: a folder of the catalogue with one interface of its own."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue

COLUMNS = "項番,項目名,id,属性,開始位置,バイト数,必須,コード表,規則,正規化,秘匿区分,出典"


def exchanged(catalogue: Catalogue | None = None) -> list[str]:
    """The interfaces of the shipped catalogue that the program makes, reads or applies; not those that it only keeps."""
    known = catalogue or load_catalogue()
    return [interface for interface in known.ids() if interface not in known.of_cycle("irregular")]


@dataclass(frozen=True)
class Part:
    """A record kind: its items as (id, 属性, バイト数, 規則), and further lines of its section of file.toml."""

    kind: str
    occurrence: str
    items: tuple[tuple[str, str, int, str], ...]
    more: str = ""


@dataclass(frozen=True)
class Layout:
    """An inbound interface `foreign`, in force since 2020. form: lines of [format]; head: further lines of file.toml."""

    parts: tuple[Part, ...]
    form: str = 'kind = "csv"\nencoding = "cp932"\nline_end = "CRLF"'
    head: str = ""
    file_name: str = "FOREIGN.csv"
    optional: frozenset[str] = field(default_factory=frozenset)

    def write(self, root: Path) -> Path:
        """A catalogue below `root` with the shared tables of the shipped one and this interface alone."""
        root.mkdir(parents=True)
        for path in DEFAULT_ROOT.iterdir():
            if path.is_file():
                shutil.copy(path, root / path.name)
            elif not list(path.glob("*/file.toml")):
                shutil.copytree(path, root / path.name)
        folder = root / "foreign/2020-01-01"
        folder.mkdir(parents=True)
        (folder / "file.toml").write_text(self._file_toml(), encoding="utf-8")
        for part in self.parts:
            self._table(folder / f"{part.kind}.csv", part)
        names = {item[0] for part in self.parts for item in part.items}
        self._dictionary(root / "items.csv", names)
        return root

    def _file_toml(self) -> str:
        records = "".join(
            f'\n[[records]]\nkind = "{part.kind}"\nitems = "{part.kind}.csv"\noccurrence = "{part.occurrence}"\n{part.more}\n'
            for part in self.parts
        )
        return (
            'id = "foreign"\nname = "試験の様式"\ndirection = "from_union"\npartner = "試験"\ncycle = "monthly"\n'
            'effective_from = 2020-01-01\nstatus = "assumed"\nsource = "試験"\ndescription = "試験"\n'
            f'file_name = "{self.file_name}"\nzero_records_allowed = true\nquiet_day = "not_applicable"\n'
            f"{self.head}\n[format]\n{self.form}\n{records}"
        )

    def _table(self, path: Path, part: Part) -> None:
        start = 1
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(COLUMNS.split(","))
            for number, (name, type_, length, rules) in enumerate(part.items, 1):
                required = "任意" if name in self.optional else "必須"
                place = start if 'kind = "fixed"' in self.form else ""
                writer.writerow(
                    [number, f"試験{name}", name, type_, place, length, required, "", rules, "", "公開", "試験"]
                )
                start += length

    @staticmethod
    def _dictionary(path: Path, names: set[str]) -> None:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            heading, *rows = list(csv.reader(handle))
        rows = [row for row in rows if row[heading.index("id")] not in names]
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(heading)
            writer.writerows(rows)
            cells = {"項目名": "試験{}", "id": "{}", "秘匿区分": "公開", "説明": "試験"}
            writer.writerows([[cells.get(column, "").format(name) for column in heading] for name in sorted(names)])
