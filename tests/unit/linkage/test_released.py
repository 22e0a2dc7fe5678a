"""What a person may release from the quarantine, and that every record of it is then counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from fixtures.counterpart.delivery import LONG_AGO, leave
from interfaces import codec
from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from pipelines.deployment import Environment
from pipelines.exchange import quarantine
from pipelines.exchange.transport import LocalFolderTransport
from pipelines.linkage import daily
from tests.support.applying import apply_daily, receive_from
from tests.support.deployment import opened

DAY = dt.date(2026, 4, 1)
TOKYO = dt.timezone(dt.timedelta(hours=9))
PEOPLE = [f"{number:015d}" for number in range(1, 9)]
IDS = [f"9900000000{number:02d}" for number in (10, 20, 30, 40, 50, 60, 70, 80)]  # their check digits are wrong
MY_NUMBERS = ["999000000016", "999000000024", "999000000032", "999000000040", "999000000059", "999000000067"]
HEADER = {
    "municipality_code": "999997",
    "insurer_number": "990010",
    "prefecture_code": "99",
    "media_kind": "transmission",
    "created_on": DAY,
    "file_number": "000001",
}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return opened(tmp_path, now=dt.datetime(2026, 4, 2, 7, 0, tzinfo=TOKYO), switched_off=())


def delivered(ids: list[str], environment: Environment) -> bytes:
    specification = environment.specification("municipal_id_linkage", DAY)
    rows = {"resident_number": PEOPLE[: len(ids)], "municipal_insured_id": ids, "assigned_on": [DAY] * len(ids)}
    return codec.compose(specification, DAY, pl.DataFrame(rows), HEADER).data


def quarantine_delivery(environment: Environment, folder: Path, content: bytes) -> int:
    folder.mkdir()
    leave(folder / file_name(environment.specification("municipal_id_linkage", DAY), HEADER), content, LONG_AGO)
    (arrived,) = receive_from(environment, LocalFolderTransport(folder), "試験")
    assert arrived.state == "quarantined", arrived.message
    assert arrived.entry is not None
    return int(arrived.entry.id)


def let_in(environment: Environment, entry: int) -> daily.ApplyResult:
    quarantine.release(environment.ledger.recorder("試験"), environment.file_store, entry, "電話で確認")
    reported = pl.DataFrame({"resident_number": PEOPLE})
    (applied,) = apply_daily(environment, reported)
    return applied


def test_a_line_that_is_no_record_is_counted_among_the_rejected(environment: Environment, tmp_path: Path) -> None:
    lines = delivered(IDS[:3], environment).splitlines(keepends=True)
    lines[2] = lines[2].rpartition(b",")[0] + b"\r\n"
    applied = let_in(environment, quarantine_delivery(environment, tmp_path / "union", b"".join(lines)))
    assert (applied.applied_count, applied.rejected_count, applied.entry.records) == (2, 1, 3)


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[: content.rindex(b"3,")],  # the end record is cut off
        lambda content: content[:-3],
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\r\n", b"\n"),
        lambda content: content.replace(b"9900000000", b"990000000\x81", 1),
        lambda content: b"",
    ],
)
def test_nobody_can_release_an_unreadable_file(
    environment: Environment, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    entry = quarantine_delivery(environment, tmp_path / "union", harm(delivered(IDS[:3], environment)))
    with pytest.raises(RenkeiError, match="KR-6315"):
        let_in(environment, entry)
    assert environment.ledger.entry(entry).state == "quarantined"


def test_ids_that_pass_by_chance_are_released_and_my_numbers_never(environment: Environment, tmp_path: Path) -> None:
    assert (
        let_in(
            environment, quarantine_delivery(environment, tmp_path / "one", delivered(MY_NUMBERS[:1], environment))
        ).applied_count
        == 1
    )
    entry = quarantine_delivery(environment, tmp_path / "many", delivered(MY_NUMBERS, environment))
    with pytest.raises(RenkeiError, match="KR-6315"):
        let_in(environment, entry)


def test_a_wrong_count_is_for_a_person_to_decide(environment: Environment, tmp_path: Path) -> None:
    content = delivered(IDS[:3], environment).replace(b"0000003,", b"0000004,", 1)
    applied = let_in(environment, quarantine_delivery(environment, tmp_path / "union", content))
    assert (applied.applied_count, applied.rejected_count) == (3, 0)
