"""Judging a whole file: one cause is said once, what crashes is a finding, and which rows are good and which rejected."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from interfaces.digits import separators
from interfaces.spec import Call
from schemas.compile import bare_expressions, compile_record
from schemas.normalise import (
    full_width,
    full_width_kana,
    half_width_digits,
    joined_digits,
    normalise,
    postal_code,
    zero_fill,
)
from schemas.rules import registry, relations
from schemas.validate import FileContext, relate
from tests.support.schema import (
    DAY,
    INDIVIDUAL,
    OURS,
    extract,
    from_union,
    ids_from_the_union,
    line,
    lines,
    seen,
    sound_individuals,
    specification,
    validated,
    validated_with_layout,
    with_item,
    with_layout,
)

PERIODS = "20260401,01,,,20260401,01,,,,,"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"".join(lines(sound_individuals())[1:]), "KR-1002"),
        (b"".join(lines(sound_individuals())[:-1]), "KR-1004"),
        (b"", "KR-1001"),
        (sound_individuals().replace(b"\r\n", b"\n"), "KR-1008"),
    ],
)
def test_a_broken_structure_has_no_follow_on_findings(data: bytes, code: str, tmp_path: Path) -> None:
    broken_inside = data.replace(b"983205673214", b"983205673215").replace(b",19820304,", b",20230229,")
    assert [found for found, *_ in seen(validated(tmp_path, broken_inside))] == [code]


def test_a_fixed_length_file_with_a_line_of_another_length_is_not_judged_further(tmp_path: Path) -> None:
    changed = specification("municipal_id_linkage")
    records = []
    for record in changed.records:
        starts = accumulate((item.length for item in record.items), initial=1)
        items = tuple(replace(item, start=start) for item, start in zip(record.items, starts, strict=False))
        records.append(replace(record, items=items))
    fixed = with_layout(replace(changed, records=tuple(records)), format={**dict(changed.format), "kind": "fixed"})
    rows = lines(ids_from_the_union(["000000000001", "000000000002", "000000000003"], fixed))
    name = "KRSID_999997_20260401_000001.csv"
    context = replace(OURS, file_name=name)
    assert seen(validated(tmp_path, b"".join(rows), fixed, context, name)) == []
    rows[1] = rows[1].replace(b"K202", b"K201")
    assert seen(validated(tmp_path, b"".join(rows), fixed, context, name)) == [("KR-3001", 2, "data_kind")]
    half = [*rows[:2], rows[2].replace(b"000000000002", b"00000000000\x81"), *rows[3:]]
    result = validated(tmp_path, b"".join(half), fixed, context, name)
    assert [*seen(result), *result.findings["level"]] == [
        ("KR-3001", 2, "data_kind"),
        ("KR-1026", 3, "municipal_insured_id"),
        "record",
        "record",
    ]
    rows[2] = rows[2].replace(b"000000000002", b"00000000002")
    assert seen(validated(tmp_path, b"".join(rows), fixed, context, name)) == [("KR-1020", 3, None)]


def test_a_file_in_another_encoding_is_refused_whole(tmp_path: Path) -> None:
    result = validated(tmp_path, sound_individuals().decode("cp932").encode())
    assert (seen(result), result.findings["level"].to_list()) == ([("KR-1010", 2, None)], ["file"])


@pytest.mark.parametrize(
    ("mark", "shown"),
    [("9", "9"), ('"9"', "9"), ("", "（空）"), ("123456789018", "（種別でない値）"), ("花", "（種別でない値）")],
)
def test_an_unknown_record_kind_is_shown_only_up_to_the_length_of_a_kind(mark: str, shown: str, tmp_path: Path) -> None:
    result = validated(tmp_path, line(3, "2,0000003,", f"{mark},0000003,")(sound_individuals()))
    assert result.findings.select("code", "value").rows() == [("KR-1015", shown)]
    assert shown in result.findings["message"][0]


def test_one_fault_of_an_item_hides_its_later_ones(tmp_path: Path) -> None:
    # 13 digits with a letter break the characters, the length and the check digit: the first is said.
    assert seen(validated(tmp_path, line(3, "123456789018", "1234567890189x")(sound_individuals()))) == [
        ("KR-2003", 3, "my_number")
    ]
    assert seen(validated(tmp_path, line(3, "123456789018", "1234567890189")(sound_individuals()))) == [
        ("KR-2002", 3, "my_number")
    ]


def test_a_rule_between_items_is_silent_where_one_is_broken(tmp_path: Path) -> None:
    before_it_began = "20260401,01,,,20269901,01,20260331,03,,,"
    assert seen(validated(tmp_path, line(3, PERIODS, before_it_began)(sound_individuals()))) == [
        ("KR-2004", 3, "applied_on")
    ]


def test_a_condition_on_a_broken_item_is_not_judged(tmp_path: Path) -> None:
    data = line(3, f",12,0,{PERIODS}", ",12,9,,,,,,,,,,,")(
        line(3, ",123456789018,02,", ",123456789018,,")(sound_individuals())
    )
    assert seen(validated(tmp_path, data)) == [("KR-2006", 3, "head_kind")]


def test_faults_of_two_items_are_two_findings(tmp_path: Path) -> None:
    data = line(4, "983205673214", "983205673215")(line(3, ",19820304,", ",20230229,")(sound_individuals()))
    assert seen(validated(tmp_path, data)) == [("KR-2004", 3, "born_on"), ("KR-2011", 4, "my_number")]


def test_a_lost_record_breaks_the_sequence_once(tmp_path: Path) -> None:
    rows = lines(sound_individuals())
    assert seen(validated(tmp_path, b"".join([*rows[:2], *rows[3:]]))) == [
        ("KR-4001", 1, "record_count"),
        ("KR-3002", 3, "record_number"),
    ]


def test_another_municipalitys_file_is_reported_once(tmp_path: Path) -> None:
    assert seen(validated(tmp_path, sound_individuals().replace(b",999997,", b",131041,"))) == [
        ("KR-4002", 1, "municipality_code")
    ]
    assert seen(validated(tmp_path, sound_individuals().replace(b"20260401", b"20260331"))) == [
        ("KR-4006", 1, "processed_on")
    ]


def test_lines_that_are_no_record_do_not_spare_the_others(tmp_path: Path) -> None:
    rows = lines(sound_individuals())
    rows[1] = rows[1].replace(b",01,", b",", 1)
    rows[3] = rows[3].replace(b"983205673214", b"983205673215")
    result = validated(tmp_path, b"".join(rows))
    # The head's record is unreadable: neither the count nor the missing head is a cause of its own.
    assert seen(result) == [("KR-1012", 2, None), ("KR-2011", 4, "my_number")]
    assert (result.valid_rows["line"].to_list(), result.rejected_rows["line"].to_list()) == ([3], [4])


def test_an_item_that_the_bytes_spoil_is_not_judged_again(tmp_path: Path) -> None:
    digits = specification().data.by_id["my_number"].type
    changed = with_item(specification(), "name", type=digits)
    rows = lines(sound_individuals())
    for number in (1, 3):
        rows[number] = rows[number].replace(rows[number].split(b",")[9], b"1")
    rows[2] = rows[2].replace("合成　花子".encode("cp932"), b"\xf0\x45")
    assert seen(validated(tmp_path, b"".join(rows), changed)) == [("KR-1024", 3, "name")]


def test_a_broken_key_is_no_duplicate_besides(tmp_path: Path) -> None:
    data = sound_individuals().replace(b",000000000000102,", b",102,").replace(b",000000000000103,", b",102,")
    assert seen(validated(tmp_path, data)) == [("KR-2007", 3, "resident_number"), ("KR-2007", 4, "resident_number")]


def test_good_and_rejected_rows_add_up(tmp_path: Path) -> None:
    data = line(4, ",0,1,20,", ",0,8,20,")(line(3, "123456789018", "")(sound_individuals()))
    result = validated(tmp_path, data)
    assert result.counts_by_code == {"KR-2006": 1, "KR-2015": 1}
    assert (result.records, result.valid_rows["line"].to_list(), result.rejected_rows["line"].to_list()) == (
        3,
        [2, 3],
        [4],
    )
    assert result.valid is False


def test_a_finding_shows_what_the_file_contains_and_not_what_it_means(tmp_path: Path) -> None:
    result = validated(tmp_path, line(2, f",02,1,{PERIODS}", f",02,2,{PERIODS}")(sound_individuals()))
    assert result.findings.select("line", "item", "value").rows() == [(2, "applied_on", "20260401")]


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rules that crash: one when it is made, one when it is asked."""

    def made(place: registry.RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
        raise ZeroDivisionError("983205673214")

    def asked(place: registry.RuleContext, arguments: tuple[str, ...]) -> tuple[pl.Expr, str]:
        return pl.col("no such column") == place.value, "値"

    for name, make in (("crashes_when_made", made), ("crashes_when_asked", asked)):
        monkeypatch.setitem(registry.all_rules(), name, registry.Rule(name, "KR-3001", "item", (), make))


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("crashes_when_made", "ZeroDivisionError"),
        ("crashes_when_asked", "ColumnNotFoundError"),
        ("no_such_rule", "KeyError"),
    ],
)
def test_a_rule_that_crashes_is_a_finding(rule: str, error: str, crashing: None, tmp_path: Path) -> None:
    changed = with_item(specification(), "name", rules=(Call(rule),))
    result = validated(tmp_path, line(3, "123456789018", "123456789019")(sound_individuals()), changed)
    crash = result.findings.filter(pl.col("code") == "KR-9001").row(0, named=True)
    assert (crash["level"], crash["item"], crash["rule"], crash["line"], crash["value"]) == (
        "file",
        "name",
        rule,
        None,
        None,
    )
    assert rule in crash["message"] and error in crash["message"] and "氏名" in crash["message"]
    assert "983205673214" not in str(result.findings.to_dicts())
    # The other rules are still checked.
    assert ("KR-2011", 3, "my_number") in seen(result)
    assert result.findings.height == 2 and not result.valid


