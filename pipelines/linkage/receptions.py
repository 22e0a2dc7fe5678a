"""The Union's answers (受付結果) about the files that we sent: each applied answer moves the file's entry in the ledger."""

from __future__ import annotations

import polars as pl

from pipelines.deployment import Environment
from pipelines.exchange.ledger.recording import UnitOfWork
from pipelines.exchange.ledger.states import OUT_STATES, Direction, EntryState, LedgerEvent
from pipelines.linkage.matching import Match, match_receptions
from pipelines.tables.linkage import OutboundFiles
from pipelines.transfer.unrecorded import interface_of


def receptions(environment: Environment, work: UnitOfWork, data: pl.DataFrame) -> Match:
    """Each applied answer moves its file's entry to accepted or rejected."""
    ours = {e.file_name: e for e in work.entries(direction=Direction.OUTBOUND)}
    rows = [(name, entry.state, entry.records) for name, entry in ours.items()]
    match = match_receptions(data, OutboundFiles.of(rows))
    for name in data["sent_file_name"].unique().sort():
        if (name not in ours or ours[name].state not in OUT_STATES) and interface_of(environment, name) is not None:
            work.append_event(LedgerEvent.ANSWER_TO_UNRECORDED, file_name=name)
    for row in match.applied_records.iter_rows(named=True):
        entry, kind = ours[row["sent_file_name"]], EntryState(row["reception_kind"])
        count = row["sent_record_count"]
        proved = (EntryState.SENT, kind)
        transitions = {EntryState.UPLOADED: proved, EntryState.UNCONFIRMED: proved, EntryState.SENT: (kind,)}
        for reached in transitions.get(entry.state, ()):
            work.transition(entry, reached, records_at_union=None if count is None else int(count))
    return match
