"""世帯の継続性 (domain.md 3.1): the candidates' people -> facts -> a proposal per candidate. Pure; the rules are data.

A human decides: what the public sources leave open is 要確認 (unclear), never guessed (design.md 4 rule 10).
"""

from __future__ import annotations

import datetime as dt

import polars as pl
from dateutil.relativedelta import relativedelta

from pipelines.continuity.criteria import FACTS, Criteria, Criterion

KEY = "candidate_number"
PERSON = "prefecture_insured_id"
HEADS = ("insured_head", "nominal_head")
MOVED_IN, MOVED_OUT, DIED, SAME_HOUSEHOLD = (
    "moved_in_prefecture",
    "moved_out_prefecture",
    "died",
    "household_changed",
)
HOUSEHOLDS = ("old_municipality_code", "old_household_number", "new_household_number")


def month_of(first: dt.date) -> tuple[dt.date, dt.date]:
    """[first day, first day of the next month)."""
    return first, first + relativedelta(months=1)


def judge(people: pl.DataFrame, month: dt.date, own_municipality: str, criteria: Criteria) -> pl.DataFrame:
    """One proposal per candidate.

    people: one row per candidate, side and stay, as the 継続候補世帯リスト holds it (canonical): candidate_number,
    household_side (before | after), household_municipality_code, household_number, prefecture_insured_id, head_kind,
    joined_on, join_reason, left_on, leave_reason, next_municipality_code. month: its first day. Heads are heads for
    kokuho; a 擬制世帯主 is one.
    Returns: candidate_number, HOUSEHOLDS, moved_on, proposal (continued | not_continued | unclear), rule, title,
    reason, facts_in_words, and a Boolean column per fact of FACTS; in the order of candidate_number.
    """
    facts = find_facts(people, month, own_municipality, criteria)
    chosen = [
        pl.when(_holds(criterion)).then(pl.lit(number)).otherwise(None)
        for number, criterion in enumerate(criteria.rules)
    ]
    judged = facts.with_columns(pl.coalesce(chosen).alias("number"))
    judged = _with_words(judged, criteria.rules)
    return _one_to_one(judged, criteria.one_to_one).with_columns(in_words().alias("facts_in_words")).sort(KEY)


def _holds(criterion: Criterion) -> pl.Expr:
    return pl.all_horizontal(
        pl.lit(True), *[pl.col(fact) if wanted else ~pl.col(fact) for fact, wanted in criterion.facts.items()]
    )


def _with_words(judged: pl.DataFrame, rules: tuple[Criterion, ...]) -> pl.DataFrame:
    words = pl.DataFrame(
        [(n, one.proposal, one.rule, one.title, one.reason) for n, one in enumerate(rules)],
        schema={"number": pl.Int32, "proposal": pl.String, "rule": pl.String, "title": pl.String, "reason": pl.String},
        orient="row",
    )
    return judged.join(words, on="number", how="left").drop("number")


def _one_to_one(judged: pl.DataFrame, criterion: Criterion) -> pl.DataFrame:
    """A household that would continue two others, or be continued twice: both candidates are unclear."""
    continued = pl.col("proposal") == "continued"
    shared = pl.any_horizontal(
        (continued & (continued.sum().over(household) > 1)) for household in (list(HOUSEHOLDS[:2]), [HOUSEHOLDS[2]])
    )
    values = {
        "proposal": criterion.proposal,
        "rule": criterion.rule,
        "title": criterion.title,
        "reason": criterion.reason,
    }
    return judged.with_columns(
        pl.when(shared).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )


