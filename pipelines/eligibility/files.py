"""The two 資格情報 files of a day: held back what must be, made, read back, compared. The edge to the outbox folder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from interfaces import codec
from interfaces.messages import RenkeiError
from interfaces.spec import Specification
from pipelines.deployment import Environment
from pipelines.eligibility.changes import Changes, changed_numbers, find_changes
from pipelines.eligibility.holding import held_households, held_list, known_after_sending, split
from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY
from pipelines.exchange.batch import OutboundFile
from pipelines.exchange.ledger.states import EntryState
from pipelines.tables.eligibility import PersonsAtFault
from pipelines.transfer.fingerprint import fingerprint
from pipelines.transfer.sending import Draft, make_draft, publish, require_same
from schemas.findings import Findings, codes_in_words, from_problems, places, without_place
from schemas.validate import Validated, relate

HOUSEHOLD_FILE, INDIVIDUAL_FILE = "eligibility_household", "eligibility_individual"
# Household first: the Union must know a household before it meets its members.
FILES = (HOUSEHOLD_FILE, INDIVIDUAL_FILE)


@dataclass(frozen=True)
class Known:
    """What the Union knows of this municipality: the last sent snapshot. Empty frames before the first sending.

    people, households: `SentPeople`, `SentHouseholds`; in_doubt: whether the Union may hold other facts of them.
    entries: the ledger's numbers of the files that told it.
    """

    partition: dt.date | None
    people: pl.DataFrame
    households: pl.DataFrame
    my_numbers: pl.DataFrame
    entries: tuple[int, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of the three tables together; no 個人番号 can be found from it without all the others."""
        return fingerprint((self.people, self.households, self.my_numbers))


@dataclass(frozen=True)
class Built:
    """The day's files and what they mean.

    before: what they were compared with. sent: what the files hold.
    held: the 要修正 list (holding.held_list). known: the next baseline.
    findings: why persons are held and what was only warned of. counts: changed = changed_sent + changed_held.
    """

    before: Known
    sent: Changes
    held: pl.DataFrame
    files: tuple[OutboundFile, ...]
    known: Known
    findings: pl.DataFrame
    counts: dict[str, int]

    @property
    def warnings(self) -> dict[str, int]:
        """How many findings of each code are only warnings."""
        codes = self.findings.filter(pl.col("level") == "warning")["code"]
        return dict(codes.value_counts().sort("code").rows())


@dataclass(frozen=True)
class Bad:
    """Who breaks a rule (`PersonsAtFault`, each fault once), and the findings that say how."""

    faults: pl.DataFrame
    findings: pl.DataFrame

    @classmethod
    def of(cls, faults: pl.DataFrame) -> Bad:
        """Faults (columns of `PersonsAtFault`, as far as they are there) that no finding explains further."""
        return cls(
            pl.concat([PersonsAtFault.empty(), faults], how="diagonal"),
            Findings.empty(),
        )

    def and_also(self, other: Bad) -> Bad:
        """Both together."""
        faults = pl.concat([self.faults, other.faults], how="diagonal")
        return Bad(faults.unique(), pl.concat([self.findings, other.findings]))

    def __len__(self) -> int:
        """How many persons, and households by themselves, are at fault."""
        of_household = pl.when(pl.col(PERSON_KEY).is_null()).then(pl.col(HOUSEHOLD_KEY)).alias(HOUSEHOLD_KEY)
        return self.faults.select(PERSON_KEY, of_household).n_unique()


@dataclass(frozen=True)
class Register:
    """What the municipality holds on a day: people, households (snapshot.people, snapshot.households), everybody's 個人番号."""

    people: pl.DataFrame
    households: pl.DataFrame
    my_numbers: pl.DataFrame


def build(
    environment: Environment,
    day: dt.date,
    register: Register,
    bad: Bad,
    before: Known,
    accept: Callable[[Known], None] = lambda _: None,
) -> Built:
    """Changes -> the two files in the outbox folder, each read back, validated and compared with its table.

    A person or household that breaks a rule of the outgoing files joins the held and the files are made again. `accept`
    is asked about what the Union would know then, before anything lies in the outbox; it raises to refuse.
    RenkeiError KR-7204 (counts do not add up), KR-7205 (read back differs), KR-7206 (still invalid), KR-6111 (the day
    went out with other bytes already: neither its files nor its snapshot may be replaced).
    """
    making = _Making.of(environment, day, register, before)
    made = _sound(making, no_one().and_also(bad))  # who breaks two rules is one person
    counts = _counts(making.changes, made.sent, made.waiting)
    known = making.known_after(made.held)
    accept(known)
    nothing = _nothing_to_tell(environment, day, made.tables)
    files = () if nothing else _published(environment, day, made.judged)
    findings = pl.concat([made.bad.findings, made.judged.bad.findings])
    listed = held_list(made.waiting, made.bad.faults, register.people, before.people)
    return Built(before, made.sent, listed, files, known, findings, counts)


