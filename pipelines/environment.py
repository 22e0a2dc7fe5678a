"""What a step needs from outside, opened once: settings, catalogue, ledger, store, clock. The edge of the program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from interfaces.catalogue import DEFAULT_ROOT, Catalogue, load_catalogue
from interfaces.spec import Specification
from pipelines.calendar import TOKYO
from pipelines.exchange.ledger import Ledger
from pipelines.exchange.transport import Retry, SftpTransport, Transport
from pipelines.settings import Settings
from pipelines.store import Store
from schemas.validate import Context


def tokyo_now() -> dt.datetime:
    """The time of day in Asia/Tokyo."""
    return dt.datetime.now(TOKYO)


@dataclass(frozen=True)
class Environment:
    """One deployment for one municipality."""

    settings: Settings
    catalogue: Catalogue
    ledger: Ledger
    store: Store
    clock: Callable[[], dt.datetime]

    @classmethod
    def open(cls, settings: Settings, clock: Callable[[], dt.datetime] = tokyo_now) -> Environment:
        """Open the ledger and the store of a deployment; folders are made with mode 0700."""
        folder = settings.data_folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(
            settings,
            load_catalogue(settings.catalogue_folder or DEFAULT_ROOT),
            Ledger(settings.ledger, clock),
            Store(folder / "assets", folder / "keys" / "my_number.key"),
            clock,
        )

    def to_union(self) -> closing[Transport]:
        """The Union's folder for what we send."""
        sftp = self.settings.required_sftp()
        return closing(SftpTransport(sftp, sftp.to_union_folder))

    def from_union(self) -> closing[Transport]:
        """The Union's folder for what we receive."""
        sftp = self.settings.required_sftp()
        return closing(SftpTransport(sftp, sftp.from_union_folder))

    def retry(self) -> Retry:
        """The one retry layer: transient transport failures only, with a total deadline."""
        return Retry.of(self.settings.required_sftp())

    def specification(self, interface: str, on: dt.date) -> Specification:
        """The version in force on a day."""
        return self.catalogue.in_force(interface, on)

    def context(self, partition: dt.date | None, file_name: str | None) -> Context:
        """What this municipality's files are checked against."""
        own = self.settings
        return Context(own.municipality_code, own.insurer_number, own.prefecture_code, partition, file_name)

    def header(self, day: dt.date) -> dict[str, object]:
        """Values of the control record and of every record: ours, the day's, and the first file of the day."""
        own = self.settings
        return {
            "municipality_code": own.municipality_code,
            "insurer_number": own.insurer_number,
            "prefecture_code": own.prefecture_code,
            "media_kind": "transmission",
            "processed_on": day,
            "file_number": "000001",
        }

    def monthly_header(self, month: dt.date, processed_on: dt.date) -> dict[str, object]:
        """Like `header`, for the files of a 処理対象年月 (its first day)."""
        return {**self.header(processed_on), "target_month": f"{month:%Y-%m}", "created_on": processed_on}

    def reports(self, day: dt.date) -> Path:
        """The folder of a day's reports."""
        return self.settings.data_folder / "reports" / day.isoformat()
