"""所得区分 (docs/sources.md 3.5, 3.6): from the tax side's extract and the household's people to the two classes. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from interfaces.required_items import ItemsRead
from pipelines.high_cost.counts import HOUSEHOLD
from pipelines.high_cost.limits import ClassKind, income_classes
from pipelines.high_cost.months import MONTHS_OF_A_YEAR
from pipelines.tables.high_cost import TaxExtract
from schemas.rules.periods import late_elderly_from

TAXES_READ = ItemsRead("tax_extract", tuple(TaxExtract.names()), ("total_income", "former_household_number"))
RESIDENT = "resident_number"
NEW_CLASS_MONTH = 8  # 区分 are determined again every August (docs/sources.md 3.5)
ELDER_AGE = 70
# Rules that decide before, or in spite of, the borders: rows of limits/income_exceptions.csv.
UNDECLARED_UNDER_70, UNDECLARED_FROM_70 = "undeclared_under_70", "undeclared_from_70"
RECEIPTS_OF_ONE, RECEIPTS_OF_SEVERAL, BASE_INCOME_SUM = "receipts_of_one", "receipts_of_several", "base_income_sum"
EXCEPTIONS = (UNDECLARED_UNDER_70, UNDECLARED_FROM_70, RECEIPTS_OF_ONE, RECEIPTS_OF_SEVERAL, BASE_INCOME_SUM)
BELOW_ACTIVE = (RECEIPTS_OF_ONE, RECEIPTS_OF_SEVERAL, BASE_INCOME_SUM)


@dataclass(frozen=True)
class Exceptional:
    """A rule apart from the borders. income_class: where it leads (None: not published, the rule is unknown); amount in yen."""

    income_class: str | None
    amount: int
    born_since: dt.date


@dataclass(frozen=True)
class Borders:
    """The borders of a 診療年月. under_70, from_70: (class, border) from the highest; amounts in yen.

    under_70: the sum of 旧ただし書き所得 is greater than the border. from_70: the highest 課税所得 is at least the border.
    kinds: the kind of each class of the month (`limits.ClassKind`), by (age group, class).
    """

    month: dt.date
    under_70: tuple[tuple[str, int], ...]
    from_70: tuple[tuple[str, int], ...]
    exceptions: Mapping[str, Exceptional]
    minors: tuple[Minors, ...]
    kinds: Mapping[tuple[str, str], ClassKind]

    def class_of(self, group: str, kind: ClassKind) -> str:
        """The one class of a kind; ValueError if there is not exactly one."""
        (found,) = [name for (age_group, name), own in self.kinds.items() if (age_group, own) == (group, kind)]
        return found

    def active(self) -> list[str]:
        """The classes of 現役並み."""
        return [name for (_, name), kind in self.kinds.items() if kind == ClassKind.ACTIVE]

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of the rules whose content nobody has published for the month."""
        return [name for name in names if self.exceptions[name].income_class is None]


@dataclass(frozen=True)
class Minors:
    """The deduction for an insured minor from the 課税所得 of their 70–74 head: below an age in years, up to an own 合計所得 (yen)."""

    below: int
    amount: int
    most_income: int


def load_borders(catalogue: Catalogue, month: dt.date) -> Borders:
    """The tables `income_borders`, `income_exceptions`, `minors` and `classes` of limits/ for a 診療年月; KR-7107 when one has no row.

    Only minors may have none: while the rules beside it are unknown too, nobody's class depends on it.
    """
    rows = sorted(catalogue.table("limits/income_borders", month), key=lambda row: row.integer("順"))

    def of(group: str) -> tuple[tuple[str, int], ...]:
        return tuple((row["所得区分"], row.integer("所得の境")) for row in rows if row["年齢群"] == group)

    named = {row["名前"]: row for row in catalogue.table("limits/income_exceptions", month)}
    if missing := set(EXCEPTIONS) - set(named):
        raise RenkeiError("KR-7101", path="limits/income_exceptions.csv", reason=f"{min(missing)} の行がありません")
    exceptions = {
        name: Exceptional(
            row["所得区分"] or None, row.integer_or_none("金額") or 0, row.day("生年月日の下限", dt.date.min)
        )
        for name, row in named.items()
    }
    borders = Borders(
        month,
        of("under_70"),
        of("from_70"),
        exceptions,
        () if any(rule.income_class is None for rule in exceptions.values()) else _minors(catalogue, month),
        {(known.age_group, known.id): known.kind for known in income_classes(catalogue, month)},
    )
    _require_kinds(borders)
    return borders


