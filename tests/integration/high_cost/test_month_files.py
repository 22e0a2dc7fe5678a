"""The month's extracts and the files made of them: history with its corrections, income classes, and bad input."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import polars as pl
import pytest

from interfaces import codec
from interfaces.messages import RenkeiError
from pipelines.configuration.calendar import monthly_days
from pipelines.deployment import Environment
from pipelines.exchange.batch import OutboundFile
from pipelines.exchange.ledger.states import EntryState
from pipelines.high_cost import monthly, sending
from pipelines.high_cost.history import still_correctable
from pipelines.tables.continuity import Handovers
from tests.support.deployment import MONTH, benefit, household, opened, refused, send_days, whole, write_extract
from tests.support.entries import DELIVERED, outbound_entry

HOME, OTHER = "000000000000011", "000000000000012"
MAY, JUNE = dt.date(2026, 5, 1), dt.date(2026, 6, 1)
PEOPLE = {
    "resident_number": pl.String,
    "household_number": pl.String,
    "name": pl.String,
    "head_kind": pl.String,
    "born_on": pl.Date,
    "applied_on": pl.Date,
    "application_reason": pl.String,
    "ended_on": pl.Date,
    "end_reason": pl.String,
}


def person(number: str, home: str = HOME, moved: dt.date | None = None) -> tuple[object, ...]:
    return (
        number,
        home,
        "合成　太郎",
        "insured_head",
        dt.date(1980, 1, 1),
        dt.date(2019, 4, 1),
        "moved_in",
        moved,
        "moved_out_prefecture" if moved else None,
    )


def people(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PEOPLE, orient="row")


def tax(number: str, **changes: object) -> dict[str, object]:
    return {
        "resident_number": number,
        "income_year": "2024",
        "declaration_kind": "declared",
        "base_income": "1000000",
        "resident_tax": "taxed",
        "taxable_income": "500000",
        "receipts": "2000000",
        "low_income": "no",
    } | changes


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = opened(tmp_path, switched_off=())
    write_extract(made, "household_extract", [household(HOME), household(OTHER)])
    return made


def extract(environment: Environment, *rows: dict[str, object], month: dt.date = MONTH) -> monthly.Extract:
    write_extract(environment, "benefit_extract", list(rows), month)
    return monthly.read_extract(environment, "benefit_extract", month)


def sent(environment: Environment, month: dt.date, file: OutboundFile | None, known: pl.DataFrame, asset: str) -> None:
    """As if the month's file had reached the Union."""
    environment.store.write(asset, month.isoformat(), known)
    assert file is not None
    before = environment.ledger.effective_baseline(before=month, interfaces={file.interface})
    outbound_entry(
        environment.ledger,
        file.interface,
        month,
        file.file_name,
        DELIVERED,
        operator="試験担当",
        sha256=file.sha256,
        size=file.size,
        records=file.records,
        baseline=before,
    )


def withheld_by(environment: Environment, file: OutboundFile, month: dt.date) -> pl.DataFrame:
    specification = environment.specification(file.interface, month)
    return codec.read(environment.file_store.read(file.path), file.file_name, specification, month).data


def test_the_history_contains_the_twelve_months_up_to_the_move(environment: Environment) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10)), person("2", OTHER)))
    rows = [benefit(HOME, month) for month in ("2025-04", "2025-05", "2026-03", "2026-04")]
    rows += [benefit(HOME, "2026-01", outpatient_only="yes"), benefit(HOME, "2026-02", 0), benefit(OTHER, "2026-03")]
    history = monthly.build_history(environment, MONTH, extract(environment, *rows))
    assert history.file is not None
    table = withheld_by(environment, history.file, MONTH)
    assert table["treatment_month"].to_list() == ["202505", "202603", "202604"]
    assert set(table["household_number"]) == {HOME}
    assert set(table["moved_out_on"]) == {"20260410"}


def test_the_same_extract_makes_the_same_bytes(environment: Environment) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10))))
    benefits = extract(environment, benefit(HOME, "2026-03"), benefit(HOME, "2026-02"))
    first, second = (monthly.build_history(environment, MONTH, benefits) for _ in range(2))
    assert first.file is not None
    assert second.file is not None
    assert first.file.sha256 == second.file.sha256


