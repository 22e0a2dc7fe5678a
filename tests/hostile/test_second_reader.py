"""Somebody else's reading of our files agrees with `renkei validate`: about validity, line, item and code.

The reader (fixtures/second_reader) knows what `renkei spec show --json` says and nothing else of the program.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import EXAMPLES

from fixtures.second_reader.document import Document
from fixtures.second_reader.making import Maker, Sound
from fixtures.second_reader.mutants import of_bytes, of_items, of_single_items, of_structure
from fixtures.second_reader.reading import Finding, is_valid, judge
from pipelines.cli import main

FUZZ = int(EXAMPLES or 0)
SEEDS = range(1, 2 + FUZZ // 50)


def renkei(*arguments: str) -> Any:
    """What a command says as JSON."""
    return json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)


VERSIONS = [(plan["id"], plan["effective_from"]) for plan in renkei("spec", "list")]


@pytest.fixture(params=VERSIONS, ids=lambda version: f"{version[0]} {version[1]}", scope="module")
def document(request: pytest.FixtureRequest) -> Document:
    interface, on = request.param
    return Document(json.dumps(renkei("spec", "show", interface, "--on", on)))


def seen(folder: Path, name: str, content: bytes) -> tuple[bool, set[Finding]]:
    """What `renkei validate` finds."""
    (folder / name).write_bytes(content)
    told = renkei("validate", str(folder / name))
    return told["valid"], {Finding(one["line"], one["item_no"], one["code"]) for one in told["findings"]}


def compare(folder: Path, sound: Sound, content: bytes, expected: Sequence[Finding] = (), what: str = "") -> bool:
    """Both readings find the same, and what any right reading must find. Whether the file is valid."""
    ours = judge(content, sound.document, sound.name)
    assert set(expected) <= ours, (what, set(expected) - ours)
    valid, theirs = seen(folder, sound.name, content)
    assert (ours - theirs, theirs - ours, is_valid(ours, sound.document)) == (set(), set(), valid), (what, sound.name)
    return valid


def test_sound_files_are_valid_for_both(document: Document, tmp_path: Path) -> None:
    fewest = 0 if document.json["zero_records_allowed"] else 1
    for seed, records in itertools.product(SEEDS, (fewest, 2, 5)):
        sound = Maker(document, seed).file(records)
        content = sound.written(all_quoted=seed % 2 == records % 2)
        assert compare(tmp_path, sound, content), (seed, records)


def test_changes_of_items_are_found_at_their_line_and_item(document: Document, tmp_path: Path) -> None:
    for seed in SEEDS:
        files = of_items(Maker(document, seed), 60)
        for sound, expected in files if FUZZ else itertools.islice(files, 2):
            compare(tmp_path, sound, sound.written(), expected)


def test_single_changes_are_found_too(document: Document, tmp_path: Path) -> None:
    for sound, expected in of_single_items(Maker(document, 1), FUZZ or 3):
        compare(tmp_path, sound, sound.written(), expected)


def test_damaged_structure_is_found(document: Document, tmp_path: Path) -> None:
    for seed in SEEDS:
        maker = Maker(document, seed)
        sound = maker.file(3)
        every = list(of_structure(sound))
        for damage in every if FUZZ else maker.random.sample(every, 5):
            compare(tmp_path, sound, damage.content, [damage.expected] if damage.expected else [], damage.name)


def test_damaged_bytes_are_found(document: Document, tmp_path: Path) -> None:
    maker = Maker(document, 1)
    sound = maker.file(2)
    for damage in of_bytes(sound, maker.random, FUZZ // 5 or 1):
        compare(tmp_path, sound, damage.content, what=damage.name)
