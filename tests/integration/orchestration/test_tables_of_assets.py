"""The assets and their tables: each that stores one has a model, Dagster shows its columns, and what runs store conforms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from fixtures.monthly_defects import SOUND
from interfaces.catalogue import load_catalogue
from pipelines.definitions import defs
from pipelines.eligibility import daily
from pipelines.orchestration.assets.clerks import ANSWERED
from pipelines.orchestration.assets.outside import systems
from pipelines.orchestration.assets.receiving import RECEIVED
from pipelines.storage.tables import Store
from pipelines.tables.eligibility import HouseholdExtract, InsuredExtract, ResidentExtract
from pipelines.tables.registry import TABLES, stored_tables
from tests.support.deployment import fill
from tests.support.monthly_desk import Desk, prepared
from tests.support.servers import OpenSshServer
from tests.support.town import DAY, Town

MONTH = ("--month", "2026-04")
OUTSIDE = {system.key.path[-1] for system in systems()}
# Interface files of which a note is stored: their assets show the items of the file.
FILES = {
    *("eligibility_household", "eligibility_individual", "municipal_id_linkage", "acquisition_loss_linkage"),
    *("verification_list", "reception_result", "continuity_instruction", "high_cost_history", "income_class"),
}
STORED = stored_tables(load_catalogue())
REPORT = "morning_report"  # a page and a mail, no table
OF_A_DAY = {"resident_extract", "my_numbers", "people", "withheld_list", "sent_people", "eligibility_dispatch"}
OF_A_MONTH = {
    "benefit_extract",
    "tax_held",
    "income_class",
    "known_income_class",
    "known_high_cost_history",
    "monthly_dispatch",
    "continuity_candidates",
    "continuity_worksheet",
    "continuity_instruction",
    "continuity_result",
    "handover_taken",
    "households_gone",
    "continuity_discrepancies",
    "high_cost_counts",
    "high_cost_months",
}


def specs() -> dict[str, dg.AssetSpec]:
    return {spec.key.path[-1]: spec for spec in defs.resolve_all_asset_specs()}


def test_every_asset_that_stores_a_table_has_its_model_and_no_model_is_without_asset() -> None:
    assert set(specs()) - {RECEIVED, REPORT, ANSWERED} - OUTSIDE == set(STORED)
    assert set(TABLES) <= set(STORED)


def columns(asset: str) -> list[dg.TableColumn]:
    shown = specs()[asset].metadata["dagster/column_schema"]
    return list((shown.schema if isinstance(shown, dg.TableSchemaMetadataValue) else shown).columns)


def test_dagster_shows_the_columns_of_every_table() -> None:
    for asset in STORED:
        if asset in FILES:
            continue
        shown = columns(asset)
        assert [(one.name, one.type) for one in shown] == [
            (name, str(kind)) for name, kind in STORED[asset].model.dtypes().items()
        ]
        assert all("平文）" in (one.description or "") or "暗号化）" in (one.description or "") for one in shown), asset
    people = {one.name: one.description for one in columns("sent_people")}
    assert people["name"] == "氏名（個人情報・暗号化） 元: resident_extract.name"
    assert people["applied_on"] == (
        "適用開始年月日。市町村が事務を行う期間の始まり（公開・平文） 元: insured_extract.applied_on"
    )
    numbers = {one.name: one.description for one in columns("my_numbers")}
    assert numbers["my_number"] == "個人番号。12桁（個人番号・個人番号の鍵で暗号化） 元: my_numbers.my_number"


def test_dagster_shows_the_items_of_a_file_and_not_the_note_that_is_stored_of_it() -> None:
    catalogue = load_catalogue()
    for asset in FILES:
        items = catalogue.versions(asset)[-1].data.items
        shown = columns(asset)
        assert [(one.name, one.type) for one in shown] == [(item.id, item.type.id) for item in items]
        for one, item in zip(shown, items, strict=True):
            assert (one.description or "").startswith(
                f"{item.name}（{catalogue.dictionary[item.id].sensitivity}） 元: "
            )
    sent = {one.name: one.description for one in columns("eligibility_individual")}
    assert sent["my_number"] == "個人番号（個人番号） 元: my_numbers.my_number"
    assert sent["name_kana"] == "氏名カナ（個人情報） 元: resident_extract.name_kana"
    assert sent["processed_on"] == "処理年月日（公開） 元: 処理年月日"


def lineage(asset: str) -> dict[str, list[tuple[str, str]]]:
    """The direct sources of every column, as Dagster's metadata has them."""
    shown = specs()[asset].metadata["dagster/column_lineage"]
    found = (shown.column_lineage if isinstance(shown, dg.TableColumnLineageMetadataValue) else shown).deps_by_column
    return {name: [(one.asset_key.path[-1], one.column_name) for one in deps] for name, deps in found.items()}


def test_every_column_comes_from_somewhere_upstream() -> None:
    graph = defs.resolve_asset_graph()
    for asset in STORED:
        upstream = {key.path[-1] for key in graph.get_ancestor_asset_keys(dg.AssetKey(asset))}
        known = lineage(asset)
        for column in columns(asset):
            assert not (column.description or "").endswith("元: —"), (asset, column.name)
            for source, own in known.get(column.name, []):
                assert source in upstream, (asset, column.name, source)
                assert source in OUTSIDE or own in {one.name for one in columns(source)}, (
                    asset,
                    column.name,
                    source,
                    own,
                )
        table = specs()[asset].metadata["項目対応表"].value
        assert [line.split("|")[1] for line in table.splitlines()[2:]] == [f"`{one.name}`" for one in columns(asset)]


