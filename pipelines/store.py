"""Tables at rest: a Parquet file per asset and partition, written atomically; 個人番号 encrypted under its own key.

Knows no asset's meaning and no Dagster; the IO manager in `orchestration` is a thin coat over this.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

from interfaces.messages import RenkeiError
from pipelines.exchange.files import write_durably

# Assets that hold 個人番号 (design.md 4 rule 8): encrypted whole, footer included.
MY_NUMBER_ASSETS = frozenset({"my_numbers", "sent_my_numbers"})
_KEY_NAME = "my_number"
_KEY_BYTES = 32  # AES-256


class KeyFile(pe.KmsClient):  # type: ignore[misc]  # pyarrow ships no types
    """Wraps the data keys of encrypted Parquet files with a key in a file of mode 0600 (AES key wrap, RFC 3394)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def _key(self) -> bytes:
        if not self.path.exists():
            write_durably(self.path, secrets.token_bytes(_KEY_BYTES))
        if self.path.stat().st_mode & 0o077:
            raise RenkeiError("KR-7106", name=self.path.name)
        return self.path.read_bytes()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        """Called by pyarrow when a file is written."""
        return b64encode(aes_key_wrap(self._key(), key_bytes))

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        """Called by pyarrow when a file is read."""
        return aes_key_unwrap(self._key(), b64decode(wrapped_key))


class Store:
    """Parquet files below `root`, as `<asset>/<partition>.parquet`."""

    def __init__(self, root: Path, key_file: Path) -> None:
        self.root = root
        self._connection = pe.KmsConnectionConfig()
        self._factory = pe.CryptoFactory(lambda _: KeyFile(key_file))

    def path(self, asset: str, partition: str) -> Path:
        """Where a table lies (it need not exist)."""
        return self.root / asset / f"{partition}.parquet"

    def exists(self, asset: str, partition: str) -> bool:
        """Whether the table was written."""
        return self.path(asset, partition).is_file()

    def partitions(self, asset: str) -> list[str]:
        """The partitions that an asset has, sorted."""
        return sorted(path.stem for path in (self.root / asset).glob("*.parquet"))

    def write(self, asset: str, partition: str, frame: pl.DataFrame) -> Path:
        """Write a table atomically; the 個人番号 assets are encrypted."""
        buffer = BytesIO()
        if asset in MY_NUMBER_ASSETS:
            configuration = pe.EncryptionConfiguration(footer_key=_KEY_NAME, uniform_encryption=True)
            properties = self._factory.file_encryption_properties(self._connection, configuration)
            pq.write_table(frame.to_arrow(), buffer, encryption_properties=properties)
        else:
            frame.write_parquet(buffer)
        path = self.path(asset, partition)
        write_durably(path, buffer.getvalue())
        return path

    def read(self, asset: str, partition: str) -> pl.DataFrame:
        """Read a table; KR-7207 when it was never written."""
        path = self.path(asset, partition)
        if not path.is_file():
            raise RenkeiError("KR-7207", asset=asset, partition=partition)
        if asset in MY_NUMBER_ASSETS:
            properties = self._factory.file_decryption_properties(self._connection)
            return pl.DataFrame(pq.read_table(path, decryption_properties=properties))
        return pl.read_parquet(path)

    def height(self, asset: str, partition: str) -> int:
        """Rows of a table that is not encrypted, from its footer alone."""
        return int(pq.read_metadata(self.path(asset, partition)).num_rows)