@dataclass(frozen=True)
class _Judged:
    """Both files and what judging their bytes found: across them (`Findings`), and who is at fault."""

    drafts: tuple[Draft, ...]
    across: pl.DataFrame
    bad: Bad


@dataclass(frozen=True)
class _Made:
    """The day's files when the households of all the `bad` are held: what is sent in which tables, what waits."""

    bad: Bad
    held: pl.Series
    sent: Changes
    waiting: Changes
    tables: Mapping[str, pl.DataFrame]
    judged: _Judged


@dataclass(frozen=True)
class _Making:
    """What the day's files are made of, whoever is held. numbers: everybody's 個人番号, also of who is withdrawn."""

    environment: Environment
    day: dt.date
    before: Known
    now: Known
    changes: Changes
    numbers: pl.DataFrame

    @classmethod
    def of(cls, environment: Environment, day: dt.date, register: Register, before: Known) -> _Making:
        """The changes of a day against what the Union knows."""
        my_numbers = register.my_numbers.join(register.people.select(PERSON_KEY), on=PERSON_KEY, how="semi")
        changed = changed_numbers(before.my_numbers, my_numbers)
        changes = find_changes(before.people, before.households, register.people, register.households, changed, day)
        # A withdrawn person is gone from the extract: his number is the one last sent.
        numbers = pl.concat([my_numbers, before.my_numbers.join(my_numbers, on=PERSON_KEY, how="anti")])
        now = Known(day, register.people, register.households, my_numbers)
        return cls(environment, day, before, now, changes, numbers)

    def without(self, bad: Bad) -> _Made:
        """The files of everybody but the bad and their households."""
        held = held_households(self.before.people, self.now.people, bad.faults)
        sent, waiting = split(self.changes, self.before.people, held)
        tables = {
            HOUSEHOLD_FILE: sent.households,
            INDIVIDUAL_FILE: sent.people.drop("change_kinds").join(self.numbers, on=PERSON_KEY, how="left"),
        }
        return _Made(bad, held, sent, waiting, tables, _make_and_judge(self.environment, self.day, tables))

    def known_after(self, held: pl.Series) -> Known:
        """What the Union knows once the files are in: the next baseline."""
        before, now = self.before, self.now
        return Known(
            self.day,
            known_after_sending(before.people, now.people, PERSON_KEY, held),
            known_after_sending(before.households, now.households, HOUSEHOLD_KEY, held),
            _numbers_known(before, now, held),
        )


def _sound(making: _Making, bad: Bad) -> _Made:
    """The files without the bad, and without everybody at fault in the files that were made so far.

    KR-7206 when a file stays wrong and nobody more can be held for it.
    """
    made = making.without(bad)
    while len(made.judged.bad):
        wider = made.bad.and_also(made.judged.bad)
        if len(wider) == len(made.bad):
            codes = codes_in_words(made.judged.bad.findings["code"])
            report = made.judged.drafts[-1].report
            raise RenkeiError("KR-7206", interface="・".join(FILES), codes=codes, report=report)
        made = making.without(wider)
    return made


def _published(environment: Environment, day: dt.date, judged: _Judged) -> tuple[OutboundFile, ...]:
    """The drafts in the outbox folder. KR-7206, KR-6111 (the day went out with other bytes): nothing is touched then."""
    for draft in judged.drafts:
        draft.require_valid(judged.across)
        require_same(environment, day, draft)
    return tuple(publish(environment, day, draft, judged.across) for draft in judged.drafts)


def _nothing_to_tell(environment: Environment, day: dt.date, tables: Mapping[str, pl.DataFrame]) -> bool:
    """A quiet day on which the specification wants no file, rather than one without records."""
    wants_none = all(environment.specification(interface, day).layout.quiet_day == "no_file" for interface in FILES)
    return wants_none and all(table.is_empty() for table in tables.values())