def test_a_late_correction_is_sent_in_a_later_month(environment: Environment) -> None:
    moved = people(person("1", moved=dt.date(2026, 4, 10)))
    send_days(environment, moved)
    april = monthly.build_history(
        environment, MONTH, extract(environment, benefit(HOME, "2026-02"), benefit(HOME, "2026-03"))
    )
    sent(environment, MONTH, april.file, april.snapshot, "known_high_cost_history")
    send_days(environment, moved, MAY)
    write_extract(environment, "household_extract", [household(HOME)], MAY)
    may = monthly.build_history(
        environment,
        MAY,
        extract(
            environment, benefit(HOME, "2026-02", 0), benefit(HOME, "2026-03"), benefit(HOME, "2026-04"), month=MAY
        ),
    )
    assert may.rows.select("treatment_month", "update_kind").rows() == [
        (dt.date(2026, 2, 1), "withdrawn"),
        (dt.date(2026, 4, 1), "added"),
    ]
    sent(environment, MAY, may.file, may.snapshot, "known_high_cost_history")
    send_days(environment, moved, JUNE)
    write_extract(environment, "household_extract", [household(HOME)], JUNE)
    june = monthly.build_history(
        environment, JUNE, extract(environment, benefit(HOME, "2026-03"), benefit(HOME, "2026-04"), month=JUNE)
    )
    assert june.file is None
    assert june.rows.is_empty()


def reported_in_may(
    environment: Environment, now: pl.DataFrame, *rows: dict[str, object]
) -> list[tuple[str, dt.date, str]]:
    send_days(environment, now, MAY)
    write_extract(environment, "household_extract", [household(HOME), household(OTHER)], MAY)
    may = monthly.build_history(environment, MAY, extract(environment, *rows, month=MAY))
    return may.rows.select("household_number", "treatment_month", "update_kind").rows()


@pytest.fixture
def april_was_sent(environment: Environment) -> Environment:
    """In April one person of HOME moved out, with one month; all others stayed."""
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10)), person("2"), person("3", OTHER)))
    april = monthly.build_history(environment, MONTH, extract(environment, benefit(HOME, "2025-05")))
    sent(environment, MONTH, april.file, april.snapshot, "known_high_cost_history")
    return environment


def test_a_move_that_is_notified_after_its_month_is_reported(april_was_sent: Environment) -> None:
    now = people(person("1", moved=dt.date(2026, 4, 10)), person("2"), person("3", OTHER, dt.date(2026, 4, 28)))
    rows = (benefit(HOME, "2025-05"), benefit(OTHER, "2026-02"))
    assert reported_in_may(april_was_sent, now, *rows) == [(OTHER, dt.date(2026, 2, 1), "added")]


def test_a_first_benefit_that_is_decided_after_the_move_is_reported(environment: Environment) -> None:
    moved = people(person("1", moved=dt.date(2026, 4, 10)), person("3", OTHER, dt.date(2026, 4, 10)))
    send_days(environment, moved)
    april = monthly.build_history(environment, MONTH, extract(environment, benefit(HOME, "2026-02")))
    sent(environment, MONTH, april.file, april.snapshot, "known_high_cost_history")
    rows = (benefit(HOME, "2026-02"), benefit(OTHER, "2026-03"))
    assert reported_in_may(environment, moved, *rows) == [(OTHER, dt.date(2026, 3, 1), "added")]


def test_a_person_withheld_at_the_move_is_reported_once_their_record_is_corrected(environment: Environment) -> None:
    moved = people(person("1", moved=dt.date(2026, 4, 10)), person("3", OTHER, dt.date(2026, 4, 10)))
    send_days(environment, moved)
    faulty = extract(environment, benefit(HOME, "2026-02"), benefit(OTHER, "2026-03", -5))
    april = monthly.build_history(environment, MONTH, faulty)
    assert april.rows["household_number"].to_list() == [HOME]
    sent(environment, MONTH, april.file, april.snapshot, "known_high_cost_history")
    rows = (benefit(HOME, "2026-02"), benefit(OTHER, "2026-03"))
    assert reported_in_may(environment, moved, *rows) == [(OTHER, dt.date(2026, 3, 1), "added")]