def test_a_layout_that_misspells_a_rule_judges_no_file(tmp_path: Path) -> None:
    wrong = "name,漢字,,100,必須,,not_befor(born_on)"
    refused = validated_with_layout(tmp_path, sound_individuals(), "name,漢字,,100,必須,,", wrong)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("KR-7132 eligibility_individual")
    assert "not_befor" in refused.stderr


def test_a_crash_is_found_in_a_sound_file_too(crashing: None, tmp_path: Path) -> None:
    changed = with_item(specification(), "name", rules=(Call("crashes_when_made"),))
    assert seen(validated(tmp_path, sound_individuals(), changed)) == [("KR-9001", None, "name")]


def test_a_relation_that_crashes_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(own: pl.DataFrame, other: pl.DataFrame | None, on: dt.date) -> pl.DataFrame:
        raise ValueError("983205673214")

    monkeypatch.setattr(
        relations,
        "RELATIONS",
        {
            **relations.RELATIONS,
            "one_head_per_household": replace(relations.RELATIONS["one_head_per_household"], find=crash),
        },
    )
    result = validated(tmp_path, sound_individuals())
    assert result.findings.select("code", "rule", "level").rows() == [("KR-9001", "one_head_per_household", "file")]
    assert "983205673214" not in result.findings["message"][0]
    unknown = validated(tmp_path, sound_individuals(), with_layout(specification(), relations=("no_such_relation",)))
    assert unknown.findings.select("code", "rule").rows() == [("KR-9001", "no_such_relation")]


