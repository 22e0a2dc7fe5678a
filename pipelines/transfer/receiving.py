"""Receives the files in the Union's folder: recognised, validated by their specification, archived, waiting. Applies nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from interfaces.messages import RenkeiError, message, messages
from interfaces.naming import date_of, fields_of, recognise
from interfaces.spec import FileLayout
from interfaces.values import to_canonical
from interfaces.volumes import of_one
from interfaces.words import state_in_words
from pipelines.configuration.calendar import TOKYO
from pipelines.deployment import Environment
from pipelines.exchange.archived import archived_content
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import WAITING_STATES, Direction, EntryState
from pipelines.exchange.left_behind import UNION, Folder, LeftBehind, left_behind, not_receivable
from pipelines.exchange.received_file import NOT_REMOVED, REFUSED, WAITING, ReceivedFile, ValidationOutcome
from pipelines.exchange.transport import RemoteFile, Source
from pipelines.storage.cms import plain_name
from pipelines.transfer.inbound_interface import InboundInterface, StaleAfter
from schemas.findings import Faults, findings
from schemas.report import to_json, write_xlsx
from schemas.rules.files import CERTAIN_MY_NUMBERS
from schemas.validate import Validated, validate

Interfaces = Mapping[str, InboundInterface]


def validate_received(
    environment: Environment, applied: Interfaces, content: bytes, name: str, *, typed: bool = False
) -> ValidationOutcome:
    """Recognise a file by its name and validate it by the version in force on its day (D-042).

    A file of an interface that is not `applied` is kept (D-104): it is judged by the version of the day in its name, or of
    today if its names have none. A switched-off interface is refused (KR-7303), unless the file was made from manual entry.
    A file to be applied for a day or a month that has not begun is refused (KR-7307): once applied, it would make every file
    until then stale.
    """
    recognised = recognise(environment.catalogue, name)
    if recognised is None:
        return ValidationOutcome(False, report=_one_finding("KR-7302", name))
    interface, fields = recognised
    layout = environment.catalogue.versions(interface)[-1].layout
    if layout.direction not in ("from_union", "from_partner"):
        return ValidationOutcome(False, report=_one_finding("KR-7302", name))
    if interface in environment.settings.switched_off_interfaces and not typed:
        return ValidationOutcome(False, interface, report=_one_finding("KR-7303", name))
    is_applied, today = interface in applied, environment.clock().astimezone(TOKYO).date()
    day = date_of(fields, layout) or (None if is_applied or _has_day(layout) else today)
    if day is None:
        return ValidationOutcome(False, interface, report=_one_finding("KR-7304", name))
    specification = environment.specification(interface, day)
    validated = validate(content, name, of_one(specification), day, environment.file_context(day, name))
    if is_applied and day > today:
        validated = _with_finding(validated, "KR-7307", today.isoformat())
    refused_for_good = validated.unreadable or (validated.findings["code"] == CERTAIN_MY_NUMBERS).any()
    return ValidationOutcome(
        validated.valid,
        interface,
        day,
        validated.records,
        to_json(validated),
        partial(write_xlsx, validated),
        releasable=not refused_for_good,
        is_applied=is_applied,
    )


def _has_day(layout: FileLayout) -> bool:
    """Whether the names of an interface's files say for which day or month they are."""
    return any(field.endswith(("_on", "_month")) for field in fields_of(layout.file_name))


def _with_finding(validated: Validated, code: str, expected: str) -> Validated:
    """A validated file with one more finding about the whole file."""
    fault = Faults.of([{"code": code, "expected": expected}])
    found = findings(fault, validated.decoded.spec, validated.file_name)
    return replace(validated, findings=pl.concat([found, validated.findings]))


def _one_finding(code: str, name: str) -> dict[str, object]:
    text = message(code)
    finding = {"file": name, "code": code, "level": "file", "message": f"{code} {text.render(name=name)}"}
    return {"interface": None, "valid": False, "findings": [finding], "counts_by_code": {code: 1}}


def inbox(environment: Environment, applied: Interfaces, recorder: Recorder) -> Inbox:
    """The inbox of a deployment, for files of the Union; KR-6005 when one of its certificates cannot be read."""
    return Inbox(
        recorder, environment.file_store, partial(validate_received, environment, applied), environment.partners()
    )


def receive(environment: Environment, applied: Interfaces, run_id: str | None = None) -> list[ReceivedFile]:
    """Receive the files in the Union's folder; verified files then wait to be applied."""
    with environment.from_union() as transport:
        own = inbox(environment, applied, environment.recorder(run_id))
        return own.receive(transport, _folder(environment, UNION), environment.retry())


def receive_from(
    environment: Environment, applied: Interfaces, source: Source, by: str, place: str = "medium"
) -> list[ReceivedFile]:
    """Receive the files of a medium in the same way. `place`: the medium's name in the table of files left behind."""
    own = inbox(environment, applied, environment.ledger.recorder(by))
    return own.receive(source, _folder(environment, place))


