"""The monthly agreement at the command line: every cause in one village, and a village in which everybody agrees."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import polars as pl
import pytest

from fixtures.counterpart.delivery import leave
from fixtures.prefecture.numbers import my_numbers
from interfaces import codec
from interfaces.catalogue import Catalogue
from interfaces.naming import file_name
from tests.support.servers import OpenSshServer
from tests.support.versions import added, copied, edit, item, named
from tests.support.village import BEGAN, HOUSEHOLD, INDIVIDUAL, OWN, Village, home, person

TOLD, CUT_OFF = dt.date(2026, 4, 22), dt.date(2026, 4, 30)  # five business days apart: 04-29 is a holiday
NUMBERS = [str(number) for number in my_numbers(np.arange(100))]
BAD = "\U0001f3e0"  # a character that no file to the Union can have


def linked(village: Village, day: dt.date, interface: str, rows: list[dict[str, Any]]) -> None:
    """A file of the Union, applied."""
    specification = village.catalogue.in_force(interface, day)
    header = OWN | {"media_kind": "transmission", "created_on": day, "processed_on": day, "file_number": "000001"}
    schema = {item.id: pl.Date() if item.type.is_date else pl.String() for item in specification.data.items}
    frame = pl.DataFrame(rows, schema={name: kind for name, kind in schema.items() if name in rows[0]})
    encoded = codec.compose(specification, day, frame, header)
    assert encoded.problems.is_empty(), encoded.problems
    leave(village.server.root / "from_union" / file_name(specification, header), encoded.data)


def decided(village: Village, day: dt.date, *members: int, **otherwise: dict[str, Any]) -> None:
    """The Union gives ids to members, and repeats their dates; otherwise: other facts, by `p<number>`."""
    ids, dates = [], []
    for member in members:
        facts = otherwise.get(f"p{member}", {})
        municipal, prefecture = f"1{member:011d}", facts.get("prefecture_insured_id", f"2{member:011d}")
        ids.append(
            {
                "resident_number": person(member),
                "municipal_insured_id": municipal,
                "prefecture_insured_id": prefecture,
                "assigned_on": day,
                "created_on": day,
            }
        )
        dates.append(
            {
                "resident_number": person(member),
                "municipal_insured_id": municipal,
                "acquired_on": facts.get("acquired_on", BEGAN),
                "acquisition_reason": "moved_in",
                "lost_on": None,
                "loss_reason": None,
                "applied_on": BEGAN,
                "ended_on": None,
                "judgement": "sound",
                "created_on": day,
            }
        )
    linked(village, day, "municipal_id_linkage", ids)
    linked(village, day, "acquisition_loss_linkage", dates)
    applied = village.cli("run", "daily", "--date", day.isoformat(), "--only", "in")
    assert applied.exit_code == 0, applied.output


def numbered(village: Village) -> None:
    """Everybody gets a 個人番号."""
    for number, resident in enumerate(village.residents.values()):
        resident["my_number"] = NUMBERS[number]


def causes(village: Village) -> dict[tuple[str, str], str]:
    """(code, person or household) -> what the list says under 当市町村 and 連合会."""
    (book,) = (village.environment.settings.clerks).glob("整合性確認一覧_2026-04.xlsx")
    rows = openpyxl.load_workbook(book).active.iter_rows(min_row=3, values_only=True)  # type: ignore[union-attr]
    return {
        (str(cause)[:7], who if who != "（世帯）" else household): f"{ours}|{theirs}"
        for _, household, who, cause, ours, theirs, _ in rows
    }


@pytest.fixture
def village(tmp_path: Path, openssh_server: OpenSshServer) -> Village:
    return Village(tmp_path, openssh_server)


def test_a_village_in_which_everybody_agrees(village: Village) -> None:
    village.add(1, 10, 11)
    village.add(2, 20, head=21)
    numbered(village)
    assert village.send(CUT_OFF).exit_code == 0
    decided(village, CUT_OFF, 10, 11, 20)
    result = village.cli("agreement", "--month", "2026-04")
    assert result.exit_code == 0, result.output
    assert "整合性確認 2026-04: 一致しないもの 0件" in result.output
    assert causes(village) == {}


def test_every_cause_is_listed_for_whom_it_concerns_and_for_nobody_else(village: Village) -> None:
    village.fill(20)
    village.add(1, 10)  # agrees
    village.add(3, 30, 31)  # 31 vanishes, 30 is renamed: both wait because of the name
    village.add(4, 40)  # its address waits
    village.add(5, 50, 51)  # one person under two numbers, says the Union
    village.add(6, 60, 61)  # will lose its head
    village.add(7, 70, 71)  # 70 is 75 on the cut-off day, 71 on the day after
    village.add(8, 80, 81)  # 80 has no number, 81 another one
    village.add(9, 90, 91)  # 90 has no id, 91 another 取得日
    village.residents[person(70)]["born_on"] = dt.date(1951, 4, 30)
    village.residents[person(71)]["born_on"] = dt.date(1951, 5, 1)
    numbered(village)
    village.residents[person(80)]["my_number"] = None
    assert village.send(TOLD).exit_code == 0
    others = [5000 + number for number in range(20)]
    members = [10, 30, 31, 40, 50, 51, 60, 61, 70, 71, 80, 81, 91]
    one = {"prefecture_insured_id": "200000000050"}
    decided(village, TOLD, *others, *members, p50=one, p51=one, p91={"acquired_on": dt.date(2019, 4, 1)})

    village.add(2, 20)  # new, and its name waits
    village.residents[person(20)] |= {"name": f"合成　{BAD}", "my_number": NUMBERS[90]}
    village.residents[person(30)]["name"] = f"合成　{BAD}"
    del village.residents[person(31)], village.insured[person(31)]
    village.households[home(4)]["address"] = f"合成県合成市{BAD}"
    village.end(60, CUT_OFF)
    village.residents[person(81)] |= {"my_number": NUMBERS[91], "name": f"合成　{BAD}"}
    village.send(CUT_OFF)
    result = village.cli("agreement", "--month", "2026-04")
    assert result.exit_code == 1, result.output
    assert causes(village) == {
        ("KR-8301", person(20)): "－|－",
        ("KR-8304", person(20)): "新規|－",
        ("KR-8303", person(30)): "氏名変更|－",
        ("KR-8302", person(31)): "－|－",
        ("KR-8304", person(40)): "住所変更|－",
        ("KR-8305", person(50)): f"都道府県被保険者ID|{person(50)}、{person(51)}",
        ("KR-8305", person(51)): f"都道府県被保険者ID|{person(50)}、{person(51)}",
        ("KR-8306", person(60)): "－|－",  # therefore the household waits, and nothing of 60 was told
        ("KR-8303", person(60)): "資格喪失・適用終了・世帯主変更・届出・異動日訂正|－",
        ("KR-8105", person(60)): "R8.4.30|（なし）",
        ("KR-8133", person(60)): "R8.4.30|（なし）",
        ("KR-8307", person(70)): "R8.4.30|－",
        ("KR-8308", person(80)): "－|－",
        ("KR-8303", person(81)): "氏名変更|－",
        ("KR-8309", person(81)): "－|－",
        ("KR-8113", person(90)): "R2.4.1|（なし）",
        ("KR-8131", person(91)): "R2.4.1|H31.4.1",
    }
    totals = json.loads(village.cli("agreement", "--month", "2026-04", "--json").output)["2026-04"]
    assert {row["code"]: (row["persons"], row["households"]) for row in totals}["KR-8305"] == (2, 1)


def test_items_that_only_the_layouts_know_are_compared_too(tmp_path: Path, openssh_server: OpenSshServer) -> None:
    root = copied(tmp_path / "catalogue")
    named(root, "limit_class", "ward")
    for interface, row in (
        ("insured_extract", item("limit_class")),
        (INDIVIDUAL, item("limit_class", "英数", 10)),
        ("household_extract", item("ward")),
        (HOUSEHOLD, item("ward", "英数", 10)),
    ):
        edit(root, interface, added(row))
    village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
    village.catalogue = Catalogue(root)
    village.fill(20)
    village.add(1, 10, limit_class="A")
    village.add(2, 20, limit_class="A")
    numbered(village)
    village.households[home(2)]["ward"] = "N1"
    assert village.send(TOLD).exit_code == 0
    village.insured[person(10)]["limit_class"] = "B"
    village.households[home(2)]["ward"] = "N2"
    for member in (10, 20):  # both households wait because of the name
        village.residents[person(member)]["name"] = f"合成　{BAD}"
    village.send(CUT_OFF)
    result = village.cli("agreement", "--month", "2026-04")
    assert result.exit_code == 1, result.output
    found = {key: text for key, text in causes(village).items() if key[0] in ("KR-8303", "KR-8304")}
    assert found == {
        ("KR-8303", person(10)): "氏名変更・試験limit_class|－",
        ("KR-8303", person(20)): "氏名変更|－",
        ("KR-8304", person(20)): "試験ward|－",
    }


def test_a_month_whose_cut_off_day_is_not_sent_cannot_be_compared(village: Village) -> None:
    village.add(1, 10)
    village.send(TOLD)
    result = village.cli("agreement", "--month", "2026-04")
    assert result.exit_code == 2
    assert "KR-7601" in result.output
