"""The two 資格情報 files of a day: invalid households withheld, composed, read back, validated, and put into the outbox."""

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
from pipelines.eligibility.carrying import carried, with_new_items
from pipelines.eligibility.changes import Changes, changed_numbers, find_changes
from pipelines.eligibility.snapshot import HOUSEHOLD_KEY, PERSON_KEY
from pipelines.eligibility.withholding import (
    snapshot_after_sending,
    split,
    withheld_households,
    withheld_list,
)
from pipelines.exchange.batch import OutboundFile
from pipelines.exchange.ledger.states import EntryState
from pipelines.tables.eligibility import TOLD, PersonsAtFault
from pipelines.transfer.fingerprint import fingerprint
from pipelines.transfer.sending import Draft, make_draft, publish, require_same
from schemas.findings import Findings, codes_in_words, from_problems, without_place
from schemas.validate import Validated, relate

HOUSEHOLD_FILE, INDIVIDUAL_FILE = "eligibility_household", "eligibility_individual"
# Household first: the Union must know a household before it meets its members.
FILES = (HOUSEHOLD_FILE, INDIVIDUAL_FILE)


@dataclass(frozen=True)
class UnionSnapshot:
    """What the Union knows of this municipality: the last sent snapshot. Empty frames before the first sending.

    people, households: `SentPeople`, `SentHouseholds`; uncertain: whether the Union may have other facts about them.
    entry_ids: the ledger entries of the files that reported it.
    """

    partition: dt.date | None
    people: pl.DataFrame
    households: pl.DataFrame
    my_numbers: pl.DataFrame
    entry_ids: tuple[int, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of the three tables together; no 個人番号 can be derived from it without all the others."""
        return fingerprint((self.people, self.households, self.my_numbers))


@dataclass(frozen=True)
class Built:
    """The day's files and what they mean.

    baseline: what they were compared with. sent: what the files contain. withheld: the 要修正 list
    (withholding.withheld_list). snapshot: the next baseline. findings: why persons are withheld, and warnings.
    counts: changed = changed_sent + changed_held.
    """

    baseline: UnionSnapshot
    sent: Changes
    withheld: pl.DataFrame
    files: tuple[OutboundFile, ...]
    snapshot: UnionSnapshot
    findings: pl.DataFrame
    counts: dict[str, int]

    @property
    def warnings(self) -> dict[str, int]:
        """How many findings of each code are only warnings."""
        codes = self.findings.filter(pl.col("level") == "warning")["code"]
        return dict(codes.value_counts().sort("code").rows())


@dataclass(frozen=True)
class Violations:
    """Persons and households that violate rules (`PersonsAtFault`, each fault once), and the findings that say how."""

    faults: pl.DataFrame
    findings: pl.DataFrame

    @classmethod
    def of(cls, faults: pl.DataFrame) -> Violations:
        """Faults (any columns of `PersonsAtFault`) without findings."""
        return cls(
            pl.concat([PersonsAtFault.empty(), faults], how="diagonal"),
            Findings.empty(),
        )

    @classmethod
    def none(cls) -> Violations:
        """No violations."""
        return cls(PersonsAtFault.empty(), Findings.empty())

    def merge(self, other: Violations) -> Violations:
        """The violations of both."""
        faults = pl.concat([self.faults, other.faults], how="diagonal")
        return Violations(faults.unique(), pl.concat([self.findings, other.findings]))

    def __len__(self) -> int:
        """How many persons, and households without a faulty person, are at fault."""
        of_household = pl.when(pl.col(PERSON_KEY).is_null()).then(pl.col(HOUSEHOLD_KEY)).alias(HOUSEHOLD_KEY)
        return self.faults.select(PERSON_KEY, of_household).n_unique()


@dataclass(frozen=True)
class Register:
    """The municipality's register on a day: people, households (snapshot.people, snapshot.households), everybody's 個人番号."""

    people: pl.DataFrame
    households: pl.DataFrame
    my_numbers: pl.DataFrame


def build(
    environment: Environment,
    day: dt.date,
    register: Register,
    violations: Violations,
    before: UnionSnapshot,
    accept: Callable[[UnionSnapshot], None] = lambda _: None,
) -> Built:
    """Changes -> the two files in the outbox folder, each read back, validated and compared with its table.

    A person or household that violates a rule of the outgoing files is withheld too, and the files are built again.
    `accept` is called with what the Union would know then, before anything is in the outbox; it raises to refuse.
    RenkeiError KR-7204 (counts do not add up), KR-7205 (read back differs), KR-7206 (still invalid), KR-6111 (the day was
    already sent with other bytes: neither its files nor its snapshot may be replaced).
    """
    builder = _PairBuilder.of(environment, day, register, before)
    made = _build_valid(builder, Violations.none().merge(violations))  # each person once, however many rules they break
    counts = _counts(builder.changes, made.sent, made.waiting)
    snapshot = builder.snapshot_after(made.withheld)
    accept(snapshot)
    nothing = _nothing_to_report(environment, day, made.tables)
    files = () if nothing else _published(environment, day, made.validated_pair)
    findings = pl.concat([made.violations.findings, made.validated_pair.violations.findings])
    listed = withheld_list(made.waiting, made.violations.faults, register.people, before.people)
    return Built(before, made.sent, listed, files, snapshot, findings, counts)


@dataclass(frozen=True)
class _ValidatedPair:
    """Both files and the result of validating their bytes: findings across them (`Findings`), and who is at fault."""

    drafts: tuple[Draft, ...]
    across: pl.DataFrame
    violations: Violations


@dataclass(frozen=True)
class _Pair:
    """The day's files without the households with `violations`: what is sent in which tables, and what waits."""

    violations: Violations
    withheld: pl.Series
    sent: Changes
    waiting: Changes
    tables: Mapping[str, pl.DataFrame]
    validated_pair: _ValidatedPair


@dataclass(frozen=True)
class _PairBuilder:
    """What the day's files are built from, whoever is withheld. numbers: everybody's 個人番号, also of withdrawn persons."""

    environment: Environment
    day: dt.date
    before: UnionSnapshot
    now: UnionSnapshot
    changes: Changes
    numbers: pl.DataFrame

    @classmethod
    def of(cls, environment: Environment, day: dt.date, register: Register, before: UnionSnapshot) -> _PairBuilder:
        """The changes of a day against what the Union knows."""
        my_numbers = register.my_numbers.join(register.people.select(PERSON_KEY), on=PERSON_KEY, how="semi")
        changed = changed_numbers(before.my_numbers, my_numbers)
        individual, household = (environment.specification(name, day) for name in (INDIVIDUAL_FILE, HOUSEHOLD_FILE))
        changes = find_changes(
            with_new_items(before.people, register.people, individual),
            with_new_items(before.households, register.households, household),
            register.people,
            register.households,
            changed,
            day,
            carried(environment.catalogue, day, register.people, register.households),
        )
        # A withdrawn person is not in the extract any more: their number is the one sent last.
        numbers = pl.concat([my_numbers, before.my_numbers.join(my_numbers, on=PERSON_KEY, how="anti")])
        now = UnionSnapshot(day, register.people, register.households, my_numbers)
        return cls(environment, day, before, now, changes, numbers)

    def build_without(self, violations: Violations) -> _Pair:
        """The files without the households of everybody with violations."""
        withheld = withheld_households(self.before.people, self.now.people, violations.faults)
        sent, waiting = split(self.changes, self.before.people, withheld)
        tables = {
            HOUSEHOLD_FILE: sent.households,
            INDIVIDUAL_FILE: sent.people.drop("change_kinds").join(self.numbers, on=PERSON_KEY, how="left"),
        }
        return _Pair(
            violations, withheld, sent, waiting, tables, _make_and_validate(self.environment, self.day, tables)
        )

    def snapshot_after(self, withheld: pl.Series) -> UnionSnapshot:
        """What the Union knows once it has imported the files: the next baseline."""
        before, now = self.before, self.now
        return UnionSnapshot(
            self.day,
            snapshot_after_sending(before.people, now.people, PERSON_KEY, withheld),
            snapshot_after_sending(before.households, now.households, HOUSEHOLD_KEY, withheld),
            _numbers_after_sending(before, now, withheld),
        )


def _build_valid(builder: _PairBuilder, violations: Violations) -> _Pair:
    """The files without everybody with violations, including violations found in the files that were built so far.

    KR-7206 when a file stays invalid and nobody else can be withheld for it.
    """
    made = builder.build_without(violations)
    while len(made.validated_pair.violations):
        merged = made.violations.merge(made.validated_pair.violations)
        if len(merged) == len(made.violations):
            codes = codes_in_words(made.validated_pair.violations.findings["code"])
            report = made.validated_pair.drafts[-1].report
            raise RenkeiError("KR-7206", interface="・".join(FILES), codes=codes, report=report)
        made = builder.build_without(merged)
    return made


def _published(environment: Environment, day: dt.date, pair: _ValidatedPair) -> tuple[OutboundFile, ...]:
    """Put the drafts into the outbox folder. KR-7206, KR-6111 (the day was sent with other bytes): then nothing changes."""
    for draft in pair.drafts:
        draft.require_valid(pair.across)
        require_same(environment, day, draft)
    return tuple(publish(environment, day, draft, pair.across) for draft in pair.drafts)


def _nothing_to_report(environment: Environment, day: dt.date, tables: Mapping[str, pl.DataFrame]) -> bool:
    """Whether nothing changed and the specification requires no file then, rather than one without records."""
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


def _numbers_after_sending(before: UnionSnapshot, now: UnionSnapshot, withheld: pl.Series) -> pl.DataFrame:
    """The 個人番号 that the Union has once it has imported the files: the old ones of the withheld, today's of all others."""
    in_withheld = pl.col(HOUSEHOLD_KEY).is_in(withheld.implode())
    waiting = pl.concat([frame.filter(in_withheld).select(PERSON_KEY) for frame in (before.people, now.people)])
    old = before.my_numbers.join(waiting, on=PERSON_KEY, how="semi")
    return pl.concat([now.my_numbers.join(waiting, on=PERSON_KEY, how="anti"), old]).sort(PERSON_KEY)


def _make_and_validate(environment: Environment, day: dt.date, tables: Mapping[str, pl.DataFrame]) -> _ValidatedPair:
    """Compose both files and validate their bytes like received files: whose record breaks a rule, or cannot be written."""
    # Every recalled sending has used up a file number of the day.
    recalled = environment.ledger.entries(partition=day, interfaces={HOUSEHOLD_FILE}, states={EntryState.RECALLED})
    header = environment.header(day, len(recalled) + 1)
    with ThreadPoolExecutor(len(FILES)) as pool:
        drafts = tuple(
            pool.map(lambda interface: make_draft(environment, day, interface, tables[interface], header), FILES)
        )
    violations = Violations.none()
    for draft in drafts:
        specification = environment.specification(draft.interface, day)
        violations = violations.merge(_unwritable(draft, specification, tables[draft.interface]))
    across = Findings.empty()
    by_interface = {draft.interface: draft.validated for draft in drafts if draft.validated is not None}
    if len(violations) == 0:
        across = relate(by_interface)
        for interface, validated in by_interface.items():
            findings = pl.concat([validated.findings, across.filter(pl.col("file") == validated.decoded.name)])
            violations = violations.merge(_rule_violations(interface, validated, findings))
    return _ValidatedPair(drafts, across, violations)


def _unwritable(draft: Draft, specification: Specification, data: pl.DataFrame) -> Violations:
    """Those whose values cannot be encoded; agreed substitutes (KR-1022) are only warnings."""
    problems = draft.encoded.problems.filter(pl.col("record_kind") == specification.data.kind)
    unwritable = problems.filter(pl.col("code").is_in(codec.UNWRITABLE))
    found = from_problems(problems, specification, draft.name)
    wrong = from_problems(unwritable, specification, draft.name)
    details = wrong.select(*TOLD, row="record")
    rows = data.with_row_index("row", offset=1).join(details, on="row")
    return Violations(_faults(draft.interface, rows), without_place(found))


def _rule_violations(interface: str, validated: Validated, findings: pl.DataFrame) -> Violations:
    """Those whose records break a rule. For other faults of the file nobody can be withheld (see `publish`)."""
    wrong = findings.filter(pl.col("level") == "record")
    wrong = wrong.select("line", *TOLD)
    faults = _faults(interface, validated.data.join(wrong, on="line"))
    # The file is built again without those at fault, so other records will be on their lines.
    return Violations(faults, without_place(findings) if faults.height else findings)


def _faults(interface: str, rows: pl.DataFrame) -> pl.DataFrame:
    """`PersonsAtFault` for records with a `code`: persons in one file, households in the other."""
    key = PERSON_KEY if interface == INDIVIDUAL_FILE else HOUSEHOLD_KEY
    empty = PersonsAtFault.empty()
    return pl.concat([empty, rows.select(key, *TOLD).unique()], how="diagonal").select(PersonsAtFault.names())
