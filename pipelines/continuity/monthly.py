"""The monthly cycle of continuity as steps: worksheet -> decisions -> instruction -> results. `receiving` applies the files.

Connects the pure decisions with store, ledger and server; a month is given by its first day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from dateutil.relativedelta import relativedelta

from interfaces.messages import RenkeiError
from interfaces.private import private_folder
from pipelines.configuration.calendar import business_days_between, monthly_days
from pipelines.continuity import decisions
from pipelines.continuity.cases import FINGERPRINT, cases
from pipelines.continuity.criteria import load_criteria
from pipelines.continuity.facts import CANDIDATE, HOUSEHOLDS, INSURED_ID
from pipelines.continuity.interfaces import CANDIDATES, HANDOVER, INTERFACES, RESULT
from pipelines.continuity.judgement import judge
from pipelines.continuity.lists import Paper, candidates_page, instruction_page, results_page
from pipelines.continuity.receiving import stored
from pipelines.continuity.reconcile import NOT_LISTED, Reconciled, arrivals_not_listed, reconcile
from pipelines.continuity.words import Words
from pipelines.continuity.worksheet import (
    EARLIER,
    PROPOSALS,
    FilledWorksheet,
    Problem,
    Worksheet,
    load_marks,
    write_worksheet,
)
from pipelines.deployment import Environment
from pipelines.exchange.batch import Batch, OutboundFile, SendOutcome
from pipelines.exchange.ledger.states import POSSIBLY_OUT_STATES, TERMINAL_OUTBOUND_STATES, EntryState, LedgerEvent
from pipelines.storage.files import write_durably
from pipelines.tables.continuity import AskedArrivals, KnownIds
from pipelines.transfer import erased
from pipelines.transfer.baseline import first_month_sent, people_sent
from pipelines.transfer.sending import checked_file, send
from schemas.rules.handed_over import WINDOW_BEFORE

INSTRUCTION = "continuity_instruction"
DISCREPANCIES = "continuity_discrepancies"
WORD_TABLES = ("head_kind", "application_reason", "end_reason")
NOT_SENT = "not_sent"
INSTRUCTION_STATES = {NOT_SENT: "未送付", EntryState.SENT: "送付済み", EntryState.ACCEPTED: "受付済み"}


def names_of(environment: Environment, on: dt.date) -> pl.DataFrame:
    """The persons with a 都道府県被保険者ID at the end of a day: prefecture_insured_id, resident_number, name."""
    days = [day for day in environment.store.partitions("linkage_state") if day <= on.isoformat()]
    if not days:
        return KnownIds.empty()
    ids = environment.store.read("linkage_state", days[-1]).select("resident_number", INSURED_ID)
    people = people_sent(environment, on).select("resident_number", "name")
    return ids.filter(pl.col(INSURED_ID).is_not_null()).join(people, on="resident_number").select(KnownIds.names())


def build_cases(environment: Environment, month: dt.date) -> pl.DataFrame:
    """The month's candidates with proposals and in words (see `cases.cases`). KR-7418 before a list arrived, KR-7210 when
    retention has erased it."""
    require_kept(environment, month)
    if not environment.store.exists(CANDIDATES, month.isoformat()):
        raise RenkeiError("KR-7418", month=f"{month:%Y-%m}")
    people = stored(environment, CANDIDATES, month)
    own = environment.settings.municipality_code
    proposals = judge(people, month, own, load_criteria(environment.catalogue, month))
    specification = environment.specification(CANDIDATES, month)
    words = {table: specification.codes_on(table, month) for table in WORD_TABLES}
    on = monthly_days(environment.catalogue, month).cut_off
    return cases(people, proposals, names_of(environment, on), words)


def require_kept(environment: Environment, month: dt.date) -> None:
    """KR-7210 when retention has erased the tables of a month."""
    erased.require_kept(environment, month, (*INTERFACES, "handover_taken", DISCREPANCIES), (*INTERFACES, INSTRUCTION))


def worksheet_path(environment: Environment, month: dt.date) -> Path:
    """The path of the month's worksheet."""
    return environment.settings.clerks / f"継続世帯判定表_{month:%Y-%m}.xlsx"


def drop_folder(environment: Environment) -> Path:
    """Where clerks leave filled worksheets (see the module of this name)."""
    return environment.settings.clerks / "取込"


def list_path(environment: Environment, name: str, month: dt.date) -> Path:
    """The path of a printed list."""
    return environment.settings.clerks / f"{name}_{month:%Y-%m}.html"


def _paper(environment: Environment, month: dt.date) -> Paper:
    """What the printed lists of a month say at their head."""
    own = environment.settings.municipality_code
    return Paper(month, own, Words.of(environment.catalogue, month), environment.clock())


