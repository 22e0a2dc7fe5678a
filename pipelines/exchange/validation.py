"""Validates an archived file: verified, kept, or quarantined with its reports. The caller's validator defines what is valid."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from interfaces.messages import RenkeiError, message
from interfaces.private import OWNER_FILE, private_folder
from pipelines.exchange.archived import archive_of, archived_content
from pipelines.exchange.fetching import quarantine_folder
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import UNIQUE_NAME_STATES, Direction, EntryState
from pipelines.exchange.received_file import ReceivedFile, ValidationOutcome, Validator
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.cms import SUFFIX, plain_name
from pipelines.storage.files import copy_durably, write_durably

REPORT_NAME: Final = "report.json"
WORKBOOK_NAME: Final = "report.xlsx"
KEPT: Final = "KR-6350"


@dataclass(frozen=True)
class _Verdict:
    """A validation outcome, and why the file is quarantined: a code and its text (None and empty: it is not)."""

    outcome: ValidationOutcome
    code: str | None = None
    text: str = ""


@dataclass(frozen=True)
class FileValidation:
    """Validates archived files. `validator(content, name without .p7m)` recognises and validates."""

    recorder: Recorder
    file_store: EncryptedFileStore
    validator: Validator

    def validated(self, entry: Entry) -> ReceivedFile:
        """Move a `received` entry to `verified`, `kept` or `quarantined`, by its archived content. Other entries stay as they are."""
        if entry.state != EntryState.RECEIVED:
            return self.received_file(entry)
        verdict = self._verdict(entry)
        outcome = verdict.outcome
        facts: dict[str, Any] = {
            "interface": outcome.interface,
            "partition": outcome.partition,
            "records": outcome.records,
        }
        if verdict.code is None and not outcome.is_applied:
            return self._kept(entry, outcome, facts)
        if verdict.code is None:
            verified = self.recorder.transition(entry, EntryState.VERIFIED, expected=entry.state, **facts)
            return self.received_file(verified)
        self._quarantine(entry, verdict)
        facts |= {"code": verdict.code, "releasable": outcome.releasable}
        quarantined = self.recorder.transition(entry, EntryState.QUARANTINED, expected=entry.state, **facts)
        path = archive_of(self.file_store, entry)
        return ReceivedFile(
            entry.file_name, quarantined.state, quarantined, path, verdict.code, f"{verdict.code} {verdict.text}"
        )

    def received_file(self, entry: Entry, code: str | None = None, *, state: str | None = None) -> ReceivedFile:
        """The outcome for an entry; `state` overrides the entry's own."""
        text = f"{code} {_text(code, entry.file_name)}" if code else ""
        path = archive_of(self.file_store, entry)
        return ReceivedFile(entry.file_name, state or entry.state, entry, path, code, text)

    def _kept(self, entry: Entry, outcome: ValidationOutcome, facts: dict[str, Any]) -> ReceivedFile:
        """The outcome for a valid file that nothing applies (KR-6350). The ledger says how many findings of each code it has."""
        counts: dict[str, int] = outcome.report.get("counts_by_code", {})
        kept = self.recorder.transition(entry, EntryState.KEPT, expected=entry.state, found=counts, **facts)
        found = "、".join(f"{code} {number}件" for code, number in counts.items()) or "なし"
        text = f"{KEPT} {_text(KEPT, entry.file_name, entry=entry.id, findings=found)}"
        return ReceivedFile(entry.file_name, kept.state, kept, archive_of(self.file_store, entry), KEPT, text)

    def _verdict(self, entry: Entry) -> _Verdict:
        content = archived_content(self.file_store, entry)
        name = entry.file_name
        same_name_entries = self.recorder.entries(
            direction=Direction.INBOUND, file_name=name, states=UNIQUE_NAME_STATES
        )
        try:
            verdict = self._validate_content(entry, content)
        except Exception as error:  # whatever the checks raise, the file is kept and the others are still received
            reason = error.code if isinstance(error, RenkeiError) else type(error).__name__
            verdict = _Verdict(ValidationOutcome(accepted=False), "KR-6304", _text("KR-6304", name, reason=reason))
        if same_name_entries:
            text = _text("KR-6301", name, entry_id=same_name_entries[-1].id)
            return _Verdict(verdict.outcome, "KR-6301", text)
        if verdict.code is None and not verdict.outcome.accepted:
            return _Verdict(verdict.outcome, "KR-6306", _text("KR-6306", name))
        return verdict

    def _validate_content(self, entry: Entry, content: bytes) -> _Verdict:
        """The outcome of the caller's validator. It is not called for a file with a seal fault; an incomplete file is
        quarantined."""
        name, fault = entry.file_name, entry.seal_fault
        if fault is not None:
            verdict = _Verdict(ValidationOutcome(accepted=False), fault, _text(fault, name))
        else:
            verdict = _Verdict(self.validator(content, plain_name(name)))
        if entry.is_incomplete:
            quarantined = replace(verdict.outcome, accepted=False, releasable=False)
            return _Verdict(quarantined, "KR-6334", _text("KR-6334", name))
        return verdict

    def _quarantine(self, entry: Entry, verdict: _Verdict) -> None:
        """Write the quarantined copy, still encrypted, with its reports; before the ledger, and again after a crash."""
        folder = private_folder(quarantine_folder(self.file_store.data_folder, entry.id))
        archive = self.file_store.data_folder / str(entry.archive_path)
        copy_durably(archive, folder / (plain_name(entry.file_name) + SUFFIX))
        report = {
            "entry": entry.id,
            "file_name": entry.file_name,
            "code": verdict.code,
            "message": verdict.text,
            "report": verdict.outcome.report,
        }
        if verdict.outcome.write_workbook is not None:
            workbook = folder / WORKBOOK_NAME
            try:
                verdict.outcome.write_workbook(workbook)
                workbook.chmod(OWNER_FILE)
            except Exception as error:  # the file must be quarantined even if its report cannot be made
                report["workbook_failed"] = type(error).__name__
        data = json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True, default=str)
        write_durably(folder / REPORT_NAME, data.encode())


def _text(code: str, name: str, **values: object) -> str:
    return message(code).render(name=name, **values)
