"""What a step needs from outside, opened once: settings, catalogue, ledger, store, clock. The composition root."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.messages import RenkeiError
from interfaces.private import private_folder
from interfaces.spec import Specification
from pipelines.configuration.calendar import tokyo_now
from pipelines.configuration.settings import Settings, SftpSettings
from pipelines.exchange.belonging import Municipality, bind, require_own_folder, require_own_keys, require_own_ledger
from pipelines.exchange.erased import erased_files, table_file
from pipelines.exchange.ledger.ledger import Ledger
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import LedgerEvent, Origin
from pipelines.exchange.sent_log import SentLog
from pipelines.exchange.transport import Retry, SftpTransport, Transport
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.disk import SMALLEST_NEED_BYTES, Disk
from pipelines.storage.keyring import KeyPair, KeyRing
from pipelines.storage.tables import Store
from pipelines.tables.registry import stored_tables
from schemas.soundness import require_sound
from schemas.validate import FileContext

# Their content can be decrypted only with the existing keys, and only the existing ledger explains it: while one of them
# exists, no new key and no new ledger may silently be created.
ENCRYPTED_FOLDERS = ("assets", "archive", "outbox")
NEED_FACTOR = 3  # how often a day's tables are on the disk while it is made again


def is_new_deployment(data_folder: Path) -> bool:
    """Whether a data folder has no data yet, so that new keys and a new ledger may be created for it."""
    return not any((data_folder / name).exists() for name in ENCRYPTED_FOLDERS)


@dataclass(frozen=True)
class Environment:
    """One deployment for one municipality."""

    settings: Settings
    catalogue: Catalogue
    ledger: Ledger
    store: Store
    keys: KeyRing
    clock: Callable[[], dt.datetime]

    @classmethod
    def open(
        cls, settings: Settings, clock: Callable[[], dt.datetime] = tokyo_now, origin: Origin = Origin.COMMAND
    ) -> Environment:
        """Open the ledger, the keys and the store of a deployment; folders are created with mode 0700. `origin`: what
        started the work for which it is opened.

        KR-6105, KR-6107 the ledger cannot be opened or does not exist; KR-6109, KR-6110 it has another version; KR-6141
        folder, ledger or keys belong to another municipality: then none of them is used. KR-7101 a specification that is
        in force today cannot be read.
        """
        folder, own = private_folder(settings.data_folder), Municipality.of(settings)
        require_own_folder(folder, own)
        catalogue = load_catalogue(settings.catalogue_folder or DEFAULT_ROOT, clock().date())
        create_if_missing = is_new_deployment(folder)
        ledger = Ledger(settings.ledger, clock, create_if_missing=create_if_missing, origin=origin)
        require_own_ledger(ledger, ledger.shown_url, own)

        def record_key_created(pair: KeyPair) -> None:
            ledger.recorder(settings.operator).append_event(
                LedgerEvent.KEY_CREATED, purpose=pair.purpose, key=pair.name, certificate_sha256=pair.fingerprint
            )

        keys = KeyRing(
            settings.key_folder,
            settings.passphrase_file,
            own.key_owner,
            create_if_missing=create_if_missing,
            clock=clock,
            on_key_created=record_key_created,
        )
        require_own_keys(keys, own)
        bind(folder, ledger.recorder(settings.operator), own)
        return cls._with_store(settings, catalogue, ledger, keys, clock)

    @classmethod
    def view(cls, settings: Settings, clock: Callable[[], dt.datetime] = tokyo_now) -> Environment:
        """As `open`, for looking only: creates no folder, ledger or key, and binds nothing. KR-6107 also before the first use."""
        own = Municipality.of(settings)
        require_own_folder(settings.data_folder, own)
        catalogue = load_catalogue(settings.catalogue_folder or DEFAULT_ROOT, clock().date())
        ledger = Ledger(settings.ledger, clock, create_if_missing=False)
        require_own_ledger(ledger, ledger.shown_url, own)
        keys = KeyRing(settings.key_folder, settings.passphrase_file, own.key_owner, clock=clock)
        require_own_keys(keys, own)
        return cls._with_store(settings, catalogue, ledger, keys, clock)

    @classmethod
    def _with_store(
        cls, settings: Settings, catalogue: Catalogue, ledger: Ledger, keys: KeyRing, clock: Callable[[], dt.datetime]
    ) -> Environment:
        def erased_on(asset: str, partition: str) -> dt.date | None:
            return erased_files(ledger).get(table_file(asset, partition))

        store = Store(settings.data_folder / "assets", keys, stored_tables(catalogue), erased_on)
        return cls(settings, catalogue, ledger, store, keys, clock)

    @property
    def file_store(self) -> EncryptedFileStore:
        """Where copies of sent and received files are kept."""
        return EncryptedFileStore(self.keys, self.settings.data_folder)

    @property
    def sent_log(self) -> SentLog:
        """The log of sent files, outside the data folder."""
        return SentLog(self.settings.sent_log_file)

    def recorder(self, run_id: str | None = None) -> Recorder:
        """A recorder of the ledger for the operator of the settings."""
        return self.ledger.recorder(self.settings.operator, run_id)

    def partners(self) -> list[x509.Certificate]:
        """The Union's certificates, newest first; empty when files are not encrypted. KR-6005 one cannot be read."""
        if self.settings.sealing is None:
            return []
        found = []
        for path in self.settings.sealing.partner_certificates:
            try:
                found.append(x509.load_pem_x509_certificate(path.read_bytes()))
            except (OSError, ValueError) as error:
                raise RenkeiError("KR-6005", path=path.name) from error
        return found

    def to_union(self, patience_seconds: float | None = None) -> closing[Transport]:
        """The Union's folder for what we send; `patience_seconds` limits every wait for the server."""
        sftp = self.settings.required_sftp()
        return closing(sftp_transport(sftp, sftp.to_union_folder, patience_seconds))

    def from_union(self, patience_seconds: float | None = None) -> closing[Transport]:
        """The Union's folder for what we receive; `patience_seconds` limits every wait for the server."""
        sftp = self.settings.required_sftp()
        return closing(sftp_transport(sftp, sftp.from_union_folder, patience_seconds))

    def retry(self) -> Retry:
        """The one retry layer: transient transport failures only, with a total deadline."""
        return Retry.of(self.settings.required_sftp())

    def specification(self, interface: str, on: dt.date) -> Specification:
        """The version in force on a day; KR-7132 when lint finds faults in it."""
        found = self.catalogue.in_force(interface, on)
        require_sound(self.catalogue, found, on)
        return found

    def file_context(self, partition: dt.date | None, file_name: str | None) -> FileContext:
        """What this municipality's files are checked against."""
        own = self.settings
        return FileContext(own.municipality_code, own.insurer_number, own.prefecture_code, partition, file_name)

    def header(self, day: dt.date, number: int = 1) -> dict[str, object]:
        """Values of the control record and of every record: the municipality's, the day, and the file number of the day."""
        own = self.settings
        return {
            "municipality_code": own.municipality_code,
            "insurer_number": own.insurer_number,
            "prefecture_code": own.prefecture_code,
            "media_kind": "transmission",
            "processed_on": day,
            "file_number": f"{number:06d}",
        }

    def monthly_header(self, month: dt.date, processed_on: dt.date) -> dict[str, object]:
        """Like `header`, for the files of a 処理対象年月 (its first day)."""
        return {**self.header(processed_on), "target_month": f"{month:%Y-%m}", "created_on": processed_on}

    def reports(self, day: dt.date) -> Path:
        """The folder of a day's reports."""
        return self.settings.data_folder / "reports" / day.isoformat()


