"""Commands on counts and limits (`renkei high-cost`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import polars as pl

from interfaces.catalogue import Catalogue, load_catalogue
from interfaces.messages import RenkeiError
from pipelines.commands.common import (
    AS_JSON,
    DATE,
    MONTH_OPTION,
    catalogue_root,
    environment_of_settings,
    say_json,
    with_error_messages,
)

if TYPE_CHECKING:
    from pipelines.high_cost.limits import IncomeClass

MOST_YEN = 10**9  # a thousand million: more than any household's month has ever cost


@click.group("high-cost", help="高額該当回数と限度額")
def high_cost() -> None:
    """Commands on counts and limits."""


@high_cost.command("count", help="ある世帯の、ある診療年月の回数と、その元になった月")
@MONTH_OPTION
@click.option("--household", required=True, help="国保世帯番号")
@AS_JSON
@with_error_messages
def high_cost_count(month: dt.datetime, household: str, as_json: bool) -> None:
    """The count of one household, with the source of every month."""
    from pipelines.high_cost.counts import MULTIPLE_FROM
    from pipelines.high_cost.monthly import explain

    found = explain(environment_of_settings(), month.date(), household)
    multiple = len(found) >= MULTIPLE_FROM
    if as_json:
        months = [{"treatment_month": f"{day:%Y-%m}", "sources": sources} for day, sources in found]
        say_json({"count": len(found), "is_multiple": multiple, "months": months})
        return
    drop = "多数回該当（限度額が下がります）" if multiple else "多数回該当ではありません"
    click.echo(f"{month:%Y-%m} 直前11か月の該当 {len(found)}回: {drop}")
    for day, sources in found:
        click.echo(f"  {day:%Y-%m}  {'、'.join('当市町村の支給' if s == 'own' else f'引継 {s}' for s in sources)}")
    click.echo(
        f"定め: 直前11か月に{MULTIPLE_FROM}回以上の該当があれば、その月は多数回該当。外来（個人）の上限だけによる支給と"
        "平成30年3月以前の診療は数えません。継続しない世帯の月は引き継ぎません"
    )


@high_cost.command("list", help="ある診療年月に回数のある世帯（引き継いだ月のある世帯だけ: --carried）")
@MONTH_OPTION
@click.option("--carried", is_flag=True, help="引き継いだ月のある世帯だけ")
@AS_JSON
@with_error_messages
def high_cost_list(month: dt.datetime, carried: bool, as_json: bool) -> None:
    """The counts of a month, most first."""
    from pipelines.high_cost.monthly import counted_households

    found = counted_households(environment_of_settings(), month.date())
    if carried:
        found = found.filter(pl.col("handed_over") > 0)
    if as_json:
        say_json(found.to_dicts())
        return
    for row in found.iter_rows(named=True):
        drop = "多数回該当" if row["is_multiple"] else ""
        click.echo(f"{row['household_number']}  {row['count']}回（うち引継 {row['handed_over']}）  {drop}".rstrip())
    click.echo(f"{month:%Y-%m}: {found.height}世帯")


@high_cost.command("limit", help="診療年月の自己負担限度額と、当てはめた定め")
@MONTH_OPTION
@click.option(
    "--class", "income_class", required=True, help="所得区分（その診療年月の名称。例: ウ、現役並みⅢ、低所得Ⅰ）"
)
@click.option("--cost", type=click.IntRange(0, MOST_YEN), required=True, help="医療費総額（円）")
@click.option("--multiple", is_flag=True, help="多数回該当（4回目以降）")
@click.option("--moved-on", type=DATE, help="継続する世帯の県内転居の日")
@click.option("--split-on", type=DATE, help="市町村内で世帯番号の変わった日（分割・合併）")
@click.option("--born-on", type=DATE, help="75歳になる人の生年月日（その人の限度額）")
@click.option("--by-disability-on", type=DATE, help="障害認定で後期高齢者医療へ移った日（その人の限度額）")
@click.option("--joined-after-75-on", type=DATE, help="75歳到達者の被扶養者だった人が加入した日（その人の限度額）")
@with_error_messages
def high_cost_limit(
    month: dt.datetime, income_class: str, cost: int, multiple: bool, **days: dt.datetime | None
) -> None:
    """One limit, by the table of its month, and the rules that were applied."""
    from pipelines.high_cost import halving, limits

    first, catalogue = month.date(), load_catalogue(catalogue_root())
    _require_days_of_the_month(first, days)
    facts = halving.MonthFacts(
        _day(days["moved_on"]),
        _day(days["split_on"]),
        _day(days["born_on"]),
        _day(days["by_disability_on"]),
        _day(days["joined_after_75_on"]),
    )
    rule = halving.halving(first, facts)
    table = limits.limit_table(catalogue, first)
    named = {known.name: known for known in limits.income_classes(catalogue, first)}
    if income_class not in named:
        raise RenkeiError("KR-7501", month=f"{first:%Y-%m}", income_class=income_class, known="・".join(named))
    chosen = named[income_class]
    case = pl.DataFrame(
        {
            "treatment_month": first,
            "age_group": chosen.age_group,
            "income_class": chosen.id,
            "total_cost": cost,
            "is_multiple": multiple,
            "halved": [rule.is_half, False],
        }
    )
    half, whole = limits.limits(case, table).iter_rows(named=True)
    if rule.is_of_person:
        click.echo(f"その人の限度額 {half['limit']:,}円（世帯の合算 {whole['limit']:,}円）")
    else:
        click.echo(f"{half['limit']:,}円")
    click.echo(f"定め: {chosen.name}、{_formula(whole, multiple)}。{rule}")
    for line in _yearly(catalogue, chosen, whole):
        click.echo(line)


def _day(day: dt.datetime | None) -> dt.date | None:
    return None if day is None else day.date()


def _require_days_of_the_month(month: dt.date, days: Mapping[str, dt.datetime | None]) -> None:
    """A day of something that happened in the month must be in it; the birthday may be any."""
    for name, day in days.items():
        if name != "born_on" and day is not None and day.date().replace(day=1) != month:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} は --month と同じ月の日にしてください（限度額が変わるのは、その月だけです）"
            )


def _formula(row: Mapping[str, Any], multiple: bool) -> str:
    """The whole limit's formula as a table prints it."""
    if multiple and row["multiple"] is not None:
        return f"多数回該当 {row['multiple']:,}円"
    if row["threshold"] is None:
        return f"{row['base']:,}円"
    return f"{row['base']:,}円＋（医療費総額－{row['threshold']:,}円）×1%"


def _yearly(catalogue: Catalogue, chosen: IncomeClass, row: Mapping[str, Any]) -> list[str]:
    """What the year's limits are, from August to July; nothing of them is calculated here."""
    from pipelines.high_cost.limits import yearly_exceptions

    lines = []
    if row["yearly"] is not None:
        lines.append(f"年間上限（8月から翌年7月） {row['yearly']:,}円")
    lines += [
        f"  所得 {lower.border:,}円{lower.side}なら {lower.yearly:,}円（推定: 施行令では未確認）"
        for lower in yearly_exceptions(catalogue, row["treatment_month"], chosen)
    ]
    if row["outpatient"] is not None:
        yearly = f"、年間 {row['outpatient_yearly']:,}円" if row["outpatient_yearly"] is not None else ""
        lines.append(f"外来（個人ごと）の上限 {row['outpatient']:,}円{yearly}")
    return lines
