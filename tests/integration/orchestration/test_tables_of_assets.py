"""The assets and their tables: each that stores one has a model, Dagster shows its columns, and what runs store conforms."""

from __future__ import annotations

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
from pipelines.orchestration.assets.receiving import RECEIVED
from pipelines.storage.tables import Store
from pipelines.tables.registry import TABLES, stored_tables
from tests.support.deployment import fill
from tests.support.monthly_desk import Desk, prepared
from tests.support.servers import OpenSshServer
from tests.support.town import DAY, Town

MONTH = ("--month", "2026-04")
STORED = stored_tables(load_catalogue())
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
    assert set(specs()) - {RECEIVED, ANSWERED} == set(STORED)
    assert set(TABLES) <= set(STORED)


def test_dagster_shows_the_columns_of_every_table() -> None:
    for asset, spec in specs().items():
        if asset in (RECEIVED, ANSWERED):
            continue
        shown = spec.metadata["dagster/column_schema"]
        columns = shown.schema if isinstance(shown, dg.TableSchemaMetadataValue) else shown
        assert [(one.name, one.type) for one in columns.columns] == [
            (name, str(kind)) for name, kind in STORED[asset].model.dtypes().items()
        ]
        assert all((one.description or "").endswith(("（平文）", "暗号化）")) for one in columns.columns), asset
    people = {one.name: one.description for one in specs()["sent_people"].metadata["dagster/column_schema"].columns}
    assert people["name"] == "氏名（暗号化）"
    assert people["applied_on"] == "適用開始年月日。市町村が事務を行う期間の始まり（平文）"
    numbers = {one.name: one.description for one in specs()["my_numbers"].metadata["dagster/column_schema"].columns}
    assert numbers["my_number"] == "個人番号。12桁（個人番号の鍵で暗号化）"


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
