"""Files at rest: copies of what left and arrived, each a CMS envelope for our own `records` key. Knows no ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from interfaces.messages import RenkeiError
from pipelines.storage.cms import enveloped, opened
from pipelines.storage.files import write_durably
from pipelines.storage.keyring import KeyRing


@dataclass(frozen=True)
class Safe:
    """Keeps files in the data folder so that nobody without the `records` key reads them; `openssl cms` can."""

    ring: KeyRing
    data_folder: Path

    def keep(self, path: Path, data: bytes) -> None:
        """Write a file closed. `path` ends in `.p7m`; what was there is replaced whole."""
        write_durably(path, enveloped(data, self.ring.current("records").certificate))

    def content(self, path: Path) -> bytes:
        """What a kept file holds. KR-6321 when it is broken or not ours, KR-71xx when the key is not at hand."""
        return opened(path.read_bytes(), self.ring, "records")

    def read(self, path: Path, sha256: str) -> bytes | None:
        """A kept file's content, proved by its SHA-256; None when it is gone or changed. Errors of the key come through."""
        if not path.is_file():
            return None
        try:
            content = self.content(path)
        except RenkeiError as error:
            if error.code == "KR-6321":
                return None
            raise
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def holds(self, path: Path, sha256: str) -> bool:
        """Whether the file is there, and its content has this SHA-256. Errors of the key come through."""
        return self.read(path, sha256) is not None