def disk_of(settings: Settings) -> Disk:
    """The disk of the data folder. Needed are the tables of the newest day, and as much again while they are replaced and copied."""
    return Disk.of(
        settings.data_folder, max(SMALLEST_NEED_BYTES, NEED_FACTOR * _newest_day_bytes(settings.data_folder / "assets"))
    )


def _newest_day_bytes(tables: Path) -> int:
    newest = max((path.name for path in (tables / "sent_people").glob("*.parquet")), default=None)
    if newest is None:
        return 0
    paths = (folder / newest for folder in tables.iterdir())
    return sum(path.stat().st_size for path in paths if path.is_file())


def disk_error() -> RenkeiError:
    """KR-6211 about the data folder of the settings in use: what was free and needed when it was asked."""
    try:
        return disk_of(Settings.load()).error("処理の結果")
    except (RenkeiError, OSError):
        return Disk.of(Path.cwd()).error("処理の結果")


def sftp_transport(sftp: SftpSettings, folder: str, patience_seconds: float | None = None) -> Transport:
    """A folder of the Union's server; `patience_seconds` limits every wait for it."""
    if patience_seconds is not None:
        waits = ("connect_seconds", "banner_seconds", "handshake_seconds", "authentication_seconds", "reply_seconds")
        sftp = sftp.model_copy(update={name: min(getattr(sftp, name), patience_seconds) for name in waits})
    return SftpTransport(sftp, folder)
