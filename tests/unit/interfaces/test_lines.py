"""Lines and fields found in bytes agree with the grammar of a CSV line, written as a regular expression."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interfaces import codec, lines
from interfaces.catalogue import load_catalogue

SPEC = load_catalogue().in_force("eligibility_individual", dt.date(2026, 4, 1))
FIELD = r'(?:[^",]*|"(?:[^"]|"")*")'
# ソ ends in 0x5C in CP932; ァ begins with 0x83 and ends in 0x40: neither may be mistaken for a character of its own.
LETTERS = st.text(alphabet=st.sampled_from('a,"ソァ '), max_size=12)
MARKED = st.text(alphabet=st.sampled_from('a,"ソァ \ufeff'), max_size=12)


@pytest.fixture(params=[lines.CHUNK, 8], ids=["whole", "in small chunks"], autouse=True)
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", request.param)


def fields_of(text: str) -> list[str] | None:
    """The fields of a line as they are written; None when the grammar does not know it."""
    if re.fullmatch(f"{FIELD}(?:,{FIELD})*", text) is None:
        return None
    return re.findall(f"(?:^|,)({FIELD})(?=,|$)", text)


def read(texts: list[str]) -> lines.Lines:
    return lines.lines_of("".join(f"{text}\r\n" for text in texts).encode("cp932"), SPEC)


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=6))
def test_a_line_is_sound_exactly_when_the_grammar_says_so(texts: list[str]) -> None:
    found = read(texts)
    assert len(found) == len(texts)
    for number, text in enumerate(texts):
        assert found.line(number + 1) == f"{text}\r\n".encode("cp932")
        fields = fields_of(text)
        assert (found.torn[number] < 0) == (fields is not None), text
        if fields is not None:
            assert found.fields[number] == len(fields), text
    assert (found.quotes is None) == bool((found.torn >= 0).any())
    if found.quotes is not None:
        assert found.quotes.tolist() == [text.count('"') for text in texts]


RESIDENTS = load_catalogue().in_force("resident_extract", dt.date(2026, 4, 1))
THREE = replace(RESIDENTS, records=(replace(RESIDENTS.data, items=RESIDENTS.data.items[:3]),))
SOUND = st.lists(
    st.sampled_from(["", "a", "\ufeff", "\ufeffa", "ソァ", '"a"', '"ソ,ァ"', '""', '"a""b"', '""""']),
    min_size=3,
    max_size=3,
)
LINE = st.one_of(SOUND.map(",".join), SOUND.map(",".join), SOUND.map(",".join), MARKED)


@settings(deadline=None)
@given(st.lists(LINE, min_size=1, max_size=8))
def test_what_is_read_is_what_the_grammar_says_line_by_line(texts: list[str]) -> None:
    """Whether a file is sound as a whole or some of its lines are no record: each record's values, and no others."""
    heading = ",".join(item.name for item in THREE.data.items)
    decoded = codec.read("\n".join([heading, *texts, ""]).encode(), "file", THREE, dt.date(2026, 4, 1))
    found = {line: values for line, *values in decoded.data.rows()}
    lines_of_records = {number: fields_of(text) for number, text in enumerate(texts, 2)}
    expected = {
        number: [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields]
        for number, fields in lines_of_records.items()
        if fields is not None and len(fields) == 3
    }
    assert found == expected
    assert dict(decoded.problems.select("line", "record_number").rows()) == {
        line: line - 1 for line in set(lines_of_records) - set(expected)
    }


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(alphabet=st.sampled_from('a,"ソァ '), max_size=4), min_size=1, max_size=4), min_size=1)
)
def test_every_field_is_found_where_it_was_written(rows: list[list[str]]) -> None:
    written = [['"{}"'.format(value.replace('"', '""')).encode("cp932") for value in row] for row in rows]
    content = {number: b",".join(row) + b"\r\n" for number, row in enumerate(written, 1)}
    placed = lines.field_starts(content, SPEC)
    assert placed.height == sum(len(row) for row in rows)
    for line, field, position in placed.rows():
        value = written[line - 1][field]
        assert content[line][position - 1 : position - 1 + len(value)] == value
        assert content[line][position - 1 + len(value) :][:1] in (b",", b"\r")


def test_the_first_field_that_its_quotes_do_not_enclose_is_named() -> None:
    found = read(['a,"b', 'a,b"c,"d', '"a" ,b', '"a""b",c', "ソ,ァ", '"",""'])
    assert found.torn.tolist() == [2, 2, 0, -1, -1, -1]
    assert found.fields.tolist()[3:] == [2, 2, 2]


def test_the_place_after_so_many_fields_is_found_or_the_end_of_the_line() -> None:
    found = read(['a,"b,c",d', 'ソ,"ァ""",'])
    assert [found.byte_after_fields(1, fields) for fields in (1, 2, 3, 4)] == [3, 9, 10, 10]
    assert [found.byte_after_fields(2, fields) for fields in (1, 2, 3)] == [4, 11, 11]


def test_in_utf16_it_is_found_in_bytes_too() -> None:
    wide = SPEC.layout.format.model_copy(update={"encoding": "utf-16-le", "line_end": "LF"})
    spec = replace(SPEC, layout=SPEC.layout.model_copy(update={"format": wide}))
    found = lines.lines_of('x\n花,"子,",a\n'.encode("utf-16-le"), spec)
    assert [found.byte_after_fields(2, fields) for fields in (1, 2, 3)] == [5, 15, 17]


FIRST, SECOND = b"1,a\r\n", b"2,b\r\n"


@pytest.mark.parametrize(
    ("content", "codes", "place"),
    [
        (FIRST + b"2,\rb\r\n", ["KR-1014"], (2, 3)),
        (FIRST + b"2,\x00b\r\n", ["KR-1014"], (2, 3)),
        (FIRST + b"2,b\n", ["KR-1008"], (2, None)),
        (FIRST + b"2,b\r", ["KR-1019"], (2, 5)),
        (FIRST + b"2,b", ["KR-1019"], (2, 4)),
        (b"\xef\xbb\xbf" + FIRST, ["KR-1009"], (1, 1)),
        (b"", ["KR-1001"], (None, None)),
        (FIRST + SECOND, [], (None, None)),
    ],
)
def test_what_keeps_bytes_from_being_lines(
    content: bytes, codes: list[str], place: tuple[int | None, int | None], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(content)
    faults = lines.lines_of(content, SPEC).faults
    assert lines.lines_of_file(tmp_path / "file", SPEC).faults == faults
    assert [fault["code"] for fault in faults] == codes
    for fault in faults:
        assert (fault.get("line"), fault.get("byte_position")) == place


@pytest.mark.parametrize("content", [b"1", b"1\x00\n\x00x", b"\n", b"\x00\n", b"\n\x00\n"])
def test_half_a_character_is_a_fault_and_no_exception(content: bytes) -> None:
    wide = SPEC.layout.format.model_copy(update={"encoding": "utf-16-le", "line_end": "LF"})
    spec = replace(SPEC, layout=SPEC.layout.model_copy(update={"format": wide}))
    assert lines.lines_of(content, spec).faults
