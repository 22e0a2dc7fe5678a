"""Our judgement and counts against the brute-force oracle, on random prefectures. A long run is `make test-long`."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Callable, Iterator

import polars as pl
import pytest
from hypothesis import HealthCheck, given, seed, settings

from fixtures.oracle.candidates import candidate_rows, candidates
from fixtures.oracle.continuity import continued_households, proposals
from fixtures.oracle.counts import Continued
from fixtures.oracle.counts import counts as oracle_counts
from fixtures.oracle.history import History
from fixtures.oracle.prefectures import MONTH, MUNICIPALITIES, OURS, prefectures
from interfaces.catalogue import load_catalogue
from pipelines.continuity.criteria import load_criteria
from pipelines.continuity.judgement import judge
from pipelines.high_cost.counts import counted_months, counts, handed_over_months, qualifying_months
from pipelines.high_cost.history import wanted_history

EXAMPLES = int(os.environ.get("RENKEI_PREFECTURES", "400"))
MANY = 1000  # and more are drawn at random
SEED = 4  # of which 400 prefectures reach every rule
SCHEMA = {
    "candidate_number": pl.String,
    "household_side": pl.String,
    "household_municipality_code": pl.String,
    "household_number": pl.String,
    "prefecture_insured_id": pl.String,
    "head_kind": pl.String,
    "joined_on": pl.Date,
    "join_reason": pl.String,
    "left_on": pl.Date,
    "leave_reason": pl.String,
    "next_municipality_code": pl.String,
}
# What was never reached was never compared.
REACHABLE = {
    "U1", "U3", "U4", "U5", "U6", "U7", "U8", "U9", "U10", "U11", "A1", "A2", "A3", "A4", "B1", "B2", "D1",
}  # fmt: skip


def ours_and_theirs(compared: Callable[[History], None]) -> Callable[[], None]:
    """The comparison, of EXAMPLES prefectures; the same ones every time when they are few."""
    chosen = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    drawn: Callable[[], None] = chosen(given(prefectures())(compared))
    return drawn if EXAMPLES > MANY else seed(SEED)(drawn)


def listed(history: History) -> pl.DataFrame:
    """The Union's list of a truth, in the columns of the interface."""
    rows = candidate_rows(history, OURS, MONTH)
    return pl.DataFrame(
        [
            {"household_side": row["side"], "household_municipality_code": row["municipality_code"]} | row
            for row in rows
        ],
        schema=SCHEMA,
    )


def test_proposals_are_the_oracles_and_every_rule_is_reached() -> None:
    reached: Counter[str] = Counter()

    @ours_and_theirs
    def compared(history: History) -> None:
        reached.update(rules_of_compared(history))

    compared()
    assert set(reached) >= REACHABLE
    print(f"\n{EXAMPLES} prefectures: {dict(sorted(reached.items()))}")  # shown by `make test-long`


def rules_of_compared(history: History) -> list[str]:
    """The rules of our proposals, which are the oracle's."""
    found = judge(listed(history), MONTH, OURS, load_criteria(load_catalogue(), MONTH))
    numbers = {f"{number:06d}": key for number, key in enumerate(candidates(history, OURS, MONTH), 1)}
    proposed = {numbers[number]: proposal for number, proposal in found.select("candidate_number", "proposal").rows()}
    assert proposed == proposals(history, OURS, MONTH)
    return found["rule"].to_list()


def extract(history: History, municipality: str, as_of: dt.date) -> pl.DataFrame:
    """A municipality's benefit extract as of a day: of every decision, the last one made."""
    state = {}
    for benefit in sorted(history.benefits, key=lambda benefit: benefit.decided_on):
        if benefit.municipality == municipality and benefit.decided_on <= as_of:
            key = (benefit.household, benefit.resident, benefit.treatment_month, benefit.outpatient_only)
            state[key] = benefit
    return pl.DataFrame(
        [
            (
                benefit.household,
                f"{benefit.treatment_month:%Y-%m}",
                "yes" if benefit.outpatient_only else "no",
                str(benefit.amount),
            )
            for benefit in state.values()
        ],
        schema=dict.fromkeys(("household_number", "treatment_month", "outpatient_only", "high_cost_amount"), pl.String),
        orient="row",
    )


def carried(history: History, continued: list[Continued], as_of: dt.date) -> dict[str, pl.DataFrame]:
    """The counted months of every municipality, after the old ones sent their history and ours took it over."""
    own = {code: qualifying_months(extract(history, code, as_of)) for code in MUNICIPALITIES}
    nothing = pl.DataFrame(schema={"household_number": pl.String, "treatment_month": pl.Date, "source": pl.String})
    stayed = pl.DataFrame(schema={"household_number": pl.String, "until": pl.Date})
    handovers = []
    for number, (old, household, _, new_household, moved_on) in enumerate(continued):
        moved_out = pl.DataFrame({"household_number": [household], "moved_out_on": [moved_on]})
        history_sent = wanted_history(counted_months(own[old], nothing, stayed), moved_out)
        handovers += [
            {
                "sequence": number,
                "new_household_number": new_household,
                "old_municipality_code": old,
                "old_household_number": household,
                "treatment_month": f"{month:%Y-%m}",
                "update_kind": "added",
            }
            for month in history_sent["treatment_month"]
        ]
    handed_over = handed_over_months(pl.DataFrame(handovers)) if handovers else nothing
    found = {}
    for code in MUNICIPALITIES:
        gone = [(h, moved_on.replace(day=1)) for old, h, _, _, moved_on in continued if old == code]
        left = pl.DataFrame(gone, schema={"household_number": pl.String, "until": pl.Date}, orient="row")
        found[code] = counted_months(own[code], handed_over if code == OURS else nothing, left)
    return found


@pytest.mark.slow
def test_counts_are_the_oracles_for_every_household_and_month() -> None:
    reached: Counter[str] = Counter()

    @ours_and_theirs
    def compared(history: History) -> None:
        reached.update(kinds_of_compared_counts(history))

    compared()
    assert set(reached) == {"multiple", "single"}
    print(f"\n{EXAMPLES} prefectures: {dict(sorted(reached.items()))}")  # shown by `make test-long`


def kinds_of_compared_counts(history: History) -> Iterator[str]:
    """Whether each count is 多数回該当; all are the oracle's."""
    continued = list(continued_households(history, OURS, MONTH))
    households = {(membership.municipality, membership.household) for membership in history.memberships} | {
        (benefit.municipality, benefit.household) for benefit in history.benefits
    }
    for as_of in (dt.date(2026, 5, 1), dt.date(2027, 6, 1)):
        counted = carried(history, continued, as_of)
        for distance in range(12):
            month = (MONTH + dt.timedelta(days=31 * distance)).replace(day=1)
            by_municipality = {
                code: {row[0]: row[2:] for row in counts(counted[code], month).rows()} for code in MUNICIPALITIES
            }
            for code, household in households:
                wanted = oracle_counts(history, continued, code, household, month, as_of)
                assert by_municipality[code].get(household, (0, False)) == (len(wanted.months), wanted.is_multiple)
                yield "multiple" if wanted.is_multiple else "single"
