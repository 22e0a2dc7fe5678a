"""A file in the archive, judged: verified, or kept apart with its reports. What makes a file right is told by the caller."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from interfaces.messages import RenkeiError, message
from interfaces.private import OWNER_FILE, private_folder
from pipelines.exchange.archived import archive_of, archived_content
from pipelines.exchange.arrival import Arrival, Judge, Judgement
from pipelines.exchange.fetching import quarantine_folder
from pipelines.exchange.ledger.entry import Entry
from pipelines.exchange.ledger.recording import Recorder
from pipelines.exchange.ledger.states import UNIQUE_NAME_STATES, Direction, EntryState
from pipelines.storage.archive import EncryptedFileStore
from pipelines.storage.cms import SUFFIX, plain_name
from pipelines.storage.files import copy_durably, write_durably

REPORT_NAME: Final = "report.json"
WORKBOOK_NAME: Final = "report.xlsx"


@dataclass(frozen=True)
class _Verdict:
    """A judgement, and what keeps the file apart: a code and its text (None and empty: nothing)."""

    judgement: Judgement
    code: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Judging:
    """Judges what the archive holds. `judge(content, name without .p7m)` recognises and validates."""

    recorder: Recorder
    file_store: EncryptedFileStore
    judge: Judge

    def judged(self, entry: Entry) -> Arrival:
        """A received entry to `verified` or `quarantined`, by what the archive holds of it. Any other is only told."""
        if entry.state != EntryState.RECEIVED:
            return self.arrival(entry)
        verdict = self._verdict(entry)
        judgement = verdict.judgement
        facts: dict[str, Any] = {
            "interface": judgement.interface,
            "partition": judgement.partition,
            "records": judgement.records,
        }
        if verdict.code is None:
            verified = self.recorder.transition(entry, EntryState.VERIFIED, expected=entry.state, **facts)
            return self.arrival(verified)
        self._keep_apart(entry, verdict)
        facts |= {"code": verdict.code, "releasable": judgement.releasable}
        apart = self.recorder.transition(entry, EntryState.QUARANTINED, expected=entry.state, **facts)
        path = archive_of(self.file_store, entry)
        return Arrival(entry.file_name, apart.state, apart, path, verdict.code, f"{verdict.code} {verdict.text}")

    def arrival(self, entry: Entry, code: str | None = None, *, state: str | None = None) -> Arrival:
        """What became of an entry; `state`: in the place of its own."""
        text = f"{code} {_text(code, entry.file_name)}" if code else ""
        path = archive_of(self.file_store, entry)
        return Arrival(entry.file_name, state or entry.state, entry, path, code, text)

    def _verdict(self, entry: Entry) -> _Verdict:
        content = archived_content(self.file_store, entry)
        name = entry.file_name
        namesakes = self.recorder.entries(direction=Direction.INBOUND, file_name=name, states=UNIQUE_NAME_STATES)
        try:
            verdict = self._by_content(entry, content)
        except Exception as error:  # whatever the checks stumble over, the file is kept and the others go on
            reason = error.code if isinstance(error, RenkeiError) else type(error).__name__
            verdict = _Verdict(Judgement(accepted=False), "KR-6304", _text("KR-6304", name, reason=reason))
        if namesakes:
            text = _text("KR-6301", name, entry_id=namesakes[-1].id)
            return _Verdict(verdict.judgement, "KR-6301", text)
        if verdict.code is None and not verdict.judgement.accepted:
            return _Verdict(verdict.judgement, "KR-6306", _text("KR-6306", name))
        return verdict

    def _by_content(self, entry: Entry, content: bytes) -> _Verdict:
        """The caller's judgement; none is asked for of what came without a sound seal. What is incomplete stays apart."""
        name, fault = entry.file_name, entry.seal_fault
        if fault is not None:
            verdict = _Verdict(Judgement(accepted=False), fault, _text(fault, name))
        else:
            verdict = _Verdict(self.judge(content, plain_name(name)))
        if entry.is_incomplete:
            apart = replace(verdict.judgement, accepted=False, releasable=False)
            return _Verdict(apart, "KR-6334", _text("KR-6334", name))
        return verdict

    def _keep_apart(self, entry: Entry, verdict: _Verdict) -> None:
        """The quarantined copy, still closed, with its reports. Written before the ledger says so, and anew after a crash."""
        folder = private_folder(quarantine_folder(self.file_store.data_folder, entry.id))
        archive = self.file_store.data_folder / str(entry.archive_path)
        copy_durably(archive, folder / (plain_name(entry.file_name) + SUFFIX))
        report = {
            "entry": entry.id,
            "file_name": entry.file_name,
            "code": verdict.code,
            "message": verdict.text,
            "report": verdict.judgement.report,
        }
        if verdict.judgement.write_workbook is not None:
            workbook = folder / WORKBOOK_NAME
            try:
                verdict.judgement.write_workbook(workbook)
                workbook.chmod(OWNER_FILE)
            except Exception as error:  # the file itself must be kept apart even when its report cannot be drawn
                report["workbook_failed"] = type(error).__name__
        data = json.dumps(report, ensure_ascii=False, indent=2, sort_keys=True, default=str)
        write_durably(folder / REPORT_NAME, data.encode())


def _text(code: str, name: str, **values: object) -> str:
    return message(code).render(name=name, **values)
