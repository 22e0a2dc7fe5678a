"""Proof that the specifications are sound: every fault a person can put into the data, named with its place."""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import polars as pl

from interfaces.catalogue import Catalogue, read_rows
from interfaces.characters import code_points
from interfaces.naming import fields_of
from interfaces.spec import Call, Code, Item, Record, Specification

CONDITION = re.compile(r"^(必須|任意|条件 ([a-z_]+)(?:=([^=]+))?)$")
DATE_LENGTHS = {"YYYYMMDD": 8, "YYYY-MM-DD": 10, "GYYMMDD": 7, "YYYYMM": 6, "YYYY-MM": 7}


class KnownRule(Protocol):
    """What the linter needs to know of a rule: how many parameters it takes, where it applies, which name items."""

    @property
    def arguments(self) -> tuple[int, int]: ...
    @property
    def scope(self) -> str: ...


@dataclass(frozen=True)
class Fault:
    """One fault: where (interface/version/record/item or a shared table) and what, in Japanese."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def lint(catalogue: Catalogue, rules: Mapping[str, KnownRule], normalisations: frozenset[str]) -> list[Fault]:
    """Every fault of the catalogue; an empty list proves it sound.

    `rules` and `normalisations` are what `schemas` knows; they are passed in because interfaces imports no rule.
    """
    faults = [*_shared(catalogue)]
    for interface in catalogue.ids():
        versions = catalogue.versions(interface)
        faults += _effective_dates(interface, versions)
        for specification in versions:
            faults += _Linter(catalogue, specification, rules, normalisations).faults()
    faults += _file_names(catalogue)
    return faults


def _shared(catalogue: Catalogue) -> Iterator[Fault]:
    for type_ in catalogue.types.values():
        try:
            pl.select(pl.lit("").str.contains(f"^(?:{type_.pattern})$"))
        except pl.exceptions.PolarsError:
            yield Fault(f"types.csv {type_.id}", f"正規表現 {type_.pattern} を読めません")
        if type_.date_format not in ("", *DATE_LENGTHS):
            yield Fault(f"types.csv {type_.id}", f"日付形式 {type_.date_format} は使えません")
    for name, codes in catalogue.codes.items():
        yield from _code_table(name, codes)
    for path in sorted((catalogue.root / "characters").glob("*.csv")):
        for row in read_rows(path):
            yield from _character(f"characters/{path.name} {row['文字']}", row)


def _code_table(name: str, codes: tuple[Code, ...]) -> Iterator[Fault]:
    for one, other in ((a, b) for i, a in enumerate(codes) for b in codes[i + 1 :]):
        together = (one.end is None or other.start < one.end) and (other.end is None or one.start < other.end)
        if together and one.value == other.value:
            yield Fault(f"codes/{name}.csv {one.value}", "同じコードの効力期間が重なっています")
        if together and one.meaning == other.meaning:
            yield Fault(f"codes/{name}.csv {one.value}", f"意味 {one.meaning} が同じ時期の二つのコードにあります")
    for code in codes:
        if code.end is not None and code.end <= code.start:
            yield Fault(f"codes/{name}.csv {code.value}", "終了日が開始日より後ではありません")
        if not code.meaning or not code.value:
            yield Fault(f"codes/{name}.csv {code.value}", "コードか意味が空です")


def _character(place: str, row: dict[str, str]) -> Iterator[Fault]:
    if row["扱い"] not in ("外字", "同字", "縮退"):
        yield Fault(place, f"扱い {row['扱い']} は使えません（外字・同字・縮退）")
    try:
        code_points(row["文字"])
        bytes.fromhex(row["値"]) if row["扱い"] == "外字" else code_points(row["値"])
    except (ValueError, OverflowError):
        yield Fault(place, "文字か値を読めません（例: U+8FBB U+E0100、外字は16進 F040）")


def _effective_dates(interface: str, versions: list[Specification]) -> Iterator[Fault]:
    for earlier, later in pairwise(versions):
        end, start = earlier.plan.effective_to, later.plan.effective_from
        if end is None or end > start:
            yield Fault(f"{interface}/{earlier.version}", f"効力期間が次の版 {later.version} と重なっています")
        elif end < start:
            yield Fault(f"{interface}/{earlier.version}", f"効力期間と次の版 {later.version} の間に空きがあります")


def _file_names(catalogue: Catalogue) -> Iterator[Fault]:
    stems: dict[str, str] = {}
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            blank = re.sub(r"\{[^}]*\}", "{}", specification.plan.file_name)
            owner = stems.setdefault(blank, interface)
            if owner != interface:
                yield Fault(f"{interface}/{specification.version}", f"ファイル名の規則が {owner} と見分けられません")


class _Linter:
    """The faults of one specification."""

    def __init__(
        self,
        catalogue: Catalogue,
        specification: Specification,
        rules: Mapping[str, KnownRule],
        normalisations: frozenset[str],
    ) -> None:
        self.catalogue = catalogue
        self.specification = specification
        self.rules = rules
        self.normalisations = normalisations
        self.place = f"{specification.id}/{specification.version}"

    def faults(self) -> list[Fault]:
        found = [*self._plan()]
        for record in self.specification.records:
            found += self._record(record)
            for item in record.items:
                found += self._item(record, item)
        return found

    def _plan(self) -> Iterator[Fault]:
        plan, place = self.specification.plan, self.place
        folder = self.catalogue.root / plan.id / plan.effective_from.isoformat() / "file.toml"
        if not folder.is_file():
            yield Fault(place, f"フォルダの名前が id と効力開始日（{plan.id}/{plan.effective_from}）と違います")
        if plan.effective_to is not None and plan.effective_to <= plan.effective_from:
            yield Fault(place, "効力の終わりが始まりより後ではありません")
        if [r.occurrence for r in self.specification.records].count("many") != 1:
            yield Fault(place, "繰り返すレコード種別（many）はちょうど一つ要ります")
            return
        if len(self.specification.records) > 1:
            marks = [record.items[0].constant for record in self.specification.records]
            if None in marks or len(set(marks)) != len(marks):
                yield Fault(place, "レコード種別を先頭の項目の constant で見分けられません")
        numbers = {item.id for record in self.specification.records for item in record.items} & {"my_number"}
        if bool(numbers) != plan.carries_my_number:
            yield Fault(place, "carries_my_number と個人番号の項目の有無が合いません")
        if numbers and plan.direction == "from_union":
            yield Fault(place, "連合会から来るファイルに個人番号の項目は置けません（seed 別添1）")
        known = {item.id for record in self.specification.records for item in record.items} | {"processed_on"}
        for field in fields_of(plan.file_name):
            if field not in known:
                yield Fault(place, f"ファイル名の {field} は項目にありません")
        table = plan.format.external_characters
        if table and not (self.catalogue.root / "characters" / f"{table}.csv").is_file():
            yield Fault(place, f"外字表 {table} がありません")
        yield from self._encodable_table(table)
        for text in plan.relations:
            yield from self._call(f"{place} relations", text, "relation")
        if plan.direction == "to_union" and plan.quiet_day == "zero_record_file" and not plan.zero_records_allowed:
            yield Fault(place, "0件のファイルを許さないのに、異動のない日に0件のファイルを作ることになっています")

    def _encodable_table(self, table: str) -> Iterator[Fault]:
        path = self.catalogue.root / "characters" / f"{table}.csv"
        if not table or not path.is_file():
            return
        encoding = self.specification.format.encoding
        for row in read_rows(path):
            try:
                if row["扱い"] == "外字":
                    codecs.decode(bytes.fromhex(row["値"]), encoding)
                else:
                    code_points(row["値"]).encode(encoding)
            except (ValueError, OverflowError):
                yield Fault(f"characters/{path.name} {row['文字']}", f"値を {encoding} で表せません")

    def _record(self, record: Record) -> Iterator[Fault]:
        place = f"{self.place}/{record.kind}"
        for what, values in (
            ("id", [item.id for item in record.items]),
            ("項目名", [item.name for item in record.items]),
            ("項番", [item.number for item in record.items]),
        ):
            for value, count in Counter(values).items():
                if count > 1:
                    yield Fault(place, f"{what} {value} が{count}回あります")
        if [item.number for item in record.items] != list(range(1, len(record.items) + 1)):
            yield Fault(place, "項番が1からの連番ではありません")
        for key in record.key:
            if key not in record.by_id:
                yield Fault(place, f"キー {key} は項目にありません")
        if self.specification.format.kind == "fixed":
            yield from self._fixed(place, record)

    @staticmethod
    def _fixed(place: str, record: Record) -> Iterator[Fault]:
        expected = 1
        for item in record.items:
            if item.start is None:
                yield Fault(f"{place}/{item.id}", "固定長なのに開始位置がありません")
                return
            if item.start > expected:
                yield Fault(
                    f"{place}/{item.id}", f"{expected}バイト目から{item.start - 1}バイト目までに項目がありません"
                )
            elif item.start < expected:
                yield Fault(f"{place}/{item.id}", f"開始位置{item.start}が前の項目と重なっています")
            expected = item.start + item.length

    def _item(self, record: Record, item: Item) -> Iterator[Fault]:
        place = f"{self.place}/{record.kind}/{item.id}"
        entry = self.catalogue.dictionary.get(item.id)
        if entry is None:
            yield Fault(place, "項目辞書 items.csv にありません")
        else:
            if entry.name != item.name:
                yield Fault(place, f"項目名 {item.name} が項目辞書の {entry.name} と違います")
            if entry.sensitivity != item.sensitivity.id:
                yield Fault(place, f"秘匿区分が項目辞書の {entry.sensitivity} と違います")
        if item.length % self.specification.format.unit:
            yield Fault(place, f"バイト数は{self.specification.format.unit}の倍数が要ります（{item.length}）")
        if item.length < 1:
            yield Fault(place, "バイト数は1以上が要ります")
        units = self.specification.format.unit
        wanted = DATE_LENGTHS.get(item.type.date_format)
        if wanted and item.length != wanted * units:
            yield Fault(place, f"属性 {item.type.id} は{wanted * units}バイトです（{item.length}）")
        if item.constant is not None and len(item.constant.encode()) * units > item.length:
            yield Fault(place, f"固定値 {item.constant} が{item.length}バイトに入りません")
        yield from self._codes(place, item, units)
        yield from self._required(place, record, item)
        for call in item.rules:
            yield from self._known(f"{place} 規則", call, ("item", "record", "file"))
            for argument in call.arguments if self._names_items(call) else ():
                if argument not in record.by_id:
                    yield Fault(f"{place} 規則", f"{call} の {argument} は項目にありません")
        for call in item.normalise:
            if call.name not in self.normalisations:
                yield Fault(f"{place} 正規化", f"{call.name} という正規化はありません")
        if not item.source:
            yield Fault(place, "出典が空です")

    def _codes(self, place: str, item: Item, units: int) -> Iterator[Fault]:
        if not item.code_table:
            return
        codes = self.catalogue.codes.get(item.code_table)
        if codes is None:
            yield Fault(place, f"コード表 {item.code_table} がありません")
            return
        plan = self.specification.plan
        last = (plan.effective_to or dt.date.max) - dt.timedelta(days=1)
        alive = [code for code in codes if code.start <= last and (code.end is None or code.end > plan.effective_from)]
        if not alive:
            yield Fault(place, f"コード表 {item.code_table} に版の効力期間のコードがありません")
        longest = max((len(code.value) * units for code in alive), default=0)
        if longest > item.length:
            yield Fault(place, f"コード表 {item.code_table} の{longest}バイトのコードが{item.length}バイトに入りません")

    def _required(self, place: str, record: Record, item: Item) -> Iterator[Fault]:
        match = CONDITION.match(item.required)
        if not match:
            yield Fault(place, f"必須の書き方 {item.required!r} を読めません（必須・任意・条件 id・条件 id=値|値）")
            return
        other, values = match[2], match[3]
        if other is None:
            return
        if other not in record.by_id:
            yield Fault(place, f"必須の条件の {other} は項目にありません")
        elif values and record.by_id[other].code_table in self.catalogue.codes:
            known = {code.value for code in self.catalogue.codes[record.by_id[other].code_table]}
            for value in values.split("|"):
                if value not in known:
                    yield Fault(place, f"必須の条件の値 {value} は {other} のコード表にありません")

    def _names_items(self, call: Call) -> bool:
        return call.name in ("not_before", "only_with")

    def _call(self, place: str, text: str, scope: str) -> Iterator[Fault]:
        try:
            call = Call.parse(text)
        except ValueError:
            yield Fault(place, f"規則 {text!r} を読めません")
            return
        yield from self._known(place, call, (scope,))
        for argument in call.arguments:
            if argument not in self.catalogue.ids():
                yield Fault(place, f"{call} の {argument} というインタフェースはありません")

    def _known(self, place: str, call: Call, scopes: tuple[str, ...]) -> Iterator[Fault]:
        rule = self.rules.get(call.name)
        if rule is None or rule.scope not in scopes:
            yield Fault(place, f"{call.name} という規則はありません")
            return
        least, most = rule.arguments
        if not least <= len(call.arguments) <= most:
            yield Fault(place, f"{call} の引数の数が違います（{least}〜{most}）")
