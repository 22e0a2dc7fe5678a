"""Any file name: recognised as ours only when it is; refused, or kept inside the data folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from interfaces.naming import date_of, file_name, recognise
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.received_file import ValidationOutcome
from pipelines.exchange.transport import LocalFolderTransport, check_name, shown_name, temporary_name
from schemas.rules.identifiers import without_my_numbers
from tests.support.exchange import noon
from tests.support.rings import file_store

PROFILE = settings(settings.get_profile("hostile"), max_examples=20 * settings.get_profile("hostile").max_examples)
CATALOGUE = load_catalogue()
# Parts of our names, of paths, and of what looks like either: wide digits, a wide slash, a reversed direction.
PARTS = ["KRKOJ", "KRKKL", "resident", "_", "999997", "20260401", "20269999", "202604", "000001", ".csv", ".p7m", ".CSV",
         "/", "\\", "..", ".", "\0", "\n", "\r", "\x1b", " ", "　", "９９９９９７", "٠٠٠٠٠١", "／", "＼", "．．", "‥", "\u202e",
         "\u200b", "\ufeff", "\udc83", "ﾌｧｲﾙ", "é", "e\u0301", "長" * 80, "~", "$(id)", "%2e%2e%2f", "C:", "CON", "-rf"]  # fmt: skip
names = st.lists(st.sampled_from(PARTS), max_size=8).map("".join) | st.text(max_size=300)


@settings(PROFILE)
@given(name=names)
def test_a_name_is_recognised_only_when_it_is_the_name_that_we_would_give(name: str) -> None:
    found = recognise(CATALOGUE, name)
    if found is None:
        return
    interface, fields = found
    specification = CATALOGUE.versions(interface)[-1]
    assert name.isascii()
    assert file_name(specification, fields) == name
    date_of(fields, specification.layout)


@settings(PROFILE)
@given(name=names)
def test_a_name_is_refused_or_stays_in_its_folder(name: str) -> None:
    folder = Path("/data/folder")
    try:
        assert check_name(name) == name
    except RenkeiError as refusal:
        assert refusal.code == "KR-6207"
        assert str(refusal).isprintable()
        return
    assert shown_name(name) == without_my_numbers(name)
    for safe_name in (name, temporary_name(name, hashlib.sha256(b"").hexdigest())):
        assert (folder / safe_name).resolve() == folder / safe_name
        assert (folder / safe_name).name == safe_name
        assert len(safe_name.encode()) <= 255


# As an operating system of the Union may hand them over; / and NUL cannot be in a name of a folder here.
HOSTILE = [
    "a\\b.csv", "..\\..\\etc", ".hidden", "...", "a..b", "a\nb.csv", "a\x1b[2Jb", "\u202evsc.exe", "\u200b", "~", "-rf",
    "$(id).csv", "%2e%2e%2fpasswd", "．．／秘密", "KRKOJ_９９９９９７_20260401_000001.csv", "KRKOJ_999997_20260401_000001.csv.",
    "KRKOJ_999997_20260401_000001.csv ", " KRKOJ_999997_20260401_000001.csv", "é", "e\u0301", "長" * 85, "a" * 255,
    *("x" * length for length in range(228, 241)), "z.p7m", "y" * 228 + ".p7m",
]  # fmt: skip


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_hostile_names_in_the_unions_folder_write_nothing_outside_and_stop_nobody(tmp_path: Path) -> None:
    union, data = tmp_path / "from_union", tmp_path / "data"
    union.mkdir()
    for number, name in enumerate(HOSTILE):
        (union / name).write_text(f"synthetic {number}\n")
    (union / "plain.csv").write_text("synthetic\n")
    ledger = Ledger(f"sqlite:///{data / 'ledger.sqlite'}", noon)
    before = everything(tmp_path)
    own = Inbox(
        ledger.recorder("test-operator", "run-1"), file_store(data), lambda path, name: ValidationOutcome(False)
    )
    arrived = own.receive(LocalFolderTransport(union))
    assert len(arrived) == len(HOSTILE) + 1
    assert {arrival.state for arrival in arrived} == {"quarantined", "refused"}
    assert {arrival.code for arrival in arrived if arrival.state == "refused"} == {"KR-6207"}
    assert next(arrival for arrival in arrived if arrival.name == "plain.csv").state == "quarantined"
    assert all(arrival.name.isprintable() for arrival in arrived)
    assert {name for name in everything(tmp_path) - before if not name.startswith("data/")} == set()
    refused = [arrival for arrival in arrived if arrival.state == "refused"]
    assert len(everything(union)) == len(refused)
    assert ledger.verify_chain() == []
    ledger.close()
