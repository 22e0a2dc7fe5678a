"""Files of the public interfaces (docs/sources.md 5) at `renkei validate`: sound ones of several sizes, and what breaks each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fixtures.foreign_samples.care import care_file, users
from fixtures.foreign_samples.debits import debit_file, debits
from fixtures.foreign_samples.pension import notice, pension_file
from fixtures.foreign_samples.receipts import institution, receipt_file
from fixtures.foreign_samples.sample import Sample
from pipelines.cli import main

Finding = tuple[str, int | None, int | None]  # code, line, number of the item

SOUND: dict[str, Callable[[], Sample]] = {
    "a notice of nobody": lambda: pension_file([notice("00", 0)]),
    "a notice of one": lambda: pension_file([notice("00", 1)]),
    "notices of three kinds": lambda: pension_file([notice("00", 30), notice("30", 2, 31), notice("41", 1, 40)]),
    "many people": lambda: pension_file([notice("00", 3000)]),
    "one receipt": lambda: receipt_file([institution(1, 1)]),
    "two institutions": lambda: receipt_file([institution(1, 12), institution(2, 1)]),
    "many receipts": lambda: receipt_file([institution(1, 1000)]),
    "one user": lambda: care_file(users(1)),
    "some users": lambda: care_file(users(7)),
    "many users": lambda: care_file(users(1000)),
    "no debit": lambda: debit_file(debits(0)),
    "some debits": lambda: debit_file(debits(11)),
    "many debits": lambda: debit_file(debits(5000)),
}


def found(folder: Path, sample: Sample) -> tuple[int, list[Finding]]:
    """The exit status of the command, and what it found."""
    (folder / sample.name).write_bytes(sample.content)
    said = CliRunner().invoke(main, ["validate", str(folder / sample.name), "--json"])
    report = json.loads(said.stdout)
    return said.exit_code, [(one["code"], one["line"], one["item_no"]) for one in report["findings"]]


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND.keys())
def test_a_sound_file_is_valid(tmp_path: Path, make: Callable[[], Sample]) -> None:
    assert found(tmp_path, make()) == (0, [])


def pension() -> Sample:
    """Lines: 1 head, 2 to 4 people, 5 trailer; 6 head, 7 person, 8 trailer."""
    return pension_file([notice("00", 3), notice("30", 1, 4)])


def receipts() -> Sample:
    """Lines: 1 IR; 2 RE, HO, SN, JD, SY, 7 SI, 8 IY; 9 RE, HO, SN, JD, SY, 14 SI, IY, CO, SI; 18 GO."""
    return receipt_file([institution(1, 2)])


def care() -> Sample:
    """Lines: 1 control, 2 bill; 3 statement, two services, 6 subtotal; 7 statement, three services, 11 subtotal; 12 end."""
    return care_file(users(2))


def bank() -> Sample:
    """Lines: 1 head, 2 to 4 debits, 5 trailer, 6 end."""
    return debit_file(debits(3))


WRONG: dict[str, tuple[Sample, Finding]] = {
    # order and groups
    "pension: no trailer between two notices": (pension().without(5), ("KR-1006", 5, None)),
    "pension: no last trailer": (pension().without(8), ("KR-1027", 7, None)),
    "pension: people before the head": (pension().without(1), ("KR-1006", 1, None)),
    "receipts: an act before its receipt": (receipts().inserted(2, receipts().records[6]), ("KR-1006", 2, None)),
    "receipts: two insurers": (receipts().inserted(4, receipts().records[2]), ("KR-1006", 4, None)),
    "receipts: a disease after the acts": (
        receipts().without(6).inserted(8, receipts().records[5]),
        ("KR-1006", 8, None),
    ),
    "receipts: no bill": (receipts().without(18), ("KR-1027", 17, None)),
    "care: a service without its statement": (care().inserted(2, care().records[3]), ("KR-1006", 2, None)),
    "care: no end": (care().without(12), ("KR-1004", None, None)),
    "bank: trailer and end change places": (bank().without(6).inserted(5, bank().records[5]), ("KR-1006", 5, None)),
    "bank: no trailer": (bank().without(5), ("KR-1006", 5, None)),
    # kinds
    "pension: an unknown kind": (pension().overwritten(3, 1, "7"), ("KR-1015", 3, None)),
    "receipts: an unknown kind": (receipts().with_cell(7, 1, "ZZ"), ("KR-1015", 7, None)),
    "care: an unknown inner kind": (care().with_cell(4, 4, "99"), ("KR-1015", 4, None)),
    # counts and sums
    "pension: a count": (pension().overwritten(5, 22, "000000004"), ("KR-4001", 5, 9)),
    "pension: a sum": (pension().overwritten(5, 31, "00000000601"), ("KR-4012", 5, 10)),
    "receipts: a receipt too many": (receipts().with_cell(18, 2, "3"), ("KR-4001", 18, 2)),
    "receipts: points": (receipts().with_cell(10, 6, "361"), ("KR-4012", 18, 3)),
    "care: units": (care().with_cell(5, 16, "1159"), ("KR-4012", 3, 35)),
    "care: what is claimed": (care().with_cell(6, 18, "24679"), ("KR-4012", 3, 36)),
    "bank: a count": (bank().overwritten(5, 2, "000002"), ("KR-4001", 5, 2)),
    "bank: a sum": (bank().overwritten(5, 8, "000000006001"), ("KR-4012", 5, 3)),
    # shared values
    "pension: another notice than its head's": (pension().overwritten(3, 10, "01"), ("KR-4013", 3, 5)),
    "pension: another city than its head's": (pension().overwritten(5, 4, "998"), ("KR-4013", 5, 3)),
    "care: another person than the statement's": (care().with_cell(4, 8, "0000000009"), ("KR-4013", 4, 8)),
    "care: another office": (care().with_cell(2, 5, "9999999998"), ("KR-4013", 2, 5)),
    "care: another month than in the name": (
        care().with_cell(1, 11, "202605"),
        ("KR-4007", 1, 11),
    ),
    # lengths
    "pension: a byte is missing at the end": (
        pension().changed(8, pension().records[7][:-1]),
        ("KR-1020", 8, None),
    ),
    "receipts: a value too few": (receipts().changed(6, receipts().records[5][:-1]), ("KR-1012", 6, None)),
    "care: a value too many": (care().changed(12, care().records[11] + b","), ("KR-1012", 12, None)),
    "care: a value too long": (care().with_cell(3, 31, "0900"), ("KR-2002", 3, 31)),
    "bank: a record of 119 bytes": (bank().changed(3, bank().records[2][:-1]), ("KR-1020", 3, None)),
    # codes and numbers
    "pension: letters in an amount": (pension().overwritten(2, 395, "A"), ("KR-2003", 2, 27)),
    "pension: a day that does not exist": (pension().overwritten(2, 40, "19500231"), ("KR-2004", 2, 12)),
    "receipts: a sex of two digits": (receipts().with_cell(2, 6, "12"), ("KR-2002", 2, 6)),
    "receipts: no name": (receipts().with_cell(2, 5, ""), ("KR-2001", 2, 5)),
    "care: a break in the numbers": (care().with_cell(5, 2, "000000006"), ("KR-3002", 5, 2)),
    "bank: an unknown result": (bank().overwritten(2, 112, "7"), ("KR-2006", 2, 13)),
    # the end of the file
    "receipts: no 0x1A": (replace(receipts(), tail=b""), ("KR-1028", None, None)),
    "receipts: 0x1A twice": (replace(receipts(), tail=b"\x1a\x1a"), ("KR-1014", 19, None)),
    "bank: 0x1A at the end": (replace(bank(), tail=b"\x1a"), ("KR-1036", None, None)),
    "pension: line ends": (replace(pension(), line_end=b"\r\n"), ("KR-1008", 2, None)),
    "bank: no line ends": (replace(bank(), line_end=b""), ("KR-1013", 1, None)),
}


@pytest.mark.parametrize(("sample", "wanted"), WRONG.values(), ids=WRONG.keys())
def test_what_is_broken_is_named_at_its_place(tmp_path: Path, sample: Sample, wanted: Finding) -> None:
    status, findings = found(tmp_path, sample)
    assert (status, findings) == (1, [wanted])


def test_an_unknown_notice_is_named_in_its_head_and_in_its_trailer(tmp_path: Path) -> None:
    assert found(tmp_path, pension_file([notice("99", 0)])) == (1, [("KR-2006", 1, 5), ("KR-2006", 2, 5)])


def test_acts_stand_in_any_order_but_not_among_the_diseases(tmp_path: Path) -> None:
    sample = receipts()
    comment, act = sample.records[15], sample.records[16]
    assert found(tmp_path, sample.changed(16, act).changed(17, comment)) == (0, [])
    assert found(tmp_path, sample.without(16).inserted(13, comment)) == (1, [("KR-1006", 14, None)])
