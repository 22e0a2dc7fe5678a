"""A day with a version in force that lints red: the run stops before anything is sent, whatever is wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.servers import OpenSshServer
from tests.support.versions import Rows, added, copied, edit, item, named, new_version, read, removed, write
from tests.support.village import HOUSEHOLD, INDIVIDUAL, Village

DAY = dt.date(2026, 4, 1)
Change = Callable[[Path], None]


def misspelt(root: Path) -> None:
    def change(rows: Rows) -> Rows:
        return [row | ({"必須": "○"} if row["id"] == "name" else {}) for row in rows]

    edit(root, "resident_extract", change)


def other_meaning(root: Path) -> None:
    path = root / "codes/flag.csv"
    write(path, [row | ({"意味": "true"} if row["意味"] == "yes" else {}) for row in read(path)])


def without_household(root: Path) -> None:
    edit(root, "insured_extract", removed("household_number"))


def filled_by_nothing(root: Path) -> None:
    named(root, "ward")
    edit(root, HOUSEHOLD, added(item("ward", "英数", 10)))


UNSOUND: dict[str, tuple[Change, str]] = {
    "a cell": (misspelt, "resident_extract の仕様（2018-04-01）に誤り"),
    "a meaning": (other_meaning, "に要る意味 yes がありません"),
    "a needed item": (without_household, "プログラムに要る項目 household_number がありません"),
    "an item that nothing fills": (filled_by_nothing, "ward: この項目を持つ抽出がなく、値の元もありません"),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_a_day_is_not_sent_with_a_version_in_force_that_is_unsound(
    tmp_path: Path, openssh_server: OpenSshServer, what: str
) -> None:
    change, text = UNSOUND[what]
    root = copied(tmp_path / "catalogue")
    change(root)
    village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
    village.add(1, 1, 2)
    stopped = village.send(DAY)
    assert stopped.exit_code == 2
    assert "KR-7132 " in stopped.output and text in stopped.output
    assert "renkei spec lint" in stopped.output
    assert village.names() == []


def test_a_day_is_sent_with_an_unsound_version_of_a_later_day(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    root = copied(tmp_path / "catalogue")
    later = dt.date(2199, 4, 1)
    for interface in ("insured_extract", INDIVIDUAL):
        new_version(root, interface, later)
    edit(root, "insured_extract", removed("household_number"), later)
    named(root, "ward")
    edit(root, INDIVIDUAL, added(item("ward", "英数", 10)), later)
    village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
    village.add(1, 1, 2)
    assert "誤り" in village.cli("spec", "lint").output
    sent = village.send(DAY)
    assert sent.exit_code == 0, sent.output
    assert len(village.sent(DAY)) == 2
