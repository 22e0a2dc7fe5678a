"""A Union's layout may lack whatever the file is not about: it is still applied, with the item blank and no question."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from pathlib import Path

import polars as pl
import pytest

from fixtures.counterpart.delivery import LONG_AGO, leave
from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, Catalogue
from interfaces.lint import lint
from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from interfaces.required_items import ItemsRead
from pipelines.continuity import monthly
from pipelines.continuity.receiving import stored
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import Direction
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.high_cost.income_class import TAXES_READ
from pipelines.linkage import daily
from pipelines.operations.inbound_interfaces import INBOUND, of_step
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from tests.support.applying import apply_daily, apply_monthly, receive_from
from tests.support.deployment import opened, refused, settings_file
from tests.support.entries import DELIVERED, outbound_entry
from tests.support.layouts import exchanged
from tests.support.servers import OpenSshServer

DAY, ENDED = dt.date(2026, 4, 1), dt.date(2026, 3, 20)
NOW = dt.datetime(2026, 5, 7, 7, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
OPEN, OVER = "000000000000001", "000000000000002"
REPORTED = pl.DataFrame(
    {
        "resident_number": [OPEN, OVER],
        "head_kind": ["insured_head", "member"],
        "applied_on": [DAY, DAY.replace(year=2020)],
        "ended_on": [None, ENDED],
        "lost_on": [None, ENDED],
        "application_reason": ["moved_in"] * 2,
        "end_reason": [None, "moved_out"],
    }
)
OURS = "KRKOJ_999997_20260401_000001.csv"
# Two sound records of each file, canonical; both agree with what was sent.
ROWS: dict[str, dict[str, list[object]]] = {
    "municipal_id_linkage": {
        "resident_number": [OPEN, OVER], "municipal_insured_id": ["900000000014", "900000000022"],
        "prefecture_insured_id": ["800000000014", None], "assigned_on": [DAY, DAY],
    },
    "acquisition_loss_linkage": {
        "resident_number": [OPEN, OVER], "municipal_insured_id": ["900000000014", "900000000022"],
        "acquired_on": [DAY, DAY.replace(year=2020)], "acquisition_reason": ["moved_in"] * 2, "lost_on": [None, ENDED],
        "loss_reason": [None, "moved_out"], "applied_on": [DAY, DAY.replace(year=2020)], "ended_on": [None, ENDED],
        "judgement": ["sound"] * 2,
    },
    "reception_result": {
        "sent_file_name": [OURS], "sent_record_count": ["0000012"], "reception_kind": ["accepted"],
        "reception_reason": [None],
    },
    "verification_list": {
        "resident_number": [OPEN], "verification_kind": ["blank_my_number"], "my_number_registered_on": [None],
        "detected_on": [DAY],
    },
    "continuity_result": {
        "candidate_number": ["000001"], "old_municipality_code": ["999989"], "old_household_number": [OPEN],
        "new_municipality_code": ["999997"], "new_household_number": [OVER], "continuity_outcome": ["continued"],
        "moved_on": [DAY], "confirmed_on": [NOW.date()], "high_cost_count": ["01"],
    },
    "high_cost_handover": {
        "candidate_number": ["000001"], "old_municipality_code": ["999989"], "old_household_number": [OPEN],
        "new_household_number": [OVER], "treatment_month": ["2026-03"], "high_cost_count": ["01"],
        "update_kind": ["added"], "handed_over_on": [NOW.date()],
    },
}  # fmt: skip


def without(root: Path, interface: str, *items: str) -> None:
    """A catalogue whose layout of the interface lacks some items, and the rules and conditions that name them."""
    shutil.copytree(DEFAULT_ROOT, root)
    path = root / interface / "2018-04-01" / "data.csv"
    with path.open(encoding="utf-8-sig", newline="") as handle:
        kept = [row for row in csv.DictReader(handle) if row["id"] not in items]
    for number, row in enumerate(kept, 1):
        row["項番"] = str(number)
        row["規則"] = ";".join(
            rule for rule in row["規則"].split(";") if not any(f"({item})" in rule for item in items)
        )
        if any(row["必須"].startswith(f"条件 {item}") for item in items):
            row["必須"] = "任意"
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, kept[0].keys())
        writer.writeheader()
        writer.writerows(kept)


def deployed(folder: Path, interface: str, *items: str) -> Environment:
    without(folder / "catalogue", interface, *items)
    return opened(folder, now=NOW, switched_off=(), more=f'catalogue_folder = "{folder / "catalogue"}"')


def delivered(environment: Environment, interface: str, folder: Path) -> None:
    """The file of `ROWS`, with the items that the layout has."""
    specification = environment.specification(interface, DAY)
    header = environment.monthly_header(DAY, NOW.date()) | {"file_number": "000001"}
    if specification.layout.cycle == "daily":
        header["created_on"] = DAY
    known = {name: kind for name, kind in ROWS[interface].items() if name in specification.data.by_id}
    dates = {name: pl.Date() if name.endswith("_on") else pl.String() for name in known}
    folder.mkdir()
    content = codec.compose(specification, DAY, pl.DataFrame(known, schema=dates), header).data
    leave(folder / file_name(specification, header), content, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    assert arrived.state == "verified", arrived.message


READ: dict[str, ItemsRead] = {registered.id: registered.items for registered in INBOUND.values()} | {
    "tax_extract": TAXES_READ
}
DAILY = [(interface, item) for interface in of_step(None) for item in READ[interface].optional]
MONTHLY = [
    (interface, item) for interface in ("continuity_result", "high_cost_handover") for item in READ[interface].optional
]


@pytest.mark.parametrize(("interface", "item"), DAILY)
def test_a_daily_file_without_the_item_is_applied_and_asks_nothing_new(
    interface: str, item: str, tmp_path: Path
) -> None:
    environment = deployed(tmp_path, interface, item)
    assert lint(environment.catalogue, registered_rules(), NORMALISATIONS) == []
    outbound_entry(environment.ledger, "eligibility_individual", DAY, OURS, DELIVERED, records=12)
    delivered(environment, interface, tmp_path / "union")
    (applied,) = apply_daily(environment, REPORTED)
    records = len(next(iter(ROWS[interface].values())))
    questions = 1 if interface == "verification_list" else 0
    assert (applied.applied_count, applied.rejected_count, applied.discrepancies) == (records, 0, questions)
    linkage = daily.linkage_on(environment, DAY)
    if item in linkage.columns:
        assert linkage[item].null_count() == linkage.height


@pytest.mark.parametrize(("interface", "item"), MONTHLY)
def test_a_monthly_file_without_the_item_is_applied_and_reconciled(interface: str, item: str, tmp_path: Path) -> None:
    environment = deployed(tmp_path, interface, item)
    assert stored(environment, interface, DAY)[item].is_empty()
    delivered(environment, interface, tmp_path / "union")
    (applied,) = apply_monthly(environment)
    assert applied.applied_count == 1
    assert stored(environment, interface, DAY)[item].to_list() == [None]
    assert "KR-8206" not in monthly.reconciled(environment, DAY).discrepancies["code"].to_list()


@pytest.mark.parametrize("interface", READ)
def test_what_a_file_is_about_is_necessary_and_the_stop_names_it(interface: str) -> None:
    read = READ[interface]
    whole = pl.DataFrame(schema=dict.fromkeys((*read.necessary, *read.optional), pl.String))
    assert read.completed(whole).columns == whole.columns
    for item in read.necessary:
        with pytest.raises(RenkeiError, match=rf"KR-7117.*{item}"):
            read.completed(whole.drop(item))


def test_a_necessary_item_that_is_missing_stops_and_nothing_is_applied(
    tmp_path: Path, openssh_server: OpenSshServer
) -> None:
    """Nor is it when the layout has the item again, and the kept file does not fit it."""
    server = openssh_server
    without(tmp_path / "lean", "municipal_id_linkage", "municipal_insured_id")
    more = (
        f'catalogue_folder = "{tmp_path / "lean"}"\n[sftp]\nhost = "{server.host}"\nport = {server.port}\n'
        f'user = "{server.user}"\nprivate_key = "{server.private_key}"\nhost_key = "{server.host_key}"\n'
        f'to_union_folder = "{server.root}/to_union"\nfrom_union_folder = "{server.root}/from_union"\n'
    )
    environment = opened(tmp_path, now=NOW, switched_off=(), more=more)
    delivered(environment, "municipal_id_linkage", tmp_path / "medium")
    receive = ("run", "daily", "--date", DAY, "--only", "in")
    assert "\nKR-7117 " in refused(environment, *receive)
    settings_file(tmp_path, (), more.replace(str(tmp_path / "lean"), str(DEFAULT_ROOT)))
    assert "\nKR-7305 " in refused(environment, *receive)
    assert [entry.state for entry in environment.ledger.entries(direction=Direction.INBOUND)] == ["verified"]


def test_every_item_that_is_read_is_one_of_the_embedded_layout() -> None:
    catalogue = Catalogue(DEFAULT_ROOT)
    inbound = {i for i in exchanged(catalogue) if catalogue.versions(i)[-1].layout.direction == "from_union"}
    # Among the extracts, only the layout of taxes may lack items.
    assert set(READ) == inbound | {"tax_extract"}
    for interface, read in READ.items():
        assert {*read.necessary, *read.optional} <= set(catalogue.versions(interface)[-1].data.by_id)
