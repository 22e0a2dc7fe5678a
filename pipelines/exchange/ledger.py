"""The ledger: every file that leaves or arrives, its state, and an append-only, hash-chained history. Moves no file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, RowMapping
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from interfaces.messages import RenkeiError, message
from interfaces.private import private_folder
from pipelines.exchange.operator_input import required_reason
from pipelines.exchange.persons import account

Clock = Callable[[], datetime]
Direction = Literal["outbound", "inbound"]

TOKYO: Final = ZoneInfo("Asia/Tokyo")
ACCOUNT: Final = "account"  # a detail: the account of the machine that made or approved a file
GENESIS: Final = "0" * 64
# A writer holds the ledger for milliseconds; who waits 30 s waits for a stuck process.
BUSY_MILLISECONDS: Final = 30_000
SQLITE_SETTINGS: Final = (
    f"busy_timeout = {BUSY_MILLISECONDS}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
)
# The number of the advisory lock on PostgreSQL: six letters of our own, below the bigint limit.
WRITER_LOCK: Final = int.from_bytes(b"renkei", "big")

# Every move that an entry may make. None is the state before it is entered.
# `approved` and `sealed` may be skipped: what needs neither goes from written to sending. What is approved is the
# content's hash, so the approval comes before the seal, which is another one every time.
# uploaded → sending: a crash cut off our own discarding of the temporary file.
# unconfirmed: the server took the file away before we could read it back or give it its name. Whether the Union has it,
# a person asks (or its answer tells); nothing is sent again until then.
TRANSITIONS: Final[Mapping[Direction, Mapping[str | None, frozenset[str]]]] = {
    "outbound": {
        None: frozenset({"written"}),
        "written": frozenset({"approved", "sealed", "sending", "superseded", "withdrawn"}),
        "approved": frozenset({"sealed", "sending", "superseded", "withdrawn"}),
        "sealed": frozenset({"sending", "superseded", "withdrawn"}),
        "sending": frozenset({"uploaded", "unconfirmed", "superseded", "withdrawn"}),
        "uploaded": frozenset({"sent", "sending", "unconfirmed", "superseded", "withdrawn"}),
        "unconfirmed": frozenset({"sent", "withdrawn"}),
        "sent": frozenset({"accepted", "rejected", "recalled"}),
    },
    "inbound": {
        None: frozenset({"detected"}),
        "detected": frozenset({"claimed", "vanished"}),
        "claimed": frozenset({"received", "vanished"}),
        "received": frozenset({"verified", "quarantined", "duplicate", "stale"}),
        "verified": frozenset({"applied", "quarantined", "stale"}),
        "quarantined": frozenset({"released", "rejected"}),
        "stale": frozenset({"released", "rejected"}),
        "released": frozenset({"applied"}),
    },
}
SENT_STATES: Final = frozenset({"sent", "accepted"})
UNCONFIRMED: Final = "unconfirmed"
# The Union may already have the file: `uploaded` may have been renamed just before a crash.
POSSIBLY_OUT_STATES: Final = SENT_STATES | {"uploaded", UNCONFIRMED}
# The file is, was or may be at the Union, or is just on its way there.
OUT_STATES = POSSIBLY_OUT_STATES | {"sending", "rejected", "recalled"}
# An entry in one of these no longer stands for its partition and interface; a new one may be entered.
CLOSED_OUTBOUND_STATES: Final = frozenset({"withdrawn", "superseded", "rejected", "recalled"})

metadata = sa.MetaData()
entries_table = sa.Table(
    "entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("direction", sa.String(8), nullable=False),
    sa.Column("interface", sa.String(64)),
    sa.Column("partition", sa.Date),
    sa.Column("file_name", sa.String(255), nullable=False),
    sa.Column("sha256", sa.String(64)),
    sa.Column("size", sa.BigInteger),
    sa.Column("records", sa.BigInteger),
    sa.Column("baseline", sa.Date),
    sa.Column("snapshot_sha256", sa.String(64)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Index("entries_by_partition", "direction", "partition"),
    sa.Index("entries_by_content", "direction", "sha256"),
    sa.Index("entries_by_name", "direction", "file_name"),
)
events_table = sa.Table(
    "events",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("entry_id", sa.ForeignKey("entries.id")),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("run_id", sa.String(64)),
    sa.Column("operator", sa.String(128), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("row_hash", sa.String(64), nullable=False),
    sa.Index("events_by_entry", "entry_id", "sequence"),
)
_APPEND_ONLY: Final = (
    (
        "sqlite",
        "CREATE TRIGGER events_keep_rows BEFORE DELETE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
    ),
    (
        "sqlite",
        "CREATE TRIGGER events_keep_text BEFORE UPDATE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events is append-only'); END",
    ),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'events is append-only'; END $$",
    ),
    (
        "postgresql",
        "CREATE TRIGGER events_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()",
    ),
)
for dialect, statement in _APPEND_ONLY:
    guard = sa.DDL(statement)  # type: ignore[no-untyped-call]
    event.listen(events_table, "after_create", guard.execute_if(dialect=dialect))

# Columns that a move may fill while they are empty: an arriving file tells them one after the other.
OPEN_COLUMNS: Final = ("interface", "partition", "sha256", "size", "records")
_FACTS: Final = tuple(column.name for column in entries_table.columns if column.name not in ("id", "state"))
_Rows = Mapping[int, Mapping[str, Any]]
_HASHED: Final = tuple(column.name for column in events_table.columns if column.name != "row_hash")


@dataclass(frozen=True)
class Entry:
    """One file in the ledger. Inbound: interface, partition, sha256 and records are None until they are known."""

    id: int
    direction: Direction
    interface: str | None
    partition: date | None
    file_name: str
    sha256: str | None
    size: int | None
    records: int | None
    baseline: date | None
    snapshot_sha256: str | None
    state: str
    created_at: str


@dataclass(frozen=True)
class Event:
    """One row of the history. `kind`: entered or moved (`action` is the state reached), noted (what happened)."""

    sequence: int
    entry_id: int | None
    kind: str
    action: str
    at: str
    run_id: str | None
    operator: str
    detail: dict[str, Any]
    previous_hash: str
    row_hash: str


@dataclass(frozen=True)
class ChainProblem:
    """Something in the ledger that its own history contradicts. `text` is the message of `code`."""

    code: str
    sequence: int | None
    entry_id: int | None
    text: str


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces; dates as ISO 8601. The same value gives the same text everywhere."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"not for the ledger: {type(value).__name__}")


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of every column of an event but `row_hash` itself."""
    return hashlib.sha256(canonical_json({name: row[name] for name in _HASHED}).encode()).hexdigest()