def test_a_second_move_withdraws_nothing_of_the_first(april_was_sent: Environment) -> None:
    """2025-05 lies in the twelve months up to April, and not in those up to May."""
    now = people(person("1", moved=dt.date(2026, 4, 10)), person("2", moved=dt.date(2026, 5, 20)), person("3", OTHER))
    rows = (benefit(HOME, "2025-05"), benefit(HOME, "2026-05"))
    assert reported_in_may(april_was_sent, now, *rows) == [(HOME, dt.date(2026, 5, 1), "added")]


def test_persons_who_moved_before_our_first_sending_are_not_reported(environment: Environment) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 3, 31)), person("3", OTHER, dt.date(2026, 4, 1))))
    rows = (benefit(HOME, "2026-02"), benefit(OTHER, "2026-02"))
    april = monthly.build_history(environment, MONTH, extract(environment, *rows))
    assert april.rows["household_number"].to_list() == [OTHER]


def test_a_month_that_was_not_sent_is_carried_by_the_next(environment: Environment) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10))))
    april = monthly.build_history(environment, MONTH, extract(environment, benefit(HOME, "2026-02")))
    environment.store.write("known_high_cost_history", MONTH.isoformat(), april.snapshot)
    moved_later = people(person("1", moved=dt.date(2026, 4, 10)), person("2", OTHER, dt.date(2026, 5, 2)))
    send_days(environment, moved_later, MAY)
    write_extract(environment, "household_extract", [household(HOME), household(OTHER)], MAY)
    may = monthly.build_history(
        environment, MAY, extract(environment, benefit(HOME, "2026-02"), benefit(OTHER, "2026-03"), month=MAY)
    )
    assert may.rows.select("household_number", "update_kind").rows() == [(HOME, "added"), (OTHER, "added")]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (benefit(HOME, "2018-03"), "KR-3007"),
        (benefit(HOME, "2026-05"), "KR-3008"),
        (benefit(HOME, "2026-13"), "KR-2004"),
        (benefit(HOME, "2026-03", -5), "KR-2018"),
        (benefit("000000000000099", "2026-03"), "KR-5006"),
    ],
)
def test_a_bad_benefit_row_withholds_its_household_and_says_why(
    environment: Environment, row: dict[str, object], code: str
) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10)), person("2", OTHER, dt.date(2026, 4, 10))))
    found = extract(environment, row, benefit(HOME, "2026-02"), benefit(OTHER, "2026-02"))
    assert found.findings.filter(pl.col("level") == "record")["code"].to_list() == [code]
    assert found.withheld.to_list() == [row["household_number"]]
    history = monthly.build_history(environment, MONTH, found)
    assert OTHER in history.rows["household_number"]
    assert (HOME in history.rows["household_number"]) is (row["household_number"] != HOME)


def test_what_the_union_knows_of_withheld_households_stays(environment: Environment) -> None:
    moved = people(person("1", moved=dt.date(2026, 4, 10)))
    send_days(environment, moved)
    april = monthly.build_history(
        environment, MONTH, extract(environment, benefit(HOME, "2026-02"), benefit(HOME, "2026-03"))
    )
    sent(environment, MONTH, april.file, april.snapshot, "known_high_cost_history")
    send_days(environment, moved, MAY)
    write_extract(environment, "household_extract", [household(HOME)], MAY)
    bad = extract(environment, benefit(HOME, "2026-02", -1), benefit(HOME, "2026-03"), month=MAY)
    may = monthly.build_history(environment, MAY, bad)
    assert may.rows.is_empty()


def test_a_row_that_names_no_household_stops_the_month(environment: Environment) -> None:
    with pytest.raises(RenkeiError, match="KR-7211"):
        extract(environment, benefit("", "2026-03"), benefit(HOME, "2026-02"))


