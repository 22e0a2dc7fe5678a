"""A table -> a validated file in the outbox: composed, read back, validated, compared; and the deployment's outbox itself.

An OutboundFile is made only here: from a valid draft, or from the copy that such a draft left in the outbox.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from cryptography import x509

from interfaces import codec
from interfaces.item_flow import with_stated_values
from interfaces.messages import RenkeiError
from interfaces.naming import file_name
from interfaces.values import to_canonical
from pipelines.deployment import Environment
from pipelines.exchange.batch import Batch, OutboundFile, SendHooks, SendOutcome
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.states import POSSIBLY_OUT_STATES, LedgerEvent
from pipelines.exchange.outbox import Outbox
from pipelines.exchange.transport import Transport
from pipelines.storage.cms import SUFFIX
from pipelines.transfer.unrecorded import require_recorded, require_same_content, sent_traces
from schemas.findings import Findings, codes_in_words
from schemas.normalise import normalise_outgoing
from schemas.report import write_json, write_xlsx
from schemas.validate import Validated, validate


def outbox_path(environment: Environment, partition: dt.date, name: str, sha256: str) -> Path:
    """The path of a finished, encrypted file. Its content hash is part of the name: a sent file is never overwritten."""
    return environment.settings.data_folder / "outbox" / partition.isoformat() / f"{sha256[:12]}_{name}{SUFFIX}"


def records_of(environment: Environment, entry: Entry) -> pl.DataFrame:
    """The data records (canonical, without `line`) of a file that we sent, from our copy; KR-6115 when the copy differs."""
    assert entry.interface is not None and entry.partition is not None  # noqa: S101  an outbound entry has both
    path = outbox_path(environment, entry.partition, entry.file_name, str(entry.sha256))
    content = environment.file_store.read_intact(path, str(entry.sha256))
    if content is None:
        raise RenkeiError("KR-6115", file_name=entry.file_name)
    specification = environment.specification(entry.interface, entry.partition)
    data = codec.read(content, entry.file_name, specification, entry.partition).data
    return to_canonical(data, specification.data, specification, entry.partition).drop("line")


@dataclass(frozen=True)
class Draft:
    """A file as it would be sent, the validation of its bytes, and its report; `validated` is None if there are none."""

    interface: str
    name: str
    encoded: codec.Encoded
    validated: Validated | None
    report: Path

    def require_valid(self, across: pl.DataFrame) -> Validated:
        """The validated file; KR-7206 when any of its records, of any kind, is invalid.

        `across`: findings of its relations to other files (`Findings`).
        """
        if self.validated is None:
            wrong = self.encoded.problems.filter(pl.col("code").is_in(codec.UNWRITABLE))["code"]
        else:
            found = pl.concat([self.validated.findings, across.filter(pl.col("file") == self.name)])
            wrong = found.filter(pl.col("level").is_in(["file", "record"]))["code"]
        if self.validated is None or wrong.len():
            codes = codes_in_words(wrong)
            raise RenkeiError("KR-7206", interface=self.interface, codes=codes, report=self.report)
        return self.validated


def make_draft(
    environment: Environment, partition: dt.date, interface: str, data: pl.DataFrame, header: Mapping[str, object]
) -> Draft:
    """Compose a file from `data` (canonical), read it back, validate and compare it; writes the reports.

    KR-7205 when it reads back differently.
    """
    specification = environment.specification(interface, partition)
    name = file_name(specification, header)
    stated, of_file = with_stated_values(data, header, specification)
    encoded = codec.compose(specification, partition, normalise_outgoing(stated, specification), of_file)
    report = environment.reports(partition) / f"{interface}.xlsx"
    if not encoded.data:
        return Draft(interface, name, encoded, None, report)
    validated = validate(encoded.data, name, specification, partition, environment.file_context(partition, name))
    draft = Draft(interface, name, encoded, validated, report)
    write_json(validated, report.with_suffix(".json"))
    write_xlsx(validated, report)
    compare(interface, encoded, validated)
    return draft


def require_same(environment: Environment, partition: dt.date, draft: Draft) -> None:
    """KR-6111 when the partition was sent, or may have been sent, with other bytes; KR-6144 when an unrecorded trace says so."""
    entry = environment.ledger.current_entries(partition, {draft.interface}).get(draft.interface)
    if entry is not None and entry.state in POSSIBLY_OUT_STATES and entry.sha256 != draft.encoded.sha256:
        raise RenkeiError("KR-6111", partition=partition, interface=draft.interface, entry_id=entry.id)
    require_same_content(sent_traces(environment, partition.isoformat()), draft.name, draft.encoded.sha256)


NOTHING_ACROSS = Findings.empty()


def publish(
    environment: Environment, partition: dt.date, draft: Draft, across: pl.DataFrame = NOTHING_ACROSS
) -> OutboundFile:
    """Put an encrypted copy of the draft into the outbox folder; an existing copy stays.

    The ledger records the copy before it exists, so a copy that the ledger does not know comes from a newer ledger.
    KR-7206 as in `Draft.require_valid`: this is the only way into the outbox. Other errors as `require_same`.
    """
    validated = draft.require_valid(across)
    require_same(environment, partition, draft)
    content = draft.encoded.data
    path = outbox_path(environment, partition, draft.name, draft.encoded.sha256)
    if not environment.file_store.matches(path, draft.encoded.sha256):
        environment.recorder().append_event(
            LedgerEvent.FILE_MADE, partition=partition, file_name=draft.name, sha256=draft.encoded.sha256
        )
        environment.file_store.put(path, content)
    return OutboundFile(draft.interface, draft.name, path, draft.encoded.sha256, len(content), validated.records)


def published(
    environment: Environment, partition: dt.date, interface: str, manifest: tuple[str, str, int, int]
) -> OutboundFile:
    """The file that a manifest (file_name, sha256, size, records) names, as `publish` left it in the outbox."""
    name, sha256, size, records = manifest
    return OutboundFile(interface, name, outbox_path(environment, partition, name, sha256), sha256, size, records)


def outbox(environment: Environment, run_id: str | None = None, operator: str | None = None) -> Outbox:
    """The outbox of a deployment, for its operator or for the person who acts (`operator`)."""
    who = environment.settings.operator if operator is None else operator
    return Outbox(
        environment.ledger.recorder(who, run_id),
        environment.file_store,
        lambda: sealing(environment),
        send_hooks(environment),
    )


def send(environment: Environment, batch: Batch, run_id: str | None = None) -> SendOutcome:
    """Send a batch to the Union's server (see `Outbox.send`); KR-6324 as `sealing`."""
    with environment.to_union() as transport:
        return outbox(environment, run_id).send(batch, transport, environment.retry())


