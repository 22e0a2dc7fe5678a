"""The contract of meanings: whatever is done to a 意味 of a code table, lint tells it, or nothing depends on it."""

from __future__ import annotations

import ast
import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, Fault
from interfaces.meanings import NEEDED, needs
from interfaces.messages import RenkeiError
from pipelines.continuity.criteria import load_criteria
from pipelines.continuity.judgement import judge
from pipelines.operations.reference_data import lint_tables
from tests.support.candidates import CASES, HEAD, MONTH, OURS, frame, now, was
from tests.support.deployment import opened, refused, renkei
from tests.support.paths import ROOT

TABLES = sorted(path.stem for path in (DEFAULT_ROOT / "codes").glob("*.csv"))
# Tables of which the program compares nothing: it carries their meanings on and shows them.
CARRIED = {
    "acquisition_reason",
    "loss_reason",
    "relationship",
    "resident_kind",
    "resident_state",
    "sex",
    "debit_result",
    "pension_notice",
}
# Tables of which it needs some meanings, and only carries any other.
OTHERS_CARRIED = CARRIED | {"judgement", "media_kind", "month_source", "continuity_decision"}
NEEDED_OF_THEM = {
    "judgement": {"sound"},
    "media_kind": {"transmission"},
    "month_source": {"own", "handed_over"},
    "continuity_decision": {"continued", "not_continued"},
}
Row = dict[str, str]