def test_an_extract_of_another_month_stops(environment: Environment) -> None:
    path = write_extract(environment, "benefit_extract", [benefit(HOME, "2026-03")])
    path.write_bytes(path.read_bytes().replace(b"2026-04-30", b"2026-05-29"))
    with pytest.raises(RenkeiError, match=r"KR-7203 .*KR-4008"):
        monthly.read_extract(environment, "benefit_extract", MONTH)
    path.unlink()
    with pytest.raises(RenkeiError, match="KR-7202"):
        monthly.read_extract(environment, "benefit_extract", MONTH)


def test_days_that_were_not_sent_are_named(environment: Environment) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10))))
    write_extract(environment, "household_extract", [household(HOME)], MAY)
    write_extract(environment, "benefit_extract", [benefit(HOME, "2026-02")], MAY)
    write_extract(environment, "tax_extract", [tax("1")], MAY)
    said = refused(environment, "run", "monthly", "--month", "2026-05", "--step", "out")
    assert re.match(r"KR-7601 .*2026-05-29.*2026-05-01、2026-05-07", said), said
    assert "renkei run daily" in said


def test_a_month_that_was_sent_is_not_made_again_with_other_bytes(environment: Environment) -> None:
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10))))
    april = monthly.build_history(environment, MONTH, extract(environment, benefit(HOME, "2026-02")))
    sent(environment, MONTH, april.file, april.snapshot, "known_high_cost_history")
    with pytest.raises(RenkeiError, match="KR-6111"):
        monthly.build_history(environment, MONTH, extract(environment, benefit(HOME, "2026-03")))


def taxes(environment: Environment, *rows: dict[str, object], month: dt.date = MONTH) -> monthly.Extract:
    write_extract(environment, "tax_extract", list(rows), month)
    return monthly.read_extract(environment, "tax_extract", month)


def test_income_classes_are_sent_for_changes_and_for_everybody_in_august(environment: Environment) -> None:
    two = people(person("000000000000901"), person("000000000000902", OTHER))
    send_days(environment, two)
    own = [tax("000000000000901"), tax("000000000000902", base_income="7000000")]
    april = monthly.build_classes(environment, MONTH, taxes(environment, *own))
    assert april.rows.select("household_number", "income_class_under_70", "update_kind").rows() == [
        (HOME, "class_e", "added"),
        (OTHER, "class_i", "added"),
    ]
    sent(environment, MONTH, april.file, april.snapshot, "known_income_class")
    send_days(environment, two, MAY)
    own[0] = tax(
        "000000000000901",
        declaration_kind="undeclared",
        base_income="",
        resident_tax="",
        taxable_income="",
        receipts="",
        low_income="",
    )
    may = monthly.build_classes(environment, MAY, taxes(environment, *own, month=MAY))
    assert may.rows.select("household_number", "income_class_under_70", "class_from_month", "update_kind").rows() == [
        (HOME, "class_a", "2026-05", "changed")
    ]
    sent(environment, MAY, may.file, may.snapshot, "known_income_class")
    august = dt.date(2026, 8, 1)
    send_days(environment, two, august)
    new_year = [row | {"income_year": "2025"} for row in own]
    found = monthly.build_classes(environment, august, taxes(environment, *new_year, month=august))
    assert found.rows["update_kind"].to_list() == ["changed", "changed"]
    assert found.rows["income_year"].to_list() == ["2025", "2025"]


def test_a_faulty_tax_record_leaves_the_class_as_it_is(environment: Environment) -> None:
    two = people(person("000000000000901"), person("000000000000902", OTHER))
    send_days(environment, two)
    found = monthly.build_classes(
        environment, MONTH, taxes(environment, tax("000000000000901", base_income="-1"), tax("000000000000902"))
    )
    assert found.rows["household_number"].to_list() == [OTHER]
    assert found.without_record == 1


def test_the_cut_off_is_the_unions(environment: Environment) -> None:
    days = monthly_days(environment.catalogue, MONTH)
    assert (days.cut_off, days.candidates_on) == (dt.date(2026, 4, 30), dt.date(2026, 5, 1))
    with pytest.raises(RenkeiError, match="KR-7107"):
        monthly_days(environment.catalogue, dt.date(2035, 1, 1))


