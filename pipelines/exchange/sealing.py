"""The sealed form of a file, signed and encrypted for the Union: made, kept next to our own copy, found again. Sends nothing."""

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
class TransmittedForm:
    """A file in the form that is transmitted: plaintext, or sealed as the ledger last recorded."""

    name: str
    sha256: str
    is_sealed: bool


def transmitted_form(entry: Entry) -> TransmittedForm:
    """The form in which an outbound entry is transmitted."""
    if entry.sealed_sha256 is not None:
        return TransmittedForm(entry.file_name + SUFFIX, entry.sealed_sha256, True)
    return TransmittedForm(entry.file_name, str(entry.sha256), False)


def sealed_path(file: OutboundFile) -> Path:
    """The path of the sealed form, next to our own copy: exactly the bytes that are sent."""
    return file.path.with_name(file.path.name.removesuffix(SUFFIX) + f".to_union{SUFFIX}")


def read_sealed_form(file: OutboundFile, sha256: str) -> bytes | None:
    """The sealed form on our disk; None when it is missing or damaged."""
    path = sealed_path(file)
    data = path.read_bytes() if path.is_file() else b""
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


@dataclass(frozen=True)
class SealedFile:
    """The sealed form on our disk: a medium carries exactly the bytes that SFTP would."""

    entry: Entry
    name: str
    data: bytes = field(repr=False)
    sha256: str


@dataclass(frozen=True)
class Sealer:
    """Signs files and encrypts them for `recipient`, the Union's certificate; each sealed form is recorded in the ledger."""

    recorder: Recorder
    ring: KeyRing
    recipient: x509.Certificate

    def seal(self, entry: Entry, file: OutboundFile, content: bytes) -> tuple[Entry, bytes]:
        """Seal a file. Returns the entry, now `sealed`, and the sealed form."""
        data, facts = self._make_sealed_form(file, content)
        return self.recorder.transition(entry, EntryState.SEALED, expected=entry.state, **facts), data

    def seal_again(self, entry: Entry, file: OutboundFile, content: bytes) -> tuple[Entry, bytes]:
        """Replace a sealed form that is lost or damaged, with an event. Returns the updated entry and the form."""
        data, facts = self._make_sealed_form(file, content)
        self.recorder.append_event(LedgerEvent.RESEALED, entry_id=entry.id, **facts)
        return self.recorder.entry(entry.id), data

    def sealed_file(self, entry: Entry, file: OutboundFile, content: bytes) -> SealedFile:
        """The sealed form on our disk, made if there is no intact one."""
        data: bytes | None
        if entry.state in UNSEALED_STATES:
            entry, data = self.seal(entry, file, content)
        else:
            data = read_sealed_form(file, transmitted_form(entry).sha256)
        if data is None:
            entry, data = self.seal_again(entry, file, content)
        form = transmitted_form(entry)
        return SealedFile(entry, form.name, data, form.sha256)

    def _make_sealed_form(self, file: OutboundFile, content: bytes) -> tuple[bytes, dict[str, Any]]:
        """Write the sealed form; returns it, and the facts for the ledger."""
        data = sign_and_encrypt(content, self.ring, self.recipient)
        write_durably(sealed_path(file), data)
        return data, {
            "sealed_sha256": hashlib.sha256(data).hexdigest(),
            "sealed_size": len(data),
            "sealed_for": format(self.recipient.serial_number, "x"),
            "signed_by": self.ring.current("transfer").name,
        }
