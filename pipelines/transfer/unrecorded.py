"""Traces of sent or received files that the ledger does not contain: they show that the ledger is older than the files.

Compares outbox, archive, sent log, the Union's folder and its answers with the ledger. Sends and receives nothing.
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


class TraceLocation(StrEnum):
    """Where a trace was found; the value is the beginning of its reference."""

    OUTBOX = "outbox"
    ARCHIVE = "archive"
    SENT_LOG = "sent_log"
    UNION = "to_union"
    ANSWER = "answer"


LOCATIONS: Final = {
    TraceLocation.OUTBOX: "送付の控え",
    TraceLocation.ARCHIVE: "受信の控え",
    TraceLocation.SENT_LOG: "送付の控え帳",
    TraceLocation.UNION: "連合会のフォルダ",
    TraceLocation.ANSWER: "連合会の受付結果",
}


@dataclass(frozen=True)
class Trace:
    """One trace. `reference` identifies it in commands; `partition` is the day or month as text, `hash_prefix` the first
    twelve digits of the content's SHA-256; both are empty if the trace does not say."""

    place: TraceLocation
    reference: str
    file_name: str
    partition: str = ""
    hash_prefix: str = ""


def local_traces(environment: Environment, partition: str = "*") -> list[Trace]:
    """Every trace on this machine, and in the Union's answers, that the ledger does not contain.

    `partition`: look in the outbox of that day or month only.
    """
    # First the files, then the ledger: a concurrent run records a file in the ledger before it writes it.
    outbox, archive = list(_outbox(environment, partition)), list(_archive(environment))
    sent = [
        Trace(
            TraceLocation.SENT_LOG,
            f"{TraceLocation.SENT_LOG}/{line.file_name}/{line.sha256[:12]}",
            line.file_name,
            line.partition,
            line.sha256[:12],
        )
        for line in environment.sent_log.lines()
    ]
    ledger = environment.ledger
    outbound = ledger.entries(direction=Direction.OUTBOUND)
    inbound = ledger.entries(direction=Direction.INBOUND)
    recorded = {(str(entry.partition), entry.file_name, str(entry.sha256)[:12]) for entry in outbound}
    recorded |= {
        (event.detail["partition"], event.detail["file_name"], event.detail["sha256"][:12])
        for event in ledger.events_of(LedgerEvent.FILE_MADE)
    }
    out = _names_out(outbound)
    contents = {str(entry.sha256)[:12] for entry in inbound}
    arriving = {plain_name(entry.file_name) for entry in inbound if entry.state in FETCHING_STATES}
    answered = [
        Trace(TraceLocation.ANSWER, f"{TraceLocation.ANSWER}/{event.detail['file_name']}", event.detail["file_name"])
        for event in ledger.events_of(LedgerEvent.ANSWER_TO_UNRECORDED)
    ]
    found = [
        *(trace for trace in outbox if (trace.partition, trace.file_name, trace.hash_prefix) not in recorded),
        *(trace for trace in sent if trace.file_name not in out),
        *(trace for trace in archive if trace.hash_prefix not in contents and trace.file_name not in arriving),
        *(trace for trace in answered if trace.file_name not in out),
    ]
    return _not_dismissed(found, ledger.events_of(LedgerEvent.DISMISSED))


def traces_at_union(environment: Environment, transport: Transport) -> list[Trace]:
    """Files with names of ours in the Union's inbound folder that were not sent according to the ledger."""
    listed = [plain_name(file.name) for file in transport.list() if file.kind == "file"]
    out = _names_out(environment.ledger.entries(direction=Direction.OUTBOUND))
    found = [
        Trace(TraceLocation.UNION, f"{TraceLocation.UNION}/{name}", name)
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
    """KR-6143 when there is a trace that the ledger does not contain, here or (with `transport`) at the Union."""
    found = local_traces(environment)
    if transport is not None:
        found += traces_at_union(environment, transport)
    refuse_traces(found)


def refuse_traces(found: Iterable[Trace]) -> None:
    """KR-6143 when there is any trace."""
    named = [trace.reference for trace in found]
    if named:
        more = " ほか" if len(named) > _SHOWN else ""
        raise RenkeiError("KR-6143", count=len(named), names="、".join(named[:_SHOWN]) + more)


def sent_traces(environment: Environment, partition: str) -> list[Trace]:
    """The local traces of files that were made or sent for a day or month."""
    return [
        trace
        for trace in local_traces(environment, partition)
        if trace.place in (TraceLocation.OUTBOX, TraceLocation.SENT_LOG) and trace.partition == partition
    ]


def require_same_content(traces: Iterable[Trace], file_name: str, sha256: str) -> None:
    """KR-6144 when a trace of the file has other content: a sent file must not be replaced by a new one."""
    for trace in traces:
        if trace.file_name == file_name and trace.hash_prefix != sha256[:12]:
            raise RenkeiError("KR-6144", name=file_name, reference=trace.reference)


def dismiss(environment: Environment, references: Iterable[str], by: str, reason: str, traces: Iterable[Trace]) -> None:
    """Record that a person declares traces not to be of sent or received files. KR-6145 when one is not among `traces`."""
    listed = {trace.reference for trace in traces}
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
    return [trace for trace in dict.fromkeys(found) if trace.reference not in references]


def _outbox(environment: Environment, partition: str) -> Iterator[Trace]:
    folder = environment.settings.data_folder
    for path in sorted((folder / "outbox").glob(f"{partition}/*{SUFFIX}")):
        match = _COPY.fullmatch(path.name)
        if match and not match["to_union"]:
            reference = path.relative_to(folder).as_posix()
            yield Trace(TraceLocation.OUTBOX, reference, match["name"], path.parent.name, match["begins"])


def _archive(environment: Environment) -> Iterator[Trace]:
    folder = environment.settings.data_folder
    for path in sorted((folder / "archive" / "from_union").glob(f"*/*{SUFFIX}")):
        match = _COPY.fullmatch(path.name)
        if match:
            yield Trace(TraceLocation.ARCHIVE, path.relative_to(folder).as_posix(), match["name"], "", match["begins"])
