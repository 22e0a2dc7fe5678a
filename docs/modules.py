"""Renews the module table of docs/architecture.md from the docstrings: `python docs/modules.py`.

A module's line is the first sentence of its docstring; a package's is that of its `__init__`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("interfaces", "schemas", "pipelines", "fixtures")
BEGIN, END = "<!-- modules:begin -->", "<!-- modules:end -->"


def first_sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])", paragraph)[0].replace("|", "\\|")


def lines_of(package: Path) -> Iterator[str]:
    """The rows of a package: itself, its modules, then its packages."""
    yield f"| **`{package.relative_to(ROOT)}/`** | {first_sentence(package / '__init__.py')} |"
    for module in sorted(package.glob("*.py")):
        if module.name != "__init__.py":
            yield f"| `{module.relative_to(ROOT)}` | {first_sentence(module)} |"
    for inner in sorted(package.iterdir()):
        if (inner / "__init__.py").is_file():
            yield from lines_of(inner)


def renewed(page: str) -> str:
    """The page with the table that the docstrings make now."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    rows = [line for package in PACKAGES for line in lines_of(ROOT / package)]
    table = "\n".join(("| module | what it is |", "|---|---|", *rows))
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