ON = dt.date(2026, 4, 1)
BEGAN, ENDS = dt.date(2020, 4, 1), dt.date(2026, 3, 1)
EXTRACTS = {
    "resident_extract": ResidentExtract,
    "insured_extract": InsuredExtract,
    "household_extract": HouseholdExtract,
}


def register(changed: str = "", column: str = "") -> dict[str, pl.DataFrame]:
    """A small town, and the register of it. changed, column: of this extract, whose value is another one in every row."""
    rows: dict[str, list[dict[str, object]]] = {
        "resident_extract": [{"resident_number": str(n), "name": f"合成　{n}"} for n in (1, 2, 3, 4)],
        "insured_extract": [
            {"resident_number": "1", "household_number": "91", "applied_on": BEGAN, "changed_on": BEGAN},
            {"resident_number": "2", "household_number": "92", "applied_on": BEGAN, "changed_on": None},
            {"resident_number": "4", "household_number": "93", "applied_on": BEGAN, "ended_on": ENDS},
        ],
        "household_extract": [
            {"household_number": "91", "head_resident_number": "1", "nominal_head": "no", "changed_on": BEGAN},
            {"household_number": "92", "head_resident_number": "3", "nominal_head": "yes", "changed_on": BEGAN},
            {"household_number": "93", "head_resident_number": "4", "nominal_head": "no", "changed_on": BEGAN},
        ],
    }
    tables = {name: model.of(rows[name]) for name, model in EXTRACTS.items()}
    if changed:
        table = tables[changed]
        text = "yes" if column == "nominal_head" else "変"
        new = pl.lit(ENDS) if table.schema[column] == pl.Date else pl.lit(text)
        tables[changed] = table.with_columns(new.alias(column).cast(table.schema[column]))
    return dict(zip(("people", "households"), daily.snapshot_of(tables, ON, load_catalogue()), strict=True))


@pytest.mark.parametrize("extract", EXTRACTS)
def test_a_column_that_changes_changes_no_other_columns_than_those_that_name_it(extract: str) -> None:
    """Not keys: who has another key is another person. Of those only who are in the register either way."""
    before = register()
    seen = 0
    for column in EXTRACTS[extract].names():
        if column in ("resident_number", "household_number", "head_resident_number"):
            continue
        after = register(extract, column)
        for asset, table in after.items():
            key = table.columns[0]
            both = [
                frame.join(other, on=key, how="semi")
                for frame, other in ((before[asset], table), (table, before[asset]))
            ]
            moved = {name for name in table.columns if not both[0][name].equals(both[1][name])}
            named = {name for name, sources in lineage(asset).items() if (extract, column) in sources}
            assert moved <= named, (extract, column, asset, moved - named)
            seen += len(moved)
    assert seen >= len(EXTRACTS[extract].names()) - 4


def conforming(store: Store) -> set[str]:
    """The assets of which a table is stored; each of them is what its model says."""
    found = set()
    for path in store.root.glob("*/*.parquet"):
        found.add(path.parent.name)
        assert STORED[path.parent.name].faults(store.read(path.parent.name, path.stem)) == "", path
    return found


def test_what_a_day_stores_conforms(town: Town) -> None:
    town.extract(DAY)
    assert town.run(DAY).success
    assert town.take_in(DAY, "daily_in").success
    assert town.run(DAY, "daily_watch").success
    assert conforming(town.deployment.environment.store) >= {*OF_A_DAY, "linkage_state", "outstanding"}


@pytest.fixture
def desk(tmp_path: Path, openssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, openssh_server, monkeypatch)


def test_what_a_month_stores_conforms(desk: Desk) -> None:
    prepared(desk)

    def step(name: str) -> None:
        done = desk.run("run", "monthly", *MONTH, "--step", name)
        assert done.exit_code == 0, done.output

    step("out")
    desk.deliver("continuity_candidates", SOUND["continuity_candidates"])
    step("candidates")
    (sheet,) = desk.environment.settings.clerks.glob("*.xlsx")
    assert desk.run("continuity", "import", str(fill(sheet))).exit_code == 0
    step("instruction")
    desk.deliver("continuity_result", SOUND["continuity_result"])
    desk.deliver("high_cost_handover", SOUND["high_cost_handover"])
    step("results")
    assert conforming(desk.environment.store) >= OF_A_MONTH


def test_a_step_that_makes_another_table_stops_the_day(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.extract(DAY)
    snapshot_of: Callable[..., tuple[pl.DataFrame, pl.DataFrame]] = daily.snapshot_of

    def with_a_column_more(*arguments: object) -> tuple[pl.DataFrame, pl.DataFrame]:
        people, households = snapshot_of(*arguments)
        return people.with_columns(count=pl.col("name")), households

    monkeypatch.setattr(daily, "snapshot_of", with_a_column_more)
    result = town.run(DAY)
    assert not result.success
    (failed,) = result.get_step_failure_events()
    said = str(failed.step_failure_data.user_failure_data)
    assert "KR-7120 people の表が" in said and "知らない列 count" in said and "合成" not in said
    assert not town.deployment.environment.store.exists("people", DAY.isoformat())
    assert town.sent() == []
