"""A ledger's database brought to the newest version: all of it or nothing, with a note in its history. Makes no backup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipelines.configuration.calendar import TOKYO, tokyo_now
from pipelines.exchange.ledger.database import reach
from pipelines.exchange.ledger.reading import Reader
from pipelines.exchange.ledger.recording import Recorder, UnitOfWork
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.exchange.ledger.version import NEWEST, apply_versions, require_newest, steps_from, version_of


@dataclass(frozen=True)
class Upgrade:
    """From which version (None: there was no ledger yet) to which, and the versions on the way with their titles."""

    before: str | None
    after: str
    steps: dict[str, str]

    @classmethod
    def of(cls, version: str | None, shown_url: str) -> Upgrade:
        """What is to be done with a database of a version. KR-6110 when it is newer than the program."""
        if version is not None and version >= NEWEST:
            require_newest(version, shown_url)
        return cls(version, NEWEST, steps_from(version))


def planned(url: str) -> Upgrade:
    """What `upgrade` would do now; changes nothing and waits for no writer. KR-6105, KR-6108, KR-6110."""
    database = reach(url)
    with database.reading() as view:
        return Upgrade.of(version_of(view), database.shown_url)


def upgrade(
    url: str,
    operator: str,
    clock: Callable[[], datetime] = tokyo_now,
    *,
    may_begin: bool = True,
    require: Callable[[Reader], None] = lambda _: None,
) -> Upgrade:
    """Do it, in one transaction under the writer's lock; safe to repeat, and beside another process that does the same.

    `require` may refuse the ledger as it stands then. KR-6105, KR-6107 as `open_database`, KR-6108, KR-6110.
    """
    database = reach(url)
    recorder = Recorder(database, lambda: clock().astimezone(TOKYO), operator, None)
    with database.upgrading(may_begin=may_begin) as connection:
        found, work = Upgrade.of(version_of(connection), database.shown_url), UnitOfWork(recorder, connection)
        if found.steps:
            apply_versions(connection)
        require(work)
        if found.steps:
            work.note(LedgerEvent.LEDGER_UPGRADED, before=found.before, after=found.after)
    return found
