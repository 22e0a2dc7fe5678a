"""The form of a file that is sealed for the Union: made, kept beside our own copy, found again. Sends nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from pipelines.exchange.batch import OutboundFile
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import UNSEALED_STATES, EntryState, LedgerEvent
from pipelines.storage.cms import SUFFIX, sign_and_encrypt
from pipelines.storage.files import write_durably
from pipelines.storage.keyring import KeyRing


@dataclass(frozen=True)
class Parcel:
    """A file as the Union sees it: plain, or sealed as the ledger last says."""

    name: str
    sha256: str
    is_sealed: bool


def parcel_of(entry: Entry) -> Parcel:
    """How an outbound entry leaves."""
    if entry.sealed_sha256 is not None:
        return Parcel(entry.file_name + SUFFIX, entry.sealed_sha256, True)
    return Parcel(entry.file_name, str(entry.sha256), False)


def sealed_path(file: OutboundFile) -> Path:
    """Where the form sealed for the Union lies, beside our own copy: what was sent, byte for byte."""
    return file.path.with_name(file.path.name.removesuffix(SUFFIX) + f".to_union{SUFFIX}")


def kept_form(file: OutboundFile, sha256: str) -> bytes | None:
    """What lies sealed on our disk; None when it is lost or damaged."""
    path = sealed_path(file)
    data = path.read_bytes() if path.is_file() else b""
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


@dataclass(frozen=True)
class SealedFile:
    """A file as it lies sealed on our disk: what a medium carries, byte for byte what SFTP would."""

    entry: Entry
    name: str
    data: bytes = field(repr=False)
    sha256: str


@dataclass(frozen=True)
class Sealer:
    """Seals files for `recipient`, the Union's certificate; the ledger is told of every form that is made."""

    recorder: Recorder
    ring: KeyRing
    recipient: x509.Certificate

    def seal(self, entry: Entry, file: OutboundFile, content: bytes) -> tuple[Entry, bytes]:
        """The entry, then `sealed`, and the sealed form."""
        data, facts = self._made(file, content)
        return self.recorder.transition(entry, EntryState.SEALED, expected=entry.state, **facts), data

    def seal_again(self, entry: Entry, file: OutboundFile, content: bytes) -> tuple[Entry, bytes]:
        """Another sealed form in the place of one that is lost or damaged, noted; the entry then, and the form."""
        data, facts = self._made(file, content)
        self.recorder.append_event(LedgerEvent.RESEALED, entry_id=entry.id, **facts)
        return self.recorder.entry(entry.id), data

    def sealed_file(self, entry: Entry, file: OutboundFile, content: bytes) -> SealedFile:
        """The sealed form that lies on our disk, made when there is none that is sound."""
        data: bytes | None
        if entry.state in UNSEALED_STATES:
            entry, data = self.seal(entry, file, content)
        else:
            data = kept_form(file, parcel_of(entry).sha256)
        if data is None:
            entry, data = self.seal_again(entry, file, content)
        parcel = parcel_of(entry)
        return SealedFile(entry, parcel.name, data, parcel.sha256)

    def _made(self, file: OutboundFile, content: bytes) -> tuple[bytes, dict[str, Any]]:
        """Write the sealed form; gives it, and what the ledger should know of it."""
        data = sign_and_encrypt(content, self.ring, self.recipient)
        write_durably(sealed_path(file), data)
        return data, {
            "sealed_sha256": hashlib.sha256(data).hexdigest(),
            "sealed_size": len(data),
            "sealed_for": format(self.recipient.serial_number, "x"),
            "signed_by": self.ring.current("transfer").name,
        }
