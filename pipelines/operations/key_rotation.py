"""Key pairs over their life in a deployment: made, listed, renewed, retired, each with its row in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.storage.archive import Safe
from pipelines.storage.cms import SUFFIX, TO_UNION
from pipelines.storage.keyring import PURPOSES, KeyPair, KeyRing, Purpose
from pipelines.storage.locks import exclusive
from pipelines.storage.tables import Store

# Folders with files that our own records key closes.
SAFE_FOLDERS = ("outbox", "archive", "quarantine")


def init(environment: Environment) -> list[KeyPair]:
    """Make the first generation of every purpose that has none; gives what was made."""
    return [environment.keys.create(purpose) for purpose in PURPOSES if not environment.keys.pairs(purpose)]


def listed(environment: Environment) -> pl.DataFrame:
    """Every generation: key, purpose, current, private_key (still there), valid_from, valid_until, certificate_sha256."""
    rows = [
        {
            "key": pair.name,
            "purpose": purpose,
            "current": pair == environment.keys.pairs(purpose)[0],
            "private_key": pair.key_path.exists(),
            "valid_from": pair.certificate.not_valid_before_utc.date(),
            "valid_until": pair.certificate.not_valid_after_utc.date(),
            "certificate_sha256": pair.fingerprint,
        }
        for purpose in PURPOSES
        for pair in environment.keys.pairs(purpose)
    ]
    return pl.DataFrame(rows)


def rotate(environment: Environment, purpose: Purpose, by: str, reason: str) -> tuple[KeyPair, int]:
    """A new generation, and everything of ours that must stay readable closed with it; gives how much that was.

    May be run again after a crash: it goes on with what is still closed by an older key. Nothing is sent or received
    meanwhile (KR-6114). What is sealed for the Union stays as it was sent.
    """
    folder = environment.settings.data_folder
    with exclusive(folder, "outbox"), exclusive(folder, "inbox"):
        older = _needing_older(environment, purpose)
        if environment.keys.pairs(purpose) and not older:
            environment.keys.create(purpose, anew=True)
        pair = environment.keys.current(purpose)
        closed = _needing_older(environment, purpose)
        for one in closed:
            _close_again(environment, one)
        environment.ledger.recorder(by).append_event(
            LedgerEvent.KEY_ROTATED,
            purpose=purpose,
            reason=reason,
            key=pair.name,
            certificate_sha256=pair.fingerprint,
            closed_again=len(closed),
        )
    return pair, len(closed)


def retire(environment: Environment, key: str, by: str, reason: str) -> None:
    """Destroy the private key of an old generation. KR-7116 it is in use, KR-7115 something is still closed with it."""
    pair = environment.keys.named(key)
    if pair == environment.keys.current(pair.purpose):
        raise RenkeiError("KR-7116", key=key)
    folder = environment.settings.data_folder
    with exclusive(folder, "outbox"), exclusive(folder, "inbox"):
        needed = _closed_by(environment, pair.purpose, environment.keys.lacking(key))
        if needed:
            raise RenkeiError("KR-7115", key=key, count=len(needed))
        environment.keys.destroy(pair)
        environment.ledger.recorder(by).append_event(
            LedgerEvent.KEY_RETIRED, purpose=pair.purpose, key=key, reason=reason
        )


def _needing_older(environment: Environment, purpose: Purpose) -> list[Path]:
    """What the newest generation alone does not open."""
    older = environment.keys.pairs(purpose)[1:]
    found: dict[Path, None] = {}
    for pair in older:
        found |= dict.fromkeys(_closed_by(environment, purpose, environment.keys.lacking(pair.name)))
    return list(found)


def _closed_by(environment: Environment, purpose: Purpose, ring: KeyRing) -> list[Path]:
    """What of ours a ring does not open for want of a key."""
    safe = Safe(ring, environment.settings.data_folder)
    store = Store(environment.store.root, ring, ())
    return [path for path in _closed(environment, purpose) if not _opens(safe, store, path)]


def _closed(environment: Environment, purpose: Purpose) -> Iterator[Path]:
    """Every table and file that a purpose's key closes."""
    for path in sorted(environment.store.root.glob("*/*.parquet")):
        if environment.store.purpose_of(path.parent.name) == purpose:
            yield path
    if purpose == "records":
        for name in SAFE_FOLDERS:
            for path in sorted((environment.settings.data_folder / name).rglob(f"*{SUFFIX}")):
                if not path.name.endswith(TO_UNION):
                    yield path


def _opens(safe: Safe, store: Store, path: Path) -> bool:
    try:
        if path.suffix == SUFFIX:
            safe.content(path)
        else:
            store.read(path.parent.name, path.stem)
    except RenkeiError as error:
        if error.code in ("KR-6321", "KR-7112"):
            return False
        raise
    return True


def _close_again(environment: Environment, path: Path) -> None:
    if path.suffix == SUFFIX:
        environment.safe.keep(path, environment.safe.content(path))
    else:
        environment.store.write(path.parent.name, path.stem, environment.store.read(path.parent.name, path.stem))
