"""An independent reader of our files agrees with `renkei validate`: about validity, line, item and code.

The reader (fixtures/second_reader) knows what `renkei spec show --json` says and nothing else of the program.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fixtures.second_reader.document import Document
from fixtures.second_reader.making import Maker, Sound
from fixtures.second_reader.mutants import of_bytes, of_items, of_single_items, of_structure
from fixtures.second_reader.physical import Finding
from fixtures.second_reader.reading import is_valid, judge
from interfaces.catalogue import DEFAULT_ROOT, read_rows
from interfaces.messages import messages
from pipelines.cli import main
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from tests.support.deployment import settings_file
from tests.support.paths import ROOT

FUZZ = int(os.environ.get("RENKEI_FUZZ") or 0)
SEEDS = range(1, 2 + FUZZ // 50)


def renkei(*arguments: str) -> Any:
    """What a command says as JSON."""
    return json.loads(CliRunner().invoke(main, [*arguments, "--json"]).stdout)


VERSIONS = [(plan["id"], plan["effective_from"]) for plan in renkei("spec", "list")]
TODAY = dt.date(2026, 6, 15)  # of a file whose name says no day


@pytest.fixture(params=VERSIONS, ids=lambda version: f"{version[0]} {version[1]}", scope="module")
def document(request: pytest.FixtureRequest) -> Document:
    interface, on = request.param
    return Document(json.dumps(renkei("spec", "show", interface, "--on", on)), TODAY)


def seen(folder: Path, name: str, content: bytes, on: dt.date) -> tuple[bool, set[Finding]]:
    """What `renkei validate` finds."""
    (folder / name).write_bytes(content)
    report = renkei("validate", str(folder / name), "--on", on.isoformat())
    return report["valid"], {
        Finding(finding["line"], finding["item_no"], finding["code"]) for finding in report["findings"]
    }


def compare(folder: Path, sound: Sound, content: bytes, expected: Sequence[Finding] = (), what: str = "") -> bool:
    """Both readings find the same, and what any right reading must find. Whether the file is valid."""
    ours = judge(content, sound.document, sound.name)
    assert set(expected) <= ours, (what, set(expected) - ours)
    valid, theirs = seen(folder, sound.name, content, sound.day)
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


@pytest.mark.parametrize(("day", "valid"), [("0331", False), ("0401", True), ("0430", True), ("0501", False)])
def test_a_code_is_valid_from_its_first_day_until_the_day_before_its_end(
    day: str, valid: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue"))
    table = root / "codes" / "media_kind.csv"
    rows = table.read_text(encoding="utf-8-sig").replace("media,,", "media,2026-04-01,2026-05-01")
    table.write_text(rows, encoding="utf-8-sig")
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_file(tmp_path, more=f'catalogue_folder = "{root}"')))
    document = Document(json.dumps(renkei("spec", "show", "municipal_id_linkage", "--on", "2026-04-01")))
    sound = Maker(document, 1).file(0)
    on, name = f"2026{day}", "KRSID_999997_2026{}_000001.csv"
    dated = Sound(document, name.format(day), document.day_of(name.format(day)), sound.rows).with_values(
        0, media_kind="2", created_on=on, file_number="000001"
    )
    assert compare(tmp_path, dated, dated.written()) is valid


def test_everything_that_a_specification_names_is_said_in_its_json() -> None:
    whole = renkei("spec", "show", "eligibility_individual")
    assert whole["types"]["年月日"]["date_format"] == "YYYYMMDD"
    assert [code["code"] for code in whole["code_tables"]["head_kind"]] == ["0", "1", "2"]
    assert {row["value"] for row in whole["characters"] if row["treatment"] == "外字"} == {"F040", "F041", "F042"}
    assert whole["rules"]["not_before"]["code"] == "KR-3003"
    assert whole["format"]["line_end_bytes"] == "0d0a"
    assert whole["file_name_fields"] == {"municipality_code": 6, "processed_on": 8, "file_number": 6}


def test_no_rule_normalisation_or_check_is_left_unexplained() -> None:
    explained = {row["名前"] for row in read_rows(DEFAULT_ROOT / "reading" / "rules.csv")}
    assert explained == {*registered_rules(), *NORMALISATIONS}
    checks = {row["コード"] for row in read_rows(DEFAULT_ROOT / "reading" / "checks.csv")}
    of_reading = {code for code in messages() if code.startswith("KR-1")} - {"KR-1021", "KR-1022"}  # those of writing
    assert of_reading <= checks
    rules_apart = {rule.code for rule in registered_rules().values()}
    judged = {code for code in messages() if code[:5] in ("KR-2", "KR-3", "KR-4")} - rules_apart
    assert judged <= checks


def test_the_second_reader_knows_nothing_of_the_program() -> None:
    for path in (ROOT / "fixtures" / "second_reader").glob("*.py"):
        imported = re.findall(r"^(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not {"interfaces", "schemas", "pipelines"} & set(imported), path.name
        assert "fixtures." not in re.sub(r"fixtures\.second_reader", "", path.read_text(encoding="utf-8")), path.name
