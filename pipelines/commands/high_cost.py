"""Commands on counts and limits (`renkei high-cost`)."""

from __future__ import annotations

import datetime as dt

import click
import polars as pl

from interfaces.catalogue import load_catalogue
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


@high_cost.command("limit", help="診療年月の自己負担限度額（世帯）")
@MONTH_OPTION
@click.option("--class", "income_class", required=True, help="所得区分（ア・イ・ウ・エ・オ、現役並みⅢ・…・低所得Ⅰ）")
@click.option("--cost", type=click.IntRange(0, MOST_YEN), required=True, help="医療費総額（円）")
@click.option("--multiple", is_flag=True, help="多数回該当（4回目以降）")
@click.option("--moved-on", type=DATE, help="継続する世帯の県内転居の日（その月は半分。1日付けを除く）")
@with_error_messages
def high_cost_limit(
    month: dt.datetime, income_class: str, cost: int, multiple: bool, moved_on: dt.datetime | None
) -> None:
    """One limit, by the table of its month."""
    from pipelines.high_cost import limits

    if moved_on is not None and moved_on.replace(day=1) != month:
        raise click.UsageError("--moved-on は --month と同じ月の日にしてください（半分になるのは、その月だけです）")
    first, catalogue = month.date(), load_catalogue(catalogue_root())
    table = limits.limit_table(catalogue, first)
    named = {
        c.name: (group, c.meaning) for group in limits.AGE_GROUPS for c in limits.class_codes(catalogue, group, first)
    }
    if income_class not in named:
        raise RenkeiError("KR-7501", month=f"{first:%Y-%m}", income_class=income_class)
    group, meaning = named[income_class]
    case = pl.DataFrame(
        {
            "treatment_month": [first],
            "age_group": [group],
            "income_class": [meaning],
            "total_cost": [cost],
            "is_multiple": [multiple],
            "moved_on": [moved_on.date() if moved_on else None],
        },
        schema_overrides={"moved_on": pl.Date},
    )
    case = case.with_columns(limits.is_halved(pl.col("moved_on"), pl.col("treatment_month")).alias("halved"))
    click.echo(f"{limits.limits(case, table)['limit'][0]:,}円")
