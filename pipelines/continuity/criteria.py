"""The criteria of 世帯の継続性 as data: which facts lead to which proposal, with its texts. Judges nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from pipelines.continuity.facts import FACTS, Reasons

Proposal = Literal["continued", "not_continued", "unclear"]
ALWAYS, ONE_TO_ONE, UNDECIDED = "always", "one_to_one_broken", "undecided_reason"
TREATMENTS = ("named", "unnamed", "moved")


@dataclass(frozen=True)
class Criterion:
    """One rule. `facts`: fact -> whether it must be true; all together lead to `proposal`. Japanese title and reason."""

    rule: str
    facts: Mapping[str, bool]
    proposal: Proposal
    title: str
    reason: str
    source: str


@dataclass(frozen=True)
class Criteria:
    """The criteria in force: the rules in order, the rule about one-to-one, and the reasons that the facts use."""

    rules: tuple[Criterion, ...]
    one_to_one: Criterion
    reasons: Reasons


def _conditions(text: str) -> dict[str, bool]:
    parts = [part.strip() for part in text.split("&")]
    return {part.removeprefix("!"): not part.startswith("!") for part in parts if part not in (ALWAYS, ONE_TO_ONE)}


def load_criteria(catalogue: Catalogue, on: dt.date) -> Criteria:
    """The criteria in force on a day, from `continuity/criteria.csv` and `continuity/reasons.csv`.

    A prefecture's 国保運営方針 may differ: it adds rows with its own dates (docs/sources.md 3.1). KR-7108 when a row names an
    unknown fact, proposal or treatment of a reason, when the last rule is not unconditional, or when a rule continues a
    household before one says that an undecided reason is unclear.
    """
    rows = sorted(catalogue.table("continuity/criteria", on), key=lambda row: row.integer("順"))
    rules = {
        row["条件"]: Criterion(
            row["規則"],
            _conditions(row["条件"]),
            row["判定"],  # type: ignore[arg-type]
            row["題"],
            row["理由"],
            row["出典"],
        )
        for row in rows
    }
    for condition, criterion in rules.items():
        unknown = sorted(set(criterion.facts) - set(FACTS))
        if unknown or criterion.proposal not in get_args(Proposal):
            raise RenkeiError("KR-7108", rule=criterion.rule, problem=f"{condition} {criterion.proposal}")
    one_to_one = rules.pop(ONE_TO_ONE, None)
    if one_to_one is None or ALWAYS not in rules or list(rules)[-1] != ALWAYS:
        raise RenkeiError("KR-7108", rule="—", problem=f"{ONE_TO_ONE} か、最後の {ALWAYS} がありません")
    _require_undecided_first(rules)
    reasons = catalogue.table("continuity/reasons", on)
    if strange := [row for row in reasons if row["扱い"] not in TREATMENTS]:
        raise RenkeiError(
            "KR-7108", rule=strange[0]["事由"], problem=f"扱い {strange[0]['扱い']}（{'・'.join(TREATMENTS)}）"
        )

    def of(side: str, treatment: str) -> frozenset[str]:
        return frozenset(row["事由"] for row in reasons if (row["側"], row["扱い"]) == (side, treatment))

    return Criteria(
        tuple(rules.values()),
        one_to_one,
        Reasons(
            named_joins=of("join", "named"),
            named_leaves=of("leave", "named"),
            unnamed_joins=of("join", "unnamed"),
            unnamed_leaves=of("leave", "unnamed"),
            moved_joins=of("join", "moved"),
            moved_leaves=of("leave", "moved"),
        ),
    )


def _require_undecided_first(rules: Mapping[str, Criterion]) -> None:
    """Nothing is continued while nobody has decided what a reason means."""
    for condition, criterion in rules.items():
        if condition == UNDECIDED and criterion.proposal == "unclear":
            return
        if criterion.proposal == "continued":
            break
    raise RenkeiError(
        "KR-7108", rule="—", problem=f"継続とする規則より前に、{UNDECIDED} を unclear とする規則がありません"
    )