@dataclass(frozen=True)
class MadeWorksheet:
    """A worksheet of a month and its cases. was_kept: a book of exactly these cases existed, filled in or not."""

    path: Path
    cases: pl.DataFrame
    was_kept: bool

    def lines(self) -> list[str]:
        """The path of the worksheet, and which book was kept or renamed, in lines for people."""
        kept = ["  前からある判定表を、書き込みも含めてそのまま残しました"] if self.was_kept else []
        earlier = sorted(self.path.parent.glob(f"{self.path.stem}{EARLIER}*"))
        earlier_lines = [f"  候補が変わる前の判定表（書き込みはここにあります）: {book.name}" for book in earlier]
        return [f"判定表 {self.path}", *kept, *earlier_lines]


def make_worksheet(environment: Environment, month: dt.date, path: Path | None = None) -> MadeWorksheet:
    """Write the worksheet and the 継続候補世帯リスト of a month."""
    found = build_cases(environment, month)
    target = path or worksheet_path(environment, month)
    own = environment.settings.municipality_code
    before = target.read_bytes() if target.is_file() else None
    private_folder(drop_folder(environment))
    words, due = Words.of(environment.catalogue, month), monthly_days(environment.catalogue, month).instruction_until
    write_worksheet(target, Worksheet(found, month, own, due, words))
    page = candidates_page(found, _paper(environment, month))
    write_durably(list_path(environment, "継続候補世帯リスト", month), page.encode())
    return MadeWorksheet(target, found, before is not None and target.read_bytes() == before)


def decided(environment: Environment, month: dt.date) -> pl.DataFrame:
    """The newest decision on each candidate of a month (`Decisions`)."""
    with environment.ledger.viewing() as view:
        return decisions.current(view, month)


@dataclass(frozen=True)
class Imported:
    """The outcome of importing a worksheet: how many decisions are new (0: imported before), or what must be corrected."""

    month: dt.date
    new: int
    problems: list[Problem]


def import_worksheet(environment: Environment, path: Path, left_by: str | None = None) -> Imported:
    """Import the decisions of a filled worksheet, all or none; earlier decisions stay readable.

    left_by: the account that owns the file, when it was found in the clerks' folder and not named by an operator.
    KR-7401/7402/7418 when it is no worksheet; KR-7417 when the instruction was sent and a decision differs.
    """
    worksheet = FilledWorksheet.read(path)
    month = worksheet.month
    found = build_cases(environment, month)
    answers, problems = worksheet.answers(
        found, load_marks(environment.catalogue, month), Words.of(environment.catalogue, month)
    )
    if problems:
        return Imported(month, 0, problems)
    before = {row[CANDIDATE]: row for row in decided(environment, month).iter_rows(named=True)}
    facts = {row[CANDIDATE]: row for row in found.iter_rows(named=True)}
    now = environment.ledger.now().isoformat()
    rows = []
    for answer in answers:
        case = facts[answer.candidate_number]
        row = {
            "month": month,
            CANDIDATE: answer.candidate_number,
            **{name: case[name] for name in (*HOUSEHOLDS, "moved_on")},
            "proposal": case["proposal"],
            "rule": case["rule"],
            "decision": answer.decision,
            "remark": answer.remark,
            "decided_by": answer.decided_by,
            "approved_by": answer.approved_by,
            FINGERPRINT: case[FINGERPRINT],
        }
        earlier = before.get(answer.candidate_number)
        if earlier is None or any(earlier[name] != value for name, value in row.items()):
            rows.append(
                row | {"worksheet_sha256": worksheet.sha256, "at": now, "operator": environment.settings.operator}
            )
    _require_open(
        environment,
        month,
        [str(r[CANDIDATE]) for r in rows if before.get(str(r[CANDIDATE]), {}).get("decision") != r["decision"]],
    )
    origin: dict[str, Any] = {} if left_by is None else {"left_by": left_by}
    with environment.recorder().transaction() as work:
        kept = decisions.add(work.connection, rows)
        work.append_event(
            LedgerEvent.WORKSHEET_IMPORTED,
            month=month,
            worksheet_sha256=worksheet.sha256,
            decisions=len(answers),
            new=len(rows),
            rows=list(kept),
            rows_sha256=decisions.digest(work.connection, *kept),
            **origin,
        )
    return Imported(month, len(rows), [])


def _require_open(environment: Environment, month: dt.date, candidates: list[str]) -> None:
    """KR-7417 when decisions change after the instruction may have reached the Union."""
    entry = environment.ledger.current_entries(month, {INSTRUCTION}).get(INSTRUCTION)
    if candidates and entry is not None and entry.state in POSSIBLY_OUT_STATES:
        raise RenkeiError("KR-7417", month=f"{month:%Y-%m}", candidates="、".join(candidates))


