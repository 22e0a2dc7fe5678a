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
from interfaces.new_books import new_book, print_on_a4
from interfaces.workbook import Cell, Rows, address, holds_anything, read_book
from pipelines.continuity.cases import fingerprint
from pipelines.continuity.facts import CANDIDATE
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
    "title": ("区分", 12),
    "reason": ("理由", 22),
    "facts_in_words": ("判定の根拠となる事実", 16),
    "moved_on": ("異動日", 11),
    "old_municipality_code": ("転出元", 8),
    "old_household_number": ("転出元 国保世帯番号", 10),
    "old_people": ("転出元の世帯の人", 33),
    "new_household_number": ("転入先 国保世帯番号", 10),
    "new_people": ("転入先の世帯の人", 33),
}
ANSWER_HEADINGS = {
    "decision": ("判定", 8),
    "remark": ("備考", 14),
    "decided_by": ("判定者", 9),
    "approved_by": ("承認者", 9),
}
# Columns with texts of more than two lines: the others are never higher than a household number in its column.
_LONG = ("title", "reason", "facts_in_words", "old_people", "new_people")
_FONT, _LINE_HEIGHT, _PADDING = 9, 11.5, 4.0  # points
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


def write_worksheet(path: Path, cases: pl.DataFrame, month: dt.date, municipality: str) -> None:
    """The book of a month: one row per candidate, protected but for the answers, printing on A4 landscape.

    cases: FACT_COLUMNS and FINGERPRINT. The same cases give the same bytes. Text stays text: no formula, no link.
    A clerk's work is never overwritten: an existing book for exactly these cases stays as it is, any other is renamed to
    `…_前の版_<SHA-256>.xlsx`.
    """
    book = _worksheet(cases, month, municipality)
    if path.is_file() and path.read_bytes() != book:
        if _is_of(path, cases, month):
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


def _worksheet(cases: pl.DataFrame, month: dt.date, municipality: str) -> bytes:
    data = BytesIO()
    with new_book(data, f"継続世帯判定表 {month:%Y-%m}") as book:
        _cases_sheet(book, cases, month, municipality)
        _guide_sheet(book)
        marks = book.add_worksheet(MARKS)
        marks.write_row(0, 0, [f"{month:%Y-%m}", municipality, fingerprint(cases), str(cases.height)])
        marks.protect()
        marks.very_hidden()
    return data.getvalue()


def _cases_sheet(book: Any, cases: pl.DataFrame, month: dt.date, municipality: str) -> None:
    sheet = book.add_worksheet(SHEET)
    frame = {"border": 1, "border_color": "#808080", "valign": "top", "text_wrap": True, "font_size": _FONT}
    heading = book.add_format(frame | {"bold": True, "bg_color": "#D9E2F3"})
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
    sheet.set_row(0, 3 * _LINE_HEIGHT)
    for column, ((text, width), form) in enumerate(headings):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, text, form)
    for row, case in enumerate(cases.select(list(FACT_HEADINGS)).iter_rows(named=True), 1):
        shown = {name: _shown(name, case[name]) for name in FACT_HEADINGS}
        lines = max(2, *(_lines(shown[name], FACT_HEADINGS[name][1]) for name in _LONG))
        sheet.set_row(row, lines * _LINE_HEIGHT + _PADDING)
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
    sheet.protect("", {"select_locked_cells": True, "format_rows": True, "format_columns": True})
    sheet.freeze_panes(1, 2)
    sheet.set_margins(left=0.3, right=0.3, top=0.6, bottom=0.5)
    sheet.repeat_rows(0)
    print_on_a4(sheet)
    sheet.print_area(0, 0, last, len(_HEADINGS) - 1)
    sheet.set_header(f"&L継続世帯判定表 {month:%Y-%m}（{municipality}）&R個人情報")
    sheet.set_footer("&C&P / &N")


def _guide_sheet(book: Any) -> None:
    guide = book.add_worksheet(GUIDE)
    wrap, bold = book.add_format({"text_wrap": True, "valign": "top"}), book.add_format({"bold": True, "valign": "top"})
    guide.set_column(0, 0, 22)
    guide.set_column(1, 1, 90)
    for row, (name, text) in enumerate(_GUIDE):
        guide.write_string(row, 0, name, bold)
        guide.write_string(row, 1, text, wrap)
    guide.protect()
    print_on_a4(guide)


def _lines(text: str, width: int) -> int:
    """How many lines a text takes in a column: a full-width character is as wide as two, as in CP932."""
    return sum(max(1, -(-len(line) // (width - 2))) for line in text.encode("cp932", "replace").split(b"\n"))


def _shown(name: str, value: object) -> str:
    if name == "proposal":
        return PROPOSALS[str(value)]
    return value.isoformat() if isinstance(value, dt.date) else str(value or "")


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
        """Whether it was made from exactly these cases of a month."""
        return (self.month, self._fingerprint) == (month, fingerprint(cases))

    def answers(self, cases: pl.DataFrame, signs: Marks) -> tuple[list[Answer], list[Problem]]:
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
                problems += _facts_problems(number, row, case)
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


def _facts_problems(number: int, row: Sequence[Cell], case: dict[str, Any]) -> list[Problem]:
    return [
        _problem("KR-7409", number, column=FACT_HEADINGS[name][0])
        for name, cell in zip(FACT_HEADINGS, row, strict=False)
        if cell.text != _shown(name, case[name])
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
