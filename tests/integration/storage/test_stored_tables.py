"""Which columns of which table are in plain form on the disk, and what is no table of ours: it is neither written nor read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from pipelines.storage.tables import MY_NUMBER_ASSETS, Store
from pipelines.tables.eligibility import ChangedPeople
from pipelines.tables.registry import stored_tables
from schemas.tables import MY_NUMBER, Records, StoredTable, Table
from tests.support.deployment import opened, renkei
from tests.support.rings import ring

CATALOGUE = load_catalogue()
TABLES = stored_tables(CATALOGUE)
DAY = "2026-04-01"
PERSON = """acquired_on acquisition_reason application_reason applied_on born_on_uncertain changed_on end_reason ended_on
    head_kind loss_reason lost_on next_municipality_code notified_on previous_municipality_code"""
HOUSEHOLD = "changed_on household_applied_on household_ended_on nominal_head"
CONTROL = "data_kind insurer_number municipality_code record_kind record_number"
HANDOVER = (
    f"{CONTROL} candidate_number handed_over_on high_cost_count old_municipality_code treatment_month update_kind"
)
PAIR = "baseline file_name records sha256 size snapshot_sha256 basis_entry_ids"
RECEIVED = "file_name records sha256"
# All that is stored as plaintext. Whoever adds a column here says that no person can be found by it.
PLAINTEXT = {
    "resident_extract": """born_on_uncertain changed_on changed_on_uncertain municipality_code next_municipality_code
        previous_municipality_code processed_on resident_kind resident_state""",
    "insured_extract": """acquired_on acquisition_reason application_reason applied_on changed_on end_reason ended_on
        loss_reason lost_on municipality_code notified_on processed_on""",
    "household_extract": f"{HOUSEHOLD} municipality_code processed_on",
    "my_numbers": "",
    "extract_findings": "code level",
    "extract_faults": "code",
    "people": PERSON,
    "households": HOUSEHOLD,
    "eligibility_changes": f"{PERSON} change_kinds update_kind",
    "withheld_list": f"{PERSON} change_kinds update_kind",
    "build_findings": "code level",
    "eligibility_household": PAIR,
    "eligibility_individual": PAIR,
    "sent_people": f"{PERSON} uncertain",
    "sent_households": f"{HOUSEHOLD} uncertain",
    "sent_my_numbers": "",
    "eligibility_dispatch": "file_name",
    "municipal_id_linkage": RECEIVED,
    "acquisition_loss_linkage": RECEIVED,
    "verification_list": RECEIVED,
    "reception_result": RECEIVED,
    "linkage_state": "acquired_on acquisition_reason applied_on assigned_on ended_on judgement loss_reason lost_on",
    "linkage_discrepancies": "code title",
    "continuity_candidates": f"""{CONTROL} candidate_number head_kind household_municipality_code household_side
        join_reason joined_on leave_reason left_on next_municipality_code""",
    "continuity_result": f"""{CONTROL} candidate_number confirmed_on continuity_outcome high_cost_count moved_on
        new_municipality_code old_municipality_code""",
    "high_cost_handover": HANDOVER,
    "handover_taken": HANDOVER,
    "continuity_worksheet": "candidate_number moved_on old_municipality_code title",
    "continuity_instruction": "file_name",
    "households_gone": "",
    "continuity_discrepancies": "candidate_number code old_municipality_code title",
    "benefit_extract": "decided_on municipality_code outpatient_only processed_on treatment_month",
    "tax_extract": "declaration_kind income_year municipality_code processed_on",
    "withheld_benefits": "",
    "tax_held": "",
    "high_cost_history": "baseline file_name records sha256 size",
    "known_high_cost_history": "month_source moved_out_on treatment_month",
    "income_class": "baseline file_name records sha256 size",
    "known_income_class": "income_class_70_74 income_class_under_70 income_year",
    "monthly_dispatch": "file_name",
    "high_cost_counts": "count is_multiple",
    "high_cost_months": "treatment_month",
    "agreement_differences": "code remedy title",
    "agreement_totals": "code households persons title",
    "outstanding": "age code due_on partition title",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "assets", ring(), TABLES)


def row_of(asset: str) -> pl.DataFrame:
    """A row of an asset's table; of records with every item of the newest layout, but no 個人番号."""
    model = TABLES[asset].model
    kinds = model.dtypes()
    interface = "high_cost_handover" if asset == "handover_taken" else asset
    if issubclass(model, Records) and interface in CATALOGUE.ids():
        items = CATALOGUE.versions(interface)[-1].data.items
        kinds |= {item.id: pl.Date() if item.type.is_date else pl.String() for item in items if item.id != MY_NUMBER}
    values: dict[type[pl.DataType], object] = {
        pl.String: "合成",
        pl.Date: dt.date(2026, 4, 1),
        pl.Boolean: True,
        pl.List: ["合成"],
        **dict.fromkeys((pl.Int32, pl.Int64, pl.UInt32), 7),
    }
    row = {name: values[type(kind)] for name, kind in kinds.items()}
    return pl.DataFrame([row], schema=kinds)


