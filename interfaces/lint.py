"""The linter of the specifications: every fault that a person can make in the data, reported with its place."""

from __future__ import annotations

import codecs
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Protocol, get_args

import polars as pl

from interfaces.arguments import (
    CallContext,
    codes_without_leading_zeros,
    invalid_arguments,
    unrepresentable_values,
    wrong_argument_count,
)
from interfaces.catalogue import LOCK_FILE, Catalogue, Fault, Row, read_rows
from interfaces.characters import code_points, is_encodable, is_external
from interfaces.digits import SEPARATOR_KINDS
from interfaces.item_flow import can_be_normalised
from interfaces.lines import BYTES_OF_BOM
from interfaces.lint_values import (
    code_faults,
    excel_errors,
    file_name_faults,
    item_faults,
    type_faults,
    unwritable_meanings,
)
from interfaces.messages import RenkeiError
from interfaces.naming import fields_of, recognise, sample_name, why_unsafe
from interfaces.spec import ArgumentKind, Call, Code, Item, ItemType, Mask, NoDate, Padding, Record, Specification
from interfaces.unseen import remark
from interfaces.volumes import volume_faults

CONDITION = re.compile(r"^(必須|任意|条件 ([^\s=]+)(?:=([^=]+))?)$")


class NormalisationSignature(Protocol):
    """What the linter needs to know of a normalisation: what each of its arguments is."""

    @property
    def arguments(self) -> tuple[ArgumentKind, ...]: ...


class RuleSignature(NormalisationSignature, Protocol):
    """What it needs to know of a rule besides: where it applies, and at items of which types."""

    @property
    def scope(self) -> str: ...
    def can_apply_to(self, kind: ItemType) -> bool: ...


def lint(
    catalogue: Catalogue, rules: Mapping[str, RuleSignature], normalisations: Mapping[str, NormalisationSignature]
) -> list[Fault]:
    """Every fault of the catalogue; an empty list means that it is valid.

    `rules` and `normalisations` are what `schemas` knows; they are passed in because interfaces imports no rule.
    """
    faults = [*catalogue.unreadable, *_files(catalogue), *_shared(catalogue), *_characters(catalogue)]
    faults += _separators(catalogue)
    folders = Counter(path.parts[-3] for path in catalogue.root.glob("*/*/file.toml"))
    for interface in catalogue.ids():
        versions = catalogue.versions(interface)
        if len(versions) == folders[interface]:  # else a version is missing because it cannot be read
            faults += _effective_dates(interface, versions)
        for specification in versions:
            faults += _Linter(catalogue, specification, frozenset(folders), rules, normalisations).faults()
    faults += _file_names(catalogue)
    return list(dict.fromkeys(faults)) or [*_names(catalogue)]  # only sound rules make names


def faults_in_force(
    catalogue: Catalogue,
    specification: Specification,
    on: dt.date,
    rules: Mapping[str, RuleSignature],
    normalisations: Mapping[str, NormalisationSignature],
) -> list[Fault]:
    """The faults with which a file by this version, for that day, would be read or written; others do not matter to it."""
    interfaces = frozenset(path.parts[-3] for path in catalogue.root.glob("*/*/file.toml"))
    found = [*_of_shared_tables(catalogue)]
    found += _Linter(catalogue, specification, interfaces, rules, normalisations).faults()
    return [fault for fault in found if fault.concerns(specification, on)]


@lru_cache(maxsize=8)
def _of_shared_tables(catalogue: Catalogue) -> tuple[Fault, ...]:
    """What is looked at once for all interfaces of a day."""
    return (*_shared(catalogue), *_characters(catalogue))


