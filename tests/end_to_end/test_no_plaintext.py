"""No file, on a disk or in a memory file system, contains a record in plain form at any moment of a day. The server's are its own."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from fixtures.torture.town import Town, town
from pipelines.configuration.settings import Settings
from pipelines.deployment import Environment
from tests.support import watched

NUMBER = re.compile(rb"(?<!\d)\d{12}(?!\d)")
# A name of the synthetic register begins so, in both encodings.
FAMILY = tuple("合成　".encode(encoding) for encoding in ("cp932", "utf-8"))
SHORTEST_RECORD = 30
# Python's `platform` asks the command `file` about Python itself; no other process is started.
ASKED = {"subprocess.Popen file"}


@dataclass(frozen=True)
class Secrets:
    """What must not be found anywhere: 個人番号, and whole records of files that travelled."""

    numbers: frozenset[bytes]
    records: frozenset[bytes]

    def in_content(self, content: bytes) -> list[str]:
        """Which of them are in a file's bytes, or in one of its parts when it is a workbook."""
        return [found for layer in _layers(content) for found in self._in_layer(layer)]

    def _in_layer(self, layer: bytes) -> Iterator[str]:
        if not self.numbers.isdisjoint(NUMBER.findall(layer)):
            yield "個人番号"
        if any(family in layer for family in FAMILY):
            yield "氏名"
        if not self.records.isdisjoint(line.strip(b"\r") for line in layer.split(b"\n")):
            yield "レコード"


def _layers(content: bytes) -> Iterator[bytes]:
    yield content
    if content[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def secrets_of(place: Town) -> Secrets:
    """Everybody's number, and every record that was sent or received, as our encrypted copies say."""
    with next((place.folder / "extracts").glob("resident_*.csv")).open(encoding="utf-8", newline="") as handle:
        numbers = frozenset(row["個人番号"].encode() for row in csv.DictReader(handle) if row["個人番号"])
    file_store = Environment.open(Settings.load(place.settings)).file_store
    copies = [path for path in place.data.rglob("*.p7m") if not path.name.endswith(".to_union.p7m")]
    records = [{*file_store.read(path).splitlines()} for path in copies]
    assert {path.relative_to(place.data).parts[0] for path in copies} == {"outbox", "archive"}
    assert all(any(len(line) >= SHORTEST_RECORD for line in lines) for lines in records)
    return Secrets(numbers, frozenset(line for lines in records for line in lines if len(line) >= SHORTEST_RECORD))


def watch(evidence: Path, temporary: Path, *arguments: str, environment: dict[str, str] | None = None) -> watched.Seen:
    """What a process had in files. Nothing was ever in the folder for temporary files: not even for a moment."""
    for folder in (evidence, temporary):
        folder.mkdir()
    made = temporary.stat().st_mtime_ns
    done = subprocess.run(
        [sys.executable, str(Path(watched.__file__)), str(evidence), *arguments],
        env=(environment or dict(os.environ)) | {"TMPDIR": str(temporary), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if arguments[0] != "-c":
        assert temporary.stat().st_mtime_ns == made
    return watched.seen(evidence)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "unsealed"])
def test_no_file_contains_a_record_in_plain_form_at_any_moment_of_a_day(sealed: bool, tmp_path: Path) -> None:
    with town(tmp_path / "town", persons=300, sealed=sealed) as place:
        place.live(0)
        place.world.live(place.days[1])
        out = watch(tmp_path / "out", tmp_path / "tmp_out", *place.day_out(1), environment=place.environment)
        assert len(place.recorded_as_sent(1)) == 2
        place.world.night(place.days[1])
        came = watch(tmp_path / "in", tmp_path / "tmp_in", *place.day_in(1), environment=place.environment)
        secrets = secrets_of(place)
        left = {path.read_bytes(): {str(path)} for path in place.data.rglob("*") if path.is_file()}
    for found in (out, came):
        assert set(found.escaped) <= ASKED
        assert any(path.endswith(".p7m.part") for paths in found.contents.values() for path in paths)
    leaks = [
        (secret, sorted(paths))
        for contents in (out.contents, came.contents, left)
        for content, paths in contents.items()
        for secret in secrets.in_content(content)
    ]
    assert leaks == []


BEFORE = "import os, tempfile; from pathlib import Path; secret = '合成　太郎'.encode('cp932')\n"
MOMENTS = {
    "a scratch folder in memory": (
        "folder = Path(tempfile.mkdtemp(dir='/dev/shm')); (folder / 'a').write_bytes(secret)\n"
        "(folder / 'a').unlink(); folder.rmdir()"
    ),
    "a temporary file that has no name any more": (
        "handle = tempfile.NamedTemporaryFile(buffering=0, delete=False); os.unlink(handle.name); handle.write(secret)"
    ),
    "a file that is written over": "Path('a').write_bytes(secret); Path('a').write_bytes(b'')",
    "a file whose name another one takes": "Path('a').write_bytes(secret); Path('b').touch(); Path('b').replace('a')",
    "a file that is cut": "Path('a').write_bytes(secret); os.truncate('a', 0)",
    "a file that is there still": "Path('a').write_bytes(secret)",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_watcher_sees_what_is_there_for_a_moment(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"{BEFORE}os.chdir({str(tmp_path)!r})\n{MOMENTS[moment]}"
    found = watch(tmp_path / "evidence", tmp_path / "tmp", "-c", code)
    nothing = Secrets(frozenset(), frozenset())
    assert [secret for content in found.contents for secret in nothing.in_content(content)] == ["氏名"]


def test_the_watcher_reports_a_file_that_never_has_a_name(tmp_path: Path) -> None:
    found = watch(tmp_path / "evidence", tmp_path / "tmp", "-c", f"{BEFORE}tempfile.TemporaryFile().write(secret)")
    assert set(found.escaped) == {f"a file without a name in {tmp_path / 'tmp'}"}
