"""Bytes and tables: what is written is read back, in every form, and what breaks the form is reported at its place."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from fixtures.prefecture.numbers import my_numbers, padded
from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.characters import byte_length, is_encodable, unencodable
from interfaces.lint import lint
from interfaces.naming import file_name, recognise
from interfaces.spec import Specification
from interfaces.values import to_canonical
from pipelines.cli import main
from schemas.normalise import NORMALISATIONS
from schemas.rules import registered_rules
from schemas.validate import FileContext, validate_file
from tests.support.layouts import exchanged

DAY = dt.date(2026, 4, 1)
HEADER = {
    "municipality_code": "999997",
    "insurer_number": "990010",
    "prefecture_code": "99",
    "media_kind": "transmission",
    "processed_on": DAY,
    "created_on": DAY,
    "target_month": "2026-04",
    "file_number": "000001",
}
NAMES = ["合成　髙橋﨑子", "合成　𠮷野家", "合成　辻\U000e0100一郎", "合成　山田", "合成　波～線"]


def people(count: int = 5) -> pl.DataFrame:
    """A sound canonical table with names that need 外字, IVS and 同字."""
    return pl.DataFrame(
        {
            "resident_number": [f"{n:015d}" for n in range(1, count + 1)],
            "household_number": ["000000000000001"] * count,
            "my_number": padded(pl.Series(my_numbers(np.arange(count))), 12),
            "branch_number": [f"{n:02d}" for n in range(1, count + 1)],
            "name": [NAMES[n % len(NAMES)] for n in range(count)],
            "name_kana": ["ゴウセイ　タロウ"] * count,
            "born_on": [dt.date(1950, 5, 1)] * count,
            "born_on_uncertain": ["no"] * count,
            "sex": ["male"] * count,
            "head_kind": ["insured_head"] + ["member"] * (count - 1),
            "acquired_on": [DAY] * count,
            "acquisition_reason": ["moved_in"] * count,
            "applied_on": [DAY] * count,
            "application_reason": ["moved_in"] * count,
            "ended_on": [None] * (count - 1) + [dt.date(2026, 4, 20)],
            "end_reason": [None] * (count - 1) + ["moved_out"],
            "next_municipality_code": [None] * (count - 1) + ["999997"],
            "changed_on": [DAY] * count,
            "update_kind": ["added"] * count,
        }
    )


def altered(
    tmp_path: Path,
    interface: str,
    *,
    plan: dict[str, str] | None = None,
    items: dict[str, dict[str, Any]] | None = None,
) -> Catalogue:
    """A copy of the catalogue in which lines of one file.toml and cells of its data.csv are changed."""
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    folder = root / interface / "2018-04-01"
    text = (folder / "file.toml").read_text(encoding="utf-8")
    for old, new in (plan or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "file.toml").write_text(text, encoding="utf-8")
    for name in ("control.csv", "data.csv", "end.csv"):
        path = folder / name
        if not path.exists():
            continue
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.DictReader(handle))
        position = 1
        for row in rows:
            row.update((items or {}).get(row["id"], {}))
            if plan and any('"utf-16-le"' in new for new in plan.values()):
                row["バイト数"] = str(2 * int(row["バイト数"]))
            if plan and any('"fixed"' in new for new in plan.values()):
                row["開始位置"] = str(position)
                position += int(row["バイト数"])
        with path.open("w", encoding="utf-8-sig", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return Catalogue(root)


def round_trip(specification: Specification, tmp_path: Path, data: pl.DataFrame) -> codec.Decoded:
    encoded = codec.compose(specification, DAY, data, HEADER)
    assert encoded.problems.filter(pl.col("code") == "KR-1021").is_empty()
    name = file_name(specification, HEADER)
    (tmp_path / name).write_bytes(encoded.data)
    decoded = codec.read(encoded.data, name, specification, DAY)
    assert decoded.problems.is_empty(), decoded.problems
    for kind, raw in encoded.raw.items():
        assert decoded.tables[kind].drop("line").equals(raw), kind
    return decoded


ENCODINGS = {
    "CP932": 'encoding = "cp932"',
    "Shift_JIS-2004": 'encoding = "shift_jis_2004"',
    "UTF-8": 'encoding = "utf-8"',
    "UTF-8 BOM": 'encoding = "utf-8"\nbom = true',
    "UTF-16LE": 'encoding = "utf-16-le"',
    "UTF-16LE BOM": 'encoding = "utf-16-le"\nbom = true',
}
LAYOUTS = {
    "CSV": {},
    "CSV all quoted": {'quote = "when_needed"': 'quote = "all"'},
    "CSV never quoted": {'quote = "when_needed"': 'quote = "none"'},
    "fixed": {'kind = "csv"': 'kind = "fixed"'},
}
# Every form that a file can have, as lines of file.toml to be written differently.
FORMS = {
    f"{encoding}, {layout}, {end}": {
        'encoding = "cp932"': ENCODINGS[encoding],
        'line_end = "CRLF"': f'line_end = "{end}"',
        **({} if encoding == "CP932" else {'"union_cp932"': '""'}),
        **LAYOUTS[layout],
    }
    for encoding in ENCODINGS
    for layout in LAYOUTS
    for end in ("CRLF", "LF")
}
# Names that only this encoding tries: a character outside CP932 and one that is written with one code where Unicode has
# two; two characters whose bytes contain those of a line end between them.
NAMES_OF = {
    "shift_jis_2004": ["合成　𠮟﨑子", "合成　か\u309a子", "合成　山田", "合成　波〜線", "合成　一郎"],
    "utf-16-le": ["合成　𠮟﨑子", "合成　\u0a05一", *NAMES[:3]],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_sound_and_valid_and_read_back_as_written(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = altered(tmp_path, "eligibility_individual", plan=FORMS[form])
    assert lint(catalogue, registered_rules(), NORMALISATIONS) == []
    specification = catalogue.in_force("eligibility_individual", DAY)
    data = people().with_columns(name=pl.Series(NAMES_OF.get(specification.format.encoding, NAMES)))
    decoded = round_trip(specification, tmp_path, data)
    back = to_canonical(decoded.data, specification.data, specification, DAY)
    assert back.select(data.columns).equals(data)
    path = tmp_path / decoded.name
    context = FileContext("999997", "990010", "99", DAY, decoded.name)
    assert validate_file(path, specification, DAY, context).findings["message"].to_list() == []
    monkeypatch.setenv("RENKEI_SETTINGS", str(settings_of(tmp_path, catalogue)))
    result = CliRunner().invoke(main, ["validate", str(path), "--json"])
    assert (result.exit_code, json.loads(result.stdout)["findings"]) == (0, [])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_digit_too_many_is_found_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    plan = FORMS[f"{encoding}, CSV, CRLF"]
    specification = altered(tmp_path, "eligibility_individual", plan=plan).in_force("eligibility_individual", DAY)
    data = people(1).with_columns(pl.lit("合成　一郎").alias("name"), pl.col("my_number") + "0")
    path = tmp_path / round_trip(specification, tmp_path, data).name
    found = validate_file(path, specification, DAY, FileContext()).findings
    assert found.select("code", "line", "item").rows() == [("KR-2002", 2, "my_number")]


def settings_of(folder: Path, catalogue: Catalogue) -> Path:
    """The settings of a municipality that has this catalogue."""
    path = folder / "renkei.toml"
    path.write_text(
        'municipality_code = "999997"\ninsurer_number = "990010"\nprefecture_code = "99"\n'
        f'data_folder = "data"\nextract_folder = "extracts"\ncatalogue_folder = "{catalogue.root}"\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("encoding", ["cp932", "shift_jis_2004", "utf-8", "utf-16-le"])
def test_bytes_are_counted_as_the_encoding_writes_them(encoding: str) -> None:
    every = (chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    encodable = [character for character in every if is_encodable(character, encoding)]
    pairs = (
        [base + mark for base in encodable if base >= "\x80" for mark in "゚̀́˥˩"] if encoding == "shift_jis_2004" else []
    )
    texts = encodable + [pair for pair in pairs if is_encodable(pair, encoding)]
    counted = pl.DataFrame({"text": texts}).select(byte_length(pl.col("text"), encoding)).to_series()
    written = [len(text.encode(encoding)) for text in texts]
    wrong = [text for text, length, expected in zip(texts, counted, written, strict=True) if length != expected]
    assert wrong == []


def test_characters_that_only_their_encoding_writes_together_are_distinguished() -> None:
    assert unencodable("合成　か\u309a髙", "shift_jis_2004") == "髙"
    assert unencodable("合成　あ\u309a子", "shift_jis_2004") == "\u309a"


def test_a_mark_without_its_base_is_not_written(tmp_path: Path) -> None:
    """Also where the value before it ends with such a base."""
    plan = FORMS["Shift_JIS-2004, CSV, CRLF"]
    specification = altered(tmp_path, "eligibility_individual", plan=plan).in_force("eligibility_individual", DAY)
    data = people(2).with_columns(pl.Series("name", ["合成　か", "\u309a子"]))
    problems = codec.compose(specification, DAY, data, HEADER).problems
    assert problems.select("record_number", "code", "value").rows() == [(2, "KR-1021", "U+309A")]


@pytest.mark.parametrize("encoding", ["CP932", "UTF-16LE"])
def test_only_the_kind_of_an_unknown_record_is_shown(encoding: str, tmp_path: Path) -> None:
    plan = FORMS[f"{encoding}, fixed, CRLF"]
    specification = altered(tmp_path, "eligibility_individual", plan=plan).in_force("eligibility_individual", DAY)
    path = tmp_path / "file.csv"
    path.write_bytes(b"9" + codec.compose(specification, DAY, people(1), HEADER).data[1:])
    problems = codec.read_file(path, specification, DAY).problems
    assert problems.select("code", "line", "value").rows() == [("KR-1015", 1, "9")]


@pytest.mark.parametrize(("type_", "length"), [("年月", "6"), ("年月-", "7")])
def test_a_month_in_a_name_has_six_digits_however_the_file_writes_it(type_: str, length: str, tmp_path: Path) -> None:
    interface = "continuity_candidates"
    catalogue = altered(tmp_path, interface, items={"target_month": {"属性": type_, "バイト数": length}})
    specification = catalogue.in_force(interface, DAY)
    path = tmp_path / round_trip(specification, tmp_path, people().select("resident_number").clear()).name
    recognised = recognise(catalogue, path.name)
    assert recognised is not None
    assert (recognised[0], recognised[1]["target_month"]) == (interface, "202604")
    assert validate_file(path, specification, DAY, FileContext(file_name=path.name)).findings["message"].to_list() == []


def test_external_characters_travel_as_their_agreed_bytes(tmp_path: Path) -> None:
    specification = load_catalogue().in_force("eligibility_individual", DAY)
    encoded = codec.compose(specification, DAY, people(), HEADER)
    assert b"\xf0\x40" in encoded.data
    assert b"\xf0\x41" in encoded.data
    back = round_trip(specification, tmp_path, people()).data["name"].to_list()
    assert back[1:3] == ["合成　𠮷野家", "合成　辻\U000e0100一郎"]


def test_a_character_that_the_table_does_not_name_is_never_replaced() -> None:
    specification = load_catalogue().in_force("eligibility_individual", DAY)
    data = people(2).with_columns(pl.Series("name", ["合成　𩸽太郎", "合成　邉\U000e0105子"]))
    encoded = codec.compose(specification, DAY, data, HEADER)
    assert encoded.data == b""
    found = encoded.problems.select("record_number", "item", "code", "value").rows()
    assert found == [(1, "name", "KR-1021", "U+29E3D"), (2, "name", "KR-1021", "U+9089 U+E0105")]


@pytest.mark.parametrize("lossy", ["¢", "£", "¬"])
def test_a_character_that_would_come_back_as_another_is_not_written(lossy: str) -> None:
    """Python's CP932 takes these three and gives back ￠, ￡ and ￢."""
    specification = load_catalogue().in_force("eligibility_individual", DAY)
    data = people(2).with_columns(pl.Series("name", ["合成　太郎", f"合成　{lossy}子"]))
    encoded = codec.compose(specification, DAY, data, HEADER)
    found = encoded.problems.select("record_number", "item", "code", "value").rows()
    assert (encoded.data, found) == (b"", [(2, "name", "KR-1021", f"U+{ord(lossy):04X}")])


