"""A specification in Japanese words: labelled facts of a file, its form, its records, items, codes and types.

What people read of a specification (`comparison`, the book of specifications) is made of these. Nothing is laid out here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from interfaces.spec import Code, Format, Item, ItemType, Record, Specification, Volumes

Facts = dict[str, str]

NOTHING: Final = "—"
OCCURRENCES: Final = {"one": "1件", "optional": "0件か1件", "many": "繰り返し"}
DIRECTIONS: Final = {
    "extract": "業務システムから",
    "to_union": "連合会へ",
    "from_union": "連合会から",
    "to_partner": "他の機関へ",
    "from_partner": "他の機関から",
}
CYCLES: Final = {"daily": "毎日", "monthly": "毎月", "yearly": "毎年", "irregular": "不定期"}
STATUSES: Final = {"official": "公式", "assumed": "仮定"}
ENCODINGS: Final = {"cp932": "CP932", "shift_jis_2004": "Shift_JIS-2004", "utf-8": "UTF-8", "utf-16-le": "UTF-16LE"}
KINDS: Final = {"csv": "CSV（区切り文字）", "fixed": "固定長"}
LINE_ENDS: Final = {"CRLF": "CRLF", "LF": "LF", "CR": "CR", "none": "なし"}
DELIMITERS: Final = {",": "コンマ", ";": "セミコロン", "|": "縦線", "\t": "タブ"}
_QUOTES = {"none": "使わない", "when_needed": "必要な値だけ", "all": "全ての値"}
_QUIET_DAYS = {
    "zero_record_file": "0件のファイルを作る",
    "no_file": "ファイルを作らない",
    "not_applicable": "定めなし",
}
RECORD_KINDS: Final = {
    "control": "制御レコード",
    "data": "データレコード",
    "end": "エンドレコード",
    "header": "ヘッダーレコード",
    "trailer": "トレーラーレコード",
}
# Facts that say where an item stands, not what it is.
NUMBER, START = "項番", "開始位置"
PLACES: Final = (NUMBER, START)
_FORM: Mapping[str, str] = {
    "kind": "形式",
    "encoding": "文字コード",
    "bom": "BOM",
    "line_end": "行末",
    "end_of_file": "ファイルの終わり",
    "delimiter": "区切り",
    "line_ends_in_values": "値の中の改行",
    "header": "見出し行",
    "quote": "引用符",
    "external_characters": "外字表",
}
_FORM_WORDS: Mapping[str, Mapping[str, str]] = {
    "kind": KINDS,
    "encoding": ENCODINGS,
    "line_end": LINE_ENDS,
    "delimiter": DELIMITERS,
    "quote": _QUOTES,
}
_ONLY_CSV = ("delimiter", "line_ends_in_values", "header", "quote")
_YES: Mapping[bool, str] = {True: "あり", False: "なし"}


def day(date: dt.date | None, otherwise: str = "") -> str:
    """A day as the catalogue writes it; `otherwise` for one that is not there, or the first of all days."""
    return otherwise if date is None or date == dt.date.min else date.isoformat()


def in_force(specification: Specification) -> str:
    """効力: from its first day to its last one."""
    layout = specification.layout
    until = f"{layout.effective_to - dt.timedelta(days=1)}まで" if layout.effective_to else "期限なし"
    return f"{layout.effective_from}から{until}"


def file_facts(specification: Specification) -> Facts:
    """What file.toml says of the file, without its form and its days."""
    layout = specification.layout
    return {
        "名前": layout.name,
        "向き": DIRECTIONS.get(layout.direction, layout.direction),
        "相手": layout.partner,
        "周期": CYCLES.get(layout.cycle, layout.cycle),
        "状態": STATUSES[layout.status],
        "出典": layout.source,
        "説明": layout.description,
        "ファイル名": layout.file_name,
        "0件のファイル": "可" if layout.zero_records_allowed else "不可",
        "対象のない日": _QUIET_DAYS.get(layout.quiet_day, layout.quiet_day),
        "個人番号": _YES[layout.carries_my_number],
        "ほかのファイルとの関係": _joined(layout.relations),
        "ボリューム": _volumes(layout.volumes),
    }


def _volumes(said: Volumes | None) -> str:
    if said is None:
        return NOTHING
    facts = [
        f"番号 {said.number}（{said.first}から）",
        said.count and f"全部の数 {said.count}",
        said.last and f"最後 {said.last}",
    ]
    return "、".join(filter(None, facts))


def form_facts(form: Format) -> Facts:
    """The physical form. A setting without a word of its own is shown by its key."""
    return {
        _FORM.get(name, name): _form_word(name, value)
        for name, value in form
        if form.kind == "csv" or name not in _ONLY_CSV
    }


def _form_word(name: str, value: object) -> str:
    if isinstance(value, bool):
        return _YES[value]
    if name == "end_of_file" and value:
        return f"0x{value}"
    return _FORM_WORDS.get(name, {}).get(str(value), str(value)) or NOTHING


def kind_name(kind: str) -> str:
    """The record kind for people: 制御レコード（control）."""
    return f"{RECORD_KINDS[kind]}（{kind}）" if kind in RECORD_KINDS else f"レコード（{kind}）"


def record_facts(record: Record, specification: Specification) -> Facts:
    """What a record kind is, without its items."""
    facts = {
        "回数": OCCURRENCES[record.occurrence],
        "上位のレコード": record.parent or NOTHING,
        "見分け方": marks(record, specification),
        "キー": _joined(record.key),
    }
    if specification.format.kind == "fixed":
        facts["レコード長"] = f"{record.record_length}バイト"
    return facts


def marks(record: Record, specification: Specification) -> str:
    """What tells the kind: the constants of its marked items."""
    if len(specification.records) == 1:
        return "全ての行"
    return "、".join(f"{item.name}＝{item.constant}" for item in record.marked_items)


def item_facts(item: Item, specification: Specification) -> Facts:
    """Everything that an item table says of an item, and the range of its dates."""
    limits = specification.dates.ranges.get(item.id)
    facts = {
        NUMBER: item.shown_number,
        "項目名": item.name,
        "id": item.id,
        "見出し": item.heading if specification.format.header else NOTHING,
        "属性": item.type.id,
        START: str(item.start or NOTHING),
        "バイト数": str(item.length),
        "必須": item.required,
        "コード表": item.code_table or NOTHING,
        "規則": _joined(map(str, item.rules)),
        "正規化": _joined(map(str, item.normalise)),
        "日付の範囲": f"{limits.earliest}から処理する日の{limits.latest}後まで" if limits else NOTHING,
        "秘匿区分": item.sensitivity.id,
        "保存": "する" if item.is_kept else "しない",
        "値の元": str(item.value_from or NOTHING),
        "出典": item.source,
    }
    return facts


def code_facts(code: Code) -> Facts:
    """A row of a code table, without its value."""
    return {
        "名称": code.name,
        "意味": code.meaning or NOTHING,
        "開始日": day(code.start, "初めから"),
        "終了日": day(code.end, "なし"),
        "出典": code.source,
    }


def type_facts(of: ItemType) -> Facts:
    """The definition of a type."""
    eras = (f"{era.digit}・{era.letter} {era.name}（{era.start}から）" for era in of.eras)
    return {
        "正規表現": of.pattern,
        "日付形式": of.date_format or NOTHING,
        "詰め方": {"space_right": "右に空白", "zero_left": "左に0"}.get(of.padding, NOTHING),
        "元号": _joined(eras),
        "説明": of.description,
    }


def _joined(parts: Iterable[str]) -> str:
    return "、".join(parts) or NOTHING


def by(key: Callable[[Item], str], items: Iterable[Item]) -> dict[str, list[Item]]:
    """Items by a text of theirs, in their order."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
