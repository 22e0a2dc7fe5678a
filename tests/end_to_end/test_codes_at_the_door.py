"""Codes that no other test provokes through a public door: what the Union may answer, and settings that are wrong.

One town lives two days, and the extracts of two more lie ready; then commands are run, as an operator or a schedule runs them.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from fixtures.torture.town import Town, town
from fixtures.world import OURS
from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.naming import file_name

SENT, ANSWERED = "sent", "answered"
NUMBERS = count(11)
IN_THE_NIGHT_SECONDS = 3600.0


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("codes") / "town", persons=300, sealed=False) as place:
        place.world.live(place.days[0])
        place.must(*place.day_out(0))
        place.save(SENT)
        place.world.night(place.days[0])
        place.must(*place.day_in(0))
        place.live(1)
        for day in place.days[2:4]:
            place.world.live(day)
        place.save(ANSWERED)
        yield place


@pytest.fixture
def place(lived: Town) -> Town:
    lived.restore(ANSWERED)
    lived.configure()
    return lived


def code_of(place: Town, *arguments: str) -> str:
    (answer,) = place.run(arguments)
    assert answer.status == 2, answer
    return answer.code


def linked(place: Town) -> list[dict[str, str]]:
    """Whom the Union knows, with ids and dates."""
    return list(csv.DictReader(io.StringIO(place.must("linkage", "show"))))


def deliver(place: Town, interface: str, rows: list[dict[str, object]], catalogue: Path = DEFAULT_ROOT) -> str:
    """The Union leaves one more file about the second day; gives its name."""
    day = place.days[1]
    specification = load_catalogue(catalogue).in_force(interface, day)
    header: dict[str, object] = {
        "municipality_code": OURS.code, "insurer_number": OURS.insurer_number, "prefecture_code": "99",
        "media_kind": "transmission", "created_on": day, "file_number": f"{next(NUMBERS):06d}",
    }  # fmt: skip
    kinds = {item.id: pl.Date() if item.type.is_date else pl.String() for item in specification.data.items}
    used = {name: kind for name, kind in kinds.items() if any(name in row for row in rows)}
    encoded = codec.compose(specification, day, pl.DataFrame(rows, schema=used), header)
    assert encoded.problems.is_empty()
    path = place.union / OURS.code / "from_union" / file_name(specification, header)
    path.write_bytes(encoded.data)
    night = time.time() - IN_THE_NIGHT_SECONDS
    os.utime(path, (night, night))
    return path.name


def asked(place: Town, number: int = 1) -> dict[str, set[str]]:
    """The codes that are to be asked about a day, by 宛名番号."""
    found = json.loads(place.must("linkage", "discrepancies", "--date", place.days[number].isoformat(), "--json"))
    codes: dict[str, set[str]] = {}
    for row in found:
        codes.setdefault(row["resident_number"], set()).add(row["code"])
    return codes


def date(text: str, days: int = 0) -> dt.date:
    return dt.date.fromisoformat(text) + dt.timedelta(days=days)


def test_dates_of_the_union_that_do_not_fit_are_asked_about(place: Town) -> None:
    known = [row for row in linked(place) if row["applied_on"]]
    running = [row for row in known if not row["ended_on"] and date(row["applied_on"]) < dt.date(2026, 1, 1)]
    ended = [row for row in known if row["ended_on"]]
    other_start, other_end, unsound, lost = running[:4]
    (early,) = ended[:1]

    def record(row: dict[str, str], **other: object) -> dict[str, object]:
        dates = {name: date(row[name]) if row[name] else None for name in ("acquired_on", "applied_on", "ended_on")}
        ids = {"resident_number": row["resident_number"], "municipal_insured_id": row["municipal_insured_id"]}
        same: dict[str, object] = {**ids, **dates, "acquisition_reason": "moved_in", "judgement": "sound"}
        return same | other

    lost_before_the_end = {"lost_on": date(early["ended_on"], -1), "loss_reason": "moved_out"}
    rows = [
        record(early, **lost_before_the_end),
        record(other_start, applied_on=date(other_start["applied_on"], 1)),
        record(other_end, ended_on=dt.date(2026, 4, 1), lost_on=dt.date(2026, 4, 1), loss_reason="moved_out"),
        record(unsound, judgement="overlap"),
        record(lost, lost_on=dt.date(2026, 4, 1), loss_reason="moved_out"),
        record(lost) | {"resident_number": "999999999999999"},
    ]
    deliver(place, "acquisition_loss_linkage", rows)
    place.run(place.day_in(1))
    codes = asked(place)
    for row, code in (
        (early, "KR-8103"), (other_start, "KR-8104"), (other_end, "KR-8105"), (unsound, "KR-8106"),
        (lost, "KR-8107"), ({"resident_number": "999999999999999"}, "KR-8101"),
    ):  # fmt: skip
        assert code in codes[row["resident_number"]], code


def test_an_order_of_dates_that_a_layout_does_not_demand_is_asked_about(place: Town) -> None:
    layout = "acquisition_loss_linkage/2018-04-01/data.csv"
    with_catalogue(place, (layout, "not_before(applied_on)", ""), (layout, "not_before(acquired_on)", ""))
    turned, late = [row for row in linked(place) if row["applied_on"] and not row["ended_on"]][:2]

    def record(row: dict[str, str], acquired: int, ended: dt.date | None) -> dict[str, object]:
        began = date(row["applied_on"])
        ids = {"resident_number": row["resident_number"], "municipal_insured_id": row["municipal_insured_id"]}
        dates = {"acquired_on": began + dt.timedelta(days=acquired), "applied_on": began, "ended_on": ended}
        return {**ids, **dates, "acquisition_reason": "moved_in", "judgement": "sound"}

    rows = [record(turned, 0, date(turned["applied_on"], -1)), record(late, 1, None)]
    deliver(place, "acquisition_loss_linkage", rows, place.folder / "catalogue")
    place.run(place.day_in(1))
    codes = asked(place)
    assert "KR-8121" in codes[turned["resident_number"]]
    assert "KR-8102" in codes[late["resident_number"]]


def test_ids_of_the_union_that_do_not_fit_are_asked_about(place: Town) -> None:
    known = [row for row in linked(place) if row["municipal_insured_id"]]
    taken, twice, also_twice, renamed, owner, sharing, moved = known[:7]
    new = iter(f"9900{number:08d}" for number in range(1, 9))

    def record(row: dict[str, str], **other: object) -> dict[str, object]:
        ids = {name: row[name] for name in ("resident_number", "municipal_insured_id", "prefecture_insured_id")}
        return {**ids, "assigned_on": place.days[1], **other}

    same, former = next(new), renamed["municipal_insured_id"]
    deliver(
        place,
        "municipal_id_linkage",
        [
            record(taken, municipal_insured_id=owner["municipal_insured_id"]),
            record(twice, municipal_insured_id=same),
            record(also_twice, municipal_insured_id=same),
            record(renamed, municipal_insured_id=next(new)),
            record(sharing, prefecture_insured_id=owner["prefecture_insured_id"]),
        ],
    )
    place.run(place.day_in(1))
    # What was `renamed`'s once is somebody else's now.
    deliver(place, "municipal_id_linkage", [record(moved, municipal_insured_id=former)])
    place.run(place.day_in(1))
    codes = asked(place)
    for row, code in (
        (taken, "KR-8108"), (twice, "KR-8109"), (also_twice, "KR-8109"), (renamed, "KR-8110"), (sharing, "KR-8119"),
        (sharing, "KR-8120"), (moved, "KR-8118"),
    ):  # fmt: skip
        assert code in codes[row["resident_number"]], code


def test_the_unions_questions_are_passed_on(place: Town) -> None:
    first, second = [row["resident_number"] for row in linked(place) if row["municipal_insured_id"]][:2]
    deliver(
        place,
        "verification_list",
        [
            {"resident_number": first, "verification_kind": "different_my_number", "detected_on": place.days[1],
             "my_number_registered_on": place.days[0]},
            {"resident_number": second, "verification_kind": "blank_my_number", "detected_on": place.days[1]},
        ],
    )  # fmt: skip
    stranger = {"sent_file_name": "KRKOJ_999997_20260401_000009.csv", "sent_record_count": "1"}
    deliver(place, "reception_result", [{**stranger, "reception_kind": "accepted"}])
    place.run(place.day_in(1))
    codes = asked(place)
    assert (codes[first], codes[second], codes[""]) == ({"KR-8111"}, {"KR-8112"}, {"KR-8115"})


def test_who_has_no_id_yet_is_asked_about(place: Town) -> None:
    place.restore(SENT)
    assert {"KR-8113"} in asked(place, 0).values()


def test_a_file_whose_name_has_an_impossible_date_is_kept_apart(place: Town) -> None:
    name = deliver(place, "verification_list", [])
    folder = place.union / OURS.code / "from_union"
    (folder / name).rename(folder / name.replace("20260402", "20260431"))
    place.run(place.day_in(1))
    (entry,) = [one for one in json.loads(place.must("ledger", "list", "--json")) if one["state"] == "quarantined"]
    assert "KR-7304" in place.must("quarantine", "show", str(entry["id"]))


def test_a_file_of_an_interface_that_is_switched_off_is_kept_apart(place: Town) -> None:
    deliver(place, "verification_list", [])
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text('switched_off_interfaces = ["verification_list"]\n' + settings, encoding="utf-8")
    place.run(place.day_in(1))
    (entry,) = [one for one in json.loads(place.must("ledger", "list", "--json")) if one["state"] == "quarantined"]
    assert "KR-7303" in place.must("quarantine", "show", str(entry["id"]))


def test_a_recalled_day_below_a_later_one_is_refused(place: Town) -> None:
    # The first two days are accepted; the third is sent, and then the fourth.
    for number in (2, 3):
        place.must(*place.day_out(number))
    assert (
        code_of(place, "ledger", "recall", "--date", place.days[2].isoformat(), "--reason", "氏名の誤り") == "KR-6136"
    )


def test_a_baseline_that_is_not_the_one_that_was_sent_stops_the_day(place: Town) -> None:
    tables = place.data / "assets" / "sent_households"
    shutil.copy(tables / f"{place.days[0]}.parquet", tables / f"{place.days[1]}.parquet")
    assert code_of(place, *place.day_out(2)) == "KR-7213"


def test_a_damaged_table_is_named(place: Town) -> None:
    table = place.data / "assets" / "sent_people" / f"{place.days[1]}.parquet"
    table.write_bytes(table.read_bytes()[:100])
    assert code_of(place, *place.day_out(2)) == "KR-7114"


def with_catalogue(place: Town, *changes: tuple[str, str, str]) -> None:
    """The deployment takes a catalogue of its own. A change: a file, a text in it, and what stands in its place."""
    root = place.folder / "catalogue"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(DEFAULT_ROOT, root)
    for name, old, new in changes:
        text = (root / name).read_text(encoding="utf-8-sig")
        assert old in text, name
        (root / name).write_text(text.replace(old, new), encoding="utf-8-sig" if name.endswith("csv") else "utf-8")
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(f'catalogue_folder = "{root}"\n{settings}', encoding="utf-8")


def test_a_file_name_that_asks_for_what_nobody_knows_stops(place: Town) -> None:
    name = "household_{municipality_code}_{processed_on}"
    with_catalogue(place, ("household_extract/2018-04-01/file.toml", name, f"{name}_{{certificate_number}}"))
    assert code_of(place, *place.day_out(2)) == "KR-7105"


def test_a_table_of_the_catalogue_that_is_gone_is_named(place: Town) -> None:
    with_catalogue(place)
    (place.folder / "catalogue" / "retention" / "stores.csv").unlink()
    assert code_of(place, "retention", "run", "--dry-run") == "KR-7101"


def test_criteria_that_cannot_be_read_are_found_by_lint(place: Town) -> None:
    with_catalogue(place, ("continuity/criteria.csv", "always", "sometimes"))
    (linted,) = place.run(["spec", "lint"])
    assert (linted.status, "KR-7108" in linted.out + linted.err) == (1, True)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("municipality_code =", "municipality_code", "KR-6002"),
        ('municipality_code = "', 'municipality_code = "1', "KR-6003"),
        ("[sftp]\n", "[alerts]\n", "KR-6003"),
        ("[sealing]", "[sealing]", "KR-6005"),
    ],
)
def test_settings_that_are_wrong_are_named(place: Town, old: str, new: str, code: str) -> None:
    if code == "KR-6005":
        (place.folder / "union.pem").write_text("これは証明書ではない", encoding="utf-8")
        place.settings.write_text(
            place.settings.read_text(encoding="utf-8") + '[sealing]\npartner_certificates = ["union.pem"]\n', "utf-8"
        )
    text = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert code_of(place, *place.day_in(1)) == code


def test_without_a_server_in_the_settings_nothing_is_sent(place: Town) -> None:
    before, _, _ = place.settings.read_text(encoding="utf-8").partition("[sftp]")
    place.settings.write_text(before, encoding="utf-8")
    assert code_of(place, *place.day_in(1)) == "KR-6004"


def test_a_report_of_another_kind_is_refused(place: Town) -> None:
    report = ("audit", "report", "--month", "2026-04", "--to", str(place.folder / "report.pdf"))
    assert code_of(place, *report) == "KR-6404"