def test_pandera_judges_a_collected_table_only(tmp_path: Path) -> None:
    """On a LazyFrame it looks at the schema alone and lets every value through: the trap that `judge` avoids."""
    decoded = validated(tmp_path, line(3, ",0,2,12,", ",0,8,12,")(sound_individuals())).decoded
    rules = compile_record(decoded.spec, decoded.spec.data, DAY, OURS)
    rules.schema.validate(decoded.data.lazy()).collect()
    with pytest.raises(pa.errors.SchemaErrors):
        rules.schema.validate(decoded.data, lazy=True)


def test_only_the_failing_rows_are_named_among_many(tmp_path: Path) -> None:
    control, first, *_, end = lines(sound_individuals())
    rows = [control.replace(b",0000003,", b",0000500,")]
    for number in range(2, 502):
        born = b"20230229" if number in (7, 250, 501) else b"19800102"
        row = first.replace(b"2,0000002,", b"2,%07d," % number).replace(b"000000000000101", b"%015d" % number)
        row = row.replace(b"000000000000011", b"%015d" % (10_000 + number)).replace(b"19800102", born)
        rows.append(row)
    result = validated(tmp_path, b"".join([*rows, end.replace(b"0000005", b"0000502")]))
    assert seen(result) == [("KR-2004", number, "born_on") for number in (7, 250, 501)]
    assert result.records == 500