def find_facts(people: pl.DataFrame, month: dt.date, own_municipality: str, criteria: Criteria) -> pl.DataFrame:
    """What can be seen of each candidate: candidate_number, HOUSEHOLDS, moved_on and the Boolean columns of FACTS.

    moved_on: the first day on which somebody of the old household began in the new one. The households are compared
    as they were on the day before it and at its end.
    """
    first, behind = month_of(month)
    before = people.filter(pl.col("household_side") == "before")
    after = people.filter(pl.col("household_side") == "after")

    def in_month(column: str) -> pl.Expr:
        return ((pl.col(column) >= first) & (pl.col(column) < behind)).fill_null(False)

    arrived = after.filter((pl.col("join_reason") == MOVED_IN) & in_month("joined_on"))
    movers = arrived.join(before.select(KEY, PERSON).unique(), on=[KEY, PERSON], how="semi")
    moves = movers.group_by(KEY).agg(
        pl.col("joined_on").min().alias("moved_on"), (pl.col("joined_on").n_unique() > 1).alias("several_days")
    )
    of_before = before.join(moves.select(KEY, "moved_on"), on=KEY).filter(
        (pl.col("joined_on") < pl.col("moved_on"))
        & (pl.col("left_on").is_null() | (pl.col("left_on") >= pl.col("moved_on")))
    )
    of_after = after.join(moves.select(KEY, "moved_on"), on=KEY).filter(
        (pl.col("joined_on") <= pl.col("moved_on"))
        & (pl.col("left_on").is_null() | (pl.col("left_on") > pl.col("moved_on")))
    )
    is_head = pl.col("head_kind").is_in(HEADS)
    head_before, head_after = of_before.filter(is_head), of_after.filter(is_head)
    concerned = pl.concat([frame.select(KEY, PERSON) for frame in (movers, head_before, head_after)]).unique()

    departed = before.filter((pl.col("leave_reason") == MOVED_OUT) & in_month("left_on"))
    nameless = pl.concat([frame.select(KEY, PERSON) for frame in (departed, arrived, head_before, head_after)]).filter(
        pl.col(PERSON).is_null()
    )
    joined_up = movers.select(KEY, PERSON, "joined_on").join(
        before.filter(pl.col("leave_reason") == MOVED_OUT).select(KEY, PERSON, "left_on", "next_municipality_code"),
        left_on=[KEY, PERSON, "joined_on"],
        right_on=[KEY, PERSON, "left_on"],
        how="left",
        coalesce=False,
    )
    newcomers = of_after.join(of_before.select(KEY, PERSON), on=[KEY, PERSON], how="anti")
    leavers = of_before.join(of_after.select(KEY, PERSON), on=[KEY, PERSON], how="anti")
    on_the_day = pl.col("joined_on") == pl.col("moved_on")
    left_on_the_day = pl.col("left_on") == pl.col("moved_on")
    came_new = on_the_day & pl.col("join_reason").is_in(criteria.named_joins)
    increase = came_new & (pl.col("head_kind") != "nominal_head")
    decrease = (left_on_the_day & pl.col("leave_reason").is_in(criteria.named_leaves)).fill_null(False)
    single = (pl.col("heads_before") == 1) & (pl.col("heads_after") == 1)
    heads = _heads(head_before, "before").join(_heads(head_after, "after"), on=KEY, how="full", coalesce=True)

    sets = {
        "unlinked": nameless,
        "period_disagrees": joined_up.filter(pl.col("left_on").is_null()),
        "destination_differs": joined_up.filter(pl.col("next_municipality_code") != own_municipality),
        "moves_twice": pl.concat(
            [
                before.filter((pl.col("join_reason") == MOVED_IN) & in_month("joined_on")).select(KEY, PERSON),
                after.filter((pl.col("leave_reason") == MOVED_OUT) & in_month("left_on")).select(KEY, PERSON),
            ]
        ).join(concerned, on=[KEY, PERSON], how="semi"),
        "lost_and_acquired": _lost_and_acquired(
            people.join(concerned, on=[KEY, PERSON], how="semi"), in_month("left_on"), in_month("joined_on")
        ),
        "head_died_on_the_way": head_before.filter(
            (pl.col("leave_reason") == DIED)
            & pl.col("left_on").is_between(pl.col("moved_on"), pl.col("moved_on").dt.offset_by("1d"))
        ),
        "head_unclear": moves.join(heads.filter(single), on=KEY, how="anti"),
        "same_head": heads.filter(single & (pl.col("head_before") == pl.col("head_after"))),
        "head_was_member": head_after.join(of_before.select(KEY, PERSON), on=[KEY, PERSON], how="semi"),
        "head_came_new": newcomers.filter(came_new).join(head_after.select(KEY, PERSON), on=[KEY, PERSON], how="semi"),
        "increased": newcomers.filter(increase),
        "decreased": leavers.filter(decrease),
        "unnamed_reason": pl.concat(
            [
                newcomers.filter(on_the_day & pl.col("join_reason").is_in(criteria.unnamed_joins)).select(KEY),
                leavers.filter(left_on_the_day & pl.col("leave_reason").is_in(criteria.unnamed_leaves)).select(KEY),
            ]
        ),
        "foreign": newcomers.filter(~increase),
        "left_behind": leavers.filter(~decrease),
    }
    candidates = _households(before, after).join(moves, on=KEY, how="left")
    elsewhere = pl.col("old_municipality_code").str.slice(0, 2) != own_municipality[:2]
    return candidates.with_columns(
        elsewhere.fill_null(False).alias("other_prefecture"),
        pl.col("moved_on").is_null().alias("no_mover"),
        pl.col("several_days").fill_null(False),
        *[pl.col(KEY).is_in(found[KEY].unique().implode()).alias(fact) for fact, found in sets.items()],
    ).select(KEY, *HOUSEHOLDS, "moved_on", *FACTS)


def _households(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The two households of each candidate."""
    old = before.group_by(KEY).agg(
        pl.col("household_municipality_code").first().alias(HOUSEHOLDS[0]),
        pl.col("household_number").first().alias(HOUSEHOLDS[1]),
    )
    new = after.group_by(KEY).agg(pl.col("household_number").first().alias(HOUSEHOLDS[2]))
    return old.join(new, on=KEY, how="full", coalesce=True)


def _heads(heads: pl.DataFrame, side: str) -> pl.DataFrame:
    return heads.group_by(KEY).agg(
        pl.col(PERSON).n_unique().alias(f"heads_{side}"), pl.col(PERSON).first().alias(f"head_{side}")
    )


def _lost_and_acquired(people: pl.DataFrame, left: pl.Expr, joined: pl.Expr) -> pl.DataFrame:
    """Who lost the 資格 in the month and began again in it, on or after that day."""
    lost = left & ~pl.col("leave_reason").is_in([MOVED_OUT, SAME_HOUSEHOLD])
    return (
        people.group_by(KEY, PERSON)
        .agg(
            pl.col("left_on").filter(lost).min().alias("lost_on"),
            pl.col("joined_on").filter(joined).max().alias("again_on"),
        )
        .filter(pl.col("again_on") >= pl.col("lost_on"))
    )


def in_words() -> pl.Expr:
    """The facts that hold, in Japanese, for the person who decides."""
    redundant = {"head_was_member": pl.col("same_head")}
    named = [
        pl.when(pl.col(fact) & ~redundant.get(fact, pl.lit(False))).then(pl.lit(text)) for fact, text in FACTS.items()
    ]
    day = pl.format("異動日 {}", pl.col("moved_on").dt.strftime("%Y-%m-%d"))
    head = pl.when(~pl.col("same_head") & ~pl.col("head_unclear") & pl.col("moved_on").is_not_null()).then(
        pl.lit("世帯主が違う人")
    )
    return pl.concat_str([day, *named, head], separator="。", ignore_nulls=True)
