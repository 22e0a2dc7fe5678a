"""Files at rest: copies of sent and received files, each encrypted (CMS) for our own `records` key. Knows no ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from interfaces.messages import RenkeiError
from pipelines.storage.cms import decrypt, encrypt
from pipelines.storage.files import write_durably
from pipelines.storage.keyring import KeyRing


@dataclass(frozen=True)
class EncryptedFileStore:
    """Files in the data folder that only the `records` key can decrypt, with `openssl cms` too."""

    ring: KeyRing
    data_folder: Path

    def put(self, path: Path, data: bytes) -> None:
        """Write a file encrypted. `path` ends in `.p7m`; an existing file is replaced atomically."""
        write_durably(path, encrypt(data, self.ring.current("records").certificate))

    def read(self, path: Path) -> bytes:
        """The decrypted content of a file. KR-6321 when it is damaged or not ours, KR-71xx when the key is not available."""
        return decrypt(path.read_bytes(), self.ring, "records")

    def read_intact(self, path: Path, sha256: str) -> bytes | None:
        """The content of a file if it has this SHA-256; None when it is missing or changed. Errors of the key are raised."""
        if not path.is_file():
            return None
        try:
            content = self.read(path)
        except RenkeiError as error:
            if error.code == "KR-6321":
                return None
            raise
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def matches(self, path: Path, sha256: str) -> bool:
        """Whether the file exists and its content has this SHA-256. Errors of the key are raised."""
        return self.read_intact(path, sha256) is not None