def test_a_specification_that_changed_is_compiled_again(tmp_path: Path) -> None:
    assert seen(validated(tmp_path, sound_individuals())) == []
    stricter = with_item(specification(), "name", length=9)
    assert seen(validated(tmp_path, sound_individuals(), stricter)) == [("KR-2002", n, "name") for n in (2, 3, 4)]
    assert seen(validated(tmp_path, sound_individuals())) == []


def test_a_schema_is_compiled_once_for_a_day_and_a_context() -> None:
    data = specification().data
    assert compile_record(specification(), data, DAY, OURS) is compile_record(specification(), data, DAY, OURS)
    assert compile_record(specification(), data, DAY, FileContext()) is not compile_record(
        specification(), data, DAY, OURS
    )
    other_day = compile_record(specification(), data, DAY + dt.timedelta(days=1), OURS)
    assert other_day is not compile_record(specification(), data, DAY, OURS)


def test_every_test_of_a_record_is_a_bare_expression_too(tmp_path: Path) -> None:
    decoded = validated(tmp_path, line(3, ",0,2,12,", ",0,8,12,")(sound_individuals())).decoded
    answers = decoded.data.select(bare_expressions(compile_record(decoded.spec, decoded.spec.data, DAY, OURS)))
    wrong = [name for name in answers.columns if not answers[name].all()]
    assert [name.split(" ", 1)[1] for name in wrong] == ["sex in_code_table"]
    assert answers.height == 3


PEOPLE = 2_500
PERIOD = {
    "branch_number": "01",
    "acquired_on": "2020-04-01",
    "acquisition_reason": "01",
    "applied_on": "2020-04-01",
    "application_reason": "01",
    "changed_on": "2020-04-01",
}


def insured(**spoilt: dict[int, str]) -> dict[str, list[str]]:
    """Columns of an extract of the insured in which some rows (0-based) of some items have another value."""
    columns = {item: [value] * PEOPLE for item, value in PERIOD.items()}
    columns["resident_number"] = columns["household_number"] = [f"{number:015d}" for number in range(PEOPLE)]
    for item, values in spoilt.items():
        columns[item] = [values.get(row, value) for row, value in enumerate(columns[item])]
    return columns


@pytest.mark.parametrize(
    ("item", "rows", "value", "code"),
    [
        pytest.param("acquisition_reason", {3}, "77", "KR-2006", id="once, in a column that repeats"),
        pytest.param("acquisition_reason", {3, 40, 2_400}, "77", "KR-2006", id="often, in a column that repeats"),
        pytest.param("changed_on", {1_900, 2_499}, "2020-02-30", "KR-2004", id="after the rows that are sampled"),
        pytest.param("changed_on", {1_900}, "", "KR-2001", id="a blank one"),
        pytest.param("resident_number", {2, 2_200}, "00000000000000X", "KR-2003", id="in a column of distinct values"),
    ],
)
def test_a_wrong_value_is_found_in_every_row_however_often_the_column_repeats(
    item: str, rows: set[int], value: str, code: str, tmp_path: Path
) -> None:
    spoilt = extract(tmp_path, "insured_extract", insured(**{item: dict.fromkeys(rows, value)}))
    assert seen(spoilt) == [(code, row + 2, item) for row in sorted(rows)]


def test_a_sound_table_passes_its_pandera_schema_at_once(tmp_path: Path) -> None:
    sound = extract(tmp_path, "insured_extract", insured())
    layout = specification("insured_extract")
    name = sound.decoded.name
    rules = compile_record(layout, layout.data, DAY, replace(OURS, file_name=name))
    assert seen(sound) == []
    assert rules.schema.validate(sound.data, lazy=True).equals(sound.data)