def test_months_that_were_handed_over_follow_a_household_that_moves_on(environment: Environment) -> None:
    handed_over = pl.DataFrame(
        {
            "candidate_number": ["000001"],
            "old_municipality_code": ["999989"],
            "old_household_number": ["9"],
            "new_household_number": [HOME],
            "treatment_month": ["2026-02"],
            "update_kind": ["added"],
        }
    )
    environment.store.write("handover_taken", MONTH.isoformat(), whole(Handovers, handed_over))
    send_days(environment, people(person("1", moved=dt.date(2026, 5, 20))), MAY)
    write_extract(environment, "household_extract", [household(HOME)], MAY)
    may = monthly.build_history(environment, MAY, extract(environment, benefit(HOME, "2026-04"), month=MAY))
    assert may.rows.select("treatment_month", "month_source").rows() == [
        (dt.date(2026, 2, 1), "handed_over"),
        (dt.date(2026, 4, 1), "own"),
    ]


def test_a_move_of_two_years_ago_is_no_longer_corrected(environment: Environment) -> None:
    """国保法110条: claims end after two years. What is known of them is then forgotten, not withdrawn."""
    known = pl.DataFrame(
        {
            "household_number": [HOME, OTHER],
            "treatment_month": [dt.date(2024, 3, 1)] * 2,
            "month_source": ["own"] * 2,
            "moved_out_on": [dt.date(2024, 3, 31), dt.date(2024, 4, 1)],
        },
    )
    assert still_correctable(known, MONTH)["household_number"].to_list() == [OTHER]


def test_a_household_that_left_and_came_back_is_a_change_not_an_addition(environment: Environment) -> None:
    send_days(environment, people(person("000000000000901"), person("000000000000902", OTHER)))
    april = monthly.build_classes(
        environment, MONTH, taxes(environment, tax("000000000000901"), tax("000000000000902"))
    )
    sent(environment, MONTH, april.file, april.snapshot, "known_income_class")
    send_days(environment, people(person("000000000000901")), MAY)
    may = monthly.build_classes(
        environment, MAY, taxes(environment, tax("000000000000901", base_income="7000000"), month=MAY)
    )
    sent(environment, MAY, may.file, may.snapshot, "known_income_class")
    send_days(environment, people(person("000000000000901"), person("000000000000902", OTHER)), JUNE)
    back = [tax("000000000000901", base_income="7000000"), tax("000000000000902", base_income="7000000")]
    june = monthly.build_classes(environment, JUNE, taxes(environment, *back, month=JUNE))
    assert june.rows.select("household_number", "update_kind").rows() == [(OTHER, "changed")]


def test_a_file_is_sent_only_with_the_table_that_it_belongs_to(environment: Environment) -> None:
    """The table of another making is what the next month would be compared with."""
    send_days(environment, people(person("1", moved=dt.date(2026, 4, 10))))
    april = monthly.build_history(environment, MONTH, extract(environment, benefit(HOME, "2026-02")))
    made = sending.manifest(environment, MONTH, april.file, april.snapshot)
    environment.store.write("known_high_cost_history", MONTH.isoformat(), april.snapshot.head(0))
    with pytest.raises(RenkeiError, match="KR-7215"):
        sending.send(environment, "high_cost_history", MONTH, made)


def test_a_file_is_not_sent_when_the_union_has_another_month_than_it_was_compared_with(
    april_was_sent: Environment,
) -> None:
    environment = april_was_sent
    now = people(person("1", moved=dt.date(2026, 4, 10)), person("2"), person("3", OTHER, dt.date(2026, 5, 2)))
    send_days(environment, now, MAY)
    write_extract(environment, "household_extract", [household(HOME), household(OTHER)], MAY)
    rows = (benefit(HOME, "2025-05"), benefit(OTHER, "2026-02"))
    may = monthly.build_history(environment, MAY, extract(environment, *rows, month=MAY))
    made = sending.manifest(environment, MAY, may.file, may.snapshot)
    environment.store.write("known_high_cost_history", MAY.isoformat(), may.snapshot)
    (entry,) = environment.ledger.current_entries(MONTH, {"high_cost_history"}).values()
    environment.recorder().transition(entry, EntryState.REJECTED)
    with pytest.raises(RenkeiError, match=r"KR-7214.*2026-04-01"):
        sending.send(environment, "high_cost_history", MAY, made)
