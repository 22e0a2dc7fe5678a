"""The clerk's worksheet of a month as an Excel book: written, and read back with everything that must be corrected."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError, message
from interfaces.new_books import (
    A3,
    HEADING_COLOUR,
    column_letters,
    new_book,
    print_landscape,
    print_on_a4,
    row_height,
)
from interfaces.workbook import Cell, Rows, address, holds_anything, read_book
from pipelines.continuity.cases import fingerprint
from pipelines.continuity.facts import CANDIDATE
from pipelines.continuity.words import Words
from pipelines.exchange.operator_input import individual_number_in
from pipelines.exchange.persons import load_titles, same_person
from pipelines.storage.files import sha256_of, write_durably
from schemas.rules.identifiers import Numbers

SHEET, GUIDE, MARKS = "判定", "使い方", "印"
PROPOSALS = {"continued": "継続", "not_continued": "非継続", "unclear": "要確認"}
DECISIONS = {"継続": "continued", "非継続": "not_continued", "保留": "postponed"}
# Heading and width (in characters) of the columns that the program writes and nobody may change.
FACT_HEADINGS = {
    CANDIDATE: ("候補番号", 8),
    "proposal": ("判定案", 8),
    "rule": ("規則", 5),
    "title": ("区分", 14),
    "reason": ("理由", 26),
    "facts_in_words": ("判定の根拠となる事実", 16),
    "moved_on": ("異動日", 9),
    "old_municipality_code": ("転出元", 9),
    "old_household_number": ("転出元 国保世帯番号", 17),
    "old_people": ("転出元の世帯の人", 33),
    "new_household_number": ("転入先 国保世帯番号", 17),
    "new_people": ("転入先の世帯の人", 33),
}
ANSWER_HEADINGS = {
    "decision": ("判定", 8),
    "remark": ("備考", 22),
    "decided_by": ("判定者", 9),
    "approved_by": ("承認者", 9),
}
_FONT = 10  # points
_HEADINGS = tuple(heading for heading, _ in (*FACT_HEADINGS.values(), *ANSWER_HEADINGS.values()))
_FIRST_ROW = 2  # of the sheet, below the headings
_LONGEST_REMARK = 200
# No clock in a file: the same cases give the same book.
_GUIDE = (
    ("これは何か", "県内で異動した世帯が、高額療養費の回数を引き継ぐかどうか（世帯の継続性）を判定する表です。"),
    ("書く列", "判定・備考・判定者・承認者だけです。ほかの列は変えられません。"),
    (
        "判定",
        "一覧から選びます。継続: 回数を引き継ぐ。非継続: 引き継がない。保留: まだ決められない（確定指示に載らない）。",
    ),
    ("備考", "判定案と違う判定、要確認の判定、保留には、理由を書きます（200字まで）。"),
    ("判定者・承認者", "二人の名前を書きます。同じ人では取り込めません。"),
    ("並べ替え・行の削除", "しないでください。取り込むときに確認し、違えば一行も取り込みません。"),
    ("保存", "Excel ブック（.xlsx）のまま保存します。CSV では取り込めません。"),
    ("取込", "このファイルを「取込」フォルダに保存します。数分後に、隣の「…_回答.txt」に結果が書かれます。"),
    ("個人番号", "この表にはありません。書かないでください。"),
)


@dataclass(frozen=True)
class Problem:
    """One thing to correct in a worksheet: where (row of the sheet, None for the whole book; its candidate) and what."""

    code: str
    row: int | None
    text: str
    candidate: str | None = None

    def __str__(self) -> str:
        place = f"{self.row}行目: " if self.row else ""
        return f"{self.code} {place}{self.text} → {message(self.code).remedy}"


@dataclass(frozen=True)
class Answer:
    """The decision on one candidate, as in the worksheet."""

    candidate_number: str
    decision: str
    remark: str
    decided_by: str
    approved_by: str


@dataclass(frozen=True)
class Worksheet:
    """What the book of a month is made of. cases: FACT_COLUMNS and FINGERPRINT. due: 確定指示期限."""

    cases: pl.DataFrame
    month: dt.date
    municipality: str
    due: dt.date
    words: Words

    @property
    def title(self) -> str:
        """The heading of every page."""
        month, town = self.words.calendar.month(self.month), self.words.municipality(self.municipality)
        return f"継続世帯判定表　{month}（{town}）"


def write_worksheet(path: Path, made: Worksheet) -> None:
    """The book of a month: one row per candidate, protected but for the answers, printing on A3 landscape.

    The same cases give the same bytes. Text stays text: no link, and the only formula counts the rows without a decision.
    A clerk's work is never overwritten: an existing book for exactly these cases stays as it is, any other is renamed to
    `…_前の版_<SHA-256>.xlsx`.
    """
    book = _worksheet(made)
    if path.is_file() and path.read_bytes() != book:
        if _is_of(path, made.cases, made.month):
            return
        path.rename(path.with_name(f"{path.stem}{EARLIER}{sha256_of(path)[:12]}{path.suffix}"))
    write_durably(path, book)


EARLIER = "_前の版_"


def _is_of(path: Path, cases: pl.DataFrame, month: dt.date) -> bool:
    """Whether a book is a worksheet of exactly these cases, filled in or not."""
    try:
        return FilledWorksheet.read(path).is_of(cases, month)
    except RenkeiError:
        return False


def _worksheet(made: Worksheet) -> bytes:
    data = BytesIO()
    with new_book(data, made.title) as book:
        _guide_sheet(book, made)
        sheet = _cases_sheet(book, made)
        sheet.activate()
        marks = book.add_worksheet(MARKS)
        cases = made.cases
        marks.write_row(0, 0, [f"{made.month:%Y-%m}", made.municipality, fingerprint(cases), str(cases.height)])
        marks.protect()
        marks.very_hidden()
    return data.getvalue()


def _cases_sheet(book: Any, made: Worksheet) -> Any:
    sheet, cases = book.add_worksheet(SHEET), made.cases
    frame = {"border": 1, "border_color": "#808080", "valign": "top", "text_wrap": True, "font_size": _FONT}
    heading = book.add_format(frame | {"bold": True, "bg_color": HEADING_COLOUR})
    asked = book.add_format(frame | {"bold": True, "bg_color": "#FFE699"})
    fact = book.add_format(frame)
    answer = book.add_format(frame | {"locked": False, "bg_color": "#FFFBE6"})
    marked = {
        name: book.add_format(frame | {"bold": True, "bg_color": colour})
        for name, colour in (("continued", "#E2EFDA"), ("not_continued", "#EDEDED"), ("unclear", "#F8CBAD"))
    }
    headings = [
        *((FACT_HEADINGS[name], heading) for name in FACT_HEADINGS),
        *((answer_heading, asked) for answer_heading in ANSWER_HEADINGS.values()),
    ]
    sheet.set_row(0, row_height(((text, width) for (text, width), _ in headings), _FONT))
    for column, ((text, width), form) in enumerate(headings):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, text, form)
    for row, case in enumerate(cases.select(list(FACT_HEADINGS)).iter_rows(named=True), 1):
        shown = {name: _shown(name, case[name], made.words) for name in FACT_HEADINGS}
        sheet.set_row(row, row_height(((shown[name], width) for name, (_, width) in FACT_HEADINGS.items()), _FONT))
        for column, (name, text) in enumerate(shown.items()):
            sheet.write_string(row, column, text, marked[case[name]] if name == "proposal" else fact)
        for column in range(len(FACT_HEADINGS), len(_HEADINGS)):
            sheet.write_blank(row, column, None, answer)
    last, first_answer = max(cases.height, 1), len(FACT_HEADINGS)
    sheet.data_validation(
        1,
        first_answer,
        last,
        first_answer,
        {
            "validate": "list",
            "source": list(DECISIONS),
            "error_title": "判定",
            "error_message": "一覧から選んでください",
        },
    )
    sheet.data_validation(
        1,
        first_answer + 1,
        last,
        first_answer + 1,
        {
            "validate": "length",
            "criteria": "<=",
            "value": _LONGEST_REMARK,
            "error_title": "備考",
            "error_message": "200字までです",
        },
    )
    _mark_what_is_missing(book, sheet, last)
    sheet.protect("", {"select_locked_cells": True, "format_rows": True, "format_columns": True})
    sheet.freeze_panes(1, 2)
    sheet.repeat_rows(0)
    print_landscape(sheet, A3)
    sheet.print_area(0, 0, last, len(_HEADINGS) - 1)
    sheet.set_header(f"&L{made.title}　確定指示期限 {made.words.calendar.day(made.due)}&R取扱注意（個人情報）")
    return sheet


def _mark_what_is_missing(book: Any, sheet: Any, last: int) -> None:
    """Red: a remark that the decision needs and that is not there yet, and the names beside a decision without them."""
    decision, remark, *names = (column_letters(len(FACT_HEADINGS) + n, fixed=True) for n in range(len(ANSWER_HEADINGS)))
    proposal = column_letters(list(FACT_HEADINGS).index("proposal"), fixed=True)
    needed = f'=AND({decision}2<>"",TRIM({remark}2)="",{decision}2<>{proposal}2)'
    red = book.add_format({"bg_color": "#FF9999"})
    at = len(FACT_HEADINGS) + 1
    sheet.conditional_format(1, at, last, at, {"type": "formula", "criteria": needed, "format": red})
    for offset, name in enumerate(names, 1):
        missing = f'=AND({decision}2<>"",TRIM({name}2)="")'
        column = at + offset
        sheet.conditional_format(1, column, last, column, {"type": "formula", "criteria": missing, "format": red})


def _guide_sheet(book: Any, made: Worksheet) -> None:
    guide = book.add_worksheet(GUIDE)
    wrap = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "border_color": "#808080"})
    bold = book.add_format({"bold": True, "valign": "top", "bg_color": HEADING_COLOUR, "border": 1})
    guide.set_column(0, 0, 22)
    guide.set_column(1, 1, 90)
    guide.write_string(0, 0, made.title, book.add_format({"bold": True, "font_size": 14}))
    facts = (("確定指示期限", made.words.calendar.day(made.due)), ("候補", f"{made.cases.height}件"))
    for row, (name, text) in enumerate((*facts, *_GUIDE), 2):
        guide.write_string(row, 0, name, bold)
        guide.write_string(row, 1, text, wrap)
    decision = column_letters(len(FACT_HEADINGS))
    undecided = f"COUNTBLANK({SHEET}!{decision}2:{decision}{max(made.cases.height, 1) + 1})"
    guide.write_string(1, 0, "残り（判定の未記入）", bold)
    guide.write_formula(1, 1, f'={undecided}&"件"', wrap, f"{made.cases.height}件")
    guide.protect()
    print_on_a4(guide)


def _shown(name: str, value: object, words: Words) -> str:
    return PROPOSALS[str(value)] if name == "proposal" else words.shown(name, value)


@dataclass(frozen=True)
class Marks:
    """What people write instead of an answer, or next to a name.

    anywhere: ditto and check marks; as_name: words that are no name; titles: see persons.same_person.
    """

    anywhere: frozenset[str]
    as_name: frozenset[str]
    titles: tuple[str, ...]

    def stand_in(self, text: str, *, name: bool) -> bool:
        """Whether a text is such a mark. A name must also contain a letter or a digit."""
        bare = _bare(text)
        return bare in self.anywhere or (name and (bare in self.as_name or not any(map(str.isalnum, bare))))


def load_marks(catalogue: Catalogue, month: dt.date) -> Marks:
    """`worksheet/marks.csv` and `persons/titles.csv` of a month. KR-7101 when a row is for no known column, else as `Catalogue.table`."""
    rows = catalogue.table("worksheet/marks", month)
    if strange := [row["印"] for row in rows if row["欄"] not in MARK_KINDS]:
        raise RenkeiError(
            "KR-7101", path="worksheet/marks.csv", reason=f"{strange[0]} の欄が{'・'.join(MARK_KINDS)}でない"
        )
    anywhere, as_name = (frozenset(_bare(row["印"]) for row in rows if row["欄"] == kind) for kind in MARK_KINDS)
    return Marks(anywhere, as_name, load_titles(catalogue, month))


MARK_KINDS = ("すべて", "名前")


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


@dataclass(frozen=True)
class FilledWorksheet:
    """A filled worksheet, read once, so that everything is checked on the same bytes."""

    month: dt.date
    sha256: str
    _fingerprint: str
    _sheets: Mapping[str, Rows]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The worksheet in a file. KR-7402 when it is no worksheet of ours, else as `read_book`."""
        book = read_book(path)
        month, _, stored_fingerprint, _ = _marks(book.sheets)
        try:
            first = dt.date.fromisoformat(f"{month}-01")
        except ValueError as error:
            raise RenkeiError("KR-7402", problem="印のシートが変わっています") from error
        return cls(first, book.sha256, stored_fingerprint, book.sheets)

    def is_of(self, cases: pl.DataFrame, month: dt.date) -> bool:
        """Whether it was made from exactly these cases of a month, with the columns of today."""
        headings = tuple(cell.text for row in self._sheets[SHEET][:1] for cell in row[: len(_HEADINGS)])
        return (self.month, self._fingerprint, headings) == (month, fingerprint(cases), _HEADINGS)

    def answers(self, cases: pl.DataFrame, signs: Marks, words: Words) -> tuple[list[Answer], list[Problem]]:
        """The answers, or everything that must be corrected: one of the two is empty.

        cases: those of its month, as they are now. Nothing is imported from a book with a problem: rows deleted, added,
        sorted or duplicated, facts edited, no decision or one that is not in the list, no names, approver = decider, a
        missing reason, formulas, error values, `signs` or merged and hidden cells as answers, text next to the table, or a
        book made from older data.
        """
        if self._fingerprint != fingerprint(cases):
            return [], [_problem("KR-7404", None, month=f"{self.month:%Y-%m}")]
        problems = _outside_problems(self._sheets)
        rows = [row[: len(_HEADINGS)] for row in self._sheets[SHEET][_FIRST_ROW - 1 :]]
        while rows and all(cell.is_blank for cell in rows[-1]):
            rows.pop()
        by_candidate = {case[CANDIDATE]: case for case in cases.iter_rows(named=True)}
        problems += _rows_problems([row[0].text for row in rows], list(by_candidate))
        answers: list[Answer] = []
        for number, row in enumerate(rows, _FIRST_ROW):
            case = by_candidate.get(row[0].text)
            if case is not None:
                before = len(problems)
                problems += _facts_problems(number, row, case, words)
                unread = _cell_problems(number, row, signs)
                answer = Answer(case[CANDIDATE], *(cell.text.strip() for cell in row[len(FACT_HEADINGS) :]))
                problems += unread or _answer_problems(number, answer, case["proposal"], signs.titles)
                problems = [*problems[:before], *(replace(one, candidate=case[CANDIDATE]) for one in problems[before:])]
                answers.append(replace(answer, decision=DECISIONS.get(answer.decision, "")))
        return ([], problems) if problems else (answers, [])