def rows_of(table: str, root: Path = DEFAULT_ROOT) -> list[Row]:
    with (root / "codes" / f"{table}.csv").open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def write(root: Path, table: str, rows: list[Row]) -> None:
    with (root / "codes" / f"{table}.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows_of(table)[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return shutil.copytree(DEFAULT_ROOT, tmp_path / "catalogue")


def told(root: Path) -> dict[str, list[Fault]]:
    """What lint says of the meanings, by the code table that it names."""
    found: dict[str, list[Fault]] = {}
    for fault in lint_tables(Catalogue(root)):
        for table in TABLES:
            if fault.place.startswith(f"codes/{table}.csv") or f"コード表 {table} " in fault.text:
                found.setdefault(table, []).append(fault)
    return found


def is_needed(table: str, meaning: str) -> bool:
    """Whether lint must tell that a meaning is gone."""
    return table not in OTHERS_CARRIED or meaning in NEEDED_OF_THEM.get(table, ())


def renamed(row: Row) -> list[Row]:
    return [row | {"意味": "another_word"}]


def removed(row: Row) -> list[Row]:
    return []


def with_another(row: Row) -> list[Row]:
    return [row, row | {"コード": "3", "意味": "in_part"}]


@pytest.mark.parametrize("change", [renamed, removed])
def test_a_meaning_that_is_changed_or_removed_is_told(root: Path, change: Callable[[Row], list[Row]]) -> None:
    """In every table the first meaning, then in every table the second, and so on."""
    original = {table: rows_of(table) for table in TABLES}
    for place in range(max(map(len, original.values()))):
        touched = {table: rows[place]["意味"] for table, rows in original.items() if place < len(rows)}
        for table, rows in original.items():
            write(root, table, [new for n, row in enumerate(rows) for new in (change(row) if n == place else [row])])
        found = told(root)
        assert {table: table in found for table in touched} == {
            table: is_needed(table, meaning) for table, meaning in touched.items()
        }, touched


def test_a_new_meaning_is_told_where_something_depends_on_it(root: Path) -> None:
    for table in TABLES:
        rows = rows_of(table)
        write(root, table, [*rows, rows[-1] | {"コード": "Z9"[-len(rows[-1]["コード"]) :], "意味": "brand_new"}])
    found = told(root)
    silent = {table for table in TABLES if not any("brand_new" in fault.text for fault in found.get(table, ()))}
    assert silent == OTHERS_CARRIED
    assert {fault.code for faults in found.values() for fault in faults} == {"KR-7123"}


def test_a_reason_that_no_table_has_is_told(root: Path) -> None:
    path = root / "continuity" / "reasons.csv"
    path.write_text(
        path.read_text(encoding="utf-8-sig") + "leave,emigrated,named,試験,2018-04-01,\n", encoding="utf-8-sig"
    )
    (fault,) = lint_tables(Catalogue(root))
    assert (fault.code, fault.place, "emigrated" in fault.text) == ("KR-7123", "continuity/reasons.csv", True)


def test_a_meaning_longer_than_the_ledgers_column_is_told(root: Path) -> None:
    rows = rows_of("loss_reason")
    long = "x" * 33
    write(root, "loss_reason", [*rows, rows[-1] | {"コード": "08", "意味": long}])
    (fault,) = lint_tables(Catalogue(root))
    assert (fault.code, fault.place, "33文字、32文字まで" in fault.text) == (
        "KR-7123",
        "codes/loss_reason.csv 08",
        True,
    )
    write(root, "loss_reason", [*rows, rows[-1] | {"コード": "08", "意味": long[:32]}])
    assert lint_tables(Catalogue(root)) == []


def with_new_reason(root: Path) -> Catalogue:
    rows = rows_of("end_reason")
    write(root, "end_reason", [*rows, rows[-1] | {"コード": "08", "名称": "新しい事由", "意味": "emigrated"}])
    return Catalogue(root)


def cases_with_a_new_reason() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Each worked case that is continued or not by A or B, with somebody who left on the day for the new reason."""
    for name, (rows, rule) in CASES.items():
        if rule[0] in "AB":
            yield name, [*rows, was("z", leave_reason="emigrated")]


@pytest.mark.parametrize(("name", "rows"), cases_with_a_new_reason())
def test_an_undecided_reason_is_never_guessed(root: Path, name: str, rows: list[dict[str, object]]) -> None:
    catalogue = with_new_reason(root)
    (found, *_) = judge(frame(rows), MONTH, OURS, load_criteria(catalogue, MONTH)).to_dicts()
    assert (found["rule"], found["proposal"]) == ("U12", "unclear"), name


def test_a_reason_that_a_municipality_decides_on_is_no_longer_unclear(root: Path) -> None:
    path = root / "continuity" / "reasons.csv"
    path.write_text(
        path.read_text(encoding="utf-8-sig") + "leave,emigrated,named,試験,2018-04-01,\n", encoding="utf-8-sig"
    )
    catalogue = with_new_reason(root)
    assert lint_tables(catalogue) == []
    rows = [was("a", HEAD), now("a", HEAD), was("z", leave_reason="emigrated")]
    (found,) = judge(frame(rows), MONTH, OURS, load_criteria(catalogue, MONTH)).to_dicts()
    assert found["rule"] == "A4"


GUESSES = [
    ("105,U12,undecided_reason,unclear", "105,U12,undecided_reason,continued"),
    ("105,U12,", "315,U12,"),  # behind the rules that continue a household
    ("leave,other,unnamed", "leave,other,maybe"),
]


@pytest.mark.parametrize(("old", "new"), GUESSES)
def test_criteria_that_would_guess_are_refused(root: Path, old: str, new: str) -> None:
    for name in ("criteria", "reasons"):
        path = root / "continuity" / f"{name}.csv"
        path.write_text(path.read_text(encoding="utf-8-sig").replace(old, new), encoding="utf-8-sig")
    with pytest.raises(RenkeiError, match="KR-7108"):
        load_criteria(Catalogue(root), MONTH)


def test_a_command_stops_where_it_would_have_to_guess(root: Path, tmp_path: Path) -> None:
    first, *rest = rows_of("head_kind")
    write(root, "head_kind", [*renamed(first), *rest])
    made = opened(tmp_path / "place", switched_off=("continuity_candidates",), more=f'catalogue_folder = "{root}"')
    form = ("continuity", "form", "continuity_candidates", "--month", "2026-04", "--to", tmp_path / "form.xlsx")
    said = refused(made, *form)
    assert said.startswith("KR-7132 continuity_candidates の仕様（2018-04-01）に誤り")
    assert "codes/head_kind.csv: 項目 head_kind に要る意味 member がありません" in said
    lint = renkei(made, "spec", "lint")
    assert (lint.exit_code, "KR-7123 codes/head_kind.csv" in lint.output) == (1, True)


def test_an_answer_of_a_kind_that_nobody_knows_is_not_read(root: Path, tmp_path: Path) -> None:
    first, *rest = rows_of("reception_kind")
    write(root, "reception_kind", [*with_another(first), *rest])
    made = opened(tmp_path / "place", more=f'catalogue_folder = "{root}"')
    with pytest.raises(RenkeiError, match=r"KR-7132 .*意味 in_part の扱い"):
        made.specification("reception_result", MONTH)


# Words of the program that are a meaning of a code table by chance: names of facts, settings, kinds of files, columns.
BY_CHANCE = {"destination_differs", "foreign", "head", "media", "other", "removed"}


def test_code_compares_no_meaning_that_is_not_declared() -> None:
    meanings = {row["意味"] for table in TABLES for row in rows_of(table)}
    declared = {need.meaning for own in needs().values() for need in own if need.use == NEEDED}
    compared = {
        node.value
        for package in ("schemas", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in meanings
    }
    assert len(compared) > 15
    assert compared - declared == BY_CHANCE
