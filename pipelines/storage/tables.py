"""Tables at rest: a Parquet file per asset and partition, written atomically, with personal columns encrypted.

What an asset's table looks like is defined by its `StoredTable`. Knows no Dagster; the IO manager in `resources` is a thin
wrapper around this.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from interfaces.messages import RenkeiError
from pipelines.storage.files import write_durably
from pipelines.storage.keyring import KeyRing, Purpose
from schemas.tables import StoredTable

# Assets that hold 個人番号 (D-013): encrypted whole, footer included, under a key of their own.
MY_NUMBER_ASSETS = frozenset({"my_numbers", "sent_my_numbers"})
_WRAPPING = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class _KeyPairs(pe.KmsClient):  # type: ignore[misc]  # pyarrow ships no types
    """Wraps the data keys of encrypted Parquet files with our key pairs (RSA-OAEP): writing needs no private key."""

    def __init__(self, ring: KeyRing) -> None:
        super().__init__()
        self._ring = ring

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        """Called by pyarrow when a file is written."""
        public = self._ring.named(master_key_identifier).certificate.public_key()
        return b64encode(public.encrypt(key_bytes, _WRAPPING))  # type: ignore[union-attr]  # KeyRing makes RSA keys only

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        """Called by pyarrow when a file is read."""
        key = self._ring.unlock(self._ring.named(master_key_identifier))
        return key.decrypt(b64decode(wrapped_key), _WRAPPING)


class Store:
    """Parquet files below `root`, as `<asset>/<partition>.parquet`.

    `tables`: what each asset stores. Columns that are public in an asset's own table are plaintext; every other column is
    encrypted, so a new column is encrypted until it is declared public. The footer (names, types, row counts) is plaintext,
    and signed. `erased_on`: when a table (asset, partition) was erased, because its retention period was over.
    """

    def __init__(
        self,
        root: Path,
        ring: KeyRing,
        tables: Mapping[str, StoredTable],
        erased_on: Callable[[str, str], dt.date | None] = lambda *_: None,
    ) -> None:
        self.root = root
        self._erased_on = erased_on
        self._ring = ring
        self.tables = tables

    def path(self, asset: str, partition: str) -> Path:
        """The path of a table (it need not exist)."""
        return self.root / asset / f"{partition}.parquet"

    def exists(self, asset: str, partition: str) -> bool:
        """Whether the table was written."""
        return self.path(asset, partition).is_file()

    def partitions(self, asset: str) -> list[str]:
        """The partitions that an asset has, sorted."""
        return sorted(path.stem for path in (self.root / asset).glob("*.parquet"))

    def write(self, asset: str, partition: str, frame: pl.DataFrame) -> Path:
        """Write a table atomically, personal columns encrypted; KR-7111 when there is no key for it.

        KR-7120 when it is not the table that the asset stores: nothing is written then.
        """
        if asset not in self.tables:
            raise RenkeiError("KR-7120", table=asset, faults="形の決まっていない表")
        if faults := self.tables[asset].faults(frame):
            raise RenkeiError("KR-7120", table=asset, faults=faults)
        return self._write(asset, partition, frame)

    def reencrypt(self, asset: str, partition: str) -> None:
        """Write a table again as it is, with the newest key; also one of another version of the program."""
        self._write(asset, partition, self.decrypted(asset, partition))

    def _write(self, asset: str, partition: str, frame: pl.DataFrame) -> Path:
        table, buffer = frame.to_arrow(), BytesIO()
        encryption = self._encryption(asset, table.schema)
        properties = encryption and _factory(self._ring).file_encryption_properties(
            pe.KmsConnectionConfig(), encryption
        )
        pq.write_table(table, buffer, encryption_properties=properties, write_page_checksum=True)
        path = self.path(asset, partition)
        write_durably(path, buffer.getvalue())
        return path

    def read(self, asset: str, partition: str) -> pl.DataFrame:
        """Read a whole table. KR-7119 it has other columns than the asset's table, and errors as `decrypted`."""
        frame = self.decrypted(asset, partition)
        if faults := self.tables[asset].shape_faults(frame):
            raise RenkeiError("KR-7119", asset=asset, partition=partition, faults=faults)
        return frame

    def decrypted(self, asset: str, partition: str) -> pl.DataFrame:
        """A whole table, whatever its columns are. KR-7114 it is damaged, KR-7207 never written, KR-7208 erased, KR-7112
        this process does not have its key."""
        path = self.path(asset, partition)
        if not path.is_file():
            on = self._erased_on(asset, partition)
            if on is not None:
                raise RenkeiError("KR-7208", asset=asset, partition=partition, on=on)
            raise RenkeiError("KR-7207", asset=asset, partition=partition)
        properties = _factory(self._ring).file_decryption_properties(pe.KmsConnectionConfig())
        try:
            table = pq.read_table(path, decryption_properties=properties, page_checksum_verification=True)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise RenkeiError("KR-7114", asset=asset, partition=partition) from error
        return pl.DataFrame(table)

    def height(self, asset: str, partition: str) -> int:
        """The row count of a table with a plaintext footer, without any key; KR-7114 when it is damaged."""
        try:
            return int(pq.read_metadata(self.path(asset, partition)).num_rows)
        except (OSError, pa.ArrowException) as error:
            raise RenkeiError("KR-7114", asset=asset, partition=partition) from error

    def purpose_of(self, asset: str) -> Purpose:
        """The purpose of the key that a table is encrypted with."""
        return "my_number" if asset in MY_NUMBER_ASSETS else "records"

    def _encryption(self, asset: str, schema: pa.Schema) -> pe.EncryptionConfiguration | None:
        if asset in MY_NUMBER_ASSETS:
            return pe.EncryptionConfiguration(footer_key=self._ring.current("my_number").name, uniform_encryption=True)
        table = self.tables.get(asset)
        public = table.public_columns(schema.names) if table is not None else frozenset()
        encrypted = [leaf for leaf in _leaves(schema) if leaf.partition(".")[0] not in public]
        if not encrypted:
            return None
        key = self._ring.current("records").name
        return pe.EncryptionConfiguration(footer_key=key, column_keys={key: encrypted}, plaintext_footer=True)


def _factory(ring: KeyRing) -> pe.CryptoFactory:
    return pe.CryptoFactory(lambda _: _KeyPairs(ring))


def _leaves(schema: pa.Schema) -> list[str]:
    """The paths of the columns as Parquet stores them: a list of texts is `name.list.element`."""
    buffer = BytesIO()
    pq.write_table(schema.empty_table(), buffer)
    stored = pq.ParquetFile(buffer).schema
    return [stored.column(number).path for number in range(len(stored))]
