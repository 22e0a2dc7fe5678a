"""現役並み or 一般 of the 70–74: former members in 後期高齢者医療, minors of the head, and what a clerk must be asked."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.oracle.income import Answer, Person, class_of_70_to_74
from interfaces.catalogue import load_catalogue
from pipelines.high_cost.income_class import Question, classify, load_borders
from tests.support.deployment import benefit, household, send_days, write_extract
from tests.support.monthly_desk import Desk
from tests.support.servers import OpenSshServer

APRIL = dt.date(2026, 4, 1)  # judged by the income of 2024, and by the households of 2024-12-31
HOME = "000000000000031"
ELDER_BORN, GRANDCHILD_BORN = dt.date(1954, 6, 1), dt.date(2014, 5, 5)
QUESTIONS = {"receipts": Question.BY_RECEIPTS, "former": Question.RECEIPTS_UNKNOWN, "minors": Question.MINOR_UNKNOWN}
BORDERS = load_borders(load_catalogue(), APRIL)


def found(
    people: list[Person], former: list[int | None], gone: list[Person], month: dt.date = APRIL
) -> tuple[str | None, list[str]]:
    """The class and the questions that the program gives."""
    schema = {"household_number": pl.String, "resident_number": pl.String, "head_kind": pl.String, "born_on": pl.Date}
    named = {f"{number:015d}": person for number, person in enumerate([*people, *gone], 1)}
    today = dict(list(named.items())[: len(people)])

    def rows(which: dict[str, Person]) -> pl.DataFrame:
        kinds = {True: "insured_head", False: "member"}
        return pl.DataFrame(
            [
                ("1", number, kinds[one.head] if one.insured else "nominal_head", one.born)
                for number, one in which.items()
            ],
            schema=schema,
            orient="row",
        )

    year = str(month.year - (1 if month.month >= 8 else 2))
    paid: list[tuple[object, ...]] = []
    for number, one in named.items():
        money = [
            str(one.base),
            "exempt" if one.exempt else "taxed",
            str(one.taxable),
            str(one.receipts),
            "yes" if one.no_income else "no",
        ]
        kind = "declared" if one.declared else "undeclared"
        total = None if one.total is None else str(one.total)
        paid.append((number, year, kind, *(money if one.declared else [None] * 5), total, None))
    for place, receipts in enumerate(former, 901):
        known = None if receipts is None else str(receipts)
        paid.append((f"{place:015d}", year, "declared", "0", "taxed", "0", known, "no", None, "1"))
    items = (
        "resident_number",
        "income_year",
        "declaration_kind",
        "base_income",
        "resident_tax",
        "taxable_income",
        "receipts",
        "low_income",
        "total_income",
        "former_household_number",
    )
    taxes = pl.DataFrame(paid, schema=dict.fromkeys(items, pl.String), orient="row")
    then = {number: one for number, one in named.items() if one.insured and one.insured_then}
    (row,) = classify(rows(today), taxes, month, BORDERS, rows(then)).to_dicts()
    return row["income_class_70_74"], row["questions"]


MAN = 10_000
ELDER = Person(ELDER_BORN, head=True, base=300 * MAN, taxable=150 * MAN, receipts=900 * MAN)
CHILD = Person(GRANDCHILD_BORN)
ASKED: dict[str, tuple[list[Person], list[int | None], str, str | None]] = {
    "receipts of one: below": ([replace(ELDER, receipts=3_829_999)], [], "general", "receipts"),
    "receipts of one: on": ([replace(ELDER, receipts=3_830_000)], [], "active_1", None),
    "with a former member: below": ([replace(ELDER, receipts=4_200_000)], [999_999], "general", "receipts"),
    "with a former member: on": ([replace(ELDER, receipts=4_200_000)], [1_000_000], "active_1", None),
    "with a former member: the worked case": ([replace(ELDER, receipts=4_200_000)], [500_000], "general", "receipts"),
    "with two former members: below": ([replace(ELDER, receipts=4_200_000)], [500_000, 499_999], "general", "receipts"),
    "with two former members: on": ([replace(ELDER, receipts=4_200_000)], [500_000, 500_000], "active_1", None),
    "a former member whose receipts nobody knows": ([replace(ELDER, receipts=4_200_000)], [None], "active_1", "former"),
    "unknown, but too much already": ([replace(ELDER, receipts=5_200_000)], [None], "active_1", None),
    "unknown beside one that is too much": ([replace(ELDER, receipts=4_200_000)], [1_000_000, None], "active_1", None),
    "one elder needs no former member": ([replace(ELDER, receipts=3_829_999)], [9_000_000], "general", "receipts"),
    "two elders: a former member neither helps nor harms": (
        [replace(ELDER, receipts=4_000_000), Person(ELDER_BORN, receipts=1_199_999)], [9_000_000], "general", "receipts"),
    "two elders: on": ([replace(ELDER, receipts=4_000_000), Person(ELDER_BORN, receipts=1_200_000)], [0], "active_1", None),
    "a grandchild of ten": ([ELDER, CHILD], [], "general", None),
    "taxable below": ([replace(ELDER, taxable=1_779_999), CHILD], [], "general", None),
    "taxable on": ([replace(ELDER, taxable=1_780_000), CHILD], [], "active_1", None),
    "without children: below": ([replace(ELDER, taxable=1_449_999)], [], "general", None),
    "without children: on": ([replace(ELDER, taxable=1_450_000)], [], "active_1", None),
    "classes above fall too": ([replace(ELDER, taxable=7_229_999), CHILD], [], "active_2", None),
    "classes above: on": ([replace(ELDER, taxable=7_230_000), CHILD], [], "active_3", None),
    "a child's income on the border": ([ELDER, replace(CHILD, total=380_000)], [], "general", None),
    "a child's income above it": ([ELDER, replace(CHILD, total=380_001)], [], "active_1", None),
    "15 on 31 December": ([replace(ELDER, taxable=1_700_000), Person(dt.date(2009, 1, 2))], [], "general", None),
    "16 on 31 December, born on 1 January": ([replace(ELDER, taxable=1_700_000), Person(dt.date(2009, 1, 1))], [], "active_1", None),
    "16: below": ([replace(ELDER, taxable=1_569_999), Person(dt.date(2009, 1, 1))], [], "general", None),
    "16: on": ([replace(ELDER, taxable=1_570_000), Person(dt.date(2009, 1, 1))], [], "active_1", None),
    "18 on 31 December": ([ELDER, Person(dt.date(2006, 1, 2))], [], "general", None),
    "19 on 31 December, born on 1 January": ([ELDER, Person(dt.date(2006, 1, 1))], [], "active_1", None),
    "born on 31 December": ([ELDER, Person(dt.date(2024, 12, 31))], [], "general", None),
    "born on 1 January": ([ELDER, Person(dt.date(2025, 1, 1), insured_then=False)], [], "active_1", None),
    "a child whose income nobody knows": ([ELDER, replace(CHILD, total=None)], [], "active_1", "minors"),
    "a child that came since": ([ELDER, replace(CHILD, insured_then=False)], [], "active_1", "minors"),
    "a head who came since": ([replace(ELDER, insured_then=False), CHILD], [], "active_1", "minors"),
    "unknown, and it would not matter": (
        [replace(ELDER, taxable=2_000_000), replace(CHILD, total=None)], [], "active_1", None),
    "the elder is no head": (
        [Person(dt.date(1980, 1, 1), head=True), replace(ELDER, head=False), CHILD], [], "active_1", None),
    "210 of 旧ただし書き所得: on": ([replace(ELDER, base=2_100_000)], [], "general", None),
    "210 of 旧ただし書き所得: above": ([replace(ELDER, base=2_100_001)], [], "active_1", None),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_a_worked_case(case: str) -> None:
    people, former, wanted, asked = ASKED[case]
    words = () if asked is None else (asked,)
    assert class_of_70_to_74(people, former, [], APRIL) == Answer(wanted, words)
    assert found(people, former, []) == (wanted, [QUESTIONS[word] for word in words])


def test_two_unknown_things_are_two_questions() -> None:
    elder, child = replace(ELDER, receipts=4_200_000), replace(CHILD, total=None)
    assert found([elder, child], [None], []) == ("active_1", [Question.RECEIPTS_UNKNOWN, Question.MINOR_UNKNOWN])


def test_a_child_that_left_since_counts_as_of_december() -> None:
    assert found([ELDER], [], [CHILD]) == ("general", [])


def test_a_head_who_left_since_was_the_head() -> None:
    before = Person(dt.date(1951, 2, 2), head=True)
    assert found([ELDER, CHILD], [], [before]) == ("active_1", [Question.MINOR_UNKNOWN])


@pytest.mark.parametrize(
    ("born", "wanted"),
    [("1945-01-02", "general"), ("1945-01-01", "active_1")],
)
def test_the_210_rule_is_for_who_was_born_since_2_january_1945(born: str, wanted: str) -> None:
    person = Person(dt.date.fromisoformat(born), head=True, base=2_100_000, taxable=1_500_000, receipts=9_000_000)
    month = dt.date(2019, 12, 1)
    assert class_of_70_to_74([person], [], [], month) == Answer(wanted)
    assert found([person], [], [], month) == (wanted, [])


@pytest.mark.parametrize(
    ("born", "wanted"),
    [
        ("1951-04-01", None),
        ("1951-04-02", "active_1"),
        ("1956-04-01", "active_1"),
        ("1956-04-02", None),
        ("1956-03-31", "active_1"),
    ],
)
def test_the_borders_at_70_and_75(born: str, wanted: str | None) -> None:
    """75 on 1 April is 後期高齢者 from that day; 70 on 1 April is 70 from it, on 2 April from May."""
    person = replace(ELDER, born=dt.date.fromisoformat(born))
    assert class_of_70_to_74([person], [], [], APRIL) == Answer(wanted)
    assert found([person], [], []) == (wanted, [])


def near(*borders: int) -> st.SearchStrategy[int]:
    """Just below, on and just above some amounts: elsewhere the classes do not change."""
    return st.sampled_from([border + step for border in borders for step in (-1, 0, 1) if border + step >= 0])


ELDERS_BORN = st.sampled_from(
    [dt.date(1951, 4, 1), dt.date(1951, 4, 2), dt.date(1954, 6, 1), dt.date(1956, 4, 1), dt.date(1956, 4, 2)]
)
MINORS_BORN = st.sampled_from(
    [
        dt.date(year, month, day)
        for year in (2005, 2006, 2008, 2009, 2024, 2025)
        for month, day in ((1, 1), (1, 2), (12, 31))
    ]
    + [GRANDCHILD_BORN]
)
MOSTLY = st.sampled_from([True] * 9 + [False])
SELDOM = st.sampled_from([False] * 9 + [True])
OFF = (0, 330_000, 120_000, 450_000, 660_000)
AN_ELDER = st.builds(
    Person,
    ELDERS_BORN,
    insured_then=MOSTLY,
    declared=MOSTLY,
    exempt=SELDOM,
    no_income=SELDOM,
    total=st.just(None),
    base=st.sampled_from([2_100_000, 2_100_001, 3_000_000, 3_000_000, 3_000_000]),
    receipts=near(3_830_000, 4_200_000, 5_200_000) | st.just(9_000_000),
    taxable=near(*[border + off for border in (1_450_000, 3_800_000, 6_900_000) for off in OFF]),
)
A_MINOR = st.builds(
    Person,
    MINORS_BORN,
    insured_then=MOSTLY,
    declared=MOSTLY,
    exempt=SELDOM,
    no_income=SELDOM,
    total=near(0, 380_000) | st.none(),
)


@settings(max_examples=200, deadline=None)
@given(
    elders=st.lists(AN_ELDER, min_size=1, max_size=2),
    minors=st.lists(A_MINOR, max_size=2),
    gone=st.lists(A_MINOR, max_size=1),
    former=st.lists(near(0, 500_000, 1_000_000) | st.none(), max_size=2),
    head=st.sampled_from([0, 0, 0, 1, 2]),
    nominal=SELDOM,
    month=st.sampled_from([APRIL, dt.date(2026, 8, 1), dt.date(2025, 12, 1)]),
)
def test_whatever_the_household_the_oracle_says_the_same(
    elders: list[Person],
    minors: list[Person],
    gone: list[Person],
    former: list[int | None],
    head: int,
    nominal: bool,
    month: dt.date,
) -> None:
    people = [*elders, *minors]
    place = head % len(people)
    people[place] = replace(people[place], head=True, insured=not (nominal and len(people) > 1))
    left = [replace(one, insured_then=True) for one in gone]
    answer = class_of_70_to_74(people, former, left, month)
    assert found(people, former, left, month) == (answer.name, [QUESTIONS[word] for word in answer.asked])


# --- at the command line


@pytest.fixture
def desk(tmp_path: Path, openssh_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, openssh_server, monkeypatch)


ELDER_ID, OTHER_ID = "000000000000901", "000000000000902"


def tax(person: str, **changes: object) -> dict[str, object]:
    return {
        "resident_number": person,
        "income_year": "2024",
        "declaration_kind": "declared",
        "base_income": "3000000",
        "resident_tax": "taxed",
        "taxable_income": "1500000",
        "receipts": "4200000",
        "low_income": "no",
    } | changes


def sent_class(desk: Desk, other: tuple[object, ...], *taxes: dict[str, object]) -> tuple[list[str], str]:
    """Send April's classes of an elder and somebody else of their household: the classes sent, and what was said."""
    names = (
        "resident_number",
        "household_number",
        "name",
        "head_kind",
        "born_on",
        "applied_on",
        "application_reason",
        "ended_on",
        "end_reason",
    )
    elder = (ELDER_ID, HOME, "合成　太郎", "insured_head", ELDER_BORN, dt.date(2019, 4, 1), "moved_in", None, None)
    people = pl.DataFrame([elder, other], schema=list(names), orient="row", schema_overrides={"ended_on": pl.Date})
    send_days(desk.environment, people)
    write_extract(desk.environment, "household_extract", [household(HOME)])
    write_extract(desk.environment, "benefit_extract", [benefit(HOME, "2026-04")])
    write_extract(desk.environment, "tax_extract", list(taxes))
    result = desk.run("run", "monthly", "--month", "2026-04", "--step", "out")
    assert result.exit_code == 0, result.output
    files = list((desk.server.root / "to_union").glob("KRSKB_*.csv"))
    classes = [path.read_text(encoding="cp932").splitlines()[1].split(",")[8] for path in files]
    return classes, result.output


