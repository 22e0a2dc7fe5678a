"""A draft of a specification from a printed item table: an item table, a file.toml, new rows of items.csv, and what to decide.

Pure. Whatever the printed text did not say for certain is a `Decision`; the answers of an earlier list are taken over.
How the table is read: `printed_table`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

from interfaces.catalogue import Catalogue
from interfaces.completed_rows import DictionaryEntry
from interfaces.printed_table import PrintedRow, PrintedTable, plain

DECISION_COLUMNS = ("項番", "項目名", "列", "案", "確認すること", "回答")
ITEM_COLUMNS = (
    "項番",
    "項目名",
    "id",
    "属性",
    "開始位置",
    "バイト数",
    "必須",
    "コード表",
    "規則",
    "正規化",
    "秘匿区分",
    "出典",
    "公式項番",
)
ENTRY_COLUMNS = ("id", "項目名", "秘匿区分", "説明")
YES, NO = ("はい", "○", "〇"), ("いいえ", "×")
UNKNOWN = "要確認"  # in a cell that a person must fill: lint rejects it
_PICTURE = re.compile(r"^(S?)([9XNC])(?:\(([0-9]+)\)|([9XN]*))$")
_OF_PICTURE = {"X": "英数", "9": "数字", "N": "漢字", "C": "英数"}
# A word for a type, and whether 1 character takes 2 bytes; None: it means one thing in one document and another in the next.
_TYPES: Mapping[str, tuple[str, bool]] = {
    "数字": ("数字", False),
    "数値": ("数字", False),
    "英数": ("英数", False),
    "英数字": ("英数", False),
    "半角英数字": ("英数", False),
    "漢字": ("漢字", True),
    "全角": ("漢字", True),
    "日本語": ("漢字", True),
    "カナ": ("カナ", True),
    "全角カナ": ("カナ", True),
    "金額": ("金額", False),
}
_REQUIRED = {
    "○": "必須",
    "〇": "必須",
    "◎": "必須",
    "必須": "必須",
    "-": "任意",
    "ー": "任意",
    "―": "任意",
    "×": "任意",
}
_REQUIRED |= {"−": "任意", "任意": "任意", "省略可": "任意", "–": "任意", "—": "任意", "‐": "任意"}
_CONDITIONAL = ("△", "▲", "条件", "条件付", "条件付き")
_QUOTED = re.compile("[“”\"「『'‘]([0-9A-Za-z]+)[“”\"」』'’]")
_FIXED = re.compile(r"(設定|固定|記録|セット)")
_FIXED_VALUE = re.compile(r"(?:固定値|固定|常に)[::は]?[“”\"「]?([0-9A-Za-z]+)")
# Of file.toml: what nobody can read off an item table, with the value that the skeleton has until it is decided.
_FILE: Mapping[str, tuple[str, str]] = {
    "direction": (
        "from_union",
        "ファイルの向き（extract: 業務システムから、to_union: 連合会へ、from_union: 連合会から）",
    ),
    "cycle": ("monthly", "周期（daily・monthly・yearly）"),
    "encoding": ("cp932", "文字コード（cp932・shift_jis_2004・utf-8・utf-16-le）"),
    "line_end": ("CRLF", "行末（CRLF・LF・CR・none）"),
}


@dataclass(frozen=True)
class Decision:
    """What a person must decide. number: the row of the item table, empty for file.toml; answer: empty while it is open."""

    number: str
    name: str
    column: str
    proposal: str
    why: str
    answer: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.number, self.name, self.column, self.proposal, self.why, self.answer)


Answers = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Draft:
    """A specification in the making: the rows of its item table, file.toml, new rows of items.csv, and what to decide."""

    items: tuple[dict[str, str], ...]
    layout: str
    entries: tuple[DictionaryEntry, ...]
    decisions: tuple[Decision, ...]
    notes: tuple[str, ...]

    @property
    def open(self) -> tuple[Decision, ...]:
        return tuple(decision for decision in self.decisions if not decision.answer)


def draft(
    printed: PrintedTable, catalogue: Catalogue, interface: str, start: dt.date, source: str, answers: Answers
) -> Draft:
    """The draft of an interface from a day on. source: the document, for 出典."""
    return _Drafter(printed, catalogue, interface, answers).draft(start, source)


@dataclass
class _Drafter:
    printed: PrintedTable
    catalogue: Catalogue
    interface: str
    answers: Answers
    decisions: list[Decision] = field(default_factory=list)
    entries: dict[str, DictionaryEntry] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    names: dict[str, list[DictionaryEntry]] = field(default_factory=dict)

    def draft(self, start: dt.date, source: str) -> Draft:
        for entry in self.catalogue.dictionary.values():
            if is_proposed(entry.id, self.interface):
                continue  # an earlier draft's
            self.names.setdefault(plain(entry.name), []).append(entry)
        if "必須" not in self.printed.columns:
            self._ask("", "（全項目）", "必須", "任意", "必須の列がありません。回答は全項目に使います")
        rows, numbers = self.printed.rows, _official_numbers(self.printed.rows)
        items = [
            self._item(place, row, number, source)
            for place, (row, number) in enumerate(zip(rows, numbers, strict=True), 1)
        ]
        self._place(items)
        self._add_up(items)
        layout = self._layout(start, source, items)
        entries, decisions = tuple(self.entries.values()), tuple(self.decisions)
        return Draft(tuple(items), layout, entries, decisions, self.printed.notes)

    def _ask(self, number: str, name: str, column: str, proposal: str, why: str, otherwise: str | None = None) -> str:
        """The answer of a person; while there is none, the proposal, or `otherwise` where it must not be used unasked."""
        answer = self.answers.get((number, column), "").strip()
        self.decisions.append(Decision(number, name, column, proposal, why, answer))
        if not answer:
            return proposal if otherwise is None else otherwise
        return proposal if answer in YES else (otherwise or "") if answer in NO else answer

    def _item(self, place: int, row: PrintedRow, number: str, source: str) -> dict[str, str]:
        asked = str(place), _name(row)
        if row.is_number_above and number:
            self._ask(*asked, "公式項番", number, f"{row.line}行目に項番がないので、{row.number} の内訳としました")
        name = asked[1]
        if len(row.names) > 1:
            name = self._ask(*asked, "項目名", name, "項目名の段をつないだ名前です")
        type_, length = self._type_and_length(asked, row)
        item_id, name, sensitivity = self._identity(place, name)
        return {
            "項番": asked[0],
            "項目名": name,
            "id": item_id,
            "属性": type_,
            "開始位置": row.start,
            "バイト数": length,
            "必須": self._required(asked, row),
            "コード表": "",
            "規則": self._rule(asked, row),
            "正規化": "",
            "秘匿区分": sensitivity,
            "出典": source,
            "公式項番": self.answers.get((asked[0], "公式項番"), number)
            if not self._is_yes(asked[0], "公式項番")
            else number,
        }

    def _is_yes(self, number: str, column: str) -> bool:
        return self.answers.get((number, column), "").strip() in ("", *YES)

    def _type_and_length(self, asked: tuple[str, str], row: PrintedRow) -> tuple[str, str]:
        picture = _PICTURE.match(row.type.upper())
        doubled, counted = False, ""
        if picture is not None:
            sign, letter, counted, more = picture.groups()
            type_, doubled = _OF_PICTURE[letter], letter == "N"
            counted = counted or (str(1 + len(more)) if more else "")
            if sign or letter == "C":
                type_ = self._ask(*asked, "属性", "金額" if sign else type_, f"{row.type} の意味が表では決まりません")
        elif row.type in _TYPES:
            type_, doubled = _TYPES[row.type]
        elif row.type in self.catalogue.types:
            type_ = row.type
        else:
            known = "・".join(self.catalogue.types)
            type_ = self._ask(
                *asked, "属性", "", f"属性「{row.type or '（空）'}」を読めません（使える属性: {known}）", UNKNOWN
            )
        characters = row.characters or counted
        by_characters = str(int(characters) * (2 if doubled else 1)) if characters.isdigit() else ""
        if row.bytes.isdigit():
            if by_characters and by_characters != row.bytes:
                why = f"バイト数 {row.bytes} と、属性・桁数から計算した {by_characters} が違います"
                return type_, self._ask(*asked, "バイト数", row.bytes, why)
            return type_, row.bytes
        if not by_characters:
            said = row.bytes or row.characters
            why = f"長さ「{said}」を数として読めません" if said else "長さがありません（結合したセルの内訳など）"
            return type_, self._ask(*asked, "バイト数", "", why, "0")
        if doubled:
            return type_, self._ask(*asked, "バイト数", by_characters, f"{characters}文字 × 2バイトとしました")
        return type_, by_characters

    def _required(self, asked: tuple[str, str], row: PrintedRow) -> str:
        if "必須" not in self.printed.columns:
            answer = self.answers.get(("", "必須"), "").strip()
            return "任意" if not answer or answer in YES else answer
        if row.required in _REQUIRED:
            return _REQUIRED[row.required]
        if row.required in _CONDITIONAL:
            why = f"{row.required} の条件を、条件 id か 条件 id=値|値 の形で書いてください（いつでも空でよければ 任意）"
            return self._ask(*asked, "必須", "", why, UNKNOWN)
        return self._ask(*asked, "必須", "任意", f"必須の印「{row.required or '（空）'}」の意味が表では決まりません")

    def _rule(self, asked: tuple[str, str], row: PrintedRow) -> str:
        """A constant or a list of codes that the prose speaks of: offered, and never used unasked."""
        prose = normalize("NFKC", row.prose)
        values = list(dict.fromkeys(_QUOTED.findall(prose)))
        if not values and (found := _FIXED_VALUE.search(prose)):
            values = [found[1]]
        if len(values) == 1 and _FIXED.search(prose):
            return self._ask(*asked, "規則", f"constant({values[0]})", f"固定値か: {_first_line(prose)}", "")
        if len(values) > 1:
            why = (
                f"値 {'・'.join(values)} はコードか。コードなら codes/ にコード表を作り、その名前: {_first_line(prose)}"
            )
            self._ask(*asked, "コード表", "", why, "")
        return ""

    def _identity(self, place: int, name: str) -> tuple[str, str, str]:
        """id, name and 秘匿区分: of the dictionary if it knows the name, else proposed."""
        asked, found = (str(place), name), self.names.get(plain(name), [])
        free = [entry for entry in found if entry.id not in self.ids]
        proposal = free[0].id if free else f"{self.interface}_{place:03d}"
        exact = [entry for entry in free if entry.name == name]
        if len(exact) == 1 == len(free):
            item_id = self.answers.get((asked[0], "id"), "").strip() or proposal
        else:
            ids = "・".join(entry.id for entry in free)
            why = (
                f"項目辞書に似た名前か複数の項目があります（{ids}）"
                if free
                else "項目辞書にない項目名です。id を決めてください"
            )
            item_id = self._ask(*asked, "id", proposal, why)
        self.ids.add(item_id)
        known = self.catalogue.dictionary.get(item_id)
        is_ours = is_proposed(item_id, self.interface) or (asked[0], "秘匿区分") in self.answers
        if known is not None and not is_ours:
            if known.name != name:
                self._ask(*asked, "項目名", known.name, f"項目辞書では {known.name} です")
            return item_id, known.name, known.sensitivity
        why = f"新しい項目の秘匿区分（{'・'.join(self.catalogue.sensitivities)}）"
        sensitivity = self._ask(*asked, "秘匿区分", "個人情報", why)
        self.entries[item_id] = DictionaryEntry(item_id, name, sensitivity, "")
        return item_id, name, sensitivity

    def _place(self, items: Sequence[dict[str, str]]) -> None:
        """Compute the starts, and ask where the printed one is another."""
        start = 1
        for item in items:
            printed = item["開始位置"]
            item["開始位置"] = str(start)
            if printed and printed != str(start):
                why = f"表の開始位置は {printed}、長さの合計からは {start} です"
                item["開始位置"] = self._ask(item["項番"], item["項目名"], "開始位置", str(start), why)
            start += int(item["バイト数"]) if item["バイト数"].isdigit() else 0

    def _add_up(self, items: Sequence[dict[str, str]]) -> None:
        total = sum(int(item["バイト数"]) for item in items if item["バイト数"].isdigit())
        for printed in self.printed.totals:
            if printed != total:
                why = f"表の合計は {printed} バイト、項目の合計は {total} バイトです。長さか、抜けた項目がないか見てください"
                self._ask("", "（合計）", "バイト数", str(total), why)

    def _layout(self, start: dt.date, source: str, items: Sequence[dict[str, str]]) -> str:
        """file.toml: one repeating record kind; what an item table cannot say is asked."""
        names = Counter(item["id"] for item in items)
        kind = self._ask("", "file.toml", "kind", "fixed", "固定長（fixed）か CSV（csv）か")
        if kind != "fixed":
            for item in items:
                item["開始位置"] = ""
        said = {key: self._ask("", "file.toml", key, proposal, why) for key, (proposal, why) in _FILE.items()}
        name = self._ask("", "file.toml", "name", self.interface, "ファイルの正式な名前")
        partner = self._ask("", "file.toml", "partner", "国民健康保険団体連合会", "相手方")
        file_name = f"{self.interface}_{{processed_on}}." + ("txt" if kind == "fixed" else "csv")
        file_name = self._ask(
            "", "file.toml", "file_name", file_name, "ファイル名の規則。{} の中は項目の id か processed_on"
        )
        zero = self._ask("", "file.toml", "zero_records_allowed", "true", "0件のファイルを受け付けるか（true・false）")
        self._ask(
            "",
            "file.toml",
            "records",
            "data",
            "レコード種別は一つとしました。ヘッダ・トレーラがあれば file.toml に加えてください",
        )
        return f"""id = {_quoted(self.interface)}
