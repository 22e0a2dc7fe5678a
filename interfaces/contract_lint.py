"""Compares the layouts with what the program needs of them (`contract`) and with each other (`item_flow`). Reads no file's content.

Each check says what would otherwise be a crash, or a blank in the file, on the first day of a version.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from interfaces.catalogue import Catalogue, Fault
from interfaces.contract import MY_NUMBER, NEEDED, OPTIONAL, contract, links, missing_items, outgoing_of
from interfaces.item_flow import (
    BLANK,
    FORMS,
    FROM_HEADER,
    JOINED,
    PART,
    SEPARATORS,
    TRANSLATED,
    OnADay,
    header_names,
    is_of_file,
)
from interfaces.messages import RenkeiError
from interfaces.spec import Call, Item, Record, Specification

MISSING: Final = "KR-7124"
UNFILLED: Final = "KR-7125"
WRONG_SOURCE: Final = "KR-7126"
UNUSED: Final = "KR-7127"
WITHOUT_KEY: Final = "KR-7128"


class RelationKeys(Protocol):
    """What is needed of a relation between files: the items that it reads of both."""

    @property
    def reads(self) -> frozenset[str]: ...
    @property
    def item(self) -> str: ...
    @property
    def to_another_file(self) -> bool: ...


def lint_contract(catalogue: Catalogue, relations: Mapping[str, RelationKeys]) -> list[Fault]:
    """Every item that the program needs and a layout lacks, every outgoing item that nothing fills or whose source is wrong."""
    found: list[Fault] = []
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            if not _is_whole(specification):
                continue  # the linter says what is wrong with its records
            found += [*_missing(specification), *_relations(catalogue, specification, relations, None)]
            for day in _days(catalogue, specification):
                found += _outgoing(catalogue, specification, day)
    return list(dict.fromkeys(found))


def contract_faults(
    catalogue: Catalogue, specification: Specification, on: dt.date, relations: Mapping[str, RelationKeys]
) -> list[Fault]:
    """Those of `lint_contract` with which a file by this version, for that day, would be read or made."""
    if not _is_whole(specification):
        return []
    found = [*_missing(specification), *_relations(catalogue, specification, relations, on)]
    return list(dict.fromkeys([*found, *_outgoing(catalogue, specification, on)]))


def unused_items(catalogue: Catalogue) -> list[Fault]:
    """The items of extracts that are stored and that nothing uses, a line for each version. Not wrong: for the person who decides."""
    found: list[Fault] = []
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            if not _is_whole(specification) or not outgoing_of(interface):
                continue
            used = {of.id for of in contract(interface).values()} | _carried_from(catalogue, specification)
            idle = [
                item.id
                for item in specification.data.items
                if item.is_kept and item.id not in used and item.id not in header_names(specification)
            ]
            if idle:
                found.append(Fault(f"{interface}/{specification.version}", "・".join(idle), UNUSED))
    return found


def _is_whole(specification: Specification) -> bool:
    """Whether the record kind that the file is about is known."""
    if specification.layout.data is not None:
        return specification.layout.data in specification.by_kind
    return any(record.occurrence == "many" for record in specification.records)


def _missing(specification: Specification) -> Iterator[Fault]:
    place = f"{specification.id}/{specification.version}"
    for name in missing_items(specification):
        yield Fault(place, f"プログラムに要る項目 {name} がありません", MISSING)
    declared = contract(specification.id).values()
    for of in declared:
        item = specification.data.by_id.get(of.id)
        if item is not None and of.use in (NEEDED, OPTIONAL) and of.id.endswith("_on") and not item.type.is_date:
            yield Fault(place, f"項目 {of.id} は日付の属性が要ります（{item.type.id}）", MISSING)
        if item is not None and of.use == NEEDED and not item.is_kept:
            yield Fault(place, f"プログラムに要る項目 {of.id} が「保存 しない」になっています", MISSING)


def _relations(
    catalogue: Catalogue, specification: Specification, relations: Mapping[str, RelationKeys], on: dt.date | None
) -> Iterator[Fault]:
    """Relations whose items the layout lacks, or the other file's of the day (None: of any): the rule could not be applied."""
    for text in specification.layout.relations:
        try:
            call = Call.parse(text)
        except ValueError:
            continue
        relation = relations.get(call.name)
        if relation is None:
            continue
        place = f"{specification.id}/{specification.version} relations"
        for name in sorted(relation.reads - _kept(specification)):
            yield Fault(place, f"{text} に要る項目 {name} がありません", WITHOUT_KEY)
        for other in call.arguments if relation.to_another_file else ():
            versions = catalogue.versions(other) if other in catalogue.ids() else []
            for version in versions:
                is_meant = on is None or version.layout.in_force(on)
                if is_meant and _is_whole(version) and relation.item not in _kept(version):
                    text_of_other = f"{text} に要る項目 {relation.item} が {other}/{version.version} にありません"
                    yield Fault(place, text_of_other, WITHOUT_KEY)


