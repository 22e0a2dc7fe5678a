"""Any bytes under any of our names: a judgement, never an exception; and valid only what other programs read alike."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import validate as validation
from schemas.report import to_json, write_xlsx
from schemas.validate import FileContext, Validated, validate_file
from tests.support.hostile.damage import Edits, edited, edits
from tests.support.hostile.sound import Sound
from tests.support.layouts import exchanged

INTERFACES = exchanged()
PROFILE = settings.get_profile("hostile")
# Bytes that mean something to a CSV file, to Shift_JIS (a lead byte, a trail byte that is a backslash, 外字) or to Excel.
PIECES = [b"\r\n", b"\n", b"\r", b"\0", b"\t", b"\x1a", b",", b'"', b'""', b"=", b"\x81", b"\x83\x5c", b"\xf0\x40",
          b"\xef\xbb\xbf", b"\xff\xfe", b"\xe3\x81", b"\xed\xa0\x80", b"\xf3\xa0\x84\x80", b"2,", b"3,"]  # fmt: skip


# What is at F040 to F042, which Python reads as U+E000 to U+E002 (characters/union_cp932.csv).
EXTERNAL = str.maketrans({"\ue000": "𠮷", "\ue001": "辻\U000e0100", "\ue002": "葛\U000e0100"})


def cells_as_python_reads_them(data: bytes, validated: Validated) -> list[list[str]]:
    """The records by the standard library's reader, without the heading."""
    form = validated.decoded.spec.format
    text = data.decode(form.encoding)
    if form.external_characters:
        text = text.translate(EXTERNAL)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    return rows[1:] if form.header else rows


def cells_as_we_read_them(validated: Validated) -> list[list[str]]:
    tables = validated.decoded.tables
    return [list(row) for record in validated.decoded.spec.records for row in tables[record.kind].drop("line").rows()]


def judged(data: bytes, sound: Sound, folder: Path) -> Validated:
    """Validate and report, as whatever arrives is."""
    path = folder / sound.name
    path.write_bytes(data)
    validated = validate_file(path, sound.specification, sound.on, sound.context)
    json.dumps(to_json(validated))
    write_xlsx(validated, folder / "report.xlsx")
    return validated


def check(validated: Validated, data: bytes) -> None:
    codes = set(validated.findings["code"])
    assert "KR-9001" not in codes
    lines = validated.findings["line"].drop_nulls()
    assert lines.is_between(1, data.count(b"\n") + 1).all()
    if validated.valid:
        assert cells_as_we_read_them(validated) == cells_as_python_reads_them(data, validated)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytes")


@pytest.mark.parametrize("interface", INTERFACES)
@settings(PROFILE)
@given(changes=edits(PIECES))
def test_a_sound_file_with_damaged_bytes(
    sounds: dict[str, Sound], folder: Path, interface: str, changes: Edits
) -> None:
    sound = sounds[interface]
    data = edited(sound.written({}), changes)
    check(judged(data, sound, folder), data)


@pytest.mark.parametrize("interface", INTERFACES)
@settings(PROFILE)
@given(pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=40))
def test_any_bytes(sounds: dict[str, Sound], folder: Path, interface: str, pieces: list[bytes]) -> None:
    sound = sounds[interface]
    heading = sound.written({}).splitlines(keepends=True)[0]
    for data in (b"".join(pieces), heading + b"".join(pieces)):
        validated = judged(data, sound, folder)
        check(validated, data)
        assert not validated.valid


@pytest.mark.parametrize("interface", INTERFACES)
@settings(PROFILE)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30), share=st.floats(0, 0.999))
def test_any_text_in_a_cell(sounds: dict[str, Sound], folder: Path, interface: str, text: str, share: float) -> None:
    """What the codec reads out of a cell is what was written into it, or the file is refused."""
    sound = sounds[interface]
    cells = [(line, item) for line in sound.data_lines for item in sound.specification.data.item_ids[1:]]
    line, item = cells[int(share * len(cells))]
    encoding = sound.specification.format.encoding
    data = sound.written({(line, item): text.encode(encoding, "ignore").decode(encoding)})
    check(judged(data, sound, folder), data)


MEGABYTES = 24
REPEATED = {
    "nothing but line ends": ("eligibility_individual", b"\r\n"),
    "records of one column": ("municipal_id_linkage", b"2,\r\n"),
    "lines of one letter": ("resident_extract", b"x\n"),
}


@pytest.mark.parametrize("content", REPEATED)
def test_a_file_of_nothing_but_faults_is_refused_in_the_memory_there_is(
    sounds: dict[str, Sound], tmp_path: Path, content: str
) -> None:
    interface, line = REPEATED[content]
    sound = sounds[interface]
    first, record, *_, last = sound.written({}).splitlines(keepends=True)
    path = tmp_path / sound.name
    path.write_bytes(first + record + line * (MEGABYTES * 1024**2 // len(line)) + last)
    command = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2048 * 1024**2,) * 2);"
        "from pipelines.cli import main; sys.argv[0] = 'renkei'; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", command, "validate", str(path), "--on", sound.on.isoformat(), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"POLARS_MAX_THREADS": "1"},
    )
    assert result.returncode == 1, result.stderr[-500:]
    assert [f["code"] for f in json.loads(result.stdout)["findings"]] == ["KR-1025"]


def test_more_findings_than_anyone_can_read_refuse_the_file(
    sounds: dict[str, Sound], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "MOST_FINDINGS", 5)
    sound = sounds["eligibility_individual"]
    path = tmp_path / sound.name
    for faulty, refused in ((5, False), (6, True)):
        path.write_bytes(sound.written({(line, "sex"): "x" for line in sound.data_lines[:faulty]}))
        found = validate_file(path, sound.specification, sound.on, FileContext()).findings
        assert found.height == 5 + refused
        assert ("KR-4009" in found["code"].to_list()) is refused
