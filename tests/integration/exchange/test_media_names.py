"""Media as clerks bring them: with what Windows and macOS put on them, and a marker saved by any editor."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT
from tests.support.quirky import DAY, NAME, Place, quirky_place, sound_ids

WHY = ("--reason", "連合会の媒体")
SYSTEM = (
    "System Volume Information/IndexerVolumeGuid",
    ".DS_Store",
    "Thumbs.db",
    "thumbs.DB",
    "desktop.ini",
    f"._{NAME}",
    ".Spotlight-V100/Store",
    ".fseventsd/0001",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with quirky_place(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    folder = tmp_path / "medium"
    folder.mkdir()
    (folder / "媒体管理番号.txt").write_text("M-0001", encoding="utf-8")
    return folder


def put(medium: Path, *names: str) -> None:
    for name in names:
        (medium / name).parent.mkdir(exist_ok=True)
        (medium / name).write_bytes(b"x")


def names_on(medium: Path) -> set[str]:
    return {path.relative_to(medium).as_posix() for path in medium.rglob("*") if path.is_file()} - {"媒体管理番号.txt"}


def test_names_that_systems_make_are_neither_received_nor_refused(place: Place, medium: Path) -> None:
    put(medium, *SYSTEM, "$RECYCLE.BIN/desktop.ini")
    place.inbox = medium
    place.written(sound_ids(), at=-600)
    before = names_on(medium)
    status, said = place.renkei("media", "import", str(medium), *WHY)
    assert (status, said.count("受領"), place.states()) == (0, 1, ["verified"]), said
    assert names_on(medium) == before - {NAME}


def test_a_name_that_only_resembles_a_known_one_is_reported(place: Place, medium: Path) -> None:
    put(medium, "System Volume Information2")
    put(medium, "DS_Store")
    _, said = place.renkei("media", "import", str(medium), *WHY)
    assert ("System Volume Information2" in said, "DS_Store" in said) == (True, True), said


def test_erasing_reaches_the_trash_and_leaves_the_systems_files(place: Place, medium: Path) -> None:
    put(medium, *SYSTEM, "old.csv", "$RECYCLE.BIN/$R123.csv", ".Trash-1000/files.csv", "$RECYCLE.BIN/desktop.ini")
    status, said = place.renkei("media", "erase", str(medium), *WHY)
    assert (status, "消去 3件" in said) == (0, True), said
    assert names_on(medium) == {*SYSTEM, "$RECYCLE.BIN/desktop.ini"}
    status, said = place.renkei("media", "erase", str(medium), *WHY)
    assert (status, "消去 0件" in said) == (0, True), said


@pytest.mark.parametrize("left", ["old.csv", "$RECYCLE.BIN/$R123.csv"])
def test_an_export_minds_files_and_not_the_systems_names(place: Place, medium: Path, left: str) -> None:
    """Without an extract it stops later, for another reason: the medium was accepted."""
    put(medium, *SYSTEM)
    export = ("media", "export", str(medium), "--date", DAY.isoformat(), *WHY)
    status, said = place.renkei(*export)
    assert (status, "KR-6603" in said) == (2, False), said
    put(medium, left)
    status, said = place.renkei(*export)
    assert (status, "KR-6603" in said, "1件" in said) == (2, True, True), said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp932"])
def test_the_marker_is_read_however_it_was_saved(place: Place, medium: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (medium / "媒体管理番号.txt").write_bytes(f"{mark}M-0001\r\n".encode(encoding))
    status, said = place.renkei("media", "erase", str(medium), *WHY)
    assert status == 0, said


@pytest.mark.parametrize("content", [b"\xff\xfeM", b"\x81", b"M-0002", "媒体".encode("utf-16")])
def test_a_marker_that_cannot_be_understood_is_refused(place: Place, medium: Path, content: bytes) -> None:
    (medium / "媒体管理番号.txt").write_bytes(content)
    status, said = place.renkei("media", "erase", str(medium), *WHY)
    assert (status, "KR-660" in said) == (2, True), said


def test_an_unknown_word_in_the_table_is_reported(place: Place, medium: Path) -> None:
    root = place.folder / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    table = root / "media" / "system_names.csv"
    table.write_text(table.read_text(encoding="utf-8-sig").replace(",触れない,", ",ふれない,", 1), encoding="utf-8-sig")
    settings = place.settings.read_text(encoding="utf-8")
    place.settings.write_text(f'catalogue_folder = "{root}"\n{settings}', encoding="utf-8")
    status, said = place.renkei("media", "erase", str(medium), *WHY)
    assert (status, "KR-7101" in said) == (2, True), said
    status, said = place.renkei("spec", "lint")
    assert (status, "media/system_names.csv" in said) == (1, True), said
