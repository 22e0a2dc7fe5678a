"""The daily sending as steps: extracts -> snapshot -> files -> Union. Connects pure decisions with store, ledger and server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError, message
from pipelines.deployment import Environment
from pipelines.eligibility import questions, snapshot
from pipelines.eligibility.carrying import with_carried
from pipelines.eligibility.files import (
    FILES,
    HOUSEHOLD_FILE,
    INDIVIDUAL_FILE,
    Built,
    Register,
    UnionSnapshot,
    Violations,
    build,
)
from pipelines.eligibility.intake import EXTRACTS, Extracts
from pipelines.eligibility.withholding import counted
from pipelines.exchange.batch import Batch, SendOutcome
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import SENT_STATES, LedgerEvent
from pipelines.exchange.sealing import SealedFile
from pipelines.tables.eligibility import MyNumbers, PairManifest, SentHouseholds, SentPeople
from pipelines.transfer import erased
from pipelines.transfer.baseline import overlaid, uncertain_reports
from pipelines.transfer.sending import needs_approval, outbox, published, send
from pipelines.transfer.unrecorded import (
    interface_of,
    local_traces,
    refuse_traces,
    require_recorded,
    require_same_content,
)

SNAPSHOT_ASSETS = ("sent_people", "sent_households", "sent_my_numbers")
NOTHING_SENT = UnionSnapshot(None, SentPeople.empty(), SentHouseholds.empty(), MyNumbers.empty())


def baseline(environment: Environment, day: dt.date) -> UnionSnapshot:
    """The last sent snapshot before `day` (D-007); the empty one before anything was sent.

    A day whose file the Union rejected does not count, nor does any later day that was compared with it. Persons whom
    such a day, or a recalled file, reported nevertheless are marked `uncertain`, with the facts that it reported.
    KR-7213 when the tables at rest are not the ones that the ledger knows to be sent.
    """
    partition = environment.ledger.effective_baseline(before=day, interfaces=FILES)
    last_sent = NOTHING_SENT if partition is None else _snapshot(environment, partition)
    if partition is not None:
        entries = environment.ledger.current_entries(partition, FILES).values()
        if {entry.snapshot_sha256 for entry in entries} != {last_sent.sha256}:
            raise RenkeiError("KR-7213", partition=partition)
    reports = uncertain_reports(environment, day, rebuilt=day)
    people, households = reports.get(INDIVIDUAL_FILE), reports.get(HOUSEHOLD_FILE)
    return UnionSnapshot(
        partition,
        last_sent.people if people is None else overlaid(last_sent.people, people, snapshot.PERSON_KEY),
        last_sent.households
        if households is None
        else overlaid(last_sent.households, households, snapshot.HOUSEHOLD_KEY),
        last_sent.my_numbers if people is None else overlaid(last_sent.my_numbers, people, snapshot.PERSON_KEY),
        _basis_entry_ids(environment, day),
    )


def _basis_entry_ids(environment: Environment, day: dt.date) -> tuple[int, ...]:
    """The ledger entries of the files that reported to the Union what it knows before `day`."""
    ledger = environment.ledger
    partition = ledger.effective_baseline(before=day, interfaces=FILES)
    effective = ledger.current_entries(partition, FILES).values() if partition else ()
    return tuple(sorted(entry.id for entry in (*effective, *ledger.uncertain_entries(day, FILES, rebuilt=day))))


def _is_kept(environment: Environment, day: dt.date) -> bool:
    """Whether all tables of a sent day still exist: retention has erased none."""
    return all(environment.store.exists(asset, day.isoformat()) for asset in SNAPSHOT_ASSETS)


def _snapshot(environment: Environment, day: dt.date) -> UnionSnapshot:
    """What the Union knows once it has imported the day's files, from the stored tables; KR-7207 when there are none."""
    people, households, my_numbers = (environment.store.read(asset, day.isoformat()) for asset in SNAPSHOT_ASSETS)
    return UnionSnapshot(day, people, households, my_numbers)


def require_kept(environment: Environment, day: dt.date) -> None:
    """KR-7210 when retention has erased the day's tables, or those that it was compared with.

    Making the day again would restore erased 個人番号, or be impossible; and it was sent, or a later day carries it.
    """
    erased.require_kept(environment, day, (*SNAPSHOT_ASSETS, "my_numbers"), FILES)
    before = environment.ledger.effective_baseline(before=day, interfaces=FILES)
    latest = environment.ledger.effective_baseline(interfaces=FILES)
    if before is not None and latest is not None and day <= latest:
        erased.require_kept(environment, day, SNAPSHOT_ASSETS, FILES, of=before)