def tokyo_now() -> datetime:
    """The clock of production."""
    return datetime.now(TOKYO)


class Ledger:
    """The ledger behind a database URL (SQLite file or PostgreSQL), created when it is not there yet.

    `clock` gives an aware time; it is stored as Asia/Tokyo, ISO 8601 with offset. KR-6105 when it cannot be opened,
    KR-6107 when it is not there and `may_begin` is False, because files have left or arrived that it should know.
    """

    def __init__(self, url: str, clock: Clock = tokyo_now, *, may_begin: bool = True) -> None:
        self.clock = clock
        self.shown_url = _shown(url)
        try:
            self._database = _databases.open(url)
            self._engine = self._database.engine
            if not self._has_begun():
                with self._begun() as connection:
                    if not may_begin and not sa.inspect(connection).has_table(events_table.name):
                        raise RenkeiError("KR-6107", url=self.shown_url)
                    metadata.create_all(connection)
        except (SQLAlchemyError, OSError) as error:
            raise RenkeiError("KR-6105", url=self.shown_url, reason=type(error).__name__) from error

    def close(self) -> None:
        """Give the idle database connections back; another ledger of this process goes on with new ones."""
        self._engine.dispose()

    def now(self) -> datetime:
        """The clock's time in Asia/Tokyo."""
        return self.clock().astimezone(TOKYO)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One write transaction; writers queue here, so the history has one order. Commits unless the block raises.

        KR-6108 when the database does not do it: locked, full, gone, damaged.
        """
        with _answering(), self._begun() as connection:
            yield connection

    def _has_begun(self) -> bool:
        """Whether every table is there. Asked without waiting for writers: most commands only read."""
        with self._engine.connect() as connection:
            tables = sa.inspect(connection.execution_options(renkei_reading=True)).get_table_names()
        return set(tables).issuperset(metadata.tables)

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_MILLISECONDS}")
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One consistent view of the ledger that does not wait for writers."""
        with _answering(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                yield connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                yield connection.execution_options(renkei_reading=True)

    def enter_outbound(
        self,
        *,
        interface: str,
        partition: date,
        file_name: str,
        sha256: str,
        size: int,
        records: int,
        baseline: date | None,
        snapshot_sha256: str | None,
        operator: str,
        run_id: str | None = None,
        connection: Connection | None = None,
    ) -> Entry:
        """A file written for the Union, state `written`.

        KR-6106 when another entry stands for the same partition and interface.
        """
        with self._writing(connection) as writer:
            standing = self.standing(partition, {interface}, connection=writer).get(interface)
            if standing is not None and standing.state not in CLOSED_OUTBOUND_STATES:
                raise RenkeiError(
                    "KR-6106", partition=partition, interface=interface, entry_id=standing.id, state=standing.state
                )
            facts = {
                "interface": interface,
                "partition": partition,
                "file_name": file_name,
                "sha256": sha256,
                "size": size,
                "records": records,
                "baseline": baseline,
                "snapshot_sha256": snapshot_sha256,
            }
            return self._enter(writer, "outbound", "written", facts, {ACCOUNT: account()}, operator, run_id)

    def enter_inbound(
        self,
        *,
        file_name: str,
        operator: str,
        run_id: str | None = None,
        connection: Connection | None = None,
        **detail: Any,
    ) -> Entry:
        """A file seen at the Union's, state `detected`. What it is, its size and hash come with later moves."""
        with self._writing(connection) as writer:
            return self._enter(writer, "inbound", "detected", {"file_name": file_name}, detail, operator, run_id)

    def advance(
        self,
        entry_id: int,
        to_state: str,
        *,
        operator: str,
        run_id: str | None = None,
        connection: Connection | None = None,
        expected: str | None = None,
        **detail: Any,
    ) -> Entry:
        """Move an entry and write the event, in one transaction (`connection`: the caller's).

        A detail named like an open column of the entry (OPEN_COLUMNS) fills it while it is empty. Details hold names,
        counts, hashes and reasons, never personal data.
        A detail `reason` is what a person wrote.
        Errors: KR-6102 when another process was first (the entry is no longer in `expected`, or already in `to_state`),
        KR-6101 for a move that TRANSITIONS does not have, KR-6103 no such entry, KR-6104 no operator, KR-6312 and KR-6314
        a reason that is empty or seems to hold a 個人番号.
        """
        with self._writing(connection) as writer:
            entry = self.entry(entry_id, connection=writer)
            if entry.state == to_state or expected not in (None, entry.state):
                raise RenkeiError("KR-6102", entry_id=entry_id, state=entry.state)
            if to_state not in TRANSITIONS[entry.direction].get(entry.state, frozenset()):
                raise RenkeiError("KR-6101", entry_id=entry_id, from_state=entry.state, to_state=to_state)
            writer.execute(
                sa.update(entries_table)
                .where(entries_table.c.id == entry_id)
                .values(state=to_state, **_filled(entry.__dict__, detail))
            )
            self._append(writer, entry_id, "moved", to_state, operator, run_id, detail)
            return self.entry(entry_id, connection=writer)

    def note(
        self,
        action: str,
        *,
        operator: str,
        entry_id: int | None = None,
        run_id: str | None = None,
        connection: Connection | None = None,
        **detail: Any,
    ) -> None:
        """An event that changes no state: what was done, or why nothing was."""
        with self._writing(connection) as writer:
            self._append(writer, entry_id, "noted", action, operator, run_id, detail)

    def entry(self, entry_id: int, *, connection: Connection | None = None) -> Entry:
        """One entry; KR-6103 when there is none."""
        with self._viewing(connection) as reader:
            row = reader.execute(sa.select(entries_table).where(entries_table.c.id == entry_id)).mappings().first()
        if row is None:
            raise RenkeiError("KR-6103", entry_id=entry_id)
        return Entry(**row)

    def entries(
        self,
        *,
        direction: Direction | None = None,
        interfaces: Collection[str] | None = None,
        partition: date | None = None,
        states: Collection[str] | None = None,
        file_name: str | None = None,
        sha256: str | None = None,
        connection: Connection | None = None,
    ) -> list[Entry]:
        """Entries that meet every filter given, oldest first."""
        columns = entries_table.c
        query = sa.select(entries_table).order_by(columns.id)
        for column, value in (
            (columns.direction, direction),
            (columns.partition, partition),
            (columns.file_name, file_name),
            (columns.sha256, sha256),
        ):
            if value is not None:
                query = query.where(column == value)
        for column, values in ((columns.interface, interfaces), (columns.state, states)):
            if values is not None:
                query = query.where(column.in_(sorted(values)))
        with self._viewing(connection) as reader:
            return [Entry(**row) for row in reader.execute(query).mappings()]

    def events(self, entry_id: int | None = None, *, connection: Connection | None = None) -> list[Event]:
        """The history, oldest first: of one entry, or all of it."""
        query = sa.select(events_table).order_by(events_table.c.sequence)
        if entry_id is not None:
            query = query.where(events_table.c.entry_id == entry_id)
        with self._viewing(connection) as reader:
            rows = reader.execute(query).mappings().all()
        return [_event(row) for row in rows]

    def first_note(self, action: str, *, connection: Connection | None = None) -> Event | None:
        """The oldest event that notes an action; None when there is none."""
        with self._viewing(connection) as reader:
            row = reader.execute(_notes_of(action).limit(1)).mappings().first()
        return None if row is None else _event(row)

    def notes(self, action: str) -> list[Event]:
        """Every event that notes an action, oldest first."""
        with self._reading() as reader:
            return [_event(row) for row in reader.execute(_notes_of(action)).mappings()]

    def standing(
        self, partition: date, interfaces: Collection[str], *, connection: Connection | None = None
    ) -> dict[str, Entry]:
        """Per interface the newest outbound entry of a partition that was not withdrawn."""
        found = self.entries(direction="outbound", partition=partition, interfaces=interfaces, connection=connection)
        return {str(entry.interface): entry for entry in found if entry.state != "withdrawn"}

    def effective_baseline(
        self, *, before: date | None = None, interfaces: Collection[str] | None = None
    ) -> date | None:
        """The newest partition (before `before`, if given) that the Union can be taken to have (design.md 4.4).

        Effective: each of its files is sent or accepted, and its own baseline is None or itself effective. So a
        rejected day makes every day built upon it ineffective. `interfaces`: the family of files asked for; None
        is all.
        """
        latest: dict[date, dict[str, Entry]] = {}
        for entry in self.entries(direction="outbound", interfaces=interfaces):
            if entry.state != "withdrawn" and entry.partition is not None:
                latest.setdefault(entry.partition, {})[str(entry.interface)] = entry
        effective: set[date] = set()
        for partition in sorted(latest):
            files = latest[partition].values()
            if all(e.state in SENT_STATES and (e.baseline is None or e.baseline in effective) for e in files):
                effective.add(partition)
        return max((day for day in effective if before is None or day < before), default=None)

    def in_doubt(self, before: date | None, interfaces: Collection[str], *, remade: date | None = None) -> list[Entry]:
        """What is, or may be, at the Union although no effective baseline says so, oldest partition first.

        Files later than the newest effective partition and before `before`: of a day built upon a rejected one, of a pair
        whose other file is not out, of a sending that a crash cut off, and those that were taken back: the Union may have
        taken one in all the same. `remade`: the partition that is being made again; what was taken back of it counts too.
        Whom they tell of, the next sending tells anew.
        """
        effective = self.effective_baseline(before=before, interfaces=interfaces) or date.min
        states = POSSIBLY_OUT_STATES | {"recalled"}
        found = self.entries(direction="outbound", interfaces=interfaces, states=states)
        later = [(e, e.partition) for e in found if e.partition is not None and e.partition > effective]
        doubtful = [
            (e, partition)
            for e, partition in later
            if partition < (before or date.max) or (e.state == "recalled" and partition == remade)
        ]
        return [e for e, _ in sorted(doubtful, key=lambda one: (one[1], one[0].id))]

    def later_sent(self, partition: date, interfaces: Collection[str] | None = None) -> date | None:
        """The newest later partition of which a file is, or may be, at the Union; None when there is none."""
        found = self.entries(direction="outbound", interfaces=interfaces, states=POSSIBLY_OUT_STATES)
        return max((e.partition for e in found if e.partition is not None and e.partition > partition), default=None)

    def verify_chain(self) -> list[ChainProblem]:
        """Everything that the history contradicts.

        KR-6121 a row's text and hash differ, KR-6122 a row does not follow the one before (one was taken out or
        put in), KR-6123 an entry differs from what its events say; a tail that was cut off shows here.
        """
        with self._reading() as reader:
            ordered = sa.select(events_table).order_by(events_table.c.sequence)
            rows = [dict(row) for row in reader.execute(ordered).mappings()]
            entries = {row["id"]: dict(row) for row in reader.execute(sa.select(entries_table)).mappings()}
        problems: list[ChainProblem] = []
        expected_sequence, previous = 1, GENESIS
        for row in rows:
            sequence = row["sequence"]
            if row_hash(row) != row["row_hash"]:
                problems.append(_chain_problem("KR-6121", sequence=sequence))
            if sequence != expected_sequence or row["previous_hash"] != previous:
                problems.append(_chain_problem("KR-6122", sequence=sequence))
            expected_sequence, previous = sequence + 1, row["row_hash"]
        return problems + _contradictions(entries, _replay(rows))

    def _writing(self, connection: Connection | None) -> Any:
        return self.transaction() if connection is None else nullcontext(connection)

    def _viewing(self, connection: Connection | None) -> Any:
        return self._reading() if connection is None else nullcontext(connection)

    def _enter(
        self,
        connection: Connection,
        direction: Direction,
        state: str,
        facts: dict[str, Any],
        detail: dict[str, Any],
        operator: str,
        run_id: str | None,
    ) -> Entry:
        row = {**facts, "direction": direction, "created_at": self.now().isoformat()}
        result = connection.execute(sa.insert(entries_table).values(**row, state=state))
        entry_id = int(result.inserted_primary_key[0])  # type: ignore[index]
        self._append(connection, entry_id, "entered", state, operator, run_id, {**detail, **row})
        return self.entry(entry_id, connection=connection)

    def _append(
        self,
        connection: Connection,
        entry_id: int | None,
        kind: str,
        action: str,
        operator: str,
        run_id: str | None,
        detail: Mapping[str, Any],
    ) -> None:
        if not operator.strip():
            raise RenkeiError("KR-6104")
        if "reason" in detail:
            required_reason(detail["reason"])
        columns = events_table.c
        last = connection.execute(
            sa.select(columns.sequence, columns.row_hash).order_by(columns.sequence.desc()).limit(1)
        ).first()
        row: dict[str, Any] = {
            "sequence": last.sequence + 1 if last else 1,
            "entry_id": entry_id,
            "kind": kind,
            "action": action,
            "at": self.now().isoformat(),
            "run_id": run_id,
            "operator": operator,
            "detail": canonical_json(detail),
            "previous_hash": last.row_hash if last else GENESIS,
        }
        connection.execute(sa.insert(events_table).values(**row, row_hash=row_hash(row)))


def _notes_of(action: str) -> sa.Select[Any]:
    columns = events_table.c
    query = sa.select(events_table).where(columns.kind == "noted", columns.action == action)
    return query.order_by(columns.sequence)


def _event(row: RowMapping) -> Event:
    return Event(**{**row, "detail": json.loads(row["detail"])})


def _filled(known: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """The open columns that a detail fills."""
    return {name: detail[name] for name in OPEN_COLUMNS if known.get(name) is None and detail.get(name) is not None}


def _replay(rows: Collection[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """The entries as the history tells them, in plain text values."""
    told: dict[int, dict[str, Any]] = {}
    for row in rows:
        detail = json.loads(row["detail"])
        if row["kind"] == "entered":
            told[row["entry_id"]] = {name: detail.get(name) for name in _FACTS} | {"state": row["action"]}
        elif row["kind"] == "moved" and row["entry_id"] in told:
            entry = told[row["entry_id"]]
            entry.update(_filled(entry, detail), state=row["action"])
    return told


def _contradictions(entries: _Rows, told: _Rows) -> list[ChainProblem]:
    """Where the entries of the table and those of the history differ."""
    problems = []
    for entry_id in sorted(entries.keys() | told.keys()):
        has, says = entries.get(entry_id), told.get(entry_id)
        if has is None or says is None:
            problems.append(_chain_problem("KR-6123", entry_id=entry_id, column="登録"))
            continue
        plain = json.loads(canonical_json(has))
        problems += [
            _chain_problem("KR-6123", entry_id=entry_id, column=name)
            for name in (*_FACTS, "state")
            if plain[name] != says[name]
        ]
    return problems


def _chain_problem(
    code: str, *, sequence: int | None = None, entry_id: int | None = None, column: str = ""
) -> ChainProblem:
    text = message(code).render(sequence=sequence, entry_id=entry_id, column=column)
    return ChainProblem(code, sequence, entry_id, text)


@contextmanager
def _answering() -> Iterator[None]:
    """A database that fails is told as KR-6108. Its own text may hold values of a row, its kind of error does not."""
    try:
        yield
    except DatabaseError as error:
        if type(error) not in (DatabaseError, OperationalError):  # of a constraint or a type our program is to blame
            raise
        reason = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
        raise RenkeiError("KR-6108", reason=reason) from error


def _shown(url: str) -> str:
    """A URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "（URLの書き方の誤り）"


class _Database:
    """A database that this process has open. Its connections close with the last ledger that uses it, or the process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite moves what is in its -wal file into the ledger when the last connection closes; a process that ends
        # without it leaves a ledger file that is old by itself, and a backup of that file alone with it.
        weakref.finalize(self, engine.dispose)


class _Databases:
    """The databases that this process has open: one engine for each URL, and fresh connections after a fork."""

    def __init__(self) -> None:
        self._alone = Lock()
        self._open: weakref.WeakValueDictionary[str, _Database] = weakref.WeakValueDictionary()
        self._of_the_parent: list[object] = []
        os.register_at_fork(after_in_child=self._after_fork)

    def open(self, url: str) -> _Database:
        """The database of a URL, its file made when it is not there."""
        with self._alone:
            found = self._open.get(url)
            if found is None:
                found = self._open[url] = _Database(_engine(url))
            return found

    def _after_fork(self) -> None:
        """The parent's connections are kept, and never used or closed: SQLite would take the parent's locks for ours."""
        self._alone = Lock()
        for database in list(self._open.values()):
            self._of_the_parent.append(database.engine.pool)
            database.engine.dispose(close=False)


_databases: Final = _Databases()

# A server that is switched off in mid-connection says nothing: without these, its client would wait for hours.
_PATIENCE: Final = {
    "postgresql": {
        "connect_timeout": BUSY_MILLISECONDS // 1000,
        "tcp_user_timeout": BUSY_MILLISECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }
}


def _engine(url: str) -> Engine:
    engine = sa.create_engine(url, connect_args=_PATIENCE.get(sa.make_url(url).get_backend_name(), {}))
    if engine.dialect.name == "sqlite":
        _make_file(Path(engine.url.database or ""))
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_file(path: Path) -> None:
    """An empty database file, readable by its owner alone, where there is none; SQLite's side files get the same mode.

    Made without being opened: closing any descriptor of a file drops every lock that the process has on it, and with
    them goes SQLite's proof that the ledger is in use (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    private_folder(path.parent)
    with suppress(FileExistsError):
        os.mknod(path, stat.S_IFREG | 0o600)


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control would begin too late and too weakly; `_begin_sqlite` does it.
    connection.isolation_level = None
    for setting in SQLITE_SETTINGS:
        connection.execute(f"PRAGMA {setting}").close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("renkei_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
