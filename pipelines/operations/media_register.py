"""Exchange by medium instead of SFTP: each export, import and erasure is an event of the ledger, and a row of the 媒体管理簿."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from pipelines.configuration.calendar import TOKYO, time_in_words
from pipelines.deployment import Environment
from pipelines.eligibility.daily import seal_day
from pipelines.exchange.ledger.entry import Event
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.exchange.medium import Erased, Medium, MediumTransport, SystemNames
from pipelines.exchange.received_file import ReceivedFile
from pipelines.exchange.sealing import SealedFile
from pipelines.operations.inbound_interfaces import INBOUND
from pipelines.tables.operations import MediaRegister
from pipelines.transfer import receiving

# What the ledger calls each use of a medium, and what the 媒体管理簿 calls it.
USES: dict[str, str] = {
    LedgerEvent.MEDIA_EXPORTED: "書き出し",
    LedgerEvent.MEDIA_IMPORTED: "読み取り",
    LedgerEvent.MEDIA_ERASED: "消去",
}
LEFT_ALONE, BIN = "触れない", "消す"  # what is done with the content of a system's file or folder


def _medium(environment: Environment, folder: Path) -> Medium:
    today = environment.clock().astimezone(TOKYO).date()
    return Medium.at(folder, environment.settings.media.allowed, system_names(environment.catalogue, today))


def system_names(catalogue: Catalogue, on: dt.date) -> SystemNames:
    """The names in force on a day. KR-7101 for an unknown value of 中身."""
    rows = catalogue.table("media/system_names", on)
    words: dict[str, list[str]] = {LEFT_ALONE: [], BIN: []}
    for row in rows:
        if row["中身"] not in words:
            raise RenkeiError(
                "KR-7101", path="media/system_names.csv", reason=f"中身が {LEFT_ALONE} でも {BIN} でもありません"
            )
        words[row["中身"]].append(row["名前"])
    return SystemNames(tuple(words[LEFT_ALONE]), tuple(words[BIN]))


def export_day(environment: Environment, day: dt.date, folder: Path, by: str, reason: str) -> list[SealedFile]:
    """Write a day's files, signed and encrypted, to an empty medium and verify them. Sending is recorded separately.

    Errors: KR-6601 to KR-6605, and those of `seal_day`.
    """
    medium = _medium(environment, folder)
    medium.require_empty()
    files = seal_day(environment, day, by)
    for file in files:
        medium.write(file.data, file.name, file.sha256)
    recorder = environment.ledger.recorder(by)
    for file in files:
        recorder.append_event(
            LedgerEvent.MEDIA_EXPORTED,
            entry_id=file.entry.id,
            medium=medium.number,
            file_name=file.name,
            sha256=file.sha256,
            records=file.entry.records,
            reason=reason,
        )
    return files


def import_medium(environment: Environment, folder: Path, by: str, reason: str) -> list[ReceivedFile]:
    """Receive the files of a medium like those of the server; archived files are erased from it.

    Errors: KR-6601, KR-6602. A refused file stays on the medium.
    """
    medium = _medium(environment, folder)
    found = receiving.receive_from(environment, INBOUND, MediumTransport(medium), by, f"medium {medium.number}")
    recorder = environment.ledger.recorder(by)
    for file in found:
        recorder.append_event(
            LedgerEvent.MEDIA_IMPORTED,
            entry_id=file.entry.id if file.entry else None,
            medium=medium.number,
            file_name=file.name,
            sha256=file.entry.sha256 if file.entry else None,
            state=file.state,
            reason=reason,
        )
    return found


def erase(environment: Environment, folder: Path, by: str, reason: str) -> list[Erased]:
    """Erase a medium after its job; returns what was on it. The proof is an empty listing afterwards.

    Errors: KR-6601, KR-6602, KR-6606: what was erased before is recorded nevertheless.
    """
    medium, recorder = _medium(environment, folder), environment.ledger.recorder(by)

    def record_erased(erased_file: Erased) -> None:
        recorder.append_event(
            LedgerEvent.MEDIA_ERASED,
            medium=medium.number,
            file_name=erased_file.name,
            sha256=erased_file.sha256,
            size=erased_file.size,
            reason=reason,
        )

    erased = medium.erase(record_erased)
    if not erased:
        recorder.append_event(LedgerEvent.MEDIA_ERASED, medium=medium.number, file_name="（空）", reason=reason)
    return erased


def book(environment: Environment) -> pl.DataFrame:
    """The 媒体管理簿: `MediaRegister`, oldest first."""
    return book_of([event for event in environment.ledger.events() if event.action in USES])


def book_of(events: list[Event]) -> pl.DataFrame:
    """The rows of the 媒体管理簿 for some events."""
    rows = [
        (
            time_in_words(event.at),
            *(str(event.detail.get(name) or "") for name in ("medium",)),
            USES[event.action],
            *(str(event.detail.get(name) or "") for name in ("file_name", "records", "sha256", "reason")),
            event.operator,
        )
        for event in events
        if event.action in USES
    ]
    return MediaRegister.of(rows)