def build_day(
    environment: Environment,
    day: dt.date,
    people: pl.DataFrame,
    households: pl.DataFrame,
    my_numbers: pl.DataFrame,
    violations: Violations,
    confirm: str | None = None,
) -> Built:
    """Build the day's files against the baseline; the same inputs give the same bytes.

    A person who seems to be another person under a known 宛名番号 is withheld (KR-7221), and too many changes stop the day
    (KR-7222), until somebody confirms them: `confirm` is the reason.
    """
    before = baseline(environment, day)
    asked = questions.other_persons(environment, day, before, people, my_numbers, confirm)
    faults = pl.DataFrame({snapshot.PERSON_KEY: asked}).with_columns(
        code=pl.lit(questions.OTHER_PERSON),
        item_name=pl.lit(questions.IDENTITY),
        expected=pl.lit(questions.SAME_PERSON),
    )
    violations = violations.merge(Violations.of(faults))

    def accept(after: UnionSnapshot) -> None:
        since = questions.reference(environment, day)
        reference = before if since is None or not _is_kept(environment, since) else _snapshot(environment, since)
        questions.require_within_limits(environment, day, reference, after, asked, confirm)

    return build(environment, day, Register(people, households, my_numbers), violations, before, accept)


def tables_of(extracts: Extracts) -> dict[str, pl.DataFrame]:
    """The tables that are stored of a day's extracts, by asset."""
    return {
        **extracts.tables,
        "my_numbers": extracts.my_numbers,
        "extract_findings": extracts.findings,
        "extract_faults": extracts.faults,
    }


def tables_of_build(built: Built) -> dict[str, pl.DataFrame]:
    """The tables that are stored of a day's files, by asset, each after those that it comes from.

    The files themselves are in the outbox; these are manifests.
    """
    return {
        "eligibility_changes": built.sent.people,
        "withheld_list": built.withheld,
        **{interface: manifest(built, interface) for interface in FILES},
        "build_findings": built.findings,
        "sent_people": built.snapshot.people,
        "sent_households": built.snapshot.households,
        "sent_my_numbers": built.snapshot.my_numbers,
    }


def manifest(built: Built, interface: str) -> pl.DataFrame:
    """The row that names a file, its expected content and what it belongs to (size in bytes).

    baseline: the day that it was compared with; basis_entry_ids: the ledger entries of the files that reported that state.
    snapshot_sha256: of what the Union knows once it has imported the file. No row on a day without changes for which the
    specification requires no file.
    """
    basis_entry_ids = " ".join(str(entry) for entry in built.baseline.entry_ids)
    belongs = (built.baseline.partition, basis_entry_ids, built.snapshot.sha256)
    rows = [(f.file_name, f.sha256, f.size, f.records, *belongs) for f in built.files if f.interface == interface]
    return PairManifest.of(rows)


def _pair(
    environment: Environment, day: dt.date, manifests: Mapping[str, pl.DataFrame], *, was_sent: bool = False
) -> Batch:
    """The pair that the manifests name, proved to be built together and compared with what the Union knows now.

    No files on a day without changes that requires none.

    KR-7215 when the files and the tables of what the Union will know were not built together: a run was interrupted, or
    two runs built the day at once. KR-7214 when other files were sent to the Union meanwhile, or it rejected some: then
    the pair would omit changes that would never be reported. A day that is out already stays as it is, also if only a
    person says so (`was_sent`); then it needs no approval either.
    """
    named = [
        (interface, row) for interface in FILES for row in manifests[interface].select(PairManifest.names()).rows()
    ]
    files = tuple(
        published(environment, day, interface, (name, sha256, size, records))
        for interface, (name, sha256, size, records, *_) in named
    )
    if not files:
        return Batch(day, ())
    builds = {row[4:] for _, row in named}
    made_with, basis_entry_ids, snapshot_sha256 = next(iter(builds))
    is_pair = [interface for interface, _ in named] == list(FILES)
    if len(builds) > 1 or not is_pair or _snapshot(environment, day).sha256 != snapshot_sha256:
        raise RenkeiError("KR-7215", day=day)
    current_entries = environment.ledger.current_entries(day, FILES).values()
    is_out = was_sent or (bool(current_entries) and all(entry.state in SENT_STATES for entry in current_entries))
    if not is_out and basis_entry_ids != " ".join(str(entry) for entry in _basis_entry_ids(environment, day)):
        present = environment.ledger.effective_baseline(before=day, interfaces=FILES)
        now = " ".join(str(entry) for entry in _basis_entry_ids(environment, day))
        raise RenkeiError(
            "KR-7214",
            day=day,
            made_with=_baseline_in_words(made_with, basis_entry_ids),
            present=_baseline_in_words(present, now),
        )
    persons = sum(file.records for file in files if file.interface == INDIVIDUAL_FILE)
    needed = not was_sent and needs_approval(environment, persons, first=made_with is None)
    return Batch(day, files, made_with, snapshot_sha256, needs_approval=needed)