def _marks(book: Mapping[str, Rows]) -> tuple[str, ...]:
    """Month, municipality, fingerprint and number of cases, as written when the book was made."""
    if SHEET not in book or MARKS not in book:
        raise RenkeiError("KR-7402", problem="シートがありません")
    headings = tuple(cell.text for cell in _first(book[SHEET]))
    if headings[: len(_HEADINGS)] != _HEADINGS or any(headings[len(_HEADINGS) :]):
        raise RenkeiError("KR-7402", problem="見出しが変わっています")
    marks = tuple(cell.text for cell in _first(book[MARKS])[:4])
    if len(marks) < 4 or not all(marks):
        raise RenkeiError("KR-7402", problem="印のシートが変わっています")
    return marks


def _first(rows: Rows) -> tuple[Cell, ...]:
    return rows[0] if rows else ()


def _problem(code: str, row: int | None, **values: object) -> Problem:
    return Problem(code, row, message(code).render(**values))


def _rows_problems(found: Sequence[str], wanted: Sequence[str]) -> list[Problem]:
    """Rows that are missing, unknown, duplicated, or in another order."""
    times = Counter(found)
    problems = [_problem("KR-7405", None, candidate=candidate) for candidate in wanted if candidate not in times]
    for row, candidate in enumerate(found, _FIRST_ROW):
        if candidate not in wanted:
            problems.append(_problem("KR-7406", row, candidate=candidate[:20] or "（空）"))
        elif times[candidate] > 1:
            problems.append(_problem("KR-7407", row, candidate=candidate))
    if not problems and list(found) != list(wanted):
        first = next(row for row, (a, b) in enumerate(zip(found, wanted, strict=True), _FIRST_ROW) if a != b)
        problems.append(_problem("KR-7408", first))
    return problems


