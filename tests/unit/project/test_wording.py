"""The Japanese that people read has the words of docs/wording.md, and a clerk's remedy names no command and no path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces.messages import messages
from tests.support.paths import ROOT

PACKAGES = ("interfaces", "schemas", "pipelines")
RELEASED = ROOT / "pipelines" / "exchange" / "ledger" / "migrations" / "versions"  # never edited again
COMMAND_OR_PATH = re.compile(r"renkei |--\w|\w/\w|\.(csv|toml|xlsx|py)\b")
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龥]")


def rows() -> list[tuple[str, list[str]]]:
    """Each word not to use, with the words that contain it and are allowed."""
    page = (ROOT / "docs" / "wording.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return [(word, [one for one in allowed.split("、") if one]) for word, _, allowed in cells[2:]]


def strings(path: Path) -> Iterator[str]:
    """The string literals of a module but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented)
        if node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def texts() -> Iterator[tuple[str, str]]:
    """Where people read what: the literals of the program, its data and templates, and the documents in Japanese."""
    for path in sorted(
        path for package in PACKAGES for path in (ROOT / package).rglob("*") if RELEASED not in path.parents
    ):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py":
            yield from ((name, text) for text in strings(path))
        elif path.suffix in {".csv", ".toml", ".html"}:
            yield from ((name, line) for line in path.read_text(encoding="utf-8-sig").splitlines())
    for name in ("README.ja.md", "docs/glossary.md"):
        yield from ((name, line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines())


def words_not_to_use(text: str) -> list[str]:
    found = []
    for word, allowed in rows():
        rest = text
        for one in allowed:
            rest = rest.replace(one, "")
        if word in rest:
            found.append(word)
    return found


def test_nobody_reads_a_word_that_is_not_to_be_used() -> None:
    read = [(name, text) for name, text in texts() if JAPANESE.search(text)]
    assert len(read) > 1000
    assert [(name, found, text) for name, text in read if (found := words_not_to_use(text))] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("年月日を確かめて、直してください", ["確かめ", "直し"]),
        ("連合会に依頼し、内訳を見直します。住民票の写しを添えます", []),
        ("写しを送るよう頼む", ["頼", "写し"]),
    ],
)
def test_a_word_is_found_but_not_within_another(text: str, found: list[str]) -> None:
    assert words_not_to_use(text) == found


def test_a_remedy_for_clerks_names_no_command_and_no_path() -> None:
    own = {code: told.clerk_remedy for code, told in messages().items() if told.clerk_remedy != told.remedy}
    assert len(own) > 20
    read = own | {code: told.clerk_remedy for code, told in messages().items() if told.level == "record"}
    assert {code: text for code, text in read.items() if COMMAND_OR_PATH.search(text)} == {}
