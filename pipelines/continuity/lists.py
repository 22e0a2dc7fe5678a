"""継続候補世帯リスト, 確定指示の入力用, 継続世帯確定リスト as pages that print on A4 landscape. Decides nothing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import jinja2
import polars as pl

from pipelines.continuity.facts import CANDIDATE, HOUSEHOLDS
from pipelines.continuity.words import Words
from pipelines.continuity.worksheet import DECISIONS, PROPOSALS

_pages = jinja2.Environment(
    loader=jinja2.PackageLoader("pipelines.continuity"), autoescape=True, undefined=jinja2.StrictUndefined
)
OUTCOMES = {"continued": "継続", "not_continued": "非継続", "not_instructed": "指示なし"}


@dataclass(frozen=True)
class Column:
    """A column of a list: item, heading, width in per cent of the page; `mark` shows the row's kind by a shade, and
    `whole` breaks no value in the middle."""

    name: str
    heading: str
    width: float
    mark: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Paper:
    """What the head of every list of a month says. made_at: Asia/Tokyo."""

    month: dt.date
    municipality: str
    words: Words
    made_at: dt.datetime


_HOUSES = (
    Column(HOUSEHOLDS[0], "転出元", 6),
    Column(HOUSEHOLDS[1], "転出元 国保世帯番号", 10, whole=True),
    Column(HOUSEHOLDS[2], "転入先 国保世帯番号", 10, whole=True),
)


@dataclass(frozen=True)
class _List:
    """The fixed parts of a list. words: kind of a row -> its name in the counts; seals: whose stamps (印) it has room for."""

    title: str
    noun: str
    note: str
    columns: tuple[Column, ...]
    words: Mapping[str, str]
    seals: tuple[str, ...]

    def page(self, rows: list[dict[str, object]], paper: Paper) -> str:
        """The list of a month. rows: the values by column, and `kind`."""
        counted = Counter(str(row["kind"]) for row in rows)
        counts = [f"{text} {counted[kind]}件" for kind, text in self.words.items() if counted[kind]]
        shown = [{name: paper.words.shown(name, value) for name, value in row.items()} for row in rows]
        calendar = paper.words.calendar
        return _pages.get_template("list.html").render(
            title=self.title,
            noun=self.noun,
            note=self.note,
            columns=self.columns,
            seals=self.seals,
            month=calendar.month(paper.month),
            municipality=paper.words.municipality(paper.municipality),
            made_at=f"{calendar.day(paper.made_at.date())} {paper.made_at:%H:%M}",
            rows=shown,
            counts=counts,
        )


_CANDIDATES = _List(
    "継続候補世帯リスト",
    "継続候補世帯",
    "判定案は案です。継続かどうかは担当者が判定し、別の人が承認します。",
    (
        Column(CANDIDATE, "候補", 5.5, whole=True),
        Column("shown", "判定案", 6, mark=True),
        Column("rule", "規則", 4),
        Column("moved_on", "異動日", 7.5, whole=True),
        Column(HOUSEHOLDS[0], "転出元", 5.5),
        Column(HOUSEHOLDS[1], "転出元 国保世帯番号", 11, whole=True),
        Column("old_people", "転出元の世帯の人", 19),
        Column(HOUSEHOLDS[2], "転入先 国保世帯番号", 11, whole=True),
        Column("new_people", "転入先の世帯の人", 19),
        Column("reason", "理由", 11.5),
    ),
    PROPOSALS,
    ("担当", "係長"),
)
_INSTRUCTION = _List(
    "継続世帯の確定指示（入力用）",
    "確定指示",
    "国保総合PCのオンライン画面に入力し、一件ずつ確認して□に印を付けます。保留の候補は載りません。",
    (
        Column(CANDIDATE, "候補", 7, whole=True),
        Column("shown", "判定", 8, mark=True),
        Column("moved_on", "異動日", 9, whole=True),
        *_HOUSES,
        Column("remark", "備考", 24),
        Column("decided_by", "判定者", 10),
        Column("approved_by", "承認者", 10),
        Column("typed", "入力確認", 7),
    ),
    {value: text for text, value in DECISIONS.items()},
    ("入力", "確認"),
)
_RESULTS = _List(
    "継続世帯確定リスト",
    "確定結果",
    "引き継いだ診療年月は、この市区町村の高額該当回数に加わります（同じ月は一度だけ数えます）。",
    (
        Column(CANDIDATE, "候補", 8, whole=True),
        Column("shown", "確定", 9, mark=True),
        Column("moved_on", "異動日", 10, whole=True),
        *_HOUSES,
        Column("confirmed_on", "確定日", 10, whole=True),
        Column("high_cost_count", "該当回数", 8, whole=True),
        Column("months", "引き継いだ診療年月", 29),
    ),
    OUTCOMES,
    ("担当", "係長"),
)


def candidates_page(cases: pl.DataFrame, paper: Paper) -> str:
    """継続候補世帯リスト: every candidate with both households and the proposal (cases: see `cases.cases`)."""
    rows = [row | {"kind": row["proposal"], "shown": PROPOSALS[row["proposal"]]} for row in cases.iter_rows(named=True)]
    return _CANDIDATES.page(rows, paper)


def instruction_page(decisions: pl.DataFrame, paper: Paper) -> str:
    """The approved decisions, for typing into 国保総合PC where the 確定指示 is no file (decisions: `Decisions`)."""
    rows = [
        row | {"kind": row["decision"], "shown": _INSTRUCTION.words[row["decision"]], "typed": "□"}
        for row in decisions.filter(pl.col("decision") != "postponed").iter_rows(named=True)
    ]
    return _INSTRUCTION.page(rows, paper)


def results_page(results: pl.DataFrame, months: Mapping[str, str], paper: Paper) -> str:
    """継続世帯確定リスト: what the Union confirmed for our new households, with the handed-over months.

    results: records of the 継続世帯確定結果. months: candidate_number -> the handed-over months in words.
    """
    rows = [
        row
        | {
            "kind": row["continuity_outcome"],
            "shown": OUTCOMES[row["continuity_outcome"]],
            "months": months.get(row[CANDIDATE], ""),
            "high_cost_count": f"{int(row['high_cost_count'])}回" if row["high_cost_count"] else "",
        }
        for row in results.filter(pl.col("new_municipality_code") == paper.municipality)
        .sort(CANDIDATE)
        .iter_rows(named=True)
    ]
    return _RESULTS.page(rows, paper)