def settled(environment: Environment, month: dt.date) -> pl.DataFrame:
    """The decisions of a month, when every candidate has one based on the present facts; KR-7419 when not."""
    found, made = build_cases(environment, month), decided(environment, month)
    open_cases = found.join(made, on=[CANDIDATE, FINGERPRINT], how="anti")
    if open_cases.height:
        raise RenkeiError("KR-7419", month=f"{month:%Y-%m}", count=open_cases.height)
    return made.join(found, on=[CANDIDATE, FINGERPRINT], how="semi")


def why_not_instructed(state: Status) -> RenkeiError:
    """Why a month's 確定指示 cannot be made yet: no list (KR-7418), or candidates without a decision (KR-7419)."""
    month = f"{state.month:%Y-%m}"
    if not state.listed:
        return RenkeiError("KR-7418", month=month)
    return RenkeiError("KR-7419", month=month, count=state.undecided)


def build_instruction(environment: Environment, month: dt.date) -> tuple[OutboundFile | None, pl.DataFrame]:
    """The 確定指示 of the approved decisions, validated and in the outbox, with the decisions that it contains.

    No file when there is nothing to instruct, or when the interface is switched off: then the page for typing is made.
    """
    made = settled(environment, month).filter(pl.col("decision") != "postponed")
    page = instruction_page(made, _paper(environment, month))
    write_durably(list_path(environment, "継続世帯確定指示_入力用", month), page.encode())
    if made.is_empty() or INSTRUCTION in environment.settings.switched_off_interfaces:
        return None, made
    judged_on = pl.col("at").str.slice(0, 10).str.to_date("%Y-%m-%d")
    data = made.select(
        CANDIDATE,
        *HOUSEHOLDS,
        pl.col("decision").alias("continuity_decision"),
        "moved_on",
        judged_on.alias("judged_on"),
    )
    last_day: dt.date = made.select(judged_on.max()).item()
    return checked_file(environment, INSTRUCTION, month, data, environment.monthly_header(month, last_day)), made


def send_instruction(
    environment: Environment, month: dt.date, file: OutboundFile | None, run_id: str | None = None
) -> SendOutcome:
    """Send the month's 確定指示, or record that there is none to send."""
    if file is None:
        typed = INSTRUCTION in environment.settings.switched_off_interfaces
        action = LedgerEvent.INSTRUCTION_FOR_TYPING if typed else LedgerEvent.NO_INSTRUCTION
        environment.recorder(run_id).append_event(action, month=month)
        return SendOutcome("nothing_to_send", ())
    return send(environment, Batch(month, (file,), carried_by_later=False), run_id)


def reconciled(environment: Environment, month: dt.date, *, due: bool = True) -> Reconciled:
    """The month's results and handovers reconciled with the decisions and with what earlier months confirmed.

    due: whether results are expected already; before that no instruction counts as unanswered.
    """
    earlier = [name for name in environment.store.partitions("handover_taken") if name < month.isoformat()]
    before = [environment.store.read("handover_taken", name) for name in earlier]
    confirmed = [stored(environment, RESULT, dt.date.fromisoformat(name)) for name in earlier]
    handovers, results = stored(environment, HANDOVER, month), stored(environment, RESULT, month)
    own = environment.settings.municipality_code
    continued = pl.concat([results.head(0), *confirmed], how="diagonal_relaxed").filter(
        (pl.col("continuity_outcome") == "continued") & (pl.col("new_municipality_code") == own)
    )
    instructed = decided(environment, month)
    found = reconcile(
        instructed if due else instructed.head(0),
        results,
        handovers,
        pl.concat([handovers.head(0), *before], how="diagonal_relaxed"),
        continued,
        own,
    )
    return Reconciled(
        found.accepted_handovers, found.gone, pl.concat([found.discrepancies, unlisted(environment, month)])
    )


def unlisted(environment: Environment, month: dt.date) -> pl.DataFrame:
    """Arrivals from within the prefecture that no candidates list names (KR-8207), each asked once; also late notifications.

    An arrival is relevant as long as a month handed over for it could count.
    """
    began = min(first_month_sent(environment) or month, month)
    back = [month - relativedelta(months=number) for number in range(WINDOW_BEFORE, -1, -1)]
    months = [listed_month for listed_month in back if listed_month >= began]
    people = people_sent(environment, monthly_days(environment.catalogue, month).cut_off)
    listed = [
        stored(environment, CANDIDATES, listed_month).select(
            "household_side", "household_number", pl.lit(listed_month).alias("month")
        )
        for listed_month in months
    ]
    asked = [
        environment.store.read(DISCREPANCIES, listed_month.isoformat())
        .filter(pl.col("code") == NOT_LISTED)
        .select(
            pl.col("new_household_number").alias("household_number"),
            pl.col("ours").str.to_date("%Y-%m-%d").alias("applied_on"),
        )
        for listed_month in months[:-1]
        if environment.store.exists(DISCREPANCIES, listed_month.isoformat())
    ]
    end = month + relativedelta(months=1)
    return arrivals_not_listed(people, pl.concat(listed), pl.concat([AskedArrivals.empty(), *asked]), months[0], end)


