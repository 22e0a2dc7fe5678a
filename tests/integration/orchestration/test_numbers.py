"""What the UI plots over the days: records, changes, withheld, findings, age of the answers; versions and hashes. No value of a person."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from fixtures.counterpart.delivery import leave
from interfaces import codec
from interfaces.catalogue import load_catalogue
from interfaces.naming import file_name
from pipelines.configuration.calendar import is_business_day
from pipelines.definitions import defs
from pipelines.orchestration.assets.outside import systems
from pipelines.orchestration.code_location import MODULE, origin_of
from tests.support.paths import ROOT
from tests.support.town import DAY, OURS, Town

EXTRACTS = ("resident_extract", "insured_extract", "household_extract")


def shown(town: Town, asset: str, day: dt.date = DAY) -> dict[str, Any]:
    """The metadata of an asset's newest materialisation of a day, name -> value."""
    key = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day.isoformat()])
    (record,) = town.instance.fetch_materializations(key, limit=1).records
    assert record.asset_materialization
    return {name: entry.value for name, entry in record.asset_materialization.metadata.items()}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def records(path: Path) -> int:
    """Lines of a file of ours for the Union, without its control and end record."""
    return len(path.read_bytes().splitlines()) - 2


def test_a_day_in_numbers(town: Town) -> None:
    files = {path.name.split("_")[0] + "_extract": path for path in town.extract(DAY)}
    assert town.run(DAY).success
    for extract in EXTRACTS:
        told = shown(town, extract)
        lines = len(files[extract].read_bytes().splitlines()) - 1
        assert (told["SHA-256"], told["仕様の版"], told["dagster/row_count"]) == (
            sha256(files[extract]),
            "2018-04-01",
            lines,
        )
    sent = {path.name[:5]: path for path in (town.server.root / "to_union").iterdir()}
    for prefix, asset in (("KRKOJ", "eligibility_individual"), ("KRSET", "eligibility_household")):
        told = shown(town, asset)
        assert told["dagster/row_count"] == records(sent[prefix]) > 1
        assert (told["SHA-256"], told["仕様の版"]) == (sha256(sent[prefix]), "2018-04-01")
        items = [item.id for item in load_catalogue().versions(asset)[-1].data.items]
        assert [column.name for column in told["dagster/column_schema"].columns] == items
    changes = shown(town, "eligibility_changes")
    assert changes["異動 新規"] == records(sent["KRKOJ"])
    assert changes["異動 資格喪失"] == changes["同じ世帯の人"] == 0
    assert shown(town, "withheld_list")["保留した人"] == shown(town, "extract_findings")["検出件数"] == 0


def test_who_is_withheld_is_counted_by_code(town: Town) -> None:
    resident = next(path for path in town.extract(DAY) if path.name.startswith("resident"))
    insured = (town.folder / "extracts" / "insured_999997_20260401.csv").read_text(encoding="utf-8").splitlines()
    person = insured[1].split(",")[1].encode()
    line = next(line for line in resident.read_bytes().splitlines() if line.split(b",")[1] == person)
    resident.write_bytes(resident.read_bytes().replace(line, line.replace("合成　".encode(), "合成𠀋　".encode(), 1)))
    assert town.run(DAY).success
    told, found = shown(town, "withheld_list"), shown(town, "build_findings")
    (code,) = (name for name in told if name.startswith("KR-"))
    assert told[code] == 1 and told["保留した世帯"] == 1 and told["保留した人"] >= 1
    assert found[code] == found["検出件数"] == 1
    assert person.decode() not in str(told) + str(found)


def test_the_age_of_an_answer_is_counted_in_business_days(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    specification = load_catalogue().in_force("municipal_id_linkage", DAY)
    header = {
        "municipality_code": OURS.code,
        "insurer_number": OURS.insurer_number,
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": DAY,
        "file_number": "000001",
    }
    empty = pl.DataFrame({"resident_number": []}, {"resident_number": pl.String})
    data = codec.compose(specification, DAY, empty, header).data
    leave(town.server.root / "from_union" / file_name(specification, header), data)
    assert town.take_in(DAY, "daily_in").success
    told = shown(town, "municipal_id_linkage")
    today = dt.datetime.now(dt.timezone(dt.timedelta(hours=9))).date()
    passed = [DAY + dt.timedelta(days=n) for n in range(1, (today - DAY).days + 1)]
    assert told["応答までの営業日数"] == sum(map(is_business_day, passed))
    assert (told["SHA-256"], told["仕様の版"], told["dagster/row_count"]) == (
        hashlib.sha256(data).hexdigest(),
        "2018-04-01",
        0,
    )


def test_the_graph_begins_and_ends_at_the_systems_of_the_flow_chart() -> None:
    graph = defs.resolve_asset_graph()
    outside = {system.key for system in systems()}
    roots = {key for key in graph.get_all_asset_keys() if not graph.get(key).parent_keys}
    assert {key.path[-1] for key in roots - outside} <= {"outstanding", "answered_worksheets"}  # the ledger, and clerks
    chain = [
        *("resident_records", "resident_extract", "people", "eligibility_changes", "eligibility_individual"),
        *("eligibility_dispatch", "union_eligibility", "received_files", "acquisition_loss_linkage", "linkage_state"),
        "insured_records_after",
    ]
    month = [
        *("eligibility_dispatch", "union_candidates", "continuity_candidates", "continuity_worksheet"),
        *("continuity_instruction", "union_continuity", "high_cost_handover", "handover_taken", "high_cost_counts"),
        "benefit_records_after",
    ]
    for before, after in [*pairwise(chain), *pairwise(month)]:
        assert dg.AssetKey(before) in graph.get(dg.AssetKey(after)).parent_keys, (before, after)
    ends = {key for key in graph.get_all_asset_keys() if not graph.get(key).child_keys}
    assert {"insured_records_after", "benefit_records_after", "union_high_cost"} <= {key.path[-1] for key in ends}


def test_the_code_location_has_the_name_that_every_program_of_dagster_gives_it() -> None:
    """`-m pipelines.definitions` gives it its module's name; so does the project file, as long as it names no other."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = re.search(r"^\[tool\.dagster\]\n(.*?)^\[", project, re.MULTILINE | re.DOTALL)
    assert section and f'module_name = "{MODULE}"' in section[1] and "code_location_name" not in section[1]
    origin = origin_of("daily_out").repository_origin
    assert (origin.code_location_origin.location_name, origin.repository_name) == (
        MODULE,
        defs.get_repository_def().name,
    )
    places = (ROOT / "Makefile", ROOT / "docs" / "operations.md", ROOT / "dagster_home" / "nginx" / "webservers.conf")
    for place in places:
        commands = re.findall(r"^.*dagster(?:-webserver|-daemon run| dev) .*$", place.read_text(encoding="utf-8"), re.M)
        assert commands and all(f"-m {MODULE}" in command for command in commands if " -" in command), place
