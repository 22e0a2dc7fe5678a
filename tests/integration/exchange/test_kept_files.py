"""Files that the catalogue knows and nothing applies, through the command and the embedded server: kept, told, never forgotten."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.foreign_samples.care import care_file, users
from fixtures.foreign_samples.debits import debit_file, debits
from fixtures.foreign_samples.pension import notice, pension_file
from fixtures.foreign_samples.receipts import institution, receipt_file
from fixtures.foreign_samples.sample import Sample
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import Direction
from tests.support.quirky import RECEIVE, Place, quirky_place, sound_ids

SAMPLES = {
    "pension_deduction": pension_file([notice("00", 40), notice("30", 2, 41)]),
    "medical_receipt": receipt_file([institution(1, 3)]),
    "care_claim": care_file(users(3)),
    "direct_debit_result": debit_file(debits(6)),
}
RECEIPTS = SAMPLES["medical_receipt"]
OTHER_RECEIPTS = receipt_file([institution(2, 5)])
REASON = ("--reason", "収納システムに取り込んだ")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with quirky_place(tmp_path, monkeypatch) as found:
        yield found


def arrived(place: Place, sample: Sample) -> str:
    """What receiving says of a file in the Union's folder; it is not a reason to end with a failure, nor left there."""
    place.written(sample.content, at=-600, name=sample.name)
    said = place.renkei(*RECEIVE)[1]
    assert list(place.inbox.iterdir()) == []
    return said


def entries(place: Place) -> list[Entry]:
    return place.environment.ledger.entries(direction=Direction.INBOUND)


def expected(place: Place, on: str) -> list[str]:
    """The lines on kept files of `renkei expected`."""
    return [line for line in place.renkei("expected", "--on", on)[1].splitlines() if "KR-6351" in line]


@pytest.mark.parametrize("interface", SAMPLES)
def test_a_file_that_nothing_applies_is_kept_with_its_facts_and_its_bytes(place: Place, interface: str) -> None:
    sample = SAMPLES[interface]
    place.written(sample.content, at=-600, name=sample.name)
    status, said = place.renkei(*RECEIVE)
    assert (status, "保管中 KR-6350" in said, place.states()) == (0, True, ["kept"]), said
    assert "検証の指摘: なし" in said
    (entry,) = entries(place)
    month = dt.date(2026, 4, 1) if interface == "care_claim" else dt.date(2026, 11, 20)
    assert (entry.interface, entry.partition, entry.sha256) == (
        interface,
        month,
        hashlib.sha256(sample.content).hexdigest(),
    )
    archive = place.folder / "data" / str(entry.archive_path)
    assert place.environment.file_store.read(archive) == sample.content
    assert "合成".encode("cp932") not in archive.read_bytes(), "encrypted"
    assert "不一致 0件" in place.renkei("audit", "verify")[1]


def test_it_is_named_with_its_age_every_day_until_a_person_says_what_became_of_it(place: Place) -> None:
    assert "KR-6350" in arrived(place, RECEIPTS)
    assert expected(place, "2026-11-19") == []
    (line,) = expected(place, "2026-11-20")
    assert "RECEIPTC.UKE（0営業日）" in line
    (line,) = expected(place, "2026-11-27")
    assert "RECEIPTC.UKE（4営業日）" in line, "23 November is a holiday"
    place.clock.at(7 * 86400)
    assert "renkei ledger list --state 保管中" in place.renkei("status")[1]
    assert "RECEIPTC.UKE" in place.renkei("ledger", "list", "--state", "保管中")[1]
    assert "KR-6312" in place.renkei("ledger", "close", "1", "--reason", " ")[1]
    status, said = place.renkei("ledger", "close", "1", *REASON)
    assert (status, said) == (0, "1 RECEIPTC.UKE: 処置済み\n")
    assert expected(place, "2026-11-27") == []
    assert "保管中" not in place.renkei("status")[1]
    status, said = place.renkei("ledger", "close", "1", *REASON)
    assert (status, "KR-6352" in said) == (2, True)
    newest = place.environment.ledger.events(1)[-1]
    assert (newest.action, newest.detail["reason"]) == ("closed", REASON[1])


