"""Upgrades a ledger's database to the newest version: all or nothing, with an event in its history. Makes no backup."""

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
    """An upgrade from one version (None: there was no ledger yet) to another; `steps`: the versions between, with titles."""

    before: str | None
    after: str
    steps: dict[str, str]

    @classmethod
    def of(cls, version: str | None, shown_url: str) -> Upgrade:
        """The upgrade that a database of `version` needs. KR-6110 when it is newer than the program."""
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
    create_if_missing: bool = True,
    require: Callable[[Reader], None] = lambda _: None,
) -> Upgrade:
    """Upgrade in one transaction under the writer's lock; safe to repeat and to run in two processes at once.

    `require` may refuse the upgraded ledger. KR-6105, KR-6107 as `open_database`, KR-6108, KR-6110.
    """
    database = reach(url)
    recorder = Recorder(database, lambda: clock().astimezone(TOKYO), operator, None)
    with database.upgrading(create_if_missing=create_if_missing) as connection:
        found, work = Upgrade.of(version_of(connection), database.shown_url), UnitOfWork(recorder, connection)
        if found.steps:
            apply_versions(connection)
        require(work)
        if found.steps:
            work.append_event(LedgerEvent.LEDGER_UPGRADED, before=found.before, after=found.after)
    return found
