"""Servers with quirks, at the command line: what was fetched whole is received, what was not is kept, nothing is silent."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.line import line
from fixtures.prefecture import Prefecture
from interfaces.catalogue import DEFAULT_ROOT, load_catalogue
from pipelines.exchange.ledger.states import Direction
from tests.support.quirky import DAY, INTERFACE, NAME, OURS, RECEIVE, SEND, Place, quirky_place, sound_ids

OTHER = NAME.replace("_000001.", "_000002.")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with quirky_place(tmp_path, monkeypatch) as found:
        yield found


def kept(place: Place) -> list[str]:
    folder = place.folder / "data" / "quarantine"
    return sorted(path.name for path in folder.glob("*/*") if path.name.startswith("copy_"))


@pytest.mark.parametrize("moment", ["opening", "closing"])
def test_a_file_that_is_gone_once_it_was_read_is_received(place: Place, moment: str) -> None:
    place.faults.gone_after = moment  # type: ignore[assignment]
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states(), kept(place)) == (0, ["applied"], []), said
    assert place.renkei(*RECEIVE)[0] == 0
    assert "不一致 0件" in place.renkei("audit", "verify")[1]


def test_a_file_that_goes_between_listing_and_opening_is_reported(place: Place) -> None:
    place.faults.gone_after = "listing"
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6305" in said, place.states()) == (1, True, ["vanished"]), said


def test_a_mailbox_that_is_read_once_gives_a_new_delivery_under_an_old_name(place: Place) -> None:
    """The file was received before, and could not be removed then: looking at it first would use it up."""
    place.faults.no_removal = True
    place.written(sound_ids(), at=-600)
    assert "KR-6335" in place.renkei(*RECEIVE)[1]
    place.faults.gone_after = "opening"
    place.written(sound_ids()[:-5], at=-500)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6301" in said, place.states()) == (1, True, ["applied", "quarantined"]), said


def test_a_file_that_cannot_be_removed_is_received_once_and_reported(place: Place) -> None:
    place.faults.no_removal = True
    place.written(sound_ids(), at=-600)
    for _ in range(2):
        status, said = place.renkei(*RECEIVE)
        assert (status, "KR-6335" in said, "KR-6203" in said, place.states()) == (1, True, True, ["applied"]), said
    assert place.tick(0)[0] == [], "nothing is left to be received"
    place.faults.no_removal = False
    assert place.renkei(*RECEIVE)[0] == 0
    assert list(place.inbox.iterdir()) == []
    assert place.states() == ["applied"]


def test_a_server_that_changes_the_time_by_reading_does_not_keep_a_file_for_ever(place: Place) -> None:
    place.faults.touches = True
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states(), list(place.inbox.iterdir())) == (0, ["applied"], []), said


def test_a_copy_of_another_length_is_kept_until_the_server_gives_the_whole(place: Place) -> None:
    place.faults.gives_at_most = 50
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6303" in said, place.states(), len(kept(place))) == (1, True, ["claimed"], 1), said
    place.faults.gives_at_most = None
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states(), kept(place)) == (0, ["applied"], []), said


def test_a_copy_of_another_length_is_judged_when_the_server_gives_no_other(place: Place) -> None:
    place.faults.gives_at_most = 50
    place.written(sound_ids(), at=-600)
    assert place.renkei(*RECEIVE)[0] == 1
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6306" in said, place.states()) == (1, True, ["quarantined"]), said


@pytest.mark.parametrize("moment", ["opening", "closing"])
def test_a_part_of_a_file_that_is_gone_is_quarantined_and_reported(place: Place, moment: str) -> None:
    place.faults.gone_after, place.faults.gives_at_most = moment, 50  # type: ignore[assignment]
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6334" in said, place.states()) == (1, True, ["quarantined"]), said
    status, said = place.renkei("quarantine", "release", "1", "--reason", "試す")
    assert (status, "KR-6315" in said) == (2, True)
    assert place.renkei("quarantine", "reject", "1", "--reason", "送り直しを頼んだ")[0] == 0
    place.faults.gone_after, place.faults.gives_at_most = "", None
    place.written(sound_ids(), at=-600)
    assert place.renkei(*RECEIVE)[0] == 0
    assert place.states() == ["rejected", "applied"]


def test_a_line_that_dies_in_a_mailbox_read_once_leaves_the_part_that_came(place: Place) -> None:
    content = b"1,0000001\r\n" * 100_000
    with line(place.server.host, place.server.port) as wire:
        place.through(wire.port)
        place.faults.gone_after = "opening"
        place.written(content, at=-600)
        wire.harms("down", len(content) // 2, "cut", times=1)
        status, said = place.renkei(*RECEIVE)
        assert (status, "KR-6334" in said, place.states()) == (1, True, ["quarantined"]), said
        assert wire.connections == 2
    assert f"{NAME}.p7m" in {path.name for path in (place.folder / "data" / "quarantine" / "1").iterdir()}
    entry = place.environment.ledger.entry(1)
    assert 0 < (entry.size or 0) < len(content)


def test_sizes_that_the_server_does_not_give_are_not_needed(place: Place) -> None:
    place.faults.no_sizes = True
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states(), list(place.inbox.iterdir())) == (0, ["applied"], []), said


def test_the_end_of_a_connection_is_not_the_end_of_a_file_of_unknown_size(place: Place) -> None:
    content = b"1,0000001\r\n" * 100_000
    with line(place.server.host, place.server.port) as wire:
        place.through(wire.port)
        place.faults.no_sizes = True
        place.written(content, at=-600)
        wire.harms("down", len(content) // 2, "cut", times=1)
        place.renkei(*RECEIVE)
        assert wire.connections == 2
    assert place.environment.ledger.entry(1).size == len(content)
    assert list(place.inbox.iterdir()) == []


def test_without_sizes_and_times_the_content_decides(place: Place) -> None:
    place.faults.no_sizes = place.faults.no_times = True
    place.written(sound_ids(), at=0)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6333" in said) == (1, True), said
    place.clock.at(60)
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states(), list(place.inbox.iterdir())) == (0, ["applied"], []), said


def test_a_file_that_cannot_be_archived_is_reported_and_the_others_are_received(place: Place) -> None:
    place.written(sound_ids(), at=-600)
    place.written(sound_ids("000002"), at=-600, name=OTHER)
    assert place.states() == []
    archive = place.folder / "data" / "archive" / "from_union" / "2026-11-20"
    sha256 = hashlib.sha256(sound_ids()).hexdigest()
    (archive / f"{sha256[:12]}_{NAME}.p7m").mkdir(parents=True)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6336" in said, "Traceback" in said) == (1, True, False), said
    assert sorted(place.states()) == ["applied", "claimed"]
    assert [path.name for path in place.inbox.iterdir()] == [NAME]
    (archive / f"{sha256[:12]}_{NAME}.p7m").rmdir()
    assert place.renkei(*RECEIVE)[0] == 0
    assert list(place.inbox.iterdir()) == []


def test_refusals_in_another_encoding_are_refusals(place: Place) -> None:
    place.faults.foreign_errors = True
    place.written(sound_ids(), at=-600)
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states(), list(place.inbox.iterdir())) == (0, ["applied"], []), said
    prepared(place)
    status, said = place.renkei(*SEND)
    assert (status, len(list(place.outbox.iterdir()))) == (0, 2), said


def prepared(place: Place) -> Prefecture:
    prefecture = Prefecture(3, 200, DAY)
    prefecture.live_through(DAY)
    prefecture.write_extracts(place.folder / "extracts", OURS.code, DAY, load_catalogue())
    return prefecture


@pytest.mark.parametrize("quirk", ["no_sizes", "no_times"])
def test_a_day_is_sent_whole_whatever_the_server_does_not_say(place: Place, quirk: str) -> None:
    setattr(place.faults, quirk, True)
    prepared(place)
    status, said = place.renkei(*SEND)
    assert (status, len(list(place.outbox.iterdir()))) == (0, 2), said


@pytest.mark.parametrize("quirk", ["shortens", "full_after"])
def test_a_sending_that_fails_leaves_nothing_of_ours_at_the_union(place: Place, quirk: str) -> None:
    setattr(place.faults, quirk, True if quirk == "shortens" else 100)
    place.settings.write_text(
        place.settings.read_text(encoding="utf-8").replace("[sftp]", "[sftp]\nattempts = 1"), encoding="utf-8"
    )
    prepared(place)
    status, said = place.renkei(*SEND)
    assert (status, "KR-620" in said) == (2, True), said
    assert list(place.outbox.iterdir()) == []


def entry_states(place: Place, direction: str) -> list[tuple[str, str]]:
    return [
        (entry.file_name, entry.state) for entry in place.environment.ledger.entries(direction=Direction(direction))
    ]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_file_that_the_server_removes_at_close_is_sent_once_until_a_person_decides(
    place: Place, arrived: bool
) -> None:
    swept = place.folder / "swept"
    place.faults.sweeps_to = swept
    prepared(place)
    for _ in range(3):
        status, said = place.renkei(*SEND)
        assert (status, "KR-6222" in said, "renkei ledger confirm" in said) == (2, True, True), said
    assert len(list(swept.iterdir())) == 2, "one copy of each file, however often it is run"
    assert [state for _, state in entry_states(place, "outbound")] == ["unconfirmed"] * 2
    status, said = place.renkei("expected", "--on", "2026-11-20")
    assert (status, said.count("KR-6513")) == (1, 2), said
    for entry in ("1", "2"):
        flag = "--arrived" if arrived else "--not-arrived"
        status, said = place.renkei("ledger", "confirm", entry, flag, "--reason", "電話で確認")
        assert status == 0, said
    place.faults.sweeps_to = None
    status, said = place.renkei(*SEND)
    assert status == 0, said
    assert len(list(place.outbox.iterdir())) == (0 if arrived else 2)
    states = [state for _, state in entry_states(place, "outbound")]
    assert states == ["sent"] * 2 if arrived else ["withdrawn"] * 2 + ["sent"] * 2
    assert "KR-6513" not in place.renkei("expected", "--on", "2026-11-20")[1]


def test_only_an_unconfirmed_file_can_be_confirmed(place: Place) -> None:
    prepared(place)
    assert place.renkei(*SEND)[0] == 0
    status, said = place.renkei("ledger", "confirm", "1", "--arrived", "--reason", "電話で確認")
    assert (status, "KR-6223" in said) == (2, True), said
    assert place.renkei("ledger", "confirm", "99", "--arrived", "--reason", "電話で確認")[0] == 2


def test_a_file_that_goes_between_upload_and_rename_is_not_recorded_as_sent(place: Place) -> None:
    """A server that takes files away once they were read: our own reading back is that reading."""
    place.faults.gone_after = "closing"
    prepared(place)
    for _ in range(2):
        status, said = place.renkei(*SEND)
        assert (status, "KR-6222" in said) == (2, True), said
    assert [state for _, state in entry_states(place, "outbound")] == ["unconfirmed"] * 2
    assert list(place.outbox.iterdir()) == []


def test_the_day_after_an_unconfirmed_one_reports_everything_again(place: Place) -> None:
    """Nobody knows what the Union has: the next day's files contain the day before as well."""
    swept = place.folder / "swept"
    place.faults.sweeps_to = swept
    prefecture = prepared(place)
    assert place.renkei(*SEND)[0] == 2
    place.faults.sweeps_to = None
    following = dt.date(2026, 4, 2)
    prefecture.live_through(following)
    prefecture.write_extracts(place.folder / "extracts", OURS.code, following, load_catalogue())
    status, said = place.renkei("run", "daily", "--date", following.isoformat(), "--only", "out")
    assert status == 0, said
    records = {
        entry.partition: entry.records for entry in place.environment.ledger.entries(direction=Direction.OUTBOUND)
    }
    assert (records[following] or 0) >= (records[DAY] or 0) > 0
    assert place.renkei("ledger", "confirm", "1", "--arrived", "--reason", "電話で確認")[0] == 0
    assert place.renkei("ledger", "confirm", "2", "--not-arrived", "--reason", "電話で確認")[0] == 0


