"""世帯の継続性 (docs/sources.md 3.1): the candidates' people -> facts -> a proposal per candidate. Pure; the rules are data.

A person decides: what the public sources leave open is 要確認 (unclear), never guessed (D-026).
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from pipelines.continuity.criteria import Criteria, Criterion
from pipelines.continuity.facts import CANDIDATE, HOUSEHOLDS, CaseFrames, find_facts, in_words


def judge(people: pl.DataFrame, month: dt.date, own_municipality: str, criteria: Criteria) -> pl.DataFrame:
    """One proposal per candidate.

    people: one row per candidate, side and stay, as in the 継続候補世帯リスト (canonical): candidate_number,
    household_side (before | after), household_municipality_code, household_number, prefecture_insured_id, head_kind,
    joined_on, join_reason, left_on, leave_reason, next_municipality_code. month: its first day. Heads are heads for
    kokuho; a 擬制世帯主 is one.
    Returns: candidate_number, HOUSEHOLDS, moved_on, proposal (continued | not_continued | unclear), rule, title,
    reason, facts_in_words, and a Boolean column per fact of FACTS; in the order of candidate_number.
    """
    facts = find_facts(CaseFrames(people, month, own_municipality, criteria.reasons))
    chosen = [
        pl.when(_holds(criterion)).then(pl.lit(number)).otherwise(None)
        for number, criterion in enumerate(criteria.rules)
    ]
    judged = facts.with_columns(pl.coalesce(chosen).alias("number"))
    judged = _with_words(judged, criteria.rules)
    return _one_to_one(judged, criteria.one_to_one).with_columns(in_words().alias("facts_in_words")).sort(CANDIDATE)


def _holds(criterion: Criterion) -> pl.Expr:
    return pl.all_horizontal(
        pl.lit(True), *[pl.col(fact) if wanted else ~pl.col(fact) for fact, wanted in criterion.facts.items()]
    )


def _with_words(judged: pl.DataFrame, rules: tuple[Criterion, ...]) -> pl.DataFrame:
    words = pl.DataFrame(
        [(n, rule.proposal, rule.rule, rule.title, rule.reason) for n, rule in enumerate(rules)],
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