def send_hooks(environment: Environment) -> SendHooks:
    """The hooks around sending: nothing is sent while the ledger is older than the files sent (KR-6143), and every sent file
    is logged outside the data folder too (KR-6146 when that is not possible)."""

    def before(transport: Transport) -> None:
        environment.sent_log.require_writable()
        require_recorded(environment, transport)

    return SendHooks(before, environment.sent_log.add)


def sealing(environment: Environment) -> x509.Certificate | None:
    """The certificate to encrypt for: the Union's newest one; None when files are sent in plaintext.

    KR-6324 when it is no longer (or not yet) valid: nobody may be able to decrypt for an expired certificate.
    """
    partners = environment.partners()
    if not partners:
        return None
    if not partners[0].not_valid_before_utc <= environment.clock() <= partners[0].not_valid_after_utc:
        raise RenkeiError("KR-6324", until=partners[0].not_valid_after_utc.date().isoformat())
    return partners[0]


def needs_approval(environment: Environment, persons: int, *, first: bool) -> bool:
    """Whether a second person must approve a sending: it has as many persons as the settings say, or is the first load."""
    rule = environment.settings.approval
    return persons >= rule.persons or (rule.first_load and first and persons > 0)


def compare(interface: str, encoded: codec.Encoded, validated: Validated) -> None:
    """KR-7205 unless the records read back equal those written, for every record kind."""
    for kind, raw in encoded.raw.items():
        if not validated.decoded.tables[kind].drop("line").equals(raw):
            raise RenkeiError("KR-7205", interface=interface, what=kind)


def checked_file(
    environment: Environment, interface: str, month: dt.date, data: pl.DataFrame, header: Mapping[str, object]
) -> OutboundFile:
    """The monthly file of `data` (canonical), validated and in the outbox (D-059).

    KR-7206 when a record breaks a rule: such a file has no personal record that could be withheld, so it is not made at
    all, and the report says why. KR-7205 when it reads back differently, KR-6111 when the month was sent already.
    """
    draft = make_draft(environment, month, interface, data, header)
    if draft.encoded.problems.height:
        codes = codes_in_words(draft.encoded.problems["code"])
        raise RenkeiError("KR-7206", interface=interface, codes=codes, report=draft.report)
    return publish(environment, month, draft)