def test_a_file_of_an_interface_that_a_municipality_adds_as_data_alone_is_kept_and_reported(place: Place) -> None:
    root = place.folder / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    shutil.copytree(root / INTERFACE, root / "card_notice")
    plan = root / "card_notice" / "2018-04-01" / "file.toml"
    text = plan.read_text(encoding="utf-8")
    other = text.replace("KRSID_", "KRCRD_").replace(f'id = "{INTERFACE}"', 'id = "card_notice"')
    assert "KRCRD_" in other and 'id = "card_notice"' in other
    plan.write_text(other, encoding="utf-8")
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(f'catalogue_folder = "{root}"\n{settings}', encoding="utf-8")
    place.written(sound_ids(), at=-600, name=NAME.replace("KRSID_", "KRCRD_"))
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states()) == (0, ["kept"]), said
    assert "KR-6350" in said
    assert "KR-6351" in place.renkei("expected", "--on", "2026-11-20")[1]
    assert place.renkei("ledger", "close", "1", "--reason", "画面で処理した")[0] == 0


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("KRSID{municipality_code}{created_on}_{file_number}.csv", "KRSID99999720260401_000001.csv"),
        ("KRSID{municipality_code}{file_number}_{created_on}.csv", "KRSID999997000001_20260401.csv"),
    ],
)
def test_a_specifications_own_name_with_twelve_digits_in_a_row_is_accepted(
    place: Place, pattern: str, name: str
) -> None:
    root = place.folder / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    plan = root / INTERFACE / "2018-04-01" / "file.toml"
    text = plan.read_text(encoding="utf-8")
    old = "KRSID_{municipality_code}_{created_on}_{file_number}.csv"
    assert old in text
    plan.write_text(text.replace(old, pattern), encoding="utf-8")
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(f'catalogue_folder = "{root}"\n{settings}', encoding="utf-8")
    status, said = place.renkei("spec", "lint")
    assert status == 0, said
    place.written(sound_ids(), at=-10, name=name)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6331" in said, said.count(name)) == (1, True, 2), said
    place.clock.at(60)
    status, said = place.renkei(*RECEIVE)
    assert (status, place.states()) == (0, ["applied"]), said
    stranger = f"合成　太郎 999997000001 {name}"
    place.written(b"x", at=-600, name=stranger)
    status, said = place.renkei(*RECEIVE)
    assert (status, "KR-6207" in said, "999997000001" in said) == (1, True, False), said