def _outside_problems(book: Mapping[str, Rows]) -> list[Problem]:
    """Text that would be ignored: next to the table, and on sheets that are not ours."""
    beside = [
        address(number, column)
        for number, row in enumerate(book[SHEET], 1)
        for column, cell in enumerate(row, 1)
        if column > len(_HEADINGS) and not cell.is_blank
    ]
    sheets = [
        f"シート「{name}」" for name, rows in book.items() if name not in (SHEET, GUIDE, MARKS) and holds_anything(rows)
    ]
    return [_problem("KR-7433", None, place=place) for place in (*beside, *sheets)]


def _facts_problems(number: int, row: Sequence[Cell], case: dict[str, Any], words: Words) -> list[Problem]:
    return [
        _problem("KR-7409", number, column=FACT_HEADINGS[name][0])
        for name, cell in zip(FACT_HEADINGS, row, strict=False)
        if cell.text != _shown(name, case[name], words)
    ]


def _cell_problems(number: int, row: Sequence[Cell], signs: Marks) -> list[Problem]:
    """Answer cells whose content cannot be an answer."""
    problems = []
    for column, (name, (heading, _)) in enumerate(ANSWER_HEADINGS.items(), len(FACT_HEADINGS)):
        cell, place = row[column], address(number, column + 1)
        if cell.fault is not None:
            problems.append(_problem("KR-7431", number, column=heading, cell=place, what=cell.fault))
        elif not cell.is_blank and signs.stand_in(cell.text, name=name in ("decided_by", "approved_by")):
            problems.append(_problem("KR-7432", number, column=heading, cell=place))
    return problems


