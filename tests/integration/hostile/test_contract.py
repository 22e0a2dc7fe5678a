"""Every item of every layout that the program knows, removed, renamed and added: lint tells it, or a day still runs right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from interfaces.catalogue import Catalogue
from interfaces.contract import MY_NUMBER, NEEDED, contract
from interfaces.contract_lint import lint_contract, unused_items
from interfaces.spec import Call, Item, Record, Specification
from pipelines.cli import main
from schemas.rules.relations import RELATIONS
from tests.support.servers import OpenSshServer
from tests.support.versions import copied, edit, item, named, removed
from tests.support.village import HOUSEHOLD, INDIVIDUAL, Village, home, person

EXTRACTS = ("resident_extract", "insured_extract", "household_extract")
OUTGOING = (INDIVIDUAL, HOUSEHOLD, "continuity_instruction", "high_cost_history", "income_class")
DAY = dt.date(2026, 4, 1)


class Mutable:
    """The shipped catalogue in memory, of which one version at a time is another."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()

    def told(self, interface: str, items: tuple[Item, ...]) -> set[str]:
        """The codes that lint gives when the data records of an interface have these items."""
        (shipped,) = self.catalogue.versions(interface)
        data = shipped.data

        def changed(record: Record) -> Record:
            return replace(record, items=items) if record is data else record

        versions = self.catalogue._versions
        versions[interface] = [replace(shipped, records=tuple(map(changed, shipped.records)))]
        try:
            return {fault.code for fault in lint_contract(self.catalogue, RELATIONS)}
        finally:
            versions[interface] = [shipped]


@pytest.fixture(scope="module")
def mutable() -> Mutable:
    return Mutable()


def known(mutable: Mutable) -> list[Specification]:
    """The layouts that the program needs something of."""
    found = [mutable.catalogue.versions(interface)[0] for interface in mutable.catalogue.ids() if contract(interface)]
    assert len(found) == 17
    return found


def without(items: tuple[Item, ...], gone: Item) -> tuple[Item, ...]:
    return tuple(item for item in items if item is not gone)


def renamed(items: tuple[Item, ...], old: Item) -> tuple[Item, ...]:
    return tuple(replace(item, id="something_else") if item is old else item for item in items)


def test_no_item_that_the_program_needs_can_be_removed_or_renamed(mutable: Mutable) -> None:
    for specification in known(mutable):
        needed = {of.id for of in contract(specification.id).values() if of.use == NEEDED}
        assert needed <= specification.data.by_id.keys()
        for each in specification.data.items:
            for items in (without(specification.data.items, each), renamed(specification.data.items, each)):
                told = mutable.told(specification.id, items)
                assert ("KR-7124" in told) == (each.id in needed), (specification.id, each.id, told)


def test_no_outgoing_item_is_filled_from_nowhere(mutable: Mutable) -> None:
    for interface in OUTGOING:
        (shipped,) = mutable.catalogue.versions(interface)
        items = shipped.data.items
        for each in items:
            by_rule = each.constant is not None or each.rule("record_sequence") is not None
            # Under another id only a constant and a number of the record are filled as before.
            assert ("KR-7125" in mutable.told(interface, renamed(items, each))) == (not by_rule), (interface, each.id)
        added = replace(items[-1], id="something_more", rules=())
        assert "KR-7125" in mutable.told(interface, (*items, added))
        assert mutable.told(interface, (*items, replace(added, value_from=Call("blank"), required="任意"))) == set()


def test_no_item_of_an_extract_goes_missing_without_a_word(mutable: Mutable) -> None:
    """What an outgoing file takes of an extract is told when it is gone; everything else is used nowhere."""
    idle = {
        (fault.place.split("/")[0], name)
        for fault in unused_items(mutable.catalogue)
        for name in fault.text.split("・")
    }
    of_every_row = {"municipality_code", "processed_on"}
    for interface in EXTRACTS:
        (shipped,) = mutable.catalogue.versions(interface)
        for each in shipped.data.items:
            told = mutable.told(interface, without(shipped.data.items, each))
            untold = (
                (interface, each.id) in idle
                or each.id in of_every_row
                or (
                    # 異動年月日 of a person may come from the household too.
                    (interface, each.id) == ("insured_extract", "changed_on")
                )
            )
            assert bool(told) == (not untold), (interface, each.id, told)


def test_an_item_that_is_not_kept_is_told_like_one_that_is_gone(mutable: Mutable) -> None:
    for interface in EXTRACTS:
        (shipped,) = mutable.catalogue.versions(interface)
        items = shipped.data.items
        for each in items:
            unkept = tuple(replace(item, is_kept=False) if item is each else item for item in items)
            gone = mutable.told(interface, without(items, each))
            assert gone <= mutable.told(interface, unkept), (interface, each.id)