def _files(catalogue: Catalogue) -> Iterator[Fault]:
    """Tables that cannot be read, or not by Excel; specification folders in the wrong place."""
    root = catalogue.root
    for path in sorted(root.rglob("*.csv")):
        place = path.relative_to(root).as_posix()
        if path.name.startswith(LOCK_FILE):
            yield Fault(
                place, "Excel が表を開いている間だけ作るファイルです。Excel を閉じてください（残っていれば削除）"
            )
            continue
        try:
            read_rows(path)
        except RenkeiError as error:
            if place not in catalogue.unread:
                yield Fault(place, str(error.values["reason"]), error.code)
        else:
            yield from (Fault(f"{place} {row}行目", fault) for row, fault in excel_errors(path))
            if not path.read_bytes().startswith(codecs.BOM_UTF8):
                yield Fault(place, "先頭に BOM がありません（Excel で開くと文字が化けます）")
    looked_at = set(root.glob("*/*/file.toml"))
    for path in sorted(set(root.rglob("file.toml")) - looked_at):
        yield Fault(path.relative_to(root).as_posix(), "id/効力開始日/file.toml という場所にないので読みません")
    for path in sorted(
        folder for folder in root.glob("*/*/") if folder.is_dir() and folder / "file.toml" not in looked_at
    ):
        yield Fault(path.relative_to(root).as_posix(), "file.toml がありません")


def _separators(catalogue: Catalogue) -> Iterator[Fault]:
    """Each row of separators.csv names a category or a character, and what it is to digits."""
    try:
        rows = read_rows(catalogue.root / "separators.csv", ("区分", "値", "種類"))
    except RenkeiError as error:
        yield Fault("separators.csv", str(error.values["reason"]), error.code)
        return
    for row in rows:
        place = f"separators.csv {row.number}行目"
        if row["区分"] not in ("分類", "文字"):
            yield Fault(place, f"区分 {row['区分']} は使えません（分類・文字）")
        elif not re.fullmatch("[A-Z][a-z]" if row["区分"] == "分類" else r"U\+[0-9A-F]{4,6}", row["値"]):
            yield Fault(place, f"値 {row['値']} を読めません（分類は Pd、文字は U+2212 の形）")
        if row["種類"] not in SEPARATOR_KINDS:
            yield Fault(place, f"種類 {row['種類']} は使えません（{'・'.join(SEPARATOR_KINDS)}）")


def _shared(catalogue: Catalogue) -> Iterator[Fault]:
    for name, what, keys in (
        ("types.csv", "属性", [row.id for row in catalogue.all_types]),
        ("sensitivity.csv", "秘匿区分", [row.id for row in catalogue.all_sensitivities]),
        ("items.csv", "id", [row.id for row in catalogue.all_entries]),
    ):
        for number, earlier in _again(keys):
            text = f"{what} {keys[number - 2]} は{earlier}行目にもあります"
            yield Fault(f"{name} {number}行目", text, row=keys[number - 2])
    for type_ in catalogue.types.values():
        try:
            pl.select(pl.lit("").str.contains(type_.expression))
        except pl.exceptions.PolarsError:
            yield Fault(f"types.csv {type_.id}", f"正規表現 {type_.pattern} を読めません", row=type_.id)
        yield from (Fault(f"types.csv {type_.id}", fault, row=type_.id) for fault in type_faults(type_))
        if type_.padding not in get_args(Padding):
            yield Fault(
                f"types.csv {type_.id}", f"詰め方 {type_.padding} は使えません（{_listed(Padding)}）", row=type_.id
            )
    yield from _dates(catalogue)
    for sensitivity in catalogue.sensitivities.values():
        if sensitivity.mask not in get_args(Mask):
            yield Fault(
                f"sensitivity.csv {sensitivity.id}",
                f"伏せ方 {sensitivity.mask} は使えません（{_listed(Mask)}）",
                row=sensitivity.id,
            )
    for name, codes in catalogue.codes.items():
        yield from _code_table(name, codes)
        yield from (Fault(f"codes/{name}.csv {value}", fault) for value, fault in code_faults(codes))


def _dates(catalogue: Catalogue) -> Iterator[Fault]:
    for name, what, keys in (
        ("dates.csv", "id", [row.id for row in catalogue.all_ranges]),
        ("sentinels.csv", "値", [row.digits for row in catalogue.all_sentinels]),
    ):
        for number, earlier in _again(keys):
            text = f"{what} {keys[number - 2]} は{earlier}行目にもあります"
            yield Fault(f"{name} {number}行目", text, row=keys[number - 2])
    for row in catalogue.all_ranges:
        if row.id not in catalogue.dictionary and "items.csv" not in catalogue.unread:
            yield Fault(f"dates.csv {row.id}", "項目辞書 items.csv にありません", row=row.id)
        for meaning in row.none:
            if meaning not in get_args(NoDate):
                yield Fault(f"dates.csv {row.id}", f"値なし {meaning} は使えません（{_listed(NoDate)}）", row=row.id)
    for sentinel in catalogue.all_sentinels:
        if sentinel.meaning not in get_args(NoDate):
            yield Fault(
                f"sentinels.csv {sentinel.digits}", f"意味 {sentinel.meaning} は使えません（{_listed(NoDate)}）"
            )


