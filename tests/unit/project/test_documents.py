"""What the documents name is there: identifiers of the glossary, decisions of the index, files that links lead to."""

from __future__ import annotations

import re
import subprocess
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
    assert len({record[0] for record in records}) == len(records), "a number is given once"


def test_every_link_between_documents_leads_to_a_file() -> None:
    dead = []
    for page in [*ROOT.glob("*.md"), *DOCUMENTS.rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                dead.append((page.name, link))
    assert dead == []


CITING = {".py", ".csv", ".toml", ".html", ".md"}
# "docs/sources.md 2.4・2.5 の事由", "docs/sources.md 3.4–3.6", "docs/sources.md 3 と 1.4", "docs/sources.md 1.1 #4"
CITED = re.compile(r"docs/sources\.md[ \n]+(\d[\d.]*(?: #\d+)?(?:(?:[・、–]| と |, )\d[\d.]*)*)")
SECTION = re.compile(r"\d+(?:\.\d+)?(?: #\d+)?")
MENTIONED = re.compile(r"(?<![\w./#-])(?:docs/)?(?:[a-z-]+/)*[A-Za-z-]+\.md\b")


def texts() -> dict[str, str]:
    """Every text of the tree, by its place."""
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [Path(name) for name in found.stdout.splitlines() if Path(name).suffix in CITING]
    return {str(path): (ROOT / path).read_text(encoding="utf-8-sig", errors="replace") for path in paths}


def test_every_section_that_is_cited_is_there() -> None:
    page = (DOCUMENTS / "sources.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^#{2,3} ([\d.]+?)\.? ", page, re.MULTILINE))
    sections |= {f"1.1 #{number}" for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    cited: dict[str, set[str]] = {}
    for place, text in texts().items():
        for match in CITED.findall(text) if place != "docs/sources.md" else []:
            for section in SECTION.findall(match):
                cited.setdefault(section.removesuffix("."), set()).add(place)
    assert len(cited) > 15
    assert sum(map(len, cited.values())) > 100
    assert {section: places for section, places in cited.items() if section not in sections} == {}


def test_every_citation_of_the_sources_names_a_section() -> None:
    bare = [
        (place, text.count("docs/sources.md") - len(CITED.findall(text)))
        for place, text in texts().items()
        if place.startswith(("interfaces/", "schemas/", "pipelines/", "fixtures/"))
    ]
    assert [(place, times) for place, times in bare if times] == []


def test_every_source_of_the_catalogue_has_its_row() -> None:
    page = (DOCUMENTS / "sources.md").read_text(encoding="utf-8")
    keys = {
        key.strip() for row in re.findall(r"^\| ([A-Z0-9評価書, ]+?) \|", page, re.MULTILINE) for key in row.split(",")
    }
    named = {
        key
        for place, text in texts().items()
        if place.startswith("interfaces/catalogue/")
        for cell in re.findall(r"docs/sources\.md [^(（]{0,20}[(（]([^)）]*)", text)
        for key in re.findall(r"\b[A-Z]{4,}[0-9]*\b(?!-MM)", cell)
    }
    assert named >= {"KEIRI", "MADO", "ONSHI"}
    assert sorted(named - keys) == []


def test_every_document_that_a_text_names_is_there() -> None:
    known = {path.name for path in [*ROOT.glob("*.md"), *DOCUMENTS.rglob("*.md")]}
    missing = {
        (place, name)
        for place, text in texts().items()
        for name in MENTIONED.findall(text)
        if not (ROOT / name).exists() and not (ROOT / place).parent.joinpath(name).exists()
        if "/" in name or name not in known
    }
    assert sorted(missing) == []


def test_every_decision_that_is_cited_is_there() -> None:
    index = (DOCUMENTS / "decisions" / "README.md").read_text(encoding="utf-8")
    cited = {number for text in texts().values() for number in re.findall(r"\bD-\d{3}\b", text)}
    assert len(cited) > 50
    assert sorted(cited - set(re.findall(r"^\| (D-\d{3}) ", index, re.MULTILINE))) == []
