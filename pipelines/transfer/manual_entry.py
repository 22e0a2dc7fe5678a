"""Manual entry from the Union's screen for interfaces that are switched off, by a form (`entry_form`) per specification.

A filled form is converted to the file that the Union would have sent, and received like every file: archived, validated,
in the ledger. Nothing here knows what an interface means.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from interfaces import codec
from interfaces.messages import RenkeiError, message
from interfaces.naming import file_name
from interfaces.spec import Specification
from pipelines.deployment import Environment
from pipelines.exchange.inbox import Inbox
from pipelines.exchange.ledger.states import Direction, LedgerEvent
from pipelines.exchange.received_file import ReceivedFile
from pipelines.exchange.transport import InMemorySource
from pipelines.transfer import receiving
from pipelines.transfer.entry_form import ROW, EntryForm, form_path, refusal
from schemas.findings import from_problems


def write_form(environment: Environment, interface: str, month: dt.date, path: Path | None = None) -> Path:
    """An empty form of an interface, in the clerks' folder unless `path` says where. Returns its path.

    KR-7603 when the interface is not switched off: the form could not be imported. KR-6405 when the file exists already:
    a clerk's work is never overwritten.
    """
    _require_typed(environment, interface)
    form = _form(environment, interface, month)
    target = path or form_path(environment.settings, form.specification, month)
    if target.exists():
        raise RenkeiError("KR-6405", name=target.name, reason="もうあります")
    form.write(target)
    return target


def _form(environment: Environment, interface: str, month: dt.date) -> EntryForm:
    return EntryForm(
        environment.specification(interface, month),
        month,
        environment.catalogue.calendar.month(month),
        environment.settings.municipality_code,
    )


def _compose(
    environment: Environment, specification: Specification, month: dt.date, data: pl.DataFrame
) -> tuple[dict[str, object], codec.Encoded]:
    """The typed records as a file, under the first file number that is free or already belongs to the same bytes."""
    ledger = environment.ledger
    for number in count(1):
        header = environment.monthly_header(month, ledger.now().date()) | {"file_number": f"{number:06d}"}
        encoded = codec.compose(specification, month, data, header)
        earlier = ledger.entries(direction=Direction.INBOUND, file_name=file_name(specification, header))
        if not earlier or any(entry.sha256 == encoded.sha256 for entry in earlier):
            break
    return header, encoded


def _form_problems(found: Sequence[Mapping[str, Any]], form: EntryForm, data: pl.DataFrame) -> list[str]:
    """The findings of the file made of a form, with their places in the form: whoever typed it never sees the file."""
    rows = dict(enumerate(data[ROW], _first_line(form.specification)))
    problems = []
    for finding in found:
        row, heading = rows.get(finding.get("line", 0)), finding.get("item_name")
        place = form.specification.layout.name if row is None else form.place(row, heading or "")
        written = f"（書かれた値: {finding['value']}）" if heading and finding["value"] else ""
        values = {"name": finding["file"]} | {name: value for name, value in finding.items() if value is not None}
        problems.append(f"{place}: {finding['code']} {message(finding['code']).render(**values)}{written}")
    return problems


def _first_line(specification: Specification) -> int:
    """The line of the first data record in a file: every other record kind occurs once."""
    kinds = [record.kind for record in specification.records]
    return 1 + specification.format.heading_lines + kinds.index(specification.data.kind)


def _unwritable(encoded: codec.Encoded, specification: Specification, name: str) -> list[dict[str, Any]]:
    """The values that cannot be encoded, as findings at the lines where they would be."""
    of_data = pl.col("record_kind") == specification.data.kind
    line = pl.when(of_data).then(pl.col("record_number") - 1 + _first_line(specification)).cast(pl.UInt32)
    return from_problems(encoded.problems.with_columns(line.alias("line")), specification, name).to_dicts()


def _require_typed(environment: Environment, interface: str) -> None:
    if interface not in environment.settings.switched_off_interfaces:
        raise RenkeiError("KR-7603", interface=interface)


def import_form(
    environment: Environment, applied: receiving.Interfaces, interface: str, month: dt.date, path: Path, by: str
) -> list[ReceivedFile]:
    """Import a filled form as if the Union had sent it as a file. Returns the received file.

    KR-7603 when the interface is not switched off: its data arrives as files. KR-7602 when the form, or the file made of
    it, is invalid; nothing is imported then.
    """
    _require_typed(environment, interface)
    form = _form(environment, interface, month)
    specification, data = form.specification, form.read(path)
    header, encoded = _compose(environment, specification, month, data)
    name = file_name(specification, header)
    if encoded.problems.height:
        raise refusal(_form_problems(_unwritable(encoded, specification, name), form, data))
    outcome = receiving.validate_received(environment, applied, encoded.data, name, typed=True)
    if not outcome.accepted:
        raise refusal(_form_problems(outcome.report["findings"], form, data))
    recorder = environment.ledger.recorder(by)
    recorder.append_event(LedgerEvent.TYPED, interface=interface, month=month, records=data.height)
    own = Inbox(
        recorder, environment.file_store, partial(receiving.validate_received, environment, applied, typed=True)
    )
    return own.receive(InMemorySource({name: encoded.data}))