def _counts(changes: Changes, sent: Changes, waiting: Changes) -> dict[str, int]:
    counts = {
        "changed": changes.changed.height,
        "changed_sent": sent.changed.height,
        "changed_held": waiting.changed.height,
        "people": sent.people.height,
        "households": sent.households.height,
        "held": waiting.people.height,
        "households_held": waiting.households.height,
    }
    if counts["changed"] != counts["changed_sent"] + counts["changed_held"]:
        raise RenkeiError(
            "KR-7204", changed=counts["changed"], sent=counts["changed_sent"], held=counts["changed_held"]
        )
    return counts


def _numbers_known(before: Known, now: Known, held: pl.Series) -> pl.DataFrame:
    """The 個人番号 that the Union has once the files are in: the old ones of the held, today's of all others."""
    in_held = pl.col(HOUSEHOLD_KEY).is_in(held.implode())
    waiting = pl.concat([frame.filter(in_held).select(PERSON_KEY) for frame in (before.people, now.people)])
    old = before.my_numbers.join(waiting, on=PERSON_KEY, how="semi")
    return pl.concat([now.my_numbers.join(waiting, on=PERSON_KEY, how="anti"), old]).sort(PERSON_KEY)


def _make_and_judge(environment: Environment, day: dt.date, tables: Mapping[str, pl.DataFrame]) -> _Judged:
    """Make both files and judge their bytes as a stranger would: whose record breaks a rule, or cannot be written."""
    # Every sending that was taken back has used up a file number of the day.
    recalled = environment.ledger.entries(partition=day, interfaces={HOUSEHOLD_FILE}, states={EntryState.RECALLED})
    header = environment.header(day, len(recalled) + 1)
    with ThreadPoolExecutor(len(FILES)) as pool:
        drafts = tuple(pool.map(lambda one: make_draft(environment, day, one, tables[one], header), FILES))
    bad = no_one()
    for draft in drafts:
        specification = environment.specification(draft.interface, day)
        bad = bad.and_also(_unwritable(draft, specification, tables[draft.interface]))
    across = Findings.empty()
    judged = {draft.interface: draft.validated for draft in drafts if draft.validated is not None}
    if len(bad) == 0:
        across = relate(judged)
        for interface, validated in judged.items():
            findings = pl.concat([validated.findings, across.filter(pl.col("file") == validated.decoded.name)])
            bad = bad.and_also(_broken(interface, validated, findings))
    return _Judged(drafts, across, bad)


def no_one() -> Bad:
    """Nobody is bad."""
    return Bad(PersonsAtFault.empty(), Findings.empty())


def _unwritable(draft: Draft, specification: Specification, data: pl.DataFrame) -> Bad:
    """Those whose values the file cannot hold; agreed substitutes (KR-1022) are only reported."""
    problems = draft.encoded.problems.filter(pl.col("record_kind") == specification.data.kind)
    unwritable = problems.filter(pl.col("code").is_in(codec.UNWRITABLE))
    found = from_problems(problems, specification, draft.name)
    wrong = from_problems(unwritable, specification, draft.name)
    told = wrong.select("code", row="record", told=places(wrong))
    rows = data.with_row_index("row", offset=1).join(told, on="row")
    return Bad(_faults(draft.interface, rows), without_place(found))


def _broken(interface: str, validated: Validated, findings: pl.DataFrame) -> Bad:
    """Those whose records break a rule. What is wrong with the rest of the file nobody can be held for (`publish`)."""
    wrong = findings.filter(pl.col("level") == "record")
    wrong = wrong.select("line", "code", told=places(wrong))
    faults = _faults(interface, validated.data.join(wrong, on="line"))
    # Whoever is at fault is not in the file that is made next, and others stand in his line.
    return Bad(faults, without_place(findings) if faults.height else findings)


def _faults(interface: str, rows: pl.DataFrame) -> pl.DataFrame:
    """`PersonsAtFault` of records with their `code`: of persons in the one file, of households in the other."""
    key = PERSON_KEY if interface == INDIVIDUAL_FILE else HOUSEHOLD_KEY
    empty = PersonsAtFault.empty()
    return pl.concat([empty, rows.select(key, "code", "told").unique()], how="diagonal").select(PersonsAtFault.names())
