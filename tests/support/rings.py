"""Key pairs for tests: made once per process, because making them takes longer than most tests."""

from __future__ import annotations

import atexit
import datetime as dt
import shutil
import tempfile
from functools import cache
from pathlib import Path

from fixtures.prefecture import MUNICIPALITIES
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.keyring import PURPOSES, KeyRing

_TRUE_DATETIME = dt.datetime  # whatever a test puts in its place while the keys are made

# Our municipality's, as a deployment of it names itself.
OWNER = f"国保連携 {MUNICIPALITIES[0].code}"


@cache
def key_folder() -> Path:
    """A folder with the first generation of every purpose."""
    folder = Path(tempfile.mkdtemp(prefix="renkei-keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ring = KeyRing(folder, folder / "passphrase", OWNER, clock=lambda: _TRUE_DATETIME.now(dt.UTC))
    for purpose in PURPOSES:
        ring.create(purpose)
    return folder


@cache
def ring() -> KeyRing:
    return KeyRing(key_folder(), key_folder() / "passphrase", OWNER)


def file_store(data_folder: Path) -> EncryptedFileStore:
    return EncryptedFileStore(ring(), data_folder)


def settings_lines() -> str:
    """For settings files: these keys, and no approval of a first load unless a test is about it."""
    return f'[keys]\nfolder = "{key_folder()}"\n[approval]\nfirst_load = false\n'
