"""What a person reads: place, fault, expectation and a masked value, in one Japanese line. Never a person's data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from interfaces.catalogue import load_catalogue
from interfaces.spec import Call
from schemas.findings import Faults, Findings, findings, masked
from tests.support.schema import NAME, line, lines, seen, sound_individuals, specification, validated, with_item

HIDDEN = "********"


@pytest.mark.parametrize(
    ("value", "mask", "shown"),
    [
        ("合成　花子", "all", HIDDEN),
        ("あ", "all", HIDDEN),
        ("000000000000102", "last3", HIDDEN + "102"),
        ("合成", "first1", "合" + HIDDEN),
        ("20230229", "none", "20230229"),
        ("123456789012", "none", "123456789012"),  # twelve digits that are no 個人番号
        ("合成", None, HIDDEN),  # of unknown place
        ("", "all", ""),
        (None, "all", None),
        # A 個人番号 where none belongs, in every guise.
        ("123456789018", "none", HIDDEN),
        ("123456789018", "last3", HIDDEN),
        ("123456789018", "first1", HIDDEN),
        ("番号 123456789018 番", "none", HIDDEN),
        ("111111111111 123456789018", "none", HIDDEN),
        ("9123456789018", "none", HIDDEN),
        ("1234567890189", "none", HIDDEN),
        ("1234-5678-9018", "none", HIDDEN),
        ("1234 5678 9018", "none", HIDDEN),
        ("１２３４５６７８９０１８", "none", HIDDEN),
        ("１２３４－５６７８－９０１８", "none", HIDDEN),
    ],
)
def test_a_value_is_masked_by_its_sensitivity(value: str | None, mask: str | None, shown: str | None) -> None:
    result = masked(pl.Series([value], dtype=pl.String), pl.Series([mask], dtype=pl.String))
    assert result.to_list() == [shown]


def test_the_length_of_a_hidden_value_is_not_shown() -> None:
    values = pl.Series(["合", "合成花子" * 20])
    assert masked(values, pl.Series(["all", "all"])).n_unique() == 1


def test_a_my_number_in_a_public_item_never_reaches_a_finding(tmp_path: Path) -> None:
    result = validated(tmp_path, line(3, ",0,2,12,", ",0,123456789018,12,")(sound_individuals()))
    public = validated(tmp_path, line(3, "20260401,1\r\n", "20260401,123456789018\r\n")(sound_individuals()))
    assert public.findings["item"].to_list() == ["update_kind"]
    assert public.findings["value"].to_list() == [HIDDEN]
    assert result.valid is False
    for outcome in (result, public):
        assert "123456789018" not in str(outcome.findings.to_dicts())


def test_a_problem_without_an_item_shows_no_value() -> None:
    fault = dict.fromkeys(Faults.names()) | {"line": 2, "code": "KR-1011", "value": '"合成　花子', "byte_position": 9}
    found = findings(Faults.of([fault]), specification(), NAME)
    assert found["value"].to_list() == [HIDDEN]
    assert "花子" not in found["message"][0]


def test_no_finding_of_any_item_shows_what_is_hidden(tmp_path: Path) -> None:
    rows = lines(sound_individuals())
    cells = rows[2].rstrip(b"\r\n").split(b",")
    secrets = {}
    for item in specification().data.items[5:]:
        secrets[item.id] = f"ｶｸｽ{item.number}ﾋﾐﾂ"
        cells[item.number - 1] = secrets[item.id].encode("cp932")
    rows[2] = b",".join(cells) + b"\r\n"
    found = validated(tmp_path, b"".join(rows)).findings
    assert set(found["item"]) == set(secrets)
    text = str(found.to_dicts())
    for name, secret in secrets.items():
        assert secret not in text, name


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("合成　太郎", f"{HIDDEN}、使えない文字 U+5408"),
        ("SMITH", f"{HIDDEN}、使えない文字 U+0053"),
        ("999618033978", HIDDEN),
        ("000000000000101", HIDDEN),
        ("12345678901", HIDDEN),
        ("9", "9"),
        ("1X", "1X"),
        ("2026-04-01", "2026-04-01"),
        ("20260401", "20260401"),
    ],
)
def test_a_public_items_value_of_the_wrong_form_may_be_another_items_and_is_hidden(
    value: str, shown: str, tmp_path: Path
) -> None:
    result = validated(tmp_path, line(3, "20260401,1\r\n", f"20260401,{value}\r\n")(sound_individuals()))
    assert result.findings.select("item", "value").rows() == [("update_kind", shown)]
    assert (value in str(result.findings.to_dicts())) is (shown == value)


def test_the_sentence_names_the_place_and_the_fault(tmp_path: Path) -> None:
    result = validated(tmp_path, line(3, ",19820304,", ",20230229,")(sound_individuals()))
    # Byte by hand: everything before 生年月日 in the line, in CP932 (two bytes a kanji or kana, quotes counted).
    before = (
        '2,0000003,K102,990010,999997,000000000000102,000000000000011,123456789018,02,"合成　花子","ゴウセイ　ハナコ",'
    )
    byte = len(before.encode("cp932")) + 1
    assert result.findings.to_dicts() == [
        {
            "file": NAME,
            "line": 3,
            "record": 3,
            "item_no": 12,
            "official_number": None,
            "item": "born_on",
            "item_name": "生年月日",
            "byte_position": byte,
            "code": "KR-2004",
            "level": "record",
            "rule": "real_date",
            "expected": "実在する日付",
            "value": HIDDEN,
            "message": f"KR-2004 {NAME} 3行目 {byte}バイト目 項番12 生年月日: "
            f"実在する日付が必要です（受信値: {HIDDEN}）",
        }
    ]


def test_a_quoted_item_starts_at_its_quote(tmp_path: Path) -> None:
    result = validated(tmp_path, line(3, '"ゴウセイ　ハナコ"', '"ゴウセイ, ハナコ"')(sound_individuals()))
    assert seen(result) == [("KR-2003", 3, "name_kana")]
    found = result.findings.row(0, named=True)
    written = lines((tmp_path / NAME).read_bytes())[2]
    assert written[found["byte_position"] - 1 :].startswith('"ゴウセイ'.encode("cp932"))


def test_every_sentence_is_one_line_and_fills_its_blanks(tmp_path: Path) -> None:
    data = sound_individuals().replace(b"990010", b"138041").replace(b",000001\r\n", b",000009\r\n")
    data = line(3, ",19820304,", ",20230229,")(line(4, ",0,1,20,", ",7,8,77,")(data))
    result = validated(tmp_path, data)
    assert result.findings.height >= 6
    for text in result.findings["message"]:
        assert "\n" not in text and "（不明）" not in text and "{" not in text, text


def test_findings_have_their_columns_even_when_there_are_none(tmp_path: Path) -> None:
    for data in (sound_individuals(), b"", line(3, ",2,12,", ",8,12,")(sound_individuals())):
        assert dict(validated(tmp_path, data).findings.schema) == Findings.dtypes()


def test_a_heading_line_is_no_record(tmp_path: Path) -> None:
    changed = specification("resident_extract")
    names = ",".join(item.name for item in changed.data.items).replace("世帯番号", "住民世帯番号")
    found = validated(tmp_path, f"{names}\n".encode(), changed, name="resident_999997_20260401.csv").findings
    assert found.select("code", "line", "record").rows() == [("KR-1016", 1, None)]


def test_first1_shows_one_character(tmp_path: Path) -> None:
    mask = replace(load_catalogue().sensitivities["個人情報"], mask="first1")
    changed = with_item(specification(), "name", sensitivity=mask, rules=(Call.parse("constant(合成　太郎)"),))
    found = validated(tmp_path, sound_individuals(), changed).findings
    assert found["value"].to_list() == ["合" + HIDDEN] * 2
