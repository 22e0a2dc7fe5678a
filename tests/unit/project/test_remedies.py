"""What to do about a code names the real day, month and entry: nobody who is in trouble has to fill in a blank."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from interfaces.messages import RenkeiError, messages
from tests.support.paths import ROOT

# A word of ours in place of what a command is to be given.
BLANK = re.compile(r"(?:--[a-z-]+|show|release|reject|confirm) (?:番号|その日|その月|日付|年月|宛名番号)")
# The transport does not know the ledger; `delivery` says the same again, with the entry.
SAID_AGAIN = {("pipelines/exchange/transport.py", "KR-6222")}


@pytest.mark.parametrize("code", sorted(messages()))
def test_no_command_of_a_message_has_a_blank_in_words(code: str) -> None:
    known = messages()[code]
    assert not BLANK.search(known.template) and not BLANK.search(known.remedy)


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def raised() -> Iterator[tuple[str, int, str, set[str]]]:
    """Every place at which the program makes an error: file, line, code, the values that it gives."""
    for package in ("interfaces", "schemas", "pipelines"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and is_error(node.func):
                    code = code_of(node.args[0], path)
                    if code in messages():
                        place = path.relative_to(ROOT).as_posix()
                        yield place, node.lineno, code, {one.arg for one in node.keywords if one.arg}


def is_error(called: ast.expr) -> bool:
    return ast.unparse(called).endswith("Error")


def code_of(argument: ast.expr, path: Path) -> str:
    """The code, written out or as the name of a constant; empty when only the run decides it."""
    if isinstance(argument, ast.Name):
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        return str(getattr(module, argument.id, ""))
    return str(argument.value) if isinstance(argument, ast.Constant) else ""


def test_every_error_is_given_what_its_text_and_its_remedy_need() -> None:
    found = list(raised())
    assert len(found) > 150
    lacking = [
        (place, line, code, sorted(needed))
        for place, line, code, given in found
        if (needed := (blanks(messages()[code].template) | blanks(messages()[code].remedy)) - given)
        and (place, code) not in SAID_AGAIN
    ]
    assert lacking == []


def test_the_remedy_is_filled_with_the_values_of_the_text() -> None:
    error = RenkeiError("KR-7306", name="KRSHU_999997_20260401_000001.csv", entry=34)
    assert "renkei quarantine show 34 " in error.for_people()
    assert "renkei quarantine reject 34）" in error.remedy