WRONG = {
    "no such call": ("copied(name)", "copied という書き方はありません"),
    "too few values": ("part(name,1)", "part の値は3個です"),
    "no such item": ("item(nowhere)", "nowhere を持つ抽出がありません"),
    "which of two": ("item(address)", "resident_extract.address・household_extract.address のどれか"),
    "no such header": ("header(weather)", "weather はありません"),
    "no such separator": ("joined(comma,name,name_kana)", "区切り comma は使えません"),
    "place that is none": ("part(name,0,2)", "開始と文字数は1以上の整数です"),
    "no such table": ("translated(sex,nowhere)", "コード表 nowhere がありません"),
    "個人番号": ("item(my_number)", "個人番号からは作れません"),
    "a code into a text": ("item(sex)", "送付の項目にもコード表が要ります"),
    "a day into a text": ("item(born_on)", "から 英数 は作れません"),
}


def linted(root: Path) -> str:
    return CliRunner().invoke(main, ["spec", "lint", "--catalogue", str(root)]).output


@pytest.mark.parametrize("wrong", WRONG)
def test_a_source_that_cannot_be_carried_out_is_told(tmp_path: Path, wrong: str) -> None:
    call, text = WRONG[wrong]
    root = copied(tmp_path / "catalogue")
    named(root, "further")
    edit(root, INDIVIDUAL, lambda rows: [*rows, item("further", "英数", 40, 値の元=call)])
    output = linted(root)
    assert "KR-7126 eligibility_individual/2018-04-01/data.csv 項番31 further 値の元: " in output
    assert text in output
    assert "誤り1件" in output


def test_what_is_needed_is_told_with_its_place(tmp_path: Path) -> None:
    root = copied(tmp_path / "catalogue")
    edit(root, "insured_extract", lambda rows: [row for row in rows if row["id"] != "household_number"])
    output = linted(root)
    assert "KR-7124 insured_extract/2018-04-01: プログラムに要る項目 household_number がありません" in output
    assert (
        "KR-7128 insured_extract/2018-04-01 relations: every_insured_has_household(household_extract) に要る" in output
    )
    assert "renkei explain" not in output


def test_an_item_that_nothing_uses_is_named_and_is_no_fault(tmp_path: Path) -> None:
    root = copied(tmp_path / "catalogue")
    named(root, "further")
    edit(root, "insured_extract", lambda rows: [*rows, item("further")])
    output = linted(root)
    assert "KR-7127 insured_extract/2018-04-01: further（使わない項目）" in output
    assert "誤り0件" in output
    edit(root, INDIVIDUAL, lambda rows: [*rows, item("further", "漢字")])
    assert "insured_extract" not in linted(root)


def optional(mutable: Mutable, interface: str) -> Iterator[str]:
    """The items of an outgoing file that lint lets go and that nothing else in the file names."""
    (shipped,) = mutable.catalogue.versions(interface)
    named_by = {argument for each in shipped.data.items for call in each.rules for argument in call.arguments}
    conditions = " ".join(each.required for each in shipped.data.items)
    for each in shipped.data.items:
        is_named = each.id in named_by or each.id in conditions
        if each.constant is not None or each.id == MY_NUMBER or is_named:
            continue
        if not mutable.told(interface, without(shipped.data.items, each)):
            yield each.id


def test_a_day_runs_right_without_every_item_that_lint_lets_go(
    mutable: Mutable, tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    root = copied(tmp_path / "catalogue")
    gone = {interface: set(optional(mutable, interface)) for interface in (INDIVIDUAL, HOUSEHOLD)}
    assert all(len(items) > 5 for items in gone.values())
    for interface, items in gone.items():
        edit(root, interface, removed(*items))
    village = Village(tmp_path, openssh_server, f'catalogue_folder = "{root}"\n')
    assert "誤り0件" in village.cli("spec", "lint").output
    village.catalogue = Catalogue(root)
    village.add(1, 1, 2)
    village.fill()
    done = village.send(DAY)
    assert done.exit_code == 0, done.output
    individual, household = village.sent(DAY)[person(2)], village.sent(DAY, HOUSEHOLD)[home(1)]
    assert not gone[INDIVIDUAL] & individual.keys() and not gone[HOUSEHOLD] & household.keys()
    assert individual["household_number"] == home(1) and individual["update_kind"] == "added"
    assert household["household_number"] == home(1) and household["update_kind"] == "added"