def _baseline_in_words(partition: dt.date | None, entries: str) -> str:
    """A baseline in words. One day can have several, with different entries."""
    return f"{partition or 'なし'}（台帳 {entries or 'なし'}）"


def _stored_pair(environment: Environment, day: dt.date, *, was_sent: bool = False) -> Batch:
    """The pair as it was built last; KR-7207 when it never was, KR-7210 when its tables were erased, and as `_pair`."""
    require_kept(environment, day)
    manifests = {interface: environment.store.read(interface, day.isoformat()) for interface in FILES}
    return _pair(environment, day, manifests, was_sent=was_sent)


def dispatch(
    environment: Environment, day: dt.date, files: Mapping[str, pl.DataFrame], run_id: str | None = None
) -> SendOutcome:
    """Send the day's pair of files, or record why nothing is sent (superseded, already sent, nothing to report).

    `files`: manifest by interface. A file in the outbox must have the manifest's SHA-256 (KR-61xx when it differs).
    Errors: KR-7214, KR-7215 as `_pair`, and those of `sending.send`.
    """
    pair = _pair(environment, day, files)
    if not pair.files:
        environment.recorder(run_id).append_event(LedgerEvent.QUIET_DAY, partition=day)
        return SendOutcome("nothing_to_send", ())
    return send(environment, pair, run_id)


def mark_day_sent(environment: Environment, day: dt.date, by: str, reason: str) -> tuple[Entry, ...]:
    """Record that the day's files in the outbox reached the Union by other means (see Outbox.record_manual_delivery).

    A day with traces that the ledger does not contain was sent before the ledger was restored: it needs no second
    approval, and its baseline is the one in the tables.
    Errors: KR-7207 the day's files were never built, KR-6144 they are not those of the traces, KR-6143 there are traces of
    earlier days: those come first.
    """
    traces = [
        trace
        for trace in local_traces(environment)
        if trace.partition and interface_of(environment, trace.file_name) in FILES
    ]
    refuse_traces(trace for trace in traces if trace.partition < day.isoformat())
    was_sent = any(trace.partition == day.isoformat() for trace in traces)
    pair = _stored_pair(environment, day, was_sent=was_sent)
    for file in pair.files:
        require_same_content(traces, file.file_name, file.sha256)
    return outbox(environment, operator=by).record_manual_delivery(pair, reason)


def seal_day(environment: Environment, day: dt.date, by: str) -> list[SealedFile]:
    """The day's files, signed and encrypted for a medium (see Outbox.seal).

    A second person must have approved them, however few they are (評価書 part Ⅲ: 複製する際には事前に管理者の承認を得る).
    KR-7207 never built, KR-6605 no certificate to encrypt for, KR-6143 the ledger is older than what was sent.
    """
    require_recorded(environment)
    own = outbox(environment, operator=by)
    own.required_recipient()
    return own.seal(replace(_stored_pair(environment, day), needs_approval=True))


def lines(built: Built, day: dt.date) -> list[str]:
    """What was built for a day, in lines for people."""
    counts = built.counts
    found = [f"作成 {file.file_name}: {file.records}件 SHA-256 {file.sha256[:12]}" for file in built.files]
    found.append(f"異動 {counts['changed']}人 = 送付 {counts['changed_sent']}人 + 保留 {counts['changed_held']}人")
    if built.withheld.height:
        found.append(f"要修正一覧 {counted(built.withheld)}（renkei withheld --date {day}）")
    return found + [f"注意 {code} {message(code).title}: {count}件" for code, count in built.warnings.items()]


def snapshot_of(
    tables: Mapping[str, pl.DataFrame], day: dt.date, catalogue: Catalogue
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(people, households) of the canonical extracts as of the processing date, with the items that the files carry."""
    resident, insured, household = (tables[interface] for interface in EXTRACTS)
    people = snapshot.people(resident, insured, household, day)
    households = snapshot.households(household, insured, day)
    return (
        with_carried(people, tables, catalogue, INDIVIDUAL_FILE, day),
        with_carried(households, tables, catalogue, HOUSEHOLD_FILE, day),
    )
