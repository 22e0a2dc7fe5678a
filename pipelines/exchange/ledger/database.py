"""The database of a ledger: settings for SQLite and PostgreSQL, one engine per process and URL, forks. Its tables are defined
in `schema`, and written by `recording`."""

from __future__ import annotations

import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from interfaces.messages import RenkeiError
from interfaces.private import private_folder
from pipelines.exchange.ledger.version import apply_versions, require_newest, version_of
from pipelines.storage.disk import Disk

# A writer locks the ledger for milliseconds; a wait of 30 s means that another process is stuck.
BUSY_MILLISECONDS: Final = 30_000
SQLITE_SETTINGS: Final = (
    f"busy_timeout = {BUSY_MILLISECONDS}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
)
# The number of the advisory lock on PostgreSQL: six letters of our own, below the bigint limit.
WRITER_LOCK: Final = int.from_bytes(b"renkei", "big")
# A server that is switched off during a connection sends nothing: without these, its client would wait for hours.
_TIMEOUTS: Final = {
    "postgresql": {
        "connect_timeout": BUSY_MILLISECONDS // 1000,
        "tcp_user_timeout": BUSY_MILLISECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }
}

# PostgreSQL's error for a role without the needed privilege.
_NO_PRIVILEGE: Final = "InsufficientPrivilege"


class Database:
    """A database that this process has open. Its connections close with the last ledger that uses it, or at exit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite merges its -wal file into the ledger file when the last connection closes. A process that ends without
        # closing leaves a ledger file, and any backup of that file alone, without the newest rows.
        weakref.finalize(self, engine.dispose)

    @property
    def shown_url(self) -> str:
        """Its URL without the password."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Release the idle connections; another ledger of this process continues with new ones."""
        self._engine.dispose()

    @property
    def _url(self) -> str:
        return self._engine.url.render_as_string(hide_password=False)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the ledger that does not wait for writers. KR-6108 as `writing`."""
        with _translate_errors(self._url), self._begin_read() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction. Writers queue here, so the history has one order. Commits unless the block raises.

        KR-6108 when the database fails: locked, full, missing, damaged, no privilege. KR-6109, KR-6110 when its version
        changed since it was opened.
        """
        with _translate_errors(self._url), self._begin_write() as connection:
            require_newest(version_of(connection), self.shown_url)
            yield connection

    @contextmanager
    def upgrading(self, *, create_if_missing: bool) -> Iterator[Connection]:
        """As `writing`, whatever the version is; KR-6107 when there is no ledger yet and `create_if_missing` is False."""
        with _translate_errors(self._url), self._begin_write() as connection:
            if not create_if_missing and version_of(connection) is None:
                raise RenkeiError("KR-6107", url=self.shown_url)
            yield connection

    def create_or_check(self, *, create_if_missing: bool) -> None:
        """Create the ledger if it does not exist, and require this program's version (KR-6109, KR-6110).

        KR-6107 when it does not exist and `create_if_missing` is False. An existing ledger is only read here, without waiting for
        writers, because most commands only read.
        """
        with self._begin_read() as connection:
            version = version_of(connection)
        if version is None:
            with self.upgrading(create_if_missing=create_if_missing) as connection:
                version = version_of(connection)  # another process may have made it meanwhile
                if version is None:
                    apply_versions(connection)
                    version = version_of(connection)
        require_newest(version, self.shown_url)

    def leave_to_parent(self) -> object:
        """In a forked process: use new connections from now on. Returns the parent's, to be kept and never used."""
        pool = self._engine.pool
        self._engine.dispose(close=False)
        return pool

    @contextmanager
    def _begin_read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                yield connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                yield connection.execution_options(renkei_reading=True)

    @contextmanager
    def _begin_write(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_MILLISECONDS}")
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield connection


class _Databases:
    """The databases that this process has open: one engine for each URL, and fresh connections after a fork."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()
        self._inherited_pools: list[object] = []
        os.register_at_fork(after_in_child=self._after_fork)

    def open(self, url: str) -> Database:
        """The database at a URL; its file is created if it does not exist."""
        with self._lock:
            found = self._open.get(url)
            if found is None:
                found = self._open[url] = Database(_engine(url))
            return found

    def _after_fork(self) -> None:
        """The parent's connections are kept, and never used or closed: SQLite would take the parent's locks for ours."""
        self._lock = Lock()
        for database in list(self._open.values()):
            self._inherited_pools.append(database.leave_to_parent())


_databases: Final = _Databases()


def open_database(url: str, *, create_if_missing: bool) -> Database:
    """The ledger's database, with its tables. KR-6105 it cannot be opened, KR-6211 because its disk is full, KR-6107, KR-6109,
    KR-6110 as `Database.create_or_check`."""
    with _opening(url):
        if not create_if_missing and _is_missing_file(url):
            raise RenkeiError("KR-6107", url=shown(url))
        database = _databases.open(url)
        database.create_or_check(create_if_missing=create_if_missing)
    return database


def _is_missing_file(url: str) -> bool:
    """Whether it is a SQLite file that does not exist; opening it would make it."""
    parsed = sa.make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists()


def reach(url: str) -> Database:
    """A ledger's database of any version, which may have no tables yet. KR-6105 as `open_database`."""
    with _opening(url):
        return _databases.open(url)


@contextmanager
def _opening(url: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        disk = _disk(url)
        if disk is not None and disk.is_full:
            raise disk.error("台帳") from error
        raise RenkeiError("KR-6105", url=shown(url), reason=_kind(error)) from error


def _disk(url: str) -> Disk | None:
    """The disk of a SQLite file; None when the ledger is not such a file."""
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        return None
    return Disk.of(Path(parsed.database)) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def shown(url: str) -> str:
    """A URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "（URLの書き方の誤り）"


def _kind(error: Exception) -> str:
    """The kind of an error, by the database's own name where there is one."""
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlite_errorname", type(cause).__name__))


@contextmanager
def _translate_errors(url: str) -> Iterator[None]:
    """Translate database failures into KR-6108 with the kind of error; the error's own text may contain values of a row.

    KR-6211 when the disk of a SQLite file is full.
    """
    try:
        yield
    except DatabaseError as error:
        disk = _disk(url)
        if disk is not None and disk.is_full:
            raise disk.error("台帳") from error
        reason = _kind(error)
        # A violated constraint or a wrong type is a fault of our program.
        if type(error) not in (DatabaseError, OperationalError) and reason != _NO_PRIVILEGE:
            raise
        raise RenkeiError("KR-6108", reason=reason) from error


def _engine(url: str) -> Engine:
    engine = sa.create_engine(url, connect_args=_TIMEOUTS.get(sa.make_url(url).get_backend_name(), {}))
    if engine.dialect.name == "sqlite":
        _make_file(Path(engine.url.database or ""))
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_file(path: Path) -> None:
    """Create an empty database file, readable by its owner alone, if it does not exist; SQLite's side files inherit the mode.

    The file is created without being opened: closing any descriptor of a file drops every lock that the process has on
    it, including those by which SQLite knows that the ledger is in use (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    private_folder(path.parent)
    with suppress(FileExistsError):
        os.mknod(path, stat.S_IFREG | 0o600)


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction control would begin too late and with too weak a lock; `_begin_sqlite` begins instead.
    connection.isolation_level = None
    for setting in SQLITE_SETTINGS:
        connection.execute(f"PRAGMA {setting}").close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("renkei_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