def open_columns(path: Path, columns: list[str]) -> Iterator[str]:
    """The columns that anybody reads who has no key."""
    for name in columns:
        try:
            pq.read_table(path, columns=[name])
        except OSError:
            continue
        yield name


@pytest.mark.parametrize("asset", sorted(TABLES))
def test_only_these_columns_are_stored_in_plain_form(store: Store, asset: str) -> None:
    frame = row_of(asset)
    path = store.write(asset, DAY, frame)
    assert set(open_columns(path, frame.columns)) == set(PLAINTEXT[asset].split())
    assert store.read(asset, DAY).equals(frame)


def test_a_table_with_my_numbers_has_their_key() -> None:
    assert {asset for asset, table in TABLES.items() if MY_NUMBER in table.model.names()} == MY_NUMBER_ASSETS


@pytest.mark.parametrize("name", ["count", "level", "file_name", "records"])
def test_a_column_that_is_public_in_another_table_stays_encrypted_here(tmp_path: Path, name: str) -> None:
    model = type("Own", (Table,), {"__annotations__": {name: pl.String}})
    store = Store(tmp_path / "assets", ring(), {"own": StoredTable(model, CATALOGUE)})
    path = store.write("own", DAY, pl.DataFrame({name: ["合成　太郎"]}))
    assert list(open_columns(path, [name])) == []


def test_a_frame_that_is_not_the_assets_table_is_not_written(store: Store) -> None:
    path = store.write("people", DAY, row_of("people"))
    before = path.read_bytes()
    for other, expected in (
        (row_of("people").drop("name"), "足りない列 name"),
        (row_of("people").with_columns(my_number=pl.lit("123456789018")), "知らない列 my_number"),
        (row_of("people").with_columns(born_on=pl.lit("合成　太郎")), "型の違う列 born_on"),
    ):
        with pytest.raises(RenkeiError, match="KR-7120") as caught:
            store.write("people", DAY, other)
        assert expected in str(caught.value)
        assert "123456789018" not in caught.value.for_people() and "太郎" not in caught.value.for_people()
    assert path.read_bytes() == before


def earlier_version(store: Store) -> None:
    """A 要修正 list as a version of the program wrote it that did not say yet why somebody is withheld."""
    earlier = Store(store.root, ring(), {"withheld_list": StoredTable(ChangedPeople, CATALOGUE)})
    earlier.write("withheld_list", DAY, ChangedPeople.empty())


def test_a_table_of_another_version_is_reported_and_renewing_keys_leaves_it_as_it_is(store: Store) -> None:
    earlier_version(store)
    with pytest.raises(RenkeiError, match="KR-7119"):
        store.read("withheld_list", DAY)
    store.reencrypt("withheld_list", DAY)
    assert store.decrypted("withheld_list", DAY).columns == ChangedPeople.names()


def test_a_command_says_that_a_table_is_of_another_version(tmp_path: Path) -> None:
    environment = opened(tmp_path)
    earlier_version(environment.store)
    result = renkei(environment, "withheld", "--date", DAY)
    assert result.exit_code == 2
    assert result.output.startswith(
        f"KR-7119 withheld_list の {DAY} の表の列が、このプログラムのものと違います（足りない列 faults・reason・codes）"
    )
    assert "もう一度実行" in result.output


def test_an_asset_without_a_model_is_not_written(store: Store) -> None:
    with pytest.raises(RenkeiError, match="KR-7120 unknown の表が"):
        store.write("unknown", DAY, pl.DataFrame({"count": ["合成　太郎"]}))
    assert not store.exists("unknown", DAY)