def _kept(specification: Specification) -> set[str]:
    """The items of the data records that the program gets to see."""
    return {item.id for item in specification.data.items if item.is_kept}


def _days(catalogue: Catalogue, specification: Specification) -> list[dt.date]:
    """The first day of an outgoing version, and each day within it on which a version of a linked extract begins."""
    first, end = specification.layout.effective_from, specification.layout.effective_to or dt.date.max
    days = {first}
    for link in links(specification.id):
        if link.extract in catalogue.ids():
            days |= {version.layout.effective_from for version in catalogue.versions(link.extract)}
    return sorted(day for day in days if first <= day < end)


def _outgoing(catalogue: Catalogue, specification: Specification, on: dt.date) -> Iterator[Fault]:
    """The items of a file that the program makes, with the extracts of a day."""
    if specification.layout.direction != "to_union" or not contract(specification.id):
        return
    try:
        of_day = OnADay.of(catalogue, specification.id, on)
    except RenkeiError:
        return  # the versions overlap or leave a gap: the linter says so
    for part, record in zip(specification.layout.records, specification.records, strict=True):
        for item in record.items:
            place = f"{specification.id}/{specification.version}/{part.items} 項番{item.number} {item.id}"
            yield from _source(catalogue, of_day, record, item, place)
            if not of_day.is_filled(record, item):
                why = "この項目を持つ抽出がなく、値の元もありません。空のままでよければ、値の元を blank とします"
                yield Fault(place, why, UNFILLED)


def _source(catalogue: Catalogue, of_day: OnADay, record: Record, item: Item, place: str) -> Iterator[Fault]:
    """What is wrong with 値の元, or with the item that is carried without it."""
    how = item.value_from
    if how is not None and (why := _wrong_call(catalogue, of_day, record, item, how)):
        yield Fault(f"{place} 値の元", why, WRONG_SOURCE)
        return
    if record is not of_day.outgoing.data or is_of_file(item) or (how and how.name in (BLANK, FROM_HEADER)):
        if how and how.name == BLANK and item.required == "必須":
            yield Fault(f"{place} 値の元", "必須の項目は blank にできません", WRONG_SOURCE)
        return
    names = how.arguments[FORMS[how.name][1]] if how else (item.id,)
    if how is None and (item.id in of_day.own_ids or item.id in header_names(of_day.outgoing) or item.id == MY_NUMBER):
        return
    for name in names:
        places = of_day.places(name)
        if len(places) > 1 and not _is_of_the_program(of_day, item):
            listed = "・".join(map(str, places))
            yield Fault(
                f"{place} 値の元", f"{name} は {listed} のどれか、item(抽出.項目) の形で書いてください", WRONG_SOURCE
            )
        for found in places[:1]:
            yield from _wrong_kind(catalogue, of_day, item, how, found.item, of_day.source(found), f"{place} 値の元")


def _is_of_the_program(of_day: OnADay, item: Item) -> bool:
    """Whether the program says itself which extract an item is taken from."""
    return item.value_from is None and item.id in contract(of_day.outgoing.id)