def test_an_agreed_substitute_is_reported_and_read_back_as_the_substitute(tmp_path: Path) -> None:
    specification = load_catalogue().in_force("eligibility_individual", DAY)
    data = people(1).with_columns(pl.lit("合成　邉\U000e0101子").alias("name"))
    encoded = codec.compose(specification, DAY, data, HEADER)
    assert encoded.problems["code"].to_list() == ["KR-1022"]
    assert round_trip(specification, tmp_path, data).data["name"].to_list() == ["合成　邉子"]


@pytest.mark.parametrize(
    ("type_", "length", "text"),
    [("和暦年月日", "7", "5080420"), ("年月日-", "10", "2026-04-20"), ("年月日", "8", "20260420")],
)
def test_the_layout_of_a_date_is_data(type_: str, length: str, text: str, tmp_path: Path) -> None:
    changed = altered(tmp_path, "eligibility_individual", items={"ended_on": {"属性": type_, "バイト数": length}})
    decoded = round_trip(changed.in_force("eligibility_individual", DAY), tmp_path, people())
    assert decoded.data["ended_on"].to_list()[-1] == text


def test_an_inclusive_period_end_is_the_day_before_in_the_file_only(tmp_path: Path) -> None:
    changed = altered(tmp_path, "eligibility_individual", items={"ended_on": {"規則": "inclusive_end"}})
    specification = changed.in_force("eligibility_individual", DAY)
    decoded = round_trip(specification, tmp_path, people())
    assert decoded.data["ended_on"].to_list()[-1] == "20260419"
    back = to_canonical(decoded.data, specification.data, specification, DAY)
    assert back["ended_on"].to_list()[-1] == dt.date(2026, 4, 20)


