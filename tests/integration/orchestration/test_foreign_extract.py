"""An extract with columns in its own order, under its own headings and beside others, taken through a day by data alone."""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
import zipfile
from pathlib import Path

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.deployment import Environment
from pipelines.storage.cms import SUFFIX
from pipelines.tables.registry import TABLES
from tests.support.servers import OpenSshServer
from tests.support.village import Village, person

DAY = dt.date(2026, 4, 1)
# In an ignored column, and in an item that is checked and not kept (方書).
IGNORED, NOT_KEPT = "ヒミツノホンセキ", "ミセナイカタガキ"


def own_layout(root: Path) -> None:
    """The extract of residents by heading: 氏名 under another heading, 方書 not kept, other columns ignored."""
    folder = root / "resident_extract/2018-04-01"
    with (folder / "data.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row["見出し"] = {"name": "氏名（漢字）"}.get(row["id"], "")
        row["保存"] = {"address_detail": "しない"}.get(row["id"], "")
    with (folder / "data.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    form = 'header = true\nlines_before_heading = 1\ncolumns = "by_heading"\nother_columns = "ignore"'
    text = (folder / "file.toml").read_text(encoding="utf-8")
    (folder / "file.toml").write_text(text.replace("header = true", form), encoding="utf-8")


def own_order(path: Path) -> None:
    """The same values as such a system writes them: a title, columns in another order, and two more columns."""
    with path.open(encoding="utf-8", newline="") as handle:
        heading, *rows = list(csv.reader(handle))
    names = [re.sub("^氏名$", "氏名（漢字）", name) for name in heading]
    detail = names.index("方書")
    for row in rows:
        row[detail] = NOT_KEPT
    lines = [["住民一覧表"], [*names[::-1], "本籍", "本籍"], *([*row[::-1], IGNORED, IGNORED] for row in rows)]
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(lines)


def at_rest(environment: Environment, folder: Path) -> str:
    """Everything in the data folder as text: files as they are, encrypted ones decrypted, and the stored tables."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            raw = environment.file_store.read(path) if path.suffix == SUFFIX else path.read_bytes()
            found.append(raw.decode("utf-8", "replace") + raw.decode("cp932", "replace"))
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as book:
                    found += [book.read(name).decode("utf-8", "replace") for name in book.namelist()]
    for asset in TABLES:
        found += [str(environment.store.read(asset, day).to_dicts()) for day in environment.store.partitions(asset)]
    return "".join(found)


def test_a_foreign_extract_is_taken_and_what_is_not_wanted_is_nowhere_on_disk(
    tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    own_layout(root)
    village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
    village.fill(3)
    village.residents[person(5001)]["name"] = "氏名\ufffd"  # breaks a rule: its line is in the reports
    village.extract(DAY)
    own_order(next((tmp_path / "extracts").glob("resident_*")))
    assert "誤り0件" in village.cli("spec", "lint").output
    done = village.cli("run", "daily", "--date", DAY.isoformat(), "--only", "out")
    assert done.exit_code in (0, 1), done.output
    columns = set(village.environment.store.read("resident_extract", DAY.isoformat()).columns)
    assert "name" in columns
    assert "address_detail" not in columns
    kept = at_rest(village.environment, tmp_path / "data")
    assert village.residents[person(5002)]["name"] in kept  # what is kept is found
    for word in (IGNORED, NOT_KEPT):
        assert word not in kept
        assert word not in done.output
