"""Every word of the command line is Japanese, click's own too, whatever the locale; the list of commands is in groups."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from click.testing import CliRunner

from interfaces.words import state_in_words, words
from pipelines.cli import COMMAND_GROUPS, main
from pipelines.exchange.ledger.states import EntryState
from tests.support.paths import ROOT

WORDS = ROOT / "pipelines" / "locale" / "ja" / "LC_MESSAGES"
# Where click keeps what it says about a wrong command line; the rest is for prompts, pagers and editors.
ABOUT_COMMAND_LINES = {"exceptions.py", "parser.py", "formatting.py"}
# What nobody meets: an error of a programmer.
OF_PROGRAMMERS = {"Name '{name}' defined twice"}
RENKEI = Path(sys.executable).with_name("renkei")


def words_of_click() -> dict[str, str]:
    """Each text of click, and the file that says it."""
    folder = Path(click.__file__).parent
    found = extract_from_dir(folder, method_map=[("**.py", "python")])
    return {
        text: file for file, _, texts, _, _ in found for text in ([texts] if isinstance(texts, str) else texts) if text
    }


def in_a_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "RENKEI_"))}
    return subprocess.run([RENKEI, *arguments], env=given | environment, capture_output=True, check=False)


def test_the_compiled_words_are_those_of_the_text() -> None:
    with (WORDS / "messages.po").open("rb") as text, (WORDS / "messages.mo").open("rb") as compiled:
        assert _pairs(read_mo(compiled)) == _pairs(read_po(text)), "compile them as messages.po says"


def _pairs(catalogue: Catalog) -> set[tuple[str, ...]]:
    """Every text with its translation, each with its plural where it has one."""
    rows = [(row.id, row.string) for row in catalogue if row.id]
    return {tuple(part for side in row for part in ([side] if isinstance(side, str) else side or ())) for row in rows}


def test_what_click_says_of_a_wrong_command_line_is_translated_and_nothing_else() -> None:
    with (WORDS / "messages.po").open("rb") as text:
        ours = {one for row in read_po(text) if row.id for one in ([row.id] if isinstance(row.id, str) else row.id)}
    theirs = words_of_click()
    assert ours <= {*theirs, "required"}  # `required` is translated where it is shown
    about = {text for text, file in theirs.items() if Path(file).name in ABOUT_COMMAND_LINES}
    assert about - ours - OF_PROGRAMMERS == {"Invalid start character for option ({option})"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--help",), "使い方: "),
        (("runn",), "'runn' というコマンドはありません"),
        (("run", "dayly"), "もしかすると: 'daily'"),
        (("--moon",), "'--moon' というオプションはありません"),
        (("run", "daily"), "必要なオプションがありません '--date'"),
        (("quarantine", "show"), "必要な引数がありません '番号'"),
        (("quarantine", "show", "abc"), "'abc' は整数ではありません"),
        (("quarantine", "show", "0"), "範囲"),
        (("quarantine", "show", "1", "2"), "余分な引数があります（2）"),
        (("run", "daily", "--date"), "オプション '--date' の後に値がありません"),
        (("run", "daily", "--date", "2026-04-01", "--only", "up"), "次のどれかを書いてください: 'out', 'in'"),
        (("ledger", "list", "--state", "moon"), "次のどれかを書いてください: "),
        (("ledger", "list", "--json=1"), "値は書けません"),
    ],
)
def test_a_wrong_command_line_is_told_in_japanese(arguments: tuple[str, ...], told: str) -> None:
    """LANGUAGE asks for English, as a machine's own locale may."""
    result = CliRunner(env={"LANGUAGE": "en"}).invoke(main, arguments)
    assert told in result.output
    assert not re.search(
        r"\b(Usage|Error|Try|Options|Missing|Invalid|No such|Commands|Got|Did you|not)\b", result.output
    )


def test_a_terminal_without_a_locale_reads_japanese() -> None:
    for environment in ({}, {"LANG": "C"}, {"LC_ALL": "C", "TERM": "dumb", "COLUMNS": "60"}):
        listed = in_a_process("--help", **environment)
        assert (listed.returncode, listed.stderr) == (0, b"")
        assert "困ったとき:" in listed.stdout.decode("utf-8")
        wrong = in_a_process("runn", **environment)
        assert (wrong.returncode, wrong.stdout) == (2, b"")
        assert "'runn' というコマンドはありません" in wrong.stderr.decode("utf-8")


def test_the_list_of_commands_is_in_groups_by_occasion() -> None:
    lines = CliRunner().invoke(main, ["--help"]).output.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == ["オプション:", "毎日:", "毎月:", "困ったとき:", "鍵と媒体:", "監査:", "仕様:"]
    trouble = lines[lines.index("困ったとき:") + 1 : lines.index("鍵と媒体:") - 1]
    assert [line.split()[0] for line in trouble] == ["doctor", "explain", "rerun", "quarantine", "ledger"]
    assert len({name for group in COMMAND_GROUPS.values() for name in group}) == sum(map(len, COMMAND_GROUPS.values()))


@pytest.mark.parametrize(
    "asked", ["KR-7306", "KR7306", "kr-7306", "kr7306", "7306", "ＫＲ－７３０６", "ＫＲ７３０６", "７３０６"]
)
def test_a_code_is_explained_however_it_is_written(asked: str) -> None:
    result = CliRunner().invoke(main, ["explain", asked])
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "### KR-7306 隔離されたファイルがある")


def test_a_code_that_does_not_exist_is_told_as_it_was_asked() -> None:
    result = CliRunner().invoke(main, ["explain", "KR73066"])
    assert (result.exit_code, "KR-7110" in result.stderr, "KR73066" in result.stderr) == (2, True, True)


def test_the_shell_completes_commands_and_states() -> None:
    script = in_a_process(_RENKEI_COMPLETE="bash_source").stdout.decode()
    assert "complete -o nosort -F _renkei_completion renkei" in script
    for typed, expected in (("renkei st", "status"), ("renkei ledger list --state 隔", "隔離中")):
        words_typed = typed.split(" ")
        position = str(len(words_typed) - 1)
        done = in_a_process(_RENKEI_COMPLETE="bash_complete", COMP_WORDS=typed, COMP_CWORD=position)
        assert expected in done.stdout.decode("utf-8")


def test_every_state_has_its_word() -> None:
    states = {state.value: state_in_words(state) for state in EntryState}
    outcomes = words("words/outcomes") | words("words/jobs")
    assert all(re.search(r"[ぁ-ん一-鿿]", word) for word in (states | outcomes).values())
