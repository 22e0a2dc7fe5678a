"""Every rule broken once in a small file, through the pipeline's own door: one cause, one finding, at its place."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from interfaces.catalogue import load_catalogue
from schemas.rules import registered_rules
from tests.support.schema import (
    DAY,
    NAME,
    OURS,
    Change,
    extract,
    findings_with_layout,
    from_union,
    ids_from_the_union,
    line,
    lines,
    seen,
    sound_individuals,
    specification,
    validated,
    with_item,
    with_layout,
)

PERIODS = "20260401,01,,,20260401,01,,,,,"
# what is broken -> (change of the sound file, what must be found)
BROKEN: dict[str, tuple[Change, list[tuple[str, int | None, str | None]]]] = {
    "required": (line(3, '"合成　花子"', ""), [("KR-2001", 3, "name")]),
    "required when an item has a value": (
        line(3, f",0,{PERIODS}", ",0,20260401,,,,20260401,01,,,,,"),
        [("KR-2001", 3, "acquisition_reason")],
    ),
    "required when an item has one of some values": (
        line(3, ",123456789018,02,", ",123456789018,,"),
        [("KR-2001", 3, "branch_number")],
    ),
    "characters": (line(3, "合成　花子", "合成　ﾊﾅ子"), [("KR-2003", 3, "name")]),
    "length in bytes": (line(3, "合成　花子", "合" * 51), [("KR-2002", 3, "name")]),
    "date without such a day": (line(3, ",19820304,", ",20230229,"), [("KR-2004", 3, "born_on")]),
    "date in the year nought": (line(3, ",19820304,", ",00000101,"), [("KR-2004", 3, "born_on")]),
    "code table": (line(3, ",0,2,12,", ",0,8,12,"), [("KR-2006", 3, "sex")]),
    "digits": (line(3, ",000000000000102,", ",102,"), [("KR-2007", 3, "resident_number")]),
    "my_number_check_digit": (line(3, "123456789018", "123456789019"), [("KR-2011", 3, "my_number")]),
    "blank_my_number": (line(3, "123456789018", ""), [("KR-2015", 3, "my_number")]),
    "municipality_check_digit": (
        line(3, f"{PERIODS}20260401", "20260401,01,,,20260401,11,,,131042,,20260401"),
        [("KR-2012", 3, "previous_municipality_code")],
    ),
    "insurer_check_digit hides own_insurer": (line(1, "990010", "990011"), [("KR-2013", 1, "insurer_number")]),
    "constant": (line(3, ",K102,", ",K101,"), [("KR-3001", 3, "data_kind")]),
    "record_sequence": (line(3, "2,0000003,", "2,0000009,"), [("KR-3002", 3, "record_number")]),
    "not_before": (line(3, PERIODS, "20260401,01,,,20260401,01,20260331,03,,,"), [("KR-3003", 3, "ended_on")]),
    "duplicate key": (
        line(4, "000000000000103", "000000000000102"),
        [("KR-3004", 3, "resident_number"), ("KR-3004", 4, "resident_number")],
    ),
    "only_with": (line(3, PERIODS, "20260401,01,,03,20260401,01,,,,,"), [("KR-3006", 3, "loss_reason")]),
    "count too high": (line(1, ",0000003,", ",0000004,"), [("KR-4001", 1, "record_count")]),
    "count too low": (line(1, ",0000003,", ",0000002,"), [("KR-4001", 1, "record_count")]),
    "own_municipality": (line(4, ",999997,", ",131041,"), [("KR-4002", 4, "municipality_code")]),
    "own_insurer": (line(4, ",990010,", ",138040,"), [("KR-4003", 4, "insurer_number")]),
    "own_prefecture": (line(1, ",99,1,", ",13,1,"), [("KR-4005", 1, "prefecture_code")]),
    "partition_date": (line(4, "20260401,1\r\n", "20260331,1\r\n"), [("KR-4006", 4, "processed_on")]),
    "same_as_file_name": (line(1, ",000001\r\n", ",000002\r\n"), [("KR-4007", 1, "file_number")]),
    "one_head_per_household": (
        line(3, f",12,0,{PERIODS}", f",12,1,{PERIODS}"),
        [("KR-5004", 2, "head_kind"), ("KR-5004", 3, "head_kind")],
    ),
    "nominal_head_not_insured": (line(2, f",02,1,{PERIODS}", f",02,2,{PERIODS}"), [("KR-5005", 2, "applied_on")]),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_found_once_at_its_place(rule: str, tmp_path: Path) -> None:
    change, expected = BROKEN[rule]
    result = validated(tmp_path, change(sound_individuals()))
    assert seen(result) == expected
    assert result.valid is (rule == "blank_my_number")


def test_the_sound_file_has_no_finding(tmp_path: Path) -> None:
    result = validated(tmp_path, sound_individuals())
    assert (seen(result), result.valid, result.records) == ([], True, 3)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("3550102", None),  # 昭和55年
        ("3640107", None),  # the last day of 昭和
        ("3640108", "KR-2005"),  # the first day of 平成, called 昭和
        ("4010108", None),
        ("4010107", "KR-2005"),
        ("4310430", None),  # the last day of 平成
        ("4310501", "KR-2005"),
        ("5010501", None),
        ("5010430", "KR-2005"),
        ("3011225", None),  # the first day of 昭和
        ("2151225", "KR-2005"),
        ("2151224", None),
        ("2010730", None),
        ("1450730", "KR-2005"),
        ("1010124", "KR-2005"),
        ("1010125", None),
        ("3550231", "KR-2004"),
        ("6010101", "KR-2003"),
    ],
)
def test_an_era_date_lies_within_its_era(text: str, code: str | None, tmp_path: Path) -> None:
    kind = load_catalogue().types["和暦年月日"]
    changed = with_item(specification(), "born_on", type=kind, length=7, rules=())
    rows = lines(sound_individuals())
    for number, born in ((1, b"19800102"), (2, b"19820304"), (3, b"20100506")):
        rows[number] = rows[number].replace(born, b"3550102")
    rows[2] = rows[2].replace(b",3550102,", f",{text},".encode())
    result = validated(tmp_path, b"".join(rows), changed)
    assert seen(result) == ([(code, 3, "born_on")] if code else [])


@pytest.mark.parametrize(("text", "code"), [("202604", None), ("202600", "KR-2004"), ("202613", "KR-2004")])
def test_a_month_exists(text: str, code: str | None, tmp_path: Path) -> None:
    changed = with_item(specification(), "notified_on", type=load_catalogue().types["年月"], length=6)
    data = sound_individuals().replace(b",20260401,20260401,20260401,1", b",202512,20260401,20260401,1")
    result = validated(tmp_path, line(3, ",202512,20260401,", f",{text},20260401,")(data), changed)
    assert seen(result) == ([(code, 3, "notified_on")] if code else [])


def test_a_code_is_judged_on_the_files_day(tmp_path: Path) -> None:
    changed = specification()
    ended = tuple(replace(code, end=DAY) if code.value == "2" else code for code in changed.codes["sex"])
    result = validated(tmp_path, sound_individuals(), replace(changed, codes=changed.codes | {"sex": ended}))
    assert seen(result) == [("KR-2006", 3, "sex")]


def test_a_code_outside_its_table_is_told_what_the_table_holds(tmp_path: Path) -> None:
    result = validated(tmp_path, line(3, ",0,2,12,", ",0,8,13,")(line(4, ",0,1,20,", ",0,1,77,")(sound_individuals())))
    assert result.findings.select("item", "expected").rows() == [
        ("sex", "1 男・2 女・3 未設定"),
        (
            "relationship",
            "02 世帯主・11 夫・12 妻・13 夫（未届）・14 妻（未届）・20 子・51 父・52 母・71 兄・74 弟・ほか4件",
        ),
    ]
    assert "続柄コードがコード表にない値です（使用できる値: 02 世帯主・" in result.findings["message"][1]


def test_the_check_digit_of_a_resident_record_code_only_warns(tmp_path: Path) -> None:
    rows = lines(sound_individuals())
    for number, code in ((1, "12345678903"), (2, "12345678902"), (3, "00000000019")):
        cells = rows[number].split(b",")
        cells[10] = code.encode()
        rows[number] = b",".join(cells)
    code = "name_kana,数字,,100,必須,,resident_record_code_check_digit"
    status, findings = findings_with_layout(tmp_path, b"".join(rows), "name_kana,カナ,,100,必須,,", code)
    assert (status, [(one["code"], one["line"], one["item_no"]) for one in findings]) == (0, [("KR-2014", 3, 11)])


def test_a_birth_on_the_files_own_day_is_sound(tmp_path: Path) -> None:
    assert seen(validated(tmp_path, line(4, ",20100506,", ",20260401,")(sound_individuals()))) == []


def test_a_check_without_anything_to_compare_with_is_not_made(tmp_path: Path) -> None:
    other = sound_individuals().replace(b",999997,", b",131041,").replace(b"990010", b"138040")
    other = other.replace(b",99,1,", b",13,1,").replace(b"20260401,1\r\n", b"20260331,1\r\n")
    nothing = replace(OURS, municipality_code=None, insurer_number=None, prefecture_code=None, partition=None)
    assert seen(validated(tmp_path, other, context=replace(nothing, file_name=None))) == []
    assert seen(validated(tmp_path, other, context=nothing)) == [("KR-4007", 1, "municipality_code")]


def test_a_constant_says_what_it_must_be(tmp_path: Path) -> None:
    result = validated(tmp_path, line(3, ",K102,", ",K101,")(sound_individuals()))
    assert (result.findings["expected"][0], result.findings["value"][0]) == ("K102", "K101")


NUMBERS = ["123456789018", "983205673214", "999000000016"]
IDS = ["123456789011", "983205673211", "999000000011", "999000000012", "999000000013", "999000000014"]


@pytest.mark.parametrize(
    ("ids", "accused"),
    [
        ([], False),
        (IDS, False),
        (NUMBERS[:1], True),
        (NUMBERS[:2], True),
        ([NUMBERS[0], IDS[0]], False),  # of fewer than three all must pass
        ([*NUMBERS[:2], IDS[0]], True),
        ([NUMBERS[0], *IDS[:2]], False),
        ([*NUMBERS, *IDS[:3]], True),  # just half
        ([*NUMBERS[:2], *IDS[:4]], False),
    ],
)
def test_a_file_from_the_union_with_my_numbers_is_refused(ids: list[str], accused: bool, tmp_path: Path) -> None:
    result = from_union(tmp_path, ids_from_the_union(ids))
    assert [(code, item) for code, _, item in seen(result)] == (
        [("KR-4004", "municipal_insured_id")] if accused else []
    )
    assert not any(number in str(result.findings.rows()) for number in NUMBERS)


@pytest.mark.parametrize("text", ["個人番号１２３４５６７８９０１８です", "（１２３４－５６７８－９０１８）"])
def test_my_numbers_inside_text_from_the_union_are_seen(text: str, tmp_path: Path) -> None:
    interface = "reception_result"
    row = f'2,0000002,K204,990010,999997,{NAME},0000003,2,"{text}",20260401\r\n'
    control = "1,0000001,001,0000001,K204,990010,999997,99,1,20260401,000001\r\n"
    result = from_union(tmp_path, f"{control}{row}3,0000003\r\n".encode("cp932"), interface)
    assert seen(result) == [("KR-4004", 2, "reception_reason")]


def test_my_numbers_of_an_extract_are_judged_after_wide_digits_are_made_narrow(tmp_path: Path) -> None:
    columns = {
        "resident_number": ["000000000000101", "000000000000102"],
        "resident_household_number": ["000000000000011"] * 2,
        "resident_kind": ["1"] * 2,
        "resident_state": ["1"] * 2,
        "my_number": ["１２３４５６７８９０１８", "１２３４５６７８９０１９"],
        "name": ["合成　太郎"] * 2,
        "name_kana": ["ゴウセイ　タロウ"] * 2,
        "born_on": ["1980-01-02"] * 2,
        "born_on_uncertain": ["0"] * 2,
        "sex": ["1"] * 2,
        "changed_on_uncertain": ["0"] * 2,
    }
    assert seen(extract(tmp_path, "resident_extract", columns)) == [("KR-2011", 3, "my_number")]


def test_every_rule_is_registered_once_and_stands_where_it_can() -> None:
    rules = registered_rules()
    expected = {
        "my_number_check_digit", "blank_my_number", "municipality_check_digit", "insurer_check_digit",
        "resident_record_code_check_digit", "not_before", "digits", "constant",
        "record_sequence", "only_with", "data_record_count", "own_municipality", "own_insurer", "own_prefecture",
        "partition_date", "same_as_file_name", "inclusive_end", "every_individual_has_household",
        "one_head_per_household", "nominal_head_not_insured", "every_insured_is_resident",
        "every_insured_has_household",
    }  # fmt: skip
    assert expected <= set(rules)
    catalogue = load_catalogue()
    for interface in catalogue.ids():
        for record in catalogue.versions(interface)[-1].records:
            for item in record.items:
                for call in item.rules:
                    assert rules[call.name].can_apply_to(item.type), (interface, item.id, call)
    assert not rules["not_before"].can_apply_to(catalogue.types["数字"])


def test_every_code_of_a_rule_has_its_text() -> None:
    folder = load_catalogue().root / "messages"
    with (folder / "rules.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = {row["コード"]: row for row in csv.DictReader(handle)}
    for rule in registered_rules().values():
        if rule.code:
            assert rows[rule.code]["文面"] and rows[rule.code]["対処"], rule.name


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"合成　花子"', '"　"', "KR-2001"),
        ('"合成　花子"', '" 　 "', "KR-2001"),
        ('"合成　花子"', '"合成\x80花子"', "KR-2003"),
    ],
)
def test_what_looks_like_nothing_or_like_something_else_is_no_name(
    old: str, new: str, code: str, tmp_path: Path
) -> None:
    data = sound_individuals()
    spoilt = data.replace(old.encode("cp932"), new.encode("cp932"))
    assert spoilt != data
    assert seen(validated(tmp_path, spoilt)) == [(code, 3, "name")]


@pytest.mark.parametrize("ids", [["            "], ['a,b"c d~{}<>'[:12]], ["12345678901-"]])
def test_an_id_is_made_of_letters_and_digits(ids: list[str], tmp_path: Path) -> None:
    result = from_union(tmp_path, ids_from_the_union(ids))
    assert [item for _, _, item in seen(result)] == ["municipal_insured_id"]


@pytest.mark.parametrize(("last", "found"), [("A", []), ("~", [("KR-2002", 2, "municipal_insured_id")])])
def test_ascii_that_shift_jis_2004_has_in_two_bytes_is_counted_so(
    last: str, found: list[tuple[str, int, str]], tmp_path: Path
) -> None:
    plain = specification("municipal_id_linkage")
    form = {**dict(plain.format), "encoding": "shift_jis_2004", "external_characters": ""}
    changed = with_layout(plain, format=form)
    data = ids_from_the_union(["AAAAAAAAAAA" + last], changed)
    assert seen(validated(tmp_path, data, changed, replace(OURS, file_name=None))) == found