def _folder(environment: Environment, place: str) -> Folder:
    def has_specified_name(name: str) -> bool:
        return recognise(environment.catalogue, plain_name(name)) is not None

    return Folder(place, environment.settings.settle_seconds, has_specified_name)


def look(environment: Environment, source: Source) -> tuple[list[RemoteFile], list[RenkeiError]]:
    """The files in the Union's folder that can be received now, and why the others cannot; fetches nothing.

    Files that an earlier run received but could not remove are in neither list.
    """
    files = source.list()
    reasons = not_receivable(environment.recorder(), _folder(environment, UNION), files)
    already_received = {left.name for left in left_behind(environment.ledger) if left.code == NOT_REMOVED}
    ready = [file for file in files if file.name not in reasons and file.name not in already_received]
    return ready, [reasons[name] for name in sorted(reasons)]


def line(file: ReceivedFile, word: str = "受領") -> str:
    """The outcome for a file, in a line for people."""
    return f"{word} {file.name}: {state_in_words(file.state)} {file.message}".rstrip()


def needs_person(file: ReceivedFile) -> bool:
    """Whether a person has to act: the file is quarantined, vanished, refused for good, or still in the folder."""
    if file.state == REFUSED:
        return messages()[str(file.code)].level == "stop"
    return file.is_left or file.state in UNFINISHED_STATES


UNFINISHED_STATES = frozenset({EntryState.QUARANTINED, EntryState.VANISHED, WAITING})


def left_of(environment: Environment, interface: str) -> list[LeftBehind]:
    """The files of an interface, by their names, that were left in the Union's folder when it was last listed."""
    return [
        left
        for left in left_behind(environment.ledger)
        if (found := recognise(environment.catalogue, plain_name(left.name))) is not None and found[0] == interface
    ]


@dataclass(frozen=True)
class WaitingFile:
    """A validated file that waits to be applied to its day or month (`partition`)."""

    entry: Entry
    interface: str
    partition: dt.date

    @classmethod
    def of(cls, entry: Entry) -> WaitingFile:
        """The file of an entry; KR-7305 when the ledger does not know its interface or day."""
        if entry.interface is None or entry.partition is None:
            raise RenkeiError("KR-7305", name=entry.file_name)
        return cls(entry, entry.interface, entry.partition)

    @property
    def released(self) -> bool:
        """Whether a person released it: then its faulty records are rejected, and it is never stale."""
        return self.entry.state == EntryState.RELEASED


def waiting(environment: Environment, interfaces: Collection[str]) -> list[WaitingFile]:
    """The files of these interfaces to apply: oldest day first, then in the order of `interfaces`. KR-7305 as `WaitingFile.of`."""
    found = environment.ledger.entries(direction=Direction.INBOUND, states=WAITING_STATES, interfaces=interfaces)
    order = {interface: position for position, interface in enumerate(interfaces)}
    files = [WaitingFile.of(entry) for entry in found]
    return sorted(files, key=lambda file: (file.partition, order[file.interface], file.entry.file_name, file.entry.id))


def newer_applied(environment: Environment, interface: InboundInterface, file: WaitingFile) -> dt.date | str | None:
    """The applied file that makes this file stale (`StaleAfter`): its day, or its name; else None.

    None for a file that a person released.
    """
    if file.released or interface.stale_after is StaleAfter.NOTHING:
        return None
    applied = environment.ledger.entries(
        direction=Direction.INBOUND, states={EntryState.APPLIED}, interfaces={interface.id}
    )
    if interface.stale_after is StaleAfter.LATER_DAY:
        return max((e.partition for e in applied if e.partition and e.partition > file.partition), default=None)
    # The names of one interface and month differ in their number only.
    same_month = (e.file_name for e in applied if e.partition == file.partition)
    return max((name for name in same_month if name > file.entry.file_name), default=None)


def stale_file_error(environment: Environment, entry: Entry) -> RenkeiError:
    """The error for a stale file: its name, and the newer day that was applied before it (KR-7308)."""
    events = environment.ledger.events(entry.id)
    newest = next(event.detail["newest"] for event in reversed(events) if event.action == EntryState.STALE)
    return RenkeiError("KR-7308", name=entry.file_name, day=entry.partition, newest=newest, entry=entry.id)


def sound_records(environment: Environment, file: WaitingFile) -> tuple[pl.DataFrame, int]:
    """The valid records of an archived file (canonical), validated again before a row is used.

    Also the number of faulty records, including unreadable ones, which only a released file can have. KR-7305 when the
    file is no longer valid.
    """
    entry, day = file.entry, file.partition
    content, name = archived_content(environment.file_store, entry), plain_name(entry.file_name)
    specification = environment.specification(file.interface, day)
    validated = validate(content, name, specification, day, environment.file_context(day, name))
    if not validated.valid and not file.released:
        raise RenkeiError("KR-7305", name=entry.file_name)
    sound = to_canonical(validated.valid_rows, specification.data, specification, day).drop("line")
    return sound, validated.records - sound.height
