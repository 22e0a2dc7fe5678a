"""What holds for the whole tree: one way of imports, modules that say what they are, and a text for every code."""

from __future__ import annotations

import ast
import csv
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces.messages import FOLDER, messages
from tests.support.paths import ROOT

PACKAGES = ("interfaces", "schemas", "pipelines", "fixtures")
MAY_IMPORT = {
    "interfaces": {"interfaces"},
    "schemas": {"interfaces", "schemas"},
    "pipelines": {"interfaces", "schemas", "pipelines"},
    "fixtures": {"interfaces", "fixtures"},
}
PURE = [
    "pipelines/eligibility/snapshot.py",
    "pipelines/eligibility/changes.py",
    "pipelines/eligibility/withholding.py",
    "pipelines/transfer/fingerprint.py",
    "pipelines/linkage/matching.py",
    "pipelines/continuity/judgement.py",
    "pipelines/continuity/criteria.py",
    "pipelines/continuity/facts.py",
    "pipelines/continuity/cases.py",
    "pipelines/continuity/reconcile.py",
    "pipelines/high_cost/counts.py",
    "pipelines/high_cost/history.py",
    "pipelines/high_cost/limits.py",
    "pipelines/high_cost/income_class.py",
    "pipelines/agreement/comparison.py",
    "interfaces/required_items.py",
    "schemas/rules/handed_over.py",
]
# From the top: a package imports from layers below its own only, and never from its neighbours in the same layer.
LAYERS = (
    ("cli",),
    ("commands", "definitions"),
    ("orchestration",),
    ("operations",),
    ("agreement",),
    ("eligibility", "linkage", "continuity", "high_cost"),
    ("transfer",),
    ("deployment",),
    ("exchange",),
    ("specifications",),
    ("storage", "configuration", "tables"),
)


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


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
        package = path.relative_to(ROOT).parts[0]
        ours = {name.split(".")[0] for name in imported(path)} & set(PACKAGES)
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {ours - MAY_IMPORT[package]}"


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_packages_of_the_pipelines_import_downwards_only() -> None:
    """Capabilities never import each other, and nobody imports `definitions`."""
    layers = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
    for path in sorted((ROOT / "pipelines").rglob("*.py")):
        here = package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in sorted(imported(path)):
            there = package_of(name)
            if name.startswith("pipelines.") and there != here:
                assert layers[there] > layers[here], f"{path.relative_to(ROOT)} imports {name}"


def test_the_top_of_the_pipelines_is_three_modules() -> None:
    top = {path.stem for path in (ROOT / "pipelines").glob("*.py")} - {"__init__"}
    assert top == {"cli", "definitions", "deployment"}


@pytest.mark.parametrize("module", PURE)
def test_decisions_know_no_dagster_no_clock_no_files(module: str) -> None:
    path = ROOT / module
    forbidden = ("dagster", "os", "pathlib", "pipelines.deployment", "pipelines.storage.tables", "pipelines.exchange")
    assert not [name for name in imported(path) if name.startswith(forbidden)]
    assert not re.search(r"\b(now|today)\(\)", path.read_text(encoding="utf-8"))


def test_dagster_is_in_one_package() -> None:
    users = {p.relative_to(ROOT) for p in modules() if any(n.split(".")[0] == "dagster" for n in imported(p))}
    assert not {path for path in users if not path.is_relative_to("pipelines/orchestration")}


def test_tables_are_made_by_versions_alone() -> None:
    assert not [
        path for path in modules() if re.search(r"\bcreate_all\b|\.create\(\w*connection", path.read_text("utf-8"))
    ]
    versions = ROOT / "pipelines/exchange/ledger/migrations/versions"
    assert not [path for path in versions.glob("*.py") for name in imported(path) if name.split(".")[0] in PACKAGES]


def test_importing_the_program_runs_no_query() -> None:
    """Polars starts its threads with the first one; a process forked later would wait for them for ever."""
    code = (
        "import polars.lazyframe.engine as engine\n"
        "def refused(*_, **__):\n    raise AssertionError('a query at import')\n"
        "engine._LocalEngine.collect = refused\n"
        "import pipelines.definitions, pipelines.cli, pipelines.commands.running, fixtures.torture.door\n"
        "import polars\n"
        "try:\n    polars.DataFrame({'a': [1]}).select('a')\n"
        "except AssertionError:\n    print('watched')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "watched\n", done.stderr


def test_every_module_says_what_lives_in_it() -> None:
    for path in [*modules(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_the_module_table_is_what_the_docstrings_say() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    renewed = runpy.run_path(str(ROOT / "docs" / "modules.py"))["renewed"]
    assert renewed(page) == page, "docs/architecture.md is stale: run `python docs/modules.py`"


def test_the_reference_of_specifications_is_what_the_code_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "reference.py"))["page"]()
    written = (ROOT / "docs" / "specification-reference.md").read_text(encoding="utf-8")
    assert made == written, "docs/specification-reference.md is stale: run `python docs/reference.py`"


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
        # Lists and workbooks print a finding's remedy as it stands; an error, and what is outstanding, know values to fill in.
        assert one.level == "stop" or code.startswith(("KR-6", "KR-7")) or "{" not in one.remedy, code
