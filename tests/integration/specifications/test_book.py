"""`renkei spec book` in a browser: what it says, its search, its print, and that it loads nothing from anywhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect, sync_playwright

from interfaces.catalogue import load_catalogue
from pipelines.cli import main
from pipelines.orchestration.assembly import definitions
from pipelines.orchestration.resources import Deployment
from schemas.rules import registered_rules
from tests.support import versions
from tests.support.deployment import settings_file

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book of a catalogue in which a name must be escaped."""
    folder = tmp_path_factory.mktemp("book")
    root = versions.copied(folder / "catalogue")
    table = root / "codes" / "sex.csv"
    rows = versions.read(table)
    versions.write(table, [rows[0] | {"名称": "<b>合成</b></script>"}, *rows[1:]])
    result = CliRunner().invoke(main, ["spec", "book", "--to", str(folder / "book"), "--catalogue", str(root)])
    assert result.exit_code == 0, result.output
    return folder / "book"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, book: Path) -> Iterator[Page]:
    """A page whose errors, and whose requests to anywhere but the book's folder, fail the test."""
    wrong: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(book.as_uri()) else wrong.append(request.url))
    yield page
    page.close()
    assert wrong == []


def test_every_item_code_and_rule_stands_in_the_book(book: Path) -> None:
    for interface in load_catalogue().ids():
        text = (book / f"{interface}.html").read_text(encoding="utf-8")
        for record in load_catalogue().versions(interface)[-1].records:
            assert all(f'-{record.kind}-{item.id}"' in text for item in record.items), interface
    codes = (book / "codes.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;合成&lt;/b&gt;" in codes
    page = (book / "insured_extract.html").read_text(encoding="utf-8")
    assert "<td>宛名番号（data）</td><td>digits(15)</td><td>KR-2007" in page, "a record that breaks the rule"
    rules = (book / "rules.html").read_text(encoding="utf-8")
    assert all(f'<tr id="{name}">' in rules for name in registered_rules())


def test_links_lead_to_something(book: Path) -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in book.glob("*.html")}
    for name, text in pages.items():
        for link in re.findall(r'href="([^"]+)"', text):
            target, _, mark = link.partition("#")
            assert (target or name) in pages, (name, link)
            assert not mark or f'id="{mark}"' in pages[target or name], (name, link)


def test_the_search_finds_and_leads_there(page: Page, book: Path) -> None:
    page.goto((book / "index.html").as_uri())
    search = page.get_by_placeholder("検索")
    search.fill("ｋｒ-2004")
    expect(page.locator("#found li")).not_to_have_count(0)
    search.fill("枝番 資格情報")
    expect(page.locator("#found a")).to_have_text(["枝番 branch_number（資格情報(個人)ファイル）"])
    expect(page.locator("#page")).to_be_hidden()
    page.locator("#found a").click()
    expect(page.locator(":target")).to_contain_text("branch_number")
    page.get_by_placeholder("検索").fill("そんなものはない")
    expect(page.locator("#found")).to_have_text("見つかりません")
    page.get_by_placeholder("検索").fill("<b>合成")
    expect(page.locator("#found a")).to_contain_text("<b>合成</b></script>")


def test_a_page_prints(page: Page, book: Path) -> None:
    page.goto((book / "eligibility_individual.html").as_uri())
    page.emulate_media(media="print")
    expect(page.get_by_placeholder("検索")).to_be_hidden()
    assert page.pdf(format="A4", landscape=True).startswith(b"%PDF")


def test_the_assets_name_their_page(tmp_path: Path, book: Path) -> None:
    settings = settings_file(tmp_path)
    key = dg.AssetKey("eligibility_individual")

    def metadata() -> dict[str, object]:
        repository = definitions(Deployment(settings_path=str(settings))).get_repository_def()
        return dict(repository.assets_defs_by_key[key].metadata_by_key[key])

    assert "仕様書" not in metadata()
    shutil.copytree(book, tmp_path / "data" / "仕様書")
    assert str(metadata()["仕様書"]).endswith("eligibility_individual.html')")