def test_names_lead_back_to_their_interface() -> None:
    catalogue = load_catalogue()
    for interface in exchanged(catalogue):
        name = file_name(catalogue.in_force(interface, DAY), HEADER)
        recognised = recognise(catalogue, name)
        assert recognised is not None
        assert recognised[0] == interface
    assert recognise(catalogue, "../KRSET_999997_20260401_000001.csv") is None
    assert recognise(catalogue, "KRSET_999997_20260401_000001.csv.part") is None


def test_positions_point_at_the_bytes_of_an_item(tmp_path: Path) -> None:
    specification = load_catalogue().in_force("eligibility_individual", DAY)
    decoded = round_trip(specification, tmp_path, people())
    for line, item, position in decoded.positions([3, 6]).rows():
        raw = decoded.data.filter(pl.col("line") == line)[item].item()
        rest = decoded.lines([line])[line][position - 1 :].decode("cp932", "replace").lstrip('"')
        if raw.isascii():
            assert rest.startswith(raw), item


@pytest.mark.parametrize("form", ["CP932, CSV, CRLF", "UTF-8 BOM, CSV, CRLF"])
def test_quotes_out_of_place_spoil_their_own_lines_only(form: str, tmp_path: Path) -> None:
    specification = altered(tmp_path, "eligibility_individual", plan=FORMS[form]).in_force(
        "eligibility_individual", DAY
    )
    sound = codec.compose(specification, DAY, people(6).drop("name"), HEADER).data.splitlines(keepends=True)
    path = tmp_path / "file.csv"
    # A quote that opens the second field and is never closed, and one in the middle of it.
    spoilt = [(line, line.replace(b",0", before, 1)) for line in sound for before in (b',"0', b',0"')]
    for (first, first_spoilt), (second, second_spoilt) in combinations(spoilt, 2):
        wrong = {sound.index(first) + 1, sound.index(second) + 1}
        changed = {second: second_spoilt, first: first_spoilt}
        path.write_bytes(b"".join(changed.get(line, line) for line in sound))
        decoded = codec.read_file(path, specification, DAY)
        assert decoded.problems.select("line", "code").rows() == [(line, "KR-1011") for line in sorted(wrong)]
        read = [line for table in decoded.tables.values() for line in table["line"]]
        assert sorted(read) == sorted(set(range(1, len(sound) + 1)) - wrong)