@pytest.mark.parametrize(
    "pattern",
    [
        "KRKOJ{municipality_code}{processed_on}_{file_number}.csv",
        "KRKOJ{processed_on}{file_number}_{municipality_code}.csv",
    ],
)
def test_a_specifications_own_name_with_twelve_digits_in_a_row_is_sent(place: Place, pattern: str) -> None:
    root = place.folder / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    plan = root / "eligibility_individual" / "2018-04-01" / "file.toml"
    text = plan.read_text(encoding="utf-8")
    old = "KRKOJ_{municipality_code}_{processed_on}_{file_number}.csv"
    assert old in text
    plan.write_text(text.replace(old, pattern), encoding="utf-8")
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(f'catalogue_folder = "{root}"\n{settings}', encoding="utf-8")
    prepared(place)
    status, said = place.renkei(*SEND)
    assert (status, len(list(place.outbox.iterdir()))) == (0, 2), said


def test_a_stale_file_is_listed_until_a_person_ends_it(place: Place) -> None:
    """Also when another file of its day and interface was applied: that hid it."""
    following = dt.date(2026, 4, 2)
    place.written(sound_ids(), at=-600)
    assert place.renkei(*RECEIVE)[0] == 0
    place.written(sound_ids(day=following), at=-600, name=NAME.replace("20260401", "20260402"))
    assert place.renkei(*RECEIVE)[0] == 0
    place.written(sound_ids("000002"), at=-600, name=OTHER)
    assert "KR-7308" in place.renkei(*RECEIVE)[1]
    assert place.states() == ["applied", "applied", "stale"]
    for _ in range(2):
        assert OTHER in place.renkei("quarantine", "list")[1]
        status, said = place.renkei("expected", "--on", "2026-11-20")
        assert (status, "KR-6512" in said, OTHER in said) == (1, True, True), said
    assert "KR-7308" in place.renkei("quarantine", "show", "3")[1]
    assert json.loads(place.renkei("quarantine", "show", "3", "--json")[1])["code"] == "KR-7308"
    assert place.renkei("quarantine", "reject", "3", "--reason", "電話で確認")[0] == 0
    assert "KR-6512" not in place.renkei("expected", "--on", "2026-11-20")[1]
    assert OTHER not in place.renkei("quarantine", "list")[1]


def test_a_file_left_in_the_folder_is_still_expected(place: Place) -> None:
    (place.inbox / "folder").mkdir()
    place.faults.hours_ahead = 9
    place.written(sound_ids(), at=0)
    assert place.renkei(*RECEIVE)[0] == 1
    status, said = place.renkei("expected", "--on", "2026-11-20")
    assert (status, said.count("KR-6511"), NAME in said, "folder" in said) == (1, 2, True, True), said
    assert "KR-6511" not in place.renkei("expected", "--on", "2026-11-19")[1]
    place.clock.at(60)
    assert place.renkei(*RECEIVE)[0] == 0
    (place.inbox / "folder").rmdir()
    assert place.tick(120)[0] == []
    assert "KR-6511" not in place.renkei("expected", "--on", "2026-11-20")[1]
