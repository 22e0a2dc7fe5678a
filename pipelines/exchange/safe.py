"""Files at rest: copies of what left and arrived, each a CMS envelope for our own `records` key. Knows no ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interfaces.messages import RenkeiError
from pipelines.exchange.files import write_durably
from pipelines.exchange.keys import KeyRing
from pipelines.exchange.lock import drafts
from pipelines.exchange.seal import enveloped, opened, plain_name


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

    def holds(self, path: Path, sha256: str) -> bool:
        """Whether the file is there and its content has this SHA-256. Errors of the key come through."""
        if not path.is_file():
            return False
        try:
            return hashlib.sha256(self.content(path)).hexdigest() == sha256
        except RenkeiError as error:
            if error.code == "KR-6321":
                return False
            raise

    @contextmanager
    def readable(self, path: Path) -> Iterator[Path]:
        """A plain copy, under the file's name without `.p7m`, in a folder that is gone when the block ends."""
        with drafts(self.data_folder) as folder:
            plain = folder / plain_name(path.name)
            write_durably(plain, self.content(path))
            yield plain
