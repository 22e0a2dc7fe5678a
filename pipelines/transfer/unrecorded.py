"""Traces of files that were sent or received and of which the ledger knows nothing: then the ledger is older than they are.

Looks from outbox, archive, sent log, the Union's folder and its answers back to the ledger. Sends and receives nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from interfaces.messages import RenkeiError
from interfaces.naming import recognise
from pipelines.deployment import Environment
from pipelines.exchange.ledger.entry import Entry, Event
from pipelines.exchange.ledger.states import FETCHING_STATES, OUT_STATES, Direction, LedgerEvent
from pipelines.exchange.transport import Transport
from pipelines.storage.cms import SUFFIX, plain_name

_COPY: Final = re.compile(rf"(?P<begins>[0-9a-f]{{12}})_(?P<name>.+?)(?P<to_union>\.to_union)?{re.escape(SUFFIX)}")
_SHOWN = 5


class Place(StrEnum):
    """Where a trace lies; the value is the beginning of its reference."""

    OUTBOX = "outbox"
    ARCHIVE = "archive"
    SENT_LOG = "sent_log"
    UNION = "to_union"
    ANSWER = "answer"


PLACES: Final = {
    Place.OUTBOX: "送付の控え", Place.ARCHIVE: "受信の控え", Place.SENT_LOG: "送付の控え帳",
    Place.UNION: "連合会のフォルダ", Place.ANSWER: "連合会の受付結果",
}  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """One trace. `reference` names it for commands; `partition` is the day or month as text, `begins` the first twelve
    digits of the content's SHA-256; both are empty when the trace does not tell."""

    place: Place
    reference: str
    file_name: str
    partition: str = ""
    begins: str = ""


def local_traces(environment: Environment, partition: str = "*") -> list[Trace]:
    """Every trace on this machine, and in what the Union answered, that the ledger does not know.

    `partition`: in the outbox of that day or month alone.
    """
    # First what lies there, then the ledger: what a run writes meanwhile is in the ledger before it lies anywhere.
    outbox, archive = list(_outbox(environment, partition)), list(_archive(environment))
    left = [
        Trace(Place.SENT_LOG, f"{Place.SENT_LOG}/{one.file_name}/{one.sha256[:12]}", one.file_name, one.partition, one.sha256[:12])
        for one in environment.sent_log.lines()
    ]  # fmt: skip
    ledger = environment.ledger
    outbound = ledger.entries(direction=Direction.OUTBOUND)
    inbound = ledger.entries(direction=Direction.INBOUND)
    known = {(str(entry.partition), entry.file_name, str(entry.sha256)[:12]) for entry in outbound}
    known |= {
        (event.detail["partition"], event.detail["file_name"], event.detail["sha256"][:12])
        for event in ledger.events_of(LedgerEvent.FILE_MADE)
    }
    out = _names_out(outbound)
    contents = {str(entry.sha256)[:12] for entry in inbound}
    arriving = {plain_name(entry.file_name) for entry in inbound if entry.state in FETCHING_STATES}
    answered = [
        Trace(Place.ANSWER, f"{Place.ANSWER}/{event.detail['file_name']}", event.detail["file_name"])
        for event in ledger.events_of(LedgerEvent.ANSWER_TO_UNRECORDED)
    ]
    found = [
        *(one for one in outbox if (one.partition, one.file_name, one.begins) not in known),
        *(one for one in left if one.file_name not in out),
        *(one for one in archive if one.begins not in contents and one.file_name not in arriving),
        *(one for one in answered if one.file_name not in out),
    ]
    return _not_dismissed(found, ledger.events_of(LedgerEvent.DISMISSED))


def traces_at_union(environment: Environment, transport: Transport) -> list[Trace]:
    """Files under our names in the Union's folder for what we send that the ledger does not know to be out."""
    listed = [plain_name(file.name) for file in transport.list() if file.kind == "file"]
    out = _names_out(environment.ledger.entries(direction=Direction.OUTBOUND))
    found = [
        Trace(Place.UNION, f"{Place.UNION}/{name}", name)
        for name in listed
        if name not in out and interface_of(environment, name) is not None
    ]
    return _not_dismissed(found, environment.ledger.events_of(LedgerEvent.DISMISSED))


def interface_of(environment: Environment, name: str) -> str | None:
    """The interface of a file that our municipality sends, by its name; None for the name of any other file."""
    recognised = recognise(environment.catalogue, name)
    if recognised is None:
        return None
    interface, fields = recognised
    own = environment.settings.municipality_code
    is_outgoing = environment.catalogue.versions(interface)[-1].layout.direction == "to_union"
    return interface if is_outgoing and fields.get("municipality_code", own) == own else None


def require_recorded(environment: Environment, transport: Transport | None = None) -> None:
    """KR-6143 when there is a trace that the ledger does not know, here or (with `transport`) at the Union."""
    found = local_traces(environment)
    if transport is not None:
        found += traces_at_union(environment, transport)
    refuse(found)


def refuse(found: Iterable[Trace]) -> None:
    """KR-6143 when there is any."""
    named = [one.reference for one in found]
    if named:
        more = " ほか" if len(named) > _SHOWN else ""
        raise RenkeiError("KR-6143", count=len(named), names="、".join(named[:_SHOWN]) + more)


def sent_traces(environment: Environment, partition: str) -> list[Trace]:
    """The local traces of files that were made or sent for a day or month."""
    return [
        one
        for one in local_traces(environment, partition)
        if one.place in (Place.OUTBOX, Place.SENT_LOG) and one.partition == partition
    ]


def require_same_content(traces: Iterable[Trace], file_name: str, sha256: str) -> None:
    """KR-6144 when a trace of the file tells another content: what was sent must not be replaced by what is made now."""
    for one in traces:
        if one.file_name == file_name and one.begins != sha256[:12]:
            raise RenkeiError("KR-6144", name=file_name, reference=one.reference)


def dismiss(environment: Environment, references: Iterable[str], by: str, reason: str, known: Iterable[Trace]) -> None:
    """Record a person's word that traces (`known`) are none of files sent or received. KR-6145 when one is not among them."""
    listed = {one.reference for one in known}
    for reference in references:
        if reference not in listed:
            raise RenkeiError("KR-6145", reference=reference)
    with environment.ledger.recorder(by).transaction() as work:
        for reference in references:
            work.append_event(LedgerEvent.DISMISSED, reference=reference, reason=reason)


def _names_out(outbound: Iterable[Entry]) -> set[str]:
    return {entry.file_name for entry in outbound if entry.state in OUT_STATES}


def _not_dismissed(found: list[Trace], dismissed: Iterable[Event]) -> list[Trace]:
    references = {event.detail["reference"] for event in dismissed}
    return [one for one in dict.fromkeys(found) if one.reference not in references]


def _outbox(environment: Environment, partition: str) -> Iterator[Trace]:
    folder = environment.settings.data_folder
    for path in sorted((folder / "outbox").glob(f"{partition}/*{SUFFIX}")):
        told = _COPY.fullmatch(path.name)
        if told and not told["to_union"]:
            reference = path.relative_to(folder).as_posix()
            yield Trace(Place.OUTBOX, reference, told["name"], path.parent.name, told["begins"])


def _archive(environment: Environment) -> Iterator[Trace]:
    folder = environment.settings.data_folder
    for path in sorted((folder / "archive" / "from_union").glob(f"*/*{SUFFIX}")):
        told = _COPY.fullmatch(path.name)
        if told:
            yield Trace(Place.ARCHIVE, path.relative_to(folder).as_posix(), told["name"], "", told["begins"])
