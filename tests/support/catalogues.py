"""A copy of the shipped catalogue in which a test changes layouts, as a municipality would."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from interfaces.catalogue import DEFAULT_ROOT

Rows = list[dict[str, str]]


class CatalogueCopy:
    """The copy below `root`; its path is for `catalogue_folder`."""

    def __init__(self, root: Path) -> None:
        self.root = shutil.copytree(DEFAULT_ROOT, root)

    def newest(self, interface: str) -> Path:
        """The folder of an interface's newest version."""
        return max(self.root.glob(f"{interface}/*/file.toml")).parent

    def new_version(self, interface: str, start: str) -> Path:
        """A further version from a day on, which says what the newest says; its folder."""
        before = self.newest(interface)
        folder = shutil.copytree(before, before.parent / start)
        old, new = before / "file.toml", folder / "file.toml"
        text = old.read_text(encoding="utf-8")
        old.write_text(re.sub(r"(effective_from = .*)", rf"\1\neffective_to = {start}", text), encoding="utf-8")
        new.write_text(re.sub(r"effective_from = .*", f"effective_from = {start}", text), encoding="utf-8")
        return folder

    def change(self, table: Path, change: Callable[[Rows], Rows]) -> None:
        """Change the rows of a table; a column that no row has yet may come with the rows."""
        with table.open(encoding="utf-8-sig", newline="") as handle:
            rows = change(list(csv.DictReader(handle)))
        headings = list(dict.fromkeys(name for row in rows for name in row))
        with table.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.DictWriter(handle, headings, restval="")
            writer.writeheader()
            writer.writerows(rows)

    def add(self, folder: Path, *items: Mapping[str, str], kind: str = "data") -> None:
        """Items at the end of a record kind, with what they differ in: 項目名, id, バイト数 …; new ids come into the dictionary."""
        own = {"属性": "漢字", "バイト数": "20", "必須": "任意", "秘匿区分": "公開", "出典": "試験"}

        def longer(rows: Rows) -> Rows:
            added = [own | {"項番": str(number)} | dict(item) for number, item in enumerate(items, len(rows) + 1)]
            return [*rows, *added]

        def known(rows: Rows) -> Rows:
            ids = {row["id"] for row in rows}
            wanted = ("id", "項目名", "秘匿区分")
            new = [{name: (own | dict(item))[name] for name in wanted} for item in items if item["id"] not in ids]
            return [*rows, *(row | {"説明": "試験"} for row in new)]

        self.change(folder / f"{kind}.csv", longer)
        self.change(self.root / "items.csv", known)

    def edit(self, folder: Path, item: str, kind: str = "data", **cells: str) -> None:
        """Other cells of one item."""
        self.change(folder / f"{kind}.csv", lambda rows: [row | (cells if row["id"] == item else {}) for row in rows])
