"""Erases what has passed its retention period, and records it in the ledger. The periods are data (`retention/stores.csv`)."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dateutil.relativedelta import relativedelta

from interfaces.catalogue import Catalogue
from interfaces.messages import RenkeiError
from pipelines.deployment import Environment
from pipelines.exchange.erased import table_file
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import SENT_STATES, TERMINAL_OUTBOUND_STATES, Direction, EntryState, LedgerEvent
from pipelines.storage.files import erase_file, erasing, sha256_of
from pipelines.storage.locks import exclusive_lock
from pipelines.storage.tables import MY_NUMBER_ASSETS
from pipelines.transfer.baseline import SENT_FILES

ERASURE_FAILED = "KR-6606"
# What the Union knows by the last month that was sent, however long ago: the baseline of the next one.
BASELINE_ASSETS = {"high_cost_history": "known_high_cost_history", "income_class": "known_income_class"}
# The work of an entry in one of these is done: it does not need its files any more.
SETTLED = (
    SENT_STATES
    | TERMINAL_OUTBOUND_STATES
    | {
        EntryState.APPLIED,
        EntryState.CLOSED,
        EntryState.DUPLICATE,
        EntryState.VANISHED,
    }
)


@dataclass(frozen=True)
class OverdueFile:
    """A file past its retention period. `path`: relative to the data folder (the clerks' files are next to it).

    `proved`: the ledger proves that its work is done.
    """

    path: Path
    store: str
    day: dt.date
    months: int
    proved: bool


def load_rules(catalogue: Catalogue, on: dt.date) -> dict[str, int]:
    """Months by store (`assets`, `assets/my_numbers`, `outbox` …) in force on a day. KR-7101 for an invalid number of months."""
    rows = catalogue.table("retention/stores", on)
    wrong = [row["保管場所"] for row in rows if not row["保存月数"].isdigit() or int(row["保存月数"]) < 1]
    if wrong:
        raise RenkeiError("KR-7101", path="retention/stores.csv", reason=f"保存月数が正の整数ではありません: {wrong}")
    return {row["保管場所"]: int(row["保存月数"]) for row in rows}


def overdue(environment: Environment, today: dt.date) -> list[OverdueFile]:
    """Every file that has been kept longer than its store's months, whether or not it may be erased yet. Never the tables
    that are the baseline of a coming day or month."""
    rules = load_rules(environment.catalogue, today)
    entries = environment.ledger.entries()
    quiet = {dt.date.fromisoformat(e.detail["partition"]) for e in environment.ledger.events_of(LedgerEvent.QUIET_DAY)}
    needed = environment.ledger.effective_baseline(interfaces=SENT_FILES)
    compared = {
        table_file(asset, str(environment.ledger.effective_baseline(interfaces={interface})))
        for interface, asset in BASELINE_ASSETS.items()
    }
    found = []
    for store, path, day in _files(environment):
        months = rules[store if store in rules else store.partition("/")[0]]
        is_needed = store.startswith("assets/") and needed is not None and day >= needed
        is_needed |= path.as_posix() in compared
        if day + relativedelta(months=months) <= today and not is_needed:
            proved = _is_done(environment, entries, quiet, store, path, day)
            found.append(OverdueFile(path, store, day, months, proved))
    return found


@dataclass(frozen=True)
class Erasure:
    """What a run erased, and what could not be erased (KR-6606 each)."""

    gone: list[OverdueFile]
    failed: list[RenkeiError]


def run(environment: Environment, today: dt.date, by: str) -> Erasure:
    """Erase what is overdue and proved, each with its event. A file that cannot be erased does not stop the others.

    The event is written before the file is erased: after a crash the next run finds the file and erases it again. A file
    that could not be erased has an event that says so.
    """
    folder = environment.settings.data_folder
    done, recorder = Erasure([], []), environment.ledger.recorder(by)
    with exclusive_lock(folder, "outbox"), exclusive_lock(folder, "inbox"):
        for file in overdue(environment, today):
            if not file.proved:
                continue
            what: dict[str, Any] = {
                "file": file.path.as_posix(),
                "store": file.store,
                "kept_since": file.day,
                "months": file.months,
            }
            try:
                with erasing("データのフォルダ", file.path.as_posix()):
                    sha256 = sha256_of(folder / file.path)
                    recorder.append_event(LedgerEvent.ERASED, stored_sha256=sha256, **what)
                    erase_file(folder / file.path)
            except RenkeiError as error:
                if error.code != ERASURE_FAILED:
                    raise
                recorder.append_event(LedgerEvent.NOT_ERASED, reason=error.values["reason"], **what)
                done.failed.append(error)
            else:
                done.gone.append(file)
    for folder_left in sorted({(folder / file.path).parent for file in done.gone}):
        with suppress(OSError):  # not empty, or already removed by another run
            folder_left.rmdir()
    return done


def _files(environment: Environment) -> Iterator[tuple[str, Path, dt.date]]:
    """(store, path relative to the data folder, day) of every file that is stored by day."""
    folder = environment.settings.data_folder
    for path in sorted((folder / "assets").glob("*/*.parquet")):
        asset = f"assets/{path.parent.name}"
        yield (asset if path.parent.name in MY_NUMBER_ASSETS else "assets/"), path.relative_to(folder), _day(path.stem)
    for store in ("outbox", "reports"):
        for path in sorted((folder / store).glob("*/*")):
            yield store, path.relative_to(folder), _day(path.parent.name)
    for path in sorted((folder / "archive" / "from_union").glob("*/*")):
        yield "archive", path.relative_to(folder), _day(path.parent.name)
    for path in sorted(environment.settings.clerks.glob("*")):
        month = _MONTH.search(path.name)
        if month is not None:
            yield "clerk", Path(os.path.relpath(path, folder)), _day(f"{month.group()}-01")
    for path in sorted((folder / "quarantine").glob("*/*")):
        entry = environment.ledger.entry(int(path.parent.name))
        yield "quarantine", path.relative_to(folder), _day(entry.created_at[: len("2026-04-01")])


_MONTH = re.compile(r"20\d{2}-\d{2}")  # in the names of worksheets and lists


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _is_done(
    environment: Environment, entries: list[Entry], quiet: set[dt.date], store: str, path: Path, day: dt.date
) -> bool:
    """Whether the ledger proves that a file was sent or applied, or that a person decided about it."""
    if store == "quarantine":
        return environment.ledger.entry(int(path.parent.name)).state in SETTLED
    if store == "archive":
        its_entries = [
            entry
            for entry in entries
            if entry.direction == Direction.INBOUND and path.name.startswith(str(entry.sha256)[:12])
        ]
    elif store == "outbox":
        its_entries = [
            entry for entry in entries if entry.partition == day and path.name.startswith(str(entry.sha256)[:12])
        ]
    else:
        its_entries = [entry for entry in entries if entry.partition == day]
        if day in quiet and not its_entries:
            return True
    return bool(its_entries) and all(entry.state in SETTLED for entry in its_entries)
