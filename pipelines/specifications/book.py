"""The book of specifications: the whole catalogue as a small static web site in Japanese. It needs no server and no network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, read_rows
from interfaces.comparison import tables
from interfaces.described import (
    NOTHING,
    code_facts,
    file_facts,
    form_facts,
    in_force,
    item_facts,
    kind_name,
    record_facts,
    type_facts,
)
from interfaces.messages import RenkeiError, messages
from interfaces.spec import Specification
from pipelines.storage.files import write_durably
from schemas.rules import registered_rules
from schemas.samples.breaks import breaks
from schemas.samples.files import sound_file

_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("pipelines.specifications"), autoescape=True, undefined=jinja2.StrictUndefined
)
BOOK = "仕様書"
ITEM_COLUMNS = (
    *("項番", "項目名", "id", "属性", "開始位置", "バイト数", "必須", "コード表", "規則", "正規化", "日付の範囲"),
    *("秘匿区分", "保存", "値の元", "出典"),
)


@dataclass(frozen=True)
class Example:
    """A record that breaks a rule of an item, as text, and the message about it."""

    item: str
    rule: str
    record: str
    said: str


def examples(specification: Specification) -> list[Example]:
    """A record that breaks each rule of each item, in the sample of the version's first day; none if there is no sample."""
    try:
        sound = sound_file(specification, specification.layout.effective_from)
    except RenkeiError:
        return []
    return [
        Example(
            broken.item,
            broken.rule,
            broken.record,
            f"{broken.expected[0].code} {messages()[broken.expected[0].code].title}",
        )
        for broken in breaks(sound)
        if broken.record
    ]


@dataclass(frozen=True)
class Found:
    """Something that the search finds: what it is, its words, and where it is."""

    what: str
    words: str
    where: str


def page_of(interface: str) -> str:
    """The name of the page of an interface."""
    return f"{interface}.html"


def write_book(catalogue: Catalogue, folder: Path) -> Path:
    """Write the book into a folder; returns its first page. Other files in the folder stay as they are."""
    pages = {page_of(interface): _interface(catalogue, interface) for interface in catalogue.ids()}
    pages["codes.html"] = _render("book_codes.html", tables=_code_tables(catalogue))
    pages["rules.html"] = _render("book_rules.html", rules=_rules(), types=_types(catalogue))
    pages["index.html"] = _render("book_index.html", layouts=_layouts(catalogue))
    pages["search.js"] = f"const FOUND = {_as_script(list(_index(catalogue)))};\n" + _script()
    for name, text in pages.items():
        write_durably(folder / name, text.encode())
    return folder / "index.html"


def _render(template: str, **values: Any) -> str:
    return _pages.get_template(template).render(**values, nothing=NOTHING)


def _layouts(catalogue: Catalogue) -> list[dict[str, str]]:
    """A row for each interface: its newest version."""
    rows = []
    for interface in catalogue.ids():
        newest = catalogue.versions(interface)[-1]
        facts = file_facts(newest)
        kept = ("名前", "向き", "周期", "状態", "説明", "ファイル名")
        rows.append({name: facts[name] for name in kept} | {"id": interface, "page": page_of(interface)})
    return rows


def _interface(catalogue: Catalogue, interface: str) -> str:
    """All versions of an interface, the newest first."""
    versions = [_version(version) for version in reversed(catalogue.versions(interface))]
    newest = catalogue.versions(interface)[-1].layout
    return _render("book_interface.html", layout=newest, versions=versions)


def _version(specification: Specification) -> dict[str, Any]:
    return {
        "version": specification.version,
        "in_force": in_force(specification),
        "file": file_facts(specification),
        "form": form_facts(specification.format),
        "records": [
            {
                "name": kind_name(record.kind),
                "kind": record.kind,
                "facts": record_facts(record, specification),
                "items": items,
                "columns": [column for column in ITEM_COLUMNS if any(item[column] != NOTHING for item in items)],
            }
            for record in specification.records
            for items in [[item_facts(item, specification) for item in record.items]]
        ],
        "tables": tables(specification),
        "examples": examples(specification),
    }


def _code_tables(catalogue: Catalogue) -> dict[str, list[dict[str, str]]]:
    return {
        name: [{"コード": code.value} | code_facts(code) for code in codes] for name, codes in catalogue.codes.items()
    }


def _rules() -> list[dict[str, str]]:
    """Every rule that an item table or file.toml can name, with its message."""
    meanings = {row["名前"]: row["意味"] for row in read_rows(DEFAULT_ROOT / "reading" / "rules.csv", ("名前", "意味"))}
    found = []
    for name, rule in sorted(registered_rules().items()):
        said = messages().get(rule.code)  # none for a rule that says how a value is read
        found.append(
            {
                "name": name,
                "code": rule.code,
                "title": said.title if said else NOTHING,
                "meaning": meanings.get(name, NOTHING),
                "arguments": "、".join(rule.arguments) or NOTHING,
                "template": said.template if said else NOTHING,
                "remedy": said.remedy if said else NOTHING,
            }
        )
    return found


def _types(catalogue: Catalogue) -> dict[str, Mapping[str, str]]:
    return {name: type_facts(kind) for name, kind in catalogue.types.items()}


def _index(catalogue: Catalogue) -> Iterator[Found]:
    for row in _layouts(catalogue):
        words = f"{row['名前']} {row['id']} {row['ファイル名']} {row['説明']}"
        yield Found("ファイル", words, row["page"])
    for interface in catalogue.ids():
        newest = catalogue.versions(interface)[-1]
        for record in newest.records:
            for item in record.items:
                where = f"{page_of(interface)}#{newest.version}-{record.kind}-{item.id}"
                yield Found("項目", f"{item.name} {item.id}（{newest.layout.name}）", where)
    for name, codes in _code_tables(catalogue).items():
        for code in codes:
            yield Found("コード", f"{code['コード']} {code['名称']}（コード表 {name}）", f"codes.html#{name}")
    for rule in _rules():
        yield Found("規則", f"{rule['name']} {rule['code']} {rule['title']}", f"rules.html#{rule['name']}")


def _as_script(found: Sequence[Found]) -> str:
    """JSON that can stand in a script: `<` cannot end it."""
    rows = [[one.what, one.words, one.where] for one in found]
    return json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c")


def _script() -> str:
    loader = _pages.loader
    assert loader is not None  # noqa: S101  it was given
    return loader.get_source(_pages, "book_search.js")[0]