def spouse(**changes: object) -> tuple[object, ...]:
    """Became 75 in March 2026, and stays in the household."""
    known = {
        "resident_number": OTHER_ID,
        "household_number": HOME,
        "name": "合成　花子",
        "head_kind": "member",
        "born_on": dt.date(1951, 3, 3),
        "applied_on": dt.date(2019, 4, 1),
        "application_reason": "moved_in",
        "ended_on": dt.date(2026, 3, 3),
        "end_reason": "joined_late_elderly",
    } | changes
    return tuple(known.values())


def listed(said: str) -> list[tuple[object, ...]]:
    """The household, class and question of each row of the list that was made."""
    assert "所得区分を確認する世帯 1件 → " in said
    path = Path(said.split("→ ")[1].splitlines()[0])
    assert path.stat().st_mode & 0o077 == 0
    rows = list(openpyxl.load_workbook(path)["所得区分確認一覧"].iter_rows(min_row=3, values_only=True))
    return [row[:3] for row in rows]


def test_a_spouse_in_late_elderly_care_counts_for_the_receipts(desk: Desk) -> None:
    """4,200,000 + 500,000 < 5,200,000: 一般 (B04), and the clerk is asked about the application."""
    former = tax(OTHER_ID, receipts="500000", former_household_number=HOME)
    sent, said = sent_class(desk, spouse(), tax(ELDER_ID), former)
    assert sent == ["B04"]
    assert listed(said) == [(HOME, "一般", "KR-7434 収入による一般の確認")]