# Normalisation of extracts.


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (half_width_digits("１２３－４５６７"), "123-4567"),
        (full_width("ｶﾞﾀﾞﾊﾟﾏﾝｼｮﾝ 1-2 A号室", separators()), "ガダパマンション　１－２　Ａ号室"),
        (full_width("合成　辻\U000e0100一郎\U000f0001\ue000", separators()), "合成　辻\U000e0100一郎\U000f0001\ue000"),
        (full_width("合成\u00a0太\u2003郎", separators()), "合成　太　郎"),
        (full_width_kana("ｺﾞｳｾｲ たろう", separators()), "ゴウセイ　タロウ"),
        (zero_fill("2", "2"), "02"),
        (zero_fill("12", "2"), "12"),
        (zero_fill("", "2"), ""),
        (zero_fill("x", "2"), "x"),
        (postal_code("999-9999", separators()), "9999999"),
        (postal_code("99-99999", separators()), "99-99999"),
        (postal_code("999----9999", separators()), "999----9999"),
        (joined_digits("１２３４ーー5678・9018", separators()), "123456789018"),
        (joined_digits("-1234", separators()), "-1234"),
        (joined_digits("①234", separators()), "①234"),
    ],
)
def test_a_normalisation_changes_form_only(made: str, wanted: str) -> None:
    assert made == wanted


RESIDENTS = {
    "resident_number": ["000000000000101", "000000000000102", "000000000000103"],
    "resident_household_number": ["000000000000011"] * 3,
    "resident_kind": ["1"] * 3,
    "resident_state": ["1"] * 3,
    "name": ["合成　太郎", "合成　花子", "合成　表十"],
    "name_kana": ["ｺﾞｳｾｲ ﾀﾛｳ", "ゴウセイ　ハナコ", "ｺﾞｳｾｲ ﾀﾛｳ"],
    "born_on": ["1980-01-02"] * 3,
    "born_on_uncertain": ["0"] * 3,
    "sex": ["1"] * 3,
    "relationship": ["2", "12", ""],
    "postal_code": ["９９９－９９９９", "9999999", "999-9999"],
    "address": ["合成県合成市1丁目", "合成県合成市１丁目", ""],
    "changed_on_uncertain": ["0"] * 3,
}


def test_an_extract_is_normalised_before_it_is_judged_and_the_changes_are_counted(tmp_path: Path) -> None:
    result = extract(tmp_path, "resident_extract", RESIDENTS)
    assert (seen(result), result.valid) == ([], True)
    assert result.normalised == {"name_kana": 2, "relationship": 1, "postal_code": 2, "address": 1}
    assert result.data["name_kana"].to_list() == ["ゴウセイ　タロウ", "ゴウセイ　ハナコ", "ゴウセイ　タロウ"]
    assert result.data["relationship"].to_list() == ["02", "12", ""]
    assert result.data["postal_code"].to_list() == ["9999999"] * 3
    assert result.decoded.data["relationship"].to_list() == ["2", "12", ""]


def test_zeros_are_filled_up_to_any_length() -> None:
    item = next(item for item in specification("resident_extract").data.items if item.id == "relationship")
    for length, wanted in (("1", ["2", ""]), ("2", ["02", ""]), ("3", ["002", ""])):
        filled = replace(item, normalise=(Call("zero_fill", (length,)),))
        record = replace(specification("resident_extract").data, items=(filled,))
        changed, _ = normalise(
            pl.DataFrame({"relationship": ["2", ""]}), replace(specification("resident_extract"), records=(record,))
        )
        assert changed["relationship"].to_list() == wanted


def test_a_file_for_the_union_is_never_normalised(tmp_path: Path) -> None:
    narrow = line(3, "ゴウセイ　ハナコ", "ｺﾞｳｾｲ ﾊﾅｺ")(sound_individuals())
    result = validated(tmp_path, narrow)
    assert (seen(result), result.normalised) == ([("KR-2003", 3, "name_kana")], {})


# Rules across files.

