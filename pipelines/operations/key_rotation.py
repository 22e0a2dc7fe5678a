"""The life cycle of a deployment's key pairs: created, listed, rotated, retired, each with an event in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.cms import SUFFIX, TO_UNION
from pipelines.storage.keyring import PURPOSES, KeyPair, KeyRing, Purpose
from pipelines.storage.locks import exclusive_lock
from pipelines.storage.tables import Store

# Folders with files that are encrypted for our own records key.
COPY_FOLDERS = ("outbox", "archive", "quarantine")


def init(environment: Environment) -> list[KeyPair]:
    """Create the first generation of every purpose that has none; returns the new pairs."""
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
    """Create a new generation and re-encrypt all our own data with it; returns the pair and how many files that were.

    Safe to repeat after a crash: it continues with what is still encrypted with an older key. Nothing is sent or received
    meanwhile (KR-6114). Files encrypted for the Union stay as they were sent.
    """
    folder = environment.settings.data_folder
    with exclusive_lock(folder, "outbox"), exclusive_lock(folder, "inbox"):
        older = _needing_older_key(environment, purpose)
        if environment.keys.pairs(purpose) and not older:
            environment.keys.create(purpose, new_generation=True)
        pair = environment.keys.current(purpose)
        pending = _needing_older_key(environment, purpose)
        for path in pending:
            _reencrypt(environment, path)
        environment.ledger.recorder(by).append_event(
            LedgerEvent.KEY_ROTATED,
            purpose=purpose,
            reason=reason,
            key=pair.name,
            certificate_sha256=pair.fingerprint,
            closed_again=len(pending),
        )
    return pair, len(pending)


def retire(environment: Environment, key: str, by: str, reason: str) -> None:
    """Destroy the private key of an old generation. KR-7116 it is in use, KR-7115 something is still encrypted with it."""
    pair = environment.keys.named(key)
    if pair == environment.keys.current(pair.purpose):
        raise RenkeiError("KR-7116", key=key)
    folder = environment.settings.data_folder
    with exclusive_lock(folder, "outbox"), exclusive_lock(folder, "inbox"):
        needed = _encrypted_with_missing_key(environment, pair.purpose, environment.keys.excluding(key))
        if needed:
            raise RenkeiError("KR-7115", key=key, count=len(needed))
        environment.keys.destroy(pair)
        environment.ledger.recorder(by).append_event(
            LedgerEvent.KEY_RETIRED, purpose=pair.purpose, key=key, reason=reason
        )


def _needing_older_key(environment: Environment, purpose: Purpose) -> list[Path]:
    """Everything that needs an older generation than the newest."""
    older_pairs = environment.keys.pairs(purpose)[1:]
    found: dict[Path, None] = {}
    for pair in older_pairs:
        found |= dict.fromkeys(_encrypted_with_missing_key(environment, purpose, environment.keys.excluding(pair.name)))
    return list(found)


def _encrypted_with_missing_key(environment: Environment, purpose: Purpose, ring: KeyRing) -> list[Path]:
    """Our files and tables that a ring cannot decrypt because it does not have the key."""
    file_store = EncryptedFileStore(ring, environment.settings.data_folder)
    store = Store(environment.store.root, ring, {})
    return [path for path in _encrypted_paths(environment, purpose) if not _can_decrypt(file_store, store, path)]


def _encrypted_paths(environment: Environment, purpose: Purpose) -> Iterator[Path]:
    """Every table and file that is encrypted with a purpose's key."""
    for path in sorted(environment.store.root.glob("*/*.parquet")):
        if environment.store.purpose_of(path.parent.name) == purpose:
            yield path
    if purpose == "records":
        for name in COPY_FOLDERS:
            for path in sorted((environment.settings.data_folder / name).rglob(f"*{SUFFIX}")):
                if not path.name.endswith(TO_UNION):
                    yield path


def _can_decrypt(file_store: EncryptedFileStore, store: Store, path: Path) -> bool:
    try:
        if path.suffix == SUFFIX:
            file_store.read(path)
        else:
            store.decrypted(path.parent.name, path.stem)
    except RenkeiError as error:
        if error.code in ("KR-6321", "KR-7112"):
            return False
        raise
    return True


def _reencrypt(environment: Environment, path: Path) -> None:
    if path.suffix == SUFFIX:
        environment.file_store.put(path, environment.file_store.read(path))
    else:
        environment.store.reencrypt(path.parent.name, path.stem)