def _minors(catalogue: Catalogue, month: dt.date) -> tuple[Minors, ...]:
    minors = [
        Minors(row.integer("何歳未満"), row.integer("控除額"), row.integer("合計所得の上限"))
        for row in catalogue.table("limits/minors", month)
    ]
    return tuple(sorted(minors, key=lambda minor: minor.below))


def _require_kinds(borders: Borders) -> None:
    """KR-7101 unless there is one class of each kind that a rule leads to."""
    for group, kind in (
        ("under_70", ClassKind.EXEMPT),
        ("from_70", ClassKind.LOW_2),
        ("from_70", ClassKind.LOW_1),
    ):
        if [own for (age_group, _), own in borders.kinds.items() if age_group == group].count(kind) != 1:
            reason = f"年齢群 {group} に種類 {kind} の区分は一つ必要です"
            raise RenkeiError("KR-7101", path="limits/classes.csv", reason=reason)


def income_year(month: dt.date) -> int:
    """The year whose income decides: the year before for August to December, two years before for January to July."""
    return month.year - (1 if month.month >= NEW_CLASS_MONTH else 2)


def is_elder(born_on: pl.Expr, month: dt.date) -> pl.Expr:
    """Whether the 70–74 limits apply in `month`: from the month after the 70th birthday's, born on the 1st: from it.

    An age is reached at the end of the day before the birthday (docs/sources.md 2.2), so the day before decides. Whoever is 75
    on the month's first day is in 後期高齢者医療, whatever the insured's register says.
    """
    reached = born_on.dt.offset_by("-1d").dt.offset_by(f"{ELDER_AGE}y")
    months = (month.year - reached.dt.year()) * MONTHS_OF_A_YEAR + month.month - reached.dt.month()
    return ((months > 0) & (late_elderly_from(born_on) > month)).fill_null(False)


def age_on(born_on: pl.Expr, day: dt.date) -> pl.Expr:
    """Completed years at the end of a day; an age is reached at the end of the day before the birthday (docs/sources.md 2.2)."""
    after = day + dt.timedelta(days=1)
    birthday_came = (born_on.dt.month() < after.month) | (
        (born_on.dt.month() == after.month) & (born_on.dt.day() <= after.day)
    )
    return after.year - born_on.dt.year() - (~birthday_came).cast(pl.Int32)


def reference_day(month: dt.date) -> dt.date:
    """31 December of the year whose income decides: the day on which heads and minors are looked at."""
    return dt.date(income_year(month), 12, 31)


class Question(StrEnum):
    """What a clerk must check before a class of 70–74 is reliable: the codes of its messages."""

    BY_RECEIPTS = "KR-7434"
    RECEIPTS_UNKNOWN = "KR-7435"
    MINOR_UNKNOWN = "KR-7436"


