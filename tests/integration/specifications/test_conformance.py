"""The conformance kit: what it expects is what `renkei validate` finds, and it judges another program's reading."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from fixtures.second_reader.document import Document
from fixtures.second_reader.reading import judge as second_judge
from interfaces.catalogue import load_catalogue
from interfaces.spec import Specification
from pipelines.cli import main
from schemas.samples.breaks import Break, Expected, breaks
from schemas.samples.files import SampleFile, sound_file
from schemas.validate import validate
from tests.support import versions

DAY = dt.date(2026, 4, 1)
ALL = [specification for interface in load_catalogue().ids() for specification in load_catalogue().versions(interface)]
EACH, OF_MANY_KINDS = 6, 2  # of an interface's breaks, which take longer with many record kinds; all of them are slow


def renkei(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def found(sound: SampleFile, content: bytes) -> set[Expected]:
    setting = sound.setting
    judged = validate(content, setting.file_name, setting.specification, setting.on, setting.context)
    return {Expected(*row) for row in judged.findings.select("code", "line", "item").rows()}


def differing(sound: SampleFile, made: list[Break]) -> list[tuple[str, str, set[Expected]]]:
    return [
        (broken.item, broken.rule, other)
        for broken in made
        if (other := found(sound, broken.content)) != set(broken.expected)
    ]


@pytest.mark.parametrize("specification", ALL, ids=lambda one: one.id)
def test_what_is_expected_is_what_is_found_and_nothing_else(specification: Specification) -> None:
    sound = sound_file(specification, DAY)
    assert found(sound, sound.content) == set()
    made = list(breaks(sound))
    assert len(made) > 20
    wanted = EACH if len(specification.records) <= 3 else OF_MANY_KINDS
    assert differing(sound, made[:: len(made) // wanted + 1]) == []


@pytest.mark.slow
@pytest.mark.parametrize("specification", ALL, ids=lambda one: one.id)
def test_every_break_is_found_alone(specification: Specification) -> None:
    sound = sound_file(specification, DAY)
    assert differing(sound, list(breaks(sound))) == []


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    made = renkei("conformance", "household_extract", "--on", DAY, "--to", tmp_path / "kit")
    assert made.exit_code == 0, made.output
    return tmp_path / "kit"


def expected_of(kit: Path) -> dict[str, Any]:
    text = (kit / "expected.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def answer(kit: Path, answers: list[dict[str, Any]]) -> Result:
    (kit / "verdicts.json").write_text(json.dumps(answers), encoding="utf-8")
    return renkei("conformance", "judge", kit, "--json")


def test_an_independent_program_passes(kit: Path) -> None:
    """The second reader knows nothing but `renkei spec show --json`."""
    document = Document(renkei("spec", "show", "household_extract", "--on", DAY, "--json").stdout)
    known = expected_of(kit)
    answers = []
    for file in known["files"]:
        content = (kit / file["folder"] / known["file_name"]).read_bytes()
        ids = {item.number: item.id for item in document.data.items}
        findings = [
            {"code": one.code, "line": one.line, "item": ids.get(one.item) if one.item else None}
            for one in second_judge(content, document, known["file_name"])
        ]
        answers.append({"folder": file["folder"], "findings": findings})
    result = json.loads(answer(kit, answers).stdout)
    needs_settings = [one for one in result["differ"] if "own_municipality" not in one["what"]]
    assert needs_settings == []


def test_missed_and_invented_findings_and_missing_answers_are_told(kit: Path) -> None:
    files = expected_of(kit)["files"]
    right = [{"folder": file["folder"], "findings": file["findings"]} for file in files]
    assert (answer(kit, right).exit_code, json.loads(answer(kit, right).stdout)["differ"]) == (0, [])
    invented = {"code": "KR-2001", "line": 2, "item": "address"}
    wrong = [right[0] | {"findings": [invented]}, right[1] | {"findings": []}, *right[3:]]
    result = answer(kit, wrong)
    told = json.loads(result.stdout)["differ"]
    assert result.exit_code == 1
    assert [(one["folder"], one["missed"], one["invented"], one["answered"]) for one in told] == [
        ("sound/0000", [], [invented], True),
        ("broken/0001", files[1]["findings"], [], True),
        ("broken/0002", files[2]["findings"], [], False),
    ]
    said = renkei("conformance", "judge", kit).output
    assert "余分な指摘 KR-2001 必須項目の未入力（2行目 address）" in said
    assert "結果がありません" in said


def test_a_program_without_codes_is_judged_by_places(kit: Path) -> None:
    files = expected_of(kit)["files"]
    places = [
        {"folder": file["folder"], "findings": [one | {"code": None} for one in file["findings"]]} for file in files
    ]
    assert answer(kit, places).exit_code == 0
    places[1]["findings"][0]["line"] = 99
    assert answer(kit, places).exit_code == 1


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"folder": "sound/0000"}]', '[{"folder": "x", "findings": [{}]}]'])
def test_verdicts_of_another_form_are_refused(kit: Path, text: str) -> None:
    (kit / "verdicts.json").write_text(text, encoding="utf-8")
    refused = renkei("conformance", "judge", kit)
    assert (refused.exit_code, refused.output[:7]) == (2, "KR-7151")


def test_a_folder_that_is_no_kit_and_a_layout_without_a_sound_sample(tmp_path: Path) -> None:
    assert renkei("conformance", "judge", tmp_path).output.startswith("KR-7151")
    root = versions.copied(tmp_path / "catalogue")

    def contradicted(rows: versions.Rows) -> versions.Rows:
        """Fifteen digits that are 5 or 6."""
        rules = {"resident_number": "digits(15);between(5,6)"}
        return [row | ({"規則": rules[row["id"]]} if row["id"] in rules else {}) for row in rows]

    versions.edit(root, "insured_extract", contradicted)
    refused = renkei("conformance", "insured_extract", "--on", DAY, "--to", tmp_path / "kit", "--catalogue", root)
    assert (refused.exit_code, refused.output[:7]) == (2, "KR-7150")
    assert renkei("conformance", "nothing", "--to", tmp_path / "kit").output.startswith("KR-7102")


def test_a_sample_is_visibly_synthetic() -> None:
    text = sound_file(load_catalogue().in_force("eligibility_individual", DAY), DAY).content.decode("cp932")
    assert "合成データ" in text
    assert pl.Series([text]).str.contains("999999999996").item()
