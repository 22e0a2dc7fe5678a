"""After a restore from backup: records again what the ledger lost, for an operator and with a reason. Sends nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from interfaces import codec
from interfaces.messages import RenkeiError
from pipelines.continuity.monthly import INSTRUCTION
from pipelines.deployment import Environment
from pipelines.eligibility.files import FILES
from pipelines.exchange.batch import Batch, OutboundFile
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import LedgerEvent
from pipelines.exchange.received_file import ReceivedFile, ValidationOutcome
from pipelines.exchange.transport import InMemorySource
from pipelines.operations.inbound_interfaces import INBOUND
from pipelines.transfer import receiving
from pipelines.transfer.sending import outbox, outbox_path
from pipelines.transfer.unrecorded import (
    Trace,
    TraceLocation,
    interface_of,
    local_traces,
    refuse_traces,
    require_same_content,
    sent_traces,
)


def mark_month_sent(environment: Environment, month: dt.date, by: str, reason: str) -> tuple[Entry, ...]:
    """Record that the month's files with traces were sent, with the content of their copies in the outbox.

    KR-6147 no such trace, KR-6144 traces of one file have different content, KR-6115 the copy is not in the outbox.
    """
    traces = [
        trace
        for trace in sent_traces(environment, month.isoformat())
        if interface_of(environment, trace.file_name) not in FILES
    ]
    if not traces:
        raise RenkeiError("KR-6147", month=f"{month:%Y-%m}")
    files = []
    for trace in {trace.file_name: trace for trace in traces}.values():
        file = _copy(environment, month, trace)
        require_same_content(traces, file.file_name, file.sha256)
        files.append(file)
    return tuple(entry for file in files for entry in _mark(environment, month, file, by, reason))


def _copy(environment: Environment, month: dt.date, trace: Trace) -> OutboundFile:
    interface = interface_of(environment, trace.file_name)
    # The copy's name begins with the trace's hash prefix.
    path = outbox_path(environment, month, trace.file_name, trace.hash_prefix)
    if interface is None or not path.is_file():
        raise RenkeiError("KR-6115", file_name=trace.file_name)
    specification = environment.specification(interface, month)
    content = environment.file_store.read(path)
    records = codec.read(content, trace.file_name, specification, month).data.height
    return OutboundFile(interface, trace.file_name, path, hashlib.sha256(content).hexdigest(), len(content), records)


def _mark(environment: Environment, month: dt.date, file: OutboundFile, by: str, reason: str) -> Sequence[Entry]:
    ledger = environment.ledger
    # An instruction is independent; the others contain the difference to the last month that was sent.
    before = (
        None if file.interface == INSTRUCTION else ledger.effective_baseline(before=month, interfaces={file.interface})
    )
    return outbox(environment, operator=by).record_manual_delivery(Batch(month, (file,), before), reason)


def receive_again(environment: Environment, by: str, reason: str) -> list[ReceivedFile]:
    """Receive again the archived files that the ledger does not contain: validated as on arrival, then to be applied.

    Only its seal proved the sender of a file: if files arrive sealed, a person decides about each (it is quarantined).
    KR-6143 while there are traces of sent files, because answers among the archived files refer to them.
    """
    traces = local_traces(environment)
    refuse_traces(trace for trace in traces if trace.place in (TraceLocation.OUTBOX, TraceLocation.SENT_LOG))
    received: list[ReceivedFile] = []
    for trace in traces:
        if trace.place == TraceLocation.ARCHIVE:
            received += _receive_trace(environment, trace, by, reason)
    return received


def _receive_trace(environment: Environment, trace: Trace, by: str, reason: str) -> list[ReceivedFile]:
    content = environment.file_store.read(environment.settings.data_folder / trace.reference)
    recorder = environment.ledger.recorder(by)
    recorder.append_event(LedgerEvent.RETAKEN, file=trace.reference, reason=reason)
    own = Inbox(recorder, environment.file_store, partial(_validate, environment))
    return own.receive(InMemorySource({trace.file_name: content}))


def _validate(environment: Environment, content: bytes, name: str) -> ValidationOutcome:
    found = receiving.validate_received(environment, INBOUND, content, name, typed=True)
    return found if environment.settings.sealing is None else replace(found, accepted=False)
