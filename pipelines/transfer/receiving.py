"""Whatever the Union has put into our folder: recognised, judged by its specification, archived, waiting. Applies nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from interfaces.messages import RenkeiError, message, messages
from interfaces.naming import date_of, recognise
from interfaces.values import to_canonical
from pipelines.configuration.calendar import TOKYO
from pipelines.deployment import Environment
from pipelines.exchange.archived import archived_content
from pipelines.exchange.arrival import NOT_REMOVED, REFUSED, WAITING, Arrival, Judgement
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import WAITING_STATES, Direction, EntryState
from pipelines.exchange.left_behind import UNION, Folder, LeftBehind, left_behind, not_yet
from pipelines.exchange.transport import RemoteFile, Source
from pipelines.storage.cms import plain_name
from pipelines.transfer.inbound_interface import InboundInterface, OvertakenBy
from schemas.findings import FAULT_SCHEMA, findings
from schemas.report import to_json, write_xlsx
from schemas.rules.files import CERTAIN_MY_NUMBERS
from schemas.validate import Validated, validate

Interfaces = Mapping[str, InboundInterface]


def judge(
    environment: Environment, applied: Interfaces, content: bytes, name: str, *, typed: bool = False
) -> Judgement:
    """Recognise a file by its name and validate it by the version in force on its day (design.md 4 rule 2).

    An interface that is not among those `applied` is refused (KR-6337), so that its file is not taken, removed and forgotten. A
    switched-off interface is refused (KR-7303), unless the file was made of what a person typed. A file for a day or a
    month that has not begun is refused (KR-7307): once applied, it would make every file until then an old one.
    """
    recognised = recognise(environment.catalogue, name)
    if recognised is None:
        return Judgement(False, report=_one_finding("KR-7302", name))
    interface, fields = recognised
    layout = environment.catalogue.versions(interface)[-1].layout
    if layout.direction != "from_union":
        return Judgement(False, report=_one_finding("KR-7302", name))
    if interface not in applied:
        return Judgement(False, interface, report=_one_finding("KR-6337", name), releasable=False)
    if interface in environment.settings.switched_off_interfaces and not typed:
        return Judgement(False, interface, report=_one_finding("KR-7303", name))
    day = date_of(fields, layout)
    if day is None:
        return Judgement(False, interface, report=_one_finding("KR-7304", name))
    specification = environment.specification(interface, day)
    validated = validate(content, name, specification, day, environment.file_context(day, name))
    today = environment.clock().astimezone(TOKYO).date()
    if day > today:
        validated = _with_finding(validated, "KR-7307", today.isoformat())
    refused_for_good = validated.unreadable or (validated.findings["code"] == CERTAIN_MY_NUMBERS).any()
    return Judgement(
        validated.valid, interface, day, validated.records, to_json(validated), partial(write_xlsx, validated),
        releasable=not refused_for_good,
    )  # fmt: skip


def _with_finding(validated: Validated, code: str, expected: str) -> Validated:
    """A judged file with one more finding about the whole of it."""
    fault = pl.DataFrame([{"code": code, "expected": expected}], schema=FAULT_SCHEMA)
    found = findings(fault, validated.decoded.spec, validated.file_name)
    return replace(validated, findings=pl.concat([found, validated.findings]))


def _one_finding(code: str, name: str) -> dict[str, object]:
    text = message(code)
    finding = {"file": name, "code": code, "level": "file", "message": f"{code} {text.render(name=name)}"}
    return {"interface": None, "valid": False, "findings": [finding], "counts_by_code": {code: 1}}


def inbox(environment: Environment, applied: Interfaces, recorder: Recorder) -> Inbox:
    """The inbox of a deployment, for files of the Union; KR-6005 when a certificate of it cannot be read."""
    return Inbox(recorder, environment.file_store, partial(judge, environment, applied), environment.partners())


def receive(environment: Environment, applied: Interfaces, run_id: str | None = None) -> list[Arrival]:
    """Take in whatever lies in the Union's folder; verified files then wait to be applied."""
    with environment.from_union() as transport:
        own = inbox(environment, applied, environment.recorder(run_id))
        return own.collect(transport, _folder(environment, UNION), environment.retry())


def receive_from(
    environment: Environment, applied: Interfaces, source: Source, by: str, place: str = "medium"
) -> list[Arrival]:
    """Take in whatever a medium holds, in the same way. `place`: the medium's name in the memory of what was left."""
    own = inbox(environment, applied, environment.ledger.recorder(by))
    return own.collect(source, _folder(environment, place))