def _listed(words: object) -> str:
    return "・".join(word or "空" for word in get_args(words))


def _again(keys: Iterable[Hashable]) -> Iterator[tuple[int, int]]:
    """(row, earlier row) of each key that an earlier row has too. Rows count from 2, below the heading; None is no key."""
    first: dict[Hashable, int] = {}
    for number, key in enumerate(keys, 2):
        if key is not None and first.setdefault(key, number) != number:
            yield number, first[key]


def _code_table(name: str, codes: tuple[Code, ...]) -> Iterator[Fault]:
    for earlier, since in _together(codes, lambda code: code.value):
        yield Fault(f"codes/{name}.csv {earlier.value}", "同じコードの効力期間が重なっています", since=since)
    for code in codes:
        if code.end is not None and code.end <= code.start:
            yield Fault(f"codes/{name}.csv {code.value}", "終了日が開始日より後ではありません", since=code.start)
        if not code.meaning or not code.value:
            yield Fault(f"codes/{name}.csv {code.value}", "コードか意味が空です", since=code.start)


def _together(codes: tuple[Code, ...], key: Callable[[Code], str]) -> Iterator[tuple[Code, dt.date]]:
    """Each code during which another one of the same key begins, and the first day of both. One look at each code."""
    last: dict[str, Code] = {}  # of each key, the code that is in force longest
    for code in sorted(codes, key=lambda code: code.start):
        earlier = last.get(key(code)) if key(code) else None
        if earlier is not None and (earlier.end is None or code.start < earlier.end):
            yield earlier, code.start
        if earlier is None or (earlier.end is not None and (code.end is None or code.end > earlier.end)):
            last[key(code)] = code


def _characters(catalogue: Catalogue) -> Iterator[Fault]:
    encodings: dict[str, set[str]] = {}
    for interface in catalogue.ids():
        for form in (specification.format for specification in catalogue.versions(interface)):
            encodings.setdefault(form.external_characters, set()).add(form.encoding)
    for name, rows in catalogue.characters.items():
        places = [f"characters/{name}.csv {number}行目 {row['文字']}" for number, row in enumerate(rows, 2)]
        read = [_character(row) for row in rows]
        for place, row, character in zip(places, rows, read, strict=True):
            if row["扱い"] not in ("外字", "同字", "縮退"):
                yield Fault(place, f"扱い {row['扱い']} は使えません（外字・同字・縮退）")
            elif character is None:
                yield Fault(place, "文字か値を読めません（例: U+8FBB U+E0100、外字は16進 F040）")
            else:
                yield from _character_faults(place, row, character[1], encodings.get(name, set()))
        for number, earlier in _again(character and character[0] for character in read):
            yield Fault(places[number - 2], f"同じ文字が{earlier}行目にもあります")
        for number, earlier in _again(
            character[1] if character and isinstance(character[1], bytes) else None for character in read
        ):
            yield Fault(
                places[number - 2],
                f"外字 {rows[number - 2]['値']} は{earlier}行目の文字にも使われていて、読み返すと別の文字になります",
            )


def _character(row: Row) -> tuple[str, str | bytes] | None:
    """A character and what stands for it: the bytes of a 外字, else another character. None when one cannot be read."""
    try:
        sequence = code_points(row["文字"])
        value = bytes.fromhex(row["値"]) if row["扱い"] == "外字" else code_points(row["値"])
    except (ValueError, OverflowError):
        return None
    return (sequence, value) if sequence and value else None