def classify(
    people: pl.DataFrame, taxes: pl.DataFrame, month: dt.date, borders: Borders, then: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The classes of every household with an insured person in `month` (first day).

    people: household_number, resident_number, head_kind (insured_head | nominal_head | member), born_on. The nominal
    head's tax counts for 非課税, their income does not. taxes: resident_number, income_year, declaration_kind, base_income,
    resident_tax, taxable_income, receipts, low_income; where a layout has them, total_income and former_household_number
    (of whom went from this household to 後期高齢者医療 and still belongs to it). Who has no tax record counts as 未申告.
    then: the insured on `reference_day`, columns as people (None: the same people).
    Returns: household_number, income_class_under_70, income_class_70_74 (null without a 70–74 insured), income_year,
    without_record (persons), questions (list of Question), sorted by household_number.

    未申告 of the head or an insured person -> the class that the table names (until 2027-07 the highest). Then 非課税 before
    the income borders. What is not known never makes a class lower: it is a question where it could.
    KR-7502 when a household's class depends on a rule that is not published for the month.
    """
    of_year = _taxes_of(taxes, income_year(month))
    with_tax = _with_tax(people, of_year, month)
    heads = _deductions(with_tax, people if then is None else then, of_year, month, borders)
    with_tax = with_tax.join(heads, on=[HOUSEHOLD, RESIDENT], how="left").with_columns(
        (pl.col("taxable_income") - pl.col(name).fill_null(0)).alias(f"taxable_{name}") for name in DEDUCTIONS
    )
    facts = (
        _facts_of_households(with_tax)
        .join(_former_members(with_tax, of_year), on=HOUSEHOLD, how="left")
        .with_columns(pl.col("former", "former_receipts", "former_unknown").fill_null(0))
    )
    _refuse_unknown_rules(facts, borders)
    has_elder = pl.col("elders") > 0
    return facts.select(
        HOUSEHOLD,
        _under_70(borders).alias("income_class_under_70"),
        pl.when(has_elder).then(_from_70(borders)).alias("income_class_70_74"),
        pl.lit(str(income_year(month))).alias("income_year"),
        "without_record",
        pl.when(has_elder).then(_questions(borders)).otherwise(pl.lit([], pl.List(pl.String))).alias("questions"),
    ).sort(HOUSEHOLD)


def _taxes_of(taxes: pl.DataFrame, year: int) -> pl.DataFrame:
    """The tax records of a year, amounts as integers."""
    amounts = ("base_income", "taxable_income", "receipts", "total_income")
    of_year = TAXES_READ.completed(taxes).filter(pl.col("income_year").cast(pl.Int32) == year)
    return of_year.select(
        RESIDENT,
        "declaration_kind",
        "resident_tax",
        "low_income",
        "former_household_number",
        *[pl.col(name).cast(pl.Int64) for name in amounts],
    )


def _with_tax(people: pl.DataFrame, taxes: pl.DataFrame, month: dt.date) -> pl.DataFrame:
    """The people with their tax records: insured (no 擬制世帯主), elder (insured, of 70–74), declared."""
    insured = pl.col("head_kind") != "nominal_head"
    return people.join(taxes, on=RESIDENT, how="left").with_columns(
        insured.alias("insured"),
        (insured & is_elder(pl.col("born_on"), month)).alias("elder"),
        (pl.col("declaration_kind") == "declared").fill_null(False).alias("declared"),
    )


def _facts_of_households(with_tax: pl.DataFrame) -> pl.DataFrame:
    """What the borders are compared with, by household with an insured person."""
    facts = with_tax.group_by(HOUSEHOLD).agg(
        pl.col("insured").sum(),
        pl.col("elder").sum().alias("elders"),
        (~pl.col("declared")).any().alias("undeclared"),
        (pl.col("resident_tax") == "exempt").fill_null(False).all().alias("exempt"),
        (pl.col("low_income") == "yes").fill_null(False).all().alias("without_income"),
        pl.col("base_income").filter("insured").sum().alias("income"),
        pl.col("base_income").filter("elder").sum().alias("income_of_elders"),
        pl.col("born_on").filter("elder").max().alias("youngest_elder"),
        *[pl.col(f"taxable_{name}").filter("elder").max() for name in DEDUCTIONS],
        pl.col("receipts").filter("elder").sum().alias("receipts"),
        pl.col("declaration_kind").is_null().sum().alias("without_record"),
    )
    return facts.filter(pl.col("insured") > 0)


DEDUCTIONS = ("certain", "possible")


def _deductions(
    with_tax: pl.DataFrame, then: pl.DataFrame, taxes: pl.DataFrame, month: dt.date, borders: Borders
) -> pl.DataFrame:
    """The deductions from a head's 課税所得 for the minors of the household: household_number, resident_number, certain, possible.

    certain: the insured of `then` whose 合計所得 is known and low enough, for a head who was it then. possible: with
    those whose income is not known, or of whom it is not known whether they belonged to the household then.
    """
    day = reference_day(month)
    columns = [HOUSEHOLD, RESIDENT, "head_kind", "born_on"]
    age = age_on(pl.col("born_on"), day)
    amount, most = pl.lit(0), pl.lit(None, pl.Int64)
    for minor in reversed(borders.minors):
        amount = pl.when(age < minor.below).then(minor.amount).otherwise(amount)
        most = pl.when(age < minor.below).then(minor.most_income).otherwise(most)
    at_that_time = then.filter(pl.col("head_kind") != "nominal_head").select(columns)
    heads_then = at_that_time.filter(pl.col("head_kind") == "insured_head")
    alone = heads_then.filter(pl.len().over(HOUSEHOLD) == 1).select(HOUSEHOLD, RESIDENT, pl.lit(True).alias("was_head"))
    since = with_tax.filter("insured").select(columns).join(at_that_time, on=[HOUSEHOLD, RESIDENT], how="anti")
    minors = pl.concat([at_that_time.with_columns(sure=pl.lit(True)), since.with_columns(sure=pl.lit(False))])
    low = pl.col("total_income") <= most
    of_household = (
        minors.with_columns(amount.cast(pl.Int64).alias("amount"))
        .filter((pl.col("amount") > 0) & (pl.col("born_on") <= day))
        .join(taxes.select(RESIDENT, "total_income"), on=RESIDENT, how="left")
        .group_by(HOUSEHOLD)
        .agg(
            pl.col("amount").filter(pl.col("sure") & low.fill_null(False)).sum().alias("sure_amount"),
            pl.col("amount").filter(low.fill_null(True)).sum().alias("possible"),
        )
    )
    heads = with_tax.filter(pl.col("elder") & (pl.col("head_kind") == "insured_head")).select(HOUSEHOLD, RESIDENT)
    certain = pl.when("was_head").then("sure_amount").otherwise(0).alias("certain")
    return (
        heads.join(of_household, on=HOUSEHOLD)
        .join(alone, on=[HOUSEHOLD, RESIDENT], how="left")
        .select(HOUSEHOLD, RESIDENT, certain, "possible")
    )


def _former_members(with_tax: pl.DataFrame, taxes: pl.DataFrame) -> pl.DataFrame:
    """特定同一世帯所属者 by household: former (how many), former_receipts (of those known), former_unknown (without receipts)."""
    insured = with_tax.filter("insured").select(RESIDENT)
    former = taxes.filter(pl.col("former_household_number").is_not_null()).join(insured, on=RESIDENT, how="anti")
    return former.group_by(pl.col("former_household_number").alias(HOUSEHOLD)).agg(
        pl.len().alias("former"),
        pl.col("receipts").sum().alias("former_receipts"),
        pl.col("receipts").is_null().sum().alias("former_unknown"),
    )


def _first(conditions: Sequence[tuple[pl.Expr, str | None]]) -> pl.Expr:
    """The class of the first condition that holds."""
    return pl.coalesce([pl.when(condition).then(pl.lit(name)) for condition, name in conditions])


def _refuse_unknown_rules(facts: pl.DataFrame, borders: Borders) -> None:
    """KR-7502 for the first rule that is not published and that some household's class depends on."""
    has_elder, by_taxable = pl.col("elders") > 0, _first(_by_taxable(borders, "possible"))
    is_open = has_elder & ~pl.col("undeclared") & ~pl.col("exempt") & by_taxable.is_in(borders.active())
    depends = {
        UNDECLARED_UNDER_70: pl.col("undeclared"),
        UNDECLARED_FROM_70: pl.col("undeclared") & has_elder,
        **dict.fromkeys(BELOW_ACTIVE, is_open),
    }
    for name in borders.unknown(depends):
        if count := facts.filter(depends[name]).height:
            raise RenkeiError("KR-7502", month=f"{borders.month:%Y-%m}", rule=name, count=count)


def _under_70(borders: Borders) -> pl.Expr:
    return _first(
        [
            (pl.col("undeclared"), borders.exceptions[UNDECLARED_UNDER_70].income_class),
            (pl.col("exempt"), borders.class_of("under_70", ClassKind.EXEMPT)),
            *[(pl.col("income") > border, name) for name, border in borders.under_70],
        ]
    )


def _modest_income(borders: Borders) -> pl.Expr:
    """The sum of the elders' 旧ただし書き所得 is low: a rule for households with somebody born late enough."""
    rule = borders.exceptions[BASE_INCOME_SUM]
    return (pl.col("income_of_elders") <= rule.amount) & (pl.col("youngest_elder") >= rule.born_since)


def _receipts_with_former(borders: Borders) -> pl.Expr:
    """One elder and those who went from the household to 後期高齢者医療, together below the border of several."""
    together = pl.col("receipts") + pl.col("former_receipts")
    return (
        (pl.col("elders") == 1) & (pl.col("former") > 0) & (together < borders.exceptions[RECEIPTS_OF_SEVERAL].amount)
    )


def _modest_receipts(borders: Borders) -> list[tuple[pl.Expr, str | None]]:
    """The rules by receipts, each with the class that it leads to."""
    one, several = (borders.exceptions[name] for name in (RECEIPTS_OF_ONE, RECEIPTS_OF_SEVERAL))
    is_single = pl.col("elders") == 1
    with_former = _receipts_with_former(borders) & (pl.col("former_unknown") == 0)
    return [
        (is_single & (pl.col("receipts") < one.amount), one.income_class),
        (~is_single & (pl.col("receipts") < several.amount) | with_former, several.income_class),
    ]


def _from_70(borders: Borders) -> pl.Expr:
    active = _first(_by_taxable(borders, "certain")).is_in(borders.active())
    return _first(
        [
            (pl.col("undeclared"), borders.exceptions[UNDECLARED_FROM_70].income_class),
            (pl.col("exempt") & pl.col("without_income"), borders.class_of("from_70", ClassKind.LOW_1)),
            (pl.col("exempt"), borders.class_of("from_70", ClassKind.LOW_2)),
            (active & _modest_income(borders), borders.exceptions[BASE_INCOME_SUM].income_class),
            *[(active & condition, name) for condition, name in _modest_receipts(borders)],
            *_by_taxable(borders, "certain"),
        ]
    )


def _by_taxable(borders: Borders, deduction: str) -> list[tuple[pl.Expr, str]]:
    return [(pl.col(f"taxable_{deduction}") >= border, name) for name, border in borders.from_70]


def _questions(borders: Borders) -> pl.Expr:
    """The questions whose answers could change the class; none for a household whose class does not depend on them."""
    by_taxable, at_best = (_first(_by_taxable(borders, name)) for name in DEDUCTIONS)
    open_case = (
        ~pl.col("undeclared") & ~pl.col("exempt") & ~_modest_income(borders) & (by_taxable.is_in(borders.active()))
    )
    modest = pl.any_horizontal(condition for condition, _ in _modest_receipts(borders))
    found = {
        Question.BY_RECEIPTS: open_case & modest,
        Question.RECEIPTS_UNKNOWN: open_case & ~modest & _receipts_with_former(borders),
        Question.MINOR_UNKNOWN: open_case & ~modest & (at_best != by_taxable),
    }
    asked = [pl.when(condition.fill_null(False)).then(pl.lit(str(code))) for code, condition in found.items()]
    return pl.concat_list(asked).list.drop_nulls()