def _folder(environment: Environment, place: str) -> Folder:
    def is_known(name: str) -> bool:
        return recognise(environment.catalogue, plain_name(name)) is not None

    return Folder(place, environment.settings.settle_seconds, is_known)


def look(environment: Environment, source: Source) -> tuple[list[RemoteFile], list[RenkeiError]]:
    """What lies in the Union's folder to be taken now, and why the rest is not; fetches nothing.

    What an earlier run took, and could not remove, is neither.
    """
    files = source.list()
    reasons = not_yet(environment.recorder(), _folder(environment, UNION), files)
    taken = {one.name for one in left_behind(environment.ledger) if one.code == NOT_REMOVED}
    ready = [file for file in files if file.name not in reasons and file.name not in taken]
    return ready, [reasons[name] for name in sorted(reasons)]


def line(one: Arrival, word: str = "受領") -> str:
    """What became of a file, in a line for people."""
    return f"{word} {one.name}: {one.state} {one.message}".rstrip()


def needs_person(one: Arrival) -> bool:
    """Whether something is to be done yet: kept apart, gone, refused for good, or still in the folder."""
    if one.state == REFUSED:
        return messages()[str(one.code)].level == "stop"
    return one.is_left or one.state in UNFINISHED_STATES


UNFINISHED_STATES = frozenset({EntryState.QUARANTINED, EntryState.VANISHED, WAITING})


def left_of(environment: Environment, interface: str) -> list[LeftBehind]:
    """What was left in the Union's folder at the last look, and has a name of the interface."""
    return [
        one
        for one in left_behind(environment.ledger)
        if (found := recognise(environment.catalogue, plain_name(one.name))) is not None and found[0] == interface
    ]


@dataclass(frozen=True)
class WaitingFile:
    """A file that was judged and is to be applied to its day or month (`partition`)."""

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
        """Whether a person let it in: then its faulty records are left aside, and it is never stale."""
        return self.entry.state == EntryState.RELEASED


def waiting(environment: Environment, interfaces: Collection[str]) -> list[WaitingFile]:
    """Files of these interfaces to apply: oldest day first, then in the order of `interfaces`. KR-7305 as `WaitingFile.of`."""
    found = environment.ledger.entries(direction=Direction.INBOUND, states=WAITING_STATES, interfaces=interfaces)
    order = {interface: position for position, interface in enumerate(interfaces)}
    files = [WaitingFile.of(entry) for entry in found]
    return sorted(files, key=lambda one: (one.partition, order[one.interface], one.entry.file_name, one.entry.id))


def newer_applied(environment: Environment, interface: InboundInterface, file: WaitingFile) -> dt.date | str | None:
    """What was applied already and takes the file's place (`OvertakenBy`): its day, or its name; else None.

    None for a file that a person released.
    """
    if file.released or interface.overtaken_by is OvertakenBy.NOTHING:
        return None
    applied = environment.ledger.entries(
        direction=Direction.INBOUND, states={EntryState.APPLIED}, interfaces={interface.id}
    )
    if interface.overtaken_by is OvertakenBy.LATER_DAY:
        return max((e.partition for e in applied if e.partition and e.partition > file.partition), default=None)
    # The names of one interface and month differ in their number only.
    same_month = (e.file_name for e in applied if e.partition == file.partition)
    return max((name for name in same_month if name > file.entry.file_name), default=None)


def overtaken(environment: Environment, entry: Entry) -> RenkeiError:
    """What a person is told of a stale file: its name, and the newer day that was applied before it (KR-7308)."""
    events = environment.ledger.events(entry.id)
    newest = next(event.detail["newest"] for event in reversed(events) if event.action == EntryState.STALE)
    return RenkeiError("KR-7308", name=entry.file_name, day=entry.partition, newest=newest, entry=entry.id)


def sound_records(environment: Environment, file: WaitingFile) -> tuple[pl.DataFrame, int]:
    """The sound records of an archived file (canonical), judged once more before a row is used (design.md 4 rule 1).

    With them the number of faulty records, those that cannot be read among them, which only a released file can have.
    KR-7305 when it no longer passes.
    """
    entry, day = file.entry, file.partition
    content, name = archived_content(environment.file_store, entry), plain_name(entry.file_name)
    specification = environment.specification(file.interface, day)
    validated = validate(content, name, specification, day, environment.file_context(day, name))
    if not validated.valid and not file.released:
        raise RenkeiError("KR-7305", name=entry.file_name)
    sound = to_canonical(validated.valid_rows, specification.data, specification, day).drop("line")
    return sound, validated.records - sound.height