def _character_faults(place: str, row: Row, value: str | bytes, encodings: Iterable[str]) -> Iterator[Fault]:
    """What stands for a character must be in every encoding with which the table is used."""
    for encoding in sorted(encodings):
        if isinstance(value, bytes) and not is_external(value, encoding):
            yield Fault(place, f"値 {row['値']} は {encoding} の外字ではありません")
        elif isinstance(value, str) and not is_encodable(value, encoding):
            yield Fault(place, f"値 {row['値']} を {encoding} で表せません")


def _effective_dates(interface: str, versions: list[Specification]) -> Iterator[Fault]:
    for earlier, later in pairwise(versions):
        end, start = earlier.layout.effective_to, later.layout.effective_from
        if end is None or end > start:
            yield Fault(f"{interface}/{earlier.version}", f"効力期間が次の版 {later.version} と重なっています")
        elif end < start:
            yield Fault(f"{interface}/{earlier.version}", f"効力期間と次の版 {later.version} の間に空きがあります")


def _file_names(catalogue: Catalogue) -> Iterator[Fault]:
    stems: dict[str, str] = {}
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            blank = re.sub(r"\{[^}]*\}", "{}", specification.layout.file_name)
            owner = stems.setdefault(blank, interface)
            if owner != interface:
                yield Fault(f"{interface}/{specification.version}", f"ファイル名の規則が {owner} と見分けられません")


def _names(catalogue: Catalogue) -> Iterator[Fault]:
    """A name by each rule, made and looked at: it must be usable, and recognised as the interface's own."""
    for interface in catalogue.ids():
        for specification in catalogue.versions(interface):
            place, name = f"{interface}/{specification.version}", sample_name(specification)
            reason = why_unsafe(name)
            if reason is not None:
                yield Fault(place, f"ファイル名の規則で作った {name} は使えません（{reason}）")
            elif (found := recognise(catalogue, name)) is None or found[0] != interface:
                yield Fault(place, f"ファイル名の規則で作った {name} を、この仕様のものと見分けられません")