def test_the_same_file_again_is_a_duplicate_before_and_after_it_is_closed(place: Place) -> None:
    arrived(place, RECEIPTS)
    assert "KR-6350" not in arrived(place, RECEIPTS)
    place.renkei("ledger", "close", "1", *REASON)
    assert "KR-6350" not in arrived(place, RECEIPTS)
    assert place.states() == ["closed", "duplicate", "duplicate"]
    assert expected(place, "2026-11-27") == []


def test_another_file_of_the_same_name_waits_for_a_person_and_is_kept_when_released(place: Place) -> None:
    arrived(place, RECEIPTS)
    assert "KR-6301" in arrived(place, OTHER_RECEIPTS)
    assert place.states() == ["kept", "quarantined"]
    status, said = place.renkei("quarantine", "release", "2", "--reason", "翌月分と確認した")
    assert (status, said) == (0, "2 RECEIPTC.UKE: 保管中\n")
    assert place.renkei(*RECEIVE)[0] == 0, "nothing is left to apply"
    assert place.states() == ["kept", "kept"]
    assert len(expected(place, "2026-11-20")) == 2


def test_next_months_file_of_the_same_name_is_kept_once_the_last_one_is_closed(place: Place) -> None:
    arrived(place, RECEIPTS)
    place.renkei("ledger", "close", "1", *REASON)
    assert "KR-6350" in arrived(place, OTHER_RECEIPTS)
    assert place.states() == ["closed", "kept"]


def test_a_faulty_one_is_quarantined_with_its_findings_and_can_be_kept_all_the_same(place: Place) -> None:
    sample = RECEIPTS.with_cell(len(RECEIPTS.records), 2, "9")
    assert "KR-6306" in arrived(place, sample)
    assert place.states() == ["quarantined"]
    assert "KR-4001" in place.renkei("quarantine", "show", "1")[1]
    assert place.renkei("quarantine", "release", "1", "--reason", "電話で確認した")[0] == 0
    assert place.states() == ["kept"]
    assert len(expected(place, "2026-11-20")) == 1
    assert place.renkei("ledger", "close", "1", *REASON)[0] == 0


def test_one_above_the_limits_is_quarantined_and_cannot_be_kept(place: Place) -> None:
    sample = replace(RECEIPTS, records=(b"IR," + b"9" * 100_000, *RECEIPTS.records[1:]))
    arrived(place, sample)
    assert place.states() == ["quarantined"]
    assert "KR-1013" in place.renkei("quarantine", "show", "1")[1]
    assert "KR-6315" in place.renkei("quarantine", "release", "1", "--reason", "試す")[1]
    assert place.renkei("quarantine", "reject", "1", "--reason", "再送を依頼した")[0] == 0
    assert "KR-6350" in arrived(place, RECEIPTS)


def test_the_work_of_the_day_is_done_beside_it(place: Place) -> None:
    place.written(sound_ids(), at=-600)
    for sample in SAMPLES.values():
        place.written(sample.content, at=-600, name=sample.name)
    status, said = place.renkei(*RECEIVE)
    assert (status, sorted(place.states())) == (0, ["applied", *["kept"] * 4]), said
    assert place.tick(0)[0] == [], "nothing is left to be received"


def test_one_on_a_medium_is_kept_like_one_in_the_folder(place: Place) -> None:
    medium = place.folder / "M-0001"
    medium.mkdir()
    (medium / "媒体管理番号.txt").write_text("M-0001", encoding="utf-8")
    sample = SAMPLES["direct_debit_result"]
    (medium / sample.name).write_bytes(sample.content)
    place.clock.at(2 * 365 * 86400)
    status, said = place.renkei("media", "import", str(medium), "--reason", "銀行の媒体")
    assert (status, "KR-6350" in said, place.states()) == (0, True, ["kept"]), said
    assert not (medium / sample.name).exists()
    assert "KR-6350" not in arrived(place, sample), "it is a duplicate, wherever it came from"
    assert sorted(place.states()) == ["duplicate", "kept"]


def test_retention_does_not_erase_it_before_it_is_closed(place: Place) -> None:
    arrived(place, RECEIPTS)
    place.clock.at(40 * 365 * 86400)
    place.renkei("retention", "run")
    archive = place.folder / "data" / str(entries(place)[0].archive_path)
    assert archive.is_file()
    place.renkei("ledger", "close", "1", *REASON)
    place.renkei("retention", "run")
    assert not archive.exists()