INSURED = {
    "resident_number": ["000000000000101", "000000000000102"],
    "household_number": ["000000000000011", "000000000000012"],
    "branch_number": ["01", "01"],
    "acquired_on": ["2026-04-01"] * 2,
    "acquisition_reason": ["01"] * 2,
    "applied_on": ["2026-04-01"] * 2,
    "application_reason": ["01"] * 2,
    "changed_on": ["2026-04-01"] * 2,
}
HOUSEHOLDS = {
    "household_number": ["000000000000011"],
    "certificate_number": ["1"],
    "head_resident_number": ["000000000000101"],
    "nominal_head": ["0"],
    "household_applied_on": ["2026-04-01"],
    "address": ["合成県合成市一丁目"],
    "changed_on": ["2026-04-01"],
}


def test_insured_persons_are_residents_of_known_households(tmp_path: Path) -> None:
    one_resident = {name: values[:1] for name, values in RESIDENTS.items()}
    files = {
        "insured_extract": extract(tmp_path, "insured_extract", INSURED),
        "resident_extract": extract(tmp_path, "resident_extract", one_resident),
        "household_extract": extract(tmp_path, "household_extract", HOUSEHOLDS),
    }
    assert [seen(file) for file in files.values()] == [[], [], []]
    found = relate(files)
    assert found.select("code", "line", "item", "value", "level").rows() == [
        ("KR-5003", 3, "resident_number", "********102", "record"),
        ("KR-5002", 3, "household_number", "********012", "record"),
    ]
    assert found["file"].unique().to_list() == ["insured_999997_20260401.csv"]
    assert found["byte_position"].to_list() == [8, 24]


def test_a_relation_is_silent_without_the_other_file_or_where_it_is_broken(tmp_path: Path) -> None:
    insured = extract(tmp_path, "insured_extract", INSURED)
    assert relate({"insured_extract": insured}).is_empty()
    yesterday = extract(tmp_path, "household_extract", HOUSEHOLDS | {"processed_on": ["2026-03-31"]})
    assert seen(yesterday) == [("KR-4006", 2, "processed_on")]
    assert relate({"insured_extract": insured, "household_extract": yesterday}).is_empty()


def test_a_relation_is_silent_where_its_item_has_a_finding(tmp_path: Path) -> None:
    insured = extract(tmp_path, "insured_extract", INSURED | {"resident_number": ["000000000000101", "102"]})
    residents = extract(tmp_path, "resident_extract", {name: values[:1] for name, values in RESIDENTS.items()})
    assert seen(insured) == [("KR-2007", 3, "resident_number")]
    assert relate({"insured_extract": insured, "resident_extract": residents}).is_empty()


def test_a_persons_household_is_in_the_household_file(tmp_path: Path) -> None:
    people = validated(tmp_path, sound_individuals())
    households = extract(tmp_path, "household_extract", HOUSEHOLDS | {"household_number": ["000000000000099"]})
    found = relate({INDIVIDUAL: people, "eligibility_household": households})
    assert found.select("code", "line").rows() == [("KR-5001", 2), ("KR-5001", 3), ("KR-5001", 4)]


def test_a_household_whose_members_have_all_ended_needs_no_head(tmp_path: Path) -> None:
    ended = "20260401,01,,,20260401,01,20260401,03,,,"
    rows = sound_individuals().replace(PERIODS.encode(), ended.encode())
    assert seen(validated(tmp_path, rows.replace(b",02,1,2026", b",02,0,2026"))) == []
    assert {
        code for code, *_ in seen(validated(tmp_path, sound_individuals().replace(b",02,1,2026", b",02,0,2026")))
    } == {"KR-5004"}


def test_a_nominal_head_without_a_period_heads_the_household(tmp_path: Path) -> None:
    data = line(2, f",02,1,{PERIODS}", ",02,2,,,,,,,,,,,")(sound_individuals())
    assert seen(validated(tmp_path, data.replace(b",999000000016,01,", b",999000000016,,"))) == []


def test_a_file_from_the_union_without_records_is_sound(tmp_path: Path) -> None:
    result = from_union(tmp_path, ids_from_the_union([]))
    assert (seen(result), result.records, result.valid_rows.height, result.rejected_rows.height) == ([], 0, 0, 0)