class _Linter:
    """The faults of one specification."""

    def __init__(
        self,
        catalogue: Catalogue,
        specification: Specification,
        interfaces: frozenset[str],
        rules: Mapping[str, RuleSignature],
        normalisations: Mapping[str, NormalisationSignature],
    ) -> None:
        self.catalogue = catalogue
        self.specification = specification
        self.interfaces = interfaces
        self.rules = rules
        self.normalisations = normalisations
        self.place = f"{specification.id}/{specification.version}"

    def faults(self) -> list[Fault]:
        found = [*self._layout(), *self._kinds(), *self._format()]
        for part, record in zip(self.specification.layout.records, self.specification.records, strict=True):
            table = f"{self.place}/{part.items}"
            found += self._record(table, record)
            for item in record.items:
                found += self._item(f"{table} 項番{item.number} {item.id}", record, item)
        return found

    def _layout(self) -> Iterator[Fault]:
        layout, place = self.specification.layout, self.place
        if layout.effective_to is not None and layout.effective_to <= layout.effective_from:
            yield Fault(place, "効力の終わりが始まりより後ではありません")
        items = {item.id for record in self.specification.records for item in record.items}
        if ("my_number" in items) != layout.carries_my_number:
            yield Fault(place, "carries_my_number と個人番号の項目の有無が合いません")
        if "my_number" in items and layout.direction == "from_union":
            yield Fault(place, "連合会から来るファイルに個人番号の項目は置けません（評価書 別添1）")
        for field, count in Counter(fields_of(layout.file_name)).items():
            if field not in items | {"processed_on"}:
                yield Fault(place, f"ファイル名の {field} は項目にありません")
            if count > 1:
                yield Fault(place, f"ファイル名に {field} が{count}回あります")
        yield from (Fault(place, fault) for fault in file_name_faults(self.specification))
        yield from (Fault(place, fault) for fault in volume_faults(self.specification))
        for text in layout.relations:
            yield from self._relation(f"{place} relations", text)
        if (
            layout.direction == "to_union"
            and layout.quiet_day == "zero_record_file"
            and not layout.zero_records_allowed
        ):
            yield Fault(place, "0件のファイルを許さないのに、異動のない日に0件のファイルを作ることになっています")

    def _kinds(self) -> Iterator[Fault]:
        """The order of the record kinds, and how a line shows its kind: what `codec` and `grammar` rely on."""
        place, records, layout = self.place, self.specification.records, self.specification.layout
        if layout.data is not None and layout.data not in self.specification.by_kind:
            yield Fault(place, f"data の {layout.data} というレコード種別はありません")
        elif layout.data is None and [record.occurrence for record in records].count("many") != 1:
            yield Fault(
                place, "繰り返すレコード種別（many）はちょうど一つ必要です（二つ以上なら data で一つを選びます）"
            )
        elif layout.is_outgoing and not self.specification.is_flat:
            yield Fault(place, "送るファイルは、繰り返すレコード種別が一つで、ほかは一度だけ、親のない形に限ります")
        listed: set[str] = set()
        for record in records:
            if record.kind in listed:
                yield Fault(place, f"レコード種別 {record.kind} が二回以上あります")
            if record.parent is not None and record.parent not in listed:
                yield Fault(place, f"レコード種別 {record.kind} の親 {record.parent} が、それより前にありません")
            listed.add(record.kind)
        yield from self._mixed()
        if len(records) > 1:
            yield from self._marks()

    def _mixed(self) -> Iterator[Fault]:
        """Kinds that stand in any order repeat, and are neighbours below one parent."""
        records = self.specification.records
        for word in dict.fromkeys(record.mixed for record in records if record.mixed):
            places = [place for place, record in enumerate(records) if record.mixed == word]
            some = [records[place] for place in places]
            if any(record.occurrence != "many" for record in some):
                yield Fault(self.place, f"mixed の {word} のレコード種別は、どれも繰り返すもの（many）に限ります")
            if places != list(range(places[0], places[-1] + 1)) or len({record.parent for record in some}) > 1:
                yield Fault(self.place, f"mixed の {word} のレコード種別は、同じ親の下に続けて並べてください")

    def _marks(self) -> Iterator[Fault]:
        """Each line must show its kind: by constants that no other kind has at the same place."""
        records = [record for record in self.specification.records if record.items]
        for record in records:
            for name in record.marks:
                if name not in record.by_id:
                    yield Fault(self.place, f"レコード種別 {record.kind} の marks の {name} は項目にありません")
        if any(set(record.marks) - set(record.by_id) for record in records):
            return
        shown = {record.kind: self._shown_at(record) for record in records}
        for record in records:
            if not all(mark and mark.isascii() for mark in shown[record.kind].values()):
                yield Fault(self.place, f"レコード種別 {record.kind} を見分ける項目に、半角の constant がありません")
        for record, other in combinations(records, 2):
            mine, others = shown[record.kind], shown[other.kind]
            if not any(mine[at] != others[at] for at in mine.keys() & others.keys()):
                yield Fault(self.place, f"レコード種別 {record.kind} と {other.kind} を constant で見分けられません")

    def _shown_at(self, record: Record) -> dict[tuple[int, int], str | None]:
        """The constants that tell the kind, by place: bytes of a fixed-length record, else the number of the item."""
        fixed = self.specification.format.kind == "fixed"
        return {
            (item.start or 1, item.length) if fixed else (record.items.index(item), 0): item.constant
            for item in record.marked_items
        }

    def _format(self) -> Iterator[Fault]:
        form, place = self.specification.format, f"{self.place} format"
        if form.bom and form.encoding not in BYTES_OF_BOM:
            yield Fault(place, f"{form.encoding} に BOM はありません（bom = true）")
        if form.header and len(self.specification.records) > 1:
            yield Fault(place, "見出しの行（header = true）は、レコード種別が一つのファイルにだけ置けます")
        if form.line_end == "none" and (
            form.kind != "fixed" or len({record.record_length for record in self.specification.records}) != 1
        ):
            yield Fault(place, "行末の記号がない（line_end = none）のは、すべてのレコードが同じ長さの固定長だけです")
        if form.line_ends_in_values and (form.kind == "fixed" or form.quote == "none"):
            yield Fault(place, "値の中の改行（line_ends_in_values）は、引用符のある CSV だけで使えます")
        if form.header and form.line_end == "CR":
            yield Fault(place, "見出しの行（header = true）は、行末が CR のファイルには置けません")
        if form.header and form.kind == "fixed":
            yield Fault(place, "見出しの行（header = true）は、固定長のファイルには置けません")
        if form.wrapped_in and self.specification.layout.direction == "to_union":
            yield Fault(place, "圧縮（wrapped_in）は、受け取るファイルだけで使えます")
        yield from self._headings()
        table = form.external_characters
        if table and not (self.catalogue.root / "characters" / f"{table}.csv").is_file():
            yield Fault(place, f"外字表 {table} がありません")

    def _headings(self) -> Iterator[Fault]:
        """Which columns are which items: only a line of headings can say it, and each heading only once."""
        form, place = self.specification.format, f"{self.place} format"
        by_heading = form.columns == "by_heading"
        if not form.header and (by_heading or form.lines_before_heading):
            yield Fault(
                place, "columns = by_heading と lines_before_heading には、見出しの行（header = true）が必要です"
            )
        if form.other_columns == "ignore" and not by_heading:
            yield Fault(place, "仕様にない列の読み飛ばし（other_columns = ignore）には columns = by_heading が必要です")
        if by_heading and self.specification.layout.direction == "to_union":
            yield Fault(place, "columns = by_heading は、受け取るファイルだけで使えます")
        headings = [item.heading for item in self.specification.data.items] if by_heading else []
        for heading, count in Counter(headings).items():
            if count > 1 or not heading:
                yield Fault(
                    place,
                    f"見出し {heading or '（空）'} では列を見つけられません（空でなく、一度だけの見出しが必要です）",
                )
        is_extract = self.specification.layout.direction == "extract"
        for record in self.specification.records:
            for item in record.items:
                if not item.is_kept and (not is_extract or item.id in record.key):
                    yield Fault(
                        self.place, f"{item.id} に 保存 しない は置けません（抽出の、キーでない項目だけに置けます）"
                    )

    def _relation(self, place: str, text: str) -> Iterator[Fault]:
        try:
            call = Call.parse(text)
        except ValueError:
            yield Fault(place, f"規則 {text!r} を読めません")
            return
        rule = self.rules.get(call.name)
        if rule is None or rule.scope != "relation":
            known = sorted(name for name, other in self.rules.items() if other.scope == "relation")
            yield Fault(place, f"{call.name} という規則はありません（relations に書ける規則: {'・'.join(known)}）")
            return
        yield from (Fault(place, problem) for problem in wrong_argument_count(call, rule.arguments))
        for argument in call.arguments:
            if argument not in self.interfaces:
                yield Fault(place, f"{call} の {argument} というインタフェースはありません")

    def _record(self, place: str, record: Record) -> Iterator[Fault]:
        if not record.items:
            yield Fault(place, "項目が一つもありません")
        for what, values in (
            ("id", [item.id for item in record.items]),
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
    def _fixed(table: str, record: Record) -> Iterator[Fault]:
        expected = 1
        for item in record.items:
            place = f"{table} 項番{item.number} {item.id}"
            start = item.start or expected  # an empty one is computed
            if start > expected:
                yield Fault(place, f"{expected}バイト目から{start - 1}バイト目までに項目がありません")
            elif start < expected:
                yield Fault(place, f"開始位置{start}が前の項目と重なっています")
            expected = start + item.length

    def _item(self, place: str, record: Record, item: Item) -> Iterator[Fault]:
        entry = self.catalogue.dictionary.get(item.id)
        if entry is None:
            yield Fault(place, f"項目辞書 items.csv にありません{remark(item.id)}")
        else:
            if entry.name != item.name:
                yield Fault(place, f"項目名 {item.name} が項目辞書の {entry.name} と違います{remark(item.name)}")
            if entry.sensitivity != item.sensitivity.id:
                yield Fault(place, f"秘匿区分が項目辞書の {entry.sensitivity} と違います")
        if item.length % self.specification.format.unit:
            yield Fault(place, f"バイト数は{self.specification.format.unit}の倍数が必要です（{item.length}）")
        if item.length < 1:
            yield Fault(place, "バイト数は1以上が必要です")
        yield from (Fault(place, fault) for fault in item_faults(item, self.specification))
        if item.type.date_format and item.id not in self.catalogue.dates.ranges:
            yield Fault(place, f"日付の範囲が dates.csv にありません（属性 {item.type.id}）")
        yield from self._codes(place, item)
        yield from self._required(place, record, item)
        yield from self._calls(place, CallContext(self.specification, record, item))
        if not item.source:
            yield Fault(place, "出典が空です")

    def _calls(self, place: str, context: CallContext) -> Iterator[Fault]:
        for call in context.item.rules:
            rule = self.rules.get(call.name)
            if rule is None or rule.scope == "relation":
                known = sorted(name for name, other in self.rules.items() if other.scope != "relation")
                text = f"{call.name} という規則はありません（使える規則: {'・'.join(known)}）"
                yield Fault(f"{place} 規則", text)
                continue
            if not rule.can_apply_to(context.item.type):
                yield Fault(f"{place} 規則", f"{call} は属性 {context.item.type.id} の項目に置けません")
            yield from (Fault(f"{place} 規則", problem) for problem in invalid_arguments(call, rule.arguments, context))
        if context.item.normalise and self.specification.layout.direction == "from_union":
            yield Fault(f"{place} 正規化", "正規化は抽出と送付ファイルだけで行われます")
        if (
            context.item.normalise
            and self.specification.layout.direction == "to_union"
            and (context.record is not self.specification.data or not can_be_normalised(context.item))
        ):
            yield Fault(
                f"{place} 正規化",
                "送付ファイルで正規化できるのは、データレコードの、日付・コード・固定値でない項目だけです",
            )
        for call in context.item.normalise:
            normalisation = self.normalisations.get(call.name)
            if normalisation is None:
                yield Fault(
                    f"{place} 正規化",
                    f"{call.name} という正規化はありません（使える正規化: {'・'.join(sorted(self.normalisations))}）",
                )
                continue
            yield from (
                Fault(f"{place} 正規化", problem)
                for problem in invalid_arguments(call, normalisation.arguments, context)
            )

    def _codes(self, place: str, item: Item) -> Iterator[Fault]:
        if not item.code_table:
            return
        codes = self.catalogue.codes.get(item.code_table)
        if codes is None:
            known = "・".join(self.catalogue.codes)
            yield Fault(place, f"コード表 {item.code_table} がありません{remark(item.code_table)}（あるもの: {known}）")
            return
        if not self._is_read(item.code_table):
            return
        layout = self.specification.layout
        last = (layout.effective_to or dt.date.max) - dt.timedelta(days=1)
        alive = [
            code for code in codes if code.start <= last and (code.end is None or code.end > layout.effective_from)
        ]
        if not alive:
            yield Fault(place, f"コード表 {item.code_table} に版の効力期間のコードがありません")
        if layout.is_outgoing:
            problems = unwritable_meanings(tuple(alive))
            yield from (Fault(place, f"コード表 {item.code_table} の{problem}") for problem in problems)
        values = list(dict.fromkeys(code.value for code in alive))
        for value, why in unrepresentable_values(values, item, self.specification):
            yield Fault(place, f"コード表 {item.code_table} の {value} {why}")
        if short := codes_without_leading_zeros(values, item, self.specification):
            problem = f"コード表 {item.code_table} の {'・'.join(short)} は{item.length}バイトに足りません"
            yield Fault(place, f"{problem}（Excel は 01 を 1 に変えます）")

    def _is_read(self, code_table: str) -> bool:
        """Whether all of a code table could be read: otherwise nothing can be said about missing codes."""
        return code_table in self.catalogue.codes and f"codes/{code_table}.csv" not in self.catalogue.unread

    def _required(self, place: str, record: Record, item: Item) -> Iterator[Fault]:
        match = CONDITION.match(item.required)
        if not match:
            yield Fault(
                place,
                f"必須の書き方 {item.required!r} を読めません（必須・任意・条件 id・条件 id=値|値）{remark(item.required)}",
            )
            return
        other, values = match[2], match[3]
        if other is None:
            return
        if other not in record.by_id:
            yield Fault(place, f"必須の条件の {other} は項目にありません")
        elif values and self._is_read(record.by_id[other].code_table):
            defined = {code.value for code in self.catalogue.codes[record.by_id[other].code_table]}
            for value in values.split("|"):
                if value not in defined:
                    yield Fault(place, f"必須の条件の値 {value} は {other} のコード表にありません")
