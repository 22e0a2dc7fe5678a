"""A day that is sent by a municipality whose specification writes dates, empty dates and codes in forms of its own."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from interfaces.catalogue import DEFAULT_ROOT
from pipelines.cli import main
from tests.support.town import DAY, Town
from tests.support.values import add_codes, set_cells

PEOPLE = "KRKOJ_999997_20260401_000001.csv"
TABLE = "eligibility_individual/2018-04-01/data.csv"
NUMBER, BORN, ACQUIRED, REASON, LOST, CHANGED = (place - 1 for place in (6, 12, 17, 18, 19, 28))


def with_own_forms(town: Town) -> Path:
    root = town.folder / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    set_cells(root / TABLE, "id", "born_on", 属性="和暦年月日R", バイト数="9")
    set_cells(root / TABLE, "id", "changed_on", 属性="年月日/", バイト数="10")
    set_cells(root / TABLE, "id", "lost_on", 空の値="9埋め;0埋め")
    add_codes(root, "acquisition_reason", ("91", "県外転入（帰国）", "", "01"))
    settings = town.folder / "renkei.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'catalogue_folder = "{root}"\n{text}', encoding="utf-8")
    return root


def extracted(town: Town) -> dict[str, dict[str, str]]:
    """The persons of the extract by 宛名番号; every second one who moved in came with the reason 91."""
    path = next(path for path in (town.folder / "extracts").iterdir() if path.name.startswith("insured"))
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    moved_in = [row for row in rows if row["資格取得事由"] == "01"]
    for row in moved_in[::2]:
        row["資格取得事由"] = "91"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return {row["宛名番号"]: row for row in rows}


def era(day: dt.date) -> str:
    starts = {"R": dt.date(2019, 5, 1), "H": dt.date(1989, 1, 8), "S": dt.date(1926, 12, 25), "T": dt.date(1912, 7, 30)}
    letter = next(letter for letter, start in starts.items() if day >= start)
    return f"{letter}{day.year - starts[letter].year + 1:02}.{day.month:02}.{day.day:02}"


def test_the_outgoing_file_has_the_forms_of_its_specification(town: Town) -> None:
    town.extract(DAY)
    persons, root = extracted(town), with_own_forms(town)
    born = {}
    for path in (town.folder / "extracts").iterdir():
        if path.name.startswith("resident"):
            with path.open(encoding="utf-8-sig", newline="") as handle:
                born = {row["宛名番号"]: row["生年月日"] for row in csv.DictReader(handle)}
    settings = {"RENKEI_SETTINGS": str(town.folder / "renkei.toml")}
    done = CliRunner().invoke(main, ["run", "daily", "--date", DAY.isoformat(), "--only", "out"], env=settings)
    assert done.exit_code == 0, done.output
    path = town.server.root / "to_union" / PEOPLE
    sent = [line.split(",") for line in path.read_bytes().decode("cp932").splitlines() if line.startswith("2,")]
    assert len(sent) > 100
    for cells in sent:
        assert cells[BORN] == (era(dt.date.fromisoformat(born[cells[NUMBER]])) if born[cells[NUMBER]] else "")
        day = dt.datetime.strptime(cells[CHANGED], "%Y/%m/%d").date()
        assert cells[CHANGED] == f"{day.year}/{day.month}/{day.day}"
        lost = persons[cells[NUMBER]]["資格喪失年月日"].replace("-", "") if cells[NUMBER] in persons else ""
        assert cells[LOST] == (lost or "99999999")
    reasons = {persons[cells[NUMBER]]["資格取得事由"]: cells[REASON] for cells in sent if cells[NUMBER] in persons}
    assert (reasons["01"], reasons["91"]) == ("01", "01")
    shutil.copy(path, town.folder / PEOPLE)
    said = CliRunner().invoke(main, ["validate", str(town.folder / PEOPLE), "--catalogue", str(root), "--json"])
    assert json.loads(said.output)["valid"], said.output
    assert "誤り0件" in CliRunner().invoke(main, ["spec", "lint", "--catalogue", str(root)]).output
