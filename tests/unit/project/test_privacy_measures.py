"""docs/privacy-measures.md names the test that shows each measure: every such test exists, and no kept measure lacks one."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

TESTS = ROOT / "tests"
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in (ROOT / "docs" / "privacy-measures.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| 措置")
]


def test_every_test_that_is_named_exists() -> None:
    named = {name for row in ROWS for name in re.findall(r"`([\w/]+\.py::\w+)`", row[3])}
    assert len(named) > 30
    missing = []
    for name in sorted(named):
        path, _, function = name.partition("::")
        if not (TESTS / path).is_file() or f"\ndef {function}(" not in (TESTS / path).read_text(encoding="utf-8"):
            missing.append(name)
    assert missing == []


def test_what_the_software_keeps_or_helps_with_is_shown_by_a_test() -> None:
    kinds = [row[1] for row in ROWS]
    assert set(kinds) == {"守る", "助ける", "人", "外"}
    assert [row[0] for row in ROWS if row[1] in ("守る", "助ける") and "::" not in row[3]] == []
    assert [row[0] for row in ROWS if row[1] in ("人", "外") and row[3] != "—"] == []
