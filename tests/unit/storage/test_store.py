"""Tables at rest: atomic, private, personal columns readable only with their key, 個人番号 only with its own."""

from __future__ import annotations

import shutil
from base64 import b64decode, encodebytes
from pathlib import Path
from typing import Annotated

import polars as pl
import pyarrow.parquet as pq
import pytest

from interfaces.catalogue import load_catalogue
from interfaces.messages import RenkeiError
from pipelines.storage.keyring import KeyRing
from pipelines.storage.tables import Store
from schemas.tables import StoredTable, Table, item, personal, public
from tests.support.rings import key_folder

NUMBER, NAME = "123456789018", "合成　カナリア"
CATALOGUE = load_catalogue()


class Numbers(Table):
    """A table of 個人番号."""

    resident_number: pl.String = item()
    my_number: pl.String = item()


class Marked(Table):
    """A table with columns of every kind."""

    resident_number: pl.String = item()
    name: pl.String = item()
    marks: Annotated[pl.List, pl.String] = personal("印")
    records: pl.Int64 = public("件数")


class Counted(Table):
    """A table without a personal column."""

    records: pl.Int64 = public("件数")


TABLES = {
    asset: StoredTable(table, CATALOGUE)
    for asset, table in (("my_numbers", Numbers), ("people", Marked), ("counts", Counted))
}
NUMBERS = pl.DataFrame({"resident_number": ["000000000000001"], "my_number": [NUMBER]})
PEOPLE = pl.DataFrame({"resident_number": ["000000000000001"], "name": [NAME], "marks": [[NAME, "x"]], "records": [7]})


def ring_of(folder: Path, *patterns: str) -> KeyRing:
    """A ring in `folder` with those of the shared keys that the patterns name."""
    folder.mkdir(exist_ok=True)
    for pattern in (*patterns, "passphrase"):
        for path in key_folder().glob(pattern):
            shutil.copy2(path, folder)
    return KeyRing(folder, folder / "passphrase", "試験")


def store_of(folder: Path, *patterns: str) -> Store:
    return Store(folder / "assets", ring_of(folder / "keys", *(patterns or ("*.pem",))), TABLES)


def code_of(store: Store, asset: str) -> str:
    with pytest.raises(RenkeiError) as caught:
        store.read(asset, "2026-04-01")
    return caught.value.code


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    for asset, frame in (("my_numbers", NUMBERS), ("people", PEOPLE), ("counts", PEOPLE.select("records"))):
        path = store.write(asset, "2026-04-01", frame)
        assert store.read(asset, "2026-04-01").equals(frame)
        assert NUMBER.encode() not in path.read_bytes()
        assert NAME.encode() not in path.read_bytes()


def test_a_process_without_the_number_key_reads_everything_else(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.write("my_numbers", "2026-04-01", NUMBERS)
    store.write("people", "2026-04-01", PEOPLE)
    without = Store(tmp_path / "assets", ring_of(tmp_path / "other", "records-*"), TABLES)
    assert without.read("people", "2026-04-01").equals(PEOPLE)
    assert code_of(without, "my_numbers") == "KR-7112"


def test_a_process_with_certificates_only_can_write_and_reads_nothing_personal(tmp_path: Path) -> None:
    store = store_of(tmp_path, "*.cert.pem")
    for asset, frame in (("my_numbers", NUMBERS), ("people", PEOPLE)):
        store.write(asset, "2026-04-01", frame)
        assert code_of(store, asset) == "KR-7112"
    path = store.path("people", "2026-04-01")
    assert pq.read_table(path, columns=["records"]).to_pylist() == [{"records": 7}]
    assert store.height("people", "2026-04-01") == 1
    for reader in (lambda: pq.read_table(path), lambda: pl.read_parquet(path)):
        with pytest.raises(Exception, match=r"(?i)decrypt"):
            reader()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.write("my_numbers", "2026-04-01", NUMBERS)
    (tmp_path / "keys" / "my_number-1.key.pem").chmod(0o644)
    assert code_of(store, "my_numbers") == "KR-7106"


def test_the_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.write("people", "2026-04-01", PEOPLE)
    (tmp_path / "keys" / "passphrase").write_text("other", encoding="ascii")
    assert code_of(store, "people") == "KR-7113"


def test_a_key_file_in_which_a_byte_changed_opens_nothing(tmp_path: Path) -> None:
    store_of(tmp_path).write("people", "2026-04-01", PEOPLE)
    path = tmp_path / "keys" / "records-1.key.pem"
    first, *lines, last = path.read_bytes().splitlines()
    sound = b64decode(b"".join(lines))
    for place in range(0, len(sound), 9):
        damaged = sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :]
        path.write_bytes(b"\n".join((first, encodebytes(damaged).strip(), last)))
        ring = KeyRing(tmp_path / "keys", tmp_path / "keys" / "passphrase", "試験")
        assert code_of(Store(tmp_path / "assets", ring, TABLES), "people") == "KR-7113"


def test_a_key_in_place_of_another_opens_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.write("people", "2026-04-01", PEOPLE)
    shutil.copy2(tmp_path / "keys" / "my_number-1.key.pem", tmp_path / "keys" / "records-1.key.pem")
    assert code_of(store, "people") == "KR-7113"


def test_a_changed_byte_is_not_read_as_something_else(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    path = store.write("people", "2026-04-01", PEOPLE)
    sound = path.read_bytes()
    refused = 0
    for place in range(0, len(sound), 7):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        try:
            assert store.read("people", "2026-04-01").equals(PEOPLE)
        except RenkeiError as error:
            assert error.code in ("KR-7114", "KR-7112")
            refused += 1
    assert refused > len(sound) // 7 // 2


def test_files_belong_to_their_owner_alone_and_are_replaced_whole(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    path = store.write("people", "2026-04-01", PEOPLE)
    assert path.stat().st_mode & 0o077 == 0
    before = path.read_bytes()
    keyless = Store(tmp_path / "assets", ring_of(tmp_path / "none"), TABLES)
    with pytest.raises(RenkeiError, match="KR-7111"):
        keyless.write("people", "2026-04-01", PEOPLE)
    assert path.read_bytes() == before
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_a_table_that_was_never_written_says_what_to_run(tmp_path: Path) -> None:
    assert code_of(store_of(tmp_path), "people") == "KR-7207"