def _answer_problems(row: int, answer: Answer, proposal: str, titles: tuple[str, ...]) -> list[Problem]:
    problems = []
    if not answer.decision:
        problems.append(_problem("KR-7410", row))
    elif answer.decision not in DECISIONS:
        problems.append(_problem("KR-7411", row))
    elif not answer.remark and DECISIONS[answer.decision] != proposal:
        problems.append(_problem("KR-7414", row, proposal=PROPOSALS[proposal], decision=answer.decision))
    if len(answer.remark) > _LONGEST_REMARK:
        problems.append(_problem("KR-7415", row, length=len(answer.remark)))
    if not answer.decided_by or not answer.approved_by:
        problems.append(_problem("KR-7412", row, who="判定者" if not answer.decided_by else "承認者"))
    elif same_person(answer.decided_by, answer.approved_by, titles):
        problems.append(_problem("KR-7413", row))
    written = {"備考": answer.remark, "判定者": answer.decided_by, "承認者": answer.approved_by}
    numbers = {Numbers.CERTAIN: "KR-7422", Numbers.PERHAPS: "KR-7122"}
    problems += [
        _problem(numbers[found], row, column=column)
        for column, text in written.items()
        if (found := individual_number_in(text)) is not Numbers.NONE
    ]
    return problems
