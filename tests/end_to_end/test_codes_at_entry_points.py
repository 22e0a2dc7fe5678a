"""Codes that no other test provokes at a public entry point: what the Union may answer, and settings that are wrong.

One town lives two days, and the extracts of two more are ready; then commands are run, as an operator or a schedule runs them.
"""

from __future__ import annotations

import copy
import csv
import datetime as dt
import io
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fixtures.counterpart.seals import SEALED, Seals
from fixtures.torture.town import Town, town
from fixtures.world import OURS
from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from interfaces.naming import file_name
from pipelines.cli import main
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.storage.locks import exclusive_lock
from tests.support.entries import outbound_entry
from tests.support.servers import write_key

SENT, ANSWERED = "sent", "answered"
NUMBERS = count(11)
IN_THE_NIGHT_SECONDS = 3600.0


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("codes") / "town", persons=300, sealed=False) as place:
        place.world.live(place.days[0])
        place.send(0)
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


@pytest.fixture
def desk(place: Town, tmp_path: Path) -> Town:
    """The town in a folder of its own, for commands in this process: that keeps a ledger open, and knows it by its path."""
    moved = copy.copy(place)
    moved.folder = tmp_path / "town"
    moved.data, moved.settings = moved.folder / "data", moved.folder / "renkei.toml"
    for name in ("data", "extracts"):
        shutil.copytree(place.folder / name, moved.folder / name, symlinks=True)
    shutil.copy(place.folder / "data.sent.log", moved.folder)
    moved.configure()
    return moved


def code_of(place: Town, *arguments: str) -> str:
    (answer,) = place.run(arguments)
    assert (answer.status, answer.code != "KR-7701") == (2, True), answer
    return answer.code


def linked(place: Town) -> list[dict[str, str]]:
    """The persons whom the Union knows, with ids and dates."""
    return list(csv.DictReader(io.StringIO(place.must("linkage", "show"))))


