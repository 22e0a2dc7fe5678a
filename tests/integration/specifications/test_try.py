"""`renkei spec try`: which version fits a file, and what speaks against the best ones."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fixtures.prefecture import MUNICIPALITIES, Prefecture
from interfaces.catalogue import load_catalogue
from pipelines.cli import main

DAY = dt.date(2026, 4, 1)


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The three extracts of a small town, by interface."""
    prefecture = Prefecture(3, 200, DAY)
    prefecture.live_through(DAY)
    folder = tmp_path_factory.mktemp("extracts")
    paths = prefecture.write_extracts(folder, MUNICIPALITIES[0].code, DAY, load_catalogue())
    return {f"{path.name.partition('_')[0]}_extract": path.read_bytes() for path in paths}


def tried(*files: Path, json_wanted: bool = True) -> Result:
    result = CliRunner().invoke(main, ["spec", "try", *map(str, files), *(["--json"] if json_wanted else [])])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def written(folder: Path, content: bytes, name: str = "はじめて.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def best(result: Result) -> tuple[str, list[str]]:
    """The best candidate of the only file, and what speaks against it."""
    ((first, *_),) = (answer["candidates"] for answer in json.loads(result.output))
    return first["interface"], [sign["text"] for sign in first["signs"] if not sign["fits"]]


@pytest.mark.parametrize("interface", ["resident_extract", "insured_extract", "household_extract"])
def test_a_sound_file_under_any_name_is_recognised(extracts: dict[str, bytes], interface: str, tmp_path: Path) -> None:
    result = tried(written(tmp_path, extracts[interface]))
    assert result.exit_code == 0
    found, against = best(result)
    assert found == interface
    assert [text[:6] for text in against] == ["ファイル名が"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.encode("cp932", "replace"), "文字コードは CP932（仕様は UTF-8）"),
        (lambda text: text.replace(",", ";").encode(), "区切りはセミコロン（仕様はコンマ）"),
        (lambda text: text.replace("\n", "\r\n").encode(), "行末は CRLF（仕様は LF）"),
        (lambda text: text.partition("\n")[2].encode(), "見出し 15個のうち 0個がある"),
        (lambda text: text.replace("枝番", "連番", 1).encode(), "見出し 15個のうち 14個がある（ない: 枝番）"),
        (lambda text: text.replace("\n", ",\n").encode(), "コンマで区切った列は 16個（仕様は 15個）"),
        (lambda text: b"\xef\xbb\xbf" + text.encode(), "BOM がある（仕様はなし）"),
    ],
    ids=["cp932", "semicolon", "crlf", "no heading", "another heading", "a column more", "bom"],
)
def test_what_differs_is_said(extracts: dict[str, bytes], change: object, said: str, tmp_path: Path) -> None:
    content = change(extracts["insured_extract"].decode("utf-8"))  # type: ignore[operator]
    result = tried(written(tmp_path, content))
    assert result.exit_code == 1
    found, against = best(result)
    assert found == "insured_extract"
    assert any(said in text for text in against), against


def test_a_few_faulty_records_are_counted_and_no_value_is_shown(extracts: dict[str, bytes], tmp_path: Path) -> None:
    lines = extracts["resident_extract"].decode("utf-8").splitlines()
    lines[1] = ",".join(["X"] * 20)
    result = tried(written(tmp_path, "\n".join([*lines, ""]).encode()), json_wanted=False)
    assert result.exit_code == 1
    assert f"データレコード{len(lines) - 1}件のうち正しいもの" in result.output
    assert "合成" not in result.output


def test_what_is_no_file_of_ours(tmp_path: Path) -> None:
    for content in (b"", b"\x00" * 100, b"\xff\xfe\xff", "こんにちは".encode()):
        assert tried(written(tmp_path, content)).exit_code == 1
    missing = tried(tmp_path / "ない.csv", json_wanted=False)
    assert (missing.exit_code, missing.output[:7]) == (2, "KR-7104")
