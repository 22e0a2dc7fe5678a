"""A Union that changes its document changes data: lengths, order, dates, encodings, codes. No line of Python follows."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

from fixtures.demo.days import business_days
from fixtures.world import World
from interfaces.catalogue import DEFAULT_ROOT, Catalogue
from tests.support.command_town import START, Town
from tests.support.servers import OpenSshServer

Rows = list[dict[str, str]]


def edit(path: Path, change: Callable[[Rows], Rows]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    changed = change(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(changed)


def cells(item: str, **values: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        return [row | values if row["id"] == item else row for row in rows]

    return change


def another_document(root: Path) -> None:
    """What a revised 外部インタフェース仕様書 might bring, all at once."""
    individual = root / "eligibility_individual" / "2018-04-01"
    edit(
        individual / "data.csv",
        cells("ended_on", 属性="和暦年月日", バイト数="7", 規則="not_before(applied_on);inclusive_end"),
    )
    edit(individual / "data.csv", cells("name", バイト数="120"))

    def name_first(rows: Rows) -> Rows:
        names = [row for row in rows if row["id"] == "name_kana"]
        rest = [row for row in rows if row["id"] != "name_kana"]
        ordered = [*rest[:3], *names, *rest[3:]]
        return [row | {"項番": str(number)} for number, row in enumerate(ordered, 1)]

    edit(individual / "data.csv", name_first)
    plan = individual / "file.toml"
    text = plan.read_text(encoding="utf-8").replace('"KRKOJ_', '"SKKOJIN')
    plan.write_text(text.replace('quote = "when_needed"', 'quote = "all"'), encoding="utf-8")

    dates = root / "acquisition_loss_linkage" / "2018-04-01"
    edit(dates / "data.csv", cells("acquired_on", 属性="年月日-", バイト数="10"))
    text = (dates / "file.toml").read_text(encoding="utf-8")
    text = text.replace('encoding = "cp932"', 'encoding = "utf-8"\nbom = true').replace('"CRLF"', '"LF"')
    (dates / "file.toml").write_text(text.replace('external_characters = "union_cp932"', ""), encoding="utf-8")

    reasons = root / "codes" / "acquisition_reason.csv"
    edit(reasons, lambda rows: [row | {"コード": f"7{row['コード'][1]}"} for row in rows])


def test_the_whole_pipeline_follows_another_document(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    another_document(root)
    town = Town(tmp_path, openssh_server, seed=9, persons=300)
    town.settings.write_text(
        town.settings.read_text(encoding="utf-8").replace("[sftp]", f'catalogue_folder = "{root}"\n\n[sftp]'), "utf-8"
    )
    shutil.rmtree(openssh_server.root)
    town.world = World(openssh_server.root, tmp_path / "extracts", START, 9, 300, Catalogue(root))
    assert "誤り0件" in town.renkei("spec", "lint")
    days = business_days(START, 3)
    for day in days:
        town.day(day)
        assert town.differences(day).is_empty()
    sent = sorted((openssh_server.root / "999997" / "received").glob("SKKOJIN*"))
    assert len(sent) == len(days)
    records = sent[0].read_bytes().decode("cp932").split("\r\n")[1:-2]
    assert all(record.split(",")[3].startswith('"ゴウセイ') for record in records)
