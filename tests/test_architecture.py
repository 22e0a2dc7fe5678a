"""What holds for the whole tree: one way of imports, modules that say what they are, and a text for every code."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces.messages import FOLDER, messages

ROOT = Path(__file__).parent.parent
ROOMS = ("interfaces", "schemas", "pipelines", "fixtures")
MAY_IMPORT = {
    "interfaces": {"interfaces"},
    "schemas": {"interfaces", "schemas"},
    "pipelines": {"interfaces", "schemas", "pipelines"},
    "fixtures": {"interfaces", "fixtures"},
}
PURE = ["pipelines/eligibility/snapshot.py", "pipelines/eligibility/changes.py", "pipelines/eligibility/holding.py",
        "pipelines/linkage/matching.py", "pipelines/items.py", "pipelines/continuity/judgement.py", "pipelines/continuity/criteria.py",
        "pipelines/continuity/cases.py", "pipelines/continuity/reconcile.py", "pipelines/high_cost/counts.py",
        "pipelines/high_cost/history.py", "pipelines/high_cost/limits.py", "pipelines/high_cost/income_class.py"]  # fmt: skip
CAPABILITIES = ("eligibility", "linkage", "continuity", "high_cost")


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_imports_run_one_way() -> None:
    for path in modules():
        room = path.relative_to(ROOT).parts[0]
        ours = {name.split(".")[0] for name in imported(path)} & set(ROOMS)
        assert ours <= MAY_IMPORT[room], f"{path.relative_to(ROOT)} imports {ours - MAY_IMPORT[room]}"


def test_capabilities_never_reach_into_each_other() -> None:
    for one in CAPABILITIES:
        for other in set(CAPABILITIES) - {one}:
            for path in (ROOT / "pipelines" / one).rglob("*.py"):
                assert not any(name.startswith(f"pipelines.{other}") for name in imported(path)), path


def test_nothing_inside_knows_its_doors() -> None:
    doors = {"pipelines/cli.py", "pipelines/definitions.py"}
    for path in (ROOT / "pipelines").rglob("*.py"):
        place = str(path.relative_to(ROOT))
        if place not in doors and not place.startswith("pipelines/commands/"):
            known = {name for name in imported(path) if name.startswith(("pipelines.cli", "pipelines.commands"))}
            assert not known, f"{place} imports {known}"


@pytest.mark.parametrize("module", PURE)
def test_decisions_know_no_dagster_no_clock_no_files(module: str) -> None:
    path = ROOT / module
    forbidden = ("dagster", "os", "pathlib", "pipelines.environment", "pipelines.store", "pipelines.exchange")
    assert not [name for name in imported(path) if name.startswith(forbidden)]
    assert not re.search(r"\b(now|today)\(\)", path.read_text(encoding="utf-8"))


def test_dagster_stays_at_the_edge() -> None:
    users = {str(p.relative_to(ROOT)) for p in modules() if any(n.split(".")[0] == "dagster" for n in imported(p))}
    assert users == {
        "pipelines/checks.py", "pipelines/definitions.py", "pipelines/partitions.py", "pipelines/resources.py",
        "pipelines/eligibility/assets.py", "pipelines/linkage/assets.py", "pipelines/continuity/assets.py",
        "pipelines/high_cost/assets.py", "pipelines/inbound.py", "pipelines/watch.py", "pipelines/alerts.py",
        "pipelines/reruns.py", "pipelines/dead_runs.py",
    }  # fmt: skip


def test_every_module_says_what_lives_in_it() -> None:
    for path in [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_every_code_has_one_text() -> None:
    codes = []
    for path in FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            codes += [row["コード"] for row in csv.DictReader(handle)]
    assert len(codes) == len(set(codes)), sorted(one for one in codes if codes.count(one) > 1)


def test_every_code_that_is_used_has_its_text_and_every_text_is_used() -> None:
    used: set[str] = set()
    for path in modules():
        used |= set(re.findall(r"KR-\d{4}", path.read_text(encoding="utf-8")))
    known = messages()
    assert used == set(known), sorted(used ^ set(known))
    stand = [
        code
        for path in sorted(FOLDER.glob("*.csv"))
        for code in re.findall(r"^KR-\d{4}", path.read_text("utf-8-sig"), re.M)
    ]
    assert sorted(stand) == sorted(known)
    for code, one in known.items():
        assert one.title and one.template and one.remedy, code
        assert one.level in ("file", "record", "warning", "stop"), code
        assert one.render(), code
        # Lists and workbooks print a finding's remedy as it stands; only an error knows values to fill in.
        assert one.level == "stop" or "{" not in one.remedy, code
