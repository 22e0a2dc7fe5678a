"""Bytes and tables: what is written is read back, in every form, and what breaks the form is named at its place."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from interfaces import codec
from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.naming import file_name, recognise
from interfaces.spec import Specification
from interfaces.values import to_canonical

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
    """A canonical table with names that need 外字, IVS and 同字."""
    return pl.DataFrame(
        {
            "resident_number": [f"{n:015d}" for n in range(1, count + 1)],
            "household_number": ["000000000000001"] * count,
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
    path = tmp_path / file_name(specification, HEADER)
    path.write_bytes(encoded.data)
    decoded = codec.read(path, specification, DAY)
    assert decoded.problems.is_empty(), decoded.problems
    for kind, raw in encoded.raw.items():
        assert decoded.tables[kind].drop("line").equals(raw), kind
    return decoded


FORMS = {
    "cp932 CRLF": {},
    "LF": {'line_end = "CRLF"': 'line_end = "LF"'},
    "all quoted": {'quote = "when_needed"': 'quote = "all"'},
    "never quoted": {'quote = "when_needed"': 'quote = "none"'},
    "Shift_JIS-2004": {'encoding = "cp932"': 'encoding = "shift_jis_2004"', '"union_cp932"': '""'},
    "UTF-8": {'encoding = "cp932"': 'encoding = "utf-8"', '"union_cp932"': '""'},
    "UTF-8 BOM": {'encoding = "cp932"': 'encoding = "utf-8"\nbom = true', '"union_cp932"': '""'},
    "UTF-8 BOM, all quoted": {
        'encoding = "cp932"': 'encoding = "utf-8"\nbom = true',
        '"union_cp932"': '""',
        'quote = "when_needed"': 'quote = "all"',
    },
    "UTF-16LE": {'encoding = "cp932"': 'encoding = "utf-16-le"', '"union_cp932"': '""'},
    "UTF-16LE BOM": {'encoding = "cp932"': 'encoding = "utf-16-le"\nbom = true', '"union_cp932"': '""'},
    "fixed cp932": {'kind = "csv"': 'kind = "fixed"'},
    "fixed UTF-8": {
        'kind = "csv"': 'kind = "fixed"',
        'encoding = "cp932"': 'encoding = "utf-8"',
        '"union_cp932"': '""',
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_back_as_written(form: str, tmp_path: Path) -> None:
    specification = altered(tmp_path, "eligibility_individual", plan=FORMS[form]).in_force(
        "eligibility_individual", DAY
    )
    data = people().with_columns(pl.lit("合成　山田太郎").alias("name")) if "2004" in form else people()
    decoded = round_trip(specification, tmp_path, data)
    back = to_canonical(decoded.data, specification.data, specification, DAY)
    assert back["resident_number"].to_list() == data["resident_number"].to_list()
    assert back["ended_on"].to_list() == data["ended_on"].to_list()
    assert back["head_kind"].to_list() == data["head_kind"].to_list()
    if specification.format.external_characters == "":
        assert back["name"].to_list() == data["name"].to_list()


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
    for interface in catalogue.ids():
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


@pytest.mark.parametrize("form", ["cp932 CRLF", "UTF-8 BOM"])
def test_quotes_out_of_place_spoil_their_own_lines_only(form: str, tmp_path: Path) -> None:
    specification = altered(tmp_path, "eligibility_individual", plan=FORMS[form]).in_force(
        "eligibility_individual", DAY
    )
    sound = codec.compose(specification, DAY, people(6).drop("name"), HEADER).data.splitlines(keepends=True)
    path = tmp_path / "file.csv"
    # A quote that opens the second field and is never closed, and one in the middle of it.
    spoilt = [(line, line.replace(b",0", before, 1)) for line in sound for before in (b',"0', b',0"')]
    for (one, one_spoilt), (other, other_spoilt) in combinations(spoilt, 2):
        wrong = {sound.index(one) + 1, sound.index(other) + 1}
        changed = {other: other_spoilt, one: one_spoilt}
        path.write_bytes(b"".join(changed.get(line, line) for line in sound))
        decoded = codec.read(path, specification, DAY)
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
        plan.replace("effective_from = 2018-04-01", "effective_from = 2026-04-02").replace('"cp932"', '"utf-8"')
        .replace('external_characters = "union_cp932"', ""), "utf-8"
    )  # fmt: skip
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
    problems = codec.read(path, specification, DAY).problems
    assert problems.select("line", "item", "code", "value").rows() == [(3, "name", "KR-1024", "F045")]


@pytest.mark.parametrize("spoil", [lambda name: name + '"', lambda name: '"' + name, lambda name: f'"{name}""'])
def test_a_heading_is_written_as_it_is_or_in_quotes(spoil: Any, tmp_path: Path) -> None:
    specification = load_catalogue().in_force("resident_extract", DAY)
    names = [item.name for item in specification.data.items]
    path = tmp_path / "resident.csv"
    for last, sound in ((names[-1], True), (f'"{names[-1]}"', True), (spoil(names[-1]), False)):
        path.write_text(",".join([*names[:-1], last]) + "\n", encoding="utf-8")
        found = codec.read(path, specification, DAY).problems["code"].to_list()
        assert found == (["KR-1017"] if sound else ["KR-1016"]), last
