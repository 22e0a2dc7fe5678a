"""The database of a ledger: SQLite and PostgreSQL as we use them, one engine per process and URL, forks. Which tables it has,
and what is written into them, is told elsewhere."""

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

# PostgreSQL's answer to a role that may not do what it asks for.
_NO_RIGHTS: Final = "InsufficientPrivilege"


class Database:
    """A database that this process has open. Its connections close with the last ledger that uses it, or the process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite moves what is in its -wal file into the ledger when the last connection closes; a process that ends
        # without it leaves a ledger file that is old by itself, and a backup of that file alone with it.
        weakref.finalize(self, engine.dispose)

    @property
    def shown_url(self) -> str:
        """Where it is, without a password."""
        return self._engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Give the idle connections back; another ledger of this process goes on with new ones."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the ledger that does not wait for writers. KR-6108 as `writing`."""
        with _answering(), self._viewed() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction; writers queue here, so the history has one order. Commits unless the block raises.

        KR-6108 when the database does not do it: locked, full, gone, damaged, no rights. KR-6109, KR-6110 when its version
        changed since it was opened.
        """
        with _answering(), self._begun() as connection:
            require_newest(version_of(connection), self.shown_url)
            yield connection

    @contextmanager
    def upgrading(self, *, may_begin: bool) -> Iterator[Connection]:
        """As `writing`, whatever the version is; KR-6107 when there is no ledger yet and `may_begin` is False."""
        with _answering(), self._begun() as connection:
            if not may_begin and version_of(connection) is None:
                raise RenkeiError("KR-6107", url=self.shown_url)
            yield connection

    def begin(self, *, may_begin: bool) -> None:
        """Make a new ledger where there is none, and see that its version is this program's (KR-6109, KR-6110).

        KR-6107 when there is none and `may_begin` is False. Most commands only read: one that is there is not waited for.
        """
        with self._viewed() as connection:
            version = version_of(connection)
        if version is None:
            with self.upgrading(may_begin=may_begin) as connection:
                version = version_of(connection)  # another process may have made it meanwhile
                if version is None:
                    apply_versions(connection)
                    version = version_of(connection)
        require_newest(version, self.shown_url)

    def leave_to_parent(self) -> object:
        """In a forked process: connections of our own from here on. Gives the parent's, to be kept and never used."""
        pool = self._engine.pool
        self._engine.dispose(close=False)
        return pool

    @contextmanager
    def _viewed(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                yield connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                yield connection.execution_options(renkei_reading=True)

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_MILLISECONDS}")
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield connection


class _Databases:
    """The databases that this process has open: one engine for each URL, and fresh connections after a fork."""

    def __init__(self) -> None:
        self._alone = Lock()
        self._open: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()
        self._of_the_parent: list[object] = []
        os.register_at_fork(after_in_child=self._after_fork)

    def open(self, url: str) -> Database:
        """The database of a URL, its file made when it is not there."""
        with self._alone:
            found = self._open.get(url)
            if found is None:
                found = self._open[url] = Database(_engine(url))
            return found

    def _after_fork(self) -> None:
        """The parent's connections are kept, and never used or closed: SQLite would take the parent's locks for ours."""
        self._alone = Lock()
        for database in list(self._open.values()):
            self._of_the_parent.append(database.leave_to_parent())


_databases: Final = _Databases()


def open_database(url: str, *, may_begin: bool) -> Database:
    """The ledger's database, with its tables. KR-6105 it cannot be opened, KR-6107, KR-6109, KR-6110 as `Database.begin`."""
    with _opening(url):
        database = _databases.open(url)
        database.begin(may_begin=may_begin)
    return database


def reach(url: str) -> Database:
    """A ledger's database of whatever version, which may have no tables yet. KR-6105 as `open_database`."""
    with _opening(url):
        return _databases.open(url)


@contextmanager
def _opening(url: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise RenkeiError("KR-6105", url=shown(url), reason=_kind(error)) from error


def shown(url: str) -> str:
    """A URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "（URLの書き方の誤り）"


def _kind(error: Exception) -> str:
    """What kind of error it is, in the words of the database where it is the database's."""
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlite_errorname", type(cause).__name__))


@contextmanager
def _answering() -> Iterator[None]:
    """A database that fails is told as KR-6108. Its own text may hold values of a row, its kind of error does not."""
    try:
        yield
    except DatabaseError as error:
        reason = _kind(error)
        # Of a constraint or a type our program is to blame.
        if type(error) not in (DatabaseError, OperationalError) and reason != _NO_RIGHTS:
            raise
        raise RenkeiError("KR-6108", reason=reason) from error


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
