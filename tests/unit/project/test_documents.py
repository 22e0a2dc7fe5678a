"""What the documents name is there: identifiers of the glossary, decisions of the index, files that links lead to."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.paths import ROOT

DOCUMENTS = ROOT / "docs"
PRODUCT = ("interfaces", "schemas", "pipelines")
TEXTS = {".py", ".csv", ".toml", ".html"}
IDENTIFIER = re.compile(r"`([\x21-\x7e]+)`")
RECORD = re.compile(r"^## (D-\d{3})  (.+) \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)
LABELS = ["Context", "Decision", "Consequence", "Rejected"]


def table(page: Path) -> list[list[str]]:
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words_of_the_product() -> set[str]:
    words: set[str] = set()
    for path in (path for package in PRODUCT for path in (ROOT / package).rglob("*")):
        words.add(path.name)
        if path.suffix in TEXTS:
            text = path.read_text(encoding="utf-8-sig")
            words |= set(re.findall(r"[\w-]+", text)) | set(re.findall(r"\w+", text))
    return words


def test_the_glossary_names_no_identifier_that_is_gone() -> None:
    named = [identifier for row in table(DOCUMENTS / "glossary.md") for identifier in IDENTIFIER.findall(row[1])]
    assert len(named) > 50
    assert sorted({identifier.strip("[].") for identifier in named} - words_of_the_product()) == []


def test_every_decision_is_a_dated_record_and_stands_in_the_index() -> None:
    records = []
    for page in sorted((DOCUMENTS / "decisions").glob("*.md")):
        number, *parts = RECORD.split(page.read_text(encoding="utf-8"))
        for number, title, date, text in zip(*(iter(parts),) * 4, strict=True):
            records.append([number, date, title, f"[{page.stem}]({page.name})"])
            assert re.findall(r"^\*\*(\w+):\*\*", text, re.MULTILINE) == LABELS, number
    assert table(DOCUMENTS / "decisions" / "README.md") == sorted(records)
    assert [record[0] for record in sorted(records)] == [f"D-{number:03d}" for number in range(1, len(records) + 1)]


def test_every_link_between_documents_leads_to_a_file() -> None:
    dead = []
    for page in [*ROOT.glob("*.md"), *DOCUMENTS.rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                dead.append((page.name, link))
    assert dead == []