def _wrong_call(catalogue: Catalogue, of_day: OnADay, record: Record, item: Item, how: Call) -> str | None:
    """Why a call cannot be carried out; None when it can."""
    if how.name not in FORMS:
        return f"{how.name} という書き方はありません（{'・'.join(FORMS)}）"
    wanted, items = FORMS[how.name]
    if len(how.arguments) != wanted and not (how.name == JOINED and len(how.arguments) > wanted):
        return f"{how.name} の値は{wanted}個です（{len(how.arguments)}個あります）"
    if is_of_file(item):
        return "固定値・番号・件数の規則のある項目には書けません"
    if how.name == BLANK:
        needed = contract(of_day.outgoing.id).get(item.id)
        return (
            "プログラムに要る項目です" if needed and needed.use == NEEDED and record is of_day.outgoing.data else None
        )
    if how.name == FROM_HEADER:
        names = header_names(of_day.outgoing)
        return None if how.arguments[0] in names else f"{how.arguments[0]} はありません（{'・'.join(names)}）"
    if record is not of_day.outgoing.data:
        return "制御・エンドのレコードには header と blank だけを書けます"
    if not links(of_day.outgoing.id):
        return "このファイルには抽出が結び付いていません（header と blank だけを書けます）"
    if item.id in (*of_day.own_ids, MY_NUMBER):
        return "プログラムが作る項目には書けません"
    for name in how.arguments[items]:
        if name.rpartition(".")[2] == MY_NUMBER:
            return "個人番号からは作れません"
        if not of_day.places(name):
            return f"{name} を持つ抽出がありません"
    if how.name == JOINED and how.arguments[0] not in SEPARATORS:
        return f"区切り {how.arguments[0]} は使えません（{'・'.join(SEPARATORS)}）"
    if how.name == PART and not all(
        number.isascii() and number.isdigit() and int(number) for number in how.arguments[1:]
    ):
        return "開始と文字数は1以上の整数です"
    if how.name == TRANSLATED and how.arguments[1] not in catalogue.codes:
        return f"コード表 {how.arguments[1]} がありません"
    return None


def _wrong_kind(
    catalogue: Catalogue, of_day: OnADay, item: Item, how: Call | None, name: str, source: Item | None, place: str
) -> Iterator[Fault]:
    """A date that would become a text, or the reverse; a code whose meaning the outgoing table does not have."""
    if source is None:
        return
    plain = how is None or how.name == "item"
    if plain and source.type.is_date != item.type.is_date:
        yield Fault(place, f"{name} の属性 {source.type.id} から {item.type.id} は作れません", WRONG_SOURCE)
    if not plain and (source.type.is_date or item.type.is_date):
        yield Fault(place, "日付は item のほかでは作れません", WRONG_SOURCE)
    if not plain or not source.code_table:
        return
    if not item.code_table:
        yield Fault(
            place, f"{name} はコード表 {source.code_table} の項目です。送付の項目にもコード表が要ります", WRONG_SOURCE
        )
        return
    known = {code.meaning for code in catalogue.codes.get(item.code_table, ())}
    for meaning in sorted({code.meaning for code in catalogue.codes.get(source.code_table, ())} - known):
        yield Fault(place, f"{name} の意味 {meaning} がコード表 {item.code_table} にありません", WRONG_SOURCE)


def _carried_from(catalogue: Catalogue, extract: Specification) -> set[str]:
    """The items of an extract's version that outgoing files take, on any day of it."""
    first, end = extract.layout.effective_from, extract.layout.effective_to or dt.date.max
    used: set[str] = set()
    for outgoing in outgoing_of(extract.id):
        if outgoing not in catalogue.ids():
            continue
        starts = {first} | {version.layout.effective_from for version in catalogue.versions(outgoing)}
        for day in sorted(day for day in starts if first <= day < end):
            try:
                flows = OnADay.of(catalogue, outgoing, day).flows()
            except RenkeiError:
                continue
            used |= {place.item for flow in flows for place in flow.places if place.interface == extract.id}
    return used