def test_the_version_is_chosen_by_the_day_that_the_file_is_for(tmp_path: Path) -> None:
    root = tmp_path / "catalogue"
    shutil.copytree(DEFAULT_ROOT, root)
    old, new = (root / "eligibility_household" / day for day in ("2018-04-01", "2026-04-02"))
    shutil.copytree(old, new)
    plan = (old / "file.toml").read_text(encoding="utf-8")
    (old / "file.toml").write_text(
        plan.replace("effective_from = 2018-04-01", "effective_from = 2018-04-01\neffective_to = 2026-04-02"), "utf-8"
    )
    (new / "file.toml").write_text(
        plan.replace("effective_from = 2018-04-01", "effective_from = 2026-04-02")
        .replace('"cp932"', '"utf-8"')
        .replace('external_characters = "union_cp932"', ""),
        "utf-8",
    )
    catalogue = Catalogue(root)
    before = catalogue.in_force("eligibility_household", dt.date(2026, 4, 1))
    after = catalogue.in_force("eligibility_household", dt.date(2026, 4, 2))
    assert (before.format.encoding, after.format.encoding) == ("cp932", "utf-8")
    households = pl.DataFrame({"household_number": ["000000000000001"], "address": ["合成県合成市一丁目"]})
    for specification, day in ((before, dt.date(2026, 4, 1)), (after, dt.date(2026, 4, 2))):
        data = codec.compose(specification, day, households, HEADER | {"processed_on": day}).data
        assert "合成県".encode(specification.format.encoding) in data