name = {_quoted(name)}
direction = {_quoted(said["direction"])}
partner = {_quoted(partner)}
cycle = {_quoted(said["cycle"])}
effective_from = {start.isoformat()}
status = "assumed"
source = {_quoted(source)}
description = {_quoted(name)}
file_name = {_quoted(file_name)}
zero_records_allowed = {zero if zero in ("true", "false") else _quoted(zero)}
quiet_day = "not_applicable"
carries_my_number = {"true" if names["my_number"] else "false"}
relations = []

[format]
kind = {_quoted(kind)}
encoding = {_quoted(said["encoding"])}
line_end = {_quoted(said["line_end"])}

[[records]]
kind = "data"
items = "data.csv"
occurrence = "many"
"""


def is_proposed(item_id: str, interface: str) -> bool:
    """Whether an id has the form that a draft of the interface proposes for a new item."""
    return re.fullmatch(f"{interface}_[0-9]{{3}}", item_id) is not None


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text.replace("\n", " ")) + '"'


def _name(row: PrintedRow) -> str:
    return "・".join(row.names) if row.names else UNKNOWN


def _first_line(prose: str) -> str:
    return prose.replace("\n", " ")[:60]


def _official_numbers(rows: Sequence[PrintedRow]) -> list[str]:
    """公式項番 of each row: as printed, with a number of its own below it where several rows share one; empty where it counts rows."""
    together = Counter(row.number for row in rows)
    seen: Counter[str] = Counter()
    numbers = []
    for place, row in enumerate(rows, 1):
        seen[row.number] += 1
        number = f"{row.number}-{seen[row.number]}" if row.number and together[row.number] > 1 else row.number
        numbers.append("" if number == str(place) else number)
    return numbers
