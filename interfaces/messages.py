"""KR codes: every message, its level and its remedy come from catalogue/messages/*.csv. No other module contains texts."""

from __future__ import annotations

import csv
import errno
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Literal

Level = Literal["file", "record", "warning", "stop"]
FOLDER = Path(__file__).parent / "catalogue" / "messages"


@dataclass(frozen=True)
class Message:
    """One KR code. `level`: file | record | warning (findings), or stop (an error that ends the work).

    remedy: for operators, whatever file was read. clerk_remedy: for the 国保 clerk who corrects records in the business
    system, without commands and paths; the same as `remedy` when the table has none of its own.
    """

    code: str
    level: Level
    title: str
    template: str
    remedy: str
    clerk_remedy: str

    def render(self, **values: object) -> str:
        """The message with its placeholders filled; one without a value is shown as （不明）."""
        return _filled(self.template, values)

    def advise(self, **values: object) -> str:
        """The remedy with its placeholders filled."""
        return _filled(self.remedy, values)

    def advise_clerk(self, **values: object) -> str:
        """The clerk's remedy with its placeholders filled."""
        return _filled(self.clerk_remedy, values)


def _filled(text: str, values: Mapping[str, object]) -> str:
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    return text.format(**{name: values.get(name, "（不明）") for name in names})


@lru_cache(maxsize=1)
def messages() -> dict[str, Message]:
    """All KR codes by code."""
    found: dict[str, Message] = {}
    for path in sorted(FOLDER.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            for row in csv.DictReader(handle, strict=True):
                texts = (row["題"], row["文面"], row["対処"], row["担当者の対処"] or row["対処"])
                found[row["コード"]] = Message(row["コード"], row["水準"], *texts)  # type: ignore[arg-type]
    return found


def message(code: str) -> Message:
    """The message of a code; KeyError is a programming error and caught by a test over all codes used."""
    return messages()[code]


def reason_of(error: OSError) -> str:
    """Why a file could not be read or written, worded for the person who can fix it."""
    return _REASONS_BY_NUMBER.get(error.errno or 0) or _REASONS.get(type(error), error.strerror or type(error).__name__)


_REASONS_BY_NUMBER: dict[int, str] = {
    errno.EROFS: "書き込みのできない媒体かフォルダです",
    errno.ENOSPC: "空きがありません",
    errno.EDQUOT: "割り当てられた空きがありません",
    errno.EIO: "読み書きできません。破損しているおそれがあります",
    errno.EPERM: "変更も削除も禁じられています",
    errno.EBUSY: "使用中です",
}
_REASONS: dict[type[OSError], str] = {
    FileNotFoundError: "ありません",
    PermissionError: "権限がありません",
    IsADirectoryError: "フォルダです",
    NotADirectoryError: "途中の名前がフォルダではありません",
}


def runbook(code: str) -> str:
    """The link to a code in docs/runbook.md. Anchors are headings in lower case without punctuation, with hyphens for spaces."""
    heading = f"{code} {message(code).title}".lower()
    return "docs/runbook.md#" + re.sub(r"[^\w -]", "", heading).replace(" ", "-")


EFFECTS: Mapping[Level, str] = {
    "file": "ファイル全体を受け入れない（隔離、または送付を止める）",
    "record": "その記録、または世帯を保留する。残りは進む",
    "warning": "通知のみで、止めない",
    "stop": "処理を止める。状態は変わっていない",
}


def explained(described: Message) -> str:
    """A code in Markdown for the person who meets it: meaning, effect, remedy; placeholders become …."""
    blanks: defaultdict[str, str] = defaultdict(lambda: "…")
    clerks = f"- **担当者の対処**: {described.clerk_remedy}\n" if described.clerk_remedy != described.remedy else ""
    return f"""### {described.code} {described.title}

- **文面**: {described.template.format_map(blanks)}
- **どうなるか**: {EFFECTS[described.level]}
- **対処**: {described.remedy.format_map(blanks)}
{clerks}"""


class RenkeiError(Exception):
    """An error that a person can fix: a KR code, its Japanese message and remedy. Never contains personal data."""

    def __init__(self, code: str, **values: object) -> None:
        self.code = code
        self.values = values
        self.remedy = message(code).advise(**values)
        super().__init__(f"{code} {message(code).render(**values)}")

    def for_people(self) -> str:
        """Message and remedy, as the CLI prints them."""
        return f"{self}\n  対処: {self.remedy}"