def test_private_use_characters_are_nobody_elses_external_characters(tmp_path: Path) -> None:
    specification = load_catalogue().in_force("eligibility_individual", DAY)
    data = people(1).with_columns(pl.lit("合成　\ue123子").alias("name"))
    encoded = codec.compose(specification, DAY, data, HEADER)
    assert encoded.problems.select("code", "value").rows() == [("KR-1021", "U+E123")]
    sound = codec.compose(specification, DAY, people(2), HEADER).data
    path = tmp_path / "file.csv"
    path.write_bytes(sound.replace(b"\xf0\x40", b"\xf0\x45"))
    problems = codec.read_file(path, specification, DAY).problems
    assert problems.select("line", "item", "code", "value").rows() == [(3, "name", "KR-1024", "F045")]


@pytest.mark.parametrize("spoil", [lambda name: name + '"', lambda name: '"' + name, lambda name: f'"{name}""'])
def test_a_heading_is_written_as_it_is_or_in_quotes(spoil: Any, tmp_path: Path) -> None:
    specification = load_catalogue().in_force("resident_extract", DAY)
    names = [item.name for item in specification.data.items]
    path = tmp_path / "resident.csv"
    for last, sound in ((names[-1], True), (f'"{names[-1]}"', True), (spoil(names[-1]), False)):
        path.write_text(",".join([*names[:-1], last]) + "\n", encoding="utf-8")
        found = codec.read_file(path, specification, DAY).problems["code"].to_list()
        assert found == (["KR-1017"] if sound else ["KR-1016"]), last


def test_a_new_era_is_a_row(tmp_path: Path) -> None:
    """A sixth era from 2027-05-01 and nothing else changed: both sides of its first day, both ways, and the border judged."""
    plan = {"born_on": {"属性": "和暦年月日", "バイト数": "7"}}
    catalogue = altered(tmp_path, "eligibility_individual", items=plan)
    for name, old, new in (
        ("eras.csv", "5,令和,", "6,試験,X,2027-05-01,試験\n5,令和,"),
        ("types.csv", "[1-5][0-9]", "[1-6][0-9]"),
    ):
        path = catalogue.root / name
        path.write_text(path.read_text(encoding="utf-8-sig").replace(old, new), encoding="utf-8-sig")
    specification = Catalogue(catalogue.root).in_force("eligibility_individual", DAY)
    days = [dt.date(2027, 4, 30), dt.date(2027, 5, 1), dt.date(2028, 1, 1)]
    data = people(3).with_columns(born_on=pl.Series(days))
    written = codec.compose(specification, DAY, data, HEADER)
    assert written.raw["data"]["born_on"].to_list() == ["5090430", "6010501", "6020101"]
    path = tmp_path / "file"
    path.write_bytes(written.data)
    read = codec.read_file(path, specification, DAY)
    assert to_canonical(read.data, specification.data, specification, DAY)["born_on"].to_list() == days
