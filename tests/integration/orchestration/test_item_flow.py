"""Items that stand in an extract and in an outgoing layout travel without a line of Python, from the day of their version on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fixtures.prefecture.numbers import my_numbers
from interfaces.catalogue import Catalogue
from pipelines.cli import main
from tests.support.servers import OpenSshServer
from tests.support.versions import added, copied, edit, item, named, new_version, read, write
from tests.support.village import HOUSEHOLD, Village, home, person

FIRST, SECOND, THIRD = dt.date(2026, 4, 1), dt.date(2026, 4, 2), dt.date(2026, 4, 3)
Foreign = Callable[[Callable[[Path], None]], Village]


@pytest.fixture
def foreign(tmp_path: Path, openssh_server: OpenSshServer) -> Foreign:
    """A village with a changed catalogue, which lints green; a household of two and ten others."""

    def make(change: Callable[[Path], None]) -> Village:
        root = copied(tmp_path / "catalogue")
        change(root)
        village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
        linted = village.cli("spec", "lint")
        assert "誤り0件" in linted.output, linted.output
        village.catalogue = Catalogue(root)
        village.add(1, 1, 2)
        village.fill()
        return village

    return make


def sent(village: Village, day: dt.date) -> None:
    done = village.send(day)
    assert done.exit_code == 0, done.output


def kinds(village: Village, day: dt.date) -> dict[str, list[str]]:
    changes = village.environment.store.read("eligibility_changes", day.isoformat())
    return {row["resident_number"]: row["change_kinds"] for row in changes.iter_rows(named=True)}


def with_class(more: str = "", required: str = "任意") -> Callable[[Path], None]:
    """From the second day on the extract of the insured and the 個人 file have an item more."""

    def change(root: Path) -> None:
        named(root, "limit_class")
        for interface, type_, toml in (("insured_extract", "文字", ""), ("eligibility_individual", "英数", more)):
            new_version(root, interface, SECOND, toml)
            row = item("limit_class", type_, 10, required if toml or required != "任意" else "任意")
            edit(root, interface, added(row), SECOND)

    return change


def test_a_new_item_arrives_from_the_first_day_of_its_version(foreign: Foreign) -> None:
    village = foreign(with_class())
    for facts in village.insured.values():
        facts["limit_class"] = "A"
    sent(village, FIRST)
    assert "limit_class" not in village.sent(FIRST)[person(1)]
    village.residents[person(1)]["name"] = "合成　改"
    sent(village, SECOND)
    arrived = village.sent(SECOND)
    # Only who changed otherwise is sent, with the household; the item's introduction alone is no change.
    assert {number: row["limit_class"] for number, row in arrived.items()} == {person(1): "A", person(2): "A"}
    assert kinds(village, SECOND) == {person(1): ["氏名変更"], person(2): []}


def test_a_changed_value_of_a_carried_item_is_a_change_of_its_name(foreign: Foreign) -> None:
    village = foreign(with_class())
    for facts in village.insured.values():
        facts["limit_class"] = "A"
    sent(village, FIRST)
    sent(village, SECOND)
    assert village.sent(SECOND) == {}
    village.insured[person(5003)]["limit_class"] = "B"
    sent(village, THIRD)
    assert {number: row["limit_class"] for number, row in village.sent(THIRD).items()} == {person(5003): "B"}
    assert kinds(village, THIRD) == {person(5003): ["試験limit_class"]}


def test_a_layout_can_want_a_new_item_of_everybody_at_once(foreign: Foreign) -> None:
    village = foreign(with_class('new_items = "all"'))
    village.insured[person(1)]["limit_class"] = "A"
    sent(village, FIRST)
    sent(village, SECOND)
    # Those without a value are in no household of one who has one, and nothing is to be told of them.
    assert {number: row["limit_class"] for number, row in village.sent(SECOND).items()} == {
        person(1): "A",
        person(2): None,
    }


def test_an_item_that_a_version_no_longer_has_is_no_change(foreign: Foreign) -> None:
    def change(root: Path) -> None:
        named(root, "limit_class")
        for interface in ("insured_extract", "eligibility_individual"):
            new_version(root, interface, SECOND)
            type_ = "文字" if interface == "insured_extract" else "英数"
            edit(root, interface, added(item("limit_class", type_, 10)))

    village = foreign(change)
    village.insured[person(1)]["limit_class"] = "A"
    sent(village, FIRST)
    assert village.sent(FIRST)[person(1)]["limit_class"] == "A"
    village.insured.pop(person(5001))
    village.residents[person(2)]["name"] = "合成　改"
    sent(village, SECOND)
    assert {n: row["update_kind"] for n, row in village.sent(SECOND).items()} == {
        person(1): "changed",
        person(2): "changed",
        person(5001): "withdrawn",
    }


def test_the_sources_of_an_outgoing_item(foreign: Foreign) -> None:
    """Each way in which a layout can say from where an item comes; the values are written by hand."""

    def change(root: Path) -> None:
        names = ("family_name", "given_name", "short_number", "whole_address", "filler", "sent_to", "wide")
        named(root, *names)
        rows_added = [
            item("family_name", "漢字", 40, "必須", 値の元="before_space(name)"),
            item("given_name", "漢字", 40, 値の元="after_space(name)"),
            item("short_number", "数字", 10, "必須", 値の元="part(household_number,6,10)"),
            item(
                "whole_address",
                "漢字",
                200,
                値の元="joined(wide_space,household_extract.address,household_extract.address_detail)",
            ),
            item("filler", "英数", 10, 値の元="blank"),
            item("sent_to", "数字", 2, "必須", 値の元="header(prefecture_code)"),
            item("wide", "数字", 20, "必須", 正規化="zero_fill(20)", 値の元="item(branch_number)"),
        ]
        edit(root, "eligibility_individual", lambda rows: [*rows, *rows_added])

    village = foreign(change)
    village.households[home(1)]["address_detail"] = "合成荘"
    sent(village, FIRST)
    row = village.sent(FIRST)[person(2)]
    assert row["family_name"] == "合成"
    assert row["given_name"] == "丙"
    assert row["short_number"] == "0000009001"
    assert row["whole_address"] == "合成県合成市一丁目　合成荘"
    assert row["filler"] is None
    assert row["sent_to"] == "99"
    assert row["wide"] == "00000000000000000002"
    assert village.sent(FIRST)[person(5001)]["whole_address"] == "合成県合成市一丁目"


def test_an_item_of_a_household_is_carried(foreign: Foreign) -> None:
    def change(root: Path) -> None:
        named(root, "ward")
        edit(root, "household_extract", lambda rows: [*rows, item("ward", "文字", 60)])
        edit(root, HOUSEHOLD, lambda rows: [*rows, item("ward", "英数", 10)])

    village = foreign(change)
    village.households[home(1)]["ward"] = "N1"
    sent(village, FIRST)
    assert village.sent(FIRST, HOUSEHOLD)[home(1)]["ward"] == "N1"
    village.households[home(1)]["ward"] = "N2"
    sent(village, SECOND)
    assert {n: row["ward"] for n, row in village.sent(SECOND, HOUSEHOLD).items()} == {home(1): "N2"}


LACKING = [
    ("resident_extract", "my_number"),
    ("resident_extract", "relationship"),
    ("insured_extract", "notified_on"),
    ("household_extract", "certificate_symbol"),
]


@pytest.mark.parametrize(("interface", "lacking"), LACKING)
def test_an_extract_without_an_optional_item_is_sent_with_it_blank_if_the_layout_says_so(
    foreign: Foreign, tmp_path: Path, interface: str, lacking: str
) -> None:
    outgoing = HOUSEHOLD if interface == "household_extract" else "eligibility_individual"

    def change(root: Path) -> None:
        edit(root, interface, lambda rows: [row for row in rows if row["id"] != lacking])
        if lacking == "my_number":
            path = root / interface / "2018-04-01/file.toml"
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace("carries_my_number = true", "carries_my_number = false"), encoding="utf-8")
        linted = CliRunner().invoke(main, ["spec", "lint", "--catalogue", str(root)])
        assert f"{lacking}: この項目を持つ抽出がなく" in linted.output
        assert linted.output.startswith("KR-7125 "), linted.output
        edit(root, outgoing, lambda rows: [row | ({"値の元": "blank"} if row["id"] == lacking else {}) for row in rows])

    village = foreign(change)
    for rows in (village.residents, village.insured, village.households):
        for row in rows.values():
            row.pop(lacking, None)
    sent(village, FIRST)
    arrived = village.sent(FIRST, outgoing)
    assert len(arrived) == (11 if outgoing == HOUSEHOLD else 12)
    assert {row[lacking] for row in arrived.values()} == {None}


def _with_cells(name: str, cells: dict[str, str], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [row | (cells if row["id"] == name else {}) for row in rows]


def test_what_is_not_kept_is_sent_blank_if_the_layout_says_so(foreign: Foreign, tmp_path: Path) -> None:
    def change(root: Path) -> None:
        for interface, name in LACKING:
            outgoing = HOUSEHOLD if interface == "household_extract" else "eligibility_individual"
            for place, cells in ((interface, {"保存": "しない"}), (outgoing, {"値の元": "blank"})):
                edit(root, place, partial(_with_cells, name, cells))

    village = foreign(change)
    village.residents[person(1)]["my_number"] = str(my_numbers(np.arange(1))[0])
    village.households[home(1)]["certificate_symbol"] = "合成"
    sent(village, FIRST)
    rows = [*village.sent(FIRST).values(), *village.sent(FIRST, HOUSEHOLD).values()]
    assert len(rows) == 23
    assert {row.get(name) for row in rows for _, name in LACKING} == {None}


def test_an_extract_without_name_kana_goes_out_with_what_the_layout_takes_instead(foreign: Foreign) -> None:
    """氏名カナ is 必須 in the file: without it in the extract the layout must say from where it comes."""

    def change(root: Path) -> None:
        named(root, "kana_of_the_town")
        edit(root, "resident_extract", lambda rows: [row for row in rows if row["id"] != "name_kana"])
        edit(root, "resident_extract", lambda rows: [*rows, item("kana_of_the_town")])
        source = {"値の元": "item(kana_of_the_town)"}
        edit(
            root,
            "eligibility_individual",
            lambda rows: [row | (source if row["id"] == "name_kana" else {}) for row in rows],
        )

    village = foreign(change)
    for row in village.residents.values():
        row["kana_of_the_town"] = "ゴウセイ　マチ"
    sent(village, FIRST)
    assert {row["name_kana"] for row in village.sent(FIRST).values()} == {"ゴウセイ　マチ"}


def test_values_are_normalised_on_the_way_out(foreign: Foreign) -> None:
    def change(root: Path) -> None:
        cells = {"属性": "カナ半", "正規化": "half_width"}
        types = root / "types.csv"
        rows = read(types)
        write(
            types,
            [*rows, rows[0] | {"属性": "カナ半", "正規表現": r"[\x{FF61}-\x{FF9F} ]*", "日付形式": "", "詰め方": ""}],
        )
        edit(
            root,
            "eligibility_individual",
            lambda rows: [row | (cells if row["id"] == "name_kana" else {}) for row in rows],
        )

    village = foreign(change)
    sent(village, FIRST)
    assert {row["name_kana"] for row in village.sent(FIRST).values()} == {"ｺﾞｳｾｲ ｶﾅ"}
    sent(village, SECOND)
    assert village.sent(SECOND) == {}