def test_a_spouse_whose_receipts_nobody_knows_is_asked_about(desk: Desk) -> None:
    blank = dict.fromkeys(("base_income", "resident_tax", "taxable_income", "receipts", "low_income"), "")
    former = tax(OTHER_ID, **blank, declaration_kind="undeclared", former_household_number=HOME)
    sent, said = sent_class(desk, spouse(), tax(ELDER_ID), former)
    assert sent == ["B03"]
    assert listed(said) == [(HOME, "現役並みⅠ", "KR-7435 特定同一世帯所属者の収入が分からない")]


def test_a_spouse_who_no_longer_belongs_to_the_household_does_not_count(desk: Desk) -> None:
    sent, said = sent_class(desk, spouse(), tax(ELDER_ID), tax(OTHER_ID, receipts="500000"))
    assert (sent, "確認する世帯" in said) == (["B03"], False)


def test_a_household_whose_former_member_has_a_faulty_record_waits(desk: Desk) -> None:
    faulty = tax(OTHER_ID, receipts="-1", former_household_number=HOME)
    sent, said = sent_class(desk, spouse(), tax(ELDER_ID), faulty)
    assert (sent, "所得区分 0件" in said) == ([], True)


def test_an_insured_grandchild_lowers_the_income_of_the_head(desk: Desk) -> None:
    """1,500,000 − 330,000 < 1,450,000: 一般 (B04)."""
    child = spouse(born_on=GRANDCHILD_BORN, ended_on=None, end_reason=None)
    nothing = tax(OTHER_ID, base_income="0", taxable_income="0", receipts="0", total_income="0")
    sent, said = sent_class(desk, child, tax(ELDER_ID, receipts="9000000"), nothing)
    assert (sent, "確認する世帯" in said) == (["B04"], False)


def test_a_grandchild_whose_income_is_not_in_the_extract_is_asked_about(desk: Desk) -> None:
    child = spouse(born_on=GRANDCHILD_BORN, ended_on=None, end_reason=None)
    nothing = tax(OTHER_ID, base_income="0", taxable_income="0", receipts="0")
    sent, said = sent_class(desk, child, tax(ELDER_ID, receipts="9000000"), nothing)
    assert sent == ["B03"]
    assert listed(said) == [(HOME, "現役並みⅠ", "KR-7436 19歳未満の控除が分からない")]
