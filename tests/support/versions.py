"""Copies of the shipped catalogue with a further version of an interface, or with an item table changed."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from interfaces.catalogue import DEFAULT_ROOT

Rows = list[dict[str, str]]
SHIPPED = dt.date(2018, 4, 1)


def copied(root: Path) -> Path:
    """The shipped catalogue, to be changed."""
    shutil.copytree(DEFAULT_ROOT, root)
    return root


def read(path: Path) -> Rows:
    """The rows of a table."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def write(path: Path, rows: Rows) -> None:
    """Write a table; an item table is numbered again."""
    rows = [row | {"項番": str(number)} for number, row in enumerate(rows, 1)] if "項番" in rows[0] else rows
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def table(root: Path, interface: str, since: dt.date = SHIPPED) -> Path:
    """The item table of a version's data records."""
    return root / interface / since.isoformat() / "data.csv"


def edit(root: Path, interface: str, change: Callable[[Rows], Rows], since: dt.date = SHIPPED) -> None:
    """Change the item table of a version."""
    path = table(root, interface, since)
    write(path, change(read(path)))


def new_version(root: Path, interface: str, since: dt.date, more: str = "") -> None:
    """A version from `since` on, like the one before; more: further lines of its file.toml."""
    earlier = sorted((root / interface).iterdir())[-1]
    folder = root / interface / since.isoformat()
    shutil.copytree(earlier, folder)
    text = (earlier / "file.toml").read_text(encoding="utf-8")
    ended = re.sub("(effective_from = .*)", rf"\1\neffective_to = {since}", text)
    (earlier / "file.toml").write_text(ended, encoding="utf-8")
    begun = re.sub("effective_from = .*", f"effective_from = {since}\n{more}", text)
    (folder / "file.toml").write_text(begun, encoding="utf-8")


def item(name: str, type_: str = "文字", length: int = 60, required: str = "任意", **cells: str) -> dict[str, str]:
    """A row of an item table: an item 試験<name>."""
    return {
        "項目名": f"試験{name}",
        "id": name,
        "属性": type_,
        "バイト数": str(length),
        "必須": required,
        "秘匿区分": "個人情報",
        "出典": "試験",
    } | cells


def named(root: Path, *names: str) -> None:
    """Put the items 試験<name> into the dictionary."""
    path = root / "items.csv"
    rows = read(path)
    new = [{"id": name, "項目名": f"試験{name}", "秘匿区分": "個人情報", "説明": "試験"} for name in names]
    write(path, rows + new)


def added(*new: dict[str, str]) -> Callable[[Rows], Rows]:
    """A change that puts items at the end of a table."""
    return lambda rows: [*rows, *new]


def removed(*names: str) -> Callable[[Rows], Rows]:
    """A change that takes items out of a table."""
    return lambda rows: [row for row in rows if row["id"] not in names]