def deliver(place: Town, interface: str, rows: list[dict[str, object]], catalogue: Path = DEFAULT_ROOT) -> str:
    """The Union leaves one more file about the second day; gives its name."""
    day = place.days[1]
    specification = load_catalogue(catalogue).in_force(interface, day)
    header: dict[str, object] = {
        "municipality_code": OURS.code,
        "insurer_number": OURS.insurer_number,
        "prefecture_code": "99",
        "media_kind": "transmission",
        "created_on": day,
        "file_number": f"{next(NUMBERS):06d}",
    }
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
    """The codes of a day's questions, by 宛名番号."""
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
        (early, "KR-8103"),
        (other_start, "KR-8104"),
        (other_end, "KR-8105"),
        (unsound, "KR-8106"),
        (lost, "KR-8107"),
        ({"resident_number": "999999999999999"}, "KR-8101"),
    ):
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
    in_use, twice, also_twice, renamed, owner, sharing, moved = known[:7]
    new = iter(f"9900{number:08d}" for number in range(1, 9))

    def record(row: dict[str, str], **other: object) -> dict[str, object]:
        ids = {name: row[name] for name in ("resident_number", "municipal_insured_id", "prefecture_insured_id")}
        return {**ids, "assigned_on": place.days[1], **other}

    same, former = next(new), renamed["municipal_insured_id"]
    deliver(
        place,
        "municipal_id_linkage",
        [
            record(in_use, municipal_insured_id=owner["municipal_insured_id"]),
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
        (in_use, "KR-8108"),
        (twice, "KR-8109"),
        (also_twice, "KR-8109"),
        (renamed, "KR-8110"),
        (sharing, "KR-8119"),
        (sharing, "KR-8120"),
        (moved, "KR-8118"),
    ):
        assert code in codes[row["resident_number"]], code


def test_the_unions_questions_are_passed_on(place: Town) -> None:
    first, second = [row["resident_number"] for row in linked(place) if row["municipal_insured_id"]][:2]
    deliver(
        place,
        "verification_list",
        [
            {
                "resident_number": first,
                "verification_kind": "different_my_number",
                "detected_on": place.days[1],
                "my_number_registered_on": place.days[0],
            },
            {"resident_number": second, "verification_kind": "blank_my_number", "detected_on": place.days[1]},
        ],
    )
    stranger = {"sent_file_name": "KRKOJ_999997_20260401_000009.csv", "sent_record_count": "1"}
    deliver(place, "reception_result", [{**stranger, "reception_kind": "accepted"}])
    place.run(place.day_in(1))
    codes = asked(place)
    assert (codes[first], codes[second], codes[""]) == ({"KR-8111"}, {"KR-8112"}, {"KR-8115"})


def test_a_person_without_an_id_is_asked_about(place: Town) -> None:
    place.restore(SENT)
    assert {"KR-8113"} in asked(place, 0).values()


def test_a_file_whose_name_has_an_impossible_date_is_quarantined(place: Town) -> None:
    name = deliver(place, "verification_list", [])
    folder = place.union / OURS.code / "from_union"
    (folder / name).rename(folder / name.replace("20260402", "20260431"))
    place.run(place.day_in(1))
    (entry,) = [row for row in json.loads(place.must("ledger", "list", "--json")) if row["state"] == "quarantined"]
    assert "KR-7304" in place.must("quarantine", "show", str(entry["id"]))


def test_a_file_of_an_interface_that_is_switched_off_is_quarantined(place: Town) -> None:
    deliver(place, "verification_list", [])
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text('switched_off_interfaces = ["verification_list"]\n' + settings, encoding="utf-8")
    place.run(place.day_in(1))
    (entry,) = [row for row in json.loads(place.must("ledger", "list", "--json")) if row["state"] == "quarantined"]
    assert "KR-7303" in place.must("quarantine", "show", str(entry["id"]))


def test_recalling_a_day_before_a_later_one_is_refused(place: Town) -> None:
    # The first two days are accepted; the third is sent, and then the fourth.
    for number in (2, 3):
        place.must(*place.day_out(number))
    assert (
        code_of(place, "ledger", "recall", "--date", place.days[2].isoformat(), "--reason", "氏名の誤り") == "KR-6136"
    )


def test_a_baseline_other_than_the_sent_one_stops_the_day(place: Town) -> None:
    tables = place.data / "assets" / "sent_households"
    shutil.copy(tables / f"{place.days[0]}.parquet", tables / f"{place.days[1]}.parquet")
    assert code_of(place, *place.day_out(2)) == "KR-7213"


def test_a_damaged_table_is_named(place: Town) -> None:
    table = place.data / "assets" / "sent_people" / f"{place.days[1]}.parquet"
    table.write_bytes(table.read_bytes()[:100])
    assert code_of(place, *place.day_out(2)) == "KR-7114"


def with_catalogue(place: Town, *changes: tuple[str, str, str]) -> None:
    """The deployment takes a catalogue of its own. A change: a file, a text in it, and its replacement."""
    root = place.folder / "catalogue"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(DEFAULT_ROOT, root)
    for name, old, new in changes:
        text = (root / name).read_text(encoding="utf-8-sig")
        assert old in text, name
        (root / name).write_text(text.replace(old, new), encoding="utf-8-sig" if name.endswith("csv") else "utf-8")
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(f'catalogue_folder = "{root}"\n{settings}', encoding="utf-8")


def test_a_file_name_with_an_unknown_field_stops(place: Town) -> None:
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


# --- what goes wrong outside: on the server, on the disk, in the ledger, at a second machine


def here(desk: Town, *arguments: str, status: int = 2) -> str:
    """What a command says, or why it failed; it is run in this process."""
    result = CliRunner(env=desk.environment).invoke(main, list(arguments))
    assert result.exit_code == status, result.output
    return str(result.stderr if status == 2 else result.output)


def entries(desk: Town, **facts: object) -> list[dict[str, Any]]:
    """The lines of the ledger that say so."""
    found = json.loads(here(desk, "ledger", "list", "--json", status=0))
    return [entry for entry in found if all(entry[name] == value for name, value in facts.items())]


def made_only(desk: Town, number: int) -> None:
    """A day's files are made, and the server is away."""
    desk.configure(port=1, sftp="attempts = 1")
    assert here(desk, *desk.day_out(number)).startswith("KR-6205")
    desk.configure()


def brought(desk: Town, number: int) -> tuple[str, ...]:
    return ("ledger", "mark-sent", "--date", desk.days[number].isoformat(), "--reason", "媒体で搬送")


@contextmanager
def meanwhile(is_time: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Somebody else acts once: just before this process writes into the ledger, when it is time."""
    waiting = [act]

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if waiting and statement == "BEGIN IMMEDIATE" and is_time():
            waiting.pop()()

    sa.event.listen(sa.Engine, "before_cursor_execute", look)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", look)
    assert not waiting, "it was never time"


def at_the_database(desk: Town, statement: str) -> None:
    """Somebody changes the ledger without the program."""
    with closing(sqlite3.connect(desk.data / "ledger.sqlite")) as connection, connection:
        connection.execute(statement)


def waiting_file(desk: Town) -> str:
    """The number of a quarantined file of the Union."""
    name = deliver(desk, "verification_list", [])
    folder = desk.union / OURS.code / "from_union"
    (folder / name).rename(folder / name.replace("20260402", "20260431"))
    here(desk, *desk.day_in(1), status=1)
    (entry,) = entries(desk, state="quarantined")
    return str(entry["id"])


def test_a_person_decides_once_about_a_waiting_file_and_gives_a_name(desk: Town) -> None:
    number = waiting_file(desk)
    reject = ("quarantine", "reject", number, "--reason", "送り直しを依頼")
    assert here(desk, *reject, "--by", " ").startswith("KR-6104")
    other = ("quarantine", "reject", number, "--reason", "別の人が先に却下")
    with meanwhile(lambda: True, lambda: here(desk, *other, status=0)):
        assert here(desk, *reject).startswith("KR-6102")
    assert here(desk, *reject).startswith("KR-6311")


def test_a_state_typed_into_the_ledger_is_not_used(desk: Town) -> None:
    desk.configure(sftp="attempts = 1")
    desk.faults.full_after = 0
    try:
        here(desk, *desk.day_out(2))
    finally:
        desk.faults.full_after = None
    at_the_database(desk, "UPDATE entries SET state = '送付' WHERE state = 'written'")
    assert here(desk, *desk.day_out(2)).startswith("KR-6101")
    assert "KR-6123" in here(desk, "audit", "verify", status=1)


def test_a_damaged_ledger_is_reported_as_damaged(desk: Town) -> None:
    path = desk.data / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'")
        ((size,),) = connection.execute("PRAGMA page_size")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    said = here(desk, "ledger", "list")
    assert said.startswith("KR-6108 台帳を読み書きできませんでした（SQLITE_CORRUPT）")


def test_a_second_machine_with_the_same_ledger_does_not_enter_a_day_twice(desk: Town) -> None:
    ledger = Ledger(f"sqlite:///{desk.data / 'ledger.sqlite'}")
    day = desk.days[2]

    def is_made() -> bool:
        made = [
            event for event in ledger.events_of(LedgerEvent.FILE_MADE) if event.detail["partition"] == day.isoformat()
        ]
        return len(made) == 2

    def enter() -> None:
        outbound_entry(ledger, "eligibility_household", day, "other.csv", operator="別の機械")

    with meanwhile(is_made, enter):
        assert here(desk, *desk.day_out(2)).startswith("KR-6106")
    assert list(desk.to_union.iterdir()) == []


def test_what_the_union_rejected_is_not_sent_again_unchanged(desk: Town) -> None:
    here(desk, *desk.day_out(2), status=0)
    day = desk.days[2].isoformat()
    rows: list[dict[str, object]] = [
        {
            "sent_file_name": sent["file_name"],
            "sent_record_count": str(sent["records"]),
            "reception_kind": "rejected",
            "reception_reason": "合成の理由",
        }
        for sent in entries(desk, partition=day, direction="outbound")
    ]
    deliver(desk, "reception_result", rows)
    here(desk, *desk.day_in(1), status=0)
    assert here(desk, *desk.day_out(2)).startswith("KR-6112")


def test_a_day_is_not_sent_by_two_processes_at_once(desk: Town) -> None:
    with exclusive_lock(desk.data, "outbox"):
        assert here(desk, *desk.day_out(2)).startswith("KR-6114")


def test_a_file_of_somebody_else_under_our_name_is_left_alone(desk: Town) -> None:
    made_only(desk, 2)
    strange = desk.to_union / f"KRSET_{OURS.code}_{desk.days[2]:%Y%m%d}_000001.csv"
    strange.write_bytes(b"theirs")
    (trace,) = json.loads(here(desk, "ledger", "unrecorded", "--json", status=1))
    here(desk, "ledger", "dismiss", trace["reference"], "--reason", "当市町村のものではない", status=0)
    assert here(desk, *desk.day_out(2)).startswith("KR-6116")
    assert strange.read_bytes() == b"theirs"


def test_a_day_is_brought_by_other_means_once(desk: Town) -> None:
    made_only(desk, 2)
    here(desk, *brought(desk, 2), status=0)
    assert here(desk, *brought(desk, 2)).startswith("KR-6118")


def test_a_day_before_a_later_one_is_not_brought_by_other_means(desk: Town) -> None:
    made_only(desk, 2)
    here(desk, *desk.day_out(3), status=0)
    assert here(desk, *brought(desk, 2)).startswith("KR-6119")


def test_a_table_of_another_day_beside_the_files_is_seen(desk: Town) -> None:
    made_only(desk, 2)
    tables = desk.data / "assets" / "sent_people"
    shutil.copy(tables / f"{desk.days[1]}.parquet", tables / f"{desk.days[2]}.parquet")
    assert here(desk, *brought(desk, 2)).startswith("KR-7215")


@pytest.mark.parametrize("code", ["KR-6202", "KR-6204", "KR-6208", "KR-6209", "KR-6210"])
def test_the_reason_why_the_server_cannot_be_reached_is_reported(desk: Town, tmp_path: Path, code: str) -> None:
    stranger = tmp_path / "stranger"
    write_key(stranger)
    if code == "KR-6202":
        desk.configure(private_key=stranger)
    elif code == "KR-6204":
        text = desk.settings.read_text(encoding="utf-8")
        desk.settings.write_text(text.replace("/from_union", "/nowhere"), encoding="utf-8")
    elif code == "KR-6208":
        stranger.chmod(0o644)
        desk.configure(private_key=stranger)
    elif code == "KR-6209":
        desk.configure(host_key="ssh-ed25519 AAAA")
    else:
        public = rsa.generate_private_key(65537, 2048).public_key()
        desk.configure(host_key=public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    assert here(desk, *desk.day_in(1)).startswith(code)


def test_files_with_a_broken_or_an_expired_seal_are_quarantined(desk: Town, tmp_path: Path) -> None:
    ours = desk.data / "keys" / "transfer-1.cert.pem"
    now, old = (Seals(tmp_path / str(year), ours, dt.datetime(year, 1, 1, tzinfo=dt.UTC)) for year in (2026, 2020))
    certificates = json.dumps([str(seals.certificate_path) for seals in (now, old)])
    text = desk.settings.read_text(encoding="utf-8")
    desk.settings.write_text(f"{text}\n[sealing]\npartner_certificates = {certificates}\n", encoding="utf-8")
    folder = desk.union / OURS.code / "from_union"
    for seal in (old.seal, lambda content: content):
        path = folder / deliver(desk, "verification_list", [])
        sealed = path.with_name(path.name + SEALED)
        sealed.write_bytes(seal(path.read_bytes()))
        shutil.copystat(path, sealed)
        path.unlink()
    said = here(desk, *desk.day_in(1), status=1)
    assert [line.split()[3] for line in said.splitlines() if "隔離中" in line] == ["KR-6323", "KR-6321"]


def test_a_file_for_a_day_before_every_version_is_quarantined(desk: Town) -> None:
    name = deliver(desk, "verification_list", [])
    folder = desk.union / OURS.code / "from_union"
    (folder / name).rename(folder / name.replace("20260402", "20100401"))
    said = here(desk, *desk.day_in(1), status=1)
    assert "KR-6304" in said
    assert "（KR-7103）" in said, "no version is in force, and the kind of an error would not say so"


def test_a_deployment_without_its_keys_writes_nothing(desk: Town) -> None:
    name = deliver(desk, "verification_list", [])
    shutil.rmtree(desk.data / "keys")
    assert f"{name}: 受領せず KR-7111" in CliRunner(env=desk.environment).invoke(main, desk.day_in(1)).output
