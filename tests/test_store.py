"""Tables at rest: atomic, private, and 個人番号 readable only with the key."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from interfaces.messages import RenkeiError
from pipelines.store import Store

NUMBERS = pl.DataFrame({"resident_number": ["000000000000001"], "my_number": ["123456789018"]})


def test_my_numbers_are_unreadable_without_the_key(tmp_path: Path) -> None:
    path = Store(tmp_path / "assets", tmp_path / "key").write("my_numbers", "2026-04-01", NUMBERS)
    assert b"123456789018" not in path.read_bytes()
    assert Store(tmp_path / "assets", tmp_path / "key").read("my_numbers", "2026-04-01").equals(NUMBERS)
    with pytest.raises(Exception, match=r"(?i)decrypt|key|unwrap|integrity|encrypt"):
        pl.read_parquet(path)
    (tmp_path / "key").unlink()
    with pytest.raises(Exception):  # noqa: B017  whatever the library says, the number must not come out
        Store(tmp_path / "assets", tmp_path / "key").read("my_numbers", "2026-04-01")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "assets", tmp_path / "key")
    store.write("my_numbers", "2026-04-01", NUMBERS)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(RenkeiError, match="KR-7106"):
        store.read("my_numbers", "2026-04-01")


def test_files_belong_to_their_owner_alone_and_are_replaced_whole(tmp_path: Path) -> None:
    store = Store(tmp_path / "assets", tmp_path / "key")
    path = store.write("people", "2026-04-01", NUMBERS.drop("my_number"))
    assert path.stat().st_mode & 0o077 == 0
    before = path.read_bytes()
    with pytest.raises(pl.exceptions.PolarsError):
        store.write("people", "2026-04-01", pl.DataFrame({"x": [object()]}))
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_table_that_was_never_written_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(RenkeiError, match="KR-7207"):
        Store(tmp_path / "assets", tmp_path / "key").read("people", "2026-04-01")