def write_results_page(environment: Environment, month: dt.date, handovers: pl.DataFrame) -> Path:
    """The 継続世帯確定リスト of a month."""
    words = {
        key: "、".join(environment.catalogue.calendar.month(dt.date.fromisoformat(f"{one}-01")) for one in treated)
        for key, treated in handovers.filter(pl.col("update_kind") != "withdrawn")
        .sort("treatment_month")
        .group_by(CANDIDATE, maintain_order=True)
        .agg("treatment_month")
        .iter_rows()
    }
    path = list_path(environment, "継続世帯確定リスト", month)
    page = results_page(stored(environment, RESULT, month), words, _paper(environment, month))
    write_durably(path, page.encode())
    return path


@dataclass(frozen=True)
class Status:
    """The progress of a month. waiting_days: business days that undecided candidates have waited (None: nothing waits)."""

    month: dt.date
    listed: bool
    proposals: dict[str, int]
    decided: int
    undecided: int
    postponed: int
    instruction: str
    results: int
    handed_over: int
    discrepancies: int
    candidates_on: dt.date
    instruction_until: dt.date
    waiting_days: int | None

    def lines(self) -> list[str]:
        """The progress in words, for the command line and the UI."""
        if not self.listed:
            return [f"{self.month:%Y-%m}: 継続候補世帯リストはまだ届いていません（配信日 {self.candidates_on}）"]
        counted = "、".join(f"{PROPOSALS[name]} {count}件" for name, count in self.proposals.items() if count)
        lines = [
            f"{self.month:%Y-%m}: 候補 {sum(self.proposals.values())}件（{counted or '0件'}）",
            f"判定済み {self.decided}件（うち保留 {self.postponed}件）、判定待ち {self.undecided}件",
            f"確定指示: {INSTRUCTION_STATES.get(self.instruction, '送付の途中')}（期限 {self.instruction_until}）",
            f"確定結果 {self.results}件、引き継いだ月 {self.handed_over}件、問い合わせ {self.discrepancies}件",
        ]
        if self.waiting_days is not None:
            lines.insert(2, f"担当者の判定を{self.waiting_days}営業日待っています（{self.candidates_on} から）")
        return lines


def status(environment: Environment, month: dt.date, today: dt.date) -> Status:
    """The progress of a month on a day (Asia/Tokyo). KR-7210 when retention has erased it."""
    require_kept(environment, month)
    days = monthly_days(environment.catalogue, month)
    listed = environment.store.exists(CANDIDATES, month.isoformat())
    found = build_cases(environment, month) if listed else None
    made = decided(environment, month)
    current = made.join(found, on=[CANDIDATE, FINGERPRINT], how="semi") if found is not None else made.head(0)
    undecided = (found.height if found is not None else 0) - current.height
    counts = dict.fromkeys(PROPOSALS, 0) | (dict(found["proposal"].value_counts().rows()) if found is not None else {})
    entry = environment.ledger.current_entries(month, {INSTRUCTION}).get(INSTRUCTION)
    sent = entry.state if entry is not None and entry.state not in TERMINAL_OUTBOUND_STATES else NOT_SENT
    due = today >= days.result_on or environment.store.exists(RESULT, month.isoformat())
    outcome = reconciled(environment, month, due=due)
    own = pl.col("new_municipality_code") == environment.settings.municipality_code
    results = stored(environment, RESULT, month).filter(own)
    return Status(
        month,
        listed,
        counts,
        current.height,
        undecided,
        current.filter(pl.col("decision") == "postponed").height,
        sent,
        results.height,
        outcome.accepted_handovers.height,
        outcome.discrepancies.height,
        days.candidates_on,
        days.instruction_until,
        business_days_between(days.candidates_on, today) if undecided else None,
    )


def as_table(found: pl.DataFrame) -> list[dict[str, Any]]:
    """Counts of proposals by rule, for metadata: never a person."""
    counted = found.group_by("rule", "title", "proposal").agg(pl.len().alias("count")).sort("rule")
    return counted.to_dicts()
